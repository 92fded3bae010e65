"""NN101 to NN119: a key, a name or a value that cannot be right, whatever the data."""

from __future__ import annotations

from nnrun.spec.rule import Rule

VALUES = {
    "NN101": Rule(
        "Every key is known.",
        reason="A misspelt key that is passed over leaves its default in force, and nobody notices. "
        "So nothing that nnrun does not know is ignored. Often a right key is only indented "
        "wrongly, and so stands in the wrong mapping.",
        fix="Take the key that is suggested, or look up those of a part: `nnrun keys training`.",
        example="training:\n  batch_size: 32",
    ),
    "NN102": Rule(
        "Every key without a default is there.",
        reason="Data, model, optimizer, loss and epochs are the experiment; nobody can guess them.",
        fix="Add the key. `nnrun keys` says which keys are needed, `nnrun new my-net` writes a spec "
        "that has them all.",
        example="training:\n  optimizer: adam\n  loss: mse\n  epochs: 20",
    ),
    "NN103": Rule(
        "A value has the type that its key asks for.",
        reason="Nothing is converted in silence: '20' in quotes is text, 20.5 is no number of "
        "epochs, and `yes` is a word, while `true` is true.",
        fix="Write numbers without quotes, whole numbers without a point, and `true` or `false`. "
        "Items of a list stand in brackets or on lines that begin with a dash.",
        example="training:\n  epochs: 20\n  shuffle: true\n  metrics: [accuracy]",
    ),
    "NN104": Rule(
        "A layer is one of Keras's.",
        reason="Layers have Keras's own names, small and capital letters included. `Input` is not "
        "needed, because the data says what comes in; `Lambda` would need Python code.",
        fix="Take the name that is suggested, or look for it in `nnrun keys layers`.",
        example="model:\n  - Flatten\n  - Dense: {units: 10, activation: softmax}",
    ),
    "NN105": Rule(
        "An optimizer is one of Keras's.",
        reason="Optimizers have Keras's own names, such as Adam or RMSprop, or the short words that "
        "Keras takes for them, such as adam.",
        fix="Take the name that is suggested, or look for it in `nnrun keys optimizers`.",
        example="training:\n  optimizer: {Adam: {learning_rate: 0.001}}",
    ),
    "NN106": Rule(
        "A loss is one of Keras's.",
        reason="Losses have Keras's own names, such as MeanSquaredError, or the short words that "
        "Keras takes for them, such as mse.",
        fix="Take the name that is suggested, or look for it in `nnrun keys losses`.",
        example="training:\n  loss: sparse_categorical_crossentropy",
    ),
    "NN107": Rule(
        "A metric is one of Keras's.",
        reason="Metrics have Keras's own names, such as AUC, or the short words that Keras takes "
        "for them, such as accuracy or mae. The loss is always reported and need not be named.",
        fix="Take the name that is suggested, or look for it in `nnrun keys metrics`.",
        example="training:\n  metrics: [accuracy]",
    ),
    "NN108": Rule(
        "A callback is one of Keras's.",
        reason="Callbacks have Keras's own names. One that needs a Python function, such as "
        "LambdaCallback, cannot be written in YAML.",
        fix="Take the name that is suggested, or look for it in `nnrun keys callbacks`.",
        example="training:\n  callbacks:\n    - EarlyStopping: {monitor: loss, patience: 3}",
    ),
    "NN109": Rule(
        "The data set is a registered one.",
        reason="A spec names one of the data sets that nnrun can load, or the kind of a file of your own: "
        "csv, parquet, npz, text or images.",
        fix="Take the name that is suggested, or look for it in `nnrun keys datasets`. For a file of your "
        "own say where it is in `path`.",
        example="dataset:\n  name: digits",
    ),
    "NN110": Rule(
        "A number, or the length of a list, is within its range.",
        reason="No epoch, a negative number of rows, or a model without a layer would train nothing, "
        "or would stop Keras in the middle of its work.",
        fix="Take a number within the range that the message names.",
        example="training:\n  epochs: 20\n  batch_size: 32",
    ),
    "NN111": Rule(
        "A word is among the choices.",
        reason="The key takes one of a few words, or some keys exclude each other: one of the two "
        "would be passed over in silence.",
        fix="Take one of the words that the message lists; of two keys that exclude each other, "
        "leave one out.",
        example="validation:\n  holdout: {size: 0.2, take: random}",
    ),
    "NN112": Rule(
        "A Keras argument is one that the class takes.",
        reason="Arguments have Keras's own names. Other libraries call some of them differently, and "
        "some names of Keras have changed over the years, such as `lr`.",
        fix="Take the argument that is suggested, or look up those of a name: `nnrun keys Dense`.",
        example="training:\n  optimizer: {Adam: {learning_rate: 0.001}}",
    ),
    "NN113": Rule(
        "A Keras argument without a default is there.",
        reason="Keras cannot guess how many units a layer has. A layer such as Normalization would "
        "have to be fitted to the data first, which nnrun leaves to the prepare steps.",
        fix="Add the argument; a lone value is taken for the first. `nnrun keys Dense` says which "
        "are needed. Instead of Normalization use the step `standardize`.",
        example="model:\n  - Flatten\n  - Dense: 10",
    ),
    "NN114": Rule(
        "A Keras argument has a value that the class accepts.",
        reason="Such a value would stop Keras with a message of its own, or worse, train something "
        "else: a dropout rate of 50 is no percentage.",
        fix="Take a value as the message says.",
        example="model:\n  - Flatten\n  - Dropout: 0.5\n  - Dense: 10",
    ),
    "NN115": Rule(
        "A component is a name, or one name with its arguments.",
        reason="Two names under one dash are often two list items of which the second has lost its "
        "dash, or arguments that are not indented below their name.",
        fix="Give each layer a dash of its own, and put its arguments in braces.",
        example="model:\n  - Flatten\n  - Dense: {units: 10, activation: softmax}",
    ),
    "NN116": Rule(
        "Files of a run stay in its folder.",
        reason="A run must not write over what is elsewhere, least of all over another run, and the "
        "folder must hold all that belongs to the run.",
        fix="Name the file alone, or a path inside the run folder.",
        example="training:\n  callbacks:\n    - CSVLogger: own.csv",
    ),
    "NN117": Rule(
        "An initializer, regularizer, constraint, activation or schedule is one of Keras's.",
        reason="They have Keras's own names, such as HeNormal or L2, or the short words that Keras "
        "takes for them, such as he_normal or relu.",
        fix="Take the name that is suggested, or look for it in `nnrun keys activations`, "
        "`initializers`, `regularizers`, `constraints` or `schedules`.",
        example="model:\n  - Flatten\n"
        "  - Dense: {units: 10, activation: softmax, kernel_regularizer: {L2: 0.001}}",
    ),
    "NN118": Rule(
        "A prepare step is a known one.",
        reason="The steps are few, because each has to be fitted on the training rows alone and be "
        "repeated in the same way on all others.",
        fix="Take the step that is suggested, or look for it in `nnrun keys steps`. More can often be "
        "done by a layer of the model.",
        example="dataset:\n  name: digits\n  prepare:\n    - rescale: 16\n    - flatten",
    ),
    "NN119": Rule(
        "A gate compares a number that a run reports.",
        reason="A gate under `expect` is a sign and a number, a range, or a number to equal. Anything "
        "else could never hold, and a gate that is always open or always shut guards nothing.",
        fix="Write it in quotes, because `>` by itself means something else in YAML. A size may have "
        "kB, MB or GB after it.",
        example="expect:\n  test_accuracy: '>= 0.9'\n  test_loss: 0.1 to 0.5",
    ),
}
"""By code, in order."""
