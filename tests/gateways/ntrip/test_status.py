"""What is counted between two reports of a station."""

from yunmeng.gateways.ntrip.messages import Equipment, Heard, Position
from yunmeng.gateways.ntrip.status import Status


def test_rates_and_satellites_of_a_round() -> None:
    status = Status()
    for _ in range(10):
        assert not status.heard(Heard(1230), 100)
        status.heard(Heard(1124, None, "BeiDou", 9), 200)
    status.heard(Heard(1074, None, "GPS", 7), 50)
    assert status.report(10.0) == {
        "messages": "1074(10),1124(1),1230(1)",
        "frames": 2.1,
        "bits": 2440.0,
        "bad": 0,
        "satellites": 16,
        "beidou": 9,
        "gps": 7,
    }
    assert status.silent
    assert status.types == (1074, 1124, 1230), "as the table of sources shows them until the next round"


def test_a_constellation_that_is_gone_is_forgotten() -> None:
    status = Status()
    status.heard(Heard(1124, 1, "BeiDou", 9), 10)
    for _ in range(2):
        assert status.report(1.0)["satellites"] == 9
    assert status.report(1.0)["satellites"] is None


def test_place_and_equipment_are_new_once() -> None:
    status = Status()
    place = Heard(1006, 3, position=Position(6_378_137.0, 0.0, 0.0, 1.5))
    assert status.heard(place, 10)
    assert not status.heard(place, 10)
    assert status.heard(Heard(1033, 3, equipment=Equipment("A")), 10)
    assert status.heard(Heard(1006, 3, position=Position(6_378_138.0, 0.0, 0.0, 1.5)), 10), "it was moved"
    fields = status.report(10.0)
    assert (fields["height"], fields["antenna_height"]) == (1.0, 1.5)


def test_a_source_of_many_strange_messages_does_not_grow() -> None:
    status = Status()
    for number in range(4096):
        status.heard(Heard(number), 10)
    assert len(status.types) == 200
