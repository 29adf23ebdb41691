"""Transport 传: the bus between processes and nodes."""

from yunmeng.kernel.link.memory import MemoryBus
from yunmeng.kernel.link.mqtt_doorman import Rights
from yunmeng.kernel.link.mqtt_inbox import MqttInbox, to_subject
from yunmeng.kernel.link.nats import NatsBus
from yunmeng.kernel.link.port import Bus, Consumer, Extent, Handler, Message, Request, Stream, StreamName
from yunmeng.kernel.link.server import NatsServer
from yunmeng.kernel.link.streams import STREAMS, sized_streams
from yunmeng.kernel.link.wire import (
    alert_subject,
    arriving_subject,
    audit_subject,
    command_subject,
    entity_changes_subject,
    obs_subject,
    observed_subject,
    record_subject,
    relayed_subject,
    sense_subject,
    subject_tokens,
)

__all__ = [
    "STREAMS",
    "Bus",
    "Consumer",
    "Extent",
    "Handler",
    "MemoryBus",
    "Message",
    "MqttInbox",
    "NatsBus",
    "NatsServer",
    "Request",
    "Rights",
    "Stream",
    "StreamName",
    "alert_subject",
    "arriving_subject",
    "audit_subject",
    "command_subject",
    "entity_changes_subject",
    "obs_subject",
    "observed_subject",
    "record_subject",
    "relayed_subject",
    "sense_subject",
    "sized_streams",
    "subject_tokens",
    "to_subject",
]
