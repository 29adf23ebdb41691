"""Every check and every test, in order of how fast they fail: ``./yunmeng test [--quick] [--only NAME]``."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PYTHON_FOLDERS = ("src", "tests", "benchmarks", "docs", "examples")


def stages(quick: bool) -> dict[str, list[list[str]]]:
    """Returns the commands of each stage."""
    folders = [folder for folder in PYTHON_FOLDERS if (ROOT / folder).exists()]
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadgroup"]
    return {
        "format": [[str(BIN / "ruff"), "format", "--check", "-q", *folders]],
        "lint": [[str(BIN / "ruff"), "check", "-q", *folders]],
        "layers": [[str(BIN / "lint-imports"), "--no-cache"]],
        "types": [[str(BIN / "basedpyright"), "--level", "error"]],
        "console": [] if quick else console(),
        "tests": [[*tests, "-m", "not slow and not browser"] if quick else tests],
    }


def console() -> list[list[str]]:
    """Rebuilds the console's pages and compares them with the committed ones; in CI only, it needs npm."""
    npm = shutil.which("npm")
    if npm is None or not (os.environ.get("CI") or "console" in sys.argv):
        return []
    return [
        # not `npm ci`: it wants the binaries of every platform in the lock, and mirrors carry some only
        [npm, "--prefix", "console", "install", "--no-save", "--silent", "--no-audit", "--no-fund"],
        [npm, "--prefix", "console", "run", "--silent", "check"],
        [npm, "--prefix", "console", "run", "--silent", "build"],
        ["git", "diff", "--exit-code", "--stat", "--", "src/yunmeng/console/static"],
    ]


def main() -> int:
    """Runs the stages and returns the exit code: 0 when all of them passed."""
    parser = argparse.ArgumentParser(prog="./yunmeng test", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="leave out slow and browser tests and the console"
    )
    parser.add_argument("--only", help="one stage: setup, format, lint, layers, types, console or tests")
    arguments, rest = parser.parse_known_args()
    failed: list[str] = []
    for name, commands in stages(arguments.quick).items():
        if not commands or (arguments.only and name != arguments.only):
            continue
        started = time.monotonic()
        passed = all(run([*command, *(rest if name == "tests" else ())]) for command in commands)
        print(f"{'ok    ' if passed else 'FAILED'} {name} ({time.monotonic() - started:.0f} s)", flush=True)
        failed += [] if passed else [name]
    return 1 if failed else 0


def run(command: list[str]) -> bool:
    """Runs one command from the root of the project and tells whether it passed."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
