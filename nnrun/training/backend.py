"""Loads TensorFlow and Keras in less than half the time, and moves their messages to a log.

Both import optional parts: pandas, scikit-learn, Matplotlib, TensorFlow 1 and the converters of
TensorFlow Lite. Here these load on first use.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Self

from nnrun.errors import RunError
from nnrun.spec.text import escape_text

# Modules that Keras and TensorFlow import only by name, never with `from … import`, while they load.
# A version without such a module, or that imports from it, is just as slow as usual.
_SELDOM_USED = frozenset(
    {
        "keras.src.trainers.data_adapters.array_slicing",  # pandas
        "keras.src.visualization",  # Matplotlib
        "keras.visualization",
        "keras.wrappers",  # scikit-learn
        "nnrun.plots",  # Matplotlib
        "tensorflow._api.v2.__internal__.feature_column",
        "tensorflow._api.v2.compat",  # TensorFlow 1
        "tensorflow._api.v2.compat.v1.compat",
        "tensorflow._api.v2.compat.v1.lite",
        "tensorflow._api.v2.compat.v2",
        "tensorflow._api.v2.feature_column",
        "tensorflow._api.v2.lite",
    }
)


class _Waiting(ModuleType):
    """A module that loads when an attribute is first needed.

    Its name and file are set from the start, because `inspect` asks every module for them.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # Reentrant: parts of a module import each other.
        self.__dict__["__loading__"] = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        with own["__loading__"]:
            if own.pop("__waits__", False):
                own["__loader__"].exec_module(self)
                object.__setattr__(self, "__class__", ModuleType)
        return ModuleType.__getattribute__(self, name)


class _Later(Loader):
    """Delays another loader."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Waiting(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__
        module.__loader__ = module.__spec__.loader = self._loader
        module.__dict__["__waits__"] = True


class _Lazily:
    """Finds the seldom used modules and delays their loading."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _SELDOM_USED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = _Later(spec.loader)
        return spec


def load() -> None:
    """Imports Keras and TensorFlow without messages; the user's environment variables stay."""
    if not any(isinstance(finder, _Lazily) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Lazily())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    is_loaded = "keras" in sys.modules
    import keras  # noqa: F401, PLC0415 - Keras loads here

    if not is_loaded:
        # No garbage, and searching it would take 0.2 s in each new Keras session.
        gc.freeze()


class Noise:
    """While entered, standard error goes to a file; `terminal` is the real one.

    Since 2.19 some messages of TensorFlow cannot be switched off: C++ writes them before it reads
    any setting. So the file descriptor is replaced.
    """

    def __enter__(self) -> Self:
        sys.stderr.flush()
        self.terminal: IO[str] = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
        self._file: IO[bytes] = tempfile.TemporaryFile()
        os.dup2(self._file.fileno(), 2)
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        os.dup2(self.terminal.fileno(), 2)
        self.terminal.close()
        self._file.close()

    def move_to(self, log: Path) -> None:
        """Writes to `log` from now on, beginning with the messages so far.

        Raises:
            RunError: it cannot be written.
        """
        self._flush()
        self._file.seek(0)
        before = self._file.read()
        try:
            self._exchange(log.open("ab", buffering=0))
        except OSError as error:
            raise RunError(f"{log}: cannot be written: {error.strerror}") from error
        self._write(before)

    def leave_log(self) -> None:
        """Writes to a temporary file again, until there is another log."""
        self._flush()
        self._exchange(tempfile.TemporaryFile())  # noqa: SIM115 - closed by the next

    def _flush(self) -> None:
        """Flushes Python's buffer; discards it if the file is full, or the exit would fail again."""
        try:
            sys.stderr.flush()
        except OSError:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            sys.stderr.flush()

    def _exchange(self, file: IO[bytes]) -> None:
        os.dup2(file.fileno(), 2)
        self._file.close()
        self._file = file

    def note(self, line: str) -> None:
        """Adds a line to the log."""
        self._write(f"{escape_text(line)}\n".encode())

    def _write(self, text: bytes) -> None:
        try:
            self._file.write(text)
        except OSError as error:
            raise RunError(f"{self._file.name}: cannot be written: {error.strerror}") from error
