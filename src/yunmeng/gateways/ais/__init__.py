"""AIS 船舶自动识别: river traffic as receivers hand it on (NMEA 0183, ITU-R M.1371-5).

Shore stations and aggregators call us or are called over TCP, or send datagrams.
"""

from yunmeng.gateways.ais.session import AisSession, serve_ais
from yunmeng.gateways.ais.simulator import simulate
from yunmeng.kernel.sense import Gateway

GATEWAY = Gateway(
    "ais",
    {"tcp": 10110, "connect": 10110, "udp": 10110},
    session=AisSession,
    run=serve_ais,
    simulate=simulate,
)
