"""How values and lists are put into sentences."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

# The nearest allowed word, and the few that come near.

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


LONGEST = 60  # characters of a value that a message repeats


def shown(value: Any) -> str:
    """A value as the person wrote it, more or less.

    Example:
        >>> [shown(value) for value in (True, None, "ten", [1, 2])]
        ['true', 'nothing', "'ten'", 'a list']
    """
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case str():
            return _cut(_quoted(value))
    return _cut(str(value))


def _quoted(text: str) -> str:
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f"'{printable}'"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def listed(words: Sequence[str], conjunction: str) -> str:
    """Words with commas and a conjunction before the last.

    Example:
        >>> listed(["first", "last", "random"], "or")
        'first, last or random'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def offered(word: Any, names: Sequence[str], part: str) -> str:
    """The few names that are most like a word, and how to see the others.

    Args:
        part: what `nnrun keys` has to be asked for; empty for all of it.

    Example:
        >>> offered("x", ["first", "last", "random"], "validation.holdout")
        'first, last and random'
    """
    command = f"nnrun keys {part}".strip()
    return nearby(word, names, f"see '{command}'")


def nearby(word: Any, names: Sequence[str], more: str) -> str:
    """The few names that are most like a word.

    Args:
        more: where the others can be seen, if there are any.
    """
    if len(names) <= FEW + 1:
        return listed(names, "and")
    return f"{', '.join(few(str(word), names))} and {len(names) - FEW} more ({more})"


def article(noun: str) -> str:
    """A noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


# How a number is written for people.


def number(value: float | None) -> str:
    """Four decimals, or four digits of what would vanish in them."""
    if value is None:
        return "-"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"


def size(count: int) -> str:
    """Bytes in the unit that suits them, each a thousand times the one before.

    Example:
        >>> size(999), size(80_932), size(2_000_000_000)
        ('999 B', '80.9 kB', '2.0 GB')
    """
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        # What would be rounded up to 1000.0 is 1.0 of the next.
        if round(amount, 1) < 1000:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


# Foreign text, made unable to steer whatever shows it: a terminal, a page, a spreadsheet.
#
# A name in somebody else's run folder may hold what moves a cursor, sets a window's title, turns a
# line around, or is a tag or a formula to the program that opens the answer.

_C1_AND_SURROGATES = "\x7f-\x9f\ud800-\udfff"
# Marks that turn the direction of writing, and line ends that only some programs know.
_UNICODE = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f"
# The end of a line before what GitHub Actions takes for a command.
_COMMAND = r"\n(?=[ \t]*(?:::|##\[))"
_STEERING = re.compile(f"[\x00-\x08\x0b-\x1f{_C1_AND_SURROGATES}{_UNICODE}]|{_COMMAND}")
_UNSAFE_IN_JSON = re.compile(f"[{_C1_AND_SURROGATES}{_UNICODE}]")
_PICTURES = 0x2400
_PICTURE_OF_DELETE = "\u2421"
_MEANING_IN_MARKDOWN = re.compile(r"[\\|*`\[\]]")
# With which a spreadsheet's formula begins.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def escape_text(foreign: str) -> str:
    r"""Text that shows control characters instead of obeying them; ends of lines and tabs stay.

    An end of a line goes only where the next would be a command of GitHub Actions.
    Each character becomes one: of the first 32 the picture that Unicode has, of the others U+FFFD.

    Example:
        >>> text("a\x1b[31m"), text("\u202eexe")
        ('a␛[31m', '�exe')
    """
    return _STEERING.sub(_shown, foreign)


def is_inert(foreign: str) -> bool:
    """Whether text is what `text` makes of it."""
    return _STEERING.search(foreign) is None


def escape_line(foreign: str) -> str:
    """The same, and on one line."""
    return escape_text(foreign).replace("\n", "\u240a").replace("\t", " ")


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(_PICTURES + code)
    return _PICTURE_OF_DELETE if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


def escape_json(document: str) -> str:
    """A document of JSON that says the same, with such characters escaped.

    Those that JSON itself leaves as they are: the first 32 it escapes. So does YAML, in whose
    double quotes these escapes mean the same.
    """
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def markdown(foreign: str) -> str:
    """Text as Markdown shows it letter by letter, on one line: no tag, link, picture or column."""
    escaped = _MEANING_IN_MARKDOWN.sub(r"\\\g<0>", escape_text(foreign))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;")
    return " ".join(escaped.splitlines())


def escape_cell(foreign: str) -> str:
    """Text for a table that a spreadsheet may open; one that would be a formula there is quoted.

    Example:
        >>> cell("=1+1")
        "'=1+1"
    """
    shown = escape_text(foreign)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
