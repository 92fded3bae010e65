"""`nnrun train`: answers on stdout, the rest on stderr, and an exit code that means something."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nnrun.runs import Run, layout

NOISE = re.compile(
    r"tensorflow/|onednn|cuda|absl|XLA service|WARNING|^[IWE]0000", re.IGNORECASE | re.MULTILINE
)


def test_the_table_goes_to_stdout(trained: tuple[Any, Path]) -> None:
    answer, path = trained
    number = f"{Run(path).metrics().test['accuracy']:.4f}"

    assert answer.returncode == 0
    assert re.search(rf"^│ accuracy .* {number} │$", answer.stdout, flags=re.MULTILINE)
    assert "best epoch 3 of 3: val_loss " in answer.stdout
    assert path.name in answer.stdout.splitlines()[-1]


def test_a_callback_that_fails_is_named_and_costs_no_epoch(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    """It comes after the epoch was trained: the epoch is kept, the reason said, the rest logged."""
    answer = nnrun(
        *("train", configs / "iris.yaml", "--runs", tmp_path),
        *("--set", "training.callbacks=[{ModelCheckpoint: {filepath: '{nothing}.keras'}}]"),
    )
    [path] = tmp_path.iterdir()

    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("error: the callback ModelCheckpoint failed")
    assert (Run(path).status(), len(Run(path).history())) == ("failed", 1)
    assert "Traceback" not in answer.stderr
    assert "Traceback" in (path / layout.LOG).read_text()


def test_off_a_terminal_there_is_a_line_per_epoch_and_no_noise(trained: tuple[Any, Path]) -> None:
    """A log of a job must stay readable."""
    lines = trained[0].stderr.splitlines()

    assert sum(line.startswith("epoch ") for line in lines) == 3
    assert len(lines) <= 3 + 4
    assert "\x1b" not in trained[0].stderr + trained[0].stdout
    assert "\r" not in trained[0].stderr
    assert not NOISE.search(trained[0].stderr)


def test_json_is_one_document_and_nothing_else(three: tuple[Any, Path]) -> None:
    """`json.loads` takes no second document and no table."""
    answer, root = three
    document = json.loads(answer.stdout)

    assert answer.returncode == 0
    assert document == {
        "schema_version": 1,
        "runs": [
            {
                "path": str(run.path),
                "name": run.record().name,
                "status": "finished",
                "metrics": run.read_json(layout.METRICS),
            }
            for name in ("digits", "logits", "boston")
            for run in [Run(next(root.glob(f"*-{name}")))]
        ],
    }


def test_several_specs_are_trained_one_after_the_other(three: tuple[Any, Path]) -> None:
    assert [path.name[16:] for path in sorted(three[1].iterdir())] == ["digits", "logits", "boston"]


def test_an_override_is_used_and_written_down(three: tuple[Any, Path]) -> None:
    for path in three[1].iterdir():
        assert Run(path).metrics().epochs == 3
        assert Run(path).record().overrides == ["training.epochs=3"]


@pytest.fixture(scope="module")
def lost(nnrun: Any, configs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Run]:
    """A run whose loss is lost, asked for through `NNRUN_RUNS`."""
    root = tmp_path_factory.mktemp("lost")
    answer = nnrun(
        *("train", configs / "boston.yaml", "--set", "training.epochs=3", "--json"),
        *("--set", "training.optimizer={SGD: {learning_rate: 1e30}}"),
        env={"NNRUN_RUNS": str(root)},
    )
    return answer, Run(next(root.iterdir()))


def test_a_lost_loss_fails_the_run_and_says_why(lost: tuple[Any, Run]) -> None:
    answer, run = lost
    reason = (
        "the loss became nan in epoch 1; a smaller learning rate, scaled inputs or clipped "
        "gradients (clipnorm) usually help"
    )

    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1] == f"error: {reason}"
    assert "Traceback" not in answer.stderr
    assert (run.status(), run.record().error) == ("failed", reason)
    assert [entry["status"] for entry in json.loads(answer.stdout)["runs"]] == ["failed"]


def test_a_failed_run_keeps_its_epochs_and_plots_but_no_model(lost: tuple[Any, Run]) -> None:
    """Weights that are no numbers help nobody."""
    _, run = lost

    assert run.read_json(layout.HISTORY) == {"loss": [None], "mae": [None]}
    assert len(run.history()) == 1
    assert run.metrics().best_epoch is None
    assert run.holds(layout.plot("loss"))
    assert not run.holds(layout.MODEL)
    assert not run.holds(layout.PREDICTIONS)


def test_a_failed_run_is_listed_and_shown(lost: tuple[Any, Run], nnrun: Any) -> None:
    _, run = lost
    listed = nnrun("list", env={"NNRUN_RUNS": str(run.path.parent)})
    shown = nnrun("show", run.path)

    assert "│ failed │ 1 " in listed.stdout
    assert "stopped: the loss became nan in epoch 1" in shown.stdout
    assert (listed.returncode, shown.returncode) == (0, 0)


def test_offline_without_the_data_says_what_to_do(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    """Within seconds, and never with a silent stand-in."""
    nowhere = {"https_proxy": "http://127.0.0.1:9", "KERAS_HOME": str(tmp_path / "home")}
    answer = nnrun("train", configs / "mnist.yaml", cwd=tmp_path, env=nowhere)
    file = tmp_path / "home" / "datasets" / "mnist.npz"

    assert answer.returncode == 2
    assert answer.stderr.startswith(
        f"error: mnist: {file} is not there and could not be downloaded"
    )
    assert "Connect to the internet once and run again" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_folder_of_runs_that_cannot_be_made_is_said(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    """A file stands in its place."""
    (tmp_path / "file").touch()
    root = tmp_path / "file" / "runs"
    answer = nnrun("train", configs / "digits.yaml", "--runs", root)

    assert answer.returncode == 1
    assert answer.stderr == f"error: {root}: no run folder can be made here: Not a directory\n"


def test_a_full_disk_fails_the_run_and_leaves_no_half_file(
    configs: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """A limit on the size of files stands in for it, which the model is the first to meet."""
    limit = 20_000
    root = tmp_path / "runs"
    command = [sys.executable, "-m", "nnrun", "train", str(configs / "digits.yaml")]
    answer = subprocess.run(
        [*command, "--runs", str(root), "--set", "training.epochs=2"],
        capture_output=True,
        text=True,
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        check=False,
    )
    errors = [line for line in answer.stderr.splitlines() if line.startswith("error: ")]
    kept = [path for path in root.rglob("*") if path.is_file() and path.name != layout.LOG]

    assert answer.returncode == 1
    assert len(errors) == 1
    assert errors[0].endswith(": cannot be written: File too large")
    assert "Traceback" not in answer.stderr
    assert [Run(path).status() for path in root.iterdir()] == ["failed"]
    assert all(path.stat().st_size < limit for path in kept)
    assert not list(root.rglob(".*"))


def on_a_terminal(command: list[str], env: dict[str, str]) -> tuple[int, str]:
    """Runs a command with a terminal of 100 columns behind both streams."""
    ours, theirs = pty.openpty()
    size = {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=env | size)
    os.close(theirs)
    parts = []
    while part := read(ours):
        parts.append(part)
    os.close(ours)
    return process.wait(), b"".join(parts).decode()


def read(terminal: int) -> bytes:
    """What the terminal shows next; Linux says by an error that nobody writes to it any more."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def test_on_a_terminal_a_bar_moves_and_nothing_else_shows(
    configs: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """TensorFlow writes to the terminal behind Python's back, which would tear the bar."""
    command = [sys.executable, "-m", "nnrun", "train", str(configs / "digits.yaml")]
    more = ["--runs", str(tmp_path), "--set", "training.epochs=200"]
    code, shown = on_a_terminal([*command, *more], environment)
    epochs = [int(epoch) for epoch in re.findall(r"epoch (\d+)/200", shown)]

    assert code == 0
    assert len(set(epochs)) > 2
    assert epochs == sorted(epochs)
    assert "━" in shown
    assert not NOISE.search(shown)
    assert "Traceback" not in shown


@pytest.mark.parametrize(("setting", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_can_be_switched_off(
    setting: dict[str, str], coloured: bool, environment: dict[str, str], tmp_path: Path
) -> None:
    """See no-color.org."""
    command = [sys.executable, "-m", "nnrun", "show", str(tmp_path)]
    code, shown = on_a_terminal(command, environment | setting)

    assert code == 2
    assert "error:" in shown
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", shown)) is coloured
