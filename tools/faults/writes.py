"""Lets every call that changes a file go wrong in turn while nnrun runs, and looks at what is left.

    python tools/faults/writes.py --subject digits callbacks boston kfold resume --jobs 2

First the calls of an undisturbed run are counted. Then it is run once per call and way of going
wrong. After each there must be no traceback, an exit code that is meant, one line that names the
file and the reason, no half-written file under its final name, and in what there is no other number
than in the undisturbed run. A case that is not so is printed, and can be had again with `--only`.
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import injector
from disturbed import MADE, Subject, complaints
from folders import contents, final
from forkserver import HEAVY, LIGHT, Answer, ForkServer
from injector import Action, Call, Fault

WAYS = {
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
"""What becomes of a call, by name."""
USUAL = ("full", "full-once", "half", "half-once", "read-only", "half-killed")


@dataclass(frozen=True)
class Plan:
    """An experiment that is disturbed, its calls, and what comes out of it undisturbed."""

    subject: Subject
    server: ForkServer
    calls: Sequence[Call]
    known: dict[str, Any]
    folder: Path

    def check(self, way: str, number: int) -> list[str]:
        """Runs one case; returns what is wrong with what is left, as sentences."""
        action, error = WAYS[way]
        fault = Fault(number, action, error)
        with tempfile.TemporaryDirectory(dir=self.folder) as root:
            answer = self._run(Path(root), fault)
            wrong = list(complaints(answer, fault, Path(root), self.known))
        call = self.calls[number - 1]
        what = f"{self.subject.name} {way} {number} ({call.name} {_named(call)})"
        return [f"{what}: {sentence}" for sentence in wrong]

    def _run(self, root: Path, fault: Fault) -> Answer:
        return self.server.run(*self.subject.lay(root), watched=root, fault=fault)


def plan(subject: Subject, server: ForkServer, folder: Path) -> Plan:
    """Runs an experiment undisturbed and counts its calls."""
    subject.begin(server, folder)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root = Path(name)
        answer = server.run(*subject.lay(root), watched=root)
        if answer.code:
            raise SystemExit(f"{subject.name} fails undisturbed: {answer.err}")
        known, broken = contents(next(root.glob("runs/*/run.json")).parent)
        if broken:
            raise SystemExit(f"{subject.name} leaves broken files undisturbed: {broken}")
        return Plan(subject, server, answer.calls, known, folder)


def _named(call: Call) -> str:
    """The file of a call, from the run folder on."""
    parts = final(call.path).parts
    return "/".join(parts[-2:]) if parts[-2] in ("plots", "checkpoint") else parts[-1]


def spread(calls: Sequence[Call]) -> list[tuple[str, int]]:
    """A few cases: each file of a run once, each in another way."""
    ways = ("full", "half", "read-only", "full-once", "half-once", "half-killed")
    by_file: dict[str, list[Call]] = {}
    for call in calls:
        if call.name in ("open", "write", "rename"):
            by_file.setdefault(_kind(call), []).append(call)
    return [
        (ways[index % len(ways)], _telling(found, index).number)
        for index, found in enumerate(by_file.values())
    ]


def _kind(call: Call) -> str:
    """Pictures are of one kind, and so are checkpoints."""
    path = final(call.path)
    return path.parent.name if path.parent.name in ("plots", "checkpoint") else path.name


def _telling(found: Sequence[Call], index: int) -> Call:
    """A write in the middle, or another call of the file."""
    writes = [call for call in found if call.name == "write"] or found
    return found[-1] if index % 4 == 3 else writes[len(writes) // 2]


def cases(plan: Plan, arguments: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Which calls of a plan go wrong, and in which way."""
    if arguments.short:
        yield from spread(plan.calls)
        return
    numbers = range(1, len(plan.calls) + 1, arguments.every)
    for way in arguments.ways:
        for number in [arguments.only] if arguments.only else numbers:
            yield way, number


def disturb(plan: Plan, arguments: argparse.Namespace) -> int:
    """Runs the cases of a plan, and says what is wrong; returns how many are."""
    chosen = list(cases(plan, arguments))
    failed: Counter[str] = Counter()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for (way, _), wrong in zip(
            chosen, pool.map(lambda case: plan.check(*case), chosen), strict=True
        ):
            failed[way] += bool(wrong)
            print(*wrong, sep="\n", end="\n" if wrong else "", flush=True)
    done = len(chosen) - failed.total()
    print(f"{plan.subject.name}: {len(plan.calls)} calls, {done} of {len(chosen)} cases end well")
    return failed.total()


def main() -> int:
    """Reads the arguments and runs what they ask for; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RAW)
    parser.add_argument("--subject", nargs="+", choices=MADE, default=["digits"])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=USUAL)
    parser.add_argument("--every", type=int, default=1, help="only every so manieth call")
    parser.add_argument("--only", type=int, help="only the call of this number")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--short", action="store_true", help="each kind of file once")
    arguments = parser.parse_args()
    if reason := injector.missing():
        print(f"skipped: {reason}")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="nnrun-writes-")).resolve()
    try:
        return int(_all(arguments, folder) > 0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


RAW = argparse.RawDescriptionHelpFormatter


def _all(arguments: argparse.Namespace, folder: Path) -> int:
    shim = injector.compiled(folder)
    subjects = [MADE[name] for name in arguments.subject]
    modules = {"train": HEAVY, "kfold": LIGHT}
    with ExitStack() as stack:
        servers = {
            verb: stack.enter_context(ForkServer(folder, modules=modules[verb], shim=shim))
            for verb in sorted({subject.verb for subject in subjects})
        }
        plans = (plan(subject, servers[subject.verb], folder) for subject in subjects)
        return sum(disturb(each, arguments) for each in plans)


if __name__ == "__main__":
    os.environ.pop("NNRUN_RUNS", None)
    sys.exit(main())
