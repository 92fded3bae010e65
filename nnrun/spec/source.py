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

import yaml

from nnrun.errors import Fault, Place
from nnrun.spec.suggest import nearest
from nnrun.spec.tree import KeyPath, Node, dotted, scalar

LARGEST = 1_000_000  # bytes
DEEPEST = 50  # nested mappings and lists
MOST_VALUES = 50_000  # of all files of a spec, with aliases expanded
ENDINGS = (".yaml", ".yml")

_TAB = "a tab where only spaces are allowed; indent with spaces"
_INDENT = "the indentation does not match the lines above"
_TOO_DEEP = "too many nested lists and mappings"
_NO_COLON = "a key needs a ':' after it"
# From messages of PyYAML (in C, then in Python) to corrections.
_EXPLANATIONS = (
    ("did not find expected key", _INDENT),
    ("'-' indicator", "the lines above are a list; begin this line with '- ', or indent it"),
    ("expected <block end>", _INDENT),
    ("expected <document start>", "has several documents, or text after its end"),
    ("block sequence entries are not allowed", "a list must begin on a line of its own"),
    ("unknown escape character", "unknown escape after '\\' in double quotes; use single quotes"),
    ("comment or line break", "'>' and '|' begin a text of several lines; put the value in quotes"),
    ("cannot start any token", "this character must be in quotes"),
    ("exceeded maximum nesting depth", _TOO_DEEP),
    ("undefined tag handle", "tags that begin with '!' are not allowed"),
    ("expected node content", "a value is missing here, or there is an extra ','"),
    ("alphabetic or numeric", "'*' and '&' need a name after them; or put the value in quotes"),
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
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_HALF_A_TUPLE = re.compile(r"\(-?[\d.]+\Z")  # the part before a comma
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _explain(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[int, int, str]:
    """Line and column of a YAML error, from 0, and the message."""
    problem = error.problem or error.context or "unreadable"
    for pattern, message in _UNCLOSED:
        if pattern in problem and error.context_mark:
            line, column = error.context_mark.line, error.context_mark.column
            if message is _NO_COLON and (glued := _KEY.match(_line(lines, line))):
                return line, glued.end() - 1, "a space is missing after the ':'"
            return line, column, message
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if space := _indentation(lines, line, column):
        return space
    before = _line(lines, line)[:column].strip()
    if "mapping values are not allowed" in problem:
        second = "a second ':' in one line; put the value in {…}, or in quotes if it is text"
        return line, column, second if ": " in before else "this line is indented too far"
    if "did not find expected key" in problem and before[-1:] in _CLOSED:
        return line, column, _CLOSED[before[-1]]
    messages = (message for pattern, message in _EXPLANATIONS if pattern in problem)
    return line, column, next(messages, f"not YAML: {problem}")


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
                code = f"U+{ord(character):04X}"
                message = f"a special space ({code}) in the indentation; use plain spaces"
                return number, at, message
    return (line, column, _TAB) if _line(lines, line)[column : column + 1] == "\t" else None


@dataclass(frozen=True)
class Document:
    """A YAML document; without a root if it is empty or cannot be read."""

    root: Node | None
    faults: tuple[Fault, ...] = ()
    text: str = ""


def read_file(path: Path, *, most: int = MOST_VALUES) -> Document:
    """Reads a file of at most `most` values."""
    place = Place(str(path), 1, 1, 1, "")
    try:
        data = _read_bytes(path)
    except FileNotFoundError:
        near = nearest(path.name, [sibling.name for sibling in path.parent.glob("*.y*ml")])
        return Document(None, (Fault("NN001", "", "there is no such file", place, near),))
    except IsADirectoryError:
        return Document(None, (Fault("NN001", "", "is a folder, not a file", place),))
    except OSError as error:
        message = f"cannot be read: {error.strerror}" if error.strerror else str(error)
        return Document(None, (Fault("NN001", "", message, place),))
    if len(data) > LARGEST:
        message = f"larger than {LARGEST:,} bytes, too large for a spec"
        return Document(None, (Fault("NN007", "", message, place),))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fault = _undecodable(place, data, error.start)
        return Document(None, (fault,), data.decode(errors="replace"))
    return replace(read(text, source=str(path), most=most), text=text)


def _read_bytes(path: Path) -> bytes:
    """The content of a file, cut a byte above the limit; refuses what could block or be private."""
    # `nnrun check /dev/stdin`, and `<(…)` in a shell.
    is_piped = path.parts[:2] == ("/", "dev")
    # A link may lead to a private file, and faults quote lines.
    if path.is_symlink() and not is_piped and path.resolve().suffix not in ENDINGS:
        raise OSError("is a link to a file that is not YAML")
    # Opening a pipe without a writer would block.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode) and not is_piped:
            raise OSError("is a pipe or a device, not a file")
        if hasattr(os, "set_blocking"):
            os.set_blocking(stream.fileno(), True)
        return stream.read(LARGEST + 1)


def _undecodable(start: Place, data: bytes, position: int) -> Fault:
    """A byte that is not UTF-8, with the line around it as far as it can be read."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Fault("NN001", "", "is UTF-16 text; save it as UTF-8", start)
    begin = data.rfind(b"\n", 0, position) + 1
    line = data[begin:].partition(b"\n")[0].decode(errors="replace")
    number, column = data.count(b"\n", 0, position) + 1, len(data[begin:position].decode()) + 1
    message = f"is not UTF-8 text; save it as UTF-8 (byte 0x{data[position]:02x})"
    return Fault("NN001", "", message, Place(start.source, number, column, 1, line))


def read(text: str, *, source: str, most: int = MOST_VALUES) -> Document:
    """Reads the YAML text of one document; `source` is that of every place."""
    reader = _Reader(text, source, most)
    try:
        node = reader.document()
    except _StopError:
        node = None
    return Document(node, tuple(reader.faults))


class _StopError(Exception):
    """Reading cannot continue after this fault."""


class _Reader:
    def __init__(self, text: str, source: str, most: int) -> None:
        self.text = text
        self.source = source
        self.most = most
        self.lines = _BREAK.split(text)
        self.faults: list[Fault] = []
        self.anchors: dict[str, Node] = {}
        self.values = 0

    def document(self) -> Node | None:
        """The only document of the text; None if it is empty."""
        if match := _UNPRINTABLE.search(self.text):
            message = f"contains the character U+{ord(match[0]):04X}; remove it"
            before = _BREAK.split(self.text[: match.start()])
            raise self.stop("NN002", message, self.place(len(before) - 1, len(before[-1])))
        self.parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(self.text)
        try:
            self.next()
            if not isinstance(self.next(), yaml.DocumentStartEvent):
                return None
            node = self.node(self.next(), (), 1)
            self.next()
            if isinstance(event := self.next(), yaml.DocumentStartEvent):
                message = "has several documents; a spec is one mapping"
                raise self.stop("NN004", message, self.span(event))
            return node
        except yaml.MarkedYAMLError as error:
            line, column, message = _explain(error, self.lines)
            code = "NN007" if message == _TOO_DEEP else "NN002"
            raise self.stop(code, message, self.place(line, column)) from None

    def next(self) -> yaml.Event:
        event: yaml.Event = self.parser.get_event()
        return event

    def node(self, event: yaml.Event, path: KeyPath, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, path)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        self.count(1, event, path)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            message = f"tags such as {tag!r} are not allowed; remove it"
            self.fault("NN006", message, self.span(event), path)
        if isinstance(event, yaml.ScalarEvent):
            if not event.style and _HALF_A_TUPLE.match(event.value):
                message = "YAML has no tuples; write a list such as [28, 28, 1]"
                raise self.stop("NN103", message, self.span(event), path)
            node = Node(event.value if event.style else scalar(event.value), self.span(event))
        elif depth > DEEPEST:
            message = f"more than {DEEPEST} nested lists and mappings"
            # The path to it would fill the screen.
            raise self.stop("NN007", message, self.span(event), path[:2])
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.sequence(event, path, depth)
        else:
            node = self.mapping(event, path, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def sequence(self, start: yaml.Event, path: KeyPath, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            items.append(self.node(event, (*path, len(items)), depth + 1))
        size = 1 + sum(item.size for item in items)
        return Node(tuple(items), self.span(start, event), size=size)

    def mapping(self, start: yaml.Event, path: KeyPath, depth: int) -> Node:
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

    def key(self, event: yaml.Event, path: KeyPath, depth: int, place: Place) -> str | None:
        """A key, which must be a word; other keys are faults and left out."""
        node = self.node(event, path, depth + 1)
        is_plain = isinstance(event, yaml.ScalarEvent) and not event.style
        if isinstance(node.value, str) and (node.value != "<<" or not is_plain):
            return node.value
        if isinstance(event, yaml.ScalarEvent) and event.value.isdecimal():
            return str(event.value)  # a class in `class_weight`
        code = "NN008" if node.value == "<<" else "NN002"
        if code == "NN008":
            message = "'<<' is not supported; write out the keys, or use `extends: FILE`"
        elif isinstance(node.value, (dict, tuple)):
            message = "a key must be a word, not a list or a mapping"
        else:
            word = f"*{event.anchor}" if isinstance(event, yaml.AliasEvent) else event.value  # type: ignore[attr-defined]
            message = f'a key must be a word; write "{word}" in quotes to make it one'
        self.fault(code, message, place, path)
        return None

    def alias(self, event: yaml.AliasEvent, path: KeyPath) -> Node:
        if event.anchor not in self.anchors:
            message = f"'*{event.anchor}' is undefined: there is no '&{event.anchor}' before it"
            raise self.stop("NN002", message, self.span(event), path)
        node = self.anchors[event.anchor]
        self.count(node.size, event, path)
        return node

    def count(self, values: int, event: yaml.Event, path: KeyPath) -> None:
        self.values += values
        if self.values > self.most:
            message = f"more than {MOST_VALUES:,} values once aliases are expanded"
            raise self.stop("NN007", message, self.span(event), path)

    def span(self, start: yaml.Event, end: yaml.Event | None = None) -> Place:
        first, last = start.start_mark, (end or start).end_mark
        assert first is not None
        assert last is not None
        text = _line(self.lines, first.line)
        column = last.column if last.line == first.line else len(text.rstrip())
        return self.place(first.line, first.column, column - first.column)

    def place(self, line: int, column: int, length: int = 1) -> Place:
        """A place, from line and column counted from 0."""
        return Place(self.source, line + 1, column + 1, max(length, 1), _line(self.lines, line))

    def fault(self, code: str, message: str, place: Place, path: KeyPath = ()) -> None:
        self.faults.append(Fault(code, dotted(path), message, place))

    def stop(self, code: str, message: str, place: Place, path: KeyPath = ()) -> _StopError:
        self.fault(code, message, place, path)
        return _StopError()
