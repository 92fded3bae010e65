"""What is told of the broken specs in `tests/broken`: each as its golden text says.

After a deliberate change of a message: `python tests/broken/renew.py`.
"""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnrun.errors import Fault
from nnrun.spec import codes, language
from nnrun.spec.rendering import render
from nnrun.spec.steps import STEPS
from nnrun.spec.tree import dotted

BROKEN = Path(__file__).parents[1] / "broken"
corpus = runpy.run_path(str(BROKEN / "renew.py"))
SPECS: list[Path] = corpus["SPECS"]
# A fault of these has no line to show: the file cannot be read, or lacks what should be in it.
WITHOUT_LINE = {"NN001", "NN003", "NN102"}
OF_TYPE = {"NN008", "NN010", "NN103", "NN109", "NN110", "NN111", "NN115"}
# Which need data, or Keras; `nnrun explain` has its own tests for warnings.
LATER = {*(f"NN{number}" for number in range(120, 200))}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Specs are named from the folder of the corpus."""
    monkeypatch.chdir(BROKEN)


def all_faults() -> Iterator[Fault]:
    for spec in SPECS:
        yield from corpus["faults"](spec)


def keys() -> set[str]:
    """Every key of the language, from the models."""
    parts = {
        dotted((*section, key)) for section, names in language.sections().items() for key in names
    }
    return parts | {f"dataset.prepare.{name}" for name in STEPS} | arguments_of_steps()


def arguments_of_steps() -> set[str]:
    return {
        f"dataset.prepare.{name}.{argument}"
        for name, step in STEPS.items()
        for argument in step.model_fields
        if argument != "step"
    }


def without_positions(path: str) -> str:
    return "".join(part.split("]")[-1] for part in path.split("["))


def ids(spec: Path) -> str:
    return spec.with_suffix("").as_posix()


@pytest.mark.parametrize("spec", SPECS, ids=ids)
def test_a_broken_spec_is_told_as_its_golden_text_says(spec: Path) -> None:
    assert corpus["told"](spec) == spec.with_suffix(".txt").read_text("utf-8")


@pytest.mark.parametrize("spec", SPECS, ids=ids)
def test_every_fault_has_its_place(spec: Path) -> None:
    """A line and a column, and a caret below the line, or nothing that could be shown."""
    faults = corpus["faults"](spec)

    assert faults
    for fault in faults:
        assert fault.place is not None
        shown = render(fault).splitlines()[1:]
        assert len(shown) == (2 if fault.place.text.strip() else 0)
        assert shown or fault.code in WITHOUT_LINE


def test_the_caret_stands_under_the_key_that_is_not_known() -> None:
    for fault in all_faults():
        if fault.code == "NN101" and fault.place and fault.place.source != "--set":
            at = fault.place.column - 1
            meant = fault.place.text[at : at + fault.place.length]

            assert meant.strip("'\"") == fault.path.rpartition(".")[2]


def test_the_corpus_is_large() -> None:
    assert len(SPECS) >= 120


def test_no_golden_text_is_left_over() -> None:
    texts = {path.relative_to(BROKEN) for path in BROKEN.glob("*/*.txt")}

    assert texts == {spec.with_suffix(".txt") for spec in SPECS}


def test_every_key_of_the_language_is_misspelt_somewhere_and_found() -> None:
    """The nearest match is the right key, whichever is misspelt."""
    found = set()
    for fault in all_faults():
        if fault.code in ("NN101", "NN118") and fault.suggestion:
            path = without_positions(fault.path)
            parent = path if fault.code == "NN118" else path.rpartition(".")[0]
            found.add(f"{parent}.{fault.suggestion}".removeprefix("."))

    assert keys() <= found


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.parent.name == "keys"], ids=ids)
def test_a_misspelt_key_is_the_only_fault(spec: Path) -> None:
    """One mistake is one fault: a key that was misspelt is not missing as well."""
    faults = corpus["faults"](spec)

    assert {fault.code for fault in faults} <= {"NN101", "NN103", "NN118"}


def test_every_key_of_the_language_has_a_wrong_value_somewhere() -> None:
    steps = {f"dataset.prepare.{name}" for name in STEPS}
    found = {
        "dataset.name" if fault.code == "NN109" else without_positions(fault.path)
        for fault in all_faults()
        if fault.code in OF_TYPE
    }

    assert keys() - steps <= found


def test_every_code_that_needs_neither_data_nor_keras_is_told_somewhere() -> None:
    found = {fault.code for fault in all_faults()}
    errors = {code for code in codes.RULES if code < "NN2"}

    assert errors - LATER <= found
