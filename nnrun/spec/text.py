"""Values, lists and numbers in sentences, and foreign text made safe to show."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST = 60  # characters of a value in a message


def quote(value: object) -> str:
    """A value roughly as it was written, for a message.

    Example:
        >>> [quote(value) for value in (True, None, "ten", [1, 2])]
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
    return cut(f"'{escape_unprintable(value)}'" if isinstance(value, str) else str(value))


def cut(text: str, limit: int = LONGEST) -> str:
    """The beginning of a text that is longer than `limit`."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def escape_unprintable(text: str) -> str:
    """Text with unprintable characters escaped as in Python: it cannot move the cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def join_words(words: Sequence[str], conjunction: str) -> str:
    """Words with commas and a conjunction before the last.

    Example:
        >>> join_words(["first", "last", "random"], "or")
        'first, last or random'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def join_first(words: Sequence[str], most: int, conjunction: str = "and") -> str:
    """As `join_words`, but words after the first `most` are only counted.

    Example:
        >>> join_first(["red", "green", "blue", "black"], 2)
        'red, green and 2 more'
    """
    if len(words) <= most:
        return join_words(words, conjunction)
    return f"{', '.join(words[:most])} and {len(words) - most:,} more"


def shorten_list(words: Sequence[str], most: int) -> list[str]:
    """The first words; others are counted in a last one, such as `and 2 more`."""
    more = len(words) - most
    return [*words[:most], f"and {more:,} more"] if more > 0 else [*words]


def count(number: int, noun: str) -> str:
    """A number of things.

    Example:
        >>> count(1, "run"), count(2000, "run")
        ('1 run', '2,000 runs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def plain_value(value: object) -> str:
    """A value of a spec as short text: `Dense 16 relu, Dense 1 sigmoid`."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.6g}"
        case dict():
            return " ".join(
                # These arguments are clear without their names.
                plain_value(item)
                if key in ("units", "activation", "rate")
                else f"{key} {plain_value(item)}".rstrip()
                for key, item in value.items()
            )
        case list() | tuple():
            return ", ".join(map(plain_value, value)) or "none"
    return str(value)


def with_article(noun: str) -> str:
    """A noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def format_number(value: float | None) -> str:
    """Four decimals, or four digits of a very small or large number."""
    if value is None:
        return "-"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"


def format_size(count: int) -> str:
    """Bytes in a suitable unit; a unit is a thousand of the one before.

    Example:
        >>> format_size(999), format_size(80_932)
        ('999 B', '80.9 kB')
    """
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        # An amount that would round up to 1000.0 is 1.0 of the next unit.
        if round(amount, 1) < 1000:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


# Foreign text, such as a name in a run folder, can move the cursor, set the window's title or
# reverse a line in a terminal, and can be a tag or a formula for other programs.

_C1_AND_SURROGATES = "\x7f-\x9f\ud800-\udfff"
# Marks that change the direction of text, and rare line ends.
_UNICODE = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f"
# A line end before a command of GitHub Actions.
_COMMAND = r"\n(?=[ \t]*(?:::|##\[))"
_STEERING = re.compile(f"[\x00-\x08\x0b-\x1f{_C1_AND_SURROGATES}{_UNICODE}]|{_COMMAND}")
_UNSAFE_IN_JSON = re.compile(f"[{_C1_AND_SURROGATES}{_UNICODE}]")


def escape_text(foreign: str) -> str:
    r"""Text with control characters made visible; line ends and tabs stay.

    A line end is replaced too before a command of GitHub Actions.
    The first 32 characters become their Unicode symbols, others U+FFFD.

    Example:
        >>> escape_text("a\x1b[31m"), escape_text("\u202eexe")
        ('a␛[31m', '�exe')
    """

    def symbol(match: re.Match[str]) -> str:
        code = ord(match[0])
        if code < 0x20:
            return chr(0x2400 + code)
        return "\N{SYMBOL FOR DELETE}" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"

    return _STEERING.sub(symbol, foreign)


def is_inert(foreign: str) -> bool:
    """Whether `escape_text` would change nothing."""
    return _STEERING.search(foreign) is None


def escape_line(foreign: str) -> str:
    """Like `escape_text`, on one line."""
    return escape_text(foreign).replace("\n", "\u240a").replace("\t", " ")


def escape_json(document: str) -> str:
    """An equal JSON document with such characters escaped.

    JSON itself escapes the first 32. The escapes also hold in double-quoted YAML.
    """
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", document)


def escape_markdown(foreign: str) -> str:
    """Text that Markdown shows literally, on one line: no tag, link, image or column."""
    escaped = re.sub(r"[\\|*`\[\]]", r"\\\g<0>", escape_text(foreign))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;")
    return " ".join(escaped.splitlines())


def escape_cell(foreign: str) -> str:
    """Text for a table cell; a leading quote keeps spreadsheets from running it as a formula."""
    safe = escape_text(foreign)
    return f"'{safe}" if safe.startswith(("=", "+", "-", "@", "\t", "\r")) else safe


def number_name(text: str) -> str:
    """The name of a class that is a number: whole numbers of any length, and others in full.

    Example:
        >>> number_name("1234560"), number_name("2.0"), number_name("0.10")
        ('1234560', '2', '0.1')
    """
    if text.lstrip("+-").isdecimal() and len(text) < 4000:
        return str(int(text))
    number = float(text)
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


# YAML reads some of these as other values, in one version or another.
_YAML_WORDS = frozenset("null true false yes no on off y n".split())


def type_hint(name: str, kind: str) -> str:
    """What to write in a spec to give a column a type.

    Example:
        >>> type_hint("zip", "category"), type_hint("Unnamed: 0", "drop"), type_hint("no", "drop")
        ('types: {zip: category}', "types: {'Unnamed: 0': drop}", "types: {'no': drop}")
    """
    is_plain = re.fullmatch(r"[A-Za-z_][\w-]*", name) and name.lower() not in _YAML_WORDS
    key = name if is_plain else "'" + name.replace("'", "''") + "'"
    return f"types: {{{key}: {kind}}}"
