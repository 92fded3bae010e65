"""The stable code of every fault, and the rule that it stands for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """What a code stands for.

    Args:
        rule: what holds for every spec, in a sentence.
        reason: why.
        fix: what to do about it.
        symptom: what would be seen if it were trained all the same; for warnings.
    """

    rule: str
    reason: str = ""
    fix: str = ""
    symptom: str = ""


RULES = {
    "NN001": Rule("The file can be read, as UTF-8 text."),
    "NN002": Rule("The file is YAML, and every key in it is a word."),
    "NN003": Rule("The file holds something."),
    "NN004": Rule("The file holds one mapping."),
    "NN005": Rule("A key is written once."),
    "NN006": Rule("Values have no tags such as `!!python/object`."),
    "NN007": Rule("The file is of a sensible size and depth, aliases written out."),
    "NN008": Rule("`extends` names a file that can be read and does not lead back."),
    "NN009": Rule("`--set` names a place in the spec and gives it a value."),
    "NN101": Rule("Every key is known."),
    "NN102": Rule("Every key without a default is there."),
    "NN103": Rule("A value has the type that its key asks for."),
    "NN104": Rule("A layer is one of Keras's."),
    "NN105": Rule("An optimizer is one of Keras's."),
    "NN106": Rule("A loss is one of Keras's."),
    "NN107": Rule("A metric is one of Keras's."),
    "NN108": Rule("A callback is one of Keras's."),
    "NN109": Rule("The data set is a registered one."),
    "NN110": Rule("A number, or the length of a list, is within its range."),
    "NN111": Rule("A word is among the choices."),
    "NN112": Rule("A Keras argument is one that the class takes."),
    "NN113": Rule("A Keras argument without a default is there."),
    "NN114": Rule("A Keras argument has a value that the class accepts."),
    "NN115": Rule("A component is a name, or one name with its arguments."),
    "NN116": Rule("Files of a run stay in its folder."),
    "NN117": Rule(
        "An initializer, regularizer, constraint, activation or schedule is one of Keras's."
    ),
    "NN118": Rule("A prepare step is a known one."),
    "NN119": Rule("A gate compares a number that a run reports."),
    "NN120": Rule("The hold-out fits the data."),
    "NN121": Rule("The output of the model fits the labels."),
    "NN122": Rule("The loss fits the labels."),
    "NN123": Rule("A prepare step fits the data."),
    "NN124": Rule("The model can be built."),
    "NN125": Rule("A metric fits the labels, and what is monitored is reported."),
    "NN126": Rule("The folds fit the data."),
}

UNKNOWN = {
    "layers": "NN104",
    "optimizers": "NN105",
    "losses": "NN106",
    "metrics": "NN107",
    "callbacks": "NN108",
}
"""The code for an unknown name of a kind; `NN117` for the kinds not listed."""
