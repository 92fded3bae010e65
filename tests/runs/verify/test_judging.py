"""A run beside its repetition: the verdict, and what is given as the cause."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nnrun.runs import Run, layout
from nnrun.runs.verify import causes, files, judging
from nnrun.runs.verify.files import UnverifiedRun
from nnrun.runs.verify.judging import DIFFERENT, IDENTICAL, WITHIN, Judged

KERNEL = "layers/dense/vars/0"
KINDS = {"history", "preparation", "metrics", "predictions", "weights", "optimizer"}


def judged(kept: Run, repeated: Path) -> Judged:
    return judging.judge(kept.path, repeated, files.check(kept).damaged)


def reasons(kept: Run, repeated: Path) -> list[tuple[str, str]]:
    evidence = causes.Evidence(
        judged(kept, repeated), UnverifiedRun(kept.path), UnverifiedRun(repeated)
    )
    return [(cause.kind, cause.text) for cause in causes.find(evidence)]


def differing(found: Judged) -> set[str]:
    return {each.file for each in found.comparisons if each.verdict(found.tolerance) == DIFFERENT}


def test_a_copy_is_identical_in_everything_that_is_compared(kept: Run, repeated: Path) -> None:
    found = judged(kept, repeated)

    assert found.verdict == IDENTICAL
    assert {each.what for each in found.comparisons} == KINDS
    assert all(each.values for each in found.comparisons)
    assert found.of("history")[0].extent == "3 epochs × 4 metrics"
    assert found.of("weights")[0].extent == "4 arrays, 4,810 numbers"


def test_one_bit_of_a_weight_is_seen(kept: Run, repeated: Path, changed_model: Any) -> None:
    """The smallest change that there is; and as the epochs are the same, the file was changed."""

    def nudge(found: Any) -> None:
        found[KERNEL][3, 4] = np.nextafter(found[KERNEL][3, 4], np.float32(9))

    changed_model(kept, nudge)
    [weight] = judged(kept, repeated).of("weights")

    assert judged(kept, repeated).verdict == WITHIN
    assert (weight.differing, weight.first and weight.first.index) == (1, (3, 4))
    assert 0 < weight.largest < 1e-6
    assert reasons(kept, repeated) == [
        (
            "sealed anew",
            "model.keras edited and sealed anew, as the epochs are the same to the bit",
        )
    ]


def test_other_weights_are_different(kept: Run, repeated: Path, changed_model: Any) -> None:
    def double(found: Any) -> None:
        found[KERNEL][...] = found[KERNEL][...] * 2

    changed_model(kept, double)
    found = judged(kept, repeated)

    assert (found.verdict, differing(found)) == (DIFFERENT, {layout.MODEL})
    assert found.of("weights")[0].largest == pytest.approx(0.5)


@pytest.mark.parametrize("name", [layout.HISTORY, layout.METRICS, layout.REPORT])
def test_a_better_number_in_a_document_is_seen(
    name: str, kept: Run, repeated: Path, changed_json: Any
) -> None:
    """Even where the run was sealed anew."""
    edits: dict[str, Callable[[Any], None]] = {
        layout.HISTORY: lambda known: known["accuracy"].__setitem__(2, 0.99),
        layout.METRICS: lambda known: known["test"].__setitem__("accuracy", 0.99),
        layout.REPORT: lambda known: known["0"].__setitem__("recall", 0.5),
    }
    changed_json(kept, name, edits[name])
    found = judged(kept, repeated)

    assert (found.verdict, differing(found)) == (DIFFERENT, {name})
    assert reasons(kept, repeated) == [
        ("sealed anew", f"{name} edited and sealed anew, as the epochs are the same to the bit")
    ]


def test_an_edited_table_of_epochs_is_compared_and_named(kept: Run, repeated: Path) -> None:
    """Not sealed anew, so the digest says it too."""
    path = kept.path / layout.JOURNAL
    path.write_text(path.read_text().replace("\n3,0.", "\n3,1."))
    found = judged(kept, repeated)

    assert differing(found) == {layout.JOURNAL}
    assert found.comparisons[0].first is not None
    assert (found.comparisons[0].first.name, found.comparisons[0].first.index) == ("loss", (2,))
    assert reasons(kept, repeated) == [("files", f"history.csv {files.EDITED}")]


@pytest.mark.parametrize("name", [layout.plot("loss"), layout.SUMMARY])
def test_a_damaged_file_that_is_not_compared_counts_too(
    name: str, kept: Run, repeated: Path
) -> None:
    (kept.path / name).write_text("x")
    found = judged(kept, repeated)

    assert (found.verdict, differing(found)) == (DIFFERENT, set())
    assert reasons(kept, repeated) == [("files", f"{name} {files.EDITED}")]


@pytest.mark.parametrize(
    "name",
    [layout.JOURNAL, layout.HISTORY, layout.METRICS, layout.PREDICTIONS, layout.MODEL],
)
@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"[1, 2]", b"PK\x03\x04"], ids=repr)
def test_a_file_that_cannot_be_read_is_different_and_no_traceback(
    name: str, content: bytes, kept: Run, repeated: Path
) -> None:
    (kept.path / name).write_bytes(content)
    found = judged(kept, repeated)

    assert name in differing(found)
    assert ("files", f"{name} {files.EDITED}") in reasons(kept, repeated)


@pytest.mark.parametrize("name", [layout.METRICS, layout.PREDICTIONS, layout.MODEL])
def test_a_file_that_is_missing_is_different(name: str, kept: Run, repeated: Path) -> None:
    (kept.path / name).unlink()

    assert name in differing(judged(kept, repeated))


def test_of_a_run_that_did_not_end_the_epochs_there_are_count(kept: Run, repeated: Path) -> None:
    """Its weights are those of the moment at which it was stopped."""
    lines = (kept.path / layout.JOURNAL).read_text().splitlines(keepends=True)
    (kept.path / layout.HISTORY).unlink()
    kept.write_text(layout.JOURNAL, "".join(lines[:3]))
    record = kept.read_json(layout.RUN)
    del record["files"][layout.HISTORY]
    kept.write_record(record | {"status": layout.INTERRUPTED})
    found = judged(kept, repeated)

    assert found.verdict == IDENTICAL
    assert [each.extent for each in found.comparisons] == ["2 epochs × 4 metrics"]


def changed(kept: Run, changed_json: Any, **record: Any) -> None:
    """A run whose history and record are others than those of the repetition."""
    changed_json(kept, layout.HISTORY, lambda known: known["loss"].__setitem__(0, 1.0))
    kept.update(**record)


@pytest.mark.parametrize(
    ("record", "kind", "text"),
    [
        ({"data_digest": "f" * 64}, "data", "the data are others: digest ffffffffffff → "),
        ({"seed": 7}, "spec", "the spec is another: seed 7 → 0"),
        ({"split_digest": "f" * 64}, "spec", "the spec is another: the rows are split otherwise"),
        ({"parameters": 1}, "spec", "the spec is another: parameters 1 → 4810"),
        ({"versions": {"keras": "3.0"}}, "versions", "other versions: keras 3.0 → 3."),
        ({"device": "gpu:0"}, "device", "another device: device gpu:0 → cpu"),
        ({"engine": "graph"}, "device", "another device: engine graph → xla"),
        ({"cores": 77}, "machine", "another machine: cores 77 → "),
        ({"platform": "Plan 9"}, "machine", "another machine: platform Plan 9 → "),
        ({"settings": {"OMP_NUM_THREADS": "1"}}, "machine", "another machine: settings OMP_NUM"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_the_records_do_not_agree_on_is_the_likely_cause(
    record: dict[str, Any], kind: str, text: str, kept: Run, repeated: Path, changed_json: Any
) -> None:
    changed(kept, changed_json, **record)
    [(found, told)] = reasons(kept, repeated)

    assert (found, told[: len(text)]) == (kind, text)


def test_causes_are_told_the_strongest_first(kept: Run, repeated: Path, changed_json: Any) -> None:
    changed(kept, changed_json, cores=77, device="gpu:0", versions={}, data_digest="f")
    (kept.path / layout.SUMMARY).write_text("x")
    found = [kind for kind, _ in reasons(kept, repeated)]

    assert found == ["files", "data", "versions", "device", "machine"]


def test_a_run_of_an_earlier_nnrun_that_says_less_is_not_blamed_for_it(
    kept: Run, repeated: Path
) -> None:
    """It did not write down the processor."""
    record = kept.read_json(layout.RUN)
    del record["processor"]
    kept.write_record(record)

    assert judged(kept, repeated).verdict == IDENTICAL
    assert reasons(kept, repeated)[0][0] == causes.UNKNOWN


def test_a_spec_that_was_edited_and_sealed_anew_shows_in_the_model(
    kept: Run, repeated: Path, changed_model: Any
) -> None:
    """The file of the model says what it was trained with."""
    with zipfile.ZipFile(repeated / layout.MODEL) as archive:
        known = json.loads(archive.read(judging.CONFIG_FILE))
    known["compile_config"]["optimizer"]["config"]["learning_rate"] = 0.5

    def earlier(found: Any) -> None:
        found["optimizer/vars/0"][...] = 7

    changed_model(kept, earlier, config=json.dumps(known))

    steps = 3 * 144
    assert reasons(kept, repeated) == [
        (
            "spec",
            f"the spec is another: training steps 7 → {steps}; optimizer.learning_rate 0.5 → 0.001",
        )
    ]


def test_xla_on_a_gpu_is_named_where_nothing_else_explains_it(
    kept: Run, repeated: Path, tmp_path: Path, changed_model: Any
) -> None:
    """It may choose kernels by timing; that both were made so is no difference between them."""
    other = Run(Path(shutil.copytree(repeated, tmp_path / "other")))
    for run in (kept, other):
        run.update(device="gpu:0", engine="xla")
    path = kept.path / layout.JOURNAL
    kept.write_text(layout.JOURNAL, path.read_text().replace("\n3,0.", "\n3,1."))

    def nudge(found: Any) -> None:
        found[KERNEL][0, 0] = 9.0

    changed_model(other, nudge)
    [(kind, text)] = reasons(kept, other.path)

    assert (kind, text.partition(" may")[0]) == ("setting", "XLA")


def test_weights_in_another_file_are_not_followed(
    kept: Run, repeated: Path, tmp_path: Path, changed_model: Any
) -> None:
    """A stranger's model could have any file of the machine read."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"\x00" * 4096 * 4)

    def lead_away(found: Any) -> None:
        del found[KERNEL]
        found.create_dataset(KERNEL, (64, 64), "float32", external=[(str(secret), 0, 4096 * 4)])

    changed_model(kept, lead_away)
    [weight] = judged(kept, repeated).of("weights")

    assert weight.error is not None
    assert f"{KERNEL} in it lies in another file" in weight.error


def test_a_link_into_another_file_is_not_followed(
    kept: Run, repeated: Path, tmp_path: Path, changed_model: Any
) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.zeros((64, 64), "float32")

    def lead_away(found: Any) -> None:
        del found[KERNEL]
        found[KERNEL] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")

    changed_model(kept, lead_away)
    [weight] = judged(kept, repeated).of("weights")

    assert weight.first is not None
    assert (weight.first.name, weight.first.kept) == (KERNEL, None)


def test_a_packed_model_is_not_unpacked(kept: Run, repeated: Path) -> None:
    """A few bytes of it could fill the disk; Keras packs none."""

    def pack(path: Path) -> None:
        with (
            zipfile.ZipFile(repeated / layout.MODEL) as known,
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
        ):
            for name in known.namelist():
                packed.writestr(name, known.read(name))

    kept.write(layout.MODEL, pack)
    [weight] = judged(kept, repeated).of("weights")

    assert weight.error is not None
    assert "is packed, as Keras does not do it" in weight.error
