"""Which package implements which of the plan's systems, and whether the test that proves it passes."""

import ast
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from yunmeng.kernel.base import Broken, Package
from yunmeng.plan.systems import System, system, systems

State = Literal["open", "claimed", "proof missing", "passed", "failed"]
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One system: ``claimed`` has a proof that was not run, ``open`` has no package."""

    id: str
    system: str
    section: str
    group: str
    kind: str
    package: str
    proof: str
    state: State

    def as_dict(self) -> dict[str, object]:
        """Returns it as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Coverage:
    """All 202 systems."""

    rows: tuple[CoverageRow, ...]

    @property
    def implemented(self) -> int:
        """How many are claimed by a package whose proof exists and has not failed."""
        return sum(row.state in ("claimed", "passed") for row in self.rows)

    def summary(self) -> str:
        """Returns the figure in both languages."""
        return f"{self.implemented} / {len(self.rows)} 个系统有实现与验证 systems implemented with a proof"


def coverage(packages: Iterable[Package], *, prove: bool = False) -> Coverage:
    """Joins the plan's systems with the packages' claims; ``prove`` runs the proofs with pytest.

    Raises:
        Broken: ``plan.claimed-twice``, ``plan.no-tests`` when proofs are to run outside a source checkout.
        NotFound: ``plan.no-system`` when a package claims a system that the plan does not name.
    """
    claims: dict[str, tuple[str, str]] = {}
    for package in packages:
        for claim in package.systems:
            if claim.id in claims:
                raise Broken("plan.claimed-twice", id=claim.id, one=claims[claim.id][0], other=package.id)
            claims[system(claim.id).id] = (package.id, claim.proof)
    results = run_proofs([proof for _, proof in claims.values()]) if prove else {}
    return Coverage(tuple(_row(each, claims.get(each.id), results) for each in systems()))


def run_proofs(proofs: Sequence[str]) -> dict[str, bool]:
    """Runs tests by their pytest node ids and returns which passed."""
    if not (ROOT / "tests").is_dir():
        raise Broken("plan.no-tests", folder=ROOT)
    # pytest runs nothing at all when it does not find one of its arguments
    there = [proof for proof in proofs if _exists(proof)]
    if not there:
        return dict.fromkeys(proofs, False)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--junitxml={report}",
            *there,
        ]
        subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
        cases = _cases(report) if report.exists() else {}
    return {proof: all(cases.get(_key(proof), (False,))) for proof in proofs}


def _cases(report: Path) -> dict[str, list[bool]]:
    """Returns which cases passed, by the test and also by the single case of a parametrised one."""
    found: dict[str, list[bool]] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314  (our own pytest wrote it)
        name = f"{case.get('classname')}.{case.get('name')}"
        for key in {name, name.partition("[")[0]}:
            # a case with anything inside has failed, broken or been skipped
            found.setdefault(key, []).append(case.find("*") is None)
    return found


def _key(proof: str) -> str:
    file, _, test = proof.partition("::")
    return ".".join((file.removesuffix(".py").replace("/", "."), test.replace("::", ".")))


def _row(each: System, claim: tuple[str, str] | None, results: dict[str, bool]) -> CoverageRow:
    package, proof = claim or ("", "")
    return CoverageRow(
        each.id, each.system, each.section, each.group, each.kind, package, proof, _state(proof, results)
    )


def _state(proof: str, results: dict[str, bool]) -> State:
    if not proof:
        return "open"
    if proof in results:
        return "passed" if results[proof] else "failed"
    return "claimed" if _exists(proof) else "proof missing"


def _exists(proof: str) -> bool:
    """Whether the test is there; an installed wheel has no tests, so there a claim is taken as made."""
    file, _, test = proof.partition("::")
    if not (ROOT / "tests").is_dir():
        return True
    path = ROOT / file
    if not path.exists():
        return False
    name = test.rpartition("::")[2].partition("[")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
        for node in ast.walk(tree)
    )
