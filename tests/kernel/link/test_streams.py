"""How the streams share the bus's room."""

from yunmeng.kernel.link import STREAMS, sized_streams


def test_the_streams_fill_the_room_and_no_more() -> None:
    sizes = [stream.max_bytes for stream in sized_streams(1024**3)]
    assert sum(sizes) == 1024**3
    assert min(sizes) == 1024**3 // 16


def test_what_nothing_else_holds_is_never_dropped() -> None:
    refusing = {stream.name for stream in STREAMS if stream.when_full == "refuse"}
    assert refusing == {"OBS", "CMD", "AUD"}
    assert all(stream.max_age_s == 0 for stream in STREAMS if stream.name in refusing)
