"""Which run is better, whether that is real, and what is not to be compared at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnrun.analysis.compare import Comparison, Facts, compare, grouped, read
from nnrun.analysis.compare.formats import FORMATS, sentences
from nnrun.analysis.compare.verdicts import TESTED, Verdict
from nnrun.errors import CommandError
from nnrun.runs import Run, layout

Answers = Callable[[int], Any]


def named(comparison: Comparison) -> list[str]:
    return list(comparison.labels)


def column(comparison: Comparison, name: str) -> tuple[Any, ...]:
    return next(each.values for each in comparison.columns if each.name == name)


def only(comparison: Comparison) -> Verdict:
    [verdict] = comparison.verdicts
    return verdict


def test_the_better_run_comes_first_and_is_called_better(make: Any, answers: Answers) -> None:
    """190 against 150 right answers of 200, on the same rows."""
    found = compare([make.classifier("a", answers(150)), make.classifier("b", answers(190))])
    verdict = only(found)

    assert named(found) == ["b", "a"]
    assert (verdict.first, verdict.second, verdict.verdict) == ("b", "a", "better")
    assert verdict.estimate.effect == pytest.approx(0.2)
    assert verdict.estimate.test == "McNemar"
    # All 40 rows on which they differ are right with the same one.
    assert verdict.estimate.p == pytest.approx(2 / 2**40)
    assert verdict.sentence().startswith("b is better than a: test accuracy +0.2000, 95 % interval")


def test_a_difference_that_may_be_chance_is_not_called_one(make: Any, answers: Answers) -> None:
    """Three rows more, of which nothing follows."""
    found = compare([make.classifier("a", answers(150)), make.classifier("b", answers(153))])

    assert only(found).verdict == "no difference shown"
    assert only(found).adjusted == pytest.approx(0.25)
    assert only(found).sentence().startswith("no difference shown between b and a")


def test_of_an_error_less_is_better(make: Any) -> None:
    """The direction is the metric's, not the sort's."""
    rng = np.random.default_rng(0)
    found = compare(
        [make.regression("a", rng.normal(0, 3, 100)), make.regression("b", rng.normal(0, 1, 100))]
    )

    assert found.metric == "mae"
    assert named(found) == ["b", "a"]
    assert only(found).verdict == "better"
    assert only(found).metric == "test mae"
    assert only(found).estimate.effect < 0


def test_another_metric_can_be_asked_for(make: Any) -> None:
    """Squared errors for a squared loss."""
    runs = [make.regression("a", [1.0, 1.0, 1.0, 1.0]), make.regression("b", [0.0, 0.0, 0.0, 3.0])]

    assert named(compare(runs)) == ["b", "a"]
    assert named(compare(runs, metric="loss")) == ["a", "b"]
    assert only(compare(runs, metric="test_loss")).metric == "test loss"


def test_an_unknown_metric_is_refused_with_those_there_are(make: Any, answers: Answers) -> None:
    with pytest.raises(
        CommandError, match="--metric f1: no run reports it; there is accuracy, loss"
    ):
        compare([make.classifier("a", answers(150))], metric="f1")


def test_only_the_keys_that_differ_have_a_column(make: Any, answers: Answers) -> None:
    """What is the same everywhere is said once."""
    found = compare(
        [
            make.classifier("a", answers(150), training={"epochs": 3}),
            make.classifier("b", answers(150), training={"epochs": 5}),
        ]
    )

    assert [each.name for each in found.columns] == [
        *("name", "status", "training.epochs", "best_epoch"),
        *("train_accuracy", "test_accuracy", "train_loss", "test_loss", "seconds", "parameters"),
    ]
    assert column(found, "training.epochs") == (3, 5)
    assert found.shared["training.optimizer"] == "adam"
    assert "training.epochs" not in found.shared


def test_models_of_as_many_layers_differ_by_the_layer(make: Any, answers: Answers) -> None:
    """A whole model in each cell would hide the one number that differs."""

    def model(units: int) -> list[Any]:
        last = {"Dense": {"units": 2, "activation": "softmax"}}
        return ["Flatten", {"Dense": {"units": units, "activation": "relu"}}, last]

    found = compare(
        [
            make.classifier("a", answers(150), model=model(64)),
            make.classifier("b", answers(151), model=model(4)),
        ]
    )

    assert column(found, "model[1].Dense.units") == (4, 64)
    assert found.shared["model[0]"] == "Flatten"
    assert found.shared["model[1].Dense.activation"] == "relu"


def test_seeds_of_one_experiment_are_one_row(make: Any, answers: Answers) -> None:
    """With mean, spread and interval; beside another experiment."""
    seeds = [make.classifier("a", answers(150 + seed), seed=seed) for seed in range(3)]
    found = compare([*seeds, make.classifier("b", answers(100), training={"epochs": 9})])
    [first, _] = column(found, "test_accuracy")

    assert found.columns[1].values == ("3 seeds", "finished")
    assert first["mean"] == pytest.approx(151 / 200)
    assert first["std"] == pytest.approx(np.std([0.75, 0.755, 0.76], ddof=1))
    assert first["low"] < first["mean"] < first["high"]
    assert first["seeds"] == [0.75, 0.755, 0.76]


def test_a_seed_that_was_run_twice_counts_once(make: Any, answers: Answers) -> None:
    """The same run twice makes nothing surer."""
    runs = [make.classifier("a", answers(150), seed=seed) for seed in (0, 0, 1)]
    [entry, _] = grouped([*runs, make.classifier("b", answers(9), training={"epochs": 9})])

    assert len(entry.runs) == 2


def test_seeds_alone_are_a_row_each_and_one_sentence(make: Any, answers: Answers) -> None:
    """As one row there would be nothing to compare."""
    found = compare([make.classifier("a", answers(150 + seed), seed=seed) for seed in range(2)])

    assert len(found.entries) == 2
    assert found.seeds is not None
    assert only(found).verdict == "no difference shown"


def test_experiments_with_seeds_are_compared_over_their_seeds(make: Any, answers: Answers) -> None:
    """McNemar's test knows two models; only seeds tell what another training would give."""
    better = [
        make.classifier("a", answers(190 + s), seed=s, training={"epochs": 9}) for s in (0, 1, 2)
    ]
    worse = [make.classifier("b", answers(150 + s), seed=s) for s in (0, 1, 2)]
    verdict = only(compare([*worse, *better]))

    assert (verdict.first, verdict.verdict) == ("a", "better")
    assert verdict.estimate.test == "Welch's t-test over seeds"


