"""`nnrun train`: results on stdout, everything else on stderr, and exit codes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import resource
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from nnrun.runs import Run, layout

NOISE = re.compile(
    r"tensorflow/|onednn|cuda|absl|XLA service|WARNING|^[IWE]0000", re.IGNORECASE | re.MULTILINE
)


def test_the_summary_goes_to_stdout(trained: tuple[Any, Path]) -> None:
    answer, path = trained
    number = f"{Run(path).metrics().test['accuracy']:.4f}"

    assert answer.returncode == 0
    assert re.search(rf"^│ accuracy .* {number} │$", answer.stdout, flags=re.MULTILINE)
    assert "best epoch 3 of 3: val_loss " in answer.stdout
    assert path.name in answer.stdout.splitlines()[-1]


def test_a_failing_callback_is_named_and_the_epoch_is_kept(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    """The traceback goes to the log."""
    callback = "training.callbacks=[{ModelCheckpoint: {filepath: '{nothing}.keras'}}]"
    answer = nnrun("train", configs / "iris.yaml", "--runs", tmp_path, "--set", callback)
    [path] = tmp_path.iterdir()

    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith("error: the callback ModelCheckpoint failed")
    assert (Run(path).status(), len(Run(path).history())) == ("failed", 1)
    assert "Traceback" not in answer.stderr
    assert "Traceback" in (path / layout.LOG).read_text()


def test_off_a_terminal_there_is_a_line_per_epoch_and_no_noise(trained: tuple[Any, Path]) -> None:
    answer = trained[0]
    lines = answer.stderr.splitlines()

    assert sum(line.startswith("epoch ") for line in lines) == 3
    assert len(lines) <= 3 + 4
    assert "\x1b" not in answer.stderr + answer.stdout
    assert "\r" not in answer.stderr
    assert not NOISE.search(answer.stderr)


def test_several_specs_give_one_json_document(three: tuple[Any, Path]) -> None:
    """They are trained in order, with the same overrides."""
    answer, root = three
    runs = [Run(path) for path in sorted(root.iterdir())]

    assert answer.returncode == 0
    assert json.loads(answer.stdout) == {
        "schema_version": 1,
        "runs": [
            {
                "path": str(run.path),
                "name": name,
                "status": "finished",
                "metrics": run.read_json(layout.METRICS),
            }
            for name, run in zip(("digits", "logits", "boston"), runs, strict=True)
        ],
    }
    assert {run.metrics().epochs for run in runs} == {3}
    assert [run.record().overrides for run in runs] == [["training.epochs=3"]] * 3


@pytest.fixture(scope="module")
def diverged(nnrun: Any, configs: Path, tmp_path_factory: Any) -> tuple[Any, Run]:
    """A run whose loss becomes NaN, in the folder of `NNRUN_RUNS`."""
    root = tmp_path_factory.mktemp("diverged")
    answer = nnrun(
        *("train", configs / "boston.yaml", "--set", "training.epochs=3", "--json"),
        *("--set", "training.optimizer={SGD: {learning_rate: 1e30}}"),
        env={"NNRUN_RUNS": str(root)},
    )
    return answer, Run(next(root.iterdir()))


def test_a_loss_of_nan_fails_the_run_with_advice(diverged: tuple[Any, Run]) -> None:
    answer, run = diverged
    reason = (
        "the loss became nan in epoch 1; a smaller learning rate, scaled inputs or clipped "
        "gradients (clipnorm) usually help"
    )

    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1] == f"error: {reason}"
    assert "Traceback" not in answer.stderr
    assert (run.status(), run.record().error) == ("failed", reason)
    assert [entry["status"] for entry in json.loads(answer.stdout)["runs"]] == ["failed"]


def test_a_failed_run_keeps_its_epochs_and_plots_but_no_model(
    diverged: tuple[Any, Run], here: Any
) -> None:
    run = diverged[1]
    listed = here("list", env={"NNRUN_RUNS": str(run.path.parent)})

    assert run.read_json(layout.HISTORY) == {"loss": [None], "mae": [None]}
    assert len(run.history()) == 1
    assert run.metrics().best_epoch is None
    assert run.holds(layout.plot("loss"))
    assert not run.holds(layout.MODEL)
    assert not run.holds(layout.PREDICTIONS)
    assert "│ failed │ 1 " in listed.stdout
    assert "stopped: the loss became nan in epoch 1" in here("show", run.path).stdout


def test_offline_the_error_says_how_to_get_the_data(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    offline = {"https_proxy": "http://127.0.0.1:9", "KERAS_HOME": str(tmp_path / "home")}
    answer = nnrun("train", configs / "mnist.yaml", cwd=tmp_path, env=offline)
    file = tmp_path / "home" / "datasets" / "mnist.npz"

    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: mnist: {file} is ")
    assert "Connect to the internet once and run again" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_an_unwritable_folder_of_runs_is_an_error(
    nnrun: Any, configs: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    root = tmp_path / "file" / "runs"
    answer = nnrun("train", configs / "digits.yaml", "--runs", root)

    assert answer.returncode == 1
    assert answer.stderr == f"error: {root}: cannot create a run folder: Not a directory\n"


@pytest.mark.slow  # tools/faults fails every single write
def test_a_full_disk_fails_the_run_and_leaves_no_incomplete_file(
    configs: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """Simulated by a limit on the size of files, which the model exceeds first."""
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


def on_a_terminal(
    command: list[str], env: dict[str, str], *, until: bytes = rb"\A\Z"
) -> tuple[int, str]:
    """Runs a command on a terminal of 100 columns, which is closed once it shows what is given."""
    ours, theirs = pty.openpty()
    size = {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    process = subprocess.Popen(
        command,
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
        env=env | size,
        start_new_session=True,
        # It is the terminal of the new session, whose processes get SIGHUP when it is closed.
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    )
    os.close(theirs)
    shown = part = read(ours)
    while part and not re.search(until, shown):
        part = read(ours)
        shown += part
    os.close(ours)
    return process.wait(120), shown.decode(errors="replace")


def read(terminal: int) -> bytes:
    """The next output of the terminal; Linux reports its end by an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def test_on_a_terminal_there_is_only_a_progress_bar_until_it_is_closed(
    configs: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """Messages that TensorFlow writes from C++ would break the bar.

    SIGHUP interrupts the run, which is kept although nothing can be printed any more.
    """
    command = [sys.executable, "-m", "nnrun", "train", str(configs / "digits.yaml")]
    more = ["--runs", str(tmp_path), "--set", "training.epochs=90000"]
    code, shown = on_a_terminal([*command, *more], environment, until=rb"epoch \d{3}/")
    epochs = [int(epoch) for epoch in re.findall(r"epoch (\d+)/90000", shown)]
    [run] = (Run(path) for path in tmp_path.iterdir())

    assert (code, run.status()) == (143, layout.INTERRUPTED)
    assert run.metrics().epochs == len(run.history())
    assert len(set(epochs)) > 2
    assert epochs == sorted(epochs)
    assert "━" in shown
    assert not NOISE.search(shown)
    assert "Traceback" not in shown


@pytest.mark.parametrize(("setting", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_can_be_disabled(
    setting: dict[str, str], coloured: bool, environment: dict[str, str], tmp_path: Path
) -> None:
    """See no-color.org."""
    command = [sys.executable, "-m", "nnrun", "show", str(tmp_path)]
    code, shown = on_a_terminal(command, environment | setting)

    assert code == 2
    assert "error:" in shown
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", shown)) is coloured
