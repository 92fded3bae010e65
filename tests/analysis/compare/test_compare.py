"""Comparisons: the order, the columns, the verdicts, and runs that cannot be compared."""

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


def names(comparison: Comparison) -> list[str]:
    return [entry.label for entry in comparison.entries]


def column(comparison: Comparison, name: str) -> tuple[Any, ...]:
    return next(column.values for column in comparison.columns if column.name == name)


def best(comparison: Comparison, name: str) -> Any:
    columns = {column.name: column for column in comparison.columns}
    return comparison.best(columns[name])


def only(comparison: Comparison) -> Verdict:
    [verdict] = comparison.verdicts
    return verdict


def with_metrics(facts: Facts, **metrics: Any) -> Facts:
    """The run with other metrics."""
    run = facts.run
    run.write_json(layout.METRICS, run.read_json(layout.METRICS) | metrics)
    return read(run)


def test_the_better_run_comes_first(make: Any, answers: Answers) -> None:
    comparison = compare([make.classifier("a", answers(150)), make.classifier("b", answers(190))])
    verdict = only(comparison)

    assert names(comparison) == ["b", "a"]
    assert (verdict.first, verdict.second, verdict.verdict) == ("b", "a", "better")
    assert verdict.estimate.effect == pytest.approx(0.2)
    assert verdict.estimate.test == "McNemar"
    # In all 40 rows that differ, the same run is right.
    assert verdict.estimate.p == pytest.approx(2 / 2**40)
    assert verdict.sentence().startswith("b is better than a: test accuracy +0.2000, 95 % interval")


def test_a_difference_of_three_rows_is_not_significant(make: Any, answers: Answers) -> None:
    verdict = only(
        compare([make.classifier("a", answers(150)), make.classifier("b", answers(153))])
    )

    assert verdict.verdict == "no difference shown"
    assert verdict.adjusted == pytest.approx(0.25)
    assert verdict.sentence().startswith("no difference shown between b and a")


def test_a_smaller_error_is_better(make: Any) -> None:
    rng = np.random.default_rng(0)
    runs = [make.regression(name, rng.normal(0, std, 100)) for name, std in (("a", 3), ("b", 1))]
    comparison = compare(runs)

    assert comparison.metric == "mae"
    assert names(comparison) == ["b", "a"]
    assert (only(comparison).verdict, only(comparison).metric) == ("better", "test mae")
    assert only(comparison).estimate.effect < 0


def test_runs_can_be_ranked_by_another_metric(make: Any, answers: Answers) -> None:
    runs = [make.regression("a", [1.0, 1.0, 1.0, 1.0]), make.regression("b", [0.0, 0.0, 0.0, 3.0])]

    assert names(compare(runs)) == ["b", "a"]
    assert names(compare(runs, metric="loss")) == ["a", "b"]
    assert only(compare(runs, metric="test_loss")).metric == "test loss"
    message = "--metric f1: no run reports it; there is accuracy, loss"
    with pytest.raises(CommandError, match=message):
        compare([make.classifier("a", answers(150))], metric="f1")


def test_only_keys_that_differ_have_a_column(make: Any, answers: Answers) -> None:
    epochs = {"a": 3, "b": 5}
    comparison = compare(
        [make.classifier(name, answers(150), training={"epochs": n}) for name, n in epochs.items()]
    )

    assert [column.name for column in comparison.columns] == [
        *("name", "status", "training.epochs", "best_epoch"),
        *("train_accuracy", "test_accuracy", "train_loss", "test_loss", "seconds", "parameters"),
    ]
    assert column(comparison, "training.epochs") == (3, 5)
    assert comparison.shared["training.optimizer"] == "adam"
    assert "training.epochs" not in comparison.shared


def test_models_with_as_many_layers_are_compared_by_layer(make: Any, answers: Answers) -> None:
    def run(name: str, right: int, units: int) -> Facts:
        last = {"Dense": {"units": 2, "activation": "softmax"}}
        model = ["Flatten", {"Dense": {"units": units, "activation": "relu"}}, last]
        return make.classifier(name, answers(right), model=model)

    comparison = compare([run("a", 150, 64), run("b", 151, 4)])

    assert column(comparison, "model[1].Dense.units") == (4, 64)
    assert comparison.shared["model[0]"] == "Flatten"
    assert comparison.shared["model[1].Dense.activation"] == "relu"


def seeds(make: Any, name: str, rights: list[Any], **changes: Any) -> list[Facts]:
    return [
        make.classifier(name, right, seed=seed, **{key: {**v} for key, v in changes.items()})
        for seed, right in enumerate(rights)
    ]


NINE = {"training": {"epochs": 9}}


