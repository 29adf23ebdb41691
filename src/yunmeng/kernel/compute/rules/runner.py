"""The rule runner: follows committed changes and raises, changes and ends alerts; one runs per node."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, NamedTuple

import msgspec
import numpy as np

from yunmeng.kernel.base import YunmengError, instant_us, now_us
from yunmeng.kernel.compute.response.alert import Alert, Grade, alert_id
from yunmeng.kernel.compute.rules.book import RULES, Book
from yunmeng.kernel.compute.rules.rule import Rule
from yunmeng.kernel.compute.rules.standing import Standing, Turn
from yunmeng.kernel.link import Bus, Consumer, Message, obs_subject
from yunmeng.kernel.model import (
    DIVISION,
    LOCATION,
    SYNTHETIC,
    Change,
    Document,
    ObservationBatch,
    Quality,
    Reading,
    Series,
    TypeLibrary,
    decode_batch,
    decode_records,
    encode_batch,
    make_batch_of,
)
from yunmeng.kernel.store import StateReader
from yunmeng.kernel.trust import Reach

_log = logging.getLogger("yunmeng.rules")
_MOST_PER_FETCH = 256
_PAUSE_S = 1.0
_REMIND_S = 5.0
_MOST_LIMITS = 500_000
_NAME = "https://smartdatamodels.org/name"
_document = msgspec.json.Decoder(Document).decode


class Seen(NamedTuple):
    """One value to be judged; ``at`` in µs UTC."""

    entity: str
    rule: Rule
    value: float
    at: int


@dataclass(slots=True)
class _Rank:
    """The standings of one tenant, by rule and entity."""

    standings: dict[tuple[str, str], Standing]
    alerts: dict[tuple[str, str], Alert]


class RuleRunner:
    """Judges every change by the packages' rules.

    It may be killed at any time: what it has not acknowledged comes again, and an alert that comes again
    has the same id. An alert that has yet to last (``hold_s``) begins to wait anew after a restart.
    """

    def __init__(self, bus: Bus, state: StateReader, rules: Iterable[Rule], library: TypeLibrary) -> None:
        self._bus = bus
        self._state = state
        self._rules = {rule.id: rule for rule in rules}
        self._book = Book(bus, state, library)
        self._event_uri = library.type("Event").uri
        self._alert_uri = library.type("Alert").uri
        self._by_place: dict[tuple[str, str], list[Rule]] = defaultdict(list)
        for rule in self._rules.values():
            self._by_place[rule.type_uri, rule.attribute_uri].append(rule)
        self._concerned = {
            self._event_uri,
            self._alert_uri,
            *(rule.type_uri for rule in self._rules.values()),
        }
        self._ranks: dict[str, _Rank] = {}
        self._documents: dict[tuple[str, str], Document] = {}
        self._consumer: Consumer | None = None

    async def start(self) -> None:
        """Opens the durable consumer; without rules there is nothing to follow."""
        if not self._rules:
            return
        self._consumer = await self._bus.consumer("CHG", "rules")

    async def run(self) -> None:
        """Runs until it is cancelled."""
        if self._consumer is None:
            await asyncio.Event().wait()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._consume(self._consumer))
            group.create_task(self._remind())

    async def stop(self) -> None:
        """Closes the consumer."""
        if self._consumer is not None:
            await self._consumer.close()

    async def _consume(self, consumer: Consumer) -> None:
        while True:
            try:
                messages = await consumer.fetch(_MOST_PER_FETCH, 1.0)
                for message in messages:
                    await self._surely(message)
                if messages:
                    await consumer.ack(messages[-1].position)
            except YunmengError as error:
                await _wait_for(error)

    async def _surely(self, message: Message) -> None:
        """Reads a message, again and again while a store is away."""
        while True:
            try:
                return await self._read(message)
            except YunmengError as error:
                await _wait_for(error)

    async def _read(self, message: Message) -> None:
        kind = message.subject.split(".", 2)[1]
        if kind == "observed" and self._by_place:
            batch = decode_batch(message.data)
            await self._judge(batch.tenant, list(self._observed(batch)), f"rules-{message.position}")
        elif kind == "entity":
            for record in decode_records([message.data]):
                self._documents.pop((record.tenant, record.entity), None)
                if not self._concerned.isdisjoint(record.types):
                    await self._changed(record.change(), message.position)

    async def _changed(self, change: Change, position: int) -> None:
        if self._event_uri in change.types and change.after:
            await self._rank(change.tenant)
            self._book.note_event(change.tenant, self._book.read_event(change.after))
            return
        if self._alert_uri in change.types and change.after:
            self._let_go(await self._rank(change.tenant), self._book.read_alert(change.after))
            return
        seen = list(self._written(change))
        if seen:
            await self._judge(change.tenant, seen, f"rules-{position}-{change.entity}")

    def _let_go(self, rank: _Rank, alert: Alert) -> None:
        """Leaves an alert that somebody ended by hand as it is; only a graver level makes another one."""
        key = (alert.rule, alert.source)
        known = rank.alerts.get(key)
        if known is not None and known.id == alert.id and alert.state != "active":
            del rank.alerts[key]

    def _observed(self, batch: ObservationBatch) -> Iterator[Seen]:
        watched = [
            number
            for number, series in enumerate(batch.series)
            if (series.type, series.attribute) in self._by_place
        ]
        if not watched:
            return
        good = np.isin(batch.index, watched) & ~np.isnan(batch.number)
        good &= (batch.quality == Quality.GOOD) | (batch.quality == Quality.SUBSTITUTED)
        for row in np.flatnonzero(good)[np.argsort(batch.observed_at[good], kind="stable")]:
            series = batch.series[batch.index[row]]
            for rule in self._by_place[series.type, series.attribute]:
                yield Seen(series.entity, rule, float(batch.number[row]), int(batch.observed_at[row]))

    def _written(self, change: Change) -> Iterator[Seen]:
        for type_ in change.types:
            for uri in change.attributes:
                for rule in self._by_place.get((type_, uri), ()):
                    instance = _plain(change.after, uri)
                    value = _number(instance)
                    if instance is not None and value is not None:
                        at = instant_us(instance.get("observedAt", change.at))
                        yield Seen(change.entity, rule, value, at)

    async def _judge(self, tenant: str, seen: Sequence[Seen], key: str) -> None:
        if not seen:
            return
        rank = await self._rank(tenant)
        margins: list[Reading] = []
        for one in seen:
            limit = await self._limit(tenant, one)
            if limit is None:
                continue
            standing = rank.standings.setdefault((one.rule.id, one.entity), Standing())
            turn = standing.see(one.rule, one.value, limit, one.at)
            if turn is not None:
                await self._act(tenant, rank, one, limit, turn)
            if one.rule.margin_uri:
                margins.append(await self._margin(tenant, one, limit))
        if margins:
            batch = make_batch_of(margins, gateway="rules", received_at=now_us(), tenant=tenant)
            # what comes again after a crash has the same key
            await self._bus.publish(obs_subject(tenant, "rules"), encode_batch(batch), RULES, key=key)

    async def _margin(self, tenant: str, seen: Seen, limit: float) -> Reading:
        document = await self._read_document(tenant, seen.entity)
        division = str((_plain(document, DIVISION) or {}).get("value", ""))
        synthetic = bool((_plain(document, SYNTHETIC) or {}).get("value", False))
        rule = seen.rule
        series = Series(seen.entity, rule.margin_uri, rule.type_uri, division, rule.unit, synthetic)
        return Reading((series,), seen.at, (rule.margin(seen.value, limit),))

    async def _act(self, tenant: str, rank: _Rank, seen: Seen, limit: float, turn: Turn) -> None:
        key = (seen.rule.id, seen.entity)
        standing, before = rank.standings[key], rank.alerts.get(key)
        if before is None and turn == "ended":
            return
        if before is None:
            standing.began_at = seen.at
        document = await self._read_document(tenant, seen.entity)
        alert = _alert(seen, limit, standing, before, document)
        alert = await self._book.raise_(tenant, seen.rule, alert)
        if turn == "ended":
            rank.alerts.pop(key, None)
        else:
            rank.alerts[key] = alert
        _log.info("%s: %s of %s, level %s", seen.rule.id, turn, seen.entity, alert.grade)

    async def _limit(self, tenant: str, seen: Seen) -> float | None:
        rule = seen.rule
        if isinstance(rule.limit, float | int) and not rule.where:
            return float(rule.limit)
        document = await self._read_document(tenant, seen.entity)
        for uri, wanted in rule.where:
            if (_plain(document, uri) or {}).get("value") != wanted:
                return None
        return rule.limit if not isinstance(rule.limit, str) else _number(_plain(document, rule.limit))

    async def _read_document(self, tenant: str, entity: str) -> Document:
        """Returns an entity as it was when it was last written; kept until it is written again."""
        known = self._documents.get((tenant, entity))
        if known is None:
            body = await self._state.get(Reach(tenant), entity)
            known = {} if body is None else _document(body)
            if len(self._documents) > _MOST_LIMITS:
                self._documents.clear()
            self._documents[tenant, entity] = known
        return known

    async def _rank(self, tenant: str) -> _Rank:
        """Returns the standings of a tenant, from its active alerts when it is met for the first time."""
        known = self._ranks.get(tenant)
        if known is None:
            active = await self._book.active(tenant)
            await self._book.load_events(tenant)
            known = _Rank(
                {
                    (alert.rule, alert.source): Standing(alert.grade, alert.valid_from, alert.valid_from)
                    for alert in active
                },
                {(alert.rule, alert.source): alert for alert in active},
            )
            self._ranks[tenant] = known
        return known

    async def _remind(self) -> None:
        while True:
            await asyncio.sleep(_REMIND_S)
            try:
                await self._book.remind()
            except YunmengError as error:
                await _wait_for(error)


def _alert(
    seen: Seen, limit: float, standing: Standing, before: Alert | None, document: Mapping[str, Any]
) -> Alert:
    row, margin = seen.rule.row, abs(seen.value - limit)
    facts = {"value": seen.value, "limit": limit, "margin": margin}
    ended = standing.grade is None
    return Alert(
        id=before.id if before else alert_id(seen.rule.id, seen.entity, standing.began_at),
        rule=seen.rule.id,
        source=seen.entity,
        division=str((_plain(document, DIVISION) or {}).get("value", "")),
        headline=_headline(seen.rule, document, facts) if not (ended and before) else before.headline,
        grade=_shown(standing.grade, before),
        category=row.category,
        state="ended" if ended else "active",
        issued_at=now_us(),
        valid_from=standing.began_at,
        valid_to=seen.at if ended else 0,
        value=seen.value,
        limit=limit,
        unit=seen.rule.unit,
        instruction=row.instruction.both() if row.instruction else {},
        event=before.event if before else "",
        location=(_plain(document, LOCATION) or {}).get("value"),
        synthetic=bool((_plain(document, SYNTHETIC) or {}).get("value", False)),
    )


def _headline(rule: Rule, document: Mapping[str, Any], facts: Mapping[str, float]) -> dict[str, str]:
    name = str((_plain(document, _NAME) or {}).get("value", "")) or str(document.get("id", ""))
    shown = {key: f"{value:.2f}".rstrip("0").rstrip(".") for key, value in facts.items()}
    return {
        "zh-CN": _filled(rule.row.zh, {"name": name, **shown}),
        "en": _filled(rule.row.en, {"name": name, **shown}),
    }


def _filled(text: str, facts: Mapping[str, str]) -> str:
    for key, value in facts.items():
        text = text.replace(f"{{{key}}}", value)
    return text


def _shown(grade: Grade | None, before: Alert | None) -> Grade:
    """Returns the level to show of an alert: the present one, else the last that it had."""
    return grade or (before.grade if before else "IV")


def _plain(document: Mapping[str, Any], uri: str) -> Mapping[str, Any] | None:
    """Returns the default instance of an attribute in stored form."""
    for instance in document.get(uri, ()):
        if "datasetId" not in instance:
            return instance
    return None


def _number(instance: Mapping[str, Any] | None) -> float | None:
    value = (instance or {}).get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or isnan(value):
        return None
    return float(value)


async def _wait_for(error: YunmengError) -> None:
    _log.warning("the rules wait: %s", error)
    await asyncio.sleep(_PAUSE_S)
