"""The stable code of every fault, and the rule that it stands for."""

from __future__ import annotations

RULES = {
    "NN001": "The file can be read, as UTF-8 text.",
    "NN002": "The file is YAML, and every key in it is a word.",
    "NN003": "The file holds something.",
    "NN004": "The file holds one mapping.",
    "NN005": "A key is written once.",
    "NN006": "Values have no tags such as `!!python/object`.",
    "NN007": "The file is of a sensible size and depth, aliases written out.",
    "NN008": "`extends` names a file that can be read and does not lead back.",
    "NN009": "`--set` names a place in the spec and gives it a value.",
    "NN101": "Every key is known.",
    "NN102": "Every key without a default is there.",
    "NN103": "A value has the type that its key asks for.",
    "NN104": "A layer is one of Keras's.",
    "NN105": "An optimizer is one of Keras's.",
    "NN106": "A loss is one of Keras's.",
    "NN107": "A metric is one of Keras's.",
    "NN108": "A callback is one of Keras's.",
    "NN109": "The data set is a registered one.",
    "NN110": "A number, or the length of a list, is within its range.",
    "NN111": "A word is among the choices.",
    "NN112": "A Keras argument is one that the class takes.",
    "NN113": "A Keras argument without a default is there.",
    "NN114": "A Keras argument has a value that the class accepts.",
    "NN115": "A component is a name, or one name with its arguments.",
    "NN116": "Files of a run stay in its folder.",
    "NN117": "An initializer, regularizer, constraint, activation or schedule is one of Keras's.",
    "NN118": "A prepare step is a known one.",
    "NN120": "The hold-out fits the data.",
    "NN121": "The output of the model fits the labels.",
    "NN122": "The loss fits the labels.",
    "NN123": "A prepare step fits the data.",
    "NN124": "The model can be built.",
    "NN125": "A metric fits the labels, and what is monitored is reported.",
    "NN126": "The folds fit the data.",
}

UNKNOWN = {
    "layers": "NN104",
    "optimizers": "NN105",
    "losses": "NN106",
    "metrics": "NN107",
    "callbacks": "NN108",
}
"""The code for an unknown name of a kind; `NN117` for the kinds not listed."""
