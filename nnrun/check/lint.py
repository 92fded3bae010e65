"""Warnings: what runs, but seldom does what a person wants. A rule is a function under its code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from nnrun.check import lint_model, lint_training, own, stages
from nnrun.check.subject import Subject
from nnrun.spec.experiment import Experiment
from nnrun.spec.finding import Finding

Rule = Callable[[Subject], Iterator[Finding]]

RULES: dict[str, Rule] = {**lint_model.RULES, **lint_training.RULES, **stages.RULES, **own.RULES}
"""By the code that each speaks under."""


def findings(about: Subject) -> list[Finding]:
    """All warnings, but those that the spec takes back; none of data that nothing is known of."""
    if about.known.open:
        return []
    found = [finding for rule in RULES.values() for finding in rule(about)]
    return heeded(found, about.spec)


def heeded(found: Sequence[Finding], spec: Experiment) -> list[Finding]:
    """The findings without those that a spec takes back."""
    return [finding for finding in found if finding.code not in spec.lint.ignore]
