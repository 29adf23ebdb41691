"""Topics with named parts: ``sensors/{device}/telemetry``."""

import re
from collections.abc import Mapping

from yunmeng.kernel.base import BadInput

_PART = re.compile(r"\{(\w+)(\.\.\.)?\}")


class TopicPattern:
    """Some topics, and what their levels are called.

    ``{name}`` stands for one level or a part of it, ``{name...}`` at the end for all levels left; ``+`` and
    ``#`` mean what they mean in MQTT (§4.7), without a name.

    Raises:
        BadInput: ``mqtt.topic-pattern``.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        levels = pattern.split("/")
        self.filter = "/".join([_filter(level) for level in levels])
        try:
            self._expression = re.compile(_expression(levels), re.DOTALL)
        except re.error as cause:
            raise BadInput("mqtt.topic-pattern", pattern=pattern, reason=str(cause)) from cause
        wild = [_filter(level) for level in levels]
        if not pattern or "#" in wild[:-1] or any(len(w) > 1 and re.search(r"[+#{}\0]", w) for w in wild):
            raise BadInput("mqtt.topic-pattern", pattern=pattern, reason="+ # { }")

    def match(self, topic: str) -> dict[str, str] | None:
        """Returns the named parts of a topic, None for a topic of others."""
        # wildcards of the first level do not mean topics that begin with $ (§4.7.2)
        if topic[:1] == "$" and self.pattern[:1] != "$":
            return None
        found = self._expression.fullmatch(topic)
        return found.groupdict() if found else None

    def of(self, device: str) -> str:
        """Returns the filter of one device's topics; of all where they do not name the device."""
        return "/".join([_filter(level.replace("{device}", device)) for level in self.pattern.split("/")])

    def fill(self, names: Mapping[str, str]) -> str:
        """Returns the topic with these parts. Raises ``BadInput("mqtt.topic-part")``."""

        def part(found: re.Match[str]) -> str:
            value = names.get(found[1], "")
            if not value or re.search(r"[+#\0]", value) or ("/" in value and not found[2]):
                raise BadInput("mqtt.topic-part", pattern=self.pattern, name=found[1], value=value)
            return value

        return _PART.sub(part, self.pattern)


def _filter(level: str) -> str:
    if found := _PART.search(level):
        return "#" if found[2] and found[0] == level else "+"
    return level


def _expression(levels: list[str]) -> str:
    text = ""
    for place, level in enumerate(levels):
        slash = "/" if place else ""
        if level == "#":
            text += f"(?:{slash}.*)?" if place else ".*"
        elif level == "+":
            text += slash + "[^/]*"
        else:
            text += slash + _named(level)
    return text


def _named(level: str) -> str:
    text, end = "", 0
    for found in _PART.finditer(level):
        text += re.escape(level[end : found.start()])
        text += f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})"
        end = found.end()
    return text + re.escape(level[end:])
