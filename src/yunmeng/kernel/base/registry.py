"""The packages of a node, known by their ``package.toml`` alone: listing them imports none of their modules.

An entry point of the group ``yunmeng.packages`` names a folder by its import path (``yunmeng.plan``);
what the folder's ``package.toml`` may say stands in ``manifest.py``.
"""

from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from yunmeng.kernel.base.errors import Broken
from yunmeng.kernel.base.manifest import Package, read_package

GROUP = "yunmeng.packages"


def packages(extra_folders: Iterable[Path] = ()) -> tuple[Package, ...]:
    """Returns every package ordered by id, with those of the extra folders.

    Raises:
        Broken: ``package.absent``, ``package.bad`` (naming file and key), ``package.twice``.
    """
    found: dict[str, Package] = {}
    for package in (*_installed(), *(read_package(folder) for folder in extra_folders)):
        other = found.setdefault(package.id, package)
        if other.folder.resolve() != package.folder.resolve():
            raise Broken("package.twice", id=package.id, one=str(other.folder), other=str(package.folder))
    return tuple(found[key] for key in sorted(found))


def package_folder(name: str) -> Path:
    """Returns the folder of an import path without importing anything, not even the parents.

    Raises:
        Broken: ``package.absent``.
    """
    top, *below = name.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError) as cause:
        raise Broken("package.absent", name=name, reason=str(cause)) from cause
    # find_spec of a dotted name would import the parents, so the folder is looked for from the top
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (folder := Path(place).joinpath(*below)).is_dir():
            return folder
    raise Broken("package.absent", name=name, reason=name)


@cache
def _installed() -> tuple[Package, ...]:
    # importing it costs 25 ms, more than all of the rest
    from importlib.metadata import entry_points

    # a set: an editable and a built distribution on one path declare the same entry twice
    names = {entry.value for entry in entry_points(group=GROUP)}
    return tuple(read_package(package_folder(name)) for name in sorted(names))
