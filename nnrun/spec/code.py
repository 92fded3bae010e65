"""Python files of the user, named under `code`: reads them, and runs them once they are allowed.

A file is read once: the bytes that were checked are those that run and that the run folder keeps.
All files of a spec are the modules of one package, so they never hide or replace other modules,
and import each other with a dot.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import keyword
import linecache
import os
import random
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path, PureWindowsPath
from types import ModuleType
from typing import Annotated

import platformdirs
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from nnrun.errors import CodeError, Fault, IncompatibleSpec
from nnrun.spec.files import opened
from nnrun.spec.suggest import nearest
from nnrun.spec.text import quote
from nnrun.spec.tree import Node

PACKAGE = "nnrun_code"
"""The package of all files of a spec."""
FOLDER = "code"
"""The folder of the files in a run folder."""
NAME = r"^[A-Za-z_]\w*\.[A-Za-z_]\w*$"
"""A name in a file, such as `layers.Gate`."""
MOST_FILES = 50
MOST_BYTES = 500_000
ENDING = ".py"


@dataclass(frozen=True)
class CodeFile:
    """A Python file of the user.

    Args:
        path: absolute, or relative to the working directory.
        content: as it was when the spec was read.
    """

    path: Path
    content: bytes = b""

    @property
    def module(self) -> str:
        """What comes before the dot in a name such as `layers.Gate`."""
        return self.path.stem

    @property
    def kept(self) -> str:
        """Its path in a run folder."""
        return f"{FOLDER}/{self.path.name}"

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of its content."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def lines(self) -> list[str]:
        """Its lines, to show them beside an error."""
        return self.content.decode("utf-8", errors="replace").splitlines()


def _parse(value: object) -> CodeFile:
    if isinstance(value, CodeFile):
        return value
    if not isinstance(value, str) or not value:
        raise PydanticCustomError("code_file", "expected the name of a Python file")
    return CodeFile(Path(value))


PythonFile = Annotated[
    CodeFile,
    BeforeValidator(_parse),
    PlainSerializer(lambda file: file.kept),
    WithJsonSchema({"type": "string", "pattern": r"\.py$"}),
]


def read(root: Node, *, given: Sequence[str]) -> tuple[tuple[CodeFile, ...], list[Fault]]:
    """The files under `code`, and what is wrong with them.

    Args:
        root: of the spec.
        given: sources of values that are not files; their paths are relative to this folder.
    """
    node = root.child(FOLDER)
    items = node.value if node is not None and isinstance(node.value, tuple) else ()
    files: list[CodeFile] = []
    faults: list[Fault] = []
    for index, item in enumerate(items):
        if not isinstance(item.value, str) or not item.value:
            continue  # a fault of its type
        folder = Path() if item.place.source in given else Path(item.place.source).parent
        try:
            if index >= MOST_FILES:
                raise _Refused(f"more than {MOST_FILES} files")
            files.append(_read(item.value, folder, files))
        except _Refused as error:
            message, suggestion = error.args if len(error.args) == 2 else (*error.args, None)
            faults.append(Fault("NN130", f"code[{index}]", message, item.place, suggestion))
    return tuple(files), faults


def on_its_own(path: Path) -> CodeFile | None:
    """A Python file without a spec; None if there is none."""
    if path.suffix != ENDING or not path.is_file():
        return None
    with suppress(_Refused):
        return CodeFile(path, _content(str(path), path))
    return None


class _Refused(Exception):
    """Why a file is not taken, and maybe the name that was meant."""


def _read(name: str, folder: Path, before: Sequence[CodeFile]) -> CodeFile:
    windows = PureWindowsPath(name)
    if windows.drive or windows.root or name[0] == "~" or "://" in name:
        # It would not work on other machines.
        raise _Refused(f"must be a file relative to this one, got {quote(name)}")
    if not name.endswith(ENDING):
        raise _Refused(f"must be a Python file that ends in {ENDING}, got {quote(name)}")
    file = CodeFile(folder / name)
    if not file.module.isidentifier() or keyword.iskeyword(file.module):
        raise _Refused(f"{quote(file.module)} cannot be the name of a Python module; rename it")
    if file.module in (other.module for other in before):
        raise _Refused(f"there are two files {quote(file.path.name)}; rename one")
    return CodeFile(file.path, _content(name, file.path))


def _content(name: str, path: Path) -> bytes:
    try:
        # A link must not lead to another kind of file, whose lines an error would show.
        if path.resolve().suffix != ENDING:
            raise _Refused(f"{quote(name)} is a link to a file that does not end in {ENDING}")
        with opened(path) as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                raise _Refused(f"{quote(name)} is larger than {MOST_BYTES // 1000} kB")
            return file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        near = None
        with suppress(OSError):
            near = nearest(path.name, [other.name for other in path.parent.glob(f"*{ENDING}")])
        raise _Refused(f"there is no file {quote(name)}", near) from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _Refused(f"{quote(name)} cannot be read: {reason}") from error


# Permission

_ALLOWED: set[str] = set()
"""Digests that this process may run."""


def allow(files: Sequence[CodeFile], *, remember: bool = True) -> str | None:
    """Allows files, in this process and, if remembered, in all later ones of this user.

    Returns:
        Why it could not be remembered, if so.
    """
    _ALLOWED.update(file.digest for file in files)
    new = {file.digest: file for file in files} if remember else {}
    for digest in _remembered():
        new.pop(digest, None)
    try:
        if new:
            path = allowed_file()
            path.parent.mkdir(parents=True, exist_ok=True)
            text = "".join(f"{digest}  {file.path.name}\n" for digest, file in new.items())
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            with os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        return f"{error.filename or allowed_file()}: {error.strerror}"
    return None


def allowed_file() -> Path:
    """The list of allowed files: the SHA-256 and the name of one in each line."""
    return platformdirs.user_config_path("nnrun") / "allowed-code.txt"


def _remembered() -> frozenset[str]:
    with suppress(OSError), opened(allowed_file()) as file:
        return frozenset(line[:64].decode("ascii", "replace") for line in file)
    return frozenset()


def check_allowed(files: Sequence[CodeFile]) -> None:
    """Refuses files that are not allowed.

    Raises:
        IncompatibleSpec: with the place of the first in the spec, and how to allow it.
    """
    if all(file.digest in _ALLOWED for file in files):
        return
    _ALLOWED.update(_remembered())
    unknown = [(index, file) for index, file in enumerate(files) if file.digest not in _ALLOWED]
    if unknown:
        names = ", ".join(file.path.name for _, file in unknown)
        raise IncompatibleSpec(
            "NN132",
            (FOLDER, unknown[0][0]),
            f"the spec runs Python code ({names}) that you have not allowed yet; read it, then add "
            "--allow-code, once for each version of a file",
        )


# Modules


@dataclass
class _Active:
    """The files whose names have a meaning at present."""

    files: tuple[CodeFile, ...] = ()

    def file(self, module: str) -> CodeFile | None:
        """The file of a module of the package."""
        return next((f for f in self.files if f"{PACKAGE}.{f.module}" == module), None)


_ACTIVE = _Active()


def activate(files: Sequence[CodeFile]) -> None:
    """Gives the names of some files their meaning; no file runs before one of its names is used.

    Raises:
        IncompatibleSpec: a file is not allowed.
    """
    check_allowed(files)
    if [(file.module, file.digest) for file in files] == [
        (file.module, file.digest) for file in _ACTIVE.files
    ]:
        return
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    _ACTIVE.files = tuple(files)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder, Loader):
    """Finds the package of the user's files, and runs their content as it was read."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The package, or a file in it; nothing else."""
        if name == PACKAGE:
            return ModuleSpec(name, self, is_package=True)
        file = _ACTIVE.file(name)
        return ModuleSpec(name, self, origin=str(file.path)) if file else None

    def exec_module(self, module: ModuleType) -> None:
        """Runs a file."""
        file = _ACTIVE.file(module.__name__)
        if file is None:
            return
        name = str(file.path)
        module.__file__ = name
        # TensorFlow and tracebacks read sources from here, even if the file changes meanwhile.
        lines = [f"{line}\n" for line in file.lines]
        linecache.cache[name] = (len(file.content), None, lines, name)
        exec(compile(file.content, name, "exec", dont_inherit=True), vars(module))  # noqa: S102


