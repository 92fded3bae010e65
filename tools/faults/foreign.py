"""Values of wrong types in run folders with valid checksums: no verb ends in a traceback.

    python tools/faults/foreign.py --count 300 --seed 0

Every name in these runs has control characters and tags; `tests/cli/test_hostile.py` prints them.
A case that fails is printed with its seed; `--count 1 --seed NUMBER` repeats it.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

from nnrun import runs
from nnrun.cli.app import app
from nnrun.runs import Run, files, layout
from nnrun.types import History

NAME = "a\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202e<script>|[red]*_`=1\udcff"
METRICS = {
    "schema_version": 1,
    "epochs": 2,
    "monitor": "loss",
    "best_epoch": 2,
    "initial": {"loss": 3.0},
    "last": {"loss": 1.0},
    "best": {"loss": 1.0},
    "train": {"loss": 1.0, NAME: 0.5},
    "test": {"loss": 1.0, NAME: 0.5},
    "parameters": 10,
    "seconds": {"total": 1.0, "training": 0.5},
}
SPREAD = {"mean": 0.5, "std": 0.1, "low": 0.4, "high": 0.6, "folds": [0.5, 0.5]}
FOLDS = {
    **METRICS,
    "fold_epochs": [2, 2],
    "best_epoch_by": NAME,
    "ddof": 1,
    **{rows: {"loss": SPREAD, NAME: SPREAD} for rows in ("initial", "train", "validation")},
}
RECORD: dict[str, Any] = {
    "verb": "train",
    "seed": 1,
    "overrides": [NAME],
    "engine": NAME,
    "device": NAME,
    "data_digest": "data",
    "split_digest": "split",
    "rows": {"train": 8, "test": 2},
    "notices": [NAME],
    "parameters": 10,
    "versions": {NAME: NAME},
    "commit": NAME,
    "error": f"{NAME}\n::error::x",
    "expect": [{"name": NAME, "expected": NAME, "got": 1.0, "passed": True}],
}
PARTS = {"folds": [{"number": n, "train": 8, "validation": 2} for n in (1, 2)]}
SPEC = f"""\
name: odd
dataset: {{name: iris, odd: {json.dumps(NAME.replace(chr(0xDCFF), ""))}}}
model: [{{Dense: {{units: 3, name: "=1+1"}}}}]
training: {{loss: mse, metrics: [accuracy], epochs: 2}}
"""


def write_runs(root: Path) -> Path:
    """Trainings and a cross-validation, with control characters in every name."""
    write_run(root, RECORD, METRICS)
    write_run(root, RECORD | PARTS | {"verb": "kfold"}, FOLDS)
    other = {**METRICS, "test": {"loss": 2.0, NAME: 0.4}}
    write_run(root, {**RECORD, "data_digest": "others"}, other, f"{NAME}2")
    return root


def write_run(root: Path, record: dict[str, Any], metrics: dict[str, Any], name: str = NAME) -> Run:
    """A run with this record and these metrics, and valid checksums."""
    run = runs.create(root, "odd", now=datetime(2026, 1, 2), record=record)
    run.write_text(layout.SPEC, SPEC)
    history = History({"loss": [2.0, 1.0]})
    run.begin_journal(history)
    run.end_journal()
    run.write_json(layout.METRICS, metrics)
    rows = np.arange(2)
    run.write_arrays(layout.PREDICTIONS, row=rows, target=rows, output=np.eye(2))
    run.update(status=layout.FINISHED, ended="2026-01-02T00:01:00")
    run.release()
    rewrite(run.path / layout.RUN, lambda record: record | {"name": name})
    place = len([*root.iterdir()])
    named = f"2026010{place}-000000-{name}\n::error::x"
    return Run(run.path.rename(run.path.with_name(named)))


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Changes a record and updates its checksum."""
    record = json.loads(path.read_text("utf-8"))
    changed = change({key: value for key, value in record.items() if key != files.CHECKSUM_KEY})
    path.write_text(json.dumps(files.with_checksum(changed)), "utf-8")


FORMATS = ("table", "json", "csv", "md", "html")
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**62, 1e300, "", "x", "1", "../../x", "a\nb", [], {}, [None], [[]], {"a": {}}),
    *([1, "x", None], {"mean": 1}, {"mean": "x", "std": [], "low": {}, "high": 1, "folds": 3}),
    *([{"number": "../../x", "train": 1, "validation": 1}], {"pid": "x", "host": 1}),
)  # fmt: skip


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Each mapping or list with each of its keys or indices."""
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in list(keys):
        yield tree, key
        yield from places(tree[key])


def mutated(rng: random.Random, tree: dict[str, Any]) -> dict[str, Any]:
    """A copy with some values of other types, or without them."""
    tree = json.loads(json.dumps(tree))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        holder, key = rng.choice(list(places(tree)))
        if rng.random() < 0.25:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(rng.choice(ODD))
        if not tree:
            break
    return tree


def mutate_run(rng: random.Random, run: Path) -> None:
    """Changes the record, the metrics or the spec of a run, and updates the checksums."""
    name = rng.choice((layout.RUN, layout.METRICS, layout.METRICS, layout.SPEC))
    if name == layout.RUN:
        rewrite(run / name, lambda record: mutated(rng, record))
        return
    path = run / name
    if name == layout.METRICS:
        path.write_text(json.dumps(mutated(rng, json.loads(path.read_text("utf-8")))), "utf-8")
    else:
        spec = {"name": "odd", "dataset": {"name": "iris"}, "model": [{"Dense": {"units": 3}}]}
        spec |= {"training": {"loss": {"Huber": {"delta": 1}}, "metrics": ["mae", {"AUC": {}}]}}
        spec |= {"validation": {"holdout": {"size": 2, "take": "random"}, "kfold": {"folds": 2}}}
        path.write_text(json.dumps(mutated(rng, spec)), "utf-8")
    digest = files.file_checksum(path)
    rewrite(run / layout.RUN, lambda record: record | {"files": {**record["files"], name: digest}})


def check_verbs(root: Path) -> None:
    """No verb that reads runs ends in a traceback."""
    last = max(root.iterdir())
    for words in (
        ("list",),
        ("list", "--json"),
        ("show", last),
        ("show", last, "--json"),
        *(("compare", "--format", name) for name in FORMATS),
        ("clean", "--keep-best", "1", "--older-than", "1h", "--dry-run"),
    ):
        result = CliRunner().invoke(app, [*map(str, words)], env={"NNRUN_RUNS": str(root)})
        if not isinstance(result.exception, SystemExit | None):
            raise TypeError(f"{words}") from result.exception


def run(seeds: range) -> None:
    """Changes a run with each seed, and reads it."""
    with tempfile.TemporaryDirectory() as folder:
        intact = write_runs(Path(folder) / "intact")
        for seed in seeds:
            rng = random.Random(seed)
            root = Path(shutil.copytree(intact, Path(folder) / str(seed)))
            mutate_run(rng, rng.choice(sorted(root.iterdir())))
            try:
                check_verbs(root)
            except TypeError as error:
                raise SystemExit(f"seed {seed}: {error}: {error.__cause__!r}") from error
            shutil.rmtree(root)


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=300)
    arguments = parser.parse_args()
    run(range(arguments.seed, arguments.seed + arguments.count))


if __name__ == "__main__":
    main()
