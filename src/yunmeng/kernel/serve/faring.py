"""What the notifier knows of how subscriptions fare, asked for over the bus."""

from collections.abc import Sequence

import msgspec

from yunmeng.kernel.base import YunmengError
from yunmeng.kernel.serve.describing import Status
from yunmeng.kernel.serve.services import Services
from yunmeng.kernel.serve.watching import SUBSCRIPTION_STATUS
from yunmeng.kernel.trust import Principal

FARING = "notifier.faring"
"""The subject that the notifier answers."""

_PATIENCE_S = 0.3

_encode = msgspec.msgpack.Encoder().encode
_known = msgspec.msgpack.Decoder(dict[str, Status]).decode
_kept = msgspec.json.Decoder(Status).decode


class Asked(msgspec.Struct, frozen=True):
    """A question about subscriptions of one tenant, by id."""

    tenant: str
    ids: Sequence[str]


async def statuses(
    services: Services, principal: Principal, tenant: str, ids: Sequence[str]
) -> dict[str, Status]:
    """Returns how subscriptions fare, by id: as of now, or as last written down when no notifier answers."""
    if not ids:
        return {}
    try:
        question = _encode(Asked(tenant, ids))
        return _known(await services.bus.request(FARING, question, principal, timeout_s=_PATIENCE_S))
    except YunmengError:
        records = [await services.state.record(SUBSCRIPTION_STATUS, tenant, id_) for id_ in ids]
        return {record.id: _kept(record.body) for record in records if record is not None}
