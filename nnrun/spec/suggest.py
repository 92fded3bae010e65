"""The nearest allowed word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that a person most likely meant, if one is near.

    Example:
        >>> nearest("dense", ["Dropout", "Dense"])
        'Dense'
    """
    folded: dict[str, str] = {}
    for name in allowed:
        folded.setdefault(_fold(name), name)
    if (exact := _fold(word)) in folded:
        return folded[exact]
    found = difflib.get_close_matches(exact, folded, n=1, cutoff=0.7)
    return folded[found[0]] if found else None


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