def test_seeds_of_an_experiment_are_one_row(make: Any, answers: Answers) -> None:
    runs = seeds(make, "a", [answers(150 + seed) for seed in range(3)])
    comparison = compare([*runs, make.classifier("b", answers(100), training={"epochs": 9})])
    [first, _] = column(comparison, "test_accuracy")

    assert column(comparison, "status") == ("3 seeds", "finished")
    assert first["mean"] == pytest.approx(151 / 200)
    assert first["std"] == pytest.approx(np.std([0.75, 0.755, 0.76], ddof=1))
    assert first["low"] < first["mean"] < first["high"]
    assert first["seeds"] == [0.75, 0.755, 0.76]


def test_a_repeated_seed_counts_once_and_is_named(make: Any, answers: Answers) -> None:
    runs = [make.classifier("a", answers(150), seed=seed) for seed in (0, 0, 1)]
    other = make.classifier("b", answers(9), training={"epochs": 9})
    comparison = compare([*runs, other])

    assert len(grouped([*runs, other])[0].runs) == 2
    assert [run.run.path for run in comparison.repeated] == [runs[0].run.path]
    assert (
        f"{runs[0].run.path.name} has the same spec and seed as another run and is left out"
        in sentences(comparison)
    )


def test_seeds_of_a_single_experiment_are_a_row_each(make: Any, answers: Answers) -> None:
    comparison = compare(seeds(make, "a", [answers(150), answers(151)]))

    assert len(comparison.entries) == 2
    assert comparison.seeds is not None
    assert only(comparison).verdict == "no difference shown"


def test_experiments_are_compared_over_their_seeds(make: Any, answers: Answers) -> None:
    better = seeds(make, "a", [answers(190 + seed) for seed in range(3)], **NINE)
    worse = seeds(make, "b", [answers(150 + seed) for seed in range(3)])
    verdict = only(compare([*worse, *better]))

    assert (verdict.first, verdict.verdict) == ("a", "better")
    assert verdict.estimate.test == "Welch's t-test over seeds"
    verdict = only(compare([*worse, make.classifier("c", answers(9), training={"epochs": 8})]))
    assert verdict.verdict == "better"
    assert verdict.estimate.test == "t-test of one seed against several"


def test_seeds_without_variance_cannot_be_tested(make: Any, answers: Answers) -> None:
    runs = seeds(make, "a", [answers(190)] * 2) + seeds(make, "b", [answers(9)] * 2, **NINE)

    assert only(compare(runs)).reason == "the metric is the same for all seeds"


def test_a_seed_without_a_value_is_not_tested(make: Any, answers: Answers) -> None:
    first, second = seeds(make, "a", [answers(150), answers(151)])
    second = with_metrics(second, test={"accuracy": None, "loss": None})
    others = seeds(make, "b", [answers(9), answers(10)], **NINE)

    reason = "accuracy is not a number for every seed"
    assert only(compare([first, second, *others])).reason == reason
    assert compare([first, second]).seeds is not None


def test_seeds_that_draw_their_own_validation_rows_are_comparable(
    make: Any, answers: Answers
) -> None:
    """They are judged by the same test rows, and draw by the same rule."""
    runs = [
        make.classifier(
            "a", answers(150 + seed), seed=seed, validation={"holdout": {"size": 0.2}},
            record={"split_digest": str(seed)},
        )
        for seed in (0, 1)
    ]  # fmt: skip

    assert only(compare(runs)).verdict == "no difference shown"


def test_cross_validations_are_compared_fold_by_fold(make: Any) -> None:
    first = make.folds("a", [0.90, 0.92, 0.91, 0.93])
    second = make.folds("b", [0.80, 0.81, 0.81, 0.82], training={"epochs": 9})
    verdict = only(compare([first, second]))

    assert (verdict.first, verdict.verdict) == ("a", "better")
    assert verdict.estimate.test == "corrected resampled t-test"
    assert verdict.metric == "validation accuracy"


def test_several_comparisons_are_corrected(make: Any, answers: Answers) -> None:
    rights = {"a": 170, "b": 158, "c": 157}
    runs = [make.classifier(name, answers(right)) for name, right in rights.items()]
    verdicts = {verdict.second: verdict for verdict in compare(runs).verdicts}

    # Only one run is right in twelve and thirteen rows; there are three pairs.
    assert verdicts["b"].estimate.p == pytest.approx(2 / 2**12)
    assert verdicts["c"].adjusted == pytest.approx(3 * 2 / 2**13)
    assert verdicts["b"].adjusted == pytest.approx(2 * 2 / 2**12)
    assert "Holm over 3" in verdicts["b"].sentence()


def test_only_the_best_of_many_are_tested(make: Any, answers: Answers) -> None:
    runs = [make.classifier(f"run{n}", answers(n), training={"epochs": n + 1}) for n in range(25)]
    *tested, rest = compare(runs).verdicts

    assert len(tested) == TESTED - 1
    assert rest.sentence() == "run24 and 5 more are not tested: only the best 20 are"


