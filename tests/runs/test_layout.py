"""Every file of a run folder is named, and explained, in one place."""

from __future__ import annotations

from nnrun.runs import layout

STATUSES = {
    layout.RUNNING,
    layout.FINISHED,
    layout.FAILED,
    layout.INTERRUPTED,
    layout.CRASHED,
}


def test_every_file_is_explained() -> None:
    """`nnrun show` and the documentation read the meaning from here."""
    words = {value for name, value in vars(layout).items() if name.isupper() and type(value) is str}

    assert words - STATUSES == layout.OWN - {"fold-*"}


def test_plots_lie_in_a_folder_of_their_own() -> None:
    assert layout.plot("loss") == "plots/loss.png"
