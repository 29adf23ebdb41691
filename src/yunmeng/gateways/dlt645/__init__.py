"""DL/T 645-2007 多功能电能表通信协议: electricity meters on a line or behind a concentrator."""

from yunmeng.gateways.dlt645.session import MeterSession
from yunmeng.gateways.dlt645.simulator import simulate
from yunmeng.kernel.sense import Gateway

GATEWAY = Gateway(
    "dlt645", {"connect": 8899, "tcp": 6645, "serial": 0}, session=MeterSession, simulate=simulate
)
