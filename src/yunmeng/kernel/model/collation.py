"""Texts in the order of a language (ETSI GS CIM 009 §4.23.3): tags of RFC 5646, with ``-u-co-`` of RFC 6067.

Texts are compared as the Unicode collation algorithm does (UTS 10): by letters, then by accents, then by
case. Of the languages, those are known whose alphabets keep the root order, so that no text is ordered
wrongly in silence; Chinese goes by the reading, as far as GB 2312 orders its common characters by it.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from yunmeng.kernel.base import BadInput

CollationKey = tuple[object, ...]
Collate = Callable[[str], CollationKey]

_ROOT_ORDER = frozenset(("und", "en", "de", "fr", "it", "nl", "pt", "ga", "id", "ms", "el", "ru"))
_TAG = re.compile(r"([a-z]{2,3})(?:-[a-z0-9]{2,8})*?(?:-u(?:-co-([a-z0-9]{3,8}))?)?\Z")
_PHONE_BOOK = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


@lru_cache(maxsize=64)
def collation(tag: str) -> Collate:
    """Returns what makes a text into a key that sorts as the language of the tag does.

    Raises ``BadInput("collation.unknown")`` when the tag is malformed or its order is not known here.
    """
    found = _TAG.match(tag.lower())
    if found is None:
        raise BadInput("collation.unknown", collation=tag)
    language, variant = found[1], found[2] or "standard"
    if language == "zh" and variant in ("standard", "pinyin"):
        return _by_reading
    if language == "de" and variant == "phonebk":
        return lambda text: _by_letters(text.translate(_PHONE_BOOK))
    if language in _ROOT_ORDER and variant == "standard":
        return _by_letters
    raise BadInput("collation.unknown", collation=tag)


def _by_letters(text: str) -> CollationKey:
    parts = unicodedata.normalize("NFKD", text)
    letters = [character for character in parts if not unicodedata.combining(character)]
    folded = "".join(letters).casefold()
    return tuple(map(_weight, folded)), parts.casefold(), text.swapcase()


def _weight(character: str) -> tuple[int, str]:
    """Puts blanks and signs before digits, and digits before letters."""
    group = unicodedata.category(character)[0]
    return {"L": 3, "N": 2}.get(group, 1), character


def _by_reading(text: str) -> CollationKey:
    return (unicodedata.normalize("NFKC", text).casefold().encode("gb18030", "replace"), text)
