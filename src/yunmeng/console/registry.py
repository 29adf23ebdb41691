"""The views of this node: its own and those of every registered package, read once a process."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from yunmeng.console.loading import check_names, load_views
from yunmeng.console.views import Chart, Layer, Table, Tile, Views
from yunmeng.kernel.base import NotFound, packages
from yunmeng.kernel.model import TypeLibrary
from yunmeng.kernel.serve import Services


@cache
def installed_views() -> Views:
    """Reads the views of the console and of every package; raises ``BadInput("console.views.bad")``."""
    return load_views(_folders())


@cache
def form_schema(job: str) -> dict[str, Any] | None:
    """Returns the JSON Schema that a package's ``[[forms]]`` gives for a job, None when there is none."""
    views = installed_views()
    for form in views.forms:
        if form.job == job:
            file = _folders()[views.package[f"forms/{form.id}"]] / form.schema
            return json.loads(file.read_text(encoding="utf-8"))
    return None


def _folders() -> dict[str, Path]:
    return {"console": Path(__file__).parent} | {package.id: package.folder for package in packages()}


def views_of(services: Services) -> Views:
    """Returns the views that a node shows, checked once against its type tables."""
    return _checked(services.types)


@cache
def _checked(library: TypeLibrary) -> Views:
    check_names(_folders(), library)
    return installed_views()


def find(views: Views, kind: str, id: str) -> Layer | Tile | Chart | Table:
    """Returns a view by its kind (``layers``, ``tiles``, ``charts``, ``tables``) and id.

    Raises ``NotFound("console.view.unknown")``.
    """
    for item in getattr(views, kind):
        if item.id == id:
            return item
    raise NotFound("console.view.unknown", kind=kind, id=id)
