"""Loads TensorFlow and Keras in less than half the time, and moves their messages to a log.

Both import optional parts: pandas, scikit-learn, Matplotlib, TensorFlow 1 and the converters of
TensorFlow Lite. Here these load on first use.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import IO, Self

from nnrun.errors import NnrunError, RunError
from nnrun.runs import Run, layout
from nnrun.spec.component import MOST_LAYERS
from nnrun.spec.text import escape_text

# Modules that Keras and TensorFlow import only by name, never with `from … import`, while they load.
# A version without such a module, or that imports from it, is just as slow as usual.
_LAZY_MODULES = frozenset(
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


class _LazyModule(ModuleType):
    """A module that loads when an attribute is first needed.

    Unlike one of `importlib.util.LazyLoader`, it has its name and file from the start, because
    `inspect` reads them from every module.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # Reentrant: parts of a module import each other.
        self.__dict__["__loading__"] = threading.RLock()

    def __getattr__(self, name: str) -> object:
        with self.__dict__["__loading__"]:
            if self.__dict__.pop("__unloaded__", False):
                self.__dict__["__loader__"].exec_module(self)
                object.__setattr__(self, "__class__", ModuleType)
        return ModuleType.__getattribute__(self, name)


class _LazyLoader(Loader):
    """Finds the modules of `_LAZY_MODULES`, and delays their loaders."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _LAZY_MODULES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = cls(spec.loader)
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _LazyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__
        module.__loader__ = module.__spec__.loader = self._loader
        module.__dict__["__unloaded__"] = True


def load() -> None:
    """Imports Keras and TensorFlow without messages; the user's environment variables stay."""
    if _LazyLoader not in sys.meta_path:
        sys.meta_path.insert(0, _LazyLoader)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    is_loaded = "keras" in sys.modules
    import keras  # noqa: F401, PLC0415 - Keras loads here

    if not is_loaded:
        # Keras visits the layers of a model by recursion, a few calls for each.
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 20 * MOST_LAYERS))
        # Loaded modules are no garbage, and searching them takes 0.2 s in each Keras session.
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
        """Writes to `log` from now on, beginning with the messages so far."""
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
        """Flushes Python's buffer; discards it if the file is full, else the exit fails again."""
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
        """Writes a line to the log."""
        self._write(f"{escape_text(line)}\n".encode())

    def _write(self, text: bytes) -> None:
        try:
            self._file.write(text)
        except OSError as error:
            raise RunError(f"{self._file.name}: cannot be written: {error.strerror}") from error


class Interrupts:
    """While entered, records Ctrl-C, SIGTERM and SIGHUP, then calls the previous handler.

    TensorFlow can turn an interrupt into another error while it traces a function, and so can the
    compiled part of Matplotlib.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._received: int | None = None

    def __enter__(self) -> Self:
        hangup = getattr(signal, "SIGHUP", signal.SIGTERM)  # Windows has none
        for number in {signal.SIGINT, signal.SIGTERM, hangup}:
            handler = signal.getsignal(number)
            # An ignored signal, as in the background of a shell, stays ignored.
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._record)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _record(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        self._handlers[number](number, frame)

    def check(self) -> None:
        """Raises KeyboardInterrupt, as the signal does, if a signal was received."""
        if self._received is not None:
            self._handlers[self._received](self._received, None)


@contextmanager
def keep_run(
    run: Run,
    save: Callable[[], None],
    *,
    check_interrupt: Callable[[], None],
    save_model: Callable[[], None] = lambda: None,
    outcome: Callable[[], tuple[str, str | None]] = lambda: (layout.FINISHED, None),
    clear: Callable[[], None] = lambda: None,
    clock: Callable[[], datetime] = datetime.now,
) -> Iterator[None]:
    """Writes the final status of a run when the block ends, saves its results, and releases it.

    Args:
        save: writes the results so far, after an error.
        check_interrupt: raises KeyboardInterrupt if an interrupt was lost.
        save_model: writes the model so far, after an interrupt.
        outcome: status and error of a run that was not stopped.
        clear: removes files that only an unfinished run needs.
    """

    def close(status: str, error: str | None = None) -> None:
        run.update(status=status, ended=clock().isoformat(timespec="seconds"), error=error)

    try:
        try:
            yield
        except Exception:
            # TensorFlow or Matplotlib may have turned an interrupt into this error.
            check_interrupt()
            raise
        close(*outcome())
    except KeyboardInterrupt as interrupt:
        # The status is written first: a second Ctrl-C ends the process at once.
        close(layout.INTERRUPTED)
        try:
            save_model()
            save()
            run.update()
        except ValueError:
            # A second Ctrl-C in the compiled part of Matplotlib.
            raise interrupt from None
        raise
    except Exception as error:
        # An error while saving, often the same one, must not hide the first error.
        with suppress(NnrunError):
            close(layout.FAILED, str(error) if isinstance(error, NnrunError) else repr(error))
            save()
            run.update()
        raise
    else:
        # Only now: a run that is killed earlier resumes from these files.
        clear()
    finally:
        run.release()
