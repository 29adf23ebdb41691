"""A rover and a caster by the library pygnssutils; its threads and sockets stay in this process.

``outside.py rover PORT MOUNT REVISION`` prints what it hears as hex, a frame a line; with an empty MOUNT the
mount points of the table. ``outside.py caster PORT REVISION`` sends the frames that it reads as hex.
"""

import sys
import threading
from queue import Queue
from typing import Any

from pygnssutils import GNSSNTRIPClient
from pygnssutils.socket_server import ClientHandler, SocketServer


def rover(port: str, mount: str, revision: str) -> None:
    got: Queue[Any] = Queue()
    client = GNSSNTRIPClient(retries=0)
    client.run(
        server="127.0.0.1",
        port=int(port),
        mountpoint=mount,
        version=revision,
        ntripuser="amy",
        ntrippassword="a",
        ggainterval=0 if mount else -1,
        ggamode=1,
        reflat=30.5,
        reflon=114.3,
        output=got,
        stopevent=threading.Event(),
    )
    while True:
        raw, _ = got.get()
        if not isinstance(raw, bytes):
            print(" ".join(row[0] for row in raw), flush=True)
        elif raw[0] == 0xD3:  # its own sentences come out as well
            print(raw.hex(), flush=True)


def caster(port: str, revision: str) -> None:
    frames: Queue[bytes] = Queue()
    where = ("127.0.0.1", int(port))
    more = {"ntripversion": revision, "ntripuser": "amy", "ntrippassword": "a"}
    server = SocketServer(None, 1, 5, frames, where, ClientHandler, **more)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        frames.put(bytes.fromhex(line))


{"rover": rover, "caster": caster}[sys.argv[1]](*sys.argv[2:])
