"""All routes of a node, and its pages."""

from pathlib import Path
from pkgutil import resolve_name
from typing import cast

from yunmeng.kernel.base import Settings, packages
from yunmeng.kernel.serve import NGSI_LD_ROUTES, PLATFORM_ROUTES, Route


def all_routes() -> tuple[Route, ...]:
    """Joins the kernel's, the console's and every package's routes."""
    from yunmeng.console.api import ROUTES

    return (*NGSI_LD_ROUTES, *PLATFORM_ROUTES, *ROUTES, *_package_routes())


def _package_routes() -> tuple[Route, ...]:
    found: list[Route] = []
    for package in packages():
        if package.routes:
            found.extend(cast("tuple[Route, ...]", resolve_name(package.routes)))
    return tuple(found)


def pages(settings: Settings) -> Path | None:
    """Returns the folder of the console's built pages, or None when the node serves none."""
    folder = Path(__file__).resolve().parents[1] / "console" / "static"
    return folder if settings.http.console and (folder / "index.html").exists() else None
