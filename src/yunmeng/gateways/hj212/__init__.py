"""HJ 212-2017 and HJ 212-2025 污染物自动监测监控系统数据传输: monitors of water, air, noise and emissions.

Data loggers send lines ``##0101QN=…;CP=&&…&&1C80``; the centre asks and sets over the same connection. Times
on the line are Beijing time.
"""

from yunmeng.gateways.hj212.session import Hj212Session
from yunmeng.gateways.hj212.simulator import simulate
from yunmeng.kernel.sense import Gateway

GATEWAY = Gateway(
    "hj212",
    {"tcp": 2120, "udp": 2120, "connect": 0, "serial": 0},
    session=Hj212Session,
    simulate=simulate,
)
