"""Another Keras than the shipped catalogue describes is listed once, into the user's cache."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nnrun.spec import catalogue
from nnrun.spec.catalogue import cache_file, load_catalogue

SHIPPED = load_catalogue()


@pytest.fixture
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As if the installed Keras were of another version; the file its catalogue is kept in."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(catalogue, "installed_version", lambda: "3.0.1")
    # It lists what is installed, so it says another version than was asked for.
    monkeypatch.setattr(catalogue, "_made", lambda version: json.dumps(listing(version)))
    return cache_file("3.0.1")


def listing(version: str) -> dict[str, Any]:
    return {**SHIPPED, "keras": version}


def test_the_shipped_catalogue_serves_the_version_that_it_describes(monkeypatch):
    monkeypatch.setattr(catalogue, "installed_version", lambda: SHIPPED["keras"])
    monkeypatch.setattr(catalogue, "_made", None)

    assert load_catalogue() == SHIPPED


def test_without_keras_the_shipped_catalogue_serves(monkeypatch):
    monkeypatch.setattr(catalogue, "installed_version", lambda: None)

    assert load_catalogue() == SHIPPED


def test_another_version_is_listed_and_kept(another, monkeypatch):
    assert load_catalogue()["keras"] == "3.0.1"
    assert json.loads(another.read_text())["keras"] == "3.0.1"

    monkeypatch.setattr(catalogue, "_made", None)

    assert load_catalogue() == listing("3.0.1")


@pytest.mark.parametrize("rubbish", ["", "[]", '{"keras": "3.0.1"}', "{", '{"keras": 3'])
def test_a_file_that_is_no_catalogue_is_made_anew(another, rubbish):
    another.parent.mkdir(parents=True)
    another.write_text(rubbish)

    assert load_catalogue() == listing("3.0.1")
    assert json.loads(another.read_text()) == listing("3.0.1")


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(another, tmp_path):
    (tmp_path / "nnrun").write_text("in the way")

    assert load_catalogue() == listing("3.0.1")


def test_a_keras_that_cannot_be_listed_is_said(another, monkeypatch, capfd, tmp_path):
    """Names are then those of the shipped version, which is better than none."""
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(catalogue, "installed_version", lambda: "3.0.1")
    monkeypatch.setattr(sys, "executable", "/bin/false")

    assert load_catalogue() == SHIPPED
    assert "Keras 3.0.1 cannot be listed" in capfd.readouterr().err


@pytest.mark.slow
def test_the_process_lists_what_is_installed(monkeypatch):
    """The real one, which loads Keras."""
    assert json.loads(catalogue._made("installed")) == SHIPPED
