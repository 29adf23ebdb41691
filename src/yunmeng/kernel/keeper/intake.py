"""Observations on their way in: decoded, checked row by row, the bad ones quarantined."""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from yunmeng.kernel.base import YunmengError, check_urn, division, format_us, unit
from yunmeng.kernel.link import Message, subject_tokens
from yunmeng.kernel.model import ObservationBatch, Series, decode_batch, encode_batch
from yunmeng.kernel.store import Record, StateWriter

QUARANTINE = "quarantine"
EARLIEST_US = -2_208_988_800_000_000
"""The first moment that the history can hold: 1900-01-01, in microseconds UTC."""


class Reason(msgspec.Struct, frozen=True):
    """Why something was not taken: an error key with its facts."""

    key: str
    facts: dict[str, str]


class Quarantined(msgspec.Struct, frozen=True):
    """What a quarantine record holds; ``raw`` is the base64 of what arrived, ready to be sent again.

    ``peer`` is where a raw frame came from.
    """

    at: str
    subject: str
    principal: str
    gateway: str
    rows: int
    reason: Reason
    raw: str
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """One message of the OBS stream: what is stored of it, and what is not."""

    position: int
    subject: str
    data: bytes
    batch: ObservationBatch | None
    refused: tuple[tuple[Reason, ObservationBatch | None], ...] = ()
    rejected: tuple[int, ...] = ()
    principal: str = ""

    @property
    def rows(self) -> int:
        """How many observations are stored."""
        return 0 if self.batch is None else len(self.batch)


class KnownEntities:
    """Which entities exist, so that the store is asked once for each; bounded."""

    def __init__(self, state: StateWriter, most: int = 1_000_000) -> None:
        self._state = state
        self._most = most
        self._seen: defaultdict[str, set[str]] = defaultdict(set)
        self._count = 0

    async def unknown(
        self, tenant: str, series: Sequence[Series], gone: Container[str] = ()
    ) -> dict[str, Series]:
        """Returns the series whose entity the store does not hold (or that is ``gone``), one an entity."""
        seen = self._seen[tenant]
        fresh = {row.entity: row for row in series if row.entity not in seen}
        if not fresh:
            return fresh
        for entity in await self._state.known(tenant, list(fresh)):
            if entity not in gone:
                self.add(tenant, entity)
                del fresh[entity]
        return fresh

    def add(self, tenant: str, entity: str) -> None:
        """Remembers an entity that was stored."""
        if self._count >= self._most:
            self.clear()
        self._count += 1
        self._seen[tenant].add(entity)

    def drop(self, tenant: str, entity: str) -> None:
        """Forgets an entity that was deleted."""
        self._seen[tenant].discard(entity)

    def clear(self) -> None:
        """Forgets all, so that the store is asked again."""
        self._seen.clear()
        self._count = 0


def take(message: Message, now_us: int, tolerance_us: int) -> Taken:
    """Decodes one message and sets the rows aside that may not be stored; never raises on bad input."""
    try:
        batch = decode_batch(message.data)
    except YunmengError as error:
        refused = ((_reason(error), None),)
        return Taken(message.position, message.subject, message.data, None, refused, (), message.principal.id)
    if strange := _strange(message.subject, batch):
        refused = ((strange, None),)
        return Taken(message.position, message.subject, message.data, None, refused, (), message.principal.id)
    bad = _bad_rows(batch, now_us + tolerance_us)
    if not bad:
        return Taken(message.position, message.subject, message.data, batch, principal=message.principal.id)
    rejected = np.unique(np.concatenate([rows for _, rows in bad]))
    return Taken(
        message.position,
        message.subject,
        message.data,
        without(batch, rejected),
        tuple((reason, only(batch, rows)) for reason, rows in bad),
        tuple(int(row) for row in rejected),
        message.principal.id,
    )


def _strange(subject: str, batch: ObservationBatch) -> Reason | None:
    """Returns why a batch may not come on its subject: nobody writes into another tenant."""
    try:
        if subject_tokens(subject)[1] == batch.tenant:
            return None
    except YunmengError as error:
        return _reason(error)
    return Reason("observation.tenant", {"tenant": batch.tenant, "subject": subject})


