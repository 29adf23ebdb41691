"""Wishes for the configuration of devices: sent when they come, repeated when they do not answer."""

import asyncio
from struct import pack

import httpx
from tests.information.iot.test_firmware import driving, played, register, soon
from tests.nodes import Node

from yunmeng.gateways.jt808.codec import Packet
from yunmeng.gateways.jt808.simulator import Terminal


class Listening(Terminal):
    """A terminal that keeps the orders to set parameters, and refuses them if it is told to."""

    def __init__(self, number: int, *, refuses: bool = False) -> None:
        super().__init__(number, 42)
        self.refuses = refuses
        self.orders: list[bytes] = []

    def obey(self, order: Packet) -> bytes:
        if order.id == 0x8103:
            self.orders.append(order.body)
            if self.refuses:
                return self.packet(0x0001, pack(">HHB", order.serial, order.id, 1))
        return super().obey(order)


def device(client: httpx.Client, id: str) -> dict[str, object]:
    return client.get(f"/api/devices/{id}").json()


def state(client: httpx.Client, id: str) -> object:
    return device(client, id)["configurationState"]


def test_a_wish_waits_until_its_device_comes(province: Node, administrator: httpx.Client) -> None:
    ids = register(administrator, range(400, 401), "wish")
    (id,) = ids
    for wanted in ({"0x0001": 60}, {"0x0055": 80}):
        told = administrator.put(f"/api/devices/{id}/desired", json=wanted).json()
        assert told["applied"] is False
    assert state(administrator, id) == "pending"
    terminal = Listening(400)

    async def work(port: int) -> None:
        async with driving(port, terminal):
            await soon(lambda: state(administrator, id) == "applied", "the wish")
            later = await asyncio.to_thread(
                administrator.put, f"/api/devices/{id}/desired", json={"0x0055": 90}
            )
            assert later.json()["applied"] is True

    played(province, ids, work)
    after = device(administrator, id)
    assert after["reported"] == after["desired"] == {"0x0001": 60, "0x0055": 90}
    assert (after["configurationState"], after["configurationReason"]) == ("applied", "-")
    assert [order[0] for order in terminal.orders] == [2, 1], "both wishes in one order, then the new one"


def test_a_wish_that_is_refused_is_left_alone_until_there_is_another(
    province: Node, administrator: httpx.Client
) -> None:
    ids = register(administrator, range(401, 402), "no")
    (id,) = ids
    administrator.put(f"/api/devices/{id}/desired", json={"0x0001": 60})
    terminal = Listening(401, refuses=True)

    async def work(port: int) -> None:
        async with driving(port, terminal):
            await soon(lambda: state(administrator, id) == "refused", "the refusal")
            assert str(device(administrator, id)["configurationReason"]).startswith("command.refused")
            await asyncio.sleep(5)
            assert len(terminal.orders) == 1, "it is not pressed"
            terminal.refuses = False
            again = await asyncio.to_thread(
                administrator.put, f"/api/devices/{id}/desired", json={"0x0001": 30}
            )
            assert again.json()["applied"] is True

    played(province, ids, work)
    assert device(administrator, id)["reported"] == {"0x0001": 30}
    assert state(administrator, id) == "applied"
