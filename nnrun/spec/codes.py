"""The stable code of each fault and warning, with the rule behind it: `nnrun explain`."""

from __future__ import annotations

from dataclasses import dataclass

_CLASSIFIER = "model:\n  - Flatten\n  - Dense: {units: 10, activation: softmax}"


@dataclass(frozen=True)
class Rule:
    """The rule behind a code.

    Args:
        rule: what holds for every spec, in a sentence.
        reason: why.
        fix: how to correct a spec.
        symptom: the effect on training; only for warnings.
        example: a part of a correct spec, as YAML from the top level.
    """

    rule: str
    reason: str = ""
    fix: str = ""
    symptom: str = ""
    example: str = ""


def _keras_name(noun: str, kind: str, names: str, example: str) -> Rule:
    return Rule(
        f"{noun} must be one of Keras's.",
        f"Names are those of Keras, in its capital and small letters, such as {names}.",
        f"Use the suggested name, or find it with `nnrun keys {kind}`.",
        example=example,
    )


# NN0xx: the text cannot be read as one spec.
READING = {
    "NN001": Rule(
        "The file must be readable UTF-8 text.",
        "The file does not exist, is a folder, may not be read, or has another encoding.",
        "Check the path and the working directory. Save a file in another encoding as UTF-8. "
        "`nnrun new my-net` writes a spec to start from.",
    ),
    "NN002": Rule(
        "The file must be YAML, and every key a word.",
        "The mistake is often just before the place shown: a missing space after a colon, an open "
        "bracket or quotation mark, a tab, or keys of a mapping in different columns.",
        "Indent with two spaces per level, put a space after each colon, and close brackets and "
        "quotation marks. Quote text with a colon, and keys that are numbers.",
        example='description: "Dense net: 64 units"\nmodel:\n  - Dense: {units: 10}',
    ),
    "NN003": Rule(
        "The file must not be empty.",
        "An empty file, or one with comments only, describes no experiment.",
        "`nnrun new my-net` writes a complete spec with a comment on every key.",
    ),
    "NN004": Rule(
        "The file must hold one mapping.",
        "A spec has keys and values. A list, a single word, or several documents separated by "
        "`---` have no keys.",
        "Begin top-level lines with a key and a colon, one experiment per file.",
        example=f"dataset: digits\n{_CLASSIFIER}",
    ),
    "NN005": Rule(
        "A key must not be written twice.",
        "YAML would silently keep the last value only.",
        "Delete one of the two. The message has the line of the first.",
    ),
    "NN006": Rule(
        "Values must not have tags such as `!!python/object`.",
        "Tags can make a YAML reader run code. A spec is plain text, so specs of others are safe.",
        "Remove the tag. Use quotes to make text of a number.",
        example='description: "64"',
    ),
    "NN007": Rule(
        "The file must have a reasonable size and depth, with aliases expanded.",
        "A few lines of nested aliases can expand to billions of values. No spec needs that many.",
        "Check that it is the right file and not the data. Write out aliases (`*name`) that are "
        "inside other aliases.",
    ),
    "NN008": Rule(
        "`extends` must name a readable spec, without a circle.",
        "The path is relative to this file, not to the working directory, so that specs can be "
        "moved to other machines; it cannot begin with `/` or `~`. Only specs are quoted in "
        "messages, because a spec of others could name a private file.",
        "Write the path from this file to the other one, which ends in .yaml or .yml; `..` is the "
        "parent folder. Only one file can be extended, and YAML's merge key (`<<`) is not "
        "supported.",
        example="extends: configs/digits.yaml",
    ),
    "NN009": Rule(
        "`--set` must name a place in the spec and its value.",
        "Keys are joined by dots, and list items count from 0. Only mappings can get new keys.",
        "Write KEY=VALUE, quoted for the shell if necessary: `--set training.epochs=5`, "
        "`--set model.0.Dense.units=32`, "
        "`--set 'training.optimizer={SGD: {learning_rate: 0.1}}'`.",
    ),
    "NN010": Rule(
        "A block must have layers, and each use must set its parameters.",
        "Each use of a block in the model is replaced by its layers, with `$name` replaced by the "
        "value of the parameter.",
        "Pass a list in the order of `parameters`, or a mapping by name. Names of blocks begin "
        "with a small letter, unlike those of Keras layers.",
        example="blocks:\n  dense:\n    parameters: [units, {rate: 0.5}]\n    layers:\n"
        "      - Dense: {units: $units, activation: relu}\n      - Dropout: $rate\nmodel:\n"
        "  - dense: 64\n  - dense: [32, 0.2]\n  - Dense: {units: 10, activation: softmax}",
    ),
}

