"""What a benchmark returns: a figure with the unit, and where its time went."""

from dataclasses import dataclass, field
from pathlib import Path

_TICKS = 100


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; ``name`` is its key in ``budgets.toml``, ``parts`` say where the time goes."""

    name: str
    value: float
    unit: str
    parts: dict[str, float] = field(default_factory=dict)


def cpu_seconds(pid: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def pss_mb(pid: int) -> float:
    """Memory of a process in MB, shared pages counted in parts."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
