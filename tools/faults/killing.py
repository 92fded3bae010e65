"""One run that is killed and resumed until it ends, and what is then compared."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import specs
from folders import Said, contents, differences
from forkserver import Answer, ForkServer, Pending, fresh

MORE = 0.35
"""How likely a run is killed once more after it was resumed."""
MOST = 3
"""So often a run is killed at most."""
WAYS = {"train": ("all",), "kfold": ("all", "all", "parent", "worker")}
"""Whom a kill hits."""


@dataclass(frozen=True)
class Subject:
    """An experiment that is killed."""

    name: str
    verb: str
    spec: Mapping[str, Any]


def _digits(epochs: int, **training: Any) -> dict[str, Any]:
    """Digits with dropout and with every callback that has a state or writes a file."""
    callbacks = [
        {"EarlyStopping": {"patience": 40, "restore_best_weights": True}},
        {"ReduceLROnPlateau": {"patience": 3, "factor": 0.5}},
        {"CSVLogger": {"filename": "own.csv"}},
        {"ModelCheckpoint": {"filepath": "own.keras", "save_best_only": True}},
    ]
    model = [specs.DIGITS["model"][0], {"Dropout": 0.3}, specs.DIGITS["model"][1]]
    given = {"epochs": epochs, "callbacks": callbacks, **training}
    return specs.DIGITS | {"model": model, "training": specs.DIGITS["training"] | given}


_BOSTON = specs.BOSTON | {
    "model": [{"Dense": {"units": 16, "activation": "relu"}}, {"Dropout": 0.2}, {"Dense": 1}],
    "training": specs.BOSTON["training"]
    | {"epochs": 60, "callbacks": [{"ReduceLROnPlateau": {"patience": 3}}]},
}
SUBJECTS = (
    Subject("xla", "train", _digits(120, engine="xla")),
    Subject("graph", "train", _digits(60, engine="graph")),
    Subject("fit", "train", _digits(25, engine="fit", batch_size=32)),
    Subject("folds", "kfold", _BOSTON),
)


@dataclass(frozen=True)
class Reference:
    """What comes out of an experiment that nobody disturbs.

    Args:
        seconds: how long it takes in a fork, and in a fresh process.
        known: what its files say, of `folders.contents`.
        history: the bytes of `history.json`.
    """

    name: str
    verb: str
    spec: Path
    seconds: Mapping[bool, float]
    known: Mapping[str, Said]
    history: bytes


def refer(
    subject: Subject, server: ForkServer, folder: Path, *, ways: Sequence[bool] = (True, False)
) -> Reference:
    """Runs an experiment undisturbed.

    Args:
        subject: the experiment.
        server: whose forks run the command.
        folder: for the spec and the runs.
        ways: in a fork, in a fresh process; where it is both, they must agree.
    """
    spec = specs.written(folder, subject.name, dict(subject.spec))
    seconds, known = {}, {}
    for forked in ways:
        root = folder / f"{subject.name}-{forked}"
        arguments = (subject.verb, spec, "--runs", root)
        answer = (server.start(*arguments) if forked else fresh(folder, *arguments)).answer()
        assert answer.code == 0, answer.err
        (run,) = root.iterdir()
        seconds[forked] = answer.seconds
        known[forked], broken = contents(run)
        assert not broken, broken
    for each in known.values():
        differing = list(differences(each, known[ways[0]], whole=True))
        assert not differing, f"a fork computes something else than a fresh process: {differing}"
    history = (run / "history.json").read_bytes()
    return Reference(subject.name, subject.verb, spec, seconds, known[ways[0]], history)


@dataclass
class Outcome:
    """How a case ended: where each kill fell, and what is wrong, as sentences."""

    moments: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass
class Case:
    """A run that is killed.

    Args:
        number: of the case.
        reference: what must come out.
        server: whose forks run the command; None for fresh processes.
        rng: decides on the moments.
    """

    number: int
    reference: Reference
    server: ForkServer | None
    rng: random.Random

    def run(self) -> Outcome:
        """Begins the run, kills and resumes it, and compares what comes out."""
        outcome = Outcome()
        folder = self.reference.spec.parent
        root = Path(tempfile.mkdtemp(prefix=f"case-{self.number}-", dir=folder)) / "runs"
        try:
            answer = self._killed(root, outcome)
            outcome.wrong += self._complaints(root, answer)
        except Exception as error:  # noqa: BLE001 - the other experiments are tried all the same
            outcome.wrong.append(f"{type(error).__name__}: {error}")
        way = "forked" if self.server else "fresh"
        about = f"{self.reference.name} {self.number} ({way}, killed {', '.join(outcome.moments)})"
        outcome.wrong = [f"{about}: {sentence}" for sentence in outcome.wrong]
        shutil.rmtree(root.parent, ignore_errors=True)
        return outcome

    def _killed(self, root: Path, outcome: Outcome) -> Answer:
        """Kills and resumes until the run ends; returns how it ended."""
        kills = 1
        while self.rng.random() < MORE and kills < MOST:
            kills += 1
        before: dict[Path, Standing] = {}
        while True:
            pending = self._start(root)
            hit = kills > 0 and self._kill(pending)
            kills -= 1
            answer = pending.answer()
            outcome.wrong += _repeated(before)
            if not hit:
                return answer
            outcome.moments.append(f"{hit} {_moment(root)}")
            before = _standings(root)

    def _start(self, root: Path) -> Pending:
        run = _run(root)
        if run:
            arguments: tuple[object, ...] = ("resume", run)
        else:
            # Nothing begun, so nothing that could be gone on with.
            shutil.rmtree(root, ignore_errors=True)
            arguments = (self.reference.verb, self.reference.spec, "--runs", root)
        if self.server:
            return self.server.start(*arguments)
        return fresh(self.reference.spec.parent, *arguments)

    def _kill(self, pending: Pending) -> str | None:
        """Kills at a moment; returns whom, None where the run ended before."""
        seconds = self.reference.seconds[self.server is not None]
        if pending.ended(self.rng.uniform(0, seconds)):
            return None
        way = self.rng.choice(WAYS[self.reference.verb])
        if way == "parent":
            os.kill(pending.pid, signal.SIGKILL)
        elif way == "worker":
            workers = _workers(pending.pid)
            if not workers:
                return None
            with suppress(ProcessLookupError):
                os.kill(self.rng.choice(workers), signal.SIGKILL)
        else:
            pending.kill()
        return way

    def _complaints(self, root: Path, answer: Answer) -> Iterator[str]:
        if answer.code:
            yield f"the last process ended with {answer.code}: {answer.err[-500:]}"
        run = _run(root)
        if not run:
            yield "there is no run"
            return
        found, broken = contents(run)
        yield from broken
        yield from differences(found, self.reference.known, whole=True)
        if more := sorted(found.keys() - self.reference.known.keys()):
            yield f"there is more than in the undisturbed run: {', '.join(more)}"
        if (run / "history.json").read_bytes() != self.reference.history:
            yield "history.json: other bytes than in the undisturbed run"
        if found["run.json"]["status"] != "finished":
            yield f"the run is {found['run.json']['status']}"
        if list(run.rglob("checkpoint")):
            yield "the checkpoints are still there"


def _run(root: Path) -> Path | None:
    """The run folder, if it has a spec, and a record that can be read."""
    for spec in root.glob("*/spec.yaml"):
        with suppress(OSError, ValueError):
            json.loads((spec.parent / "run.json").read_text())
            return spec.parent
    return None


def _moment(root: Path) -> str:
    """How far a run had come when it was killed."""
    run = _run(root)
    if run is None:
        return "before anything"
    if (run / "predictions.npz").exists():
        return "after training"
    return "in training" if any(run.rglob("history.csv")) else "before epoch 1"


@dataclass(frozen=True)
class Standing:
    """How far a run, or a fold, had come when it was killed.

    Args:
        checkpoint: the newest, by the epochs done; 0 where there is none.
        finished: whether it was done.
        log: how long its log was.
    """

    checkpoint: int
    finished: bool
    log: int


def _standings(root: Path) -> dict[Path, Standing]:
    return {
        log.parent: Standing(
            max(map(_epoch, (log.parent / "checkpoint").glob("epoch-*.npz")), default=0),
            _is_finished(log.parent),
            log.stat().st_size,
        )
        for log in root.rglob("log.txt")
    }


def _epoch(checkpoint: Path) -> int:
    return int(checkpoint.stem.removeprefix("epoch-"))


def _is_finished(run: Path) -> bool:
    try:
        return bool(json.loads((run / "run.json").read_text())["status"] == "finished")
    except (OSError, ValueError, KeyError):
        return False


def _repeated(before: Mapping[Path, Standing]) -> Iterator[str]:
    """Which epochs were trained though a checkpoint, or the end, lay behind them."""
    for folder, standing in before.items():
        log = folder / "log.txt"
        text = log.read_bytes() if log.exists() else b""
        # A fold that is begun anew has a new log.
        added = text[standing.log :] if len(text) >= standing.log else text
        trained = [int(epoch) for epoch in re.findall(rb"^epoch (\d+)/", added, re.MULTILINE)]
        if standing.finished and trained:
            yield f"{folder.name}: was finished, and was trained again"
        elif trained and min(trained) <= standing.checkpoint:
            yield f"{folder.name}: epoch {min(trained)} after checkpoint {standing.checkpoint}"


def _workers(pid: int) -> list[int]:
    """The worker processes of a cross-validation."""
    everyone = (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit())
    return [each for each in everyone if _is_worker(each, pid)]


def _is_worker(pid: int, parent: int) -> bool:
    with suppress(OSError):
        # The name of the program, which may hold anything, ends with the last parenthesis.
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(stat[1]) == parent and b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
