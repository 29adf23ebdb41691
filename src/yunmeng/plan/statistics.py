"""The statistical report 统计报告: where each indicator stands, and where the number came from."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yunmeng.kernel.base import format_us, instant_us, now_us
from yunmeng.kernel.compute import JobContext
from yunmeng.kernel.model import NAMESPACE, SOURCE
from yunmeng.kernel.store import Point, TemporalQuery
from yunmeng.plan.indicators import NOTICE, Indicator, indicators

LATEST = NAMESPACE + "latest"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one indicator stands at a time; ``value`` is None when nothing was reported until then."""

    indicator: Indicator
    value: float | None
    at: str
    source: str

    @property
    def verdict(self) -> str:
        """达标 met, 未达标 short of it, 无目标 no target, or 未填报 not reported."""
        if self.indicator.target is None:
            return "无目标"
        if self.value is None:
            return "未填报"
        met = self.indicator.met(self.value)
        return "无目标" if met is None else "达标" if met else "未达标"


def standings(points: Sequence[Point], until_us: int) -> list[Standing]:
    """Returns every indicator's standing from its reported values, the newest not later than ``until_us``."""
    newest: dict[str, Point] = {}
    for point in points:
        if point.at <= until_us and (point.entity not in newest or newest[point.entity].at <= point.at):
            newest[point.entity] = point
    return [_standing(row, newest.get(row.entity_id)) for row in indicators()]


def as_csv(rows: Sequence[Standing]) -> bytes:
    """Writes the standings as CSV (UTF-8 with a mark, so that spreadsheets read the Chinese)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["编号", "指标", "单位", "2020基期", "2025目标", "最新值", "时间", "来源", "结论", "章节", "原文"]
    )
    for row in rows:
        plain = row.indicator.as_dict()
        writer.writerow(
            [
                plain["id"],
                plain["name"],
                plain["unit"],
                plain["baseline_2020"],
                plain["target_2025"],
                row.value,
                row.at,
                row.source,
                row.verdict,
                plain["section"],
                plain["quote"],
            ]
        )
    return text.getvalue().encode("utf-8-sig")


async def report(context: JobContext, inputs: Mapping[str, str]) -> dict[str, Any]:
    """The job: reads what was reported until ``until`` (now when empty) and writes the report as CSV."""
    until = instant_us(inputs["until"]) if inputs.get("until") else now_us()
    ids = tuple(row.entity_id for row in indicators())
    context.progress(0.1, "读取填报值 reading reported values")
    query = TemporalQuery(context.reach, ids, (LATEST,), limit=100_000)
    rows = standings(await context.history.points(query), until)
    context.progress(0.7, "写报告 writing the report")
    await context.file(f"indicators-{format_us(until)[:10]}.csv", as_csv(rows), "text/csv")
    verdicts = [row.verdict for row in rows]
    counts = {verdict: verdicts.count(verdict) for verdict in ("达标", "未达标", "未填报", "无目标")}
    return {"until": format_us(until), "indicators": len(rows), **counts, "plan": NOTICE}


def _standing(row: Indicator, point: Point | None) -> Standing:
    if point is None:
        return Standing(row, None, "", "")
    body = point.body or {}
    value = body.get("value", point.value)
    sources = "; ".join(str(part["value"]) for part in body.get(SOURCE, ()))
    return Standing(row, float(value) if value is not None else None, format_us(point.at), sources)