def modules() -> Iterator[ModuleType]:
    """The modules of all active files, which run if they have not yet.

    Raises:
        CodeError: a file raised an error.
    """
    for file in _ACTIVE.files:
        yield _module(file.module)


def find(name: str) -> object:
    """The object with a name such as `layers.Gate`; errors as of `modules`."""
    module, _, attribute = name.partition(".")
    return getattr(_module(module), attribute)


def is_own(name: str) -> bool:
    """Whether a name is one of the user's code: those of Keras have no dot."""
    return "." in name


def _module(name: str) -> ModuleType:
    full = f"{PACKAGE}.{name}"
    if full not in sys.modules:
        # What a file draws while it is imported is the same in each process.
        seed_python(0)
    try:
        return importlib.import_module(full)
    except Exception as error:
        raise blame(error) or error from error


def seed_python(seed: int) -> None:
    """Seeds the global random numbers of Python and NumPy, and of Keras if it is loaded."""
    random.seed(seed)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(seed)
    elif "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)


# Errors

# TensorFlow quotes the lines of a function that it has converted.
_IN_GRAPH = re.compile(r'File "([^"\n]+)", line (\d+), in (\w+)')
# Keras puts lines that begin so before the message of an error in a layer.
AROUND = ("Exception encountered when calling", "Could not automatically infer")
_COLOUR = re.compile(r"\x1b\[\d*m")


