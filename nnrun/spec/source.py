"""Reads YAML text to values with their places, within limits and without running code.

It reads PyYAML's events, to limit depth, size and aliases while reading.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from pathlib import Path as File
from typing import Any

import yaml
from yaml import MarkedYAMLError

from nnrun.errors import Fault, Place
from nnrun.spec.suggest import nearest
from nnrun.spec.tree import KeyPath, Node, dotted, scalar

_TAB = "a tab where only spaces are allowed; indent with spaces"
_SPACE = "a special space (U+{:04X}) in the indentation; use plain spaces"
_INDENT = "the indentation does not match the lines above"
_DEEP = "this line is indented too far"
_SECOND = "a second ':' in one line; put the value in {…}, or in quotes if it is text"
_GLUED = "a space is missing after the ':'"
TOO_DEEP = "too many nested lists and mappings"
_NO_COLON = "a key needs a ':' after it"
# From messages of PyYAML (in C, then in Python) to corrections.
_EXPLANATIONS = (
    ("did not find expected key", _INDENT),
    (
        "did not find expected '-' indicator",
        "the lines above are a list, so this line must begin with '- ' or be indented",
    ),
    ("expected <block end>", _INDENT),
    ("expected <document start>", "has several documents, or text after its end"),
    ("block sequence entries are not allowed", "a list must begin on a line of its own"),
    ("unknown escape character", "unknown escape after '\\' in double quotes; use single quotes"),
    (
        "comment or line break",
        "'>' and '|' begin a text of several lines; put the value in quotes",
    ),
    ("cannot start any token", "this character must be in quotes"),
    ("exceeded maximum nesting depth", TOO_DEEP),
    ("undefined tag handle", "tags that begin with '!' are not allowed"),
    ("expected node content", "a value is missing here, or there is an extra ','"),
    (
        "expected alphabetic or numeric",
        "'*' and '&' need a name after them; or put the value in quotes",
    ),
)
# PyYAML detects these at the end of the text; shown is where they begin.
_UNCLOSED = (
    ("could not find expected ':'", _NO_COLON),
    ("unexpected end of stream", "a quoted text is not closed"),
    ("',' or ']'", "a list that begins with '[' is not closed, or a ',' is missing"),
    ("',' or '}'", "a mapping that begins with '{' is not closed, or a ',' is missing"),
)


# Text after a closing quote or bracket.
_CLOSED = {
    "'": "text after the closing '; inside of '…' write '' for an apostrophe",
    '"': 'text after the closing "; put all of it in quotes',
    "]": "text after the closing ]",
    "}": "text after the closing }",
}
_KEY = re.compile(r"[\s-]*[\w.-]+:(?=\S)")


def explain(error: MarkedYAMLError, lines: Sequence[str]) -> tuple[int, int, str]:
    """Line and column of a YAML error, from 0, and the message."""
    problem = error.problem or error.context or "unreadable"
    for pattern, message in _UNCLOSED:
        if pattern in problem and error.context_mark:
            began = error.context_mark
            if message is _NO_COLON and (glued := _KEY.match(_line(lines, began.line))):
                return began.line, glued.end() - 1, _GLUED
            return began.line, began.column, message
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if space := _indentation(lines, line, column):
        return space
    return line, column, _explained(problem, _line(lines, line), column)


def _explained(problem: str, text: str, column: int) -> str:
    before = text[:column].strip()
    if "mapping values are not allowed" in problem:
        return _SECOND if ": " in before else _DEEP
    if "did not find expected key" in problem and before[-1:] in _CLOSED:
        return _CLOSED[before[-1]]
    messages = (message for pattern, message in _EXPLANATIONS if pattern in problem)
    return next(messages, f"not YAML: {problem}")


def _line(lines: Sequence[str], number: int) -> str:
    return lines[number] if number < len(lines) else ""


def _indentation(lines: Sequence[str], line: int, column: int) -> tuple[int, int, str] | None:
    """A tab or special space in the indentation or at the column."""
    for number in (line, line - 1):
        text = _line(lines, number) if number >= 0 else ""
        for at, character in enumerate(text[: len(text) - len(text.lstrip())]):
            if character == "\t":
                return number, at, _TAB
            if character != " ":
                return number, at, _SPACE.format(ord(character))
    return (line, column, _TAB) if _line(lines, line)[column : column + 1] == "\t" else None


def tag(name: str) -> str:
    """A tag as it was written."""
    return name.replace("tag:yaml.org,2002:", "!!")


LARGEST = 1_000_000  # bytes
ENDINGS = (".yaml", ".yml")


class NotAFile(OSError):
    """A path that is not a file for a spec."""


def read_bytes(path: Path) -> bytes:
    """What a file holds, and a byte more than it may.

    Raises:
        NoFile: it is a pipe or a device, which would be waited for, or a link to anything.
        OSError: it cannot be read.
    """
    # `nnrun check /dev/stdin`, and `<(…)` in a shell.
    is_piped = path.parts[:2] == ("/", "dev")
    # A link may lead to a private file, and faults quote lines.
    if path.is_symlink() and not is_piped and path.resolve().suffix not in ENDINGS:
        raise NotAFile("is a link to a file that is not YAML")
    # Opening a pipe without a writer would block.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode) and not is_piped:
            raise NotAFile("is a pipe or a device, not a file")
        if hasattr(os, "set_blocking"):
            os.set_blocking(stream.fileno(), True)
        return stream.read(LARGEST + 1)


DEEPEST = 50  # nested mappings and lists
MOST_VALUES = 50_000  # of all files of a spec, with aliases expanded

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_HALF_A_TUPLE = re.compile(r"\(-?[\d.]+\Z")  # the part before a comma
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Document:
    """A YAML document.

    Args:
        root: None if it is empty or cannot be read.
        text: of a file, if it could be read.
    """

    root: Node | None
    faults: tuple[Fault, ...] = ()
    text: str = ""


class _StopError(Exception):
    """Reading cannot continue after this fault."""


def read_file(path: File, *, most: int = MOST_VALUES) -> Document:
    """Reads a file.

    Args:
        path: as given by the user.
        most: maximum number of values.
    """
    try:
        data = read_bytes(path)
    except OSError as error:
        return Document(None, (_unreadable(path, error),))
    if len(data) > LARGEST:
        message = f"larger than {LARGEST:,} bytes, too large for a spec"
        place = Place(str(path), 1, 1, 1, "")
        return Document(None, (Fault("NN007", "", message, place),))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data.decode(errors="replace")
        return Document(None, (_undecodable(path, data, error.start),), text)
    return replace(read(text, source=str(path), most=most), text=text)


def _undecodable(path: File, data: bytes, position: int) -> Fault:
    """A byte that is no UTF-8, with the line around it as far as that can be read."""
    message = f"is not UTF-8 text; save it as UTF-8 (byte 0x{data[position]:02x})"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Fault("NN001", "", "is UTF-16 text; save it as UTF-8", Place(str(path), 1, 1, 1, ""))
    begin = data.rfind(b"\n", 0, position) + 1
    line, _, _ = data[begin:].partition(b"\n")
    before = data[begin:position].decode()
    number = data.count(b"\n", 0, position) + 1
    place = Place(str(path), number, len(before) + 1, 1, line.decode(errors="replace"))
    return Fault("NN001", "", message, place)


def _unreadable(path: File, error: OSError) -> Fault:
    place = Place(str(path), 1, 1, 1, "")
    match error:
        case FileNotFoundError():
            names = [found.name for found in path.parent.glob("*.y*ml")]
            return Fault("NN001", "", "there is no such file", place, nearest(path.name, names))
        case IsADirectoryError():
            return Fault("NN001", "", "is a folder, not a file", place)
        case NotAFile():
            return Fault("NN001", "", str(error), place)
    return Fault("NN001", "", f"cannot be read: {error.strerror}", place)


def read(text: str, *, source: str, root: KeyPath = (), most: int = MOST_VALUES) -> Document:
    """Reads the YAML text of one document.

    Args:
        source: of every place.
        root: the path of the text's root, if it is part of a spec.
        most: maximum number of values.
    """
    reader = _Reader(text, source, most)
    try:
        node = reader.document(root)
    except _StopError:
        node = None
    return Document(node, tuple(reader.faults))


class _Reader:
    """Reads one text and collects faults."""

    def __init__(self, text: str, source: str, most: int) -> None:
        self.source = source
        self.most = most
        self.lines = _BREAK.split(text)
        self.faults: list[Fault] = []
        self.anchors: dict[str, Node] = {}
        self.values = 0
        self.text = text

    def document(self, root: KeyPath) -> Node | None:
        """The only document of the text; None if it is empty."""
        if match := _UNPRINTABLE.search(self.text):
            before = _BREAK.split(self.text[: match.start()])
            place = self.place(len(before) - 1, len(before[-1]))
            raise self.stop(
                "NN002", f"contains the character U+{ord(match[0]):04X}; remove it", place
            )
        self.parser = _Loader(self.text)
        try:
            return self._document(root)
        except yaml.MarkedYAMLError as error:
            line, column, message = explain(error, self.lines)
            code = "NN007" if message == TOO_DEEP else "NN002"
            raise self.stop(code, message, self.place(line, column)) from None

    def _document(self, root: KeyPath) -> Node | None:
        self.next()
        if not isinstance(self.next(), yaml.DocumentStartEvent):
            return None
        node = self.node(self.next(), root, 1)
        self.next()
        if isinstance(event := self.next(), yaml.DocumentStartEvent):
            place = self.span(event)
            raise self.stop("NN004", "has several documents; a spec is one mapping", place)
        return node

    def next(self) -> Any:
        """The next event."""
        return self.parser.get_event()

    def node(self, event: Any, path: KeyPath, depth: int) -> Node:
        """The value that begins with an event."""
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, path)
        self.count(1, event, path)
        if event.tag is not None:
            message = f"tags such as {tag(event.tag)!r} are not allowed; remove it"
            self.fault("NN006", message, self.span(event), path)
        if isinstance(event, yaml.ScalarEvent):
            plain = not event.style
            if plain and _HALF_A_TUPLE.match(event.value):
                message = "YAML has no tuples; write a list such as [28, 28, 1]"
                raise self.stop("NN103", message, self.span(event), path)
            node = Node(scalar(event.value) if plain else event.value, self.span(event))
        else:
            node = self.collection(event, path, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def collection(self, event: Any, path: KeyPath, depth: int) -> Node:
        """A list or a mapping."""
        if depth > DEEPEST:
            message = f"more than {DEEPEST} nested lists and mappings"
            # The path to it would fill the screen.
            raise self.stop("NN007", message, self.span(event), path[:2])
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(event, path, depth)
        return self.mapping(event, path, depth)

    def sequence(self, start: Any, path: KeyPath, depth: int) -> Node:
        """The items up to the end of a list."""
        items: list[Node] = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            items.append(self.node(event, (*path, len(items)), depth + 1))
        size = 1 + sum(item.size for item in items)
        return Node(tuple(items), self.span(start, event), size=size)

    def mapping(self, start: Any, path: KeyPath, depth: int) -> Node:
        """The keys and values up to the end of a mapping."""
        nodes: dict[str, Node] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            place = self.span(event)
            key = self.key(event, path, depth, place)
            node = self.value(key, place, path, depth)
            if key in nodes:
                first = nodes[key].key
                line = first.line if first else 0
                self.fault("NN005", f"written twice, first in line {line}", place, (*path, key))
            elif key is not None:
                nodes[key] = node
        size = 1 + sum(node.size for node in nodes.values())
        return Node(nodes, self.span(start, event), size=size)

    def value(self, key: str | None, place: Place, path: KeyPath, depth: int) -> Node:
        """The value of a key; an empty one has the place of the key."""
        event = self.next()
        node = self.node(event, path if key is None else (*path, key), depth + 1)
        empty = isinstance(event, yaml.ScalarEvent) and not event.value and not event.style
        return Node(node.value, place if empty else node.place, place, node.size)

    def key(self, event: Any, path: KeyPath, depth: int, place: Place) -> str | None:
        """A key, which must be a word; other keys are faults and left out."""
        node = self.node(event, path, depth + 1)
        alias = isinstance(event, yaml.AliasEvent)
        if isinstance(node.value, str) and (node.value != "<<" or alias or event.style):
            return node.value
        if _is_number_of_a_class(event):
            return str(event.value)
        if node.value == "<<":
            self.fault(
                "NN008",
                "'<<' is not supported; write out the keys, or use `extends: FILE`",
                place,
                path,
            )
        elif isinstance(node.value, (dict, tuple)):
            self.fault("NN002", "a key must be a word, not a list or a mapping", place, path)
        else:
            written = f"*{event.anchor}" if alias else event.value
            message = f'a key must be a word; write "{written}" in quotes to make it one'
            self.fault("NN002", message, place, path)
        return None

    def alias(self, event: Any, path: KeyPath) -> Node:
        """The value of an anchor."""
        if event.anchor not in self.anchors:
            message = f"'*{event.anchor}' is undefined: there is no '&{event.anchor}' before it"
            raise self.stop("NN002", message, self.span(event), path)
        node = self.anchors[event.anchor]
        self.count(node.size, event, path)
        return node

    def count(self, values: int, event: Any, path: KeyPath) -> None:
        """Limits the number of values."""
        self.values += values
        if self.values > self.most:
            message = f"more than {MOST_VALUES:,} values once aliases are expanded"
            raise self.stop("NN007", message, self.span(event), path)

    def span(self, start: Any, end: Any = None) -> Place:
        """The first line between two events."""
        first, last = start.start_mark, (end or start).end_mark
        text = self.lines[first.line] if first.line < len(self.lines) else ""
        column = last.column if last.line == first.line else len(text.rstrip())
        return self.place(first.line, first.column, column - first.column)

    def place(self, line: int, column: int, length: int = 1) -> Place:
        """A place, from line and column counted from 0."""
        text = self.lines[line] if line < len(self.lines) else ""
        return Place(self.source, line + 1, column + 1, max(length, 1), text)

    def fault(self, code: str, message: str, place: Place, path: KeyPath = ()) -> None:
        """Adds a fault."""
        self.faults.append(Fault(code, dotted(path), message, place))

    def stop(self, code: str, message: str, place: Place, path: KeyPath = ()) -> _StopError:
        """Adds a fault after which reading stops."""
        self.fault(code, message, place, path)
        return _StopError()


def _is_number_of_a_class(event: Any) -> bool:
    """Whether a key is a plain whole number, as for `class_weight`."""
    return isinstance(event, yaml.ScalarEvent) and event.value.isdecimal()
