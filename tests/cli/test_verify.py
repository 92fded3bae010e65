"""`nnrun verify`: repeats runs from their folders, or compares files with their digests."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from nnrun.runs import Run, layout, process, reopen

KINDS = {"history", "preparation", "metrics", "predictions", "weights", "optimizer"}
EDITED = "was damaged or edited since the run wrote it"


def copy(path: Path, target: Path) -> Run:
    return Run(Path(shutil.copytree(path, target)))


def entries(answer: Any) -> dict[str, Any]:
    return {Path(run["path"]).name: run for run in json.loads(answer.stdout)["runs"]}


def contents(path: Path) -> dict[str, bytes]:
    files = (file for file in path.rglob("*") if file.is_file())
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def folder(trained: tuple[Any, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of one run: unchanged, interrupted, with an edited spec, and with a wrong spec."""
    root = tmp_path_factory.mktemp("verified")
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
def answer(folder: Path, nnrun: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The answer of one command for all of them, which leaves no temporary folder."""
    temporary = tmp_path_factory.mktemp("temporary")
    names = ("same", "stopped", "edited", "broken", "nowhere")
    runs = (folder / name for name in names)
    answer = nnrun("verify", "--json", *runs, env={"TMPDIR": str(temporary)})
    assert not list(temporary.glob("nnrun-*"))
    return answer


def test_a_repetition_is_bit_identical(answer: Any, folder: Path, trained: Any) -> None:
    """And the run itself is not changed."""
    same = entries(answer)["same"]
    identical = {file["what"] for file in same["comparisons"] if file["verdict"] == "identical"}

    assert (same["verdict"], same["causes"], same["damaged"]) == ("identical", [], [])
    assert identical == KINDS
    assert f"repeating {folder / 'same'}\nepoch 1/3  loss " in answer.stderr
    assert contents(folder / "same") == contents(trained[1])
    assert {path.name for path in folder.iterdir()} == {"same", "stopped", "edited", "broken"}


def test_an_interrupted_run_is_compared_up_to_its_last_epoch(answer: Any) -> None:
    stopped = entries(answer)["stopped"]

    assert (stopped["verdict"], stopped["status"]) == ("identical", "interrupted")
    assert [file["extent"] for file in stopped["comparisons"]] == ["2 epochs × 4 metrics"] * 2


def test_an_edited_spec_is_reported_with_its_consequences(answer: Any) -> None:
    edited = entries(answer)["edited"]

    assert edited["verdict"] == "different"
    assert edited["damaged"] == [{"file": "spec.yaml", "reason": EDITED}]
    assert edited["causes"][0]["text"] == f"spec.yaml {EDITED}"
    assert edited["causes"][1]["text"].endswith("training steps 432 → 216")


def test_a_run_that_cannot_be_verified_does_not_stop_the_others(answer: Any) -> None:
    """The exit code is the highest."""
    runs = entries(answer)

    assert answer.returncode == 3
    assert (runs["broken"]["verdict"], runs["nowhere"]["verdict"]) == (None, None)
    assert re.search(r"broken/spec\.yaml:\d+:", answer.stderr)
    assert "did you mean 'units'" in answer.stderr
    assert runs["broken"]["error"].startswith("NN112 model[0].Dense.unitz: ")
    assert f"{runs['nowhere']['path']} is no" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": layout.RUNNING, "process": process()}, "is still running, as process "),
        ({"fold": 1}, "is a fold; `nnrun verify "),
        ({"verb": "smoke"}, "`nnrun smoke`"),
    ],
    ids=["running", "fold", "smoke"],
)
def test_a_run_that_cannot_be_repeated_is_refused(
    change: dict[str, Any], message: str, trained: tuple[Any, Path], tmp_path: Path, here: Any
) -> None:
    run = copy(trained[1], tmp_path / "run")
    run.update(**change)
    with contextlib.ExitStack() as stack:
        if "status" in change:
            stack.callback(reopen(run.path).release)
        answer = here("verify", run.path)

    assert answer.returncode == 2
    assert message in answer.stderr


def test_a_run_without_an_epoch_is_refused(
    trained: tuple[Any, Path], tmp_path: Path, here: Any
) -> None:
    run = copy(trained[1], tmp_path / "run")
    run.update(status=layout.FAILED)
    (run.path / layout.JOURNAL).unlink()
    answer = here("verify", run.path)

    assert answer.returncode == 2
    assert "failed before its first epoch ended; nothing to compare" in answer.stderr


def test_files_are_compared_with_their_digests_without_heavy_packages(
    trained: tuple[Any, Path], tmp_path: Path, probed: Any
) -> None:
    """A line per damaged file, and a total."""
    for name in ("a", "b", "c"):
        copy(trained[1], tmp_path / name)
    (tmp_path / "a" / layout.MODEL).write_bytes(b"x")
    (tmp_path / "c" / layout.plot("loss")).unlink()
    answer, loaded = probed("verify", "--files", "a", "b", "c", cwd=tmp_path)
    *lines, last = answer.stdout.splitlines()

    assert (answer.returncode, loaded) == (3, set())
    assert lines[0] == f"a/model.keras {EDITED}"
    assert lines[1].startswith("c/plots/loss.png is ")
    assert last.startswith("3 runs, ")
    assert last.endswith(": 2 damaged")


def test_unchanged_files_are_reported(trained: tuple[Any, Path], here: Any) -> None:
    answer = here("verify", "--files", trained[1])
    document = entries(here("verify", "--files", trained[1], "--json"))[trained[1].name]

    assert answer.returncode == 0
    assert answer.stdout.endswith(": all unchanged\n")
    assert (document["verdict"], document["damaged"]) == ("whole", [])


@pytest.mark.slow
def test_a_failed_run_is_compared_with_its_failed_repetition(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    rate = "training.optimizer={SGD: {learning_rate: 1.0e+30}}"
    nnrun("train", configs / "boston.yaml", "--set", rate, "--runs", tmp_path)
    [path] = tmp_path.iterdir()
    answer = nnrun("verify", path)

    assert answer.returncode == 0, answer.stderr
    assert "failed after epoch 1: only complete epochs and parts are compared" in answer.stdout
    assert "bit-identical" in answer.stdout

    # If the run did not fail, a failed repetition is an error and not a difference.
    Run(path).update(status=layout.FINISHED)
    answer = nnrun("verify", path)
    assert answer.returncode == 1
    assert "error: the repetition failed: the loss became " in answer.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--set", "seed=null"],
        ["--set", "training.engine=fit"],
        ["--set", "training.engine=graph"],
        ["--set", "training.callbacks=[{EarlyStopping: {patience: 1, monitor: loss}}]"],
        ["--set", "training.callbacks=[{RemoteMonitor: {root: 'http://127.0.0.1:9'}}]"],
    ],
    ids=str,
)
def test_every_engine_is_repeated_bit_identically(
    options: list[str], configs: Path, nnrun: Any, tmp_path: Path
) -> None:
    """A random seed is recorded in the spec of the run."""
    epochs = ("--set", "training.epochs=3")
    nnrun("train", configs / "digits.yaml", *epochs, *options, "--runs", tmp_path / "runs")
    [path] = (tmp_path / "runs").iterdir()
    answer = nnrun("verify", path, "--keep", tmp_path / "kept")

    assert (answer.returncode, answer.stderr.count("Traceback")) == (0, 0)
    assert "bit-identical" in answer.stdout
    assert f"the repetition is in {next((tmp_path / 'kept').iterdir())}" in answer.stdout


@pytest.mark.slow
def test_an_unexplained_difference_is_repeated_once_more(
    trained: tuple[Any, Path], tmp_path: Path, nnrun: Any
) -> None:
    """`shuffle` is the one key that leaves no other trace in the run."""
    run = copy(trained[1], tmp_path / "run")
    spec = (run.path / layout.SPEC).read_text()
    run.write_text(layout.SPEC, spec.replace("shuffle: true", "shuffle: false"))
    answer = nnrun("verify", run.path)

    assert run.record().status == layout.FINISHED
    assert answer.returncode == 3
    assert "no cause found: data, spec, versions, device and machine are the same" in answer.stdout
    assert "a second repetition is identical to the first" in answer.stdout
