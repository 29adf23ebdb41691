"""What every handler may use."""

from dataclasses import dataclass

from yunmeng.kernel.base import Settings
from yunmeng.kernel.link import Bus
from yunmeng.kernel.model import ContextLibrary, TypeLibrary
from yunmeng.kernel.store import History, Objects, StateReader
from yunmeng.kernel.trust import Accounts, Policy


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running node, as a handler sees them: reads go direct, writes ask the keeper."""

    settings: Settings
    bus: Bus
    state: StateReader
    history: History
    objects: Objects
    policy: Policy
    accounts: Accounts
    contexts: ContextLibrary
    types: TypeLibrary
