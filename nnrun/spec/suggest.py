"""The nearest allowed word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CLOSE = 0.7  # of difflib's ratio, for any word
OPENING, RELATED = 3, 0.6  # for a word that begins with the same letters


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that a person most likely meant, if one is near.

    Example:
        >>> nearest("dense", ["Dropout", "Dense"])
        'Dense'
        >>> nearest("lr", ["beta_1", "learning_rate"])
        'learning_rate'
    """
    names = list(allowed)
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(_fold(name), []).append(name)
    wanted = _fold(word)
    found = wanted if wanted in folded else _close(wanted, folded)
    if found is None:
        return next((name for name in names if _initials(name) == wanted), None)
    # `accuracy` and `Accuracy` are two metrics: who writes small letters means the first.
    return min(folded[found], key=lambda name: name.islower() != word.islower())


def _close(wanted: str, folded: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(wanted, folded, n=5, cutoff=RELATED)
    related = [name for name in close if name[:OPENING] == wanted[:OPENING]]
    best = (related or close)[:1]
    near = difflib.get_close_matches(wanted, best, n=1, cutoff=RELATED if related else CLOSE)
    return near[0] if near else None


def _initials(name: str) -> str:
    words = name.split("_")
    return "".join(part[:1] for part in words).lower() if len(words) > 1 else ""


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
