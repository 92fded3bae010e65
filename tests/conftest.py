"""Where the tests find the published data files, and that they never touch a person's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

PUBLISHED = Path(__file__).parents[2] / "shared" / "keras-home" / "datasets"


def pytest_configure(config: pytest.Config) -> None:
    """Gives this process a `KERAS_HOME` of its own, before anything can import Keras."""
    home = Path(tempfile.mkdtemp(prefix="nnrun-keras-home-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    os.environ["KERAS_HOME"] = str(home)
    # Links, because Keras writes into the folder and deletes what it takes for outdated.
    for file in PUBLISHED.rglob("*.*"):
        link = home / "datasets" / file.relative_to(PUBLISHED)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)


@pytest.fixture
def full_data() -> None:
    """Asks for the files behind `keras.datasets`, which are too large to come with the tests."""
    if not PUBLISHED.is_dir():
        pytest.skip("no keras-home beside the checkout")
