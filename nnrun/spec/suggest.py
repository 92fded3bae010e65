"""Guesses the intended word, value or component."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby, takewhile

from nnrun.spec.text import LONGEST, join_first, join_words, quote
from nnrun.spec.tree import scalar

EDITS = 2  # letters inserted, deleted, replaced or swapped with their neighbour
CLOSE = 0.7  # minimum difflib ratio of any word
OPENING, RELATED = 3, 0.6  # minimum ratio of a word that begins with the same letters
FEW = 5
MOST_NAMES = 10  # that a message lists

# What a value must be, in the words of a message.
LIST, MAPPING, NUMBER = "a list", "a mapping", "a number"
TRUTH, WHOLE = "true or false", "a whole number"
_TRUTHS = dict.fromkeys(("yes", "on", "y"), "true") | dict.fromkeys(("no", "off", "n"), "false")
_THOUSANDS = re.compile(r"\d{1,3}([ ,']\d{3})+\Z", re.ASCII)
_PERCENT = re.compile(r"(\d{1,3}(\.\d+)?) ?%\Z", re.ASCII)
_QUOTIENT = re.compile(r"(\d{1,6}\.?\d{0,6}) ?/ ?(\d{1,6}\.?\d{0,6})\Z", re.ASCII)
_COMMA = re.compile(r"(\d{1,9}),(\d{1,9})\Z", re.ASCII)
_TUPLE = re.compile(r"\(([^()\[\]{}]{0,80})\)\Z", re.ASCII)
_WORD = re.compile(r"[\w./-]{1,40}\Z")

Predicate = Callable[[str], bool]
# Keys under which other programs put the name of a layer.
_TAGS = ("type", "name", "class_name", "class", "layer", "kind")
_CALL = re.compile(r"(?:\w+\.)*(\w+)(?:\((.*)\))?\Z")
_COMMA_OUTSIDE_BRACKETS = re.compile(r",(?![^(\[]*[)\]])")
_IN_YAML = str.maketrans("()", "[]", "'\"")  # Python's arguments in YAML: lists, without quotes
_MOST_ARGUMENTS = 3  # that a message repeats


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that was most likely meant, if one is near.

    Ignores case, `_` and `-`. Prefers the fewest edits, up to two, then similar words.

    Example:
        >>> nearest("mnits", ["digits", "mnist"]), nearest("lr", ["beta_1", "learning_rate"])
        ('mnist', 'learning_rate')
    """
    names = list(allowed) if _fold(word) else []
    return _mistyped(word, names) or _related(word, names)


def known_names(word: str, names: Sequence[str], *, most: int = MOST_NAMES) -> str:
    """What to write for an unknown name: the name that was meant, or else the first names.

    Example:
        >>> known_names("hight", ["width", "height"]), known_names("x", ["width", "height"])
        ("did you mean 'height'?", "there are 'width' and 'height'")
    """
    if near := nearest(word, names):
        return f"did you mean {quote(near)}?"
    return f"there are {join_first([quote(name) for name in names], most)}"


def most_similar(word: str, allowed: Iterable[str]) -> list[str]:
    """The allowed words most similar to a word, best first; one spelling of each."""
    folded = _by_folded(allowed)
    # Cut to the longest name: comparing a long word could take long.
    wanted = _fold(word)[: max(map(len, folded), default=0)]
    matchers = {n: difflib.SequenceMatcher(None, n, wanted, autojunk=False) for n in folded}
    best = sorted(folded, key=lambda name: matchers[name].ratio(), reverse=True)
    return [folded[name] for name in best[:FEW]]


def edit_distance(one: str, other: str, *, most: int = EDITS) -> int | None:
    """The fewest edits from one word to another; None for more than `most`."""
    if abs(len(one) - len(other)) > most:
        return None
    return next((edits for edits in range(most + 1) if _are_enough(edits, one, other)), None)


