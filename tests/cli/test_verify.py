"""`nnrun verify`: runs are repeated from their folders and compared, or only their files read."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnrun.runs import Run, layout, process

KINDS = {"history", "preparation", "metrics", "predictions", "weights", "optimizer"}


def copy(path: Path, target: Path) -> Run:
    return Run(Path(shutil.copytree(path, target)))


def entries(answer: Any) -> dict[str, Any]:
    return {Path(run["path"]).name: run for run in json.loads(answer.stdout)["runs"]}


def verdicts(entry: dict[str, Any], verdict: str) -> set[str]:
    return {each["what"] for each in entry["comparisons"] if each["verdict"] == verdict}


@pytest.fixture(scope="module")
def folder(trained: tuple[Any, Path], tmp_path_factory: Any) -> Path:
    """Copies of one run: as it was, stopped before its last epoch, with an edited spec, and broken."""
    root: Path = tmp_path_factory.mktemp("verified")
    copy(trained[1], root / "same")
    stopped = copy(trained[1], root / "stopped")
    stopped.update(status=layout.INTERRUPTED)
    history = stopped.history()
    for values in history.epochs.values():
        del values[2:]
    stopped.begin_journal(history)
    edited = copy(trained[1], root / "edited").path / layout.SPEC
    edited.write_text(edited.read_text().replace("batch_size: 8", "batch_size: 16"))
    broken = copy(trained[1], root / "broken").path / layout.SPEC
    broken.write_text(broken.read_text().replace("units: 64", "unitz: 64"))
    return root


@pytest.fixture(scope="module")
def answered(folder: Path, nnrun: Any) -> Any:
    """What is said of all of them by one command, and the folders left behind by it."""
    passing = set(Path(tempfile.gettempdir()).glob("nnrun-verify-*"))
    names = ("same", "stopped", "edited", "broken", "nowhere")
    answer = nnrun("verify", "--json", *(folder / name for name in names))
    assert set(Path(tempfile.gettempdir()).glob("nnrun-verify-*")) == passing
    return answer


def test_a_run_is_repeated_to_the_bit(answered: Any) -> None:
    """From its folder alone, in another process, an hour or a year later."""
    same = entries(answered)["same"]

    assert (same["verdict"], same["causes"], same["damaged"]) == ("identical", [], [])
    assert verdicts(same, "identical") == KINDS
    assert "Traceback" not in answered.stderr


def test_a_run_that_was_stopped_is_compared_as_far_as_it_came(answered: Any) -> None:
    """No callback and no schedule asks how many epochs there were to be."""
    stopped = entries(answered)["stopped"]

    assert (stopped["verdict"], stopped["status"]) == ("identical", "interrupted")
    assert [each["extent"] for each in stopped["comparisons"]] == ["2 epochs × 4 metrics"] * 2


def test_an_edited_spec_is_named_with_what_it_has_changed(answered: Any) -> None:
    edited = entries(answered)["edited"]
    reason = "was damaged or edited since the run wrote it"

    assert edited["verdict"] == "different"
    assert edited["damaged"] == [{"file": "spec.yaml", "reason": reason}]
    assert [cause["text"] for cause in edited["causes"]] == [
        f"spec.yaml {reason}",
        "the spec is another: training steps 432 → 216",
    ]


def test_a_run_that_cannot_be_verified_stops_no_other(answered: Any) -> None:
    """Its faults are shown as those of any spec; the worst exit code is that of the command."""
    found = entries(answered)

    assert answered.returncode == 3
    assert (found["broken"]["verdict"], found["nowhere"]["verdict"]) == (None, None)
    assert "broken/spec.yaml:12:" in answered.stderr
    assert "did you mean 'units'" in answered.stderr
    assert found["broken"]["error"].startswith("NN112 model[0].Dense.unitz: ")
    assert "nowhere is no run: it has no run.json" in answered.stderr


def test_what_is_repeated_and_each_epoch_are_told(answered: Any, folder: Path) -> None:
    assert f"repeating {folder / 'same'}\nepoch 1/3  loss " in answered.stderr


def test_a_run_is_not_changed_by_being_verified(
    answered: Any, folder: Path, trained: tuple[Any, Path]
) -> None:
    def contents(path: Path) -> dict[str, bytes]:
        found = (file for file in path.rglob("*") if file.is_file())
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in found}

    assert answered.returncode == 3
    assert contents(folder / "same") == contents(trained[1])
    assert {path.name for path in folder.iterdir()} == {"same", "stopped", "edited", "broken"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": layout.RUNNING, "process": process()}, "is still running, as process "),
        ({"fold": 1}, "is a fold; `nnrun verify "),
        ({"verb": "smoke"}, "is no training, but of `nnrun smoke`"),
    ],
    ids=["running", "fold", "smoke"],
)
def test_what_cannot_be_repeated_is_refused_at_once(
    change: dict[str, Any], message: str, trained: tuple[Any, Path], tmp_path: Path, probed: Any
) -> None:
    from nnrun.runs import reopen

    run = copy(trained[1], tmp_path / "run")
    run.update(**change)
    held = reopen(tmp_path / "run") if "fold" not in change and "verb" not in change else None
    answer, loaded = probed("verify", run.path, cwd=tmp_path)

    assert answer.returncode == 2
    assert message in answer.stderr
    assert "tensorflow" not in loaded
    del held


def test_a_run_without_an_epoch_is_refused(
    trained: tuple[Any, Path], tmp_path: Path, nnrun: Callable[..., Any]
) -> None:
    run = copy(trained[1], tmp_path / "run")
    run.update(status=layout.FAILED)
    (run.path / layout.JOURNAL).unlink()
    answer = nnrun("verify", run.path)

    assert answer.returncode == 2
    assert "failed before its first epoch ended; nothing to compare" in answer.stderr


def test_files_are_compared_with_their_digests_and_nothing_heavy_is_loaded(
    trained: tuple[Any, Path], tmp_path: Path, probed: Callable[..., Any]
) -> None:
    """A line per damaged file, of many runs at once."""
    for name in ("a", "b", "c"):
        copy(trained[1], tmp_path / name)
    (tmp_path / "a" / layout.MODEL).write_bytes(b"x")
    (tmp_path / "c" / layout.plot("loss")).unlink()
    answer, loaded = probed("verify", "--files", "a", "b", "c", cwd=tmp_path)
    *lines, last = answer.stdout.splitlines()

    assert (answer.returncode, loaded) == (3, set())
    assert lines == [
        "a/model.keras was damaged or edited since the run wrote it",
        "c/plots/loss.png is not there any more",
    ]
    assert last.startswith("3 runs, ")
    assert last.endswith(": 2 damaged")


def test_files_that_are_whole_are_said_to_be(
    trained: tuple[Any, Path], nnrun: Callable[..., Any]
) -> None:
    answer = nnrun("verify", "--files", trained[1])
    document = entries(nnrun("verify", "--files", trained[1], "--json"))[trained[1].name]

    assert answer.returncode == 0
    assert answer.stdout.endswith(": all unchanged\n")
    assert (document["verdict"], document["damaged"]) == ("whole", [])


@pytest.fixture
def failed(nnrun: Any, configs: Path, tmp_path: Path) -> Run:
    """A run whose loss was lost."""
    rate = "training.optimizer={SGD: {learning_rate: 1.0e+30}}"
    answer = nnrun("train", configs / "boston.yaml", "--set", rate, "--runs", tmp_path / "runs")
    assert answer.returncode == 1
    return Run(next((tmp_path / "runs").iterdir()))


@pytest.mark.slow
def test_a_run_that_failed_fails_again_in_the_same_epochs(
    failed: Run, nnrun: Callable[..., Any]
) -> None:
    answer = nnrun("verify", failed.path)

    assert answer.returncode == 0, answer.stderr
    assert "failed after epoch 1: only complete epochs and parts are compared" in answer.stdout
    assert "bit-identical" in answer.stdout


@pytest.mark.slow
def test_a_repetition_that_fails_is_not_a_difference(
    failed: Run, nnrun: Callable[..., Any]
) -> None:
    """Exit code 1, as of any training that fails."""
    failed.update(status=layout.FINISHED)
    answer = nnrun("verify", failed.path)

    assert answer.returncode == 1
    assert "error: the repetition failed: the loss became " in answer.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        ["--set", "seed=null"],
        ["--set", "training.engine=fit"],
        ["--set", "training.engine=graph"],
        ["--set", "training.callbacks=[{EarlyStopping: {patience: 1, monitor: loss}}]"],
        ["--set", "training.callbacks=[{RemoteMonitor: {root: 'http://127.0.0.1:9'}}]"],
    ],
    ids=str,
)
def test_every_way_to_train_is_repeated_to_the_bit(
    more: list[str], configs: Path, nnrun: Any, tmp_path: Path
) -> None:
    """Also with a seed that was drawn, which is in the spec that the run keeps."""
    epochs = ("--set", "training.epochs=3")
    nnrun("train", configs / "digits.yaml", *epochs, *more, "--runs", tmp_path / "runs")
    [path] = (tmp_path / "runs").iterdir()
    answer = nnrun("verify", path, "--keep", tmp_path / "kept")

    assert (answer.returncode, answer.stderr.count("Traceback")) == (0, 0)
    assert "bit-identical" in answer.stdout
    assert f"the repetition is in {next((tmp_path / 'kept').iterdir())}" in answer.stdout


@pytest.mark.slow
def test_what_nothing_explains_is_repeated_once_more(
    trained: tuple[Any, Path], tmp_path: Path, nnrun: Callable[..., Any]
) -> None:
    """Whether the experiment repeats at all decides what a difference means."""
    run = copy(trained[1], tmp_path / "run")
    record = run.record()
    # Shuffling is the one key of a spec that leaves no other trace.
    spec = (run.path / layout.SPEC).read_text()
    run.write_text(layout.SPEC, spec.replace("shuffle: true", "shuffle: false"))
    answer = nnrun("verify", run.path)

    assert record.status == layout.FINISHED
    assert answer.returncode == 3
    assert "no cause found: data, spec, versions, device and machine are the same" in answer.stdout
    assert "a second repetition is identical to the first" in answer.stdout
