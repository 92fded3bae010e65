"""A run compared with its repetition: the verdict and the likely causes."""

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
    runs = UnverifiedRun(kept.path), UnverifiedRun(repeated)
    return [(cause.kind, cause.text) for cause in causes.find(judged(kept, repeated), *runs)]


def differing(result: Judged) -> set[str]:
    different = (c for c in result.comparisons if c.verdict(result.tolerance) == DIFFERENT)
    return {comparison.file for comparison in different}


def test_a_copy_is_identical(kept: Run, repeated: Path) -> None:
    result = judged(kept, repeated)

    assert result.verdict == IDENTICAL
    assert {each.what for each in result.comparisons} == KINDS
    assert all(each.values for each in result.comparisons)
    assert result.of("history")[0].extent == "3 epochs × 4 metrics"
    assert result.of("weights")[0].extent == "4 arrays, 4,810 numbers"


def test_one_changed_bit_of_a_weight_is_found(
    kept: Run, repeated: Path, changed_model: Any
) -> None:
    """The epochs are the same, so the file was edited."""

    def nudge(weights: Any) -> None:
        weights[KERNEL][3, 4] = np.nextafter(weights[KERNEL][3, 4], np.float32(9))

    changed_model(kept, nudge)
    [weight] = judged(kept, repeated).of("weights")

    assert judged(kept, repeated).verdict == WITHIN
    assert (weight.differing, weight.first and weight.first.index) == (1, (3, 4))
    assert 0 < weight.largest < 1e-6
    text = "model.keras edited and given a new checksum, as the epochs are bit-identical"
    assert reasons(kept, repeated) == [("edited", text)]


def test_other_weights_are_different(kept: Run, repeated: Path, changed_model: Any) -> None:
    def double(weights: Any) -> None:
        weights[KERNEL][...] = weights[KERNEL][...] * 2

    changed_model(kept, double)
    result = judged(kept, repeated)

    assert (result.verdict, differing(result)) == (DIFFERENT, {layout.MODEL})
    assert result.of("weights")[0].largest == pytest.approx(0.5)


@pytest.mark.parametrize("name", [layout.HISTORY, layout.METRICS, layout.REPORT])
def test_an_edited_number_is_found_even_with_a_new_digest(
    name: str, kept: Run, repeated: Path, changed_json: Any
) -> None:
    edits: dict[str, Callable[[Any], None]] = {
        layout.HISTORY: lambda content: content["accuracy"].__setitem__(2, 0.99),
        layout.METRICS: lambda content: content["test"].__setitem__("accuracy", 0.99),
        layout.REPORT: lambda content: content["0"].__setitem__("recall", 0.5),
    }
    changed_json(kept, name, edits[name])
    result = judged(kept, repeated)

    assert (result.verdict, differing(result)) == (DIFFERENT, {name})
    assert reasons(kept, repeated) == [
        ("edited", f"{name} edited and given a new checksum, as the epochs are bit-identical")
    ]


def test_metrics_that_older_versions_did_not_write_are_not_missed(
    kept: Run, repeated: Path, changed_json: Any
) -> None:
    changed_json(kept, layout.METRICS, lambda content: content.update(ensemble={"models": 2}))

    assert judged(Run(repeated), kept.path).verdict == IDENTICAL
    assert judged(kept, repeated).verdict == DIFFERENT


def test_an_edited_table_of_epochs_is_found(kept: Run, repeated: Path) -> None:
    path = kept.path / layout.JOURNAL
    path.write_text(path.read_text().replace("\n3,0.", "\n3,1."))
    result = judged(kept, repeated)

    assert differing(result) == {layout.JOURNAL}
    first = result.comparisons[0].first
    assert first is not None
    assert (first.name, first.index) == ("loss", (2,))
    assert reasons(kept, repeated) == [("files", f"history.csv {files.EDITED}")]


@pytest.mark.parametrize("name", [layout.plot("loss"), layout.SUMMARY])
def test_damaged_plots_and_text_count_too(name: str, kept: Run, repeated: Path) -> None:
    (kept.path / name).write_text("x")
    result = judged(kept, repeated)

    assert (result.verdict, differing(result)) == (DIFFERENT, set())
    assert reasons(kept, repeated) == [("files", f"{name} {files.EDITED}")]


@pytest.mark.parametrize(
    "name",
    [layout.JOURNAL, layout.HISTORY, layout.METRICS, layout.PREDICTIONS, layout.MODEL],
)
@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"PK\x03\x04"], ids=repr)
def test_an_unreadable_file_is_different(
    name: str, content: bytes, kept: Run, repeated: Path
) -> None:
    (kept.path / name).write_bytes(content)
    result = judged(kept, repeated)

    assert name in differing(result)
    assert ("files", f"{name} {files.EDITED}") in reasons(kept, repeated)


@pytest.mark.parametrize("name", [layout.METRICS, layout.PREDICTIONS, layout.MODEL])
def test_a_missing_file_is_different(name: str, kept: Run, repeated: Path) -> None:
    (kept.path / name).unlink()

    assert name in differing(judged(kept, repeated))


def test_only_the_epochs_of_an_unfinished_run_are_compared(kept: Run, repeated: Path) -> None:
    """Its weights may come from the middle of an epoch."""
    lines = (kept.path / layout.JOURNAL).read_text().splitlines(keepends=True)
    (kept.path / layout.HISTORY).unlink()
    kept.write_text(layout.JOURNAL, "".join(lines[:3]))
    record = kept.read_json(layout.RUN)
    del record["files"][layout.HISTORY]
    kept.write_record(record | {"status": layout.INTERRUPTED})
    result = judged(kept, repeated)

    assert result.verdict == IDENTICAL
    assert [each.extent for each in result.comparisons] == ["2 epochs × 4 metrics"]


