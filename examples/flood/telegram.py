"""Reports levels as two stations in the field do: SL 651 telegrams in HEX/BCD over a socket."""

import os
import socket
from datetime import datetime, timedelta, timezone

from yunmeng.kernel.sense import crc16_modbus

PORT = int(os.environ.get("STATION_PORT", "6510"))
BEIJING = timezone(timedelta(hours=8))
LEVELS = {"4211250001": os.environ.get("UPPER_LEVEL", "104.60"), "4211250002": "103.00"}


def telegram(station: str, level: str) -> bytes:
    """Returns a timed report (function 32H) of a reservoir's level (element 3BH, BCD with 3 decimals)."""
    now = datetime.now(BEIJING)
    millimetres = round(float(level) * 1000)
    body = "0001" + now.strftime("%y%m%d%H%M%S")  # serial number, time of sending
    body += "F1F1" + station + "4B"  # whose it is; 4BH is K, a reservoir
    body += "F0F0" + now.strftime("%y%m%d%H%M")  # time of observation
    body += f"3B23{millimetres:08d}"  # 23H: four bytes, three decimals
    head = f"7E7E 05 {station} 03E8 32 {len(body) // 2:04X} 02"  # centre, station, password, function, length
    frame = bytes.fromhex(head + body + "03")
    return frame + crc16_modbus(frame).to_bytes(2, "big")


for station, level in LEVELS.items():
    with socket.create_connection(("127.0.0.1", PORT), timeout=10) as line:
        line.sendall(telegram(station, level))
        answer = line.recv(100)
    print(f"{station}: {level} m, answered {answer[10]:02X}H, {'EOT' if answer[-3] == 4 else answer[-3]}")
