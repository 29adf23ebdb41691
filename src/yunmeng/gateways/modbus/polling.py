"""Asking devices for their registers, again and again; pymodbus speaks to them."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from yunmeng.gateways.modbus.registers import (
    Field,
    Read,
    RegisterMap,
    Table,
    encode,
    read_maps,
    reads,
    shipped_maps,
    values,
)
from yunmeng.kernel.base import BadInput, Unavailable, now_us
from yunmeng.kernel.sense import Command, Hub

if TYPE_CHECKING:
    from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

    Client = AsyncModbusTcpClient | AsyncModbusSerialClient

_PATIENCE_S = 3.0
_log = logging.getLogger("yunmeng.sense")


@dataclass(frozen=True, slots=True)
class Target:
    """One device behind a line: its address for people, its unit on the line, its map."""

    device: str
    unit: int
    registers: RegisterMap
    mapping: str


async def poll(hub: Hub) -> None:
    """Polls every unit behind one line until it is cancelled.

    ``modbus+connect://host:port?map=sdm630&unit=1,2&every=5&device=roof`` or ``modbus+serial:///dev/ttyUSB0?…``;
    ``framer=rtu`` for RTU over TCP, ``registers=FILE`` for maps of one's own.

    Raises:
        BadInput: ``sense.option`` for a map, unit or period that is none.
    """
    targets, every = read_targets(hub), _number(hub, "every", "10")
    async with _connected(hub) as client:
        line = asyncio.Lock()
        turns = [_Turn(hub, client, line, target) for target in targets]
        while True:
            due = asyncio.get_running_loop().time() + every
            for turn in turns:
                await turn.take()
            await asyncio.sleep(max(0.05, due - asyncio.get_running_loop().time()))


def read_targets(hub: Hub) -> list[Target]:
    """Returns the devices that the place to listen names."""
    options = hub.listen.options
    maps = {**shipped_maps(), **(read_maps(Path(options["registers"])) if "registers" in options else {})}
    name = options.get("map", "")
    if name not in maps or name not in hub.mappers:
        raise BadInput("sense.option", name=hub.listen.name, option="map", value=name)
    units = options.get("unit", "1").split(",")
    if not all(unit.isdigit() and int(unit) <= 247 for unit in units):
        raise BadInput("sense.option", name=hub.listen.name, option="unit", value=options["unit"])
    stem = options.get("device") or hub.listen.name
    return [
        Target(stem if len(units) == 1 else f"{stem}-{unit}", int(unit), maps[name], name) for unit in units
    ]


class _Turn:
    """One device's turn on the line."""

    def __init__(self, hub: Hub, client: "Client", line: asyncio.Lock, target: Target) -> None:
        self._hub = hub
        self._client = client
        self._line = line
        self._target = target
        self._reads = reads(target.registers)
        self._online = False

    async def take(self) -> None:
        """Reads the device once and hands on what it says."""
        target = self._target
        try:
            words = await self._words()
        except Unavailable as error:
            self._mark(online=False)
            _log.info("%s: %s", self._hub.listen.name, error)
            return
        self._mark(online=True)
        mapper = self._hub.mappers[target.mapping]
        await self._hub.sink.room()
        self._hub.sink.observe(mapper.reading(target.device, now_us(), values(target.registers, words)))

    async def command(self, command: Command) -> Mapping[str, Any]:
        """Writes one field (``write`` with ``field`` and ``value``) and returns what the device then says."""
        if command.name != "write":
            raise BadInput("command.unknown", name=command.name, known="write")
        name, value = str(command.arguments.get("field")), command.arguments.get("value")
        field = self._target.registers.fields.get(name)
        if field is None or not field.write or isinstance(value, bool) or not isinstance(value, int | float):
            writable = [key for key, each in self._target.registers.fields.items() if each.write]
            raise BadInput(
                "command.arguments", name="write", reason=f"field: {', '.join(writable)}; value: number"
            )
        await self._write(field, await self._raw(field, value))
        return {"field": name, "value": values(self._target.registers, await self._words()).get(name)}

    async def _raw(self, field: Field, value: float) -> float:
        if field.factor_at is None:
            return value
        table = self._target.registers.table_of(field)
        word = (await self._read(Read(table, field.factor_at, 1)))[0]
        return value / 10.0 ** (word - 0x10000 if word >= 0x8000 else word)

    async def _words(self) -> dict[tuple[Table, int], int]:
        words: dict[tuple[Table, int], int] = {}
        for read in self._reads:
            for place, word in enumerate(await self._read(read), start=read.address):
                words[read.table, place] = word
        return words

    async def _read(self, read: Read) -> list[int]:
        ask = {
            "input": self._client.read_input_registers,
            "holding": self._client.read_holding_registers,
            "coil": self._client.read_coils,
            "discrete": self._client.read_discrete_inputs,
        }[read.table]
        answer = await self._asked(ask, read.address, count=read.count, device_id=self._target.unit)
        found = cast("list[int]", answer.bits if read.table in ("coil", "discrete") else answer.registers)
        return [int(each) for each in found[: read.count]]

    async def _write(self, field: Field, value: float) -> None:
        words, unit = encode(field, value), self._target.unit
        if self._target.registers.table_of(field) == "coil":
            await self._asked(self._client.write_coil, field.address, bool(words[0]), device_id=unit)
        else:
            await self._asked(self._client.write_registers, field.address, words, device_id=unit)

    async def _asked(self, question: Callable[..., Any], *what: Any, device_id: int, **more: int) -> Any:
        from pymodbus.exceptions import ModbusException

        async with self._line:
            try:
                # the library calls again after a loss, but not after a first call that failed
                if not self._client.connected:
                    await self._client.connect()
                answer = await question(*what, device_id=device_id, **more)
            except ModbusException as cause:
                raise Unavailable("command.timeout", device=self._target.device) from cause
        if answer.isError():
            reason = f"exception {getattr(answer, 'exception_code', '?')}"
            raise Unavailable("command.refused", device=self._target.device, name="modbus", reason=reason)
        return answer

    def _mark(self, *, online: bool) -> None:
        if online == self._online:
            return
        self._online = online
        (self._hub.online if online else self._hub.offline)(self._target.device, self.command)


@asynccontextmanager
async def _connected(hub: Hub) -> "AsyncGenerator[Client]":
    try:
        from pymodbus import FramerType
        from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
    except ImportError as cause:
        raise Unavailable("sense.extra", gateway="modbus", library="pymodbus", extra="modbus") from cause
    listen, options = hub.listen, hub.listen.options
    client: Client
    if listen.transport == "serial":
        client = AsyncModbusSerialClient(
            listen.path, baudrate=int(_number(hub, "baud", "9600")), parity=options.get("parity", "N")
        )
    else:
        framer = FramerType.RTU if options.get("framer") == "rtu" else FramerType.SOCKET
        client = AsyncModbusTcpClient(
            listen.host, port=listen.port or 502, framer=framer, timeout=_PATIENCE_S, retries=1
        )
    try:
        await client.connect()
        yield client
    finally:
        client.close()


def _number(hub: Hub, option: str, default: str) -> float:
    text = hub.listen.options.get(option, default)
    try:
        value = float(text)
    except ValueError as cause:
        raise BadInput("sense.option", name=hub.listen.name, option=option, value=text) from cause
    if not 0 < value < 1e9:
        raise BadInput("sense.option", name=hub.listen.name, option=option, value=text)
    return value
