"""YAML text to values with their places, within limits and without running anything.

Reads PyYAML's events rather than its nodes: depth, size and aliases are limited while reading.
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

# Plain words of YAML 1.2's core schema: what `true`, `10_000`, `1e-4` and `no` stand for.


# What PyYAML's complaints mean, in plain words.

_TAB = "a tab stands where only spaces may; indent with spaces"
_SPACE = "a space of another kind (U+{:04X}) stands in the indentation; use plain spaces"
_INDENT = "the indentation does not fit the lines above"
_DEEP = "this line is indented further than the lines that it could belong to"
_SECOND = (
    "a second ':' in one line; put what comes after the first in {…}, or in quotes if it is text"
)
_GLUED = "a space is missing after the ':'"
TOO_DEEP = "far too many lists and mappings inside each other"
_NO_COLON = "a key needs a ':' after it"
# From what PyYAML says (in C, then in Python) to what a person should do.
_EXPLANATIONS = (
    ("did not find expected key", _INDENT),
    (
        "did not find expected '-' indicator",
        "the lines above are a list, so this line must begin with '- ', or be indented as it belongs",
    ),
    ("expected <block end>", _INDENT),
    ("expected <document start>", "holds several documents, or text after its end"),
    ("block sequence entries are not allowed", "a list must begin on a line of its own"),
    ("unknown escape character", "unknown escape after '\\' in double quotes; use single quotes"),
    (
        "comment or line break",
        "'>' and '|' begin a text of several lines; put what begins so in quotes",
    ),
    ("cannot start any token", "this character must be put in quotes"),
    ("exceeded maximum nesting depth", TOO_DEEP),
    ("undefined tag handle", "tags that begin with '!' are not used here"),
    ("expected node content", "a value is missing here, or a ',' is one too many"),
    ("expected alphabetic or numeric", "'*' and '&' need a name after them; or put it in quotes"),
)
# These are seen at the end of the text, but the culprit is where they began.
_UNCLOSED = (
    ("could not find expected ':'", _NO_COLON),
    ("unexpected end of stream", "a quoted text is not closed"),
    ("',' or ']'", "a list that begins with '[' is not closed, or a ',' is missing"),
    ("',' or '}'", "a mapping that begins with '{' is not closed, or a ',' is missing"),
)


# Ends of a value in quotes or brackets, and what may have been meant where text follows.
_CLOSED = {
    "'": "text stands after the closing '; inside of '…' write '' for an apostrophe",
    '"': 'text stands after the closing "; put all of it in quotes',
    "]": "text stands after the closing ]; it ends the list",
    "}": "text stands after the closing }; it ends the mapping",
}
_KEY = re.compile(r"[\s-]*[\w.-]+:(?=\S)")


def explain(error: MarkedYAMLError, lines: Sequence[str]) -> tuple[int, int, str]:
    """Where a text stops being YAML, counted from 0, and why."""
    problem = error.problem or error.context or "unreadable"
    for pattern, message in _UNCLOSED:
        if pattern in problem and error.context_mark:
            began = error.context_mark
            if message is _NO_COLON and (glued := _KEY.match(_line(lines, began.line))):
                return began.line, glued.end() - 1, _GLUED
            return began.line, began.column, message
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if found := _indentation(lines, line, column):
        return found
    return line, column, _explained(problem, _line(lines, line), column)


def _explained(problem: str, text: str, column: int) -> str:
    before = text[:column].strip()
    if "mapping values are not allowed" in problem:
        return _SECOND if ": " in before else _DEEP
    if "did not find expected key" in problem and before[-1:] in _CLOSED:
        return _CLOSED[before[-1]]
    found = (message for pattern, message in _EXPLANATIONS if pattern in problem)
    return next(found, f"not YAML: {problem}")


def _line(lines: Sequence[str], number: int) -> str:
    return lines[number] if number < len(lines) else ""


def _indentation(lines: Sequence[str], line: int, column: int) -> tuple[int, int, str] | None:
    """A tab, or a space of another kind, that stands in the indentation or at the column."""
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


# The file of a spec, which may be a stranger's: what it holds, if it is a file at all.

LARGEST = 1_000_000  # bytes
ENDINGS = (".yaml", ".yml")


class NotAFile(OSError):
    """What is there is no file that could hold a spec."""


def read_bytes(path: Path) -> bytes:
    """What a file holds, and a byte more than it may.

    Raises:
        NoFile: it is a pipe or a device, which would be waited for, or a link to anything.
        OSError: it cannot be read.
    """
    # `nnrun check /dev/stdin`, and what a shell makes of `<(…)`.
    is_piped = path.parts[:2] == ("/", "dev")
    # What a link leads to may be anything of this machine, and errors quote what they are about.
    if path.is_symlink() and not is_piped and path.resolve().suffix not in ENDINGS:
        raise NotAFile("is a link to what is no YAML file")
    # A pipe that nobody writes to would be waited for.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(stream.fileno()).st_mode
        if stat.S_ISDIR(found):
            raise IsADirectoryError
        if not stat.S_ISREG(found) and not is_piped:
            raise NotAFile("is a pipe or a device, not a file")
        if hasattr(os, "set_blocking"):
            os.set_blocking(stream.fileno(), True)
        return stream.read(LARGEST + 1)


DEEPEST = 50  # mappings and lists inside each other
MOST_VALUES = 50_000  # after aliases have been written out, of all files of a spec together

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_HALF_A_TUPLE = re.compile(r"\(-?[\d.]+\Z")  # what is left of one between commas
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Document:
    """What a text holds: its root where it could be read, and what is wrong with it.

    Args:
        text: of a file, as far as it could be read.
    """

    root: Node | None
    faults: tuple[Fault, ...] = ()
    text: str = ""


class _StopError(Exception):
    """Nothing after this fault can be trusted."""


def read_file(path: File, *, most: int = MOST_VALUES) -> Document:
    """Reads a file; whatever is wrong with it is in the faults.

    Args:
        path: as the person named it.
        most: values that it may hold.
    """
    try:
        data = read_bytes(path)
    except OSError as error:
        return Document(None, (_unreadable(path, error),))
    if len(data) > LARGEST:
        message = f"larger than {LARGEST:,} bytes, which no spec needs"
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
    """Reads YAML text of one document.

    Args:
        text: what to read.
        source: named in every place.
        root: the path of the text's root, for text that is part of a spec.
        most: values that it may hold.
    """
    reader = _Reader(text, source, most)
    try:
        node = reader.document(root)
    except _StopError:
        node = None
    return Document(node, tuple(reader.faults))


class _Reader:
    """Reads one text; `faults` fills while it goes."""

    def __init__(self, text: str, source: str, most: int) -> None:
        self.source = source
        self.most = most
        self.lines = _BREAK.split(text)
        self.faults: list[Fault] = []
        self.anchors: dict[str, Node] = {}
        self.values = 0
        self.text = text

    def document(self, root: KeyPath) -> Node | None:
        """The only document of the text; none where the text is empty."""
        if found := _UNPRINTABLE.search(self.text):
            before = _BREAK.split(self.text[: found.start()])
            place = self.place(len(before) - 1, len(before[-1]))
            raise self.stop(
                "NN002", f"holds the character U+{ord(found[0]):04X}; leave it out", place
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
            raise self.stop("NN004", "holds several documents; a spec is one mapping", place)
        return node

    def next(self) -> Any:
        """The next event."""
        return self.parser.get_event()

    def node(self, event: Any, path: KeyPath, depth: int) -> Node:
        """The value that an event begins."""
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, path)
        self.count(1, event, path)
        if event.tag is not None:
            message = f"tags such as {tag(event.tag)!r} are not used here; leave it out"
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
            message = f"more than {DEEPEST} lists and mappings inside each other"
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
        """What stands after a key; where nothing does, the key is the place to look."""
        event = self.next()
        node = self.node(event, path if key is None else (*path, key), depth + 1)
        empty = isinstance(event, yaml.ScalarEvent) and not event.value and not event.style
        return Node(node.value, place if empty else node.place, place, node.size)

    def key(self, event: Any, path: KeyPath, depth: int, place: Place) -> str | None:
        """A key, which must be a word; anything else is a fault and is left out."""
        node = self.node(event, path, depth + 1)
        alias = isinstance(event, yaml.AliasEvent)
        if isinstance(node.value, str) and (node.value != "<<" or alias or event.style):
            return node.value
        if _is_number_of_a_class(event):
            return str(event.value)
        if node.value == "<<":
            self.fault(
                "NN008",
                "'<<' does not merge here; write the keys out, or `extends: FILE`",
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
        """What an anchor named before."""
        if event.anchor not in self.anchors:
            message = f"'*{event.anchor}' stands for nothing: no '&{event.anchor}' ends before it"
            raise self.stop("NN002", message, self.span(event), path)
        node = self.anchors[event.anchor]
        self.count(node.size, event, path)
        return node

    def count(self, values: int, event: Any, path: KeyPath) -> None:
        """Keeps the number of values within the limit."""
        self.values += values
        if self.values > self.most:
            message = f"more than {MOST_VALUES:,} values once aliases are written out"
            raise self.stop("NN007", message, self.span(event), path)

    def span(self, start: Any, end: Any = None) -> Place:
        """The first line of what lies between two events."""
        first, last = start.start_mark, (end or start).end_mark
        text = self.lines[first.line] if first.line < len(self.lines) else ""
        column = last.column if last.line == first.line else len(text.rstrip())
        return self.place(first.line, first.column, column - first.column)

    def place(self, line: int, column: int, length: int = 1) -> Place:
        """A place, from a line and a column counted from 0."""
        text = self.lines[line] if line < len(self.lines) else ""
        return Place(self.source, line + 1, column + 1, max(length, 1), text)

    def fault(self, code: str, message: str, place: Place, path: KeyPath = ()) -> None:
        """Notes a fault and goes on."""
        self.faults.append(Fault(code, dotted(path), message, place))

    def stop(self, code: str, message: str, place: Place, path: KeyPath = ()) -> _StopError:
        """Notes a fault after which nothing can be read."""
        self.fault(code, message, place, path)
        return _StopError()


def _is_number_of_a_class(event: Any) -> bool:
    """Whether a key is a whole number as people write one; it is its own word."""
    return isinstance(event, yaml.ScalarEvent) and event.value.isdecimal()
