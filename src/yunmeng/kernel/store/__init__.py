"""Storage 存: three ports (state, history, objects) and the engines behind them.

Names are loaded when they are asked for, so that a process pays for the engine that it uses and for no other.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yunmeng.kernel.store.history.opening import open_history
    from yunmeng.kernel.store.history.port import (
        Aggregate,
        DivisionStep,
        History,
        HistoryBlock,
        Instance,
        Method,
        Point,
        Relation,
        TemporalQuery,
        TrendStep,
    )
    from yunmeng.kernel.store.history.server import HistoryServer
    from yunmeng.kernel.store.objects.opening import open_objects
    from yunmeng.kernel.store.objects.port import ObjectInfo, Objects

_HISTORY = "yunmeng.kernel.store.history"
_OBJECTS = "yunmeng.kernel.store.objects"

_PLACES = {
    "Aggregate": f"{_HISTORY}.port",
    "DivisionStep": f"{_HISTORY}.port",
    "History": f"{_HISTORY}.port",
    "HistoryBlock": f"{_HISTORY}.port",
    "HistoryServer": f"{_HISTORY}.server",
    "Instance": f"{_HISTORY}.port",
    "Method": f"{_HISTORY}.port",
    "ObjectInfo": f"{_OBJECTS}.port",
    "Objects": f"{_OBJECTS}.port",
    "Point": f"{_HISTORY}.port",
    "Relation": f"{_HISTORY}.port",
    "TemporalQuery": f"{_HISTORY}.port",
    "TrendStep": f"{_HISTORY}.port",
    "open_history": f"{_HISTORY}.opening",
    "open_objects": f"{_OBJECTS}.opening",
}

__all__ = [
    "Aggregate",
    "DivisionStep",
    "History",
    "HistoryBlock",
    "HistoryServer",
    "Instance",
    "Method",
    "ObjectInfo",
    "Objects",
    "Point",
    "Relation",
    "TemporalQuery",
    "TrendStep",
    "open_history",
    "open_objects",
]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(name)
    return getattr(import_module(place), name)
