"""Storage 存: three ports (state, history, objects) and the engines behind them.

Names are loaded when they are asked for, so that a process pays for the engine that it uses and for no other.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yunmeng.kernel.store.history.native import ended, sized, strings
    from yunmeng.kernel.store.history.opening import open_history
    from yunmeng.kernel.store.history.port import (
        Aggregate,
        DivisionStep,
        History,
        HistoryBlock,
        Instance,
        InstanceRows,
        InstanceSheet,
        Method,
        Point,
        Relation,
        TemporalQuery,
        TrendStep,
    )
    from yunmeng.kernel.store.history.rows import value_columns
    from yunmeng.kernel.store.history.server import HistoryServer
    from yunmeng.kernel.store.objects.opening import open_objects
    from yunmeng.kernel.store.objects.port import ObjectInfo, Objects
    from yunmeng.kernel.store.state.facets import box_of, boxes_of, outline_of
    from yunmeng.kernel.store.state.opening import open_state_reader, open_state_writer
    from yunmeng.kernel.store.state.port import (
        Commit,
        EntityPage,
        EntityPut,
        EntityQuery,
        EntityRemoval,
        OutboxItem,
        Outline,
        Record,
        Selector,
        StateReader,
        StateWriter,
        Summary,
    )

_HISTORY = "yunmeng.kernel.store.history"
_OBJECTS = "yunmeng.kernel.store.objects"
_STATE = "yunmeng.kernel.store.state"

_PLACES = {
    "Aggregate": f"{_HISTORY}.port",
    "Commit": f"{_STATE}.port",
    "DivisionStep": f"{_HISTORY}.port",
    "EntityPage": f"{_STATE}.port",
    "EntityPut": f"{_STATE}.port",
    "EntityQuery": f"{_STATE}.port",
    "EntityRemoval": f"{_STATE}.port",
    "History": f"{_HISTORY}.port",
    "HistoryBlock": f"{_HISTORY}.port",
    "HistoryServer": f"{_HISTORY}.server",
    "Instance": f"{_HISTORY}.port",
    "InstanceRows": f"{_HISTORY}.port",
    "InstanceSheet": f"{_HISTORY}.port",
    "Method": f"{_HISTORY}.port",
    "ObjectInfo": f"{_OBJECTS}.port",
    "Objects": f"{_OBJECTS}.port",
    "OutboxItem": f"{_STATE}.port",
    "Outline": f"{_STATE}.port",
    "Point": f"{_HISTORY}.port",
    "Record": f"{_STATE}.port",
    "Relation": f"{_HISTORY}.port",
    "Selector": f"{_STATE}.port",
    "StateReader": f"{_STATE}.port",
    "StateWriter": f"{_STATE}.port",
    "Summary": f"{_STATE}.port",
    "TemporalQuery": f"{_HISTORY}.port",
    "TrendStep": f"{_HISTORY}.port",
    "box_of": f"{_STATE}.facets",
    "boxes_of": f"{_STATE}.facets",
    "ended": f"{_HISTORY}.native",
    "open_history": f"{_HISTORY}.opening",
    "open_objects": f"{_OBJECTS}.opening",
    "open_state_reader": f"{_STATE}.opening",
    "open_state_writer": f"{_STATE}.opening",
    "outline_of": f"{_STATE}.facets",
    "sized": f"{_HISTORY}.native",
    "strings": f"{_HISTORY}.native",
    "value_columns": f"{_HISTORY}.rows",
}

__all__ = [
    "Aggregate",
    "Commit",
    "DivisionStep",
    "EntityPage",
    "EntityPut",
    "EntityQuery",
    "EntityRemoval",
    "History",
    "HistoryBlock",
    "HistoryServer",
    "Instance",
    "InstanceRows",
    "InstanceSheet",
    "Method",
    "ObjectInfo",
    "Objects",
    "OutboxItem",
    "Outline",
    "Point",
    "Record",
    "Relation",
    "Selector",
    "StateReader",
    "StateWriter",
    "Summary",
    "TemporalQuery",
    "TrendStep",
    "box_of",
    "boxes_of",
    "ended",
    "open_history",
    "open_objects",
    "open_state_reader",
    "open_state_writer",
    "outline_of",
    "sized",
    "strings",
    "value_columns",
]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(name)
    return getattr(import_module(place), name)
