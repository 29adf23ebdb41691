"""Sensing 感: what everything that brings observations shares."""

from yunmeng.kernel.sense.asking import Asking, Question
from yunmeng.kernel.sense.channel import Channel
from yunmeng.kernel.sense.checksums import crc16_modbus, sum8, xor8
from yunmeng.kernel.sense.codec import Codec, bad_checksum, bad_frame
from yunmeng.kernel.sense.devices import DEVICES, DeviceRecord, Devices, device_id
from yunmeng.kernel.sense.documents import DocumentReader, DocumentRow, Found, TimeForm
from yunmeng.kernel.sense.effects import (
    Answer,
    Close,
    Command,
    Describe,
    Effect,
    Identify,
    Keep,
    Locate,
    Lose,
    Observe,
    Refuse,
    Send,
)
from yunmeng.kernel.sense.gateway import (
    Gateway,
    Greeting,
    Listen,
    Simulation,
    Station,
    find_gateway,
    gateways,
    read_listen,
)
from yunmeng.kernel.sense.hub import FrameReport, Hub
from yunmeng.kernel.sense.inflight import InFlight
from yunmeng.kernel.sense.mapping import Mapper, MappingTable, Value, read_mapping
from yunmeng.kernel.sense.packer import Packer
from yunmeng.kernel.sense.paths import ABSENT, Find, read_path
from yunmeng.kernel.sense.playing import play_line
from yunmeng.kernel.sense.quarantine import held_of, is_frame, send_again
from yunmeng.kernel.sense.reassembly import Reassembly
from yunmeng.kernel.sense.recording import Recorded, read_recording, waits
from yunmeng.kernel.sense.repeats import Repeats, Said
from yunmeng.kernel.sense.running import gateways_running, make_hub, serve
from yunmeng.kernel.sense.session import FrameSession, Session
from yunmeng.kernel.sense.sink import Sink
from yunmeng.kernel.sense.synthetic import Facility, Fleet, FleetAttribute, Swarm, load_fleets, read_fleets

__all__ = [
    "ABSENT",
    "DEVICES",
    "Answer",
    "Asking",
    "Channel",
    "Close",
    "Codec",
    "Command",
    "Describe",
    "DeviceRecord",
    "Devices",
    "DocumentReader",
    "DocumentRow",
    "Effect",
    "Facility",
    "Find",
    "Fleet",
    "FleetAttribute",
    "Found",
    "FrameReport",
    "FrameSession",
    "Gateway",
    "Greeting",
    "Hub",
    "Identify",
    "InFlight",
    "Keep",
    "Listen",
    "Locate",
    "Lose",
    "Mapper",
    "MappingTable",
    "Observe",
    "Packer",
    "Question",
    "Reassembly",
    "Recorded",
    "Refuse",
    "Repeats",
    "Said",
    "Send",
    "Session",
    "Simulation",
    "Sink",
    "Station",
    "Swarm",
    "TimeForm",
    "Value",
    "bad_checksum",
    "bad_frame",
    "crc16_modbus",
    "device_id",
    "find_gateway",
    "gateways",
    "gateways_running",
    "held_of",
    "is_frame",
    "load_fleets",
    "make_hub",
    "play_line",
    "read_fleets",
    "read_listen",
    "read_mapping",
    "read_path",
    "read_recording",
    "send_again",
    "serve",
    "sum8",
    "waits",
    "xor8",
]