def retake(message: Message, rejected: Sequence[int]) -> ObservationBatch:
    """Decodes a message again exactly as it was stored the first time."""
    batch = decode_batch(message.data)
    return without(batch, np.array(rejected, np.intp)) if rejected else batch


def without(batch: ObservationBatch, rows: NDArray[np.intp]) -> ObservationBatch:
    """Returns the batch without some of its rows."""
    keep = np.ones(len(batch), bool)
    keep[rows] = False
    return only(batch, np.flatnonzero(keep))


def only(batch: ObservationBatch, rows: NDArray[np.intp]) -> ObservationBatch:
    """Returns some rows of the batch, in their order, with the series that they use."""
    places = {int(row): place for place, row in enumerate(rows)}
    used, index = np.unique(batch.index[rows], return_inverse=True)
    kept: list[int] = used.tolist()
    return replace(
        batch,
        series=tuple([batch.series[place] for place in kept]),
        index=index.astype(np.uint32),
        observed_at=batch.observed_at[rows],
        number=batch.number[rows],
        quality=batch.quality[rows],
        text={places[row]: text for row, text in batch.text.items() if row in places},
        frame={places[row]: frame for row, frame in batch.frame.items() if row in places},
    )


def quarantine(taken: Taken, now_us: int) -> list[Record]:
    """Returns the records that keep what was refused, with the reason and the raw bytes."""
    return [
        _record(taken, number, reason, batch, now_us) for number, (reason, batch) in enumerate(taken.refused)
    ]


def _record(taken: Taken, number: int, reason: Reason, batch: ObservationBatch | None, now_us: int) -> Record:
    body = Quarantined(
        at=format_us(now_us),
        subject=taken.subject,
        principal=taken.principal,
        gateway=batch.gateway if batch else "",
        rows=len(batch) if batch else 0,
        reason=reason,
        raw=b64encode(encode_batch(batch) if batch else taken.data).decode(),
    )
    tenant = batch.tenant if batch else ""
    return Record(
        # the time tells positions apart that come again after a loss of the bus
        QUARANTINE,
        tenant,
        f"obs-{now_us}-{taken.position}-{number}",
        msgspec.json.encode(body),
        now_us,
    )


def _bad_rows(batch: ObservationBatch, latest_us: int) -> list[tuple[Reason, NDArray[np.intp]]]:
    if not len(batch):
        return []
    bad: list[tuple[Reason, NDArray[np.intp]]] = []
    odd = np.flatnonzero((batch.observed_at > latest_us) | (batch.observed_at < EARLIEST_US))
    if len(odd):
        future = odd[batch.observed_at[odd] > latest_us]
        bad.append((Reason("observation.future", {"latest": format_us(latest_us)}), future))
        past = np.setdiff1d(odd, future)
        bad.append((Reason("observation.past", {"earliest": format_us(EARLIEST_US)}), past))
    for place, reason in _faults(batch.series):
        rows = np.setdiff1d(np.flatnonzero(batch.index == place), odd)
        bad.append((reason, rows))
    return [(reason, rows) for reason, rows in bad if len(rows)]


# What was found sound once: (unit, division) pairs, of which a province has few, and ids.
_pairs: set[tuple[str, str]] = set()
_ids: set[str] = set()
_MOST_IDS = 1_000_000


def _faults(series: Sequence[Series]) -> Iterator[tuple[int, Reason]]:
    if {row.entity for row in series} <= _ids and {(row.unit, row.division) for row in series} <= _pairs:
        return
    if len(_ids) >= _MOST_IDS:
        _ids.clear()
    for place, row in enumerate(series):
        try:
            _check(row)
        except YunmengError as error:
            yield place, _reason(error)


def _check(series: Series) -> None:
    if (series.unit, series.division) not in _pairs:
        if series.unit:
            unit(series.unit)
        division(series.division)
        _pairs.add((series.unit, series.division))
    if series.entity not in _ids:
        check_urn(series.entity)
        _ids.add(series.entity)


def _reason(error: YunmengError) -> Reason:
    return Reason(error.key, {name: str(value) for name, value in error.facts.items()})
