"""Where the seconds of a short `nnrun train` go, from the start of its process to the end.

    python benchmarks/startup.py                        # digits, 20 epochs
    python benchmarks/startup.py reuters --plot FILE    # another spec; a picture as well

Beside it `python -c "import tensorflow"`. The fastest of some runs. What runs in a thread beside the
training is marked.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from turns import run

TIMES = 3
BESIDE = "load Matplotlib and scikit-learn (beside)"
Part = tuple[str, float, float]
"""What it is, when it began, and what it took, in seconds of the process."""


def watched(began: float, report: Path, arguments: list[str]) -> None:
    """Runs nnrun in this process and writes when each part of it began and ended."""
    parts: list[Part] = [("start Python", 0.0, time.time() - began)]

    def watch(owner: Any, name: str, part: str) -> None:
        inner = getattr(owner, name)

        @functools.wraps(inner)
        def outer(*given: Any, **named: Any) -> Any:
            start = time.time()
            try:
                return inner(*given, **named)
            finally:
                parts.append((part, start - began, time.time() - start))

        setattr(owner, name, outer)

    def watch_rest() -> None:
        from nnrun.experiment import predictions, setup
        from nnrun.experiment.recorder import Recorder
        from nnrun.training import compiled

        watch(setup, "_compile", "build and compile the model")
        watch(setup, "_initial_metrics", "test the untrained model")
        watch(setup.TrainingSetup, "fit", "trace, compile and train")
        watch(compiled.CompiledLoop, "_call", "call")
        watch(predictions, "load", BESIDE)
        watch(setup.TrainingSetup, "evaluate", "test the trained model")
        watch(Recorder, "finish", "draw and write")

    def load(inner: Callable[[], None]) -> None:
        start = time.time()
        inner()
        parts.append(("import TensorFlow and Keras", start - began, time.time() - start))
        watch_rest()

    def leave(inner: Callable[[int], None], code: int) -> None:
        parts.append(("end", time.time() - began, 0.0))
        report.write_text(json.dumps(parts))
        inner(code)

    from nnrun.cli import app
    from nnrun.experiment import fold
    from nnrun.training import backend

    parts.append(("import the command line", parts[0][2], time.time() - began - parts[0][2]))
    watch(fold, "load_and_prepare", "read rows and prepare them")
    backend.load = functools.partial(load, backend.load)
    os._exit = functools.partial(leave, os._exit)
    sys.argv = ["nnrun", *arguments]
    app.run()


def once(spec: str, folder: Path) -> list[Part]:
    """The parts of one run."""
    report = folder / "report.json"
    given = json.dumps([time.time(), str(report), ["train", spec, "--runs", str(folder)]])
    run([sys.executable, __file__, "--watched", given], cwd=folder)
    return [(name, start, took) for name, start, took in json.loads(report.read_text())]


def waterfall(found: list[Part]) -> list[Part]:
    """One part for each bar: tracing ends with the first call, which compiles."""
    calls = [part for part in found if part[0] == "call"]
    others = [part for part in found if part[0] not in ("call", "trace, compile and train")]
    fit = next(part for part in found if part[0] == "trace, compile and train")
    first = calls[0]
    split = [
        ("trace a step", fit[1], first[1] - fit[1]),
        ("compile it", first[1], first[2]),
        ("train", first[1] + first[2], fit[1] + fit[2] - first[1] - first[2]),
    ]
    return sorted([*others, *split], key=lambda part: part[1])


def draw(parts: list[Part], alone: float, spec: str, file: str) -> None:
    """A bar from its beginning to its end for each part."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    names = [*(name for name, _, _ in parts), 'python -c "import tensorflow"']
    figure, axes = plt.subplots(figsize=(8, 0.36 * len(names) + 1), layout="constrained")
    colours = ["#E69F00" if name == BESIDE else "#0072B2" for name in names[:-1]]
    begins = [*(start for _, start, _ in parts), 0.0]
    lengths = [*(took for _, _, took in parts), alone]
    axes.barh(range(len(names)), lengths, left=begins, color=[*colours, "#8A8A8A"])
    axes.set(yticks=range(len(names)), yticklabels=names, xlabel=f"seconds of nnrun train {spec}")
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(file, dpi=110)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("spec", nargs="?", default="digits")
    parser.add_argument("--plot", metavar="FILE")
    parser.add_argument("--watched", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.watched:
        began, report, arguments = json.loads(given.watched)
        watched(began, Path(report), arguments)
    with tempfile.TemporaryDirectory(prefix="nnrun-startup-") as folder:
        runs = [waterfall(once(given.spec, Path(folder))) for _ in range(TIMES)]
        command = [sys.executable, "-m", "nnrun", "train", given.spec, "--runs", folder]
        bare = [sys.executable, "-c", "import tensorflow"]
        unwatched, alone = (
            min(run(each, cwd=Path(folder)).wall for _ in range(TIMES)) for each in (command, bare)
        )
    parts = min(runs, key=lambda found: found[-1][1])
    print(f"{'part':45}{'from s':>8}{'takes s':>9}")
    for name, start, took in parts:
        print(f"{name:45}{start:8.2f}{took:9.2f}")
    print(f"whole process, not watched: {unwatched:.2f} s")
    print(f'python -c "import tensorflow": {alone:.2f} s; nnrun takes {unwatched - alone:+.2f} s')
    if given.plot:
        draw(parts, alone, given.spec, given.plot)


if __name__ == "__main__":
    main()
