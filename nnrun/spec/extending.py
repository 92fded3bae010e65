"""`extends`: a file on top of another, which may be somebody else's and none of a spec's at all.

A spec may come from a stranger and be read by a machine that shows its log to everybody. So it can
extend only what is a spec itself; of any other file no word is shown.
"""

from __future__ import annotations

import re
from pathlib import Path as File
from pathlib import PureWindowsPath

from nnrun.errors import Fault, Place
from nnrun.spec import files, source
from nnrun.spec.experiment import Experiment
from nnrun.spec.language import EARLIER
from nnrun.spec.merging import merged
from nnrun.spec.short_forms import expand
from nnrun.spec.source import Document
from nnrun.spec.suggest import nearest
from nnrun.spec.tree import Node, mapping
from nnrun.spec.words import listed, shown

MOST_FILES = 20
"""Files that extend each other; nobody keeps more of them apart."""

# Such a key, even in a file that is no YAML any more, tells a spec from a file of passwords.
TELLING = ("dataset", "model", "training", "validation", "extends")
_TELLS = re.compile(rf"""^{{?["']?({"|".join(TELLING)})["']?[ \t]*:""", re.MULTILINE)
_KEYS = frozenset((*Experiment.model_fields, *EARLIER))
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://?")


class Reading:
    """Reads a spec and what it extends; `faults` fills while it goes."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._left = source.MOST_VALUES

    def file(self, path: File) -> Node | None:
        """A file on top of what it extends, short forms written out."""
        return self._read(source.read_file(path), path, ())

    def _read(self, document: Document, path: File, above: tuple[File, ...]) -> Node | None:
        self.faults += document.faults
        root = document.root
        if root is None or root.value is None:
            if not document.faults:
                self._fault("NN003", "", "holds nothing", Place(str(path), 1, 1, 1, ""))
            return None
        if not isinstance(root.value, dict):
            what = "a list" if isinstance(root.value, tuple) else "a single value"
            message = f"must be a mapping such as 'model: [...]', got {what}"
            self._fault("NN004", "", message, root.place)
            return None
        self._left -= root.size
        extends = root.value.get("extends")
        own = mapping({k: v for k, v in root.value.items() if k != "extends"}, root)
        return self._on_top(expand(own), extends, path, above) if extends else expand(own)

    def _on_top(self, own: Node, extends: Node, path: File, above: tuple[File, ...]) -> Node | None:
        chain = (*above, path.resolve())
        if refusal := _refused(extends, path, chain):
            self.faults.append(refusal)
            return own
        wanted = path.parent / str(extends.value)
        document = source.read_file(wanted, most=self._left)
        if document.text and not _is_spec(document):
            keys = listed(TELLING, "or")
            message = f"'{extends.value}' is no spec: it has no key {keys}; nothing of it is shown"
            self._fault("NN008", "extends", message, extends.place)
            return own
        base = self._read(document, wanted, chain)
        return merged(_nameless(base), own) if base else None

    def _fault(self, code: str, path: str, message: str, place: Place) -> None:
        self.faults.append(Fault(code, path, message, place))


def _refused(extends: Node, path: File, chain: tuple[File, ...]) -> Fault | None:
    """Why a file may not be read, if it may not."""
    named = extends.value
    message, suggestion = "", None
    if not isinstance(named, str) or not named or _leads_elsewhere(named):
        message = "must be the name of one file, relative to this one"
    elif len(chain) >= MOST_FILES:
        message = f"more than {MOST_FILES} files extend each other"
    else:
        wanted = path.parent / named
        try:
            if wanted.resolve() in chain:
                message = f"'{named}' leads back to itself"
            elif not wanted.is_file():
                message, suggestion = _lost(wanted, named)
            elif wanted.suffix not in files.ENDINGS:
                message = f"'{named}' does not end in {' or '.join(files.ENDINGS)}"
        except (OSError, ValueError, RuntimeError):
            # Too long, with a zero byte, in a folder that is closed to us, or a link to itself.
            message = f"no file can be read under the name {shown(named)}"
    return Fault("NN008", "extends", message, extends.place, suggestion) if message else None


def _leads_elsewhere(named: str) -> bool:
    """Whether it is the path or the address of something that is not kept with the spec.

    A spec is carried to other machines, on which such a path leads to another file or to none.
    """
    windows = PureWindowsPath(named)
    return bool(windows.drive or windows.root or named.startswith("~") or _ADDRESS.match(named))


def _lost(wanted: File, named: str) -> tuple[str, str | None]:
    """Says that there is no such file, or not even its folder; and which one may be meant."""
    folder = File(named).parent
    if not wanted.parent.is_dir():
        return f"there is no folder '{wanted.parent}'", None
    near = nearest(wanted.name, [found.name for found in wanted.parent.glob("*.y*ml")])
    suggestion = (folder / near).as_posix() if near else None
    if wanted.is_dir():
        return f"'{wanted}' is a folder, not a file", None
    if wanted.exists():
        return f"'{wanted}' is a pipe or a device, not a file", None
    return f"there is no file '{wanted}'", suggestion


def _is_spec(document: Document) -> bool:
    """Whether a file is a spec, maybe one with faults, whose lines may be quoted."""
    if _TELLS.search(document.text):
        return True
    if document.root is None:
        return not document.faults
    value = document.root.value
    if not isinstance(value, dict):
        return value is None
    # Or it is a part of one, such as a seed that many have in common.
    return not value.keys().isdisjoint(TELLING) or value.keys() <= _KEYS


def _nameless(base: Node) -> Node:
    """A spec's name is its own: two experiments of one name would be taken for one."""
    assert isinstance(base.value, dict)
    return mapping({key: node for key, node in base.value.items() if key != "name"}, base)
