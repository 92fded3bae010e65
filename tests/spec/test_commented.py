"""A spec to start from says what each key means, and what would be in force without it."""

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
# The keys of an entry; a spec that lists none has no place for them.
OF_A_LIST = {"training.stages"}
KEY = re.compile(r"(?P<indent> *)(?P<off># )?(?P<deeper> *)(?P<key>\w+):(?P<rest>.*)")


def meanings(text: str) -> dict[str, str]:
    """The comment of each key by its path."""
    found, above = {}, []
    for line in text.splitlines():
        if match := KEY.fullmatch(line):
            depth = (len(match["indent"]) + len(match["deeper"])) // 2
            above = [*above[:depth], match["key"]]
            found[".".join(above)] = match["rest"].rpartition("  # ")[2]
    return found


@every_spec
def test_it_is_the_same_experiment(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.yaml"
    experiment = load(path).experiment
    copy.write_text(dump_commented(experiment), encoding="utf-8")

    assert load(copy).experiment == experiment


@every_spec
def test_every_key_is_there_with_what_the_models_say_of_it(path: Path) -> None:
    experiment = load(path).experiment
    expected = {
        f"{part.title}.{key.name}".removeprefix("top level."): key.meaning
        for part in keys.parts()
        for key in part.keys
        if key.name not in EARLIER and part.title not in OF_A_LIST
    }
    [dataset] = [part for part in keys.datasets() if part.title == experiment.dataset.name]
    expected |= {f"dataset.{key.name}": key.meaning for key in dataset.keys}
    found = meanings(dump_commented(experiment))

    assert dataset.meaning.startswith(found.pop("dataset.name"))
    assert (
        found.pop("dataset.prepare") == "Prepare steps in order, fitted on the training rows only."
    )
    assert found == expected


@every_spec
def test_what_is_commented_out_can_be_used(path: Path, tmp_path: Path) -> None:
    """Defaults put in force change nothing, but that a mapping is there which was not."""
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
def test_a_step_says_what_it_does(path: Path) -> None:
    experiment = load(path).experiment
    text = dump_commented(experiment)

    for step in experiment.dataset.prepare:
        [section] = [section for section in keys.steps() if section.title == step.step]
        assert step.step in STEPS
        assert re.search(rf"    - {step.step}.*  # {re.escape(section.meaning)}\n", text)


def test_meanings_stand_in_one_column() -> None:
    lines = dump_commented(load(SPECS[0]).experiment).splitlines()
    short = [line for line in lines if len(line[: COLUMN - 2].rstrip()) < COLUMN - 2]

    assert {line.find("# ", COLUMN - 2) for line in short if "  # " in line[10:]} == {COLUMN}
