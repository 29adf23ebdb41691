"""The routes of the node itself: health, metrics, the API described, the own context, sessions, accounts."""

from yunmeng.kernel.serve.identity import SIGN_IN_PATH
from yunmeng.kernel.serve.platform import accounts, health, openapi, responses, session, vocabulary
from yunmeng.kernel.serve.routes import Route

PLATFORM_ROUTES: tuple[Route, ...] = (
    Route("GET", "/health", "node.health", health.health),
    Route("GET", "/ready", "node.health", health.ready),
    Route("GET", "/metrics", "node.metrics", health.metrics),
    Route("GET", "/openapi.json", "node.openapi", openapi.openapi),
    Route("GET", "/docs", "node.openapi", openapi.docs),
    Route("GET", vocabulary.PATH, "page.read", vocabulary.context),
    Route("POST", SIGN_IN_PATH, "session.create", session.sign_in),
    Route("GET", SIGN_IN_PATH, "session.read", session.current),
    Route("DELETE", SIGN_IN_PATH, "session.delete", session.sign_out),
    Route("POST", f"{SIGN_IN_PATH}/password", "account.password", session.change_password),
    Route("GET", accounts.PATH, "account.read", accounts.list_accounts),
    Route("POST", accounts.PATH, "account.write", accounts.create_account),
    Route("GET", f"{accounts.PATH}/{{name}}", "account.read", accounts.get_account),
    Route("PATCH", f"{accounts.PATH}/{{name}}", "account.write", accounts.update_account),
    Route("DELETE", f"{accounts.PATH}/{{name}}", "account.write", accounts.remove_account),
    Route("POST", f"{accounts.PATH}/{{name}}/password", "account.write", accounts.reset_password),
    Route("GET", accounts.TOKENS_PATH, "account.read", accounts.list_tokens),
    Route("POST", accounts.TOKENS_PATH, "account.write", accounts.issue_token),
    Route("DELETE", f"{accounts.TOKENS_PATH}/{{id}}", "account.write", accounts.revoke_token),
    Route("GET", "/api/alerts", "event.read", responses.list_alerts, "Alerts in reach"),
    Route("POST", "/api/alerts", "event.write", responses.receive_alert, "Take in an alert as CAP 1.2"),
    Route("GET", "/api/alerts/{id}", "event.read", responses.show_alert, "One alert; also as CAP 1.2"),
    Route("PATCH", "/api/alerts/{id}", "event.write", responses.end_alert, "End or cancel an alert"),
    Route("GET", "/api/events", "event.read", responses.list_events, "Events in reach"),
    Route("POST", "/api/events", "event.write", responses.open_event, "Open an event by hand"),
    Route("GET", "/api/events/{id}", "event.read", responses.show_event, "One event, its alerts and tasks"),
    Route("POST", "/api/events/{id}/steps", "event.write", responses.step_event, "Lead an event on"),
    Route("POST", "/api/events/{id}/tasks", "event.write", responses.add_task, "Give somebody a task"),
    Route("GET", "/api/tasks", "event.read", responses.list_tasks, "Tasks in reach"),
    Route("PATCH", "/api/tasks/{id}", "event.write", responses.end_task, "End a task with its result"),
)

__all__ = ["PLATFORM_ROUTES"]
