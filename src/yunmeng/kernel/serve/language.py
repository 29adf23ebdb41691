"""Which of the two languages a caller reads (RFC 9110 §12.5.4)."""

from functools import lru_cache

from yunmeng.kernel.serve.routes import Language


@lru_cache(maxsize=256)
def negotiate(accept_language: str) -> Language:
    """Picks the caller's language; Chinese is the source language and the default."""
    best: tuple[float, Language] = (0.0, "zh-CN")
    for part in accept_language.split(","):
        tag, _, weight = part.strip().partition(";")
        primary = tag.strip().lower().split("-")[0]
        language: Language | None = "en" if primary == "en" else "zh-CN" if primary in ("zh", "*") else None
        if language and (quality := _weight(weight)) > best[0]:
            best = (quality, language)
    return best[1]


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
