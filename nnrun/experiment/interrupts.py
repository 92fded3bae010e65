"""Handles interrupts: none is lost, and a run that one ends keeps its epochs.

TensorFlow can turn an interrupt into another error while it traces a function, and so can the
compiled part of Matplotlib.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from types import FrameType
from typing import Any, Self

from nnrun.errors import NnrunError
from nnrun.runs import Run, layout

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While entered, records Ctrl-C and SIGTERM, then calls the previous handler."""

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._received: int | None = None

    def __enter__(self) -> Self:
        for number in _SIGNALS:
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
        """Interrupts if a signal was received, in case its interrupt was lost.

        Raises:
            KeyboardInterrupt: as the signal does.
        """
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
    """Writes the final status of a run when the block ends, and saves its results on errors.

    Args:
        run: locked by this process; released at the end.
        save: writes the results so far.
        check_interrupt: raises KeyboardInterrupt if an interrupt was lost.
        save_model: writes the model so far, after an interrupt.
        outcome: status and error of a run that was not stopped.
        clear: removes files that only an unfinished run needs.
        clock: the local time.
    """

    def close(status: str, error: str | None = None) -> None:
        run.update(status=status, ended=clock().isoformat(timespec="seconds"), error=error)

    try:
        with _recover_interrupt(check_interrupt):
            yield
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


@contextmanager
def _recover_interrupt(check_interrupt: Callable[[], None]) -> Iterator[None]:
    """Raises the interrupt that TensorFlow or Matplotlib turned into another error."""
    try:
        yield
    except Exception:
        check_interrupt()
        raise
