"""TensorFlow's noise goes to the log; what a person should see does not."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from nnrun.errors import RunError
from nnrun.training.backend import Noise


def test_what_is_written_behind_pythons_back_goes_to_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """TensorFlow's C++ writes to the file number, before and after there is a run."""
    log = tmp_path / "log.txt"
    with Noise() as noise:
        os.write(2, b"before\n")
        noise.move_to(log)
        os.write(2, b"after\n")
        noise.note("epoch 1/1")
        print("for a person", file=noise.terminal, flush=True)

    assert log.read_text() == "before\nafter\nepoch 1/1\n"
    assert capfd.readouterr().err == "for a person\n"


def test_afterwards_standard_error_is_what_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A traceback of a fault of ours must be seen."""
    with suppress(ZeroDivisionError), Noise() as noise:
        noise.move_to(tmp_path / "log.txt")
        raise ZeroDivisionError
    os.write(2, b"a traceback\n")

    assert capfd.readouterr().err == "a traceback\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_log_on_a_full_disk_is_an_error_of_the_run() -> None:
    """And no traceback."""
    with Noise() as noise, pytest.raises(RunError) as error:
        noise.move_to(Path("/dev/full"))

    assert str(error.value) == "/dev/full: cannot be written: No space left on device"


def test_so_is_a_folder_where_the_log_should_be(tmp_path: Path) -> None:
    with Noise() as noise, pytest.raises(RunError) as error:
        noise.move_to(tmp_path)

    assert str(error.value) == f"{tmp_path}: cannot be written: Is a directory"
