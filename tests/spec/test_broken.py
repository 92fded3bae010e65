"""The faults of the broken specs in `tests/broken`, and of every key.

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
BY_LAYER = ("training", "stages", "freeze")
STEP_NAMES = [(*PREPARE, name) for name in STEPS]
ARGUMENTS = [(*PREPARE, name, key) for name, step in STEPS.items() for key in step.model_fields]
PARTS = sections().items()
# Mappings that no base has.
KEYS = [
    (*map(str, part), key)
    for part, names in PARTS
    for key in sorted(names)
    if part == ("dataset",) or part[:1] != ("dataset",)
]
KEYS += [path for path in ARGUMENTS if path[-1] != "step"]


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
        part = part.setdefault("Dense", {}) if path[:depth] == BY_LAYER else part
    part[written] = value.get("value", part.pop(key, None))
    return faults_of(json.dumps(spec))


def without_positions(path: str) -> str:
    path = "".join(part.split("]")[-1] for part in path.split("["))
    return path.replace(f"{dotted(BY_LAYER)}.Dense.", f"{dotted(BY_LAYER)}.")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_spec_gives_the_expected_text(case: Any) -> None:
    assert tables["report"](case) == case.expected


def test_every_fault_has_a_place_and_a_caret_below_a_shown_line() -> None:
    for fault in (fault for case in CASES for fault in tables["faults"](case)):
        assert fault.place is not None
        excerpt = render(fault).splitlines()[1:]
        assert len(excerpt) == (2 if fault.place.text.strip() else 0)
        assert excerpt or fault.code in WITHOUT_LINE
        if fault.code == "NN101" and fault.place.source != "--set":
            marked = fault.place.text[fault.place.column - 1 :][: fault.place.length]
            assert marked.strip("'\"") == fault.path.rpartition(".")[2]


def test_each_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 300


def test_the_bases_of_broken_specs_are_valid() -> None:
    assert not any(faults_of(text) for text in tables["BASES"].values())


@pytest.mark.parametrize("path", [*KEYS, *STEP_NAMES], ids=dotted)
def test_a_misspelt_key_is_reported_but_not_as_missing_too(path: tuple[str, ...]) -> None:
    faults = faults_with(path, path[-1] + path[-1][-1])
    suggestions = [fault.suggestion for fault in faults if fault.code in ("NN101", "NN118")]

    assert suggestions == [path[-1]]
    assert dotted(path) not in {without_positions(fault.path) for fault in faults}


@pytest.mark.parametrize("written", ["window: {sequence_lenght: 3}", "inputs: {a: {colums: b}}"])
def test_a_misspelt_key_in_a_mapping_of_a_table_is_reported_at_its_place(written: str) -> None:
    text = f"""
dataset: {{name: csv, path: t.csv, target: y, {written}}}
model: [{{Dense: 1}}]
training: {{optimizer: adam, loss: mse, epochs: 1}}
"""
    [fault] = faults_of(text)

    assert (fault.code, fault.suggestion) in {("NN101", "sequence_length"), ("NN101", "columns")}


def test_a_misspelt_key_is_the_only_fault() -> None:
    for case in CASES:
        codes_found = {fault.code for fault in tables["faults"](case)}
        assert not case.name.startswith("keys/") or codes_found <= {"NN101", "NN103", "NN118"}


@pytest.mark.parametrize("path", KEYS, ids=dotted)
def test_a_value_of_a_wrong_type_is_reported_at_its_key(path: tuple[str, ...]) -> None:
    faults = faults_with(path, path[-1], value=[[]])
    paths = {without_positions(fault.path) for fault in faults if fault.code in OF_TYPE}

    assert ("dataset" if path == ("dataset", "name") else dotted(path)) in paths


def test_every_code_that_needs_neither_data_nor_keras_is_reported_somewhere() -> None:
    reported = {fault.code for case in CASES for fault in tables["faults"](case)}

    assert {code for code in codes.all_rules() if code < "NN2"} - LATER <= reported
