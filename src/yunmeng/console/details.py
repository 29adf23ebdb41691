"""What the page of an entity shows first: levels, facts, people, outlook, neighbours, orders."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from starlette.responses import Response

from yunmeng.console.documents import Entity
from yunmeng.console.figures import is_stale, level_of
from yunmeng.console.nearby import neighbours, order, outlook
from yunmeng.console.registry import views_of
from yunmeng.console.terms import Terms, terms_of
from yunmeng.console.views import Curve, Detail, Fact, Gauge, Trend
from yunmeng.kernel.base import NotFound, now_us
from yunmeng.kernel.serve import Call, closed, json_reply, note_revealed

_DIGITS = 6


async def details(call: Call) -> Response:
    """Answers with what an entity's page shows first, as its package says; null when no package does."""
    id = call.request.path_params["id"]
    body = await call.services.state.get(call.reach, id)
    if body is None:
        raise NotFound("entity.absent", id=id)
    terms = terms_of(call)
    one = terms.read(body)
    found = _detail(call, terms, one)
    if found is None:
        return json_reply({"id": id, "at": now_us() // 1000, "detail": None})
    await note_revealed(call, [{"id": id}], one.attributes.keys() - closed(call))
    values = Values(terms, found, one, closed(call))
    payload = {
        "title": found.title.en if terms.language == "en" else found.title.zh,
        "gauge": values.gauge(found.gauge) if found.gauge else None,
        "facts": [fact for each in found.facts if (fact := values.fact(each))],
        "people": [row for name in found.people if (row := values.person(name))],
        "trends": [row for each in found.trends if (row := values.trend(each))],
        "outlook": await outlook(call, terms, found.type, found.outlook, id, values)
        if found.outlook
        else None,
        "neighbours": await neighbours(call, terms, found, one) if found.neighbours else None,
        "order": await order(call, terms, found.orders, id) if found.orders else None,
    }
    return json_reply({"id": id, "at": now_us() // 1000, "detail": payload})


def _detail(call: Call, terms: Terms, one: Entity) -> Detail | None:
    tier = call.services.settings.node.tier
    return next(
        (
            each
            for each in views_of(call.services).details
            if terms.uri(each.type) in one.types and (not each.tiers or tier in each.tiers)
        ),
        None,
    )


class Values:
    """The numbers of one entity, in the language and within the clearance of a call."""

    def __init__(self, terms: Terms, detail: Detail, entity: Entity, hidden: frozenset[str]) -> None:
        self._terms, self._detail, self._entity, self._hidden = terms, detail, entity, hidden
        self._derived: dict[str, tuple[float, int]] = {}

    def number(self, attribute: str) -> tuple[float, int] | None:
        """Returns a number and when it was observed (µs UTC, 0: it is registered)."""
        if self._terms.uri(attribute) in self._hidden:
            return None
        instance = self._entity.first(self._terms.uri(attribute))
        if instance is None or instance.number is None:
            return self._derived.get(attribute)
        return instance.number, instance.observed_us

    def gauge(self, gauge: Gauge) -> dict[str, Any]:
        """Returns the value of a gauge and the levels around it, the highest first."""
        marks = [
            {**self.said(mark.attribute, mark.title), "value": found[0], "kind": mark.kind}
            for mark in gauge.marks
            if (found := self.number(mark.attribute))
        ]
        value, at = self.number(gauge.attribute) or (None, 0)
        return {
            **self.said(gauge.attribute, None),
            **self._aged(value, at),
            "digits": gauge.digits,
            "marks": sorted(marks, key=lambda mark: -float(mark["value"])),
        }

    def fact(self, fact: Fact) -> dict[str, Any] | None:
        """Returns one fact, None where nothing is known."""
        found = self.number(fact.attribute) or (fact.curve and self._off_curve(fact.curve))
        derived = self.number(fact.attribute) != found
        if found and fact.curve:
            self._derived.setdefault(fact.attribute, found)
        if found and fact.minus:
            taken = self.number(fact.minus)
            if taken is None:
                return None
            found, derived = (found[0] - taken[0], taken[1]), True
        if found is None:
            return self._text(fact)
        value = self._terms.converter(self._detail.type, fact.attribute, fact.unit)(found[0])
        return {
            **self.said(fact.attribute, fact.title, fact.unit),
            **self._aged(value, found[1]),
            "digits": fact.digits,
            "level": level_of(value, fact.thresholds) if fact.thresholds else "",
            "derived": derived,
        }

    def person(self, name: str) -> dict[str, Any] | None:
        """Returns who answers, None where nobody is named."""
        uri = self._terms.uri(name)
        instance = None if uri in self._hidden else self._entity.first(uri)
        return {**self.said(name, None), "value": instance.shown(self._terms.language)} if instance else None

    def trend(self, trend: Trend) -> dict[str, Any] | None:
        """Returns the lines of a trend that the entity has, and its limit."""
        have = [name for name in trend.attributes if self.number(name)]
        limit = self.number(trend.limit) if trend.limit else None
        english = self._terms.language == "en"
        if not have:
            return None
        return {
            "title": trend.title.en if english else trend.title.zh,
            "digits": trend.digits,
            "lines": [self.said(name, None) for name in have],
            "limit": {**self.said(trend.limit, None), "value": limit[0]} if limit else None,
        }

    def said(self, attribute: str, title: Any, unit: str = "") -> dict[str, Any]:
        """Returns what an attribute is called and in which unit it is."""
        terms = self._terms
        label = terms.attribute_label((terms.uri(self._detail.type),), terms.uri(attribute))
        if title is not None:
            label = title.en if terms.language == "en" else title.zh
        symbol = terms.symbol(unit or terms.unit(self._detail.type, attribute))
        return {"attribute": attribute, "label": label, "symbol": symbol}

    def _aged(self, value: float | str | None, at: int) -> dict[str, Any]:
        shown = round(value, _DIGITS) if isinstance(value, float) else value
        return {"value": shown, "observed_at": at // 1000, "stale": is_stale(at, self._detail.stale_s)}

    def _text(self, fact: Fact) -> dict[str, Any] | None:
        uri = self._terms.uri(fact.attribute)
        instance = None if uri in self._hidden else self._entity.first(uri)
        if instance is None or fact.curve or fact.minus:
            return None
        text = instance.shown(self._terms.language)
        head = {**self.said(fact.attribute, fact.title), **self._aged(text, instance.observed_us)}
        return {**head, "digits": None, "level": "", "derived": False}

    def _off_curve(self, curve: Curve) -> tuple[float, int] | None:
        """Reads a number off a curve, None outside of it."""
        instance, at = self._entity.first(self._terms.uri(curve.attribute)), self.number(curve.at)
        rows: Any = instance.json if instance else None
        if not isinstance(rows, Mapping) or at is None or self._terms.uri(curve.attribute) in self._hidden:
            return None
        columns = cast("Mapping[str, Any]", rows)
        x, y = (np.asarray(columns.get(name, ()), float) for name in (curve.x, curve.y))
        if not len(x) or len(x) != len(y) or not x[0] <= at[0] <= x[-1]:
            return None
        return float(np.interp(at[0], x, y)), at[1]