OTHER_DATA = {"record": {"data_digest": "other"}}
OTHER_SPLIT = {"record": {"split_digest": "other"}}


@pytest.mark.parametrize(
    ("second", "reason"),
    {
        "data": (
            lambda make, answers: make.classifier("b", answers(9), **OTHER_DATA),
            "the data differ (data_digest)",
        ),
        "split": (
            lambda make, answers: make.classifier("b", answers(9), **OTHER_SPLIT),
            "the split differs: the rows held out are not the same (split_digest)",
        ),
        "kind": (
            lambda make, _: make.folds("b", [0.01, 0.02]),
            "one is cross-validated, the other is not",
        ),
        "metric": (
            lambda make, _: make.regression("b", [1.0]),
            "the metric differs: b reports mae, loss, not accuracy",
        ),
    }.values(),
)
def test_runs_that_cannot_be_compared(
    make: Any, answers: Answers, second: Callable[..., Facts], reason: str
) -> None:
    """No best value is marked then."""
    comparison = compare([make.classifier("a", answers(9)), second(make, answers)])

    assert (only(comparison).verdict, only(comparison).reason) == ("not comparable", reason)
    assert not comparison.is_comparable
    assert best(comparison, "test_accuracy") is None


def test_other_folds_are_not_comparable(make: Any) -> None:
    runs = [make.folds("a", [0.1, 0.2]), make.folds("b", [0.1, 0.2], **OTHER_SPLIT)]
    reason = "the split differs: the folds are not the same (split_digest)"

    assert only(compare(runs)).reason == reason


def test_comparable_runs_are_compared_even_if_others_are_not(make: Any, answers: Answers) -> None:
    runs = [
        make.classifier("other", answers(200), **OTHER_DATA),
        make.classifier("a", answers(190)),
        make.classifier("b", answers(150)),
    ]
    lines = [verdict.sentence() for verdict in compare(runs).verdicts]

    assert lines[0].startswith("a is better than b")
    assert lines[1] == "other and a, b are not comparable: the data differ (data_digest)"


@pytest.mark.parametrize("status", [layout.RUNNING, layout.FAILED, layout.INTERRUPTED])
def test_an_unfinished_run_comes_last_and_is_not_judged(
    make: Any, answers: Answers, status: str
) -> None:
    half = make.classifier("half", answers(199), status=status)
    empty = read(make.run("empty", {}, {}, status=layout.FAILED))
    runs = [half, make.classifier("a", answers(150)), make.classifier("b", answers(190)), empty]
    comparison = compare(runs)

    assert names(comparison) == ["b", "a", "half", "empty"]
    assert best(comparison, "test_accuracy") == 190 / 200
    assert column(comparison, "test_accuracy")[3] is None
    assert [verdict.second for verdict in comparison.verdicts] == ["a"]
    assert f"half is {status}, so it is not ranked" in sentences(comparison)


def test_folds_of_one_cross_validation_are_different_runs(make: Any, answers: Answers) -> None:
    """They have the same spec and seed, but other rows."""
    runs = [
        make.classifier("a", answers(150), record={"fold": n, "split_digest": str(n)})
        for n in (1, 2)
    ]

    assert compare(runs).repeated == ()
    assert only(compare(runs)).verdict == "not comparable"


def test_a_table_can_be_sorted_by_a_column(make: Any, answers: Answers) -> None:
    runs = [make.classifier("b", answers(190)), make.classifier("a", answers(150))]

    assert names(compare(runs, sort="name")) == ["a", "b"]
    assert names(compare(runs, sort="test_loss")) == ["b", "a"]
    other = make.classifier("c", answers(9), training={"epochs": 1})
    assert names(compare([*runs, other], sort="epochs"))[0] == "c"
    message = "--sort size: there is no such column; there is name, status"
    with pytest.raises(CommandError, match=message):
        compare(runs, sort="size")


def test_labels_are_unique(make: Any, answers: Answers) -> None:
    """`nnrun compare A/fold-1 B/fold-1` too."""
    runs = [make.classifier("a", answers(190), training={"epochs": n}) for n in (3, 4)]
    assert names(compare(runs)) == ["20260101-000000-a", "20260101-000001-a"]

    folds = []
    for run, whole in zip(runs, ("A", "B"), strict=True):
        path = run.run.path.parent / whole / "fold-1"
        path.parent.mkdir()
        folds.append(read(Run(run.run.path.rename(path))))
    assert set(names(compare(folds))) == {"A/fold-1", "B/fold-1"}


