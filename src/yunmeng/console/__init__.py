"""The console 控制台: the small API behind the pages, the ``views.toml`` contract, and the built pages."""

from yunmeng.console.loading import check_names, load_file, load_views
from yunmeng.console.views import (
    Chart,
    Column,
    Detail,
    Form,
    Item,
    Layer,
    Page,
    Table,
    Threshold,
    Tile,
    Title,
    ViewFile,
    Views,
)

__all__ = [
    "Chart",
    "Column",
    "Detail",
    "Form",
    "Item",
    "Layer",
    "Page",
    "Table",
    "Threshold",
    "Tile",
    "Title",
    "ViewFile",
    "Views",
    "check_names",
    "load_file",
    "load_views",
]
