"""Loads TensorFlow and Keras without what they load for others, in less than half the time.

Both import, in case somebody wants them, pandas, scikit-learn, Matplotlib, the whole of TensorFlow
1 and the converters of TensorFlow Lite. Here these wait until somebody touches them.
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

# Each is asked for by its name alone, never with `from … import`, while Keras and TensorFlow load.
# A version that has no such module, or imports from it, is only as slow as it would be anyway.
_SELDOM_USED = frozenset(
    {
        "keras.src.trainers.data_adapters.array_slicing",  # pandas
        "keras.src.visualization",  # Matplotlib
        "keras.visualization",
        "keras.wrappers",  # scikit-learn
        "nnrun.plots",  # Matplotlib; drawn is at the end
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
    """A module that is loaded as soon as something is asked of it that only loading gives it.

    It has its name and its file from the start: whoever looks for the module that some code is of,
    as `inspect` does, asks every module for these.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # The thread that loads it may ask again, because parts of a module import each other.
        self.__dict__["__loading__"] = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        with own["__loading__"]:
            if own.pop("__waits__", False):
                own["__loader__"].exec_module(self)
                object.__setattr__(self, "__class__", ModuleType)
        return ModuleType.__getattribute__(self, name)


class _Later(Loader):
    """Does what another loader does, when it is time."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Waiting(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__
        module.__loader__ = module.__spec__.loader = self._loader
        module.__dict__["__waits__"] = True


class _Lazily:
    """Finds the modules that are seldom used, and lets them wait."""

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
    """Imports Keras and TensorFlow, quietly; what they read is a person's choice but the backend."""
    if not any(isinstance(finder, _Lazily) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Lazily())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    before = "keras" in sys.modules
    import keras  # noqa: F401, PLC0415 - Keras loads here

    if not before:
        # None of it is garbage, and looking through it would take 0.2 s whenever Keras begins anew.
        gc.freeze()


# Which device computes.


# The only place that touches Keras's global seed.


# Keeps TensorFlow's messages off the screen and in the log.
#
# Since 2.19 a part of them cannot be switched off: they are written by C++ before any setting is
# read. So the file behind standard error is exchanged while TensorFlow is in use.


class Noise:
    """While entered, whatever is written to standard error goes to a file.

    `terminal` is the true standard error, for what a person should see.
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
        self._file.close()

    def move_to(self, log: Path) -> None:
        """From now on the file is `log`, and begins with what came before.

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
        """From now on the file is a passing one again, until there is another log."""
        self._flush()
        self._exchange(tempfile.TemporaryFile())  # noqa: SIM115 - closed by the next

    def _flush(self) -> None:
        """Lets the file have what Python still holds, or nobody: at its end it would try again."""
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
