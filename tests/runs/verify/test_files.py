"""Every file that a run lists is compared with its digest, and each one that differs is named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from nnrun.errors import NotARun
from nnrun.runs import Run, layout
from nnrun.runs.verify.files import EDITED, GONE, check

LISTED = [layout.SPEC, layout.JOURNAL, layout.MODEL, layout.PREDICTIONS, layout.plot("loss")]


def found(run: Run) -> list[tuple[str, str]]:
    return [(each.file, each.reason) for each in check(run).damaged]


def test_a_run_that_nobody_has_touched_is_whole(kept: Run) -> None:
    """All files are read but the log, which goes on after the end."""
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

    assert found(kept) == [(name, EDITED)]


@pytest.mark.parametrize("name", LISTED)
def test_a_file_that_is_gone_is_found(name: str, kept: Run) -> None:
    (kept.path / name).unlink()

    assert found(kept) == [(name, GONE)]


def test_every_damaged_file_is_named(kept: Run) -> None:
    (kept.path / layout.SPEC).write_text("name: x\n")
    (kept.path / layout.MODEL).unlink()

    assert sorted(found(kept)) == [(layout.MODEL, GONE), (layout.SPEC, EDITED)]


def test_an_edited_record_is_named_alone(kept: Run) -> None:
    """The digests are in it, so that nothing is known of the others."""
    record = kept.path / layout.RUN
    record.write_text(record.read_text().replace('"seed": 0', '"seed": 1'))

    assert found(kept) == [(layout.RUN, EDITED)]


def test_a_line_of_a_growing_table_is_found(kept: Run) -> None:
    """A run that was killed has no digest of it yet, but a checksum in each line."""
    history = kept.history()
    kept.begin_journal(history)
    path = kept.path / layout.JOURNAL
    assert found(kept) == []
    path.write_text(path.read_text().replace("\n2,0.", "\n2,1."))

    assert found(kept) == [(layout.JOURNAL, "line 3 is not as it was written")]


def test_a_fold_is_a_run_whose_files_count(kept: Run) -> None:
    """And a finished cross-validation has all of its folds."""
    shutil.copytree(kept.path, kept.path / "fold-1")
    (kept.path / "fold-1" / layout.SPEC).write_text("name: x\n")
    kept.update(folds=[{"number": n, "train": 1, "validation": 1} for n in (1, 2)])

    assert found(kept) == [
        (f"fold-1/{layout.SPEC}", EDITED),
        (f"fold-2/{layout.RUN}", GONE),
    ]


def test_a_list_that_leads_out_of_the_folder_is_not_followed(kept: Run) -> None:
    """A stranger's run could have any file of the machine read."""
    record = kept.read_json(layout.RUN)
    kept.write_record(record | {"files": {**record["files"], "../secret": "0"}})
    (kept.path.parent / "secret").write_text("secret")

    assert found(kept) == [("../secret", "does not lie in the folder of the run")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_named(kept: Run) -> None:
    (kept.path / layout.SPEC).chmod(0)

    assert found(kept) == [(layout.SPEC, "cannot be read: Permission denied")]


def test_a_folder_without_a_record_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(NotARun, match=r"is no run: it has no run.json"):
        check(Run(tmp_path))