def test_one_seed_is_held_against_the_spread_of_several(make: Any, answers: Answers) -> None:
    several = [make.classifier("a", answers(190 + seed), seed=seed) for seed in (0, 1, 2)]
    verdict = only(compare([*several, make.classifier("b", answers(9), training={"epochs": 9})]))

    assert verdict.verdict == "better"
    assert verdict.estimate.test == "t-test of one seed against several"


def test_seeds_that_all_give_the_same_cannot_be_tested(make: Any, answers: Answers) -> None:
    """Without a spread there is no saying how likely a difference is."""
    first = [make.classifier("a", answers(190), seed=seed) for seed in (0, 1)]
    second = [make.classifier("b", answers(9), seed=s, training={"epochs": 9}) for s in (0, 1)]

    assert only(compare([*first, *second])).reason == "no seed makes any difference"


def test_seeds_that_draw_their_own_rows_are_comparable(make: Any, answers: Answers) -> None:
    """They are judged by the same test rows, and the rule that draws is the same."""
    validation = {"holdout": {"size": 0.2}}
    runs = [
        make.classifier(
            "a", answers(150 + seed), seed=seed, validation=validation,
            record={"split_digest": str(seed)},
        )
        for seed in (0, 1)
    ]  # fmt: skip

    assert only(compare(runs)).verdict == "no difference shown"


def test_cross_validations_are_compared_fold_by_fold(make: Any) -> None:
    """Each fold has its own difficulty, which both meet."""
    first = make.folds("a", [0.90, 0.92, 0.91, 0.93])
    second = make.folds("b", [0.80, 0.81, 0.81, 0.82], training={"epochs": 9})
    verdict = only(compare([first, second]))

    assert (verdict.first, verdict.verdict) == ("a", "better")
    assert verdict.estimate.test == "corrected resampled t-test"
    assert verdict.metric == "validation accuracy"


