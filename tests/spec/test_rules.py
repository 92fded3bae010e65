"""Every code has a rule with a reason and a fix, and its examples are correct."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from nnrun.errors import SpecError
from nnrun.spec import codes
from nnrun.spec.codes import all_rules
from nnrun.spec.loading import load

ROOT = Path(__file__).parents[2]
BROKEN = ROOT / "docs" / "examples" / "errors"
GOOD = BROKEN / "good.yaml"
ALL = all_rules()
EXAMPLES = {code: rule.example for code, rule in ALL.items() if rule.example}
# Their fault is not in the file.
OVERRIDES = {"NN009": ("model.7.Dense.units=64",)}


def test_every_code_has_a_rule_a_reason_and_a_fix() -> None:
    for code, rule in ALL.items():
        for sentence in (rule.rule, rule.reason, rule.fix):
            assert sentence[0].isupper() or sentence[0] == "`", code
            assert sentence.endswith("."), code
            assert "  " not in sentence, code


def test_codes_are_sorted() -> None:
    assert list(ALL) == sorted(ALL)


def test_every_code_in_the_program_has_a_rule() -> None:
    folder = Path(codes.__file__).parent
    used = {c for path in folder.glob("*.py") for c in re.findall(r"NN\d{3}", path.read_text())}

    assert used <= ALL.keys()


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_of_a_fix_loads_as_part_of_a_spec(code: str, tmp_path: Path) -> None:
    piece = yaml.safe_load(EXAMPLES[code])
    base = ROOT / piece.get("extends", GOOD)
    piece["extends"] = os.path.relpath(base, tmp_path)
    path = tmp_path / "fixed.yaml"
    path.write_text(yaml.safe_dump(piece), encoding="utf-8")

    assert load(path).experiment


@pytest.mark.parametrize("path", sorted(BROKEN.glob("NN*.yaml")), ids=lambda path: path.stem)
def test_a_broken_example_has_only_the_fault_of_its_code(path: Path) -> None:
    with pytest.raises(SpecError) as refusal:
        load(path, overrides=OVERRIDES.get(path.stem, ()))

    assert {fault.code for fault in refusal.value.faults} == {path.stem}


def test_the_base_of_the_examples_is_valid() -> None:
    assert load(GOOD).experiment


def test_every_code_that_needs_no_data_has_a_broken_example() -> None:
    """Except for a missing file and one of a million bytes."""
    shown = {code for code in ALL if code < "NN120"} - {"NN001", "NN007"}

    assert shown == {path.stem for path in BROKEN.glob("NN*.yaml")}
