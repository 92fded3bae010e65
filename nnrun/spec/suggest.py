"""The nearest allowed word, and the few that come near."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from itertools import groupby

EDITS = 2  # letters put in, left out, replaced or swapped with their neighbour: a slip of the hand
CLOSE = 0.7  # of difflib's ratio, for any word
OPENING, RELATED = 3, 0.6  # for a word that begins with the same letters
FEW = 5


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that a person most likely meant, if one is near.

    Case, `_` and `-` count as nothing. Within two edits the fewest win; beyond, a guess is made.

    Example:
        >>> nearest("dense", ["Dropout", "Dense"])
        'Dense'
        >>> nearest("mnits", ["digits", "mnist"])
        'mnist'
        >>> nearest("lr", ["beta_1", "learning_rate"])
        'learning_rate'
    """
    names = list(allowed) if _fold(word) else []
    return _mistyped(word, names) or _related(word, names)


def few(word: str, allowed: Iterable[str]) -> list[str]:
    """The allowed words that are most like a word, best first; of spellings of one word the first.

    Example:
        >>> few("pooling", ["Dense", "MaxPooling1D", "max_pooling_1d", "Pool", "GRU", "RNN", "Add"])
        ['Pool', 'MaxPooling1D', 'Dense', 'GRU', 'RNN']
    """
    folded: dict[str, str] = {}
    for name in allowed:
        folded.setdefault(_fold(name), name)
    # A word is not made longer than any name before it is compared: that could take long.
    wanted = _fold(word)[: max(map(len, folded), default=0)]
    matcher = difflib.SequenceMatcher(None, b=wanted, autojunk=False)

    def likeness(name: str) -> float:
        matcher.set_seq1(name)
        return matcher.ratio()

    best = sorted(folded, key=likeness, reverse=True)
    return [folded[name] for name in best[:FEW]]


def edits(one: str, other: str, *, most: int = EDITS) -> int | None:
    """How few edits lead from one word to another; None where more than `most` are needed.

    Example:
        >>> edits("epcohs", "epochs"), edits("epoch", "epochs"), edits("epoch", "batch_size")
        (1, 1, None)
    """
    if abs(len(one) - len(other)) > most:
        return None
    return next((number for number in range(most + 1) if _reaches(one, other, number)), None)


def _reaches(one: str, other: str, number: int) -> bool:
    """Whether so many edits are enough; letters that agree at the beginning never need one."""
    same = _opening(one, other)
    one, other = one[same:], other[same:]
    if not one or not other:
        return len(one) + len(other) <= number
    if number == 0:
        return False
    swapped = one[1:2] == other[0] and one[0] == other[1:2]
    return (
        _reaches(one[1:], other[1:], number - 1)
        or _reaches(one[1:], other, number - 1)
        or _reaches(one, other[1:], number - 1)
        or (swapped and _reaches(one[2:], other[2:], number - 1))
    )


def _mistyped(word: str, names: Sequence[str]) -> str | None:
    """The name that the fewest edits make of the word."""
    wanted = _fold(word)
    found: list[tuple[tuple[int, bool, int, int, bool], str]] = []
    for name in names:
        folded = _fold(name)
        number = edits(wanted, folded)
        # With every letter replaced, nothing of the word is left to go by.
        if number == 0 or (number and number < max(len(wanted), len(folded))):
            # A letter pressed twice is likelier than another letter.
            twice = _once(wanted) != _once(folded)
            opening = _opening(wanted, folded)
            length = abs(len(wanted) - len(folded))
            # `accuracy` and `Accuracy` are two metrics: who writes small letters means the first.
            other_case = name.islower() != word.islower()
            found.append(((number, twice, -opening, length, other_case), name))
    return min(found, key=lambda each: each[0])[1] if found else None


def _related(word: str, names: Sequence[str]) -> str | None:
    """A name that begins like the word, resembles it much, or has it for its initials."""
    wanted = _fold(word)
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(_fold(name), name)
    # The ratio is at most that of a name that is all in the word; difflib would index a word of
    # any length before it saw that no name comes near.
    longest = max(map(len, folded), default=0)
    if RELATED * len(wanted) > (2 - RELATED) * longest:
        return None
    close = difflib.get_close_matches(wanted, folded, n=FEW, cutoff=RELATED)
    related = [name for name in close if name[:OPENING] == wanted[:OPENING]]
    best = (related or close)[:1]
    if near := difflib.get_close_matches(wanted, best, n=1, cutoff=RELATED if related else CLOSE):
        same = [name for name in names if _fold(name) == near[0]]
        return min(same, key=lambda name: name.islower() != word.islower())
    return next((name for name in names if _initials(name) == wanted), None)


def _initials(name: str) -> str:
    words = name.split("_")
    return "".join(part[:1] for part in words).lower() if len(words) > 1 else ""


def _opening(one: str, other: str) -> int:
    """How many letters agree before the first that does not."""
    pairs = enumerate(zip(one, other, strict=False))
    shorter = min(len(one), len(other))
    return next((at for at, (mine, yours) in pairs if mine != yours), shorter)


def _once(word: str) -> str:
    return "".join(letter for letter, _ in groupby(word))


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
