"""Which state engine a node's settings mean."""

from yunmeng.kernel.base import BadInput, Settings, division_prefix
from yunmeng.kernel.store.state.port import StateReader, StateWriter


async def open_state_reader(settings: Settings) -> StateReader:
    """Opens the state for reading.

    Raises:
        Unavailable: ``store.absent`` while no keeper has made it, ``store.unreachable`` for a server.
        Broken: ``store.newer``, ``store.foreign`` or ``store.corrupt``.
    """
    home = division_prefix(settings.node.division)
    if settings.state.engine == "sqlite":
        from yunmeng.kernel.store.state.sqlite import SqliteReader

        return SqliteReader(settings.node.data / "state" / "state.sqlite", home)
    from yunmeng.kernel.store.state.postgresql import PostgresqlReader

    return await PostgresqlReader.connect(_url(settings), home, settings.state.password.reveal())


async def open_state_writer(settings: Settings) -> StateWriter:
    """Opens the state for writing, making it when it is not there.

    Raises:
        Unavailable: ``store.busy`` when another process writes it, ``store.unreachable`` for a server.
        Broken: ``store.newer``, ``store.foreign`` or ``store.corrupt``.
    """
    home = division_prefix(settings.node.division)
    if settings.state.engine == "sqlite":
        from yunmeng.kernel.store.state.sqlite import SqliteWriter

        return SqliteWriter(settings.node.data / "state" / "state.sqlite", home)
    from yunmeng.kernel.store.state.postgresql import PostgresqlWriter

    return await PostgresqlWriter.connect(_url(settings), home, settings.state.password.reveal())


def _url(settings: Settings) -> str:
    if not settings.state.url:
        raise BadInput("store.no-url")
    return settings.state.url