def _are_enough(edits: int, one: str, other: str) -> bool:
    """Whether so many edits are enough; a common beginning needs none."""
    same = _common(one, other)
    one, other = one[same:], other[same:]
    if not one or not other:
        return len(one) + len(other) <= edits
    rests = [(one[1:], other[1:]), (one[1:], other), (one, other[1:])]
    if one[1:2] == other[0] and one[0] == other[1:2]:
        rests.append((one[2:], other[2:]))
    return edits > 0 and any(_are_enough(edits - 1, *rest) for rest in rests)


def _mistyped(word: str, names: Sequence[str]) -> str | None:
    wanted = _fold(word)
    ranked: list[tuple[tuple[int, bool, int, int, bool], str]] = []
    for name in names:
        folded = _fold(name)
        edits = edit_distance(wanted, folded)
        # With every letter replaced, the words have nothing in common.
        if edits == 0 or (edits and edits < max(len(wanted), len(folded))):
            # A letter typed twice is likelier than a wrong letter.
            differs = _without_repeats(wanted) != _without_repeats(folded)
            length = abs(len(wanted) - len(folded))
            # `accuracy` and `Accuracy` are two metrics: small letters mean the first.
            other_case = name.islower() != word.islower()
            ranked.append(((edits, differs, -_common(wanted, folded), length, other_case), name))
    return min(ranked)[1] if ranked else None


def _related(word: str, names: Sequence[str]) -> str | None:
    """A name that begins like the word, is very similar, or has it as its initials."""
    wanted, folded = _fold(word), _by_folded(names)
    # Too long for any name to reach the ratio: difflib would index a word of any length first.
    if RELATED * len(wanted) > (2 - RELATED) * max(map(len, folded), default=0):
        return None
    close = difflib.get_close_matches(wanted, folded, n=FEW, cutoff=RELATED)
    related = [name for name in close if name[:OPENING] == wanted[:OPENING]]
    best = (related or close)[:1]
    if near := difflib.get_close_matches(wanted, best, n=1, cutoff=RELATED if related else CLOSE):
        same = [name for name in names if _fold(name) == near[0]]
        return min(same, key=lambda name: name.islower() != word.islower())
    initials = ((name, "".join(part[:1] for part in name.split("_"))) for name in names)
    return next((name for name, i in initials if "_" in name and i.lower() == wanted), None)


