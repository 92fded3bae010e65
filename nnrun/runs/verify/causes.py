"""Why a repetition may have come out differently: what speaks for it, the strongest evidence first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nnrun.errors import RunError
from nnrun.runs import layout
from nnrun.runs.verify import judging
from nnrun.runs.verify.files import UnverifiedRun
from nnrun.runs.verify.judging import Comparison, Judged
from nnrun.spec.text import join_words

# So many keys of a description are named before it is only said that there are more.
NAMED = 4
UNKNOWN = "unknown"
# Numbered anew in each process.
_PASSING = "shared_object_id"
# What a callback has made of it by the end says nothing about the spec.
_RATE = "compile_config.optimizer.config.learning_rate"
_MOVE_THE_RATE = ("ReduceLROnPlateau", "LearningRateScheduler")
_FACTS = ("seed", "parameters", "rows", "split_digest")
_DEVICE = ("device", "engine")
_MACHINE = ("processor", "gpus", "cores", "platform", "settings")


@dataclass(frozen=True)
class Cause:
    """What speaks for one reason.

    Args:
        kind: `files`, `data`, `spec`, `versions`, `device`, `machine`, `setting`, `sealed anew` or
            `unknown`.
        text: a sentence without a full stop.
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Evidence:
    """All that causes are looked for in."""

    judged: Judged
    kept: UnverifiedRun
    repeated: UnverifiedRun

    @property
    def records(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What both records say."""
        return self.kept.read_json(layout.RUN), self.repeated.read_json(layout.RUN)


def find(evidence: Evidence) -> list[Cause]:
    """Every reason that something speaks for; `unknown` where nothing does."""
    found = [cause for look in _LOOKS for cause in look(evidence)]
    if not found:
        found = [*_sealed_anew(evidence)] or [*_chance(evidence)]
    return found or [Cause(UNKNOWN, "data, spec, versions, device and machine are the same")]


def _files(evidence: Evidence) -> Iterator[Cause]:
    for damage in evidence.judged.damaged:
        yield Cause("files", f"{damage.file} {damage.reason}")


def _data(evidence: Evidence) -> Iterator[Cause]:
    kept, repeated = evidence.records
    if _differ("data_digest", kept, repeated):
        digests = (str(each["data_digest"])[:12] for each in (kept, repeated))
        yield Cause("data", f"the data are others: digest {' → '.join(digests)}")


def _spec(evidence: Evidence) -> Iterator[Cause]:
    """What the run tells of the spec besides the spec itself; it follows from the data too."""
    kept, repeated = evidence.records
    if _differ("data_digest", kept, repeated):
        return
    facts = [key for key in _FACTS if _differ(key, kept, repeated)]
    told = [_change(key, kept[key], repeated[key]) for key in facts if key != "split_digest"]
    if "split_digest" in facts and not told:
        told = ["the rows are split otherwise"]
    told += _steps(evidence.judged.of(judging.OPTIMIZER))
    told += _described(evidence)
    if told:
        more = [f"and {len(told) - NAMED} more"] if len(told) > NAMED else []
        yield Cause("spec", f"the spec is another: {'; '.join([*told[:NAMED], *more])}")


def _differ(key: str, kept: Mapping[str, Any], repeated: Mapping[str, Any]) -> bool:
    """Only what both say can differ: a run of an earlier nnrun says less."""
    return key in kept and key in repeated and kept[key] != repeated[key]


def _change(name: str, kept: Any, repeated: Any) -> str:
    return f"{name} {_plain(kept)} → {_plain(repeated)}"


def _plain(value: Any) -> str:
    match value:
        case dict():
            return " ".join(f"{key} {item}" for key, item in value.items()) or "none"
        case list():
            return ", ".join(map(str, value)) or "none"
        case float():
            # A learning rate of 0.001 is kept as the nearest float of 32 bits.
            return f"{value:.7g}"
    return str(value)


def _steps(comparisons: list[Comparison]) -> list[str]:
    """Every optimizer counts its steps in its first variable."""
    for each in comparisons:
        if each.first and each.first.name == "optimizer/vars/0" and not each.first.index:
            return [_change("training steps", each.first.kept, each.first.repeated)]
    return []


def _described(evidence: Evidence) -> list[str]:
    """Where the models that were saved are not described alike."""
    try:
        kept, repeated = (
            judging.config(run.path / layout.MODEL) for run in _first_models(evidence)
        )
    except (RunError, ValueError):
        return []
    known = set(kept) & set(repeated) if _versions_differ(evidence) else set(kept) | set(repeated)
    # Another Keras describes more or less of the same model.
    keys = [key for key in dict.fromkeys((*kept, *repeated)) if key in known]
    keys = [key for key in keys if kept.get(key) != repeated.get(key)]
    passing = {key for key in keys if key.endswith(_PASSING)}
    if any(name in str(evidence.repeated.spec()) for name in _MOVE_THE_RATE):
        passing.add(_RATE)
    return [
        _change(_readable(key), kept.get(key), repeated.get(key))
        for key in keys
        if key not in passing
    ]


def _first_models(evidence: Evidence) -> Iterator[UnverifiedRun]:
    """The first model of the run, and that of the repetition."""
    for pair in judging.pairs(evidence.kept.path, evidence.repeated.path):
        if pair.is_whole and pair.kept.holds(layout.MODEL) and pair.repeated.holds(layout.MODEL):
            yield from (pair.kept, pair.repeated)
            return


def _readable(key: str) -> str:
    """`compile_config.optimizer.config.learning_rate` without the words that are Keras's own."""
    return ".".join(part for part in key.split(".") if part not in ("config", "compile_config"))


def _versions_differ(evidence: Evidence) -> bool:
    kept, repeated = evidence.records
    return _differ("versions", kept, repeated)


def _versions(evidence: Evidence) -> Iterator[Cause]:
    kept, repeated = (record.get("versions", {}) for record in evidence.records)
    names = dict.fromkeys((*kept, *repeated))
    changes = [
        f"{name} {kept.get(name, 'none')} → {repeated.get(name, 'none')}"
        for name in names
        if kept.get(name) != repeated.get(name)
    ]
    if changes:
        yield Cause("versions", f"other versions: {', '.join(changes)}")


def _places(kind: str, keys: tuple[str, ...]) -> Callable[[Evidence], Iterator[Cause]]:
    def look(evidence: Evidence) -> Iterator[Cause]:
        kept, repeated = evidence.records
        changes = [
            _change(key, kept[key], repeated[key]) for key in keys if _differ(key, kept, repeated)
        ]
        if changes:
            yield Cause(kind, f"another {kind}: {'; '.join(changes)}")

    return look


_LOOKS = (
    _files,
    _data,
    _spec,
    _versions,
    _places("device", _DEVICE),
    _places("machine", _MACHINE),
)


def _sealed_anew(evidence: Evidence) -> Iterator[Cause]:
    """A file that differs though what it was made of, or what was made of it, does not.

    Equal epochs lead to equal weights, and equal weights to equal predictions and metrics.
    """
    by_part: dict[str, dict[str, bool]] = {}
    for each in evidence.judged.comparisons:
        same = by_part.setdefault(each.part, {})
        is_same = not each.differing and not each.error
        same[each.file] = same.get(each.file, True) and is_same
    for part, same in by_part.items():
        others = [name for name, is_same in same.items() if not is_same]
        for cause, word in ((layout.JOURNAL, "epochs"), (layout.MODEL, "weights")):
            if others and same.get(cause):
                names = join_words([f"{part}/{name}" if part else name for name in others], "and")
                text = f"{names} edited and sealed anew, as the {word} are the same to the bit"
                yield Cause("sealed anew", text)
                break


def _chance(evidence: Evidence) -> Iterator[Cause]:
    """Settings of which nobody promises that they repeat."""
    record = evidence.repeated.record()
    if (record.device or "").startswith("gpu") and record.engine == "xla":
        yield Cause(
            "setting", "XLA may choose its kernels on a GPU by timing; `engine: graph` does not"
        )
