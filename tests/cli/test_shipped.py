"""Specs that come with nnrun, found by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.cli import specs
from nnrun.errors import SpecError


def test_a_shipped_spec_is_found_by_its_name() -> None:
    """An installed nnrun has no `configs/` beside it that a person could see."""
    assert specs.find_spec(Path("digits")) == specs.shipped_folder() / "digits.yaml"


def test_a_file_of_that_name_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in front of a person is what the person means."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").write_text("name: mine")

    assert specs.find_spec(Path("digits")) == Path("digits")


def test_a_folder_of_that_name_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`digits/` is most likely full of digits."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()

    assert specs.find_spec(Path("digits")) == specs.shipped_folder() / "digits.yaml"


def test_a_missing_file_names_its_nearest_neighbour(tmp_path: Path) -> None:
    """A typo in a path is the most common mistake of all."""
    (tmp_path / "boston.yaml").touch()

    with pytest.raises(SpecError) as refusal:
        specs.find_spec(tmp_path / "bosten.yaml")

    [fault] = refusal.value.faults
    assert (fault.code, fault.suggestion) == ("NN001", str(tmp_path / "boston.yaml"))


def test_a_missing_name_shows_the_nearest_of_the_shipped_ones() -> None:
    """Whoever has no spec yet learns here what they are called, and where all of them are."""
    with pytest.raises(SpecError) as refusal:
        specs.find_spec(Path("digitz"))

    [fault] = refusal.value.faults
    assert fault.suggestion == "digits"
    assert "shipped specs are digits, " in fault.message
    assert fault.message.endswith(
        f"{len(specs.shipped_names()) - 5} more (in {specs.shipped_folder()})"
    )
