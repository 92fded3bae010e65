"""The stable code of every fault, and the rule that it stands for."""

from __future__ import annotations

from nnrun.spec.fitting_codes import FITTING
from nnrun.spec.reading_codes import READING
from nnrun.spec.rule import Rule
from nnrun.spec.value_codes import VALUES

__all__ = ["RULES", "UNKNOWN", "Rule"]

RULES: dict[str, Rule] = READING | VALUES | FITTING
"""By code, in order."""

UNKNOWN = {
    "layers": "NN104",
    "optimizers": "NN105",
    "losses": "NN106",
    "metrics": "NN107",
    "callbacks": "NN108",
}
"""The code for an unknown name of a kind; `NN117` for the kinds not listed."""
