"""Kills runs at random moments and resumes them: each must end as if nothing had happened.

    python tools/faults/kills.py --verb train --kills 100 --seed 0
    python tools/faults/kills.py --verb kfold --kills 100

Each experiment runs undisturbed once. Then it is started many times, killed at a moment between its
start and its end, and resumed; some are killed again while they resume. The results must be equal
to the byte, and no epoch before the newest checkpoint may be trained twice.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import injector
import specs
from folders import Contents, contents, differences, status
from forkserver import HEAVY, LIGHT, Answer, ForkServer, Pending, start_fresh
from specs import Spec

KILL_AGAIN = 0.35
"""The probability of a further kill after a run was resumed."""
MAX_KILLS = 3
TARGETS = {"train": ("all",), "kfold": ("all", "all", "parent", "worker")}
"""The processes that a kill may hit."""


def _digits(epochs: int, **training: object) -> Spec:
    """Digits with dropout and with every callback that has a state or writes a file."""
    callbacks = [
        {"EarlyStopping": {"patience": 40, "restore_best_weights": True}},
        {"ReduceLROnPlateau": {"patience": 3, "factor": 0.5}},
        {"CSVLogger": {"filename": "own.csv"}},
        {"ModelCheckpoint": {"filepath": "own.keras", "save_best_only": True}},
    ]
    spec = specs.train(specs.DIGITS, epochs=epochs, callbacks=callbacks, **training)
    first, last = spec["model"]
    return {**spec, "model": [first, {"Dropout": 0.3}, last]}


def _boston() -> Spec:
    callbacks = [{"ReduceLROnPlateau": {"patience": 3}}]
    spec = specs.train(specs.BOSTON, epochs=60, callbacks=callbacks)
    first, last = spec["model"]
    return {**spec, "model": [first, {"Dropout": 0.2}, last]}


EXPERIMENTS = {
    "train": {
        "xla": _digits(120, engine="xla"),
        "graph": _digits(60, engine="graph"),
        "fit": _digits(25, engine="fit", batch_size=32),
    },
    "kfold": {"folds": _boston()},
}


@dataclass(frozen=True)
class Reference:
    """The undisturbed run of an experiment.

    Args:
        seconds: how long it takes, by whether it runs in a fork or in a fresh process.
        contents: of its folder.
        history: the bytes of `history.json`.
    """

    verb: str
    spec: Path
    seconds: Mapping[bool, float]
    contents: Contents
    history: bytes

    @classmethod
    def make(cls, verb: str, name: str, server: ForkServer, folder: Path) -> Reference:
        """Runs an experiment in a fork and in a fresh process; the results must agree."""
        spec = specs.write(folder, name, EXPERIMENTS[verb][name])
        seconds, results = {}, {}
        for is_forked in (True, False):
            root = folder / f"{name}-{is_forked}"
            arguments = (verb, spec, "--runs", root)
            pending = server.start(*arguments) if is_forked else start_fresh(folder, *arguments)
            answer = pending.answer()
            assert answer.code == 0, answer.err
            (run,) = root.iterdir()
            seconds[is_forked] = answer.seconds
            results[is_forked], broken = contents(run)
            assert not broken, broken
        differing = list(differences(results[False], results[True], complete=True))
        assert not differing, f"a fork and a fresh process differ: {differing}"
        return cls(verb, spec, seconds, results[True], (run / "history.json").read_bytes())


@dataclass(frozen=True)
class Progress:
    """The progress of a run, or a fold, when it was killed.

    Args:
        checkpoint: the epochs in the newest one; 0 if there is none.
        is_finished: whether the run was complete.
        log: the size of its log.
    """

    checkpoint: int
    is_finished: bool
    log: int

    @classmethod
    def of(cls, run: Path) -> Progress:
        """Reads it from a run folder."""
        checkpoints = (run / "checkpoint").glob("epoch-*.npz")
        epochs = [int(path.stem.removeprefix("epoch-")) for path in checkpoints]
        log = (run / "log.txt").stat().st_size
        return cls(max(epochs, default=0), status(run) == "finished", log)


@dataclass
class Case:
    """A run that is killed and resumed.

    Args:
        number: of the case.
        reference: the expected result.
        server: whose forks run the command; None for fresh processes.
        rng: chooses the moments.
        moments: a description of each kill.
        problems: as sentences.
    """

    number: int
    reference: Reference
    server: ForkServer | None
    rng: random.Random
    moments: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def run(self) -> Case:
        """Starts the run, kills and resumes it, and compares the results."""
        folder = self.reference.spec.parent
        root = Path(tempfile.mkdtemp(prefix=f"case-{self.number}-", dir=folder)) / "runs"
        try:
            answer = self._kill_and_resume(root)
            self.problems += self._compare(root, answer)
        except Exception as error:  # noqa: BLE001 - the other cases run all the same
            self.problems.append(f"{type(error).__name__}: {error}")
        process = "forked" if self.server else "fresh"
        name = f"{self.reference.spec.stem} {self.number} ({process}, {', '.join(self.moments)})"
        self.problems = [f"{name}: {problem}" for problem in self.problems]
        shutil.rmtree(root.parent, ignore_errors=True)
        return self

    def _kill_and_resume(self, root: Path) -> Answer:
        kills = 1
        while self.rng.random() < KILL_AGAIN and kills < MAX_KILLS:
            kills += 1
        before: dict[Path, Progress] = {}
        while True:
            pending = self._start(root)
            target = self._kill(pending) if kills > 0 else None
            kills -= 1
            answer = pending.answer()
            self.problems += _repeated_epochs(before)
            if not target:
                return answer
            self.moments.append(f"killed {target} {_moment(root)}")
            before = {log.parent: Progress.of(log.parent) for log in root.rglob("log.txt")}

    def _start(self, root: Path) -> Pending:
        run = _find_run(root)
        if run:
            arguments: tuple[object, ...] = ("resume", run)
        else:
            shutil.rmtree(root, ignore_errors=True)
            arguments = (self.reference.verb, self.reference.spec, "--runs", root)
        if self.server:
            return self.server.start(*arguments)
        return start_fresh(self.reference.spec.parent, *arguments)

    def _kill(self, pending: Pending) -> str | None:
        """Kills at a random moment; returns the target, or None if the run ended before."""
        seconds = self.reference.seconds[self.server is not None]
        if pending.ended(self.rng.uniform(0, seconds)):
            return None
        target = self.rng.choice(TARGETS[self.reference.verb])
        if target == "parent":
            os.kill(pending.pid, signal.SIGKILL)
        elif target == "worker":
            workers = _workers(pending.pid)
            if not workers:
                return None
            with suppress(ProcessLookupError):
                os.kill(self.rng.choice(workers), signal.SIGKILL)
        else:
            pending.kill()
        return target

    def _compare(self, root: Path, answer: Answer) -> Iterator[str]:
        if answer.code:
            yield f"the last process ended with {answer.code}: {answer.err[-500:]}"
        run = _find_run(root)
        if not run:
            yield "there is no run"
            return
        expected = self.reference.contents
        actual, broken = contents(run)
        yield from broken
        yield from differences(actual, expected, complete=True)
        if more := sorted(actual.keys() - expected.keys()):
            yield f"files that the undisturbed run lacks: {', '.join(more)}"
        if (run / "history.json").read_bytes() != self.reference.history:
            yield "history.json: its bytes differ from those of the undisturbed run"
        if status(run) != "finished":
            yield f"the run is {status(run)}"
        if list(run.rglob("checkpoint")):
            yield "the checkpoints were not deleted"


def _find_run(root: Path) -> Path | None:
    """The run folder, if it has a spec and a readable record."""
    return next((spec.parent for spec in root.glob("*/spec.yaml") if status(spec.parent)), None)


def _moment(root: Path) -> str:
    run = _find_run(root)
    if run is None:
        return "before the record"
    if (run / "predictions.npz").exists():
        return "after training"
    return "in training" if any(run.rglob("history.csv")) else "before epoch 1"


def _repeated_epochs(before: Mapping[Path, Progress]) -> Iterator[str]:
    """Epochs that were trained again though they are in a checkpoint, or the run was finished."""
    for folder, progress in before.items():
        log = folder / "log.txt"
        text = log.read_bytes() if log.exists() else b""
        # A fold that is trained from the beginning has a new log.
        added = text[progress.log :] if len(text) >= progress.log else text
        trained = [int(epoch) for epoch in re.findall(rb"^epoch (\d+)/", added, re.MULTILINE)]
        if progress.is_finished and trained:
            yield f"{folder.name}: was finished, and was trained again"
        elif trained and min(trained) <= progress.checkpoint:
            yield f"{folder.name}: epoch {min(trained)} after checkpoint {progress.checkpoint}"


def _workers(parent: int) -> list[int]:
    """The worker processes of a cross-validation."""
    workers = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # The name of the program, which may hold anything, ends with the last parenthesis.
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(stat[1]) == parent and b"spawn_main" in (folder / "cmdline").read_bytes():
                workers.append(int(folder.name))
    return workers


def run_cases(
    references: list[Reference], server: ForkServer, arguments: argparse.Namespace
) -> list[Case]:
    """Runs cases until there were enough kills."""
    cases: list[Case] = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        while (missing := arguments.kills - sum(len(case.moments) for case in cases)) > 0:
            batch = []
            for number in range(len(cases), len(cases) + min(missing, 2 * arguments.jobs)):
                rng = random.Random(f"{arguments.seed} {number}")
                # In a fork, no kill can fall into the loading of TensorFlow.
                is_forked = rng.random() > arguments.fresh
                reference = references[number % len(references)]
                batch.append(Case(number, reference, server if is_forked else None, rng))
            for case in pool.map(Case.run, batch):
                print(*case.problems, sep="\n", end="\n" if case.problems else "", flush=True)
            cases += batch
    return cases


def main() -> int:
    """Reads the arguments and kills runs; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--verb", choices=EXPERIMENTS, default="train")
    parser.add_argument("--kills", type=int, default=100, help="minimum number of kills")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--fresh", type=float, default=0.2, help="share not started in a fork")
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    arguments = parser.parse_args()
    if reason := injector.missing():
        print(f"skipped: {reason}")
        return 0
    verb = arguments.verb
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="nnrun-kills-"))
        folder = Path(name).resolve()
        modules = HEAVY if verb == "train" else LIGHT
        server = stack.enter_context(ForkServer(folder, modules=modules))
        references = [Reference.make(verb, name, server, folder) for name in EXPERIMENTS[verb]]
        cases = run_cases(references, server, arguments)
    moments = Counter(moment for case in cases for moment in case.moments)
    equal = sum(len(case.moments) for case in cases if not case.problems)
    print("; ".join(f"{count} {moment}" for moment, count in moments.most_common()))
    print(f"{equal} of {moments.total()} kills end equal, in {len(cases)} runs of {verb}")
    return int(equal < moments.total())


if __name__ == "__main__":
    sys.exit(main())