def with_auc(make: Any, name: str, right: Any, auc: float) -> Facts:
    run = make.classifier(name, right, training={"metrics": ["AUC"], "loss": "binary_crossentropy"})
    metrics = {"auc": auc, "loss": 1.0}
    return with_metrics(run, train=metrics, test=metrics)


def test_a_metric_without_a_value_per_row_is_tested_by_right_answers(
    make: Any, answers: Answers
) -> None:
    """If these contradict the metric, there is no verdict."""
    runs = [with_auc(make, "a", answers(190), 0.99), with_auc(make, "b", answers(150), 0.8)]
    assert compare(runs).metric == "auc"
    assert only(compare(runs)).verdict == "better"
    assert only(compare(runs)).metric == "test share of right answers"

    runs = [with_auc(make, "a", answers(150), 0.99), with_auc(make, "b", answers(190), 0.8)]
    reason = (
        "auc has no value per row, and the share of right answers ranks them the other way round"
    )
    assert (only(compare(runs)).verdict, only(compare(runs)).reason) == ("not tested", reason)


def test_a_loss_with_penalties_is_not_the_loss_of_the_predictions(
    make: Any, answers: Answers
) -> None:
    runs = [make.classifier("a", answers(190)), make.classifier("b", answers(150))]

    assert only(compare(runs, metric="loss")).metric == "test cross-entropy"


def test_seeds_and_a_run_with_another_metric(make: Any, answers: Answers) -> None:
    runs = seeds(make, "a", [answers(150), answers(151)])
    comparison = compare([*runs, make.regression("b", [1.0, 2.0])])

    assert column(comparison, "test_mae") == (None, 1.5)
    assert [formatted(comparison) for formatted in FORMATS.values()]


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04"])
def test_unreadable_predictions_only_prevent_the_test(
    make: Any, answers: Answers, content: bytes | None
) -> None:
    rights = {"a": 190, "b": 150, "c": 149}
    runs = [make.classifier(name, answers(right)) for name, right in rights.items()]
    path = runs[2].run.path / layout.PREDICTIONS
    path.unlink() if content is None else path.write_bytes(content)
    verdicts = {verdict.second: verdict for verdict in compare(runs).verdicts}

    assert verdicts["b"].verdict == "better"
    assert verdicts["c"].verdict == "not tested"
    reason = "is gone" if content is None else "was damaged or edited since the run wrote it"
    assert verdicts["c"].reason == f"{path}: {reason}"


def test_a_run_without_a_spec_has_no_keys(make: Any, answers: Answers) -> None:
    bare = make.classifier("bare", answers(150)).run
    record = bare.read_json(layout.RUN)
    files = {name: digest for name, digest in record["files"].items() if name != layout.SPEC}
    bare.write_record({**record, "files": files})
    comparison = compare([make.classifier("a", answers(190)), read(bare)])

    assert comparison.shared["training.epochs"] == 3
    assert "" not in [column.name for column in comparison.columns]


def test_each_of_several_test_sets_is_compared(make: Any, answers: Answers) -> None:
    """Its column, its verdict over its own rows, and the ranking by it."""
    sets = ("autumn", "winter")
    mixed = answers(190)[::-1]
    runs = [
        make.classifier("a", answers(150), sets),
        make.classifier("b", mixed, sets),
        make.classifier("c", answers(150)),
    ]
    comparison = compare(runs)
    verdicts = {
        verdict.test_set: verdict for verdict in comparison.verdicts if "c" not in verdict.second
    }

    assert names(comparison) == ["b", "a", "c"]
    assert column(comparison, "test_autumn_accuracy") == (0.9, 1.0, None)
    assert column(comparison, "test_winter_accuracy") == (1.0, 0.5, None)
    assert (
        verdicts["autumn"]
        .sentence()
        .startswith("on autumn: a is better than b: test autumn accuracy +0.1000")
    )
    assert (
        verdicts["winter"]
        .sentence()
        .startswith("on winter: b is better than a: test winter accuracy +0.5000")
    )
    ranked = compare(runs[:2], metric="test_autumn_accuracy")
    assert names(ranked) == ["a", "b"]
    assert only(ranked).estimate.effect == pytest.approx(0.1)
    with pytest.raises(CommandError, match="--metric test_spring_accuracy: no run reports it"):
        compare(runs, metric="test_spring_accuracy")


def test_seeds_are_compared_on_each_test_set(make: Any, answers: Answers) -> None:
    sets = ("autumn", "winter")
    runs = [
        make.classifier(name, answers(right + seed), sets, seed=seed, training={"epochs": epochs})
        for name, right, epochs in (("a", 110, 8), ("b", 150, 9))
        for seed in range(3)
    ]
    [verdict] = [verdict for verdict in compare(runs).verdicts if verdict.test_set == "winter"]

    assert verdict.verdict == "better"
    assert verdict.metric == "test winter accuracy"
