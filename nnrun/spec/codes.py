"""The stable code of each fault and warning, with the rule behind it: `nnrun explain`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

UNKNOWN = {
    "layers": "NN104",
    "optimizers": "NN105",
    "losses": "NN106",
    "metrics": "NN107",
    "callbacks": "NN108",
}
"""The code for an unknown name of a kind; NN117 for other kinds."""


@dataclass(frozen=True)
class Rule:
    """The rule behind a code; `codes.yaml` describes the fields."""

    rule: str
    reason: str = ""
    fix: str = ""
    symptom: str = ""
    example: str = ""


@cache
def all_rules() -> dict[str, Rule]:
    """The rules by code, in order; those of warnings begin with NN2."""
    text = resources.files("nnrun.spec").joinpath("codes.yaml").read_text("utf-8")
    rules = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {code: Rule(**{k: v.rstrip("\n") for k, v in r.items()}) for code, r in rules.items()}


def warnings() -> dict[str, Rule]:
    """The rules of warnings by code."""
    return {code: rule for code, rule in all_rules().items() if code.startswith("NN2")}
