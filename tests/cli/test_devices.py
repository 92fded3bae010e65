"""`nnrun devices`: what `training.device` can name here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest


def test_json_names_every_device_and_the_choice(nnrun: Callable[..., Any]) -> None:
    """The processor is always there; TensorFlow's messages never are."""
    answer = nnrun("devices", "--json")
    document = json.loads(answer.stdout)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert document["schema_version"] == 1
    assert "cpu" in document["devices"]
    assert document["auto"] in document["devices"]


@pytest.mark.slow
def test_a_person_gets_a_line_per_device(nnrun: Callable[..., Any]) -> None:
    answer = nnrun("devices")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert any(line.startswith("cpu") for line in answer.stdout.splitlines())
    assert answer.stdout.count("(auto)") == 1
