"""An outstation by the library c104, for the tests; speaks JSON lines on its standard input and output.

Run as ``python outside_station.py PORT``. It says what it was told by the line, and is told ``power``,
``breaker``, ``stop`` and ``start``.
"""

import datetime
import json
import sys

import c104


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def on_clock(server: c104.Server, ip: str, date_time: datetime.datetime) -> c104.ResponseState:
    say(clock=date_time.timestamp())
    return c104.ResponseState.SUCCESS


def on_command(
    point: c104.Point, previous_info: c104.Information, message: c104.IncomingMessage
) -> c104.ResponseState:
    say(command=point.io_address, value=str(point.value), select=message.is_select_command)
    return c104.ResponseState.SUCCESS


def main(port: int) -> None:
    server = c104.Server(ip="127.0.0.1", port=port, tick_rate_ms=50)
    station = server.add_station(common_address=47)
    breaker = station.add_point(io_address=1, type=c104.Type.M_DP_TB_1)
    breaker.value = c104.Double.ON
    power = station.add_point(io_address=16385, type=c104.Type.M_ME_NC_1)
    power.value = 12.5
    counter = station.add_point(io_address=25601, type=c104.Type.M_IT_NA_1)
    counter.value = 1234
    order = station.add_point(
        io_address=24577,
        type=c104.Type.C_DC_NA_1,
        command_mode=c104.CommandMode.SELECT_AND_EXECUTE,
    )
    order.on_receive(callable=on_command)
    setpoint = station.add_point(io_address=25089, type=c104.Type.C_SE_NC_1)
    setpoint.on_receive(callable=on_command)
    server.on_clock_sync(callable=on_clock)
    server.start()
    say(ready=True)
    for line in sys.stdin:
        match line.split():
            case ["power", value]:
                power.value = float(value)
                say(sent=power.transmit(cause=c104.Cot.SPONTANEOUS))
            case ["breaker", at]:
                when = datetime.datetime.fromtimestamp(float(at), datetime.UTC)
                breaker.info = c104.DoubleInfo(state=c104.Double.OFF, recorded_at=when)
                say(sent=breaker.transmit(cause=c104.Cot.SPONTANEOUS))
            case ["stop"]:
                server.stop()
                say(stopped=True)
            case ["start"]:
                server.start()
                say(ready=True)
            case _:
                break
    server.stop()


main(int(sys.argv[1]))
