"""Changes run folders at random: each command answers or refuses, and shows no wrong number as right.

    python tools/faults/mutations.py --count 1000 --seed 0

The folders are those of a finished run, of a cross-validation, of a run that was interrupted and of
one that was killed. Each is copied, changed, and given to `list`, `show`, `compare` and `resume`,
each also with `--json`. A case that is not as it should be is printed, and is had again with
`--only NUMBER`.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from forkserver import HEAVY, LIGHT, Answer, ForkServer
from intact import Intact, cross_validated, other, trained
from mutating import mutate
from shown import Shown, wrong

PATIENCE, PATIENCE_TRAINING = 10.0, 120.0
"""Seconds that a command may take which trains nothing, and one that may train."""
LOOKING = ("list", "show", "compare")
MOST = 3
"""So many wrong numbers are printed of one answer."""
COMMANDS = (*LOOKING, "resume")


@dataclass(frozen=True)
class Bench:
    """Where folders are changed and looked at.

    Args:
        light, heavy: run the commands that train nothing, and those that may.
        intact: runs as they were.
        beside: another run, to compare them with.
        shown: what each command shows of each of them, by run, command and `--json`.
        seed: of the changes.
    """

    folder: Path
    light: ForkServer
    heavy: ForkServer
    intact: list[Intact]
    beside: Path
    seed: int
    shown: dict[tuple[str, str, bool], Shown] = field(default_factory=dict)

    def look(self) -> None:
        """Notes what each command shows of the intact runs."""
        for intact in self.intact:
            self._note(intact, COMMANDS)
            for earlier in intact.earlier(self.folder):
                self._note(earlier, LOOKING)

    def _note(self, intact: Intact, commands: Sequence[str]) -> None:
        for command in commands:
            for json in (False, True):
                with self._copy(intact) as run:
                    answer = self._answer(command, run, json=json)
                    shown = Shown.of(answer, run.parent, json=json)
                self.shown[intact.name, command, json] = shown

    @contextmanager
    def _copy(self, intact: Intact) -> Iterator[Path]:
        """A copy of a run in a folder of its own, for as long as it is needed."""
        with tempfile.TemporaryDirectory(prefix="case-", dir=self.folder) as root:
            yield Path(shutil.copytree(intact.run, Path(root) / intact.run.name))

    def check(self, number: int) -> list[str]:
        """Changes a copy of a run and looks at it; returns what is wrong, as sentences."""
        rng = random.Random(f"{self.seed} {number}")
        intact = self.intact[number % len(self.intact)]
        with self._copy(intact) as run:
            what = mutate(rng, run)
            found = list(self._complaints(intact, run, number))
        return [f"{number} {intact.name}, {what}: {sentence}" for sentence in found]

    def _complaints(self, intact: Intact, run: Path, number: int) -> Iterator[str]:
        for command in LOOKING:
            for json in (False, True):
                answer = self._answer(command, run, json=json)
                yield from self._of_the_answer(answer, intact, command, run, json=json)
        # Once, because it changes the run that it goes on with.
        json = number % 8 > 3
        answer = self._answer("resume", run, json=json)
        yield from self._of_the_answer(answer, intact, "resume", run, json=json)
        if answer.code == 0 and not Shown.of(answer, run.parent, json=json).is_marked:
            yield from (f"resume: {each}" for each in intact.disagreements(run))

    def _of_the_answer(
        self, answer: Answer, intact: Intact, command: str, run: Path, *, json: bool
    ) -> Iterator[str]:
        about = f"{command}{' --json' if json else ''}"
        yield from (f"{about}: {each}" for each in _of_the_end(answer))
        shown = Shown.of(answer, run.parent, json=json)
        # A run that was gone on with has new numbers, which are compared in its folder.
        is_new = command == "resume" and intact.whole is not None
        if answer.code == 0 and not shown.is_marked and not is_new:
            known = self.shown[intact.as_of(run), command, json]
            found = islice(wrong(shown, known), MOST)
            yield from (f"{about}: {each}" for each in found)

    def _answer(self, command: str, run: Path, *, json: bool) -> Answer:
        arguments: dict[str, tuple[object, ...]] = {
            "list": ("--runs", run.parent),
            "show": (run,),
            "compare": (self.beside, run),
            "resume": (run,),
        }
        server = self.heavy if command == "resume" else self.light
        options = ("--json",) if json else ()
        pending = server.start(command, *arguments[command], *options)
        return pending.answer(PATIENCE_TRAINING if command == "resume" else PATIENCE)


def _of_the_end(answer: Answer) -> Iterator[str]:
    if answer.code is None:
        yield "did not end"
    elif answer.code not in (0, 1, 2):
        yield f"ended with {answer.code}"
    if "Traceback" in answer.err:
        yield f"a traceback: {answer.err.strip().splitlines()[-1]}"
    elif answer.code in (1, 2) and not answer.err.strip():
        yield f"ended with {answer.code} and did not say why"


def main() -> int:
    """Reads the arguments and changes as many folders; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="only the case of this number")
    parser.add_argument("--jobs", type=int, default=2, help="cases side by side")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="nnrun-mutations-")).resolve()
    try:
        return _all(arguments, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _all(arguments: argparse.Namespace, folder: Path) -> int:
    chosen = range(arguments.count)
    if arguments.only is not None:
        chosen = range(arguments.only, arguments.only + 1)
    with ExitStack() as stack:
        light = stack.enter_context(ForkServer(folder, modules=LIGHT))
        heavy = stack.enter_context(ForkServer(folder, modules=HEAVY))
        intact = [*trained(heavy, folder), cross_validated(heavy, folder)]
        bench = Bench(folder, light, heavy, intact, other(heavy, folder), arguments.seed)
        bench.look()
        failed = 0
        with ThreadPoolExecutor(arguments.jobs) as pool:
            for found in pool.map(bench.check, chosen):
                print(*found, sep="\n", end="\n" if found else "", flush=True)
                failed += bool(found)
    print(
        f"{len(chosen) - failed} of {len(chosen)} changed run folders show no wrong number and end well"
    )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
