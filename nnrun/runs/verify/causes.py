"""Likely causes of a difference between a run and its repetition, the strongest evidence first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nnrun.errors import RunError
from nnrun.runs import layout
from nnrun.runs.verify import judging
from nnrun.runs.verify.files import UnverifiedRun
from nnrun.runs.verify.judging import Judged
from nnrun.spec.text import join_words, plain_value, shorten_list

MAX_NAMED = 4
"""Number of changed keys that are named; more are only counted."""
UNKNOWN = "unknown"

_DEVICE = ("device", "engine")
_MACHINE = ("processor", "gpus", "cores", "platform", "settings")
# Numbered anew in each process.
_OBJECT_ID = "shared_object_id"
# These callbacks change the saved learning rate during the training.
_RATE = "compile_config.optimizer.config.learning_rate"
_CHANGES_RATE = ("ReduceLROnPlateau", "LearningRateScheduler")

Record = Mapping[str, object]


@dataclass(frozen=True)
class Cause:
    """One likely cause.

    Args:
        kind: `files`, `data`, `spec`, `versions`, `device`, `machine`, `setting`, `edited` or
            `unknown`.
        text: a sentence without a full stop.
    """

    kind: str
    text: str


def find(judged: Judged, kept_run: UnverifiedRun, repeated_run: UnverifiedRun) -> list[Cause]:
    """All likely causes; `unknown` if there is none."""
    kept: Record = kept_run.read_json(layout.RUN)
    repeated: Record = repeated_run.read_json(layout.RUN)
    causes = [Cause("files", f"{damage.file} {damage.reason}") for damage in judged.damaged]
    if _differ("data_digest", kept, repeated):
        digests = " → ".join(str(record["data_digest"])[:12] for record in (kept, repeated))
        causes.append(Cause("data", f"the data differ: digest {digests}"))
    # A difference in the data changes more than the spec, so it is not looked for then.
    elif changes := [
        *_record_changes(judged, kept, repeated),
        *_config_changes(kept_run, repeated_run, other_keras=_differ("versions", kept, repeated)),
    ]:
        causes.append(
            Cause("spec", f"the spec differs: {'; '.join(shorten_list(changes, MAX_NAMED))}")
        )
    if changes := _version_changes(kept, repeated):
        causes.append(Cause("versions", f"other versions: {', '.join(changes)}"))
    for kind, keys in (("device", _DEVICE), ("machine", _MACHINE)):
        if changes := _changes(keys, kept, repeated):
            causes.append(Cause(kind, f"another {kind}: {'; '.join(changes)}"))
    if not causes:
        causes = list(_edited(judged))
    record = repeated_run.record()
    if not causes and (record.device or "").startswith("gpu") and record.engine == "xla":
        text = "XLA may choose its kernels on a GPU by timing; `engine: graph` does not"
        causes.append(Cause("setting", text))
    return causes or [Cause(UNKNOWN, "data, spec, versions, device and machine are the same")]


def _differ(key: str, kept: Record, repeated: Record) -> bool:
    """Whether both records have a key and differ in it; earlier versions wrote fewer keys."""
    return key in kept and key in repeated and kept[key] != repeated[key]


def _changes(keys: Sequence[str], kept: Record, repeated: Record) -> list[str]:
    return [_change(key, kept[key], repeated[key]) for key in keys if _differ(key, kept, repeated)]


def _change(name: str, kept: object, repeated: object) -> str:
    return f"{name} {plain_value(kept)} → {plain_value(repeated)}"


def _version_changes(kept: Record, repeated: Record) -> list[str]:
    old, new = kept.get("versions"), repeated.get("versions")
    if not isinstance(old, dict) or not isinstance(new, dict):
        return []
    return [
        f"{name} {old.get(name, 'none')} → {new.get(name, 'none')}"
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    ]


def _record_changes(judged: Judged, kept: Record, repeated: Record) -> list[str]:
    """Traces of the spec in other files, because the spec itself may have been edited."""
    changes = _changes(("seed", "parameters", "rows"), kept, repeated)
    if not changes and _differ("split_digest", kept, repeated):
        changes = ["the rows are split differently"]
    # Every optimizer counts its steps in its first variable.
    for comparison in judged.of(judging.OPTIMIZER):
        first = comparison.first
        if first and first.name == "optimizer/vars/0" and not first.index:
            changes.append(_change("training steps", first.kept, first.repeated))
            break
    return changes


def _config_changes(
    kept_run: UnverifiedRun, repeated_run: UnverifiedRun, *, other_keras: bool
) -> list[str]:
    """Differences between the configurations of the first saved model of each."""
    for pair in judging.pairs(kept_run.path, repeated_run.path):
        if pair.is_whole and pair.kept.holds(layout.MODEL) and pair.repeated.holds(layout.MODEL):
            break
    else:
        return []
    try:
        kept, repeated = (
            judging.config(run.path / layout.MODEL) for run in (pair.kept, pair.repeated)
        )
    except RunError:
        return []
    # Another version of Keras saves more or fewer keys of the same model.
    keys = [key for key in kept if key in repeated] if other_keras else [*kept, *repeated]
    rate_changes = any(name in str(repeated_run.spec()) for name in _CHANGES_RATE)
    changes = {}
    for key in keys:
        is_noise = key.endswith(_OBJECT_ID) or (rate_changes and key == _RATE)
        if kept.get(key) != repeated.get(key) and not is_noise:
            # `compile_config.optimizer.config.learning_rate` without Keras's own words.
            words = [part for part in key.split(".") if part not in ("config", "compile_config")]
            changes[key] = _change(".".join(words), kept.get(key), repeated.get(key))
    return list(changes.values())


def _edited(judged: Judged) -> Iterator[Cause]:
    """Files that were edited together with their checksums."""
    # Equal epochs lead to equal weights, and equal weights to equal predictions and metrics.
    by_part: dict[str, dict[str, bool]] = {}
    for comparison in judged.comparisons:
        same = by_part.setdefault(comparison.part, {})
        is_same = not comparison.differing and not comparison.error
        same[comparison.file] = same.get(comparison.file, True) and is_same
    for part, same in by_part.items():
        edited = [f"{part}/{name}" if part else name for name in same if not same[name]]
        for origin, word in ((layout.JOURNAL, "epochs"), (layout.MODEL, "weights")):
            if edited and same.get(origin):
                names = join_words(edited, "and")
                text = f"{names} edited and given a new checksum, as the {word} are bit-identical"
                yield Cause("edited", text)
                break
