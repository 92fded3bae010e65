"""Run folders of others with valid checksums: no control character is obeyed, nothing crashes."""

from __future__ import annotations

import copy
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from nnrun import runs
from nnrun.cli.app import app
from nnrun.runs import Run, files, layout
from nnrun.types import History

NAME = "a\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202e<script>|[red]*_`=1\udcff"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
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


def answer(*arguments: object, root: Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"NNRUN_RUNS": str(root)})


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trainings and a cross-validation, with control characters in every name."""
    root = tmp_path_factory.mktemp("runs")
    write_run(root, RECORD, METRICS)
    write_run(root, RECORD | PARTS | {"verb": "kfold"}, FOLDS)
    other = {**METRICS, "test": {"loss": 2.0, NAME: 0.4}}
    write_run(root, {**RECORD, "data_digest": "others"}, other, f"{NAME}2")
    return root


FORMATS = ("table", "json", "csv", "md", "html")
VERBS: dict[str, tuple[str, ...]] = {
    "list": ("list",),
    "list --json": ("list", "--json"),
    "show": ("show", "RUN"),
    "show a cross-validation": ("show", "FOLDS"),
    "show --json": ("show", "RUN", "--json"),
    **{f"compare --format {name}": ("compare", "--format", name) for name in FORMATS},
    "compare by an unknown metric": ("compare", "--metric", NAME + "x"),
    "compare other folders": ("compare", "NOTHING"),
    "clean --dry-run": ("clean", "--keep-best", "1", "--dry-run"),
    "clean --dry-run --json": ("clean", "--older-than", "1h", "--dry-run", "--json"),
    "clean other folders": ("clean", f"{NAME}/x", "--dry-run"),
    "resume": ("resume", "RUN"),
    "resume a cross-validation": ("resume", "FOLDS"),
    "check": ("check", "SPEC"),
    "check --json": ("check", "SPEC", "--json"),
    "check --format github": ("check", "SPEC", "--format", "github"),
    "check a missing file": ("check", f"{NAME}.yaml"),
    "train": ("train", "SPEC"),
    "smoke": ("smoke", "SPEC"),
    "smoke --json": ("smoke", "SPEC", "--json"),
    "an unknown option": ("show", f"--{NAME}"),
    "an unknown verb": (NAME,),
    "explain": ("explain", NAME),
    "keys": ("keys", NAME),
    "data": ("data", "verify", NAME),
}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_obeys_control_characters(verb: str, odd: Path, tmp_path: Path) -> None:
    first, folds, *_ = sorted(path for path in odd.iterdir())
    spec = tmp_path / f"{NAME}.yaml"
    spec.write_text(SPEC.replace("units", "unitz").replace("iris", '"a\\e[31m"'), "utf-8")
    named = {"RUN": first, "FOLDS": folds, "SPEC": spec, "NOTHING": tmp_path / NAME}
    result = answer(*(named.get(word, word) for word in VERBS[verb]), root=odd)
    output = result.stdout + result.stderr

    assert isinstance(result.exception, SystemExit | None), result.exc_info
    assert output
    assert not STEERING.search(output)
    assert not [line for line in output.splitlines() if line.startswith("::error::x")]


def test_html_escapes_tags(odd: Path) -> None:
    page = answer("compare", "--format", "html", root=odd).stdout

    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_markdown_escapes_tags_and_columns(odd: Path) -> None:
    page = answer("compare", "--format", "md", root=odd).stdout
    rows = [line for line in page.splitlines() if line.startswith("|")]

    assert "<script" not in page
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_csv_escapes_formulas(odd: Path) -> None:
    cells = answer("compare", "--format", "csv", root=odd).stdout

    assert not re.search(r"""(^|[,\n])"?[=+@]""", cells)


def test_json_has_the_exact_name(odd: Path) -> None:
    names = [run["name"] for run in json.loads(answer("list", "--json", root=odd).stdout)["runs"]]

    assert names == [NAME, NAME, f"{NAME}2"]


def test_a_name_is_not_drawn_as_mathematics(odd: Path, tmp_path: Path) -> None:
    """Matplotlib parses text between two dollar signs."""
    root = shutil.copytree(odd, tmp_path / "runs")
    for number, path in enumerate(sorted(root.iterdir())):
        rewrite(path / layout.RUN, lambda record, n=number: record | {"name": f"$\\frac{{$ {{{n}"})
    drawn = answer("compare", "--plot", tmp_path / "plot.png", root=root)

    assert (drawn.exit_code, drawn.exception) == (0, None)
    assert (tmp_path / "plot.png").stat().st_size > 1000


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
    last = max(root.iterdir())
    for words in (
        ("list",),
        ("list", "--json"),
        ("show", last),
        ("show", last, "--json"),
        *(("compare", "--format", name) for name in FORMATS),
        ("clean", "--keep-best", "1", "--older-than", "1h", "--dry-run"),
    ):
        result = answer(*words, root=root)
        assert isinstance(result.exception, SystemExit | None), (words, result.exc_info)


@pytest.mark.parametrize(
    "seeds", [range(15), pytest.param(range(15, 300), marks=pytest.mark.slow)], ids=["some", "many"]
)  # fmt: skip
def test_values_of_wrong_types_never_end_in_a_traceback(
    seeds: range, odd: Path, tmp_path: Path
) -> None:
    for seed in seeds:
        rng = random.Random(seed)
        root = shutil.copytree(odd, tmp_path / str(seed))
        mutate_run(rng, rng.choice(sorted(root.iterdir())))
        try:
            check_verbs(root)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        shutil.rmtree(root)


@pytest.mark.parametrize(
    ("words", "code"),
    [(("list",), 0), (("compare",), 2), (("clean", "--older-than", "1d", "--dry-run"), 0)],
    ids=["list", "compare", "clean"],
)
def test_a_folder_with_a_too_long_name_has_no_runs(words: tuple[str, ...], code: int) -> None:
    result = answer(*words, root=Path("x" * 5000))

    assert isinstance(result.exception, SystemExit | None), result.exc_info
    assert result.exit_code == code
