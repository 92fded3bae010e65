"""Keeps an interrupt from being lost in code that makes another error of it.

TensorFlow does so while it traces a function, and Matplotlib where it is not Python.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While entered, notes that Ctrl-C or SIGTERM came, and lets them do what they did before."""

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._came: int | None = None

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            # One that is ignored, as in the background of a shell, stays so.
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = number
        self._handlers[number](number, frame)

    def raise_again(self) -> None:
        """Interrupts where something has come and was made into another error, or into none.

        Raises:
            KeyboardInterrupt: as the signal does.
        """
        if self._came is not None:
            self._handlers[self._came](self._came, None)
