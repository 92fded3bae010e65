"""What is to be verified, and whether it can be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nnrun import layout
from nnrun.errors import CommandError, RunError
from nnrun.verification import files
from nnrun.verification.files import Damage
from nnrun.verification.unsealed import Unsealed


@dataclass(frozen=True)
class Subject:
    """A run that can be repeated.

    Args:
        run: read as it is.
        status: with `crashed` for one whose process is gone.
        epochs: how many there are; of a cross-validation in its longest fold.
        damaged: its files that are not as it wrote them.
    """

    run: Unsealed
    status: str
    epochs: int
    damaged: tuple[Damage, ...]

    @property
    def has_folds(self) -> bool:
        """Whether it is a cross-validation."""
        return "folds" in self.run.record()

    @property
    def overrides(self) -> list[str]:
        """What is left out of the repetition of a run that did not come to its end.

        No callback and no schedule of a spec asks how many epochs there are to be, so the first
        ones are the same whatever their number.
        """
        if self.status == layout.FINISHED:
            return []
        if not self.has_folds:
            return [f"training.epochs={self.epochs}"]
        final = Unsealed(self.run.path / layout.FINAL)
        return [] if final.holds(layout.RUN) else ["validation.kfold.final=false"]


def subject(path: Path) -> Subject:
    """Looks at a run before it is repeated.

    Raises:
        NotARun: the folder holds no run.
        CommandError: it is a part of one, or at work, or there is nothing to repeat or compare.
    """
    run = Unsealed(path)
    try:
        record, status = run.record(), run.status()
    except RunError as error:
        raise CommandError(f"{path} cannot be verified: {error}") from error
    if "fold" in record:
        raise CommandError(f"{path} is a fold; `nnrun verify {path.resolve().parent}` verifies all")
    if record.get("verb") not in ("train", "kfold"):
        raise CommandError(f"{path} is no training, but of `nnrun {record.get('verb')}`")
    if status == layout.RUNNING:
        pid = (record.get("process") or {}).get("pid")
        raise CommandError(f"{path} is still running, as process {pid}")
    if not run.holds(layout.SPEC):
        raise CommandError(f"{path} has no {layout.SPEC} to be repeated from")
    epochs = _epochs(run)
    if not epochs and status != layout.FINISHED:
        raise CommandError(f"{path}: {status} before its first epoch ended; nothing to compare")
    return Subject(run, status, epochs, files.check(run).damaged)


def _epochs(run: Unsealed) -> int:
    """Of a run, or of its longest fold; what cannot be read counts as none."""
    counts = [0]
    for path in (run.path, *files.parts(run)):
        try:
            counts.append(len(Unsealed(path).history()))
        except RunError:
            continue
    return max(counts)
