"""How training went, epoch by epoch. Needs no NumPy, for which `nnrun list` would have to wait."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Logs = Mapping[str, float]
"""Keras's logs of one epoch: metric name to value."""


@dataclass
class History:
    """One value per metric and epoch, under Keras's names."""

    epochs: dict[str, list[float]] = field(default_factory=dict)

    def append(self, logs: Logs) -> None:
        """Adds one epoch; a metric that an epoch lacks is NaN there, so that no list is shorter."""
        known = len(self)
        for name in logs:
            self.epochs.setdefault(name, [math.nan] * known)
        for name, values in self.epochs.items():
            values.append(float(logs.get(name, math.nan)))

    def cut(self, epochs: int) -> None:
        """Forgets what came after so many epochs, be it half an epoch."""
        for values in self.epochs.values():
            del values[epochs:]

    def __len__(self) -> int:
        return max(map(len, self.epochs.values()), default=0)

    @property
    def monitor(self) -> str:
        """The loss by which the best epoch is chosen."""
        return "val_loss" if "val_loss" in self.epochs else "loss"

    @property
    def best_epoch(self) -> int | None:
        """The epoch of the lowest monitored loss, counted from 1; None where there is no number."""
        return lowest_epoch(self.epochs.get(self.monitor, []))

    def row(self, epoch: int) -> dict[str, float]:
        """The metrics of one epoch, counted from 0."""
        return {name: values[epoch] for name, values in self.epochs.items()}


def lowest_epoch(values: Sequence[float]) -> int | None:
    """The epoch of the lowest value, counted from 1; None where there is no number."""
    if not any(map(math.isfinite, values)):
        return None
    return min((value, epoch) for epoch, value in enumerate(values, 1) if not math.isnan(value))[1]