def test_several_comparisons_are_corrected(make: Any, answers: Answers) -> None:
    """One p of 0.03 is something; the best of ten is nothing."""
    rights = [answers(170), answers(158), answers(157)]
    runs = [make.classifier(name, right) for name, right in zip("abc", rights, strict=True)]
    values = {verdict.second: verdict for verdict in compare(runs).verdicts}

    # Twelve and thirteen rows that one alone has right: 2/2¹² and 2/2¹³; three pairs in all.
    assert values["b"].estimate.p == pytest.approx(2 / 2**12)
    assert values["c"].adjusted == pytest.approx(3 * 2 / 2**13)
    assert values["b"].adjusted == pytest.approx(2 * 2 / 2**12)
    assert "Holm over 3" in values["b"].sentence()


def incomparable(first: Any, second: Any) -> str:
    found = compare([first, second])
    verdict = only(found)
    assert verdict.verdict == "not comparable"
    assert not found.is_comparable
    return verdict.reason


def test_other_data_are_not_comparable(make: Any, answers: Answers) -> None:
    other = make.classifier("b", answers(9), record={"data_digest": "other"})

    assert incomparable(make.classifier("a", answers(9)), other) == "the data differ (data_digest)"


def test_another_split_is_not_comparable(make: Any, answers: Answers) -> None:
    other = make.classifier("b", answers(9), record={"split_digest": "other"})
    reason = "the split differs: the rows held out are not the same (split_digest)"

    assert incomparable(make.classifier("a", answers(9)), other) == reason


def test_other_folds_are_not_comparable(make: Any) -> None:
    other = make.folds("b", [0.1, 0.2], record={"split_digest": "other"})
    reason = "the split differs: the folds are not the same (split_digest)"

    assert incomparable(make.folds("a", [0.1, 0.2]), other) == reason


def test_a_cross_validation_is_not_comparable_with_a_hold_out(make: Any, answers: Answers) -> None:
    reason = "one is cross-validated, the other is not"

    assert incomparable(make.classifier("a", answers(9)), make.folds("b", [0.01, 0.02])) == reason


def test_another_metric_is_not_comparable(make: Any, answers: Answers) -> None:
    reason = "the metric differs: b reports mae, loss, not accuracy"

    assert incomparable(make.classifier("a", answers(9)), make.regression("b", [1.0])) == reason


def test_where_metrics_cannot_be_compared_none_is_marked_as_best(
    make: Any, answers: Answers
) -> None:
    """A star would say what the sentence below denies."""
    other = make.classifier("b", answers(9), record={"data_digest": "other"})
    found = compare([make.classifier("a", answers(150)), other])
    marks = {each.name: found.best(each) for each in found.columns}

    assert marks["test_accuracy"] is None


def test_runs_that_can_be_compared_are_though_others_cannot(make: Any, answers: Answers) -> None:
    runs = [
        make.classifier("other", answers(200), record={"data_digest": "other"}),
        make.classifier("a", answers(190)),
        make.classifier("b", answers(150)),
    ]
    sentences = [verdict.sentence() for verdict in compare(runs).verdicts]

    assert sentences[0].startswith("a is better than b")
    assert sentences[1] == "other and a, b are not comparable: the data differ (data_digest)"


def test_without_predictions_there_is_no_test(make: Any, answers: Answers) -> None:
    first, second = make.classifier("a", answers(190)), make.classifier("b", answers(9))
    path = second.run.path / layout.PREDICTIONS
    path.unlink()

    assert only(compare([first, second])).reason == f"{path}: is gone"


@pytest.mark.parametrize("status", [layout.RUNNING, layout.FAILED, layout.INTERRUPTED])
def test_what_is_not_finished_is_listed_and_not_judged(
    make: Any, answers: Answers, status: str
) -> None:
    """Its metrics are of half a training: it comes last, has no star, and it is said."""
    half = make.classifier("half", answers(199), status=status)
    found = compare([half, make.classifier("a", answers(150)), make.classifier("b", answers(190))])
    marks = {each.name: found.best(each) for each in found.columns}

    assert named(found) == ["b", "a", "half"]
    assert marks["test_accuracy"] == 190 / 200
    assert [verdict.second for verdict in found.verdicts] == ["a"]
    assert f"half is {status}, and not judged" in sentences(found)


