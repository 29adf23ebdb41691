"""Who carries out which part of a write: this node, or the sources that hold it (§4.3.6, §5.6)."""

from collections.abc import Sequence
from dataclasses import dataclass

from yunmeng.kernel.serve.sources.matching import Match, Need, matching
from yunmeng.kernel.serve.sources.registration import Registration


@dataclass(frozen=True, slots=True)
class Part:
    """What one source does; ``attributes`` are URIs, None for the whole.

    ``supported`` is False where the source holds this alone and does not offer the operation.
    """

    registration: Registration
    attributes: frozenset[str] | None
    supported: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts of the sources; this node leaves out what is ``taken``, and does nothing unless ``local``."""

    parts: tuple[Part, ...]
    taken: frozenset[str]
    local: bool


def plan(
    registrations: Sequence[Registration], need: Need, operations: frozenset[str], *, whole: bool
) -> Plan:
    """Shares a write on one entity out among its sources.

    ``operations`` are the operations of which a source needs one; ``whole`` says that all that there is
    of the entity is meant (a delete), not only the attributes of the need.
    """
    found = matching(registrations, need)
    left, parts, here = set(need.attributes), list[Part](), True
    for mode in ("exclusive", "redirect", "inclusive"):
        taken: set[str] = set()
        for match in (one for one in found if one.registration.mode == mode):
            part = _part(match, left, operations, whole=whole)
            if part is None:
                continue
            if part.supported or mode != "inclusive":
                parts.append(part)
            if mode == "inclusive":
                continue
            if part.attributes is None:
                here = False
            taken |= part.attributes if part.attributes is not None else left
        left -= taken
        if not here:
            break
    gone = need.attributes - left
    return Plan(tuple(parts), frozenset(gone), here and bool(whole or left or not need.attributes))


def _part(match: Match, left: set[str], operations: frozenset[str], *, whole: bool) -> Part | None:
    held = {uri for one in match.registration.information for uri in one.attributes}
    supported = not operations.isdisjoint(match.registration.operations)
    if whole:
        return Part(match.registration, match.attributes or None, supported)
    if not match.attributes or not held:
        return Part(match.registration, None, supported)
    wanted = match.attributes & left
    return Part(match.registration, frozenset(wanted), supported) if wanted else None
