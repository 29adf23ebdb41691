"""Charging stations that boot, charge, report and obey: ``yunmeng sense simulate ocpp``.

Options: ``version=2.0.1`` (1.6 when left out, or 2.1), ``path`` in front of the station's name,
``password`` for HTTP Basic, ``session`` reports until a vehicle leaves (20).
"""

import asyncio
import math
import random
from base64 import b64encode
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from yunmeng.gateways.ocpp.codec import OcppCodec
from yunmeng.gateways.ocpp.messages import Call, CallResult, Payload
from yunmeng.kernel.base import format_us, now_us
from yunmeng.kernel.sense import Simulation

_PATIENCE_S = 60.0
_CODEC = OcppCodec()
_OBEYED: dict[str, Payload] = {
    "CostUpdated": {},
    "CustomerInformation": {"status": "Accepted"},
    "GetConfiguration": {
        "configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}]
    },
    "GetDiagnostics": {"fileName": "sim.log"},
    "GetLocalListVersion": {},
    "GetTransactionStatus": {"messagesInQueue": False},
    "UnlockConnector": {"status": "Unlocked"},
    "UpdateFirmware": {},
}


class SimulatedStation:
    """One made-up station with one EVSE, and the vehicle at it."""

    def __init__(self, number: int, seed: int, version: str = "1.6") -> None:
        self._chance = random.Random(f"{seed}-{number}")  # noqa: S311 (made-up meters, not secrets)
        self.name = f"SIM{number:05d}"
        self.is16 = version == "1.6"
        self.version = version
        self._said = 0
        self._events = 0
        self._meter = float(self._chance.randrange(1_000_000))
        self._soc = 0
        self.transaction: int | str = ""

    def call(self, action: str, payload: Payload) -> Call:
        """Returns the next request."""
        self._said += 1
        return Call(f"{self.name}-{self._said}", action, payload)

    def boot(self) -> Call:
        """BootNotification."""
        if self.is16:
            return self.call(
                "BootNotification", {"chargePointVendor": "Yunmeng", "chargePointModel": "Simulated"}
            )
        of = {"vendorName": "Yunmeng", "model": "Simulated"}
        return self.call("BootNotification", {"reason": "PowerUp", "chargingStation": of})

    def status(self, status: str, at: int) -> Call:
        """StatusNotification; 2.x knows only Available and Occupied of these."""
        if self.is16:
            payload = {"connectorId": 1, "errorCode": "NoError", "status": status, "timestamp": format_us(at)}
            return self.call("StatusNotification", payload)
        word = status if status == "Available" else "Occupied"
        payload = {"evseId": 1, "connectorId": 1, "connectorStatus": word, "timestamp": format_us(at)}
        return self.call("StatusNotification", payload)

    def start(self, at: int) -> Call:
        """A vehicle comes."""
        self._soc = self._chance.randrange(10, 60)
        token = f"{self._chance.getrandbits(32):08X}"
        if self.is16:
            payload = {
                "connectorId": 1,
                "idTag": token,
                "meterStart": round(self._meter),
                "timestamp": format_us(at),
            }
            return self.call("StartTransaction", payload)
        self._events, self.transaction = 0, f"{self.name}-{at:x}"
        more = {"evse": {"id": 1, "connectorId": 1}, "idToken": {"idToken": token, "type": "ISO14443"}}
        return self._event("Started", "Authorized", at, "Transaction.Begin", more=more)

    def report(self, at: int, every_s: float) -> Call:
        """The vehicle charges."""
        power = 55_000 + self._chance.uniform(-5000, 5000)
        self._meter += power * every_s / 3600
        self._soc = min(100, self._soc + 1)
        if not self.is16:
            return self._event("Updated", "MeterValuePeriodic", at, "Sample.Periodic", power)
        values = self._values("Sample.Periodic", power)
        meter = [{"timestamp": format_us(at), "sampledValue": values}]
        return self.call(
            "MeterValues", {"connectorId": 1, "transactionId": self.transaction, "meterValue": meter}
        )

    def stop(self, at: int, reason: str = "EVDisconnected") -> Call:
        """The vehicle leaves."""
        transaction, self.transaction = self.transaction, ""
        if self.is16:
            payload = {
                "transactionId": transaction,
                "meterStop": round(self._meter),
                "timestamp": format_us(at),
            }
            return self.call("StopTransaction", {**payload, "reason": reason})
        self.transaction = transaction
        made = self._event("Ended", "EVDeparted", at, "Transaction.End")
        self.transaction = ""
        return made

    def obey(self, order: Call) -> CallResult:
        """Does what it is told."""
        if order.action == "GetLocalListVersion":
            return CallResult(order.id, {"listVersion" if self.is16 else "versionNumber": 1})
        if order.action == "UpdateFirmware" and not self.is16:
            return CallResult(order.id, {"status": "Accepted"})
        if order.action in ("GetVariables", "SetVariables"):
            return CallResult(order.id, _variables(order))
        return CallResult(order.id, _OBEYED.get(order.action, {"status": "Accepted"}))

    def _event(
        self, type_: str, trigger: str, at: int, context: str, power: float = 0.0, more: Payload | None = None
    ) -> Call:
        info = {"transactionId": self.transaction, "chargingState": "Charging" if power else "EVConnected"}
        payload = {
            "eventType": type_,
            "timestamp": format_us(at),
            "triggerReason": trigger,
            "seqNo": self._events,
            "transactionInfo": info,
            "meterValue": [{"timestamp": format_us(at), "sampledValue": self._values(context, power)}],
        }
        self._events += 1
        return self.call("TransactionEvent", payload | (more or {}))

    def _values(self, context: str, power: float) -> list[Payload]:
        rows = (
            ("Energy.Active.Import.Register", round(self._meter), "Wh", "Outlet"),
            ("Power.Active.Import", round(power), "W", "Outlet"),
            ("SoC", self._soc, "Percent", "EV"),
        )
        if self.is16:
            return [
                {"measurand": name, "value": str(value), "unit": unit, "location": place, "context": context}
                for name, value, unit, place in rows
            ]
        return [
            {
                "measurand": name,
                "value": value,
                "unitOfMeasure": {"unit": unit},
                "location": place,
                "context": context,
            }
            for name, value, unit, place in rows
        ]


