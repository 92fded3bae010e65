"""Short forms of the fault tests; `make faults` runs the long ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import data_files
import injector
import pytest
import specs
import starts
from folders import contents
from forkserver import LIGHT, ForkServer
from mutations import Bench, make_other, make_runs
from starts import Ended
from writes import SUBJECTS, Plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all disturbed runs."""
    if reason := injector.missing():
        pytest.skip(reason)
    return tmp_path_factory.mktemp("faults").resolve()


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ForkServer]:
    """Runs commands with a file layer that can be made to fail."""
    with ForkServer(folder, shim=injector.compile_shim(folder)) as server:
        yield server


def test_a_failing_call_leaves_nothing_half_written(server: ForkServer, folder: Path) -> None:
    """Each file of a run once: on a full disk, on a read-only one, and by a kill."""
    plan = Plan.make(SUBJECTS["callbacks"], server, folder)
    with ThreadPoolExecutor(2) as pool:
        problems = list(pool.map(lambda case: plan.check(*case), plan.sample()))

    assert [*chain(*problems)] == []


@pytest.mark.parametrize("verb", ["train", "kfold"])
@pytest.mark.usefixtures("folder")
def test_killed_runs_are_resumed_to_the_same_bytes(verb: str) -> None:
    """In forks and in fresh processes; of a cross-validation also the parent, or only a worker."""
    script = Path(__file__).with_name("kills.py")
    command = [sys.executable, str(script), "--verb", verb, "--kills", "5"]
    kills = subprocess.run(command, capture_output=True, text=True, check=False)

    assert kills.returncode == 0, kills.stdout + kills.stderr
    assert "kills end equal" in kills.stdout


def test_a_damaged_run_folder_shows_no_wrong_number(server: ForkServer, folder: Path) -> None:
    """Bits, digits, keys, lengths, names and kinds of files are changed at random."""
    with ForkServer(folder, modules=LIGHT) as light, ThreadPoolExecutor(2) as pool:
        runs = make_runs(server, folder)
        bench = Bench(folder, light, server, runs, make_other(server, folder), seed=2)
        bench.read_intact()
        problems = list(pool.map(bench.check, range(9)))

    assert [*chain(*problems)] == []


def test_runs_of_the_same_second_have_separate_folders(server: ForkServer, folder: Path) -> None:
    """The clock stands still, so each run wants the same name."""
    spec = specs.write(folder, "together", specs.DIGITS)
    alone = Ended.read(0, server.run("train", spec, "--json", "--runs", folder / "alone").out, "")
    assert alone.run
    expected, _ = contents(alone.run)
    root, noon = folder / "together", int(starts.NOON)
    pending = [server.start("train", spec, "--json", "--runs", root, second=noon) for _ in range(3)]
    answers = [run.answer() for run in pending]
    ended = [Ended.read(run.code or 0, run.out, run.err) for run in answers]

    assert list(starts.find_problems(ended, root, expected)) == []
    assert starts.shared_seconds(root) == 3


def test_a_changed_data_file_is_read_or_refused() -> None:
    """Tables, arrays, images and texts, in bytes, encodings, sizes and types."""
    report = data_files.run(2, range(100), every=0)

    assert report["read"] > 10
    assert report["predict 0"] > 10
