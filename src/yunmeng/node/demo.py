"""The demo's named users; their passwords are printed, so they exist in a demo folder only."""

from dataclasses import dataclass

from yunmeng.kernel.trust import SYSTEM, Accounts


@dataclass(frozen=True, slots=True)
class DemoUser:
    """One of them."""

    name: str
    roles: tuple[str, ...]
    division: str
    about_zh: str
    about_en: str


DEMO_PASSWORD = "Jianghan-Plain-2026"  # noqa: S105  (printed by the demo, and valid nowhere else)

DEMO_USERS = (
    DemoUser("admin", ("administrator",), "420000", "省级管理员", "administrator of the province"),
    DemoUser("wuhan", ("operator",), "420100", "武汉市值班员，只见本市", "operator, sees Wuhan only"),
    DemoUser("viewer", ("viewer",), "420000", "全省只读", "reads the whole province"),
    DemoUser("auditor", ("auditor",), "420000", "审计员", "auditor"),
)


async def make_users(accounts: Accounts) -> None:
    """Makes those that are not there yet."""
    known = {account.name for account in await accounts.accounts()}
    for user in DEMO_USERS:
        if user.name not in known:
            await accounts.create(
                user.name, DEMO_PASSWORD, by=SYSTEM, roles=user.roles, divisions=(user.division,)
            )