async def simulate(simulation: Simulation) -> int:
    """Plays the stations; returns how many reports were acknowledged."""
    tasks = [asyncio.create_task(_play(simulation, number)) for number in range(simulation.count)]
    return sum(await asyncio.gather(*tasks))


async def _play(simulation: Simulation, number: int) -> int:
    options = simulation.options
    version = options.get("version", "1.6")
    station = SimulatedStation(number, simulation.seed, version)
    await asyncio.sleep(simulation.every_s * number / simulation.count)
    headers: dict[str, str] = {}
    if password := options.get("password"):
        headers["Authorization"] = "Basic " + b64encode(f"{station.name}:{password}".encode()).decode()
    path = "/".join(part for part in (options.get("path", "").strip("/"), station.name) if part)
    scheme = "wss" if simulation.transport == "wss" else "ws"
    url = f"{scheme}://{simulation.host}:{simulation.port}/{path}"
    protocol = Subprotocol(f"ocpp{version}")
    async with connect(url, subprotocols=[protocol], additional_headers=headers, proxy=None) as link:
        line = _Line(link, station)
        listening = asyncio.create_task(line.listen())
        try:
            return await _charge(line, station, simulation)
        finally:
            listening.cancel()


async def _charge(line: "_Line", station: SimulatedStation, simulation: Simulation) -> int:
    loop, done = asyncio.get_running_loop(), 0
    end = loop.time() + simulation.for_s if simulation.for_s else math.inf
    length = int(simulation.options.get("session", "20"))
    await line.boot(simulation.every_s)
    while loop.time() < end:
        await line.ask(station.status("Charging", now_us()))
        started = await line.ask(station.start(now_us()))
        station.transaction = started.payload.get("transactionId", station.transaction)
        for _ in range(length):
            await asyncio.sleep(max(0.0, min(simulation.every_s, end - loop.time())))
            await line.ask(station.report(now_us(), simulation.every_s))
            done += 1
            if loop.time() >= end or line.stopped:
                break
        await line.ask(station.stop(now_us(), "Remote" if line.stopped else "EVDisconnected"))
        line.stopped = False
        await line.ask(station.status("Available", now_us()))
    return done


class _Line:
    """A station's connection: asks one thing at a time, and obeys in between."""

    def __init__(self, link: ClientConnection, station: SimulatedStation) -> None:
        self._link = link
        self._station = station
        self._answers: asyncio.Queue[CallResult] = asyncio.Queue()
        self.stopped = False

    async def ask(self, call: Call) -> CallResult:
        """Returns the answer; one that is refused never comes."""
        await self._link.send(_CODEC.encode(call).decode())
        async with asyncio.timeout(_PATIENCE_S):
            while (answer := await self._answers.get()).id != call.id:
                pass
        return answer

    async def boot(self, every_s: float) -> None:
        """Returns when the station is accepted."""
        while True:
            answer = await self.ask(self._station.boot())
            if answer.payload["status"] == "Accepted":
                return
            await asyncio.sleep(every_s)

    async def listen(self) -> None:
        """Hands on what answers the station, and does what it is told."""
        with suppress(ConnectionClosed):
            async for text in self._link:
                message = _CODEC.decode(text if isinstance(text, bytes) else text.encode())
                if isinstance(message, CallResult):
                    self._answers.put_nowait(message)
                elif isinstance(message, Call):
                    self.stopped |= message.action in ("RemoteStopTransaction", "RequestStopTransaction")
                    await self._link.send(_CODEC.encode(self._station.obey(message)).decode())
                    await self._report(message)

    async def _report(self, order: Call) -> None:
        """A report follows the request for it."""
        if order.action != "GetBaseReport":
            return
        variable = {
            "component": {"name": "OCPPCommCtrlr"},
            "variable": {"name": "HeartbeatInterval"},
            "variableAttribute": [{"value": "300"}],
        }
        report = {
            "requestId": order.payload["requestId"],
            "generatedAt": format_us(now_us()),
            "seqNo": 0,
            "reportData": [variable],
        }
        await self._link.send(_CODEC.encode(self._station.call("NotifyReport", report)).decode())


def _variables(order: Call) -> Payload:
    """Every variable is 300, and may be set."""
    kind = order.action[:3].lower()
    value = {"attributeValue": "300"} if kind == "get" else {}
    asked: list[Payload] = order.payload[f"{kind}VariableData"]
    rows = [
        {"attributeStatus": "Accepted", **value, "component": each["component"], "variable": each["variable"]}
        for each in asked
    ]
    return {f"{kind}VariableResult": rows}