# NN101 to NN119: a wrong key, name or value, independent of the data.
VALUES = {
    "NN101": Rule(
        "Every key must be known.",
        "An ignored misspelt key would silently leave its default in effect. Often the key is "
        "right but indented wrongly.",
        "Use the suggested key, or list the keys of a section: `nnrun keys training`.",
        example="training:\n  batch_size: 32",
    ),
    "NN102": Rule(
        "Every key without a default must be set.",
        "Dataset, model, optimizer, loss and epochs define the experiment and have no default.",
        "Add the key. `nnrun keys` shows required keys; `nnrun new my-net` writes them all.",
        example="training:\n  optimizer: adam\n  loss: mse\n  epochs: 20",
    ),
    "NN103": Rule(
        "A value must have the type of its key.",
        "Nothing is converted silently: '20' in quotes is text, 20.5 is not a number of epochs, "
        "and `yes` is a word, unlike `true`.",
        "Write numbers without quotes, whole numbers without a point, and `true` or `false`. "
        "Write lists in brackets, or one item per line after a dash.",
        example="training:\n  epochs: 20\n  shuffle: true\n  metrics: [accuracy]",
    ),
    "NN104": Rule(
        "A layer must be one of Keras's.",
        "Names are those of Keras, in its capital and small letters. `Input` is not needed, "
        "because the data defines the input; `Lambda` would need Python code.",
        "Use the suggested name, or find it with `nnrun keys layers`.",
        example=_CLASSIFIER,
    ),
    "NN105": _keras_name(
        "An optimizer",
        "optimizers",
        "Adam or RMSprop, or short forms such as adam",
        "training:\n  optimizer: {Adam: {learning_rate: 0.001}}",
    ),
    "NN106": _keras_name(
        "A loss",
        "losses",
        "MeanSquaredError, or short forms such as mse",
        "training:\n  loss: sparse_categorical_crossentropy",
    ),
    "NN107": _keras_name(
        "A metric",
        "metrics",
        "AUC, or short forms such as accuracy; the loss is always reported",
        "training:\n  metrics: [accuracy]",
    ),
    "NN108": _keras_name(
        "A callback",
        "callbacks",
        "EarlyStopping; LambdaCallback would need Python code",
        "training:\n  callbacks:\n    - EarlyStopping: {monitor: loss, patience: 3}",
    ),
    "NN109": Rule(
        "The dataset must be a registered one.",
        "A spec names a published dataset, or the format of user data: csv, parquet, npz, text or "
        "images.",
        "Use the suggested name, or find it with `nnrun keys datasets`. Set `path` for user data.",
        example="dataset:\n  name: digits",
    ),
    "NN110": Rule(
        "A number, or the length of a list, must be within its range.",
        "Zero epochs, a negative number of rows, or a model without layers cannot be trained.",
        "Use a number in the range shown.",
        example="training:\n  epochs: 20\n  batch_size: 32",
    ),
    "NN111": Rule(
        "A word must be one of the choices.",
        "The key takes one of a few words, or two keys exclude each other.",
        "Use one of the words shown; remove one of two keys that exclude each other.",
        example="validation:\n  holdout: {size: 0.2, take: random}",
    ),
    "NN112": Rule(
        "A Keras class must accept the argument.",
        "Arguments have Keras's names. Other libraries use different ones, and older versions of "
        "Keras had others, such as `lr`.",
        "Use the suggested argument, or list those of a class: `nnrun keys Dense`.",
        example="training:\n  optimizer: {Adam: {learning_rate: 0.001}}",
    ),
    "NN113": Rule(
        "A required Keras argument must be set.",
        "Some arguments have no default, such as the units of a layer. Layers such as "
        "Normalization must be fitted to data, for which there are prepare steps.",
        "Add the argument; a single value sets the first. `nnrun keys Dense` shows required "
        "arguments. Instead of Normalization use the step `standardize`.",
        example="model:\n  - Flatten\n  - Dense: 10",
    ),
    "NN114": Rule(
        "A Keras argument must have a valid value.",
        "Keras would fail, or train something else: a dropout rate of 50 is not a percentage.",
        "Use a value as shown in the message.",
        example="model:\n  - Flatten\n  - Dropout: 0.5\n  - Dense: 10",
    ),
    "NN115": Rule(
        "A component must be a name, or one name with its arguments.",
        "Two names under one dash are often two list items without a second dash, or arguments "
        "that are not indented below their name.",
        "Begin each layer with a dash, and put its arguments in braces.",
        example=_CLASSIFIER,
    ),
    "NN116": Rule(
        "Files of a run must stay in its folder.",
        "A run must not overwrite other files, and its folder must be complete.",
        "Use a file name, or a path inside the run folder.",
        example="training:\n  callbacks:\n    - CSVLogger: own.csv",
    ),
    "NN117": Rule(
        "An initializer, regularizer, constraint, activation or schedule must be one of Keras's.",
        "Names are those of Keras, such as HeNormal or L2, or short forms such as he_normal or "
        "relu.",
        "Use the suggested name, or find it with `nnrun keys activations`, `initializers`, "
        "`regularizers`, `constraints` or `schedules`.",
        example="model:\n  - Flatten\n"
        "  - Dense: {units: 10, activation: softmax, kernel_regularizer: {L2: 0.001}}",
    ),
    "NN118": Rule(
        "A prepare step must be a known one.",
        "There are few steps, because each is fitted on the training rows only and applied "
        "equally to all others.",
        "Use the suggested step, or find it with `nnrun keys steps`. A layer of the model can "
        "often do more.",
        example="dataset:\n  name: digits\n  prepare:\n    - rescale: 16\n    - flatten",
    ),
    "NN119": Rule(
        "A condition under `expect` must compare with a number.",
        "It is a comparison sign and a number, a range, or an exact number.",
        "Quote it, because `>` has a meaning in YAML. Sizes can have the unit kB, MB or GB.",
        example="expect:\n  test_accuracy: '>= 0.9'\n  test_loss: 0.1 to 0.5",
    ),
}