def test_folds_of_one_cross_validation_are_not_taken_for_one_run(
    make: Any, answers: Answers
) -> None:
    """They have one spec and one seed, but other rows."""
    runs = [
        make.classifier("a", answers(150), record={"fold": n, "split_digest": str(n)})
        for n in (1, 2)
    ]

    assert compare(runs).repeated == ()
    assert only(compare(runs)).verdict == "not comparable"


def test_a_run_without_metrics_comes_last(make: Any, answers: Answers) -> None:
    """It was stopped before its first epoch was over."""
    empty = read(make.run("empty", {}, {}, status=layout.FAILED))
    found = compare([empty, make.classifier("a", answers(150))])

    assert named(found) == ["a", "empty"]
    assert column(found, "test_accuracy") == (0.75, None)


def test_a_column_can_be_sorted_by(make: Any, answers: Answers) -> None:
    """The best first, or words in their order."""
    runs = [make.classifier("b", answers(190)), make.classifier("a", answers(150))]

    assert named(compare(runs, sort="name")) == ["a", "b"]
    assert named(compare(runs, sort="test_loss")) == ["b", "a"]
    other = make.classifier("c", answers(9), training={"epochs": 1})
    assert named(compare([*runs, other], sort="epochs"))[0] == "c"
    with pytest.raises(
        CommandError, match="--sort size: there is no such column; there is name, status"
    ):
        compare(runs, sort="size")


def test_runs_of_one_name_are_told_apart_by_their_folders(make: Any, answers: Answers) -> None:
    runs = [make.classifier("a", answers(190), training={"epochs": n}) for n in (3, 4)]

    assert named(compare(runs)) == ["20260101-000000-a", "20260101-000001-a"]


def test_of_very_many_only_the_best_are_tested(make: Any, answers: Answers) -> None:
    """And it is said, because each test is paid for by all others."""
    runs = [make.classifier(f"run{n}", answers(n), training={"epochs": n + 1}) for n in range(25)]
    found = compare(runs)
    *tested, rest = found.verdicts

    assert len(tested) == TESTED - 1
    assert rest.sentence() == "run24 and 5 more are not tested: of so many only the best 20 are"


def with_auc(make: Any, name: str, right: Any, auc: float) -> Facts:
    run = make.classifier(name, right, training={"metrics": ["AUC"], "loss": "binary_crossentropy"})
    found = {"auc": auc, "loss": 1.0}
    run.run.write_json(
        layout.METRICS, run.run.read_json(layout.METRICS) | {"train": found, "test": found}
    )
    return read(run.run)


def test_a_metric_that_no_row_has_by_itself_is_tested_by_right_answers(
    make: Any, answers: Answers
) -> None:
    """And the sentence says by what."""
    found = compare(
        [with_auc(make, "a", answers(190), 0.99), with_auc(make, "b", answers(150), 0.8)]
    )

    assert found.metric == "auc"
    assert only(found).verdict == "better"
    assert only(found).metric == "test share of right answers"


def test_what_stands_in_for_a_metric_does_not_speak_against_it(make: Any, answers: Answers) -> None:
    """The one with more right answers has the lower AUC: neither is called better."""
    runs = [with_auc(make, "a", answers(150), 0.99), with_auc(make, "b", answers(190), 0.8)]
    reason = "auc has no value per row, and by the share of right answers the order is the other"

    assert only(compare(runs)).verdict == "not tested"
    assert only(compare(runs)).reason == reason


def test_a_loss_with_penalties_is_not_taken_for_that_of_the_answers(
    make: Any, answers: Answers
) -> None:
    """What the run reports is more than its predictions tell."""
    runs = [make.classifier("a", answers(190)), make.classifier("b", answers(150))]

    assert only(compare(runs, metric="loss")).metric == "test cross-entropy"


