"""Who may connect and who may charge: the register, credentials, tokens."""

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from ocpp.exceptions import OCPPError
from tests.field import Field
from tests.gateways.ocpp.stations import VERSIONS, boot, dialled, say, station
from tests.kernel.keeper.conftest import House
from tests.kernel.sense.test_websocket import certificate
from tests.nodes import refused
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from yunmeng.kernel.sense import DeviceRecord

Start = Callable[..., Awaitable[Field]]

TOKENS = """token,type,status,expires,group,language
04A2,ISO14443,,2099-01-01T00:00:00Z,family,zh
04B3,ISO14443,Blocked,,,
04C4,ISO14443,,2020-01-01T00:00:00Z,,
"""


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_register_decides_who_may_charge(listening: Start, house: House, version: str) -> None:
    records = [
        DeviceRecord("ocpp", "CP-7", state="registered"),
        DeviceRecord("ocpp", "CP-8", state="suspended"),
        DeviceRecord("ocpp", "CP-9", state="retired"),
    ]
    field = await listening("ocpp+ws://?admit=known", bus=house.bus, records=records)
    async with station(field, version, answers={"ClearCache": {"status": "Accepted"}}) as made:
        assert (await boot(made, version)).status == "Pending"
        token = {"id_tag": "1"} if version == "1.6" else {"id_token": {"id_token": "1", "type": "Central"}}
        with pytest.raises(OCPPError, match="SecurityError"):
            await say(made, "Authorize", **token)
        assert await field.command("CP-7", "clear-cache") == {"status": "Accepted"}, "it may be configured"
    async with station(field, version, "CP-8") as made:
        answer = await boot(made, version)
        assert (answer.status, answer.interval) == ("Rejected", 60)
        with pytest.raises(OCPPError, match="SecurityError"):
            await say(made, "Heartbeat")
        with refused("device.offline"):
            await field.command("CP-8", "clear-cache")
    for name, status in (("CP-9", 403), ("CP-10", 404)):
        with pytest.raises(InvalidStatus) as caught:
            async with dialled(field, name, version):
                pass
        assert caught.value.response.status_code == status


@pytest.mark.parametrize(
    ("path", "user", "password", "status"),
    [
        ("CP-7", "CP-7", b"guess", 401),
        ("CP-7", "", b"", 401),
        ("CP-7", "CP-8", b"secret", 401),
        ("CP-7", "CP-7", b"secret", 101),
        ("CP-6", "CP-6", bytes(range(128, 148)), 101),
        ("CP-6", "CP-6", bytes(range(128, 149)), 401),
    ],
)
async def test_a_station_shows_its_own_credential(
    listening: Start, house: House, path: str, user: str, password: bytes, status: int
) -> None:
    """Security profile 1; in 1.6 an AuthorizationKey is 20 bytes, written in hex (whitepaper, 2.3)."""
    keys = {"CP-7": "secret", "CP-6": bytes(range(128, 148)).hex()}
    records = [DeviceRecord("ocpp", name, key=sha256(key.encode()).hexdigest()) for name, key in keys.items()]
    field = await listening("ocpp+ws://", bus=house.bus, records=records)
    device = await field.connect()
    shown = f"Authorization: Basic {b64encode(user.encode() + b':' + password).decode()}\r\n" if user else ""
    await device.send(
        f"GET /{path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{shown}"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n".encode()
    )
    assert (await device.until(b"\r\n\r\n")).split()[1] == str(status).encode()
    assert len(field.hub.channels) == (status == 101)


async def test_a_station_comes_over_tls_with_its_credential(
    listening: Start, house: House, tmp_path: Path
) -> None:
    """Security profile 2."""
    cert, key = certificate(tmp_path)
    records = [DeviceRecord("ocpp", "CP-7", key=sha256(b"secret").hexdigest())]
    field = await listening(f"ocpp+wss://?cert={cert}&key={key}", bus=house.bus, records=records)
    trust = ssl.create_default_context(cafile=str(cert))
    url = f"wss://CP-7:secret@127.0.0.1:{field.port}/CP-7"
    async with connect(url, ssl=trust, subprotocols=[Subprotocol("ocpp2.0.1")], proxy=None) as link:
        await link.send(json.dumps([2, "1", "Heartbeat", {}]))
        assert json.loads(await link.recv())[:2] == [3, "1"]
    with pytest.raises(InvalidStatus):
        await connect(
            url.replace("secret", "guess"), ssl=trust, subprotocols=[Subprotocol("ocpp2.0.1")], proxy=None
        )


@pytest.mark.parametrize("version", VERSIONS)
async def test_tokens_are_judged_by_the_file_as_it_is_now(
    listening: Start, house: House, tmp_path: Path, version: str
) -> None:
    file = tmp_path / "tokens.csv"
    file.write_text(TOKENS, encoding="utf-8")
    field = await listening(f"ocpp+ws://?tokens={file}", bus=house.bus)
    async with station(field, version, answers={"SendLocalList": {"status": "Accepted"}}) as made:

        async def asked(token: str) -> dict[str, Any]:
            if version == "1.6":
                return (await say(made, "Authorize", id_tag=token)).id_tag_info
            answer = await say(made, "Authorize", id_token={"id_token": token, "type": "ISO14443"})
            return answer.id_token_info

        known = await asked("04a2")
        assert known["status"] == "Accepted", "case does not matter"
        if version == "1.6":
            assert (known["expiry_date"], known["parent_id_tag"]) == ("2099-01-01T00:00:00.000Z", "family")
        else:
            assert known["group_id_token"] == {"id_token": "family", "type": "Central"}
            assert (known["cache_expiry_date_time"], known["language1"]) == ("2099-01-01T00:00:00.000Z", "zh")
        assert (await asked("04B3"))["status"] == "Blocked"
        assert (await asked("04C4"))["status"] == "Expired"
        assert (await asked("04D5"))["status"] == ("Invalid" if version == "1.6" else "Unknown")
        await field.command("CP-7", "send-list", version=3)
        ((_, told),) = made.told
        assert len(told["local_authorization_list"]) == 3
        assert told["update_type"] == "Full"
        file.write_text(TOKENS + "04D5,,,,,\n", encoding="utf-8")
        async with asyncio.timeout(10):
            while (await asked("04D5"))["status"] != "Accepted":
                await asyncio.sleep(0.1)