# NN12x: the spec does not fit the data.
FITTING = {
    "NN120": Rule(
        "The hold-out must fit the data.",
        "Both training and validation need rows, and with `stratify` rows of every class.",
        "Set `size` to a fraction. Remove `stratify` if labels are numbers, or if a class has a "
        "single row.",
        example="validation:\n  holdout: {size: 0.2}",
    ),
    "NN121": Rule(
        "The output of the model must fit the labels.",
        "The loss compares outputs and labels: one output per class, or one for a value or for "
        "two classes. Outputs with more dimensions must be flattened first.",
        "Set `units` of the last layer to the number of classes, with softmax; to 1 with sigmoid "
        "for two classes; to 1 without activation for a value. Put a `Flatten` or pooling layer "
        "before the last `Dense` if the output has more dimensions.",
        example=_CLASSIFIER,
    ),
    "NN122": Rule(
        "The loss must fit the labels.",
        "A crossentropy needs classes, and a loss for logits must not get the output of softmax "
        "or sigmoid.",
        "Use sparse_categorical_crossentropy for classes, binary_crossentropy for two classes and "
        "one unit, mse or mae for values. Set `from_logits: true` only if the last layer has no "
        "activation.",
        example="training:\n  loss: sparse_categorical_crossentropy",
    ),
    "NN123": Rule(
        "A prepare step must fit the data.",
        "Texts differ in length, but a model needs rows of one length. Every word index must be "
        "below the number of columns.",
        "Begin `prepare` with multi_hot, pad or vectorize for texts, and only for texts. Set "
        "`num_words` of the dataset to the columns of multi_hot, or to `input_dim` of the "
        "Embedding.",
        example="dataset:\n  name: imdb\n  num_words: 10000\n  prepare:\n    - multi_hot: 10000",
    ),
    "NN124": Rule(
        "Keras must be able to build the model.",
        "Each layer must accept the output shape of the layer before. The message quotes Keras "
        "on the first layer that does not.",
        "Follow the shapes from the data on. A `Conv2D` needs an axis of colours, so grey images "
        "need a `Reshape` before it; a `Dense` after it needs a `Flatten`.",
        example="model:\n  - Reshape: [8, 8, 1]\n  - Conv2D: {filters: 16, kernel_size: 3}\n"
        "  - Flatten\n  - Dense: {units: 10, activation: softmax}",
    ),
    "NN125": Rule(
        "A metric must fit the labels, and a monitored metric must be reported.",
        "Keras computes any metric, even a meaningless one that compares class numbers with "
        "one-hot columns. A callback with an unknown monitor never acts.",
        "`accuracy` fits all classes, mae fits values. To monitor `val_loss` hold out rows; to "
        "monitor `val_accuracy` also list `accuracy` as a metric.",
        example="training:\n  metrics: [accuracy]\n"
        "  callbacks:\n    - EarlyStopping: {monitor: val_loss, patience: 3}\n"
        "validation:\n  holdout: {size: 0.2}",
    ),
    "NN126": Rule(
        "The folds must fit the data.",
        "Each fold needs rows to train on and to validate: with `stratify` of every class, with "
        "`groups` whole groups.",
        "Use fewer folds. Use `stratify` only for classes, and a column of the table as `groups`.",
        example="validation:\n  kfold: {folds: 5, shuffle: true}",
    ),
    "NN127": Rule(
        "User data must exist and match the spec.",
        "A path is relative to the file of the spec, or with `--set` to the working directory. "
        "Images are in one folder per class, named like the class.",
        "Check the full path in the message. Remove `classes` if the folders exist.",
        example="dataset:\n  name: images\n  path: images\n  image_size: [64, 64]",
    ),
}

