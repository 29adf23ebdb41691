"""OPC UA 工业设备: servers of plants are subscribed to, by nodes that a table of points names.

asyncua (LGPL-3.0) is an extra of its own and imported only while a server is spoken to.
"""

from yunmeng.gateways.opcua.following import follow
from yunmeng.gateways.opcua.simulator import simulate
from yunmeng.kernel.sense import Gateway

GATEWAY = Gateway("opcua", {"connect": 4840}, run=follow, simulate=simulate)
