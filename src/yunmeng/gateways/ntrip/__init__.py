"""NTRIP 北斗地基增强: a caster for reference stations and rovers, and a client of other casters.

Corrections (RTCM 10403) are relayed as they came; a frame whose CRC is wrong is not.
"""

from yunmeng.gateways.ntrip.serving import serve
from yunmeng.gateways.ntrip.session import SourceSession
from yunmeng.gateways.ntrip.simulator import simulate
from yunmeng.kernel.sense import Gateway

GATEWAY = Gateway(
    "ntrip", {"tcp": 2101, "connect": 2101}, session=SourceSession, run=serve, simulate=simulate
)