def changed(kept: Run, changed_json: Any, **record: Any) -> None:
    """Changes history and record of a run."""
    changed_json(kept, layout.HISTORY, lambda content: content["loss"].__setitem__(0, 1.0))
    kept.update(**record)


@pytest.mark.parametrize(
    ("record", "kind", "text"),
    [
        ({"data_digest": "f" * 64}, "data", "the data differ: digest ffffffffffff → "),
        ({"seed": 7}, "spec", "the spec differs: seed 7 → 0"),
        ({"split_digest": "f" * 64}, "spec", "the spec differs: the rows are split differently"),
        ({"parameters": 1}, "spec", "the spec differs: parameters 1 → 4810"),
        ({"versions": {"keras": "3.0"}}, "versions", "other versions: keras 3.0 → 3."),
        ({"device": "gpu:0"}, "device", "another device: device gpu:0 → cpu"),
        ({"engine": "graph"}, "device", "another device: engine graph → xla"),
        ({"cores": 77}, "machine", "another machine: cores 77 → "),
        ({"platform": "Plan 9"}, "machine", "another machine: platform Plan 9 → "),
        ({"settings": {"OMP_NUM_THREADS": "1"}}, "machine", "another machine: settings OMP_NUM"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_differences_between_the_records_are_likely_causes(
    record: dict[str, Any], kind: str, text: str, kept: Run, repeated: Path, changed_json: Any
) -> None:
    changed(kept, changed_json, **record)
    [(found_kind, found_text)] = reasons(kept, repeated)

    assert (found_kind, found_text[: len(text)]) == (kind, text)


def test_the_strongest_cause_comes_first(kept: Run, repeated: Path, changed_json: Any) -> None:
    changed(kept, changed_json, cores=77, device="gpu:0", versions={}, data_digest="f")
    (kept.path / layout.SUMMARY).write_text("x")
    kinds = [kind for kind, _ in reasons(kept, repeated)]

    assert kinds == ["files", "data", "versions", "device", "machine"]


def test_keys_that_an_earlier_version_did_not_write_are_no_cause(kept: Run, repeated: Path) -> None:
    record = kept.read_json(layout.RUN)
    del record["processor"]
    kept.write_record(record)

    assert judged(kept, repeated).verdict == IDENTICAL
    assert reasons(kept, repeated)[0][0] == causes.UNKNOWN


def test_an_edited_spec_shows_in_the_model(kept: Run, repeated: Path, changed_model: Any) -> None:
    with zipfile.ZipFile(repeated / layout.MODEL) as archive:
        content = json.loads(archive.read(judging.CONFIG_FILE))
    content["compile_config"]["optimizer"]["config"]["learning_rate"] = 0.5

    def earlier(weights: Any) -> None:
        weights["optimizer/vars/0"][...] = 7

    changed_model(kept, earlier, config=json.dumps(content))

    steps = 3 * 144
    text = f"the spec differs: training steps 7 → {steps}; optimizer.learning_rate 0.5 → 0.001"
    assert reasons(kept, repeated) == [("spec", text)]


def test_xla_on_a_gpu_is_the_last_likely_cause(
    kept: Run, repeated: Path, tmp_path: Path, changed_model: Any
) -> None:
    other = Run(Path(shutil.copytree(repeated, tmp_path / "other")))
    for run in (kept, other):
        run.update(device="gpu:0", engine="xla")
    path = kept.path / layout.JOURNAL
    kept.write_text(layout.JOURNAL, path.read_text().replace("\n3,0.", "\n3,1."))

    def nudge(weights: Any) -> None:
        weights[KERNEL][0, 0] = 9.0

    changed_model(other, nudge)
    [(kind, text)] = reasons(kept, other.path)

    assert (kind, text.partition(" may")[0]) == ("setting", "XLA")


def test_weights_in_another_file_are_not_read(
    kept: Run, repeated: Path, tmp_path: Path, changed_model: Any
) -> None:
    """A model from another user could read any file of the machine."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"\x00" * 4096 * 4)
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.zeros((64, 64), "float32")

    def link(weights: Any) -> None:
        del weights[KERNEL]
        weights[KERNEL] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")

    def external(weights: Any) -> None:
        del weights[KERNEL]
        weights.create_dataset(KERNEL, (64, 64), "float32", external=[(str(secret), 0, 4096 * 4)])

    changed_model(kept, link)
    [weight] = judged(kept, repeated).of("weights")
    assert weight.first is not None
    assert (weight.first.name, weight.first.kept) == (KERNEL, None)

    changed_model(kept, external)
    [weight] = judged(kept, repeated).of("weights")
    assert weight.error is not None
    assert f"{KERNEL} in it lies in another file" in weight.error


def test_a_compressed_model_is_not_unpacked(kept: Run, repeated: Path) -> None:
    """It could fill the disk; Keras does not compress."""

    def pack(path: Path) -> None:
        with (
            zipfile.ZipFile(repeated / layout.MODEL) as content,
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
        ):
            for name in content.namelist():
                packed.writestr(name, content.read(name))

    kept.write(layout.MODEL, pack)
    [weight] = judged(kept, repeated).of("weights")

    assert weight.error is not None
    assert "is packed, as Keras does not do it" in weight.error
