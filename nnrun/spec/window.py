"""`dataset.window`: windows over the rows of a table in order of time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nnrun.spec.component import LARGEST, Count, Spec


class Window(Spec):
    """Windows over rows in order, with the arguments of `timeseries_dataset_from_array`."""

    sequence_length: Count
    """Rows in a window."""
    sampling_rate: Count = 1
    """Use every so many-th row: 6 makes hourly windows of rows every 10 minutes."""
    sequence_stride: Count = 1
    """Rows from the start of a window to that of the next."""
    horizon: Annotated[int, Field(ge=0, le=LARGEST)] = 1
    """Steps, of `sampling_rate` rows each, from the last row of a window to the row of its target."""

    @property
    def last(self) -> int:
        """Rows from the first to the last row of a window."""
        return (self.sequence_length - 1) * self.sampling_rate

    @property
    def delay(self) -> int:
        """Rows from the first row of a window to that of its target."""
        return self.last + self.horizon * self.sampling_rate

    def count(self, rows: int, *, labelled: bool = True) -> int:
        """The number of windows in a series.

        Args:
            rows: of the series.
            labelled: whether the row of the target must be in the series, too.
        """
        reach = self.delay if labelled else self.last
        return max(0, -(-(rows - reach) // self.sequence_stride))
