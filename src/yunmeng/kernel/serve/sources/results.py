"""What became of the parts of a write, and the one answer that they make (§5.2.16 to §5.2.18, §6.3.17)."""

# ruff: noqa: N818 (callers read better as `raise NoAnswer(...)`)

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import msgspec
from starlette.responses import Response

from yunmeng.kernel.base import Conflict, YunmengError, sentence
from yunmeng.kernel.model import Context
from yunmeng.kernel.serve.refusals import problem_document
from yunmeng.kernel.serve.replies import empty_reply, json_reply
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.serve.sources.forwarding import Answer
from yunmeng.kernel.serve.sources.plan import Part

Problem = dict[str, Any]


class LoopDetected(YunmengError):
    """A source leads back to where the request has been."""

    status: ClassVar[int] = 508


class NoAnswer(YunmengError):
    """A source that holds something alone did not answer in time."""

    status: ClassVar[int] = 504


class BadAnswer(YunmengError):
    """A source that holds something alone cannot be reached, or does not speak NGSI-LD."""

    status: ClassVar[int] = 502


@dataclass(frozen=True, slots=True)
class Result:
    """How one part went: ``status`` below 300 is success; ``source`` is empty for this node."""

    source: str
    status: int
    attributes: frozenset[str] | None
    problem: Problem | None = None
    body: object = None
    context: Context | None = None

    @property
    def fine(self) -> bool:
        """Whether all of the part was carried out."""
        return self.problem is None and self.status != 207

    def listed(self) -> list[str]:
        """Returns the ids that the body lists."""
        body = self.body
        return [str(one) for one in cast("list[object]", body)] if isinstance(body, list) else []


def unsupported(call: Call, part: Part, operation: str) -> Result:
    """Returns the result of a part that its source does not offer."""
    error = Conflict("source.unsupported", source=part.registration.id, operation=operation)
    return failed(call, part.registration.id, error, part.attributes)


def failed(call: Call, source: str, error: YunmengError, attributes: frozenset[str] | None) -> Result:
    """Returns the result of a part that ended with an error."""
    return Result(source, error.status, attributes, problem_document(error, call.language, etsi=True))


def result_of(call: Call, answer: Answer, attributes: frozenset[str] | None) -> Result:
    """Returns what a source's answer means."""
    source = answer.forward.registration.id
    if answer.trouble == "loop":
        return failed(call, source, LoopDetected("source.loop", source=source), attributes)
    if answer.trouble in ("timeout", "cooldown"):
        return failed(call, source, NoAnswer("source.timeout", source=source), attributes)
    if answer.trouble:
        return failed(call, source, BadAnswer("source.failed", source=source), attributes)
    body: object = answer.decoded() if answer.body else None
    if answer.fine:
        return Result(source, answer.status, attributes, body=body, context=answer.forward.context)
    return Result(source, answer.status, attributes, _refused(call, answer, body))


def _refused(call: Call, answer: Answer, body: Any) -> Problem:
    source = answer.forward.registration.id
    given = told(body)
    reason = str(given.get("detail", given.get("title", "-")))
    error = BadAnswer("source.refused", source=source, code=answer.status, reason=reason)
    own = problem_document(error, call.language, etsi=True)
    if isinstance(given.get("type"), str) and isinstance(given.get("title"), str):
        own = {**own, **given}
    return {**own, "status": answer.status}


def told(value: object) -> Problem:
    """Returns a body as an object, an empty one when it is none."""
    return cast("Problem", value) if isinstance(value, dict) else {}


def _whole_problem(results: Sequence[Result]) -> Problem | None:
    """Returns what went wrong with the only part, or that nobody has what is written."""
    first = results[0]
    if len(results) > 1 and any(one.status != 404 for one in results):
        return None
    return first.problem


def entity_answer(id_: str, results: Sequence[Result], success: Response) -> Response:
    """Answers for a whole entity: 207 with a BatchOperationResult when parts went differently (§5.2.16)."""
    if (problem := _whole_problem(results)) is not None:
        return json_reply(problem, results[0].status)
    errors = [error for one in results for error in entity_errors(id_, one)]
    if not errors:
        return success
    done = [id_] if any(one.fine for one in results) else []
    return json_reply({"success": done, "errors": errors}, 207)


def entity_errors(id_: str, result: Result) -> list[Problem]:
    """Returns the BatchEntityErrors of one part (§5.2.17)."""
    named = {"registrationId": result.source} if result.source else {}
    if result.problem is not None:
        return [{"entityId": id_, "error": result.problem, **named}]
    if result.status != 207:
        return []
    given = told(result.body)
    listed = given.get("errors", [])
    errors = cast("list[Problem]", listed) if isinstance(listed, list) else []
    return [{**error, **named} for error in errors]


def attributes_answer(
    call: Call, context: Context, asked: frozenset[str], results: Sequence[Result]
) -> Response:
    """Answers for attributes: 207 with an UpdateResult when parts went differently (§5.2.18)."""
    if (problem := _whole_problem(results)) is not None:
        return json_reply(problem, results[0].status)
    bad = [row for one in results for row in _not_updated(call, context, asked, one)]
    if not bad:
        return empty_reply()
    refused = {row["attributeName"] for row in bad}
    done = {
        name
        for one in results
        if one.problem is None
        for name in map(context.compact, one.attributes if one.attributes is not None else asked)
    }
    return json_reply({"updated": sorted(done - refused), "notUpdated": bad}, 207)


def _not_updated(call: Call, context: Context, asked: frozenset[str], result: Result) -> list[Problem]:
    named = {"registrationId": result.source} if result.source else {}
    attributes = result.attributes if result.attributes is not None else asked
    if result.problem is not None:
        reason = str(result.problem.get("detail") or result.problem.get("title"))
        return [
            {"attributeName": context.compact(uri), "reason": reason, **named} for uri in sorted(attributes)
        ]
    if result.status != 207:
        return []
    given = told(result.body)
    listed = given.get("notUpdated")
    if not isinstance(listed, list):
        reason = sentence(
            "source.refused", {"source": result.source, "code": 207, "reason": "-"}, call.language
        )
        return [
            {"attributeName": context.compact(uri), "reason": reason, **named} for uri in sorted(attributes)
        ]
    rows = [told(row) for row in cast("list[object]", listed)]
    return [_row(row, context, result.context, named) for row in rows]


def _row(row: Problem, context: Context, theirs: Context | None, named: dict[str, str]) -> Problem:
    name = str(row.get("attributeName", ""))
    if theirs is not None and name:
        name = context.compact(theirs.expand(name))
    return {"attributeName": name, "reason": str(row.get("reason", "-")), **named}


def local_result(response: Response, attributes: frozenset[str] | None) -> Result:
    """Returns what this node's own answer means."""
    body = bytes(response.body)
    return Result("", response.status_code, attributes, body=msgspec.json.decode(body) if body else None)
