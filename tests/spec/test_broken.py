"""The faults reported for the broken specs in `tests/broken`, and for every key of the language.

After you change a message on purpose: `python tests/broken/renew.py`.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from nnrun.errors import Fault
from nnrun.spec import codes
from nnrun.spec.dataset import DATASETS
from nnrun.spec.language import sections
from nnrun.spec.prepare import STEPS
from nnrun.spec.rendering import render
from nnrun.spec.tree import dotted

tables = runpy.run_path(str(Path(__file__).parents[1] / "broken" / "renew.py"))
CASES: list[Any] = [case for table in tables["TABLES"] for case in tables["cases"](table)]
# A fault of these has no line to show: the file cannot be read, or lacks what should be in it.
WITHOUT_LINE = {"NN001", "NN003", "NN102"}
OF_TYPE = {"NN008", "NN010", "NN103", "NN109", "NN110", "NN111", "NN115"}
# These need data, or Keras; `nnrun explain` has its own tests for warnings.
LATER = {*(f"NN{number}" for number in range(120, 200))}
PREPARE = ("dataset", "prepare")
LISTS = (PREPARE, ("training", "stages"))
STEP_NAMES = [(*PREPARE, name) for name in STEPS]
ARGUMENTS = [(*PREPARE, name, key) for name, step in STEPS.items() for key in step.model_fields]
PARTS = sections().items()
KEYS = [(*map(str, part), key) for part, names in PARTS for key in sorted(names)]
KEYS += [path for path in ARGUMENTS if path[-1] != "step"]

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def faults_of(text: str) -> tuple[Fault, ...]:
    faults: tuple[Fault, ...] = tables["faults"](tables["Case"]("", (("a.yaml", text.encode()),)))
    return faults


def faults_with(path: tuple[str, ...], written: str, **value: Any) -> tuple[Fault, ...]:
    """The faults of a small spec in which a key is written in this way, with this value if any."""
    *section, key = path
    fitting = [name for name, model in DATASETS.items() if key in model.model_fields]
    name = fitting[0] if section == ["dataset"] else "digits"
    training = {"optimizer": "adam", "loss": "mse", "epochs": 1}
    spec = {"dataset": {"name": name}, "model": [{"Dense": 10}], "training": training}
    part: Any = spec
    for depth, name in enumerate(section, 1):
        part = part.setdefault(name, [{}] if path[:depth] in LISTS else {})
        part = part[0] if path[:depth] in LISTS else part
    part[written] = value.get("value", part.pop(key, None))
    return faults_of(json.dumps(spec))


def without_positions(path: str) -> str:
    return "".join(part.split("]")[-1] for part in path.split("["))


@every_case
def test_a_broken_spec_gives_the_expected_text(case: Any) -> None:
    assert tables["report"](case) == case.expected


@every_case
def test_every_fault_has_its_place(case: Any) -> None:
    """A line and a column, and a caret below what is meant, or nothing that could be shown."""
    assert tables["faults"](case)
    for fault in tables["faults"](case):
        assert fault.place is not None
        shown = render(fault).splitlines()[1:]
        assert len(shown) == (2 if fault.place.text.strip() else 0)
        assert shown or fault.code in WITHOUT_LINE
        if fault.code == "NN101" and fault.place.source != "--set":
            meant = fault.place.text[fault.place.column - 1 :][: fault.place.length]
            assert meant.strip("'\"") == fault.path.rpartition(".")[2]


def test_each_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 300


@pytest.mark.parametrize("name", tables["BASES"])
def test_the_base_of_a_broken_spec_is_good(name: str) -> None:
    assert not faults_of(tables["BASES"][name])


@pytest.mark.parametrize("path", [*KEYS, *STEP_NAMES], ids=dotted)
def test_a_misspelt_key_is_found_and_is_not_missing_as_well(path: tuple[str, ...]) -> None:
    """The nearest match is the right key, whichever is misspelt."""
    faults = faults_with(path, path[-1] + path[-1][-1])
    found = [fault.suggestion for fault in faults if fault.code in ("NN101", "NN118")]

    assert found == [path[-1]]
    assert dotted(path) not in {without_positions(fault.path) for fault in faults}


def test_a_misspelt_key_is_the_only_fault() -> None:
    """One mistake is one fault."""
    for case in CASES:
        codes_found = {fault.code for fault in tables["faults"](case)}
        assert not case.name.startswith("keys/") or codes_found <= {"NN101", "NN103", "NN118"}


@pytest.mark.parametrize("path", KEYS, ids=dotted)
def test_a_value_of_a_wrong_type_is_found_at_its_key(path: tuple[str, ...]) -> None:
    faults = faults_with(path, path[-1], value=[[]])
    found = {without_positions(fault.path) for fault in faults if fault.code in OF_TYPE}

    assert ("dataset" if path == ("dataset", "name") else dotted(path)) in found


def test_every_code_that_needs_neither_data_nor_keras_is_reported_somewhere() -> None:
    found = {fault.code for case in CASES for fault in tables["faults"](case)}

    assert {code for code in codes.all_rules() if code < "NN2"} - LATER <= found
