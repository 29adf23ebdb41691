"""What went wrong with sources while reading, told beside the answer (ETSI GS CIM 009 §6.3.17)."""

import re

from yunmeng.kernel.serve.sources.forwarding import Answer

HEADER = "NGSILD-Warning"

_WARNING = re.compile(r'\d{3} \S+ "[^"]*"')
_ABSENT = (404, 410)


class Warnings:
    """Collects warnings, each once, in the order in which they came up."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._lines: dict[str, None] = {}

    def look(self, answer: Answer) -> None:
        """Takes down what is wrong with an answer, and what the source itself warns of."""
        source = answer.forward.registration.id
        if answer.trouble == "loop":
            self.add(199, f"loop through {source}")
        elif answer.trouble == "large":
            self.add(111, f"too large an answer from {source}")
        elif answer.trouble:
            self.add(199, f"no answer from {source}")
        elif not answer.fine and answer.status not in _ABSENT:
            self.add(299, f"status {answer.status} from {source}")
        for line in _WARNING.findall(answer.headers.get("ngsild-warning", "")):
            self._lines[line] = None

    def invalid(self, answer: Answer) -> None:
        """Takes down that an answer could not be understood."""
        self.add(111, f"no NGSI-LD in the answer from {answer.forward.registration.id}")

    def add(self, code: int, text: str) -> None:
        """Takes down one warning."""
        self._lines[f'{code} {self._alias} "{text}"'] = None

    def headers(self) -> dict[str, str]:
        """Returns the header that tells all of them, none without any."""
        return {HEADER: ", ".join(self._lines)} if self._lines else {}
