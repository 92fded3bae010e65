"""Messages of TensorFlow go to the log."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from nnrun.errors import RunError
from nnrun.training.backend import Noise


def test_output_of_c_goes_to_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """TensorFlow writes to the file descriptor, before and after the run has a folder."""
    log = tmp_path / "log.txt"
    with Noise() as noise:
        os.write(2, b"before\n")
        noise.move_to(log)
        os.write(2, b"after\n")
        noise.note("epoch 1/1")
        print("for the user", file=noise.terminal, flush=True)

    assert log.read_text() == "before\nafter\nepoch 1/1\n"
    assert capfd.readouterr().err == "for the user\n"


def test_stderr_is_restored(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with suppress(ZeroDivisionError), Noise() as noise:
        noise.move_to(tmp_path / "log.txt")
        raise ZeroDivisionError
    os.write(2, b"a traceback\n")

    assert capfd.readouterr().err == "a traceback\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_log_on_a_full_disk_is_a_run_error() -> None:
    with Noise() as noise, pytest.raises(RunError) as error:
        noise.move_to(Path("/dev/full"))

    assert str(error.value) == "/dev/full: cannot be written: No space left on device"


def test_a_folder_in_place_of_the_log_is_a_run_error(tmp_path: Path) -> None:
    with Noise() as noise, pytest.raises(RunError) as error:
        noise.move_to(tmp_path)

    assert str(error.value) == f"{tmp_path}: cannot be written: Is a directory"
