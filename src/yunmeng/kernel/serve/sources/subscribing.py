"""Subscriptions on context source registrations (ETSI GS CIM 009 §5.11, §6.12, §6.13)."""

from yunmeng.kernel.serve.ngsild.subscriptions import Subscriptions
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.sources.telling import SOURCE_SUBSCRIPTION, work_out_source_watch
from yunmeng.kernel.serve.watching import Kept, Watch


async def _work_out(kept: Kept, tenant: str, services: Services) -> Watch:
    return (await work_out_source_watch(kept, tenant, services)).watch


SOURCE_SUBSCRIPTIONS = Subscriptions(
    SOURCE_SUBSCRIPTION,
    "/ngsi-ld/v1/csourceSubscriptions",
    _work_out,
    members=("temporalQ",),
    may_end=True,
)