def test_seeds_beside_a_run_with_another_metric_have_no_value_for_it(
    make: Any, answers: Answers
) -> None:
    seeds = [make.classifier("a", answers(150 + seed), seed=seed) for seed in (0, 1)]
    found = compare([*seeds, make.regression("b", [1.0, 2.0])])

    assert column(found, "test_mae") == (None, 1.5)
    assert [formats(found) for formats in FORMATS.values()]


def test_a_seed_without_a_number_is_not_tested(make: Any, answers: Answers) -> None:
    """It was lost in its last epoch, say."""
    seeds = [make.classifier("a", answers(150 + seed), seed=seed) for seed in (0, 1)]
    lost = seeds[1].run
    lost.write_json(
        layout.METRICS, lost.read_json(layout.METRICS) | {"test": {"accuracy": None, "loss": None}}
    )
    others = [make.classifier("b", answers(9 + s), seed=s, training={"epochs": 9}) for s in (0, 1)]
    found = compare([seeds[0], read(lost), *others])

    assert only(found).reason == "accuracy is not a number for every seed"
    assert compare([seeds[0], read(lost)]).seeds is not None


def test_runs_that_both_lack_the_metric_are_not_tested_by_it(make: Any, answers: Answers) -> None:
    plain = {"metrics": []}
    runs = [
        make.classifier("a", answers(150)),
        *(make.regression(name, [1.0], training=plain) for name in "bc"),
    ]
    for run in runs[1:]:
        only_loss = {"train": {"loss": 1.0}, "test": {"loss": 1.0}}
        run.run.write_json(layout.METRICS, run.run.read_json(layout.METRICS) | only_loss)
    found = compare([read(run.run) for run in runs])

    assert [verdict.verdict for verdict in found.verdicts] == ["not comparable"]


@pytest.mark.parametrize("rest", [b"", b"PK", b"PK\x03\x04"])
def test_predictions_that_cannot_be_read_cost_the_test_alone(
    make: Any, answers: Answers, rest: bytes
) -> None:
    """A disk was full; the other runs are compared all the same."""
    runs = [make.classifier(name, answers(n)) for name, n in (("a", 190), ("b", 150), ("c", 149))]
    (runs[2].run.path / layout.PREDICTIONS).write_bytes(rest)
    verdicts = {verdict.second: verdict for verdict in compare(runs).verdicts}

    assert verdicts["b"].verdict == "better"
    assert verdicts["c"].verdict == "not tested"
    assert "was damaged or edited since the run wrote it" in verdicts["c"].reason


def test_a_seed_that_is_left_out_is_named(make: Any, answers: Answers) -> None:
    runs = [make.classifier("a", answers(150)), make.classifier("a", answers(150))]
    other = make.classifier("b", answers(9), training={"epochs": 9})
    found = compare([*runs, other])

    assert [run.run.path for run in found.repeated] == [runs[0].run.path]
    assert f"{runs[0].run.path.name} repeats a seed, and is left out" in sentences(found)


def test_folds_of_one_name_are_told_apart_by_the_runs_they_are_of(
    make: Any, answers: Answers
) -> None:
    """`nnrun compare A/fold-1 B/fold-1`."""
    runs = []
    for whole in ("A", "B"):
        fold = make.classifier("a", answers(150), training={"epochs": len(runs) + 1})
        moved = fold.run.path.parent / whole / "fold-1"
        moved.parent.mkdir()
        runs.append(read(Run(fold.run.path.rename(moved))))

    assert set(named(compare(runs))) == {"A/fold-1", "B/fold-1"}


def test_a_run_without_a_spec_shares_no_key_and_has_none_of_its_own(
    make: Any, answers: Answers
) -> None:
    bare = make.classifier("bare", answers(150))
    record = bare.run.read_json(layout.RUN)
    files = {name: seal for name, seal in record["files"].items() if name != layout.SPEC}
    bare.run.write_record({**record, "files": files})
    found = compare([make.classifier("a", answers(190)), read(bare.run)])

    assert found.shared["training.epochs"] == 3
    assert "" not in [each.name for each in found.columns]
