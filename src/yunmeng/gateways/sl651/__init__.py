"""SL 651-2014 水文监测数据通信规约: telemetry of rain, rivers, reservoirs, groundwater and soil.

Stations report in frames of HEX/BCD or of ASCII characters, alone (M1, M2) or in packets (M3), and answer
queries (M4). Times on the line are Beijing time.
"""

from yunmeng.gateways.sl651.session import Sl651Session
from yunmeng.gateways.sl651.simulator import simulate
from yunmeng.kernel.sense import Gateway

GATEWAY = Gateway(
    "sl651",
    {"tcp": 6510, "udp": 6510, "serial": 0, "connect": 0},
    session=Sl651Session,
    simulate=simulate,
)
