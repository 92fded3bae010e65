"""Makes each call that changes a file fail in turn while nnrun runs, and checks what is left.

    python tools/faults/writes.py --subject digits callbacks boston kfold resumed --jobs 2

First the calls of an undisturbed run are counted. Then it runs once per call and kind of fault.
Afterwards there must be no traceback, a documented exit code, one line that names the file and the
reason, no half-written file under its final name, and no number that differs from those of the
undisturbed run. A case that fails is printed; `--only NUMBER` repeats it.
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import injector
import specs
from folders import Contents, contents, differences, final_path, status
from forkserver import HEAVY, LIGHT, Answer, ForkServer
from injector import Action, Call, Fault
from specs import Spec

FAULTS = {
    "full": (Action.FAIL_ON, errno.ENOSPC),
    "full-once": (Action.FAIL_ONCE, errno.ENOSPC),
    "half": (Action.HALF_THEN_FAIL, errno.ENOSPC),
    "half-once": (Action.HALF_ONCE, errno.ENOSPC),
    "quota": (Action.FAIL_ON, errno.EDQUOT),
    "read-only": (Action.FAIL_ON, errno.EROFS),
    "broken": (Action.FAIL_ONCE, errno.EIO),
    "killed": (Action.KILL, errno.EIO),
    "half-killed": (Action.HALF_THEN_KILL, errno.EIO),
}
"""What the call does, and its error, by the name of the fault."""
USUAL = ("full", "half", "read-only", "full-once", "half-once", "half-killed")
KILLS = (Action.KILL, Action.HALF_THEN_KILL)
PERSISTENT = (Action.FAIL_ON, Action.HALF_THEN_FAIL)
REPORTED_CALLS = ("open", "write", "rename", "link", "fsync", "truncate")
"""Calls whose failure is reported; deleting files and making existing folders may fail silently."""


@dataclass(frozen=True)
class Subject:
    """A command that writes a run folder.

    Args:
        verb: `train` or `kfold`.
        spec: of the experiment.
        resumes: the run was started and killed before, and the command resumes it.
    """

    name: str
    verb: str
    spec: Spec
    resumes: bool = False

    def prepare(self, server: ForkServer, folder: Path) -> None:
        """Writes the spec; if the command resumes a run, starts that run and kills it."""
        path = specs.write(folder, self.name, self.spec)
        if not self.resumes:
            return
        counted = server.run(self.verb, path, "--runs", folder / "counted", watched=folder)
        # After half of the epochs, or folds.
        steps = [c for c in counted.calls if c.path.name == "history.csv" or c.name == "mkdir"]
        fault = Fault(steps[len(steps) // 2].number + 1, Action.KILL, errno.EIO)
        stopped = folder / f"{self.name}.stopped"
        server.run(self.verb, path, "--runs", stopped, watched=folder, fault=fault)

    def run(self, server: ForkServer, root: Path, fault: Fault = Fault()) -> Answer:  # noqa: B008
        """Runs the command in an empty folder next to the spec."""
        arguments: tuple[object, ...]
        if self.resumes:
            shutil.copytree(root.parent / f"{self.name}.stopped", root / "runs")
            arguments = ("resume", next((root / "runs").iterdir()))
        else:
            arguments = (self.verb, root.parent / f"{self.name}.yaml", "--runs", root / "runs")
        return server.run(*arguments, watched=root, fault=fault)


WITH_CALLBACKS = specs.train(specs.DIGITS, callbacks=specs.CALLBACKS)
SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("digits", "train", specs.DIGITS),
        Subject("callbacks", "train", WITH_CALLBACKS),
        Subject("boston", "train", specs.BOSTON),
        Subject("kfold", "kfold", specs.BOSTON),
        Subject("resumed", "train", WITH_CALLBACKS, resumes=True),
        Subject("resumed-kfold", "kfold", specs.BOSTON, resumes=True),
    )
}


@dataclass(frozen=True)
class Plan:
    """A subject with the calls and the run folder of its undisturbed run."""

    subject: Subject
    server: ForkServer
    calls: Sequence[Call]
    expected: Contents
    folder: Path

    @classmethod
    def make(cls, subject: Subject, server: ForkServer, folder: Path) -> Plan:
        """Runs a subject undisturbed and counts its calls."""
        subject.prepare(server, folder)
        with tempfile.TemporaryDirectory(dir=folder) as root:
            answer = subject.run(server, Path(root))
            if answer.code:
                raise SystemExit(f"{subject.name} fails undisturbed: {answer.err}")
            [run] = Path(root, "runs").iterdir()
            expected, broken = contents(run)
        if broken:
            raise SystemExit(f"{subject.name} leaves broken files undisturbed: {broken}")
        return cls(subject, server, answer.calls, expected, folder)

    def check(self, name: str, number: int) -> list[str]:
        """Runs the subject with one fault; returns the problems."""
        fault = Fault(number, *FAULTS[name])
        with tempfile.TemporaryDirectory(dir=self.folder) as root:
            answer = self.subject.run(self.server, Path(root), fault)
            problems = list(find_problems(answer, fault, Path(root), self.expected))
        call = self.calls[number - 1]
        case = f"{self.subject.name} {name} {number} ({call.name} {final_path(call.path)})"
        return [f"{case}: {problem}" for problem in problems]

    def sample(self) -> list[tuple[str, int]]:
        """A few cases: each kind of file once, each with another fault."""
        by_file: dict[str, list[Call]] = {}
        for call in self.calls:
            if call.name in ("open", "write", "rename"):
                path = final_path(call.path)
                is_one_kind = path.parent.name in ("plots", "checkpoint")
                by_file.setdefault(path.parent.name if is_one_kind else path.name, []).append(call)
        chosen = []
        for index, calls in enumerate(by_file.values()):
            # A write in the middle, and for every fourth file the last call.
            writes = [call for call in calls if call.name == "write"] or calls
            call = calls[-1] if index % 4 == 3 else writes[len(writes) // 2]
            chosen.append((USUAL[index % len(USUAL)], call.number))
        return chosen

    def check_all(self, arguments: argparse.Namespace) -> int:
        """Runs the chosen cases and prints the problems; returns how many cases failed."""
        numbers = range(1, len(self.calls) + 1, arguments.every)
        cases = [
            (name, number)
            for name in arguments.faults
            for number in ([arguments.only] if arguments.only else numbers)
        ]
        if arguments.short:
            cases = self.sample()
        failed = 0
        with ThreadPoolExecutor(arguments.jobs) as pool:
            for problems in pool.map(lambda case: self.check(*case), cases):
                failed += bool(problems)
                print(*problems, sep="\n", end="\n" if problems else "", flush=True)
        done = f"{len(cases) - failed} of {len(cases)} cases end well"
        print(f"{self.subject.name}: {len(self.calls)} calls, {done}")
        return failed


def find_problems(answer: Answer, fault: Fault, root: Path, expected: Contents) -> Iterator[str]:
    """The problems of a disturbed command and of what it left, as sentences.

    Args:
        answer: of the command.
        fault: the one that was injected.
        root: the folder that the command wrote to.
        expected: the run folder of the undisturbed run.
    """
    yield from _end_problems(answer, fault)
    yield from _message_problems(answer, fault)
    for record in root.glob("runs/*/run.json"):
        yield from _folder_problems(record.parent, answer, fault, expected)
    for log in root.rglob("log.txt"):
        text = log.read_text(errors="replace")
        # The log keeps the traceback of an error in a Keras callback.
        if "Traceback" in text and "/keras/" not in text:
            yield f"a traceback in the log: {text.splitlines()[-1]}"


def _end_problems(answer: Answer, fault: Fault) -> Iterator[str]:
    was_killed = fault.action in KILLS and len(answer.calls) <= fault.number
    if answer.code is None:
        yield "did not end"
    elif answer.code not in ((-9, 0) if was_killed else (0, 1, 2)):
        yield f"ended with {answer.code}"
    if "Traceback" in answer.err:
        yield f"a traceback: {answer.err.strip().splitlines()[-1]}"


def _message_problems(answer: Answer, fault: Fault) -> Iterator[str]:
    """There must be one line that names the file and the reason if a call failed."""
    errors = [line for line in answer.err.splitlines() if line.startswith("error:")]
    if answer.code in (1, 2) and len(errors) != 1:
        yield f"{len(errors)} lines of errors: {errors or answer.err[-300:]}"
    failed = _failed_call(answer.calls, fault)
    if not failed or "Traceback" in answer.err:
        return
    reason = os.strerror(fault.error)
    if answer.code == 0 and reason not in answer.err:
        yield f"does not report that {failed.name} of {final_path(failed.path).name} failed"
    elif answer.code and errors:
        paths = [call.path for call in answer.calls[fault.number - 1 :]]
        names = {final_path(path).name for path in paths} | {str(path.parent) for path in paths}
        if reason not in errors[0] or not any(name in errors[0] for name in names):
            yield f"does not name the file and the reason: {errors[0]}"


def _failed_call(calls: Sequence[Call], fault: Fault) -> Call | None:
    """The first failed call that must be reported."""
    if fault.action in (*KILLS, Action.HALF_ONCE):
        return None
    later = calls[fault.number - 1 :]
    if fault.action not in PERSISTENT:
        # A file that is opened again at once was opened.
        again = len(later) > 1 and (later[0].name, later[0].path) == (later[1].name, later[1].path)
        later = [] if again and later[0].name == "open" else later[:1]
    return next((call for call in later if call.name in REPORTED_CALLS), None)


def _folder_problems(run: Path, answer: Answer, fault: Fault, expected: Contents) -> Iterator[str]:
    actual, broken = contents(run)
    was_killed = answer.code == -9
    # A killed process cannot delete its temporary files, and no process can on a read-only disk.
    is_locked = fault.action is Action.FAIL_ON and fault.error == errno.EROFS
    for problem in broken:
        if "a temporary file" in problem and (was_killed or is_locked):
            continue
        # Keras adds lines to own.csv one by one.
        if not ("own.csv" in problem and was_killed):
            yield problem
    yield from differences(actual, expected, complete=answer.code == 0)
    later = answer.calls[fault.number - 1 :]
    failed = later if fault.action in PERSISTENT else later[:1]
    is_writable = not any("run." in call.path.name for call in failed)
    if status(run) == "running" and not was_killed and is_writable:
        yield "run.json still has the status running"


def main() -> int:
    """Reads the arguments and checks the subjects; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subject", nargs="+", choices=SUBJECTS, default=["digits"])
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=USUAL)
    parser.add_argument("--every", type=int, default=1, help="only every n-th call")
    parser.add_argument("--only", type=int, help="only the call of this number")
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    parser.add_argument("--short", action="store_true", help="each kind of file once")
    arguments = parser.parse_args()
    if reason := injector.missing():
        print(f"skipped: {reason}")
        return 0
    subjects = [SUBJECTS[name] for name in arguments.subject]
    modules = {"train": HEAVY, "kfold": LIGHT}
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="nnrun-writes-"))
        folder = Path(name).resolve()
        shim = injector.compile_shim(folder)
        servers = {
            verb: stack.enter_context(ForkServer(folder, modules=modules[verb], shim=shim))
            for verb in sorted({subject.verb for subject in subjects})
        }
        plans = (Plan.make(subject, servers[subject.verb], folder) for subject in subjects)
        return int(sum(plan.check_all(arguments) for plan in plans) > 0)


if __name__ == "__main__":
    os.environ.pop("NNRUN_RUNS", None)
    sys.exit(main())
