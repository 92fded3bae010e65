"""Every code says why it is a fault and how to mend it, and its examples are what they claim."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from nnrun.errors import SpecError
from nnrun.spec.codes import all_rules
from nnrun.spec.loading import load

ROOT = Path(__file__).parents[2]
BROKEN = ROOT / "docs" / "examples" / "errors"
GOOD = BROKEN / "good.yaml"
ALL = all_rules()
EXAMPLES = {code: rule.example for code, rule in ALL.items() if rule.example}
# Their fault is not in the file.
OVERRIDES = {"NN009": ("model.7.Dense.units=64",)}


@pytest.mark.parametrize("code", ALL)
def test_a_code_has_a_reason_and_a_remedy(code: str) -> None:
    rule = ALL[code]

    for sentence in (rule.rule, rule.reason, rule.fix):
        assert sentence[0].isupper() or sentence[0] == "`"
        assert sentence.endswith(".")
        assert "  " not in sentence


def test_codes_stand_in_order() -> None:
    """They are listed so."""
    assert list(ALL) == sorted(ALL)


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_right_yaml_of_a_remedy_is_right(code: str, tmp_path: Path) -> None:
    """It is a piece of a spec: with the rest of one it loads."""
    piece = yaml.safe_load(EXAMPLES[code])
    base = ROOT / piece.get("extends", GOOD)
    piece["extends"] = os.path.relpath(base, tmp_path)
    path = tmp_path / "mended.yaml"
    path.write_text(yaml.safe_dump(piece), encoding="utf-8")

    assert load(path).experiment


@pytest.mark.parametrize("path", sorted(BROKEN.glob("NN*.yaml")), ids=lambda path: path.stem)
def test_a_broken_example_has_the_fault_that_it_shows_and_no_other(path: Path) -> None:
    with pytest.raises(SpecError) as refusal:
        load(path, overrides=OVERRIDES.get(path.stem, ()))

    assert {fault.code for fault in refusal.value.faults} == {path.stem}


def test_what_the_examples_build_on_has_no_fault() -> None:
    assert load(GOOD).experiment


def test_every_code_that_shows_without_data_has_a_broken_example() -> None:
    """A file cannot hold a missing file, and one of a million bytes would not be read."""
    shown = {code for code in ALL if code < "NN120"} - {"NN001", "NN007"}

    assert shown == {path.stem for path in BROKEN.glob("NN*.yaml")}
