"""MQTT 物联消息: topics and JSON as data, Sparkplug B; by an outside broker or the node's own listener."""

from yunmeng.gateways.mqtt.node import serve_mqtt
from yunmeng.gateways.mqtt.session import MqttSession
from yunmeng.gateways.mqtt.simulator import simulate
from yunmeng.kernel.sense import Gateway

GATEWAY = Gateway(
    "mqtt",
    {"connect": 1883, "node": 0},
    session=MqttSession,
    run=serve_mqtt,
    simulate=simulate,
    says_again=False,  # a broker repeats what was not acknowledged on the next connection (§4.4)
)
