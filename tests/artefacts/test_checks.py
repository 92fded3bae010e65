"""Whatever is damaged or exchanged in a run folder, reading it back notices."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnrun import artefacts, layout
from nnrun.artefacts.checks import CHECKS
from nnrun.intake import Intake, take_in
from nnrun.runs import Run
from nnrun.spec.loading import load

FILES = sorted({*layout.MEANING} - {layout.PLOTS})
MAPPINGS = (layout.HISTORY, layout.METRICS, layout.PREPARATION, layout.REPORT)
PICTURES = [
    *(layout.plot(name) for name in ("loss", "accuracy", "confusion", "gallery", "model")),
    layout.drawing("model"),
]


@pytest.fixture(scope="module")
def intake(trained: tuple[Any, Path]) -> Intake:
    return take_in(load(trained[1] / layout.SPEC).experiment)


@pytest.fixture
def run(trained: tuple[Any, Path], tmp_path: Path) -> Run:
    """The digits run, to be damaged."""
    return Run(Path(shutil.copytree(trained[1], tmp_path / "run")))


@pytest.fixture
def other(three: tuple[Any, Path]) -> Callable[[str], Run]:
    """A run of another experiment, in as many epochs."""
    return lambda name: Run(next(three[1].glob(f"*-{name}")))


def test_every_file_of_the_layout_is_read_back() -> None:
    assert set(CHECKS) == set(layout.MEANING)


def test_a_finished_run_has_no_faults(run: Run, intake: Intake) -> None:
    assert artefacts.faults(run, intake) == ()


def test_a_regression_has_no_faults(other: Callable[[str], Run]) -> None:
    """It has nothing to confuse, and nothing is missed."""
    run = other("boston")

    assert artefacts.faults(run, take_in(load(run.path / layout.SPEC).experiment)) == ()


def test_logits_are_compared_as_the_probabilities_that_were_written(
    other: Callable[[str], Run],
) -> None:
    run = other("logits")

    assert artefacts.faults(run, take_in(load(run.path / layout.SPEC).experiment)) == ()


def of_file(name: str, found: tuple[str, ...]) -> list[str]:
    return [fault for fault in found if fault.startswith(f"{name}: ")]


@pytest.mark.parametrize("name", [*FILES, *PICTURES])
def test_a_file_that_is_gone_is_named(name: str, run: Run, intake: Intake) -> None:
    (run.path / name).unlink()

    assert of_file(name, artefacts.faults(run, intake)) == [f"{name}: is not there"]


@pytest.mark.parametrize("name", [*FILES, *PICTURES])
def test_half_a_file_is_noticed(name: str, run: Run, intake: Intake) -> None:
    """A disk that was full, or a copy that was stopped."""
    path = run.path / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])

    assert of_file(name, artefacts.faults(run, intake))


@pytest.mark.parametrize("name", [*FILES, *PICTURES])
def test_an_empty_file_is_noticed(name: str, run: Run, intake: Intake) -> None:
    (run.path / name).write_bytes(b"")

    assert of_file(name, artefacts.faults(run, intake))


# Files that only another one can tell to be of another run.
WITNESSES = {layout.HISTORY: layout.JOURNAL, layout.PREDICTIONS: layout.MODEL}


def put(run: Run, name: str, content: bytes) -> None:
    """Writes a file as a run writes it, so that the record of the run takes it for its own."""
    run.write(name, lambda path: path.write_bytes(content))
    run.update()


BOSTON = [name for name in FILES if name not in (layout.CONFUSION, layout.REPORT)]


@pytest.mark.parametrize("name", BOSTON)
def test_a_file_of_another_data_set_is_noticed(
    name: str, run: Run, intake: Intake, other: Callable[[str], Run]
) -> None:
    """It is whole, and of the right form, but not of this run."""
    put(run, name, (other("boston").path / name).read_bytes())

    assert of_file(WITNESSES.get(name, name), artefacts.faults(run, intake))


@pytest.mark.parametrize("name", [name for name in FILES if name != layout.PREPARATION])
def test_a_file_of_another_model_on_the_same_rows_is_noticed(
    name: str, run: Run, intake: Intake, other: Callable[[str], Run]
) -> None:
    """Of the same rows, steps, classes and epochs: what was learnt is all that differs."""
    put(run, name, (other("logits").path / name).read_bytes())

    assert of_file(WITNESSES.get(name, name), artefacts.faults(run, intake))


def test_all_faults_are_found_at_once(run: Run, intake: Intake) -> None:
    (run.path / layout.MODEL).unlink()
    (run.path / layout.plot("loss")).write_bytes(b"GIF89a")
    run.write_text(layout.SUMMARY, "nothing\n")

    assert artefacts.faults(run, intake) == (
        "model.keras: is not there",
        "summary.txt: does not say that the model has 4,810 parameters",
        "plots/loss.png: cannot be read: it is no PNG",
    )


def changed(run: Run, name: str, **changes: Any) -> None:
    run.write_json(name, {**run.read_json(name), **changes})
    run.update()


def test_a_run_that_is_not_finished_is_noticed(run: Run, intake: Intake) -> None:
    run.update(status="running", ended=None, seed=7)

    assert artefacts.faults(run, intake) == (
        "run.json: status is 'running', and should be 'finished'",
        "run.json: seed is 7, and should be 0",
        "run.json: does not say when the run ended",
    )


def test_rows_that_are_others_now_are_noticed(run: Run, intake: Intake) -> None:
    """The data set may have changed since."""
    run.update(data_digest="0")

    [fault] = artefacts.faults(run, intake)
    assert fault.startswith("run.json: data_digest is '0', and should be '")


def test_an_epoch_too_many_is_noticed(run: Run, intake: Intake) -> None:
    journal = (run.path / layout.JOURNAL).read_bytes()
    put(run, layout.JOURNAL, journal + b"4,0.1,0.1,0.1,0.1\n")

    assert artefacts.faults(run, intake) == ("history.csv: has 4 rows, and should have 3",)


def test_keys_that_are_gone_are_named(run: Run, intake: Intake) -> None:
    metrics = run.metrics()
    del metrics["validation"], metrics["seconds"]
    run.write_json(layout.METRICS, metrics)

    assert artefacts.faults(run, intake) == ("metrics.json: lacks seconds, validation",)


def test_outputs_that_were_touched_up_are_noticed(run: Run, intake: Intake) -> None:
    """By more than the tolerance; the classes stay the same, and so does what counts them."""
    arrays = run.read_arrays(layout.PREDICTIONS)
    arrays["output"] = arrays["output"] + np.float32(0.001)
    run.write_arrays(layout.PREDICTIONS, **arrays)

    assert artefacts.faults(run, intake) == (
        "model.keras: predicts something else than predictions.npz, by up to 0.001",
    )


def test_predictions_in_another_order_are_noticed(run: Run, intake: Intake) -> None:
    arrays = run.read_arrays(layout.PREDICTIONS)
    run.write_arrays(layout.PREDICTIONS, **{name: each[::-1] for name, each in arrays.items()})

    found = artefacts.faults(run, intake)
    assert of_file(layout.PREDICTIONS, found) == [
        "predictions.npz: is not of the 360 test rows that are scored"
    ]


def test_an_archive_with_pickles_is_not_unpacked(run: Run, intake: Intake) -> None:
    """Whoever sends a run folder must not be able to run code by it."""
    objects = np.array([{"row": 1}], dtype=object)
    archive = io.BytesIO()
    np.savez(archive, row=objects, target=objects, output=objects)
    put(run, layout.PREDICTIONS, archive.getvalue())

    [fault, *_] = of_file(layout.PREDICTIONS, artefacts.faults(run, intake))
    assert "predictions.npz: cannot be read: it holds objects, which would be code" in fault


def test_a_metric_that_was_no_number_is_no_fault(run: Run, intake: Intake) -> None:
    """JSON has `null` for it, the journal `nan`."""
    history = run.read_json(layout.HISTORY)
    history["val_loss"][-1] = None
    run.write_json(layout.HISTORY, history)
    last = {name: values[-1] for name, values in history.items()}
    changed(run, layout.METRICS, last=last)
    journal = run.path / layout.JOURNAL
    *lines, end = journal.read_text().splitlines()
    cells = end.split(",")
    cells[lines[0].split(",").index("val_loss")] = "nan"
    put(run, layout.JOURNAL, ("\n".join([*lines, ",".join(cells)]) + "\n").encode())

    assert artefacts.faults(run, intake) == ()


def test_json_that_is_no_mapping_is_said(run: Run, intake: Intake) -> None:
    for name in MAPPINGS:
        put(run, name, json.dumps([1, 2]).encode())

    found = artefacts.faults(run, intake)

    assert {f"{name}: is no mapping" for name in MAPPINGS} <= set(found)
