"""`nnrun train --seeds N`: a run per seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nnrun.runs import Run, layout

SHORT = ("--set", "training.epochs=3", "--set", "validation.holdout=null")


def test_there_is_a_run_for_each_seed(seeds: tuple[Any, Path]) -> None:
    runs = [Run(path) for path in sorted(seeds[1].iterdir())]

    assert seeds[0].returncode == 0
    assert [run.record().seed for run in runs] == [5, 6, 7]
    assert [run.spec()["seed"] for run in runs] == [5, 6, 7]
    assert runs[2].record().overrides == [*SHORT[1::2], "seed=5", "seed=7"]
    assert len({(run.path / layout.HISTORY).read_text() for run in runs}) == 3


def test_a_run_of_several_seeds_equals_a_run_of_its_seed_alone(
    seeds: tuple[Any, Path], nnrun: Any, tmp_path: Path
) -> None:
    """Earlier trainings in the same process have no influence."""
    last = max(seeds[1].iterdir())
    nnrun("train", "iris", *SHORT, "--set", "seed=7", "--runs", tmp_path)
    [alone] = tmp_path.iterdir()

    for name in (layout.HISTORY, layout.PREDICTIONS, layout.CONFUSION):
        assert (alone / name).read_bytes() == (last / name).read_bytes()


def test_the_last_line_has_mean_and_spread(seeds: tuple[Any, Path]) -> None:
    last = seeds[0].stdout.splitlines()[-1]

    assert last.startswith("3 seeds of iris: test accuracy ")
    assert "(ddof 1), 95 % interval" in last


def test_a_random_seed_is_refused(nnrun: Any, tmp_path: Path) -> None:
    answer = nnrun("train", "iris", "--set", "seed=null", "--seeds", 2, "--runs", tmp_path)

    assert answer.returncode == 2
    assert "NN103 seed: must be a number for --seeds, got null" in answer.stderr
    assert not list(tmp_path.iterdir())
