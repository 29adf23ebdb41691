"""Modbus 工业仪表: TCP, RTU over a serial line and over TCP; register maps as data."""

from yunmeng.gateways.modbus.polling import poll
from yunmeng.gateways.modbus.simulator import simulate
from yunmeng.kernel.sense import Gateway

GATEWAY = Gateway("modbus", {"connect": 502, "serial": 0}, run=poll, simulate=simulate)
