"""Every listed file of a run is compared with its digest."""

from __future__ import annotations

import os
import shutil

import pytest

from nnrun.runs import Run, layout
from nnrun.runs.verify.files import EDITED, GONE, check

LISTED = [layout.SPEC, layout.JOURNAL, layout.MODEL, layout.PREDICTIONS, layout.plot("loss")]


def damages(run: Run) -> list[tuple[str, str]]:
    return [(damage.file, damage.reason) for damage in check(run).damaged]


def test_an_unchanged_run_is_whole(kept: Run) -> None:
    """All files are checked except the log, which is still written to after the end."""
    names = {path for path in kept.path.rglob("*") if path.is_file()} - {kept.path / layout.LOG}
    checked = check(kept)

    assert checked.damaged == ()
    assert (checked.files, checked.bytes) == (
        len(names),
        sum(path.stat().st_size for path in names),
    )


@pytest.mark.parametrize("name", LISTED)
def test_a_flipped_bit_is_found(name: str, kept: Run) -> None:
    content = bytearray((kept.path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (kept.path / name).write_bytes(content)

    assert damages(kept) == [(name, EDITED)]


@pytest.mark.parametrize("name", LISTED)
def test_a_missing_file_is_found(name: str, kept: Run) -> None:
    (kept.path / name).unlink()

    assert damages(kept) == [(name, GONE)]


def test_with_an_edited_record_nothing_else_is_checked(kept: Run) -> None:
    """It has the digests of all other files."""
    record = kept.path / layout.RUN
    record.write_text(record.read_text().replace('"seed": 0', '"seed": 1'))

    assert damages(kept) == [(layout.RUN, EDITED)]


def test_a_changed_line_of_a_growing_table_is_found(kept: Run) -> None:
    """A killed run has no digest of it yet, but a checksum in each line."""
    history = kept.history()
    kept.begin_journal(history)
    path = kept.path / layout.JOURNAL
    assert damages(kept) == []
    path.write_text(path.read_text().replace("\n2,0.", "\n2,1."))

    assert damages(kept) == [(layout.JOURNAL, "line 3 is not as it was written")]


def test_files_of_folds_are_checked(kept: Run) -> None:
    """A finished cross-validation has all of its folds."""
    shutil.copytree(kept.path, kept.path / "fold-1")
    (kept.path / "fold-1" / layout.SPEC).write_text("name: x\n")
    kept.update(folds=[{"number": n, "train": 1, "validation": 1} for n in (1, 2)])

    assert damages(kept) == [
        (f"fold-1/{layout.SPEC}", EDITED),
        (f"fold-2/{layout.RUN}", GONE),
    ]


def test_files_outside_the_folder_are_not_read(kept: Run) -> None:
    """A run from another user could list any file of the machine."""
    record = kept.read_json(layout.RUN)
    kept.write_record(record | {"files": {**record["files"], "../secret": "0"}})
    (kept.path.parent / "secret").write_text("secret")

    assert damages(kept) == [("../secret", "is not in the folder of the run")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_found(kept: Run) -> None:
    (kept.path / layout.SPEC).chmod(0)

    assert damages(kept) == [(layout.SPEC, "cannot be read: Permission denied")]
