"""CJ/T 188-2018 户用计量仪表数据传输技术条件: water, gas and heat meters."""

from yunmeng.gateways.cjt188.session import MeterSession
from yunmeng.gateways.cjt188.simulator import simulate
from yunmeng.kernel.sense import Gateway

GATEWAY = Gateway(
    "cjt188", {"connect": 8188, "tcp": 6188, "serial": 0}, session=MeterSession, simulate=simulate
)
