"""The server: listens, looks after its connections, stops in good order."""

import asyncio
import socket
from time import monotonic

from starlette.types import ASGIApp, Message

from yunmeng.kernel.serve.edge.connection import Connection
from yunmeng.kernel.serve.edge.heads import date
from yunmeng.kernel.serve.edge.limits import Limits

_BACKLOG = 1024
_LOOK_S = 1.0


class EdgeServer:
    """Serves an ASGI application over HTTP/1.1 on the running loop; several processes may share a port."""

    def __init__(self, app: ASGIApp, host: str, port: int, limits: Limits | None = None) -> None:
        self.app = app
        self.limits = limits or Limits()
        self.connections: set[Connection] = set()
        self.stopping = False
        self.date = date()
        self._place = host, port
        self._server: asyncio.Server | None = None
        self._lifespan: _Lifespan | None = None
        self._tending: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._server is None:
            return self._place[1]
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Starts the application and listens.

        Raises:
            OSError: when the port is somebody else's.
        """
        loop = asyncio.get_running_loop()
        self._lifespan = _Lifespan(self.app)
        await self._lifespan.start()
        host, port = self._place
        shared = hasattr(socket, "SO_REUSEPORT") or None
        self._server = await loop.create_server(
            lambda: Connection(self), host, port, backlog=_BACKLOG, reuse_port=shared
        )
        self._tending = asyncio.create_task(self._tend())

    async def stop(self) -> None:
        """Takes no more connections, waits a little for answers under way, stops the application."""
        self.stopping = True
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.finish()
        until = monotonic() + self.limits.grace_s
        while self.connections and monotonic() < until:  # noqa: ASYNC110  (a stop has no one to tell it)
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.cut()
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.gather(self._tending, return_exceptions=True)
        if self._lifespan is not None:
            await self._lifespan.stop()

    async def _tend(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.date = date()
            now = loop.time()
            late = [one for one in self.connections if one.deadline < now]
            for connection in late:
                connection.expire()
            await asyncio.sleep(_LOOK_S)


class _Lifespan:
    """The application's start and stop."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._asked: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())
        await self._ask("startup")

    async def stop(self) -> None:
        await self._ask("shutdown")
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
        await self._app(scope, self._asked.get, self._answers.put)

    async def _ask(self, what: str) -> None:
        self._asked.put_nowait({"type": f"lifespan.{what}"})
        if self._task is None:
            return
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait((answer, self._task), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            self._task.result()
