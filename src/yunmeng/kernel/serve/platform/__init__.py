"""The routes of the node itself: health, metrics, the API's description, the own context, sessions."""

from yunmeng.kernel.serve.identity import SIGN_IN_PATH
from yunmeng.kernel.serve.platform import health, openapi, session, vocabulary
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
)

__all__ = ["PLATFORM_ROUTES"]
