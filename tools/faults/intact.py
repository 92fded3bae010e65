"""Run folders as they come into being, finished and stopped, before anything becomes of them."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import specs
from folders import Said, contents, differences
from forkserver import ForkServer, Pending

EPOCHS = 10
SLOW = specs.with_callbacks(specs.DIGITS, *specs.WRITING, specs.STOPPING)
SLOW |= {"training": SLOW["training"] | {"epochs": EPOCHS, "engine": "fit", "batch_size": 16}}
PATIENCE = 120.0  # seconds


@dataclass(frozen=True)
class Intact:
    """A run folder that is as it should be.

    Args:
        run: its path.
        whole: what an undisturbed run says, of `folders.contents`; None where this is finished.
    """

    name: str
    run: Path
    whole: Mapping[str, Said] | None = None

    @property
    def lines(self) -> list[bytes]:
        """Of the table of epochs while it grows; afterwards it is known by its digest."""
        lines = _table(self.run).splitlines(keepends=True)
        return lines if lines[0].endswith(b",crc32\n") else []

    def earlier(self, folder: Path) -> Iterator[Intact]:
        """Copies as a kill after each of the epochs before would have left this run."""
        for count in range(1, len(self.lines)):
            name = f"{self.name}-{count}"
            run = Path(shutil.copytree(self.run, folder / name / self.run.name))
            (run / "history.csv").write_bytes(b"".join(self.lines[:count]))
            yield Intact(name, run, self.whole)

    def as_of(self, run: Path) -> str:
        """The name of the earlier one whose table a changed copy has, or of this one.

        What has lost whole lines at its end is no other than the table of an earlier kill.
        """
        table = _table(run)
        whole = table[: table.rfind(b"\n") + 1].splitlines(keepends=True)
        is_cut = 0 < len(whole) < len(self.lines) and whole == self.lines[: len(whole)]
        return f"{self.name}-{len(whole)}" if is_cut else self.name

    def disagreements(self, run: Path) -> Iterator[str]:
        """What a copy, resumed, says otherwise than an undisturbed run, as sentences."""
        if self.whole is not None:
            found, broken = contents(run)
            yield from broken
            yield from differences(found, self.whole, whole=True)


def other(server: ForkServer, folder: Path) -> Path:
    """A finished run of the same rows and another model, to be compared with."""
    model = [{"Dense": {"units": 20, "activation": "tanh"}}, specs.DIGITS["model"][1]]
    spec = specs.written(folder, "other", specs.DIGITS | {"model": model})
    return _finished(server, "train", spec)


def trained(server: ForkServer, folder: Path) -> list[Intact]:
    """A finished run, one of the same spec that was interrupted, and one that was killed."""
    slow = specs.written(folder, "digits", SLOW)
    whole = _finished(server, "train", slow)
    known, _ = contents(whole)
    return [
        Intact("finished", whole),
        Intact("interrupted", _stopped(server, folder, slow, signal.SIGINT), known),
        Intact("killed", _stopped(server, folder, slow, signal.SIGKILL), known),
    ]


def cross_validated(server: ForkServer, folder: Path) -> Intact:
    """A finished cross-validation."""
    boston = specs.written(folder, "boston", specs.BOSTON)
    return Intact("cross-validation", _finished(server, "kfold", boston))


def _finished(server: ForkServer, verb: str, spec: Path) -> Path:
    root = spec.with_suffix(".finished")
    answer = server.run(verb, spec, "--runs", root)
    assert answer.code == 0, answer.err
    return next(root.iterdir())


def _stopped(server: ForkServer, folder: Path, spec: Path, number: int) -> Path:
    root = folder / signal.Signals(number).name
    pending = server.start("train", spec, "--runs", root)
    _wait_for_epochs(pending, root, 3)
    os.kill(pending.pid, number)
    pending.answer()
    return next(root.iterdir())


def _wait_for_epochs(pending: Pending, root: Path, epochs: int) -> None:
    until = time.monotonic() + PATIENCE
    while not any(_lines(path) > epochs for path in root.glob("*/history.csv")):
        assert time.monotonic() < until, "waited in vain for an epoch"
        assert not pending.ended(0.02), "ended before it could be stopped"


def _table(run: Path) -> bytes:
    path = run / "history.csv"
    return path.read_bytes() if path.is_file() else b""


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")
