"""Which history a node's settings mean."""

from urllib.parse import urlsplit

from yunmeng.kernel.base import BadInput, Settings, Unavailable
from yunmeng.kernel.store.history.clickhouse import ClickHouseHistory
from yunmeng.kernel.store.history.port import History


def open_history(settings: Settings, url: str = "", password: str = "") -> History:
    """Opens the history by settings; ``url`` and ``password`` are those of a ``HistoryServer`` when given.

    The embedded engine is found through its folder when another process of the node serves it. Of a
    cluster's URL (``http://host:8123/database``) the path is the database, ``yunmeng`` when it has none.

    Raises:
        BadInput: ``history.no-url`` when a cluster is wanted and no URL is set.
        Unavailable: ``history.not-served`` when no process serves the embedded engine.
    """
    section = settings.history
    if url:
        return ClickHouseHistory(url, user=section.user, password=password or section.password.reveal())
    if section.engine == "clickhouse":
        if not section.url:
            raise BadInput("history.no-url")
        database = urlsplit(section.url).path.strip("/") or "yunmeng"
        return ClickHouseHistory(
            section.url, user=section.user, password=section.password.reveal(), database=database
        )
    folder = settings.node.data / "history"
    try:
        port = int((folder / "port").read_text(encoding="ascii"))
        secret = (folder / "password").read_text(encoding="ascii").strip()
    except (OSError, ValueError) as cause:
        raise Unavailable("history.not-served", folder=folder) from cause
    return ClickHouseHistory(f"http://127.0.0.1:{port}", password=secret)
