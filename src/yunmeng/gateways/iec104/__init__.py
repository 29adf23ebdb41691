"""IEC 60870-5-104 (DL/T 634.5104) 远动: substations, which this controlling station calls.

Link, ASDUs and commands are our own, after 104 and the parts of 101 that it selects.
"""

from yunmeng.gateways.iec104.session import Iec104Session
from yunmeng.gateways.iec104.simulator import simulate
from yunmeng.kernel.sense import Gateway

GATEWAY = Gateway(
    "iec104",
    {"connect": 2404, "tcp": 2404},
    session=Iec104Session,
    simulate=simulate,
    says_again=False,
)
