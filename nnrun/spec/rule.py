"""What a code stands for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """What a code stands for.

    Args:
        rule: what holds for every spec, in a sentence.
        reason: why.
        fix: what to do about it.
        symptom: what would be seen if it were trained all the same; for warnings.
        example: a piece of a spec that keeps the rule, as YAML from the top level on.
    """

    rule: str
    reason: str = ""
    fix: str = ""
    symptom: str = ""
    example: str = ""
