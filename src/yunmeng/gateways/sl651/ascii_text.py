"""The text of ASCII frames: words with a space after each (clause 6.6.2)."""

import re

from yunmeng.gateways.sl651.hex_text import FIVE_MINUTES
from yunmeng.gateways.sl651.messages import Group, Report, Series, Value
from yunmeng.gateways.sl651.tables import GATES, SeriesElement, codes
from yunmeng.gateways.sl651.values import duration_minutes, read_time
from yunmeng.kernel.sense import bad_frame

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?\Z", re.ASCII)
_STEP = re.compile(r"DR([DHN])(\d\d)\Z", re.ASCII)
_UNITS = {"D": 86_400_000_000, "H": 3_600_000_000, "N": 60_000_000}
_EXACT_DIGITS = 15


def read_ascii(text: bytes) -> Report:
    """Reads the text of a report. Raises ``BadInput("frame.bad")``."""
    words, picture = text[16:], None
    if b"PIC " in words:
        words, _, picture = words.partition(b"PIC ")
    words, mark, manual = words.partition(b"RGZS ")
    try:
        serial, sent_at = int(text[:4].decode("ascii"), 16), read_time(text[4:16].decode("ascii"))
        said = words.decode("ascii").split()
    except ValueError as cause:
        raise bad_frame("sl651", "the text has no serial number and time, or is not ASCII") from cause
    reader = _Reader(Report(serial, sent_at, [], []), said)
    reader.read()
    if picture is not None:
        reader.mark_place()
    reader.report.manual = manual.decode("gb18030", "replace").strip() if mark else None
    reader.report.picture = picture
    return reader.report


class _Reader:
    def __init__(self, report: Report, words: list[str]) -> None:
        self.report = report
        self._words = words
        self._at = 0
        self._station, self._kind, self._observed = "", "", report.sent_at
        self._fields: dict[str, Value] = {}
        self._gates: list[dict[str, Value]] = []

    def read(self) -> None:
        while self._at < len(self._words):
            word = self._next()
            if word == "ST":
                self._close()
                self._station, self._kind = self._next().upper(), self._next()
            elif word == "TT":
                self._close()
                self._observed = read_time(self._next())
            elif step := _STEP.match(word):
                self._read_steps(int(step[2]) * _UNITS[step[1]])
            else:
                self._read_element(word)
        self._close()

    def mark_place(self) -> None:
        """Says whose picture it is, and of when."""
        self.report.groups.append(Group(self._station, self._kind, self._observed, {}))

    def _next(self) -> str:
        self._at += 1
        if self._at > len(self._words):
            raise bad_frame("sl651", "the last element is cut off")
        return self._words[self._at - 1]

    def _close(self) -> None:
        if self._fields or self._gates:
            group = Group(self._station, self._kind, self._observed, self._fields, self._gates)
            self.report.groups.append(group)
            self._fields, self._gates = {}, []

    def _read_element(self, word: str) -> None:
        row = codes().get(word)
        if isinstance(row, SeriesElement):
            self._read_hour(row, FIVE_MINUTES)
        elif word in GATES:
            if not self._gates or word in self._gates[-1]:
                self._gates.append({})
            self._gates[-1][word] = _value(word, self._next())
        else:
            self._fields[word] = _value(word, self._next())

    def _read_hour(self, row: SeriesElement, step: int) -> None:
        text, width = self._next(), 2 * row.size
        try:
            raw = [int(text[at : at + width], 16) for at in range(0, len(text), width)]
        except ValueError as cause:
            raise bad_frame("sl651", f"{row.code} is no hex number") from cause
        if len(text) % width:
            raise bad_frame("sl651", f"{row.code} has {len(text)} digits")
        none = (1 << 4 * width) - 1
        values: list[tuple[int, Value]] = [
            (self._observed + place * step, None if number == none else number / 10**row.decimals)
            for place, number in enumerate(raw)
        ]
        self.report.series.append(Series(self._station, self._kind, row.code, values))

    def _read_steps(self, step: int) -> None:
        """Names of elements, then their values in turn, step by step (clause 6.6.4.4)."""
        names: list[str] = []
        while self._at < len(self._words) and self._words[self._at] in codes():
            names.append(self._next())
        if len(names) == 1 and isinstance(row := codes()[names[0]], SeriesElement):
            self._read_hour(row, step or FIVE_MINUTES)
            return
        said, self._at = self._words[self._at :], len(self._words)
        if not names or len(said) % len(names):
            raise bad_frame("sl651", "the values do not go with the elements")
        for column, name in enumerate(names):
            values: list[tuple[int, Value]] = [
                (self._observed + place * (step or _UNITS["H"]), _value(name, word))
                for place, word in enumerate(said[column :: len(names)])
            ]
            self.report.series.append(Series(self._station, self._kind, name, values))


def _value(name: str, word: str) -> Value:
    if not word.strip("M") or not word.strip("Ff"):
        return None
    if name == "ZT":
        return _hex(word)
    if not _NUMBER.match(word):
        raise bad_frame("sl651", f"{name} {word} is no number")
    if sum(letter.isdecimal() for letter in word.lstrip("+-0.")) > _EXACT_DIGITS:
        return word
    value = float(word) if "." in word else int(word)
    return duration_minutes(value) if name == "DT" else value


def _hex(word: str) -> int:
    try:
        return int(word, 16)
    except ValueError as cause:
        raise bad_frame("sl651", f"{word} is no hex number") from cause