@dataclass(frozen=True)
class Line:
    """A line of the user's code that raised an error."""

    file: CodeFile
    number: int
    function: str

    def __str__(self) -> str:
        return f"{self.file.path.name}, line {self.number}"


def line_of(error: BaseException) -> Line | None:
    """The last line of the user's code on the way to an error, if there is one."""
    by_name = {str(file.path): file for file in _ACTIVE.files}
    if not by_name:
        return None
    frames = [
        (f.filename, f.lineno or 1, f.name) for f in traceback.extract_tb(error.__traceback__)
    ]
    quoted = _IN_GRAPH.findall(str(error))
    if isinstance(error, SyntaxError) and error.filename in by_name:
        frames.append((error.filename, error.lineno or 1, "<module>"))
    for name, number, function in reversed([*frames, *quoted]):
        if name in by_name:
            return Line(by_name[name], int(number), function)
    return line_of(error.__cause__) if error.__cause__ else None


def blame(error: BaseException) -> CodeError | None:
    """The error as one of the user's code, with its line; None if it is not from there."""
    line = line_of(error)
    if line is None:
        return None
    lines_of_error = map(str.strip, _COLOUR.sub("", str(error)).splitlines())
    messages = [text for text in lines_of_error if text and not text.startswith(AROUND)]
    # TensorFlow puts the message last, after the lines that it quotes.
    message = (messages[-1] if _IN_GRAPH.search(str(error)) else messages[0]) if messages else ""
    kind = type(error).__name__
    message = message if not message or message.startswith(kind) else f"{kind}: {message}"
    where = "" if line.function.startswith("<") else f" in {line.function}"
    lines = line.file.lines
    text = lines[line.number - 1].strip() if line.number <= len(lines) else ""
    return CodeError(f"{line.file.path}:{line.number}:{where} {message or kind}\n    {text}")


def is_installed(name: str) -> bool:
    """Whether a top-level module can be imported; nothing is run."""
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False
