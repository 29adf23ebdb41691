"""The unified code of sensing facilities 统一标识编码 (plan 7.2): ``420106-MP-0000123-K``.

The division of GB/T 2260 (6 digits), the class of the facility (2 letters, ``kinds.toml``), a number within
both (7 digits), and a check character after ISO 7064 MOD 37,36, which finds every single wrong character and
nearly every swap of two neighbours. The plan asks for a code and leaves its form open; this one holds what a
person at the pole needs: where, what, which.
"""

import re

from yunmeng.kernel.base import BadInput, division

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CODE = re.compile(r"(\d{6})-?([A-Z]{2})-?(\d{7})-?([0-9A-Z])")


def make_code(place: str, class_: str, number: int) -> str:
    """Returns the code of the ``number``-th facility of a class in a division.

    Raises:
        BadInput: ``division.unknown``, or ``iot.code`` for a class or number out of range.
    """
    body = f"{division(place).code}{class_}{number:07d}"
    if not re.fullmatch(r"\d{6}[A-Z]{2}\d{7}", body):
        raise BadInput("iot.code", code=body, reason="class/number")
    return f"{body[:6]}-{body[6:8]}-{body[8:]}-{check_character(body)}"


def read_code(text: str) -> tuple[str, str, int]:
    """Returns division, class and number of a code; hyphens may be missing.

    Raises:
        BadInput: ``iot.code`` for a wrong form or check character, ``division.unknown``.
    """
    found = _CODE.fullmatch(text.strip().upper())
    if found is None:
        raise BadInput("iot.code", code=text, reason="420106-MP-0000123-K")
    place, class_, number, check = found.groups()
    if check != (expected := check_character(place + class_ + number)):
        raise BadInput("iot.code", code=text, reason=f"{check} ≠ {expected}")
    return division(place).code, class_, int(number)


def check_character(body: str) -> str:
    """Returns the check character of digits and capital letters (ISO 7064, MOD 37,36)."""
    product = 36
    for letter in body:
        total = (product + _LETTERS.index(letter)) % 36 or 36
        product = total * 2 % 37
    return _LETTERS[(37 - product) % 36]
