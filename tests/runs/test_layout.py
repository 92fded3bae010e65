"""Every file of a run folder is named and explained in `layout`."""

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


def test_plots_have_their_own_folder() -> None:
    assert layout.plot("loss") == "plots/loss.png"
