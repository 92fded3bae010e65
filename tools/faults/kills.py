"""Kills runs at random moments and resumes them: each must end as if nothing had happened.

    python tools/faults/kills.py --verb train --kills 100 --seed 0
    python tools/faults/kills.py --verb kfold --kills 100

Each experiment is run to its end once. Then it is begun again and again, killed at a moment between
its start and its end, and resumed; some are killed once more while they are resumed. What comes out
must be equal to the byte, and no epoch before the newest checkpoint may be trained twice.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import injector
from forkserver import HEAVY, LIGHT, ForkServer
from killing import SUBJECTS, Case, Outcome, Reference, refer


def outcomes(
    references: list[Reference], servers: dict[str, ForkServer], arguments: argparse.Namespace
) -> list[Outcome]:
    """Goes on with cases until there were as many kills as asked for."""
    found: list[Outcome] = []
    number = 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        while sum(len(each.moments) for each in found) < arguments.kills:
            missing = arguments.kills - sum(len(each.moments) for each in found)
            numbers = range(number, number + max(1, min(missing, 2 * arguments.jobs)))
            number = numbers.stop
            cases = [_case(each, references, servers, arguments) for each in numbers]
            for outcome in pool.map(Case.run, cases):
                found.append(outcome)
                print(*outcome.wrong, sep="\n", end="\n" if outcome.wrong else "", flush=True)
    return found


def _case(
    number: int,
    references: list[Reference],
    servers: dict[str, ForkServer],
    arguments: argparse.Namespace,
) -> Case:
    rng = random.Random(f"{arguments.seed} {number}")
    reference = references[number % len(references)]
    # Where a run begins in a fork, no kill can fall into the loading of TensorFlow.
    forked = rng.random() > arguments.fresh
    return Case(number, reference, servers[reference.verb] if forked else None, rng)


def main() -> int:
    """Reads the arguments, and kills; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--verb", choices=("train", "kfold"), default="train")
    parser.add_argument("--kills", type=int, default=100, help="how many at least")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--fresh", type=float, default=0.2, help="share not begun in a fork")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    arguments = parser.parse_args()
    if reason := injector.missing():
        print(f"skipped: {reason}")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="nnrun-kills-")).resolve()
    try:
        return _all(arguments, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _all(arguments: argparse.Namespace, folder: Path) -> int:
    verb = arguments.verb
    with ExitStack() as stack:
        modules = HEAVY if verb == "train" else LIGHT
        server = stack.enter_context(ForkServer(folder, modules=modules))
        subjects = [subject for subject in SUBJECTS if subject.verb == verb]
        references = [refer(subject, server, folder) for subject in subjects]
        found = outcomes(references, {verb: server}, arguments)
    kills = sum(len(each.moments) for each in found)
    equal = sum(len(each.moments) for each in found if not each.wrong)
    moments = Counter(moment for each in found for moment in each.moments)
    where = ", ".join(f"{count} {moment}" for moment, count in moments.most_common())
    print(f"kills came: {where}")
    print(f"{equal} of {kills} kills end equal, in {len(found)} runs of {verb}")
    return int(equal < kills)


if __name__ == "__main__":
    sys.exit(main())
