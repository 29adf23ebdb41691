"""Sentences: where one ends, whether it is whole, and what stands in it (IEC 61162-1 §7, NMEA 0183 4.10)."""

import re

import msgspec

from yunmeng.gateways.ais.messages import Foreign, Sentence
from yunmeng.kernel.sense import bad_checksum, bad_frame, xor8

LONGEST = 1024
"""No sentence with its tag block is longer, in bytes; the standard allows 82 without the block."""

# a sentence ends with its line, or where the next begins behind a checksum: datagrams may lack the line's end
_END = re.compile(
    rb"(?:\\[^\\\r\n!$]*\\)?+[^\r\n]*?(?:(?=[\r\n])|(?<=\*[0-9A-Fa-f]{2})(?=[!$\\]))", re.DOTALL
)
_OUTER = re.compile(r"(?:\\([^\\]*)\\)?([!$])([^\\!$*]*)\*([0-9A-Fa-f]{2})((?:,.*)?)", re.DOTALL)
# some write a tag block's checksum without its leading zero
_TAG = re.compile(r"([^*]*)\*([0-9A-Fa-f]{1,2})", re.DOTALL)
_INNER = re.compile(r"([A-Z]{2})(VDM|VDO),([1-9]),([1-9]),([0-9]{0,3}),([^,]{0,2}),([0-W`-w]{0,200}),([0-5])")


class AisCodec:
    """Cuts, reads and writes sentences; a frame is a sentence without the end of its line."""

    def cut(self, buffer: bytearray) -> list[bytes]:
        """Takes every line that has ended, and what is longer than any line may be."""
        frames: list[bytes] = []
        while buffer:
            found = _END.match(buffer, 0, LONGEST + 1)
            if found is None and len(buffer) <= LONGEST:
                break
            end = found.end() if found else LONGEST
            if end:
                frames.append(bytes(buffer[:end]))
            del buffer[: end or 1]
        return frames

    def decode(self, frame: bytes) -> Sentence | Foreign:
        """Reads one sentence. Raises ``BadInput("frame.bad")`` or ``BadInput("frame.checksum")``."""
        try:
            text = frame.decode("ascii")
        except UnicodeDecodeError as cause:
            raise bad_frame("ais", "a byte that is not ASCII") from cause
        outer = _OUTER.fullmatch(text)
        if outer is None:
            raise bad_frame("ais", "no sentence with a checksum")
        tag, start, body, check, tail = outer.groups()
        if tag is not None:
            _check_tag(tag)
        _check(body, check)
        if body[2:5] not in ("VDM", "VDO"):
            return Foreign(text)
        inner = _INNER.fullmatch(body)
        if start != "!" or inner is None:
            raise bad_frame("ais", "a field that the sentence may not have")
        talker, formatter, total, number, sequence, channel, payload, fill = inner.groups()
        if int(number) > int(total):
            raise bad_frame("ais", f"part {number} of {total}")
        return Sentence(
            payload,
            talker,
            formatter,
            int(total),
            int(number),
            sequence,
            channel,
            int(fill),
            check,
            tail,
            tag or "",
        )

    def encode(self, message: Sentence | Foreign) -> bytes:
        """Writes one sentence; a checksum that is not given is reckoned."""
        if isinstance(message, Foreign):
            return message.text.encode("ascii")
        body = (
            f"{message.talker}{message.formatter},{message.total},{message.number},{message.sequence},"
            f"{message.channel},{message.payload},{message.fill}"
        )
        tag = f"\\{message.tag}\\" if message.tag else ""
        check = message.check or f"{xor8(body.encode()):02X}"
        return f"{tag}!{body}*{check}{message.tail}".encode("ascii")


def tagged(sentence: Sentence, **tags: object) -> Sentence:
    """Returns the sentence with this tag block: ``c`` seconds since 1970, ``s`` source, ``g`` group."""
    text = ",".join(f"{letter}:{value}" for letter, value in tags.items())
    return msgspec.structs.replace(sentence, tag=f"{text}*{xor8(text.encode()):02X}")


def _check_tag(tag: str) -> None:
    found = _TAG.fullmatch(tag)
    if found is None:
        raise bad_frame("ais", "a tag block without a checksum")
    _check(found[1], found[2])


def _check(text: str, check: str) -> None:
    expected = xor8(text.encode())
    if int(check, 16) != expected:
        raise bad_checksum("ais", int(check, 16), expected)
