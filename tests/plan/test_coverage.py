"""Coverage: what the packages claim, and whether the proofs hold when they are run."""

from importlib import import_module
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from tests.nodes import refused

from yunmeng.kernel.base import Package, packages
from yunmeng.node.cli import cli
from yunmeng.plan import coverage
from yunmeng.plan.coverage import ROOT, run_proofs

module = import_module("yunmeng.plan.coverage")
HOLDS = "tests/plan/test_coverage.py::test_a_proof_that_holds"
CASES = "tests/plan/test_coverage.py::test_a_proof_of_several_cases"
IN_A_CLASS = "tests/plan/test_coverage.py::TestOfAClass::test_within"


def package(folder: Path, id: str, *claims: tuple[str, str]) -> Package:
    """A package that claims systems, read from its package.toml as every other."""
    from yunmeng.kernel.base.manifest import read_package

    place = folder / id
    place.mkdir()
    systems = "".join(f'[[systems]]\nid = "{system}"\nproof = "{proof}"\n' for system, proof in claims)
    (place / "package.toml").write_text(
        f'id = "{id}"\nsections = ["3.1"]\n[name]\nzh = "甲"\nen = "A"\n{systems}', encoding="utf-8"
    )
    return read_package(place)


def states(report) -> dict[str, str]:
    return {row.id: row.state for row in report.rows if row.state != "open"}


def test_a_proof_that_holds() -> None:
    assert callable(coverage)


@pytest.mark.parametrize("case", ["one", "two"])
def test_a_proof_of_several_cases(case: str) -> None:
    assert case in {"one", "two"}


class TestOfAClass:
    def test_within(self) -> None:
        assert isinstance(self, TestOfAClass)


def test_what_nobody_claims_is_open() -> None:
    report = coverage([])
    assert len(report.rows) == 202
    assert report.implemented == 0
    assert {row.state for row in report.rows} == {"open"}
    assert "0 / 202" in report.summary()


def test_every_claim_of_the_installed_packages_has_its_proof() -> None:
    report = coverage(packages())
    assert set(states(report).values()) == {"claimed"}
    assert report.implemented == len(states(report)) >= 1
    assert states(report)["S199"] == "claimed"


def test_a_claim_without_its_test_is_told(tmp_path: Path) -> None:
    claims = [
        ("S001", "tests/plan/test_coverage.py::test_that_nobody_wrote"),
        ("S002", "tests/plan/test_none.py::test_a"),
        ("S003", HOLDS),
    ]
    report = coverage([package(tmp_path, "a", *claims)])
    assert states(report) == {"S001": "proof missing", "S002": "proof missing", "S003": "claimed"}
    assert report.implemented == 1


def test_a_system_is_claimed_once(tmp_path: Path) -> None:
    with refused("plan.claimed-twice") as caught:
        coverage([package(tmp_path, "a", ("S001", HOLDS)), package(tmp_path, "b", ("S001", HOLDS))])
    assert {caught.value.facts["one"], caught.value.facts["other"]} == {"a", "b"}


def test_a_system_that_the_plan_does_not_name_is_refused(tmp_path: Path) -> None:
    with refused("plan.no-system"):
        coverage([package(tmp_path, "a", ("S999", HOLDS))])


def test_proofs_are_run_and_what_fails_is_told(tmp_path: Path) -> None:
    """A real pytest runs: of a test, of all cases of one, of one in a class, and of one that is not there."""
    missing = "tests/plan/test_coverage.py::test_that_nobody_wrote"
    claims = [("S001", HOLDS), ("S002", CASES), ("S003", IN_A_CLASS), ("S004", f"{CASES}[two]")]
    report = coverage([package(tmp_path, "a", *claims)], prove=True)
    assert states(report) == {"S001": "passed", "S002": "passed", "S003": "passed", "S004": "passed"}
    assert run_proofs([HOLDS, missing]) == {HOLDS: True, missing: False}


def test_a_proof_that_fails_is_no_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_failing.py").write_text(
        "import pytest\n"
        "def test_holds():\n    pass\n"
        "def test_fails():\n    assert False\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_fails_once(n):\n    assert n == 1\n"
        "def test_skipped():\n    pytest.skip('not here')\n"
    )
    holds = "tests/test_failing.py::test_holds"
    names = [f"tests/test_failing.py::test_{name}" for name in ("fails", "fails_once", "skipped")]
    assert run_proofs([*names, holds]) == {**dict.fromkeys(names, False), holds: True}
    claimed = coverage([package(tmp_path, "a", ("S001", names[0]), ("S002", holds))], prove=True)
    assert states(claimed) == {"S001": "failed", "S002": "passed"}
    assert claimed.implemented == 1


def test_outside_a_checkout_proofs_cannot_be_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    with refused("plan.no-tests"):
        run_proofs([HOLDS])
    assert set(states(coverage(packages())).values()) == {"claimed"}, "an installed wheel has no tests"


def test_the_command_prints_all_and_the_figure() -> None:
    told = CliRunner().invoke(cli, ["plan", "coverage", "--json"], catch_exceptions=False).stdout
    rows = msgspec.json.decode(told)
    assert len(rows) == 202
    assert ROOT.joinpath("tests").is_dir()
    claimed = [row for row in rows if row["package"]]
    screen = CliRunner().invoke(cli, ["plan", "coverage"], catch_exceptions=False).stdout
    assert f"{len(claimed)} / 202" in screen
    still = CliRunner().invoke(cli, ["plan", "coverage", "--open", "--json"], catch_exceptions=False).stdout
    assert len(msgspec.json.decode(still)) == 202 - len(claimed)
