"""Shipped specs are found by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.cli import specs
from nnrun.errors import SpecError


def test_a_shipped_spec_is_found_by_its_name() -> None:
    assert specs.find_spec(Path("digits")) == specs.shipped_folder() / "digits.yaml"


def test_a_file_of_that_name_has_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").write_text("name: mine")

    assert specs.find_spec(Path("digits")) == Path("digits")


def test_a_folder_of_that_name_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It most likely contains data."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()

    assert specs.find_spec(Path("digits")) == specs.shipped_folder() / "digits.yaml"


def test_the_most_similar_file_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "boston.yaml").touch()

    with pytest.raises(SpecError) as refusal:
        specs.find_spec(tmp_path / "bosten.yaml")

    [fault] = refusal.value.faults
    assert (fault.code, fault.suggestion) == ("NN001", str(tmp_path / "boston.yaml"))


def test_the_most_similar_shipped_spec_is_suggested() -> None:
    with pytest.raises(SpecError) as refusal:
        specs.find_spec(Path("digitz"))

    [fault] = refusal.value.faults
    assert fault.suggestion == "digits"
    assert "shipped specs are digits, " in fault.message
    assert fault.message.endswith(
        f"{len(specs.shipped_names()) - 5} more (in {specs.shipped_folder()})"
    )
