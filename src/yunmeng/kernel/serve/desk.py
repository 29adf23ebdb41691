"""What one api process keeps for itself beside the services, and how it asks its siblings for theirs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from yunmeng.kernel.serve.audit import AuditTrail
from yunmeng.kernel.serve.gathering import Gathering
from yunmeng.kernel.serve.grades import Grades
from yunmeng.kernel.serve.lane import WriteLane
from yunmeng.kernel.serve.metrics import Metrics
from yunmeng.kernel.serve.paths import PathTable
from yunmeng.kernel.serve.routes import Call
from yunmeng.kernel.serve.siblings import Siblings

if TYPE_CHECKING:
    from yunmeng.kernel.serve.sources.sources import Sources

DESK = "yunmeng.desk"


@dataclass(frozen=True, slots=True)
class Desk:
    """The state of one api process."""

    table: PathTable
    metrics: Metrics
    trail: AuditTrail
    grades: Grades
    sources: "Sources"
    lane: WriteLane
    siblings: Siblings
    creations: Gathering


def desk(call: Call) -> Desk:
    """Returns the desk at which a call is handled."""
    return cast("Desk", call.request.scope[DESK])
