"""Observations on their way to the bus: packed, and acknowledged only once the bus holds them."""

import asyncio
from types import TracebackType
from typing import Self

from yunmeng.kernel.base import YunmengError, now_us
from yunmeng.kernel.link import Bus, obs_subject
from yunmeng.kernel.model import Kinds, ObservationBatch, Reading, Row, encode_batch, make_batch_of
from yunmeng.kernel.trust import Principal


class Packer:
    """Packs what one gateway reads: a pack leaves at ``most`` rows or after ``linger_s``.

    ``add`` waits while too many packs are on their way, so that a slow bus slows the source (back-pressure);
    whoever may not wait asks ``full`` and uses ``put``. The future that both return is done when the bus has
    the row on disk, and carries ``Unavailable`` when not.
    """

    def __init__(
        self,
        bus: Bus,
        gateway: str,
        principal: Principal,
        tenant: str = "",
        most: int = 1000,
        linger_s: float = 0.05,
        on_the_way: int = 32,
    ) -> None:
        self._bus = bus
        self._gateway = gateway
        self._principal = principal
        self._tenant = tenant
        self._most = most
        self._linger_s = linger_s
        self._most_on_the_way = on_the_way
        self._readings: list[Reading] = []
        self._rows = 0
        self._kinds = Kinds()
        self._held: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._failure: YunmengError | None = None

    @property
    def full(self) -> bool:
        """Whether too many packs are on their way."""
        return len(self._sending) >= self._most_on_the_way

    async def add(self, row: Row) -> "asyncio.Future[int]":
        """Takes one row as soon as there is room; returns the future of its position in the stream."""
        await self.room()
        return self.put(Reading((row.series,), row.observed_at, (row.value,), row.quality, row.frame))

    async def room(self) -> None:
        """Waits until there is room."""
        while self.full:
            await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)

    def put(self, reading: Reading) -> "asyncio.Future[int]":
        """Takes one reading; returns the future of its position in the stream."""
        self._readings.append(reading)
        self._rows += len(reading.series)
        held = self._held
        if self._rows >= self._most:
            self._leave()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._linger_s, self._leave)
        return held

    async def flush(self) -> None:
        """Sends what waits and returns when the bus has everything that came since the last flush.

        Raises:
            Unavailable: why the bus did not take some of it.
        """
        self._leave()
        await asyncio.gather(*self._sending)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.flush()

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._readings:
            return
        readings, self._readings, self._rows = self._readings, [], 0
        batch = make_batch_of(readings, gateway=self._gateway, received_at=now_us(), tenant=self._tenant)
        held = self._held
        self._held = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._send(batch, held))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, batch: ObservationBatch, held: "asyncio.Future[int]") -> None:
        try:
            position = await self._bus.publish(
                obs_subject(self._tenant, self._gateway), encode_batch(batch, self._kinds), self._principal
            )
        except YunmengError as error:
            self._failure = error
            held.set_exception(error)
            held.exception()  # whoever added the rows may wait for none of them; flush() tells it as well
        else:
            held.set_result(position)
