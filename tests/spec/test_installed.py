"""For another version of Keras than the shipped catalogue describes, a catalogue is cached."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nnrun.spec import catalogue
from nnrun.spec.catalogue import cache_file, load_catalogue

SHIPPED = load_catalogue()
OTHER = {**SHIPPED, "keras": "3.0.1"}


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of the catalogue of another version, which seems to be installed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(catalogue, "installed_version", lambda: "3.0.1")
    monkeypatch.setattr(catalogue, "_list_keras", lambda version: json.dumps(OTHER))
    return cache_file("3.0.1")


@pytest.mark.parametrize("version", [SHIPPED["keras"], None])
def test_the_shipped_catalogue_is_for_its_version_and_for_no_keras(
    version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "installed_version", lambda: version)
    monkeypatch.setattr(catalogue, "_list_keras", None)

    assert load_catalogue() == SHIPPED


def test_another_version_is_listed_once(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_catalogue() == OTHER
    assert json.loads(cached.read_text()) == OTHER

    monkeypatch.setattr(catalogue, "_list_keras", None)

    assert load_catalogue() == OTHER


@pytest.mark.parametrize("content", ["", "[]", '{"keras": "3.0.1"}', '{"keras": 3'])
def test_a_damaged_cache_is_replaced(cached: Path, content: str) -> None:
    cached.parent.mkdir(parents=True)
    cached.write_text(content)

    assert load_catalogue() == OTHER
    assert json.loads(cached.read_text()) == OTHER


def test_a_cache_that_cannot_be_written_is_no_error(cached: Path) -> None:
    cached.parent.write_text("a file in place of the folder")

    assert load_catalogue() == OTHER


def test_the_shipped_catalogue_is_used_if_keras_cannot_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(catalogue, "installed_version", lambda: "3.0.1")
    monkeypatch.setattr(sys, "executable", "/bin/false")

    assert load_catalogue() == SHIPPED
    assert "Keras 3.0.1 cannot be listed" in capfd.readouterr().err


@pytest.mark.slow
def test_another_process_lists_the_installed_keras() -> None:
    assert json.loads(catalogue._list_keras("installed")) == SHIPPED