RULES: dict[str, Rule] = READING | VALUES | FITTING
"""Of faults, by code, in order."""

UNKNOWN = {
    "layers": "NN104",
    "optimizers": "NN105",
    "losses": "NN106",
    "metrics": "NN107",
    "callbacks": "NN108",
}
"""The code for an unknown name of a kind; NN117 for other kinds."""

LINT: dict[str, Rule] = {
    "NN201": Rule(
        "A loss for probabilities should get probabilities.",
        "The last layer has no softmax or sigmoid, so it outputs logits. The loss clips them to "
        "the range 0 to 1, where gradients vanish.",
        "Add `activation: softmax` (one unit: `sigmoid`) to the last layer, or set "
        "`loss: {SparseCategoricalCrossentropy: {from_logits: true}}`.",
        "The loss stays near its first value, 2.3026 (ln 10) with ten classes, and accuracy near "
        "chance, 0.10.",
    ),
    "NN202": Rule(
        "A categorical loss should get probabilities that sum to 1.",
        "Sigmoid gives each class an independent probability, but a categorical loss uses only "
        "that of the true class, or divides them by their sum.",
        "Use `activation: softmax` in the last layer.",
        "Training is slower and less accurate, and outputs are not class probabilities.",
    ),
    "NN203": Rule(
        "Pixels should be scaled before the first layer.",
        "Initial weights and learning rates suit inputs of about 1; pixels from 0 to 255 make the "
        "first activations and steps hundreds of times too large.",
        "Add `rescale: 255` to `dataset.prepare`, or begin the model with `Rescaling`.",
        "A high loss in the first epochs, an unsteady curve, lower final accuracy.",
    ),
    "NN204": Rule(
        "Columns of very different scale should be standardized.",
        "A column with values up to 700 dominates one with values up to 1.",
        "Add `standardize` to `dataset.prepare`; it is fitted on the training rows only.",
        "The loss falls slowly or becomes NaN; small columns have no effect.",
    ),
    "NN205": Rule(
        "There should be at least as many training rows as a batch has.",
        "With fewer, each epoch is a single step on part of a batch.",
        "Reduce `training.batch_size`, or hold out fewer rows.",
        "The loss hardly falls: an epoch is one step of the optimizer.",
    ),
    "NN206": Rule(
        "Training should include all validated classes.",
        "Data is often sorted by class; its last rows are then all of one class, which may be "
        "missing from training.",
        "Use `take: random` and `stratify: true`; for K-fold `shuffle: true` and `stratify: true`.",
        "Validation accuracy near 0 while training accuracy is high.",
    ),
    "NN207": Rule(
        "EarlyStopping should keep the best weights.",
        "It stops some epochs after the best one; without `restore_best_weights` the model keeps "
        "the weights of the last epoch.",
        "Write `EarlyStopping: {…, restore_best_weights: true}`.",
        "The saved model is worse than the best epoch of the history.",
    ),
    "NN208": Rule(
        "The patience of a callback should be shorter than the training.",
        "Otherwise it never acts; only EarlyStopping with `restore_best_weights: true` still "
        "restores weights at the end.",
        "Reduce `patience` below `training.epochs`, or train longer.",
        "All epochs are trained as if the callback were absent.",
    ),
    "NN209": Rule(
        "A callback should have the right mode for its metric.",
        "`mode: min` prefers low values and `mode: max` high ones; a loss is better when low, an "
        "accuracy when high.",
        "Remove `mode`: Keras infers it from the metric.",
        "It stops at, or keeps, the worst epoch.",
    ),
    "NN210": Rule(
        "There should be an activation between two dense layers.",
        "Without one, two linear layers are equivalent to one.",
        "Give the first an activation, such as `Dense: {units: 64, activation: relu}`.",
        "The model is no better than with one layer, but has more parameters.",
    ),
    "NN211": Rule(
        "Hidden layers should not be far narrower than the number of classes.",
        "Information lost in a narrow layer cannot be recovered later.",
        "Use at least as many units as classes; the warning is for four or more classes per unit.",
        "Training and validation accuracy both stop rising early, at a low value.",
    ),
    "NN212": Rule(
        "The learning rate should be in the usual range.",
        "Steps are too large from about 0.1 for Adam, RMSprop and similar, from about 2 for SGD; "
        "at 0 nothing is learnt, and below 0 the loss rises.",
        "Remove the learning rate, or begin with 0.001 (SGD: 0.01).",
        "The loss jumps, becomes NaN, or stays at that of a constant output.",
    ),
    "NN213": Rule(
        "There should be validation rows.",
        "Without them over-fitting is invisible, and choosing epochs or layers by the test rows "
        "leaves no rows for an unbiased test.",
        "Add `validation: {holdout: {size: 0.2}}`, or a `kfold`.",
        "The chosen model looks better than it will be on new data.",
    ),
    "NN214": Rule(
        "Prepare steps should be fitted on training rows only.",
        "`standardize: {fit: all}` computes its means from the validation rows too.",
        "Remove `fit: all`.",
        "Validation looks slightly better than it is.",
    ),
    "NN215": Rule(
        "BatchNormalization should get more than one row per batch.",
        "It subtracts the batch mean; the mean of one row is the row itself.",
        "Use a `batch_size` of 16 or more, or `LayerNormalization`.",
        "All rows look alike after the layer; training and validation disagree.",
    ),
    "NN216": Rule(
        "The output should be able to take all target values.",
        "Sigmoid and tanh are limited to 1, and softmax over one unit is always 1; a price is not.",
        "Remove the activation of the last layer.",
        "The error stays high from the first epoch on.",
    ),
    "NN217": Rule(
        "Exclusive classes should have a categorical loss.",
        "`binary_crossentropy` treats each class independently, and for nine of ten classes the "
        "easy answer is no.",
        "Use `categorical_crossentropy` or `sparse_categorical_crossentropy` with softmax.",
        "A small loss, but a model that learns slowly.",
    ),
    "NN218": Rule(
        "A metric with thresholds should get probabilities.",
        "Precision, Recall, AUC and similar compare the output with thresholds from 0 to 1, but "
        "logits have any value.",
        "End the model with `sigmoid` and remove `from_logits`; AUC accepts `from_logits: true`.",
        "Values that contradict `accuracy`.",
    ),
    "NN219": Rule(
        "There should be no dropout after the output.",
        "It sets part of the outputs to 0 during training.",
        "Move `Dropout` before the last `Dense`.",
        "A high, unsteady training loss, far above the validation loss.",
    ),
    "NN220": Rule(
        "Callbacks should monitor validation metrics if there are validation rows.",
        "The training loss keeps falling while a model over-fits.",
        "Monitor `val_loss`.",
        "EarlyStopping acts too late or never; ModelCheckpoint keeps an over-fitted model.",
    ),
    "NN221": Rule(
        "Rows should not be in more than one of training, validation and test.",
        "A model predicts the rows that it was trained on too well.",
        "Remove duplicate rows; in K-fold `groups` keeps rows together.",
        "Validation or test looks better than it will be on new data.",
    ),
    "NN222": Rule(
        "Every column of a table should vary.",
        "A constant column has no information.",
        "Leave the column out.",
        "None, apart from a few unnecessary weights.",
    ),
    "NN223": Rule(
        "No class should dominate.",
        "If nine of ten rows are of one class, always predicting it has an accuracy of 0.9.",
        "Look at precision and recall in `classification_report.json`.",
        "A high accuracy of a model that has learnt nothing.",
    ),
    "NN224": Rule(
        "A condition under `expect` should be possible to meet.",
        "A plain number requires equality, which a metric with many decimals hardly ever has; and "
        "an accuracy is a fraction between 0 and 1, not a percentage.",
        "Write a comparison or a range, such as `test_accuracy: '>= 0.9'`.",
        "Every run ends with exit code 3.",
    ),
    "NN225": Rule(
        "A spec should not send metrics to another machine unnoticed.",
        "RemoteMonitor sends the metrics of every epoch to an address in the spec, which others "
        "may have written.",
        "Remove `RemoteMonitor`, or use this machine, `http://localhost:9000`.",
        "None here; another machine can follow the training.",
    ),
    "NN226": Rule(
        "Every training stage should begin.",
        "Training ends after `training.epochs`, even before the last stage.",
        "Remove `training.epochs`, or set it to the sum of the stages.",
        "Layers for a later stage stay untrained.",
    ),
    "NN227": Rule(
        "A pretrained network should get unscaled pixels.",
        "`Application` expects pixels from 0 to 255 and scales them itself; scaled pixels are "
        "nearly black to it.",
        "Remove `rescale`, `standardize` or `Rescaling`, or set `preprocess: false`.",
        "A network with `imagenet` weights no better than chance.",
    ),
    "NN228": Rule(
        "The data should exist before training.",
        "With `classes`, a spec of images can be checked, built and tried with `--synthetic` rows "
        "on any machine; training needs the images.",
        "Create the folder, or set `dataset.path`.",
        "`nnrun train` ends at once.",
    ),
}
"""Of warnings, by code, in order."""

ALL: dict[str, Rule] = RULES | LINT
