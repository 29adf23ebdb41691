"""The known name that somebody probably meant."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns the known name most like this one, case aside; empty when none is alike."""
    # difflib costs 5 ms to import and is needed only for an error
    from difflib import get_close_matches

    folded = {each.casefold(): each for each in known}
    found = get_close_matches(name.casefold()[:200], folded, n=1, cutoff=0.5)
    return folded[found[0]] if found else ""
