"""What the node did, counted for Prometheus (text exposition format 0.0.4)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic

import msgspec

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class _Histogram:
    """How long the calls of one action took, in seconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.total += seconds
        for number, bound in enumerate(_BOUNDS):
            if seconds <= bound:
                self.counts[number] += 1
                return
        self.counts[-1] += 1

    def join(self, counts: Sequence[int], total: float) -> None:
        """Adds what another process counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, counts, strict=True)]
        self.total += total


class _Counts(msgspec.Struct, frozen=True):
    """What a process counted: calls (action, status, count), times by action, events by name."""

    calls: list[tuple[str, int, int]]
    times: dict[str, tuple[list[int], float]]
    events: dict[str, int]
    uptime_s: float


_decode = msgspec.msgpack.Decoder(_Counts).decode


class Metrics:
    """Counts of one process, and their sum over all api processes."""

    def __init__(self) -> None:
        self._started = monotonic()
        self._calls: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._times: defaultdict[str, _Histogram] = defaultdict(_Histogram)
        self._events: defaultdict[str, int] = defaultdict(int)

    def call(self, action: str, status: int, seconds: float) -> None:
        """Counts one answered call."""
        self._calls[action, status] += 1
        self._times[action].add(seconds)

    def event(self, name: str, count: int = 1) -> None:
        """Counts something else, e.g. ``audit_events``."""
        self._events[name] += count

    async def tell(self, _: bytes = b"") -> bytes:
        """Tells a sibling the counts of this process."""
        return msgspec.msgpack.encode(self._counts())

    def text(self, others: Sequence[bytes] = (), events: Mapping[str, int] | None = None) -> str:
        """Writes it in the exposition format, with what the siblings told and events counted elsewhere."""
        whole = Metrics()
        for name, count in (events or {}).items():
            whole.event(name, count)
        for counts in (self._counts(), *map(_decode, others)):
            whole._add(counts)
        return "\n".join(whole._lines()) + "\n"

    def _counts(self) -> _Counts:
        times = {action: (one.counts, one.total) for action, one in self._times.items()}
        calls = [(*key, count) for key, count in self._calls.items()]
        return _Counts(calls, times, self._events, monotonic() - self._started)

    def _add(self, counts: _Counts) -> None:
        for action, status, count in counts.calls:
            self._calls[action, status] += count
        for action, (buckets, total) in counts.times.items():
            self._times[action].join(buckets, total)
        for name, count in counts.events.items():
            self._events[name] += count
        self._started = min(self._started, monotonic() - counts.uptime_s)

    def _lines(self) -> Iterator[str]:
        yield "# HELP yunmeng_http_requests_total Answered calls by action and status."
        yield "# TYPE yunmeng_http_requests_total counter"
        for (action, status), count in sorted(self._calls.items()):
            yield f'yunmeng_http_requests_total{{action="{action}",status="{status}"}} {count}'
        yield "# HELP yunmeng_http_request_seconds Time to answer by action."
        yield "# TYPE yunmeng_http_request_seconds histogram"
        for action, histogram in sorted(self._times.items()):
            yield from _histogram(action, histogram)
        for name, count in sorted(self._events.items()):
            yield f"# TYPE yunmeng_{name}_total counter"
            yield f"yunmeng_{name}_total {count}"
        yield "# TYPE yunmeng_uptime_seconds gauge"
        yield f"yunmeng_uptime_seconds {monotonic() - self._started:.3f}"


def _histogram(action: str, histogram: _Histogram) -> Iterator[str]:
    seen = 0
    name = "yunmeng_http_request_seconds"
    for bound, count in zip((*map(str, _BOUNDS), "+Inf"), histogram.counts, strict=True):
        seen += count
        yield f'{name}_bucket{{action="{action}",le="{bound}"}} {seen}'
    yield f'{name}_sum{{action="{action}"}} {histogram.total:.6f}'
    yield f'{name}_count{{action="{action}"}} {seen}'