def _common(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _without_repeats(word: str) -> str:
    return "".join(letter for letter, _ in groupby(word))


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def _by_folded(names: Iterable[str]) -> dict[str, str]:
    """The first spelling of each name by its folded form."""
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(_fold(name), name)
    return folded


def list_choices(word: object, names: Sequence[str], part: str) -> str:
    """The names most similar to a word, and `nnrun keys PART`, which lists them all."""
    return list_nearest(word, names, f"see '{f'nnrun keys {part}'.strip()}'")


def list_nearest(word: object, names: Sequence[str], more: str) -> str:
    """The names most similar to a word; `more` is where to see others, if there are others."""
    if len(names) <= FEW + 1:
        return join_words(names, "and")
    return f"{', '.join(most_similar(str(word), names))} and {len(names) - FEW} more ({more})"


def hint(value: object, wanted: str) -> str:
    """How to correct the type of a value; begins with a semicolon, or is empty."""
    if isinstance(value, str) and wanted in (NUMBER, TRUTH, WHOLE):
        given = type(scalar(value))
        fits = {TRUTH: (bool,), WHOLE: (int,), NUMBER: (int, float)}[wanted]
        return "; leave out the quotes" if given in fits else ""
    if wanted == MAPPING and isinstance(value, list) and value:
        has_keys = all(isinstance(item, dict) for item in value)
        return "; leave out the '-' before each key" if has_keys else ""
    return ""


def suggest_value(value: object, wanted: str) -> str | None:
    """The correct way to write a value, if it can be guessed; `wanted` begins with its type.

    Example:
        >>> suggest_value("10,000", WHOLE), suggest_value("20%", NUMBER)
        ('10000', '0.2')
    """
    if not isinstance(value, str):
        return None
    if wanted == TRUTH:
        return _TRUTHS.get(value.lower())
    if wanted == LIST and _WORD.match(value):
        return f"[{value}]"
    if wanted.startswith((NUMBER, WHOLE)) and _THOUSANDS.match(value):
        return re.sub("[ ,']", "", value)
    return _fraction(value) if wanted.startswith(NUMBER) else None


def _fraction(text: str) -> str | None:
    if (match := _QUOTIENT.match(text)) and float(match[2]):
        return f"{float(match[1]) / float(match[2]):.6g}"
    if match := _PERCENT.match(text):
        return f"{float(match[1]) / 100:g}"
    match = _COMMA.match(text)
    return f"{match[1]}.{match[2]}" if match else None


def as_list(value: object) -> str | None:
    """A Python tuple such as `(3, 3)`, written as a YAML list."""
    match = _TUPLE.match(value) if isinstance(value, str) else None
    return f"[{match[1].strip().rstrip(',')}]" if match else None


def advice(noun: str, value: Mapping[str, object], is_name: Predicate) -> str | None:
    """The fault of a mapping with several keys where one component, a `noun`, was expected."""
    names = [key for key in value if is_name(key)]
    if len(names) > 1:
        return f"holds {join_words(names, 'and')}, but one {noun} is expected; put '- ' before each"
    if names:
        rest = [key for key in value if key not in names]
        return f"{join_words(rest, 'and')} must be below {names[0]}: indent further"
    for tag in _TAGS:
        name = value.get(tag)
        if isinstance(name, str) and is_name(name):
            text = inline_component(name, {key: v for key, v in value.items() if key != tag})
            return f"must begin with the name of the {noun}: write '{text}'"
    return None


def inline_component(name: str, arguments: Mapping[str, object]) -> str:
    """A component on one line, without long values."""
    if not arguments:
        return name
    plain = all(isinstance(value, (int, float, str)) for value in arguments.values())
    inner = ", ".join(f"{key}: {value}" for key, value in arguments.items())
    short = plain and len(arguments) <= _MOST_ARGUMENTS and len(inner) <= LONGEST
    return f"{name}: {{{inner if short else '…'}}}"


def rewrite_call(text: str, is_name: Predicate, first: Callable[[str], str | None]) -> str | None:
    """A Python call or dotted name, rewritten as a spec has it.

    Example:
        >>> is_name, first = {"Dense": "units"}.__contains__, {"Dense": "units"}.get
        >>> rewrite_call("Dense(16, activation='relu')", is_name, first)
        'Dense: {units: 16, activation: relu}'
    """
    match = _CALL.match(text[:LONGEST])
    if match is None or not is_name(match[1]):
        return None
    name, inner = match[1], (match[2] or "").strip()
    parts = [part.strip() for part in _COMMA_OUTSIDE_BRACKETS.split(inner) if part.strip()]
    parts = [part.translate(_IN_YAML) for part in parts]
    if not parts or (len(parts) == 1 and "=" not in inner):
        return f"{name}: {parts[0]}" if parts else name
    if "=" not in parts[0] and (own := first(name)):
        parts[0] = f"{own}={parts[0]}"
    if not all("=" in part for part in parts):
        return f"{name}: {{…}}"
    return f"{name}: {{{', '.join(re.sub(' *= *', ': ', part) for part in parts)}}}"


def rewrite_assignment(text: str, accepted: Iterable[str]) -> str | None:
    """A Python assignment such as `units=16`, rewritten as a spec has it."""
    key, equals, value = text.partition("=")
    return f"{key.strip()}: {value.strip()}" if equals and key.strip() in accepted else None


def arguments_as_list(value: object, accepted: Iterable[str]) -> bool:
    """Whether a list has only arguments, each in a mapping of its own."""
    names = set(accepted)
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and item and set(item) <= names for item in value)
    )
