"""A run folder that was damaged or edited is refused, or shown as far as it is right."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from forkserver import LIGHT, ForkServer
from intact import other, trained
from mutations import Bench

COUNT = 9


@pytest.fixture(scope="module")
def folders(server: ForkServer, bench: Path) -> Iterator[Bench]:
    """A finished run, an interrupted and a killed one."""
    with ForkServer(bench, modules=LIGHT) as light:
        folders = Bench(bench, light, server, trained(server, bench), other(server, bench), seed=2)
        folders.look()
        yield folders


def test_a_changed_run_folder_shows_no_wrong_number(folders: Bench) -> None:
    """Bits, digits, keys, lengths, names and kinds of files are changed at random."""
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(folders.check, range(COUNT)))

    assert [sentence for each in found for sentence in each] == []
