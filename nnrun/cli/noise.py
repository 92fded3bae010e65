"""Keeps TensorFlow's messages off the screen and in the log.

Since 2.19 a part of them cannot be switched off: they are written by C++ before any setting is
read. So the file behind standard error is exchanged while TensorFlow is in use.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import IO, Self

from nnrun import inert
from nnrun.errors import RunError


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
        self._write(f"{inert.text(line)}\n".encode())

    def _write(self, text: bytes) -> None:
        try:
            self._file.write(text)
        except OSError as error:
            raise RunError(f"{self._file.name}: cannot be written: {error.strerror}") from error
