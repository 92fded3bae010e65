"""A new spec has every key with its meaning and default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nnrun.spec import keys
from nnrun.spec.dumping import COLUMN, dump_commented
from nnrun.spec.language import EARLIER
from nnrun.spec.loading import load
from nnrun.spec.prepare import STEPS

SPECS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
every_spec = pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
# Keys of list items, which an empty list does not have.
OF_A_LIST = {"training.stages", "training.stages.freeze", "training.restore", "dataset.inputs"}
KEY = re.compile(r"(?P<indent> *)(?P<off># )?(?P<deeper> *)(?P<key>\w+):(?P<rest>.*)")


def meanings(text: str) -> dict[str, str]:
    """The comment of each key by its path."""
    comments, above = {}, []
    for line in text.splitlines():
        if match := KEY.fullmatch(line):
            depth = (len(match["indent"]) + len(match["deeper"])) // 2
            above = [*above[:depth], match["key"]]
            comments[".".join(above)] = match["rest"].rpartition("  # ")[2]
    return comments


@every_spec
def test_it_is_the_same_experiment(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.yaml"
    experiment = load(path).experiment
    copy.write_text(dump_commented(experiment), encoding="utf-8")

    assert load(copy).experiment == experiment


@every_spec
def test_every_key_has_its_description_in_the_models(path: Path) -> None:
    experiment = load(path).experiment
    expected = {
        f"{part.title}.{key.name}".removeprefix("top level."): key.meaning
        for part in keys.parts()
        for key in part.keys
        if key.name not in EARLIER and part.title not in OF_A_LIST
    }
    [dataset] = [part for part in keys.datasets() if part.title == experiment.dataset.name]
    expected |= {f"dataset.{key.name}": key.meaning for key in dataset.keys}
    expected["dataset.prepare"] = "Prepare steps in order, fitted on the training rows only."
    comments = meanings(dump_commented(experiment))

    assert dataset.meaning.startswith(comments.pop("dataset.name"))
    assert comments == expected


@every_spec
def test_commented_out_defaults_can_be_used(path: Path, tmp_path: Path) -> None:
    """They only add `holdout` and `kfold`."""
    experiment = load(path).experiment
    copy = tmp_path / "copy.yaml"
    text = "".join(
        re.sub(r"^( *)# ( *\w+:)", r"\1\2", line)
        for line in dump_commented(experiment).splitlines(True)
    )
    copy.write_text(text, encoding="utf-8")
    used = load(copy).experiment

    assert used.model_copy(update={"validation": experiment.validation}) == experiment
    assert used.validation.holdout
    assert used.validation.kfold
    assert used.validation.kfold.smooth


@every_spec
def test_a_step_has_its_description(path: Path) -> None:
    experiment = load(path).experiment
    text = dump_commented(experiment)

    for step in experiment.dataset.prepare:
        [section] = [section for section in keys.steps() if section.title == step.step]
        assert step.step in STEPS
        assert re.search(rf"    - {step.step}.*  # {re.escape(section.meaning)}\n", text)


def test_comments_begin_in_one_column() -> None:
    lines = dump_commented(load(SPECS[0]).experiment).splitlines()
    short = [line for line in lines if len(line[: COLUMN - 2].rstrip()) < COLUMN - 2]

    assert {line.find("# ", COLUMN - 2) for line in short if "  # " in line[10:]} == {COLUMN}
