"""What the checkpoints of a training cost.

    python benchmarks/checkpoints.py                        # digits: small and fast epochs
    python benchmarks/checkpoints.py mnist imdb --pairs 5   # the published data, in KERAS_HOME

Each spec is trained with checkpoints and without, turn by turn, each in a process of its own; the
time is that from the beginning of the first epoch to the end of the last.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

# The command as it is, and the same with checkpoints that are never due.
AS_IT_IS = ""
WITHOUT = "from nnrun.training import checkpoints; checkpoints.SHARE = -1.0"
TIMED = """
import time
from nnrun.training import backend
backend.load()
from nnrun.experiment.setup import TrainingSetup
{change}
fit = TrainingSetup.fit
def timed(setup, folder, recorder, **options):
    began = time.perf_counter()
    fit(setup, folder, recorder, **options)
    kept = len(recorder.run.checkpoints())
    (folder.parent / "seconds").write_text(f"{{time.perf_counter() - began}} {{kept}}")
TrainingSetup.fit = timed
from nnrun.cli.entry import main
main()
"""


def seconds(change: str, spec: str, overrides: list[str]) -> float:
    """How long a training takes without its beginning and its end."""
    with tempfile.TemporaryDirectory() as folder:
        options = [word for each in overrides for word in ("--set", each)]
        arguments = ["train", spec, "--runs", folder, *options]
        command = [sys.executable, "-c", TIMED.format(change=change), *arguments]
        subprocess.run(command, check=True, capture_output=True)
        spent, kept = (Path(folder) / "seconds").read_text().split()
    assert (int(kept) > 0) == (change == AS_IT_IS), "checkpoints where there should be none"
    return float(spent)


def main() -> None:
    """Prints the times of each spec and what the checkpoints add to them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("specs", nargs="*", default=["digits"])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    for spec in arguments.specs:
        pairs = [
            tuple(seconds(change, spec, arguments.overrides) for change in (AS_IT_IS, WITHOUT))
            for _ in range(arguments.pairs)
        ]
        kept, bare = zip(*pairs, strict=True)
        shares = [100 * (one / other - 1) for one, other in pairs]
        print(
            f"{spec}: {statistics.median(kept):.2f} s with checkpoints, "
            f"{statistics.median(bare):.2f} s without: {statistics.median(shares):+.1f} % "
            f"(from {min(shares):+.1f} to {max(shares):+.1f} in {len(pairs)} pairs)",
            flush=True,
        )


if __name__ == "__main__":
    main()
