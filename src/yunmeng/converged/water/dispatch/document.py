"""The plan as a document (预案): releases with reasons, what it achieves, where each number came from."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.dispatch.limits import clock, number
from yunmeng.converged.water.dispatch.plan import Plan
from yunmeng.converged.water.dispatch.reasons import Reasons, reasons
from yunmeng.converged.water.dispatch.scenarios import Comparison
from yunmeng.kernel.base import Language, sentence

_STYLE = (
    "body{font:16px/1.6 sans-serif;margin:2em}table{border-collapse:collapse}"
    "td,th{padding:.2em .6em;border:1px solid #bbb}"
)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with paragraphs and a table (its first row is the header; it may be empty)."""

    heading: str
    text: tuple[str, ...] = ()
    table: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A plan in sections; ``synthetic`` says that its data are made up, and then the page says so first."""

    title: str
    sections: tuple[Section, ...]
    language: Language
    synthetic: bool = False

    def markdown(self) -> str:
        """Returns the document as Markdown."""
        parts = [f"# {_md(self.title)}"]
        for each in self.sections:
            parts += [f"## {_md(each.heading)}", *(_md(text) for text in each.text)]
            if each.table:
                head, *rows = ([_md(cell) for cell in row] for row in each.table)
                lines = [head, ["---"] * len(head), *rows]
                parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
        return "\n\n".join(parts) + "\n"

    def html(self) -> str:
        """Returns the document as one page that needs nothing else."""
        body = [f"<h1>{html.escape(self.title)}</h1>"]
        for each in self.sections:
            body.append(f"<h2>{html.escape(each.heading)}</h2>")
            body += [f"<p>{html.escape(text)}</p>" for text in each.text]
            body += _rows(each.table)
        return (
            f'<!doctype html><html lang="{self.language}"><meta charset="utf-8">'
            f"<title>{html.escape(self.title)}</title><style>{_STYLE}</style>"
            f"<body>{''.join(body)}</body></html>"
        )


def _md(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _rows(table: Sequence[Sequence[str]]) -> list[str]:
    if not table:
        return []
    head, *rows = table
    lines = [
        "<table><thead><tr>",
        *(f"<th>{html.escape(cell)}</th>" for cell in head),
        "</tr></thead><tbody>",
    ]
    for row in rows:
        lines += ["<tr>", *(f"<td>{html.escape(cell)}</td>" for cell in row), "</tr>"]
    return [*lines, "</tbody></table>"]


def write(
    plan: Plan,
    *,
    comparison: Comparison | None = None,
    nodes: Sequence[str] | None = None,
    sources: Mapping[str, str] | None = None,
    lang: Language = "zh-CN",
) -> Document:
    """Writes the plan down for some reservoirs (else for the 20 largest).

    ``sources`` names where inputs came from, by ``inflow``, ``storage``, ``curves``, ``limits``, ``points``;
    what is not named is told by the horizon's own source.

    Raises:
        BadInput: ``dispatch.node`` for a node that the system lacks.
    """
    why = reasons(plan)
    system = plan.system
    held = np.flatnonzero(system.reservoir)
    largest = held[np.argsort(-system.storage_max[held], kind="stable")][:20].tolist()
    chosen = largest if nodes is None else [system.place(id) for id in nodes]
    synthetic = plan.horizon.source == "synthetic"
    sections = [_summary(plan, lang, synthetic)]
    if comparison is not None:
        sections.append(Section(_say("compare", lang), table=comparison.table(lang)))
    sections.append(_points(plan, lang))
    sections += [_reservoir(plan, why, node, lang) for node in chosen]
    sections.append(_sources(plan, sources or {}, lang))
    title = _say("title", lang, name=plan.name or clock(plan.horizon.start))
    return Document(title, tuple(sections), lang, synthetic)


def _say(key: str, lang: Language, **facts: object) -> str:
    return sentence(f"water.dispatch.document.{key}", facts, lang)


def _summary(plan: Plan, lang: Language, synthetic: bool) -> Section:
    times = plan.times()
    text = [
        *([_say("synthetic", lang)] if synthetic else []),
        _say(
            *("span", lang),
            first=clock(plan.horizon.start),
            last=clock(times[-1]),
            steps=len(times),
            hours=f"{plan.system.step_hours:g}",
        ),
        _say("size", lang, reservoirs=int(plan.system.reservoir.sum()), nodes=plan.system.nodes),
    ]
    if np.isfinite(plan.bound):
        text.append(
            _say("gap", lang, value=number(plan.value), bound=number(plan.bound), gap=f"{plan.gap:.3%}")
        )
    return Section(_say("summary", lang), tuple(text))


def _points(plan: Plan, lang: Language) -> Section:
    system, times = plan.system, plan.times()
    rows = [[_say(key, lang) for key in ("point", "safe", "peak", "time", "over")]]
    for node in np.flatnonzero(np.isfinite(system.safe) & ~system.reservoir).tolist():
        flow = plan.release[node]
        step = int(flow.argmax())
        over = max(float(flow[step]) - float(system.safe[node]), 0.0)
        rows += [
            [
                system.names[node],
                number(float(system.safe[node])),
                number(float(flow[step])),
                clock(times[step]),
                number(over),
            ]
        ]
    return Section(_say("points", lang), table=rows)


def _reservoir(plan: Plan, why: Reasons, node: int, lang: Language) -> Section:
    times, level = plan.times(), plan.level
    rows = [[_say(key, lang) for key in ("time", "inflow", "release", "level", "reason")]]
    rows += [
        [
            clock(at),
            number(float(plan.inflow[node, step])),
            number(float(plan.release[node, step])),
            f"{level[node, step]:.2f}",
            why.of(node, step).words(lang),
        ]
        for step, at in enumerate(times)
    ]
    now = float(plan.system.curves.level_at(plan.horizon.storage[:, None])[node, 0])
    top = f"{np.nanmax(level[node]):.2f}"
    text = _say("course", lang, level=f"{now:.2f}", top=top, last=f"{level[node, -1]:.2f}")
    return Section(plan.system.names[node], (text,), rows)


def _sources(plan: Plan, sources: Mapping[str, str], lang: Language) -> Section:
    rows = [[_say("number", lang), _say("source", lang)]]
    own = plan.horizon.source or _say("unnamed", lang)
    given = ("inflow", "storage", "curves", "limits", "points")
    rows += [[_say(f"of_{key}", lang), sources.get(key, own)] for key in given]
    rows += [[_say(f"of_{key}", lang), _say(f"by_{key}", lang)] for key in ("release", "level", "bound")]
    return Section(_say("sources", lang), table=rows)
