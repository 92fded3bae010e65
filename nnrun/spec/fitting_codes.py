"""NN12x: the spec is right in itself, but does not fit the data."""

from __future__ import annotations

from nnrun.spec.rule import Rule

FITTING = {
    "NN120": Rule(
        "The hold-out fits the data.",
        reason="Some rows must be left to train on, and at least one must be held out. With "
        "`stratify` every class needs rows on both sides.",
        fix="Give `size` as a fraction, which fits a data set of any size. Leave out `stratify` "
        "where the labels are numbers, or where a class has a single row.",
        example="validation:\n  holdout: {size: 0.2}",
    ),
    "NN121": Rule(
        "The output of the model fits the labels.",
        reason="The loss compares what the model puts out with the label, number by number. So a "
        "row of output is as wide as there are classes, or 1 for a value or for two classes; "
        "pictures, or rows of words, have to be laid out flat before.",
        fix="Give the last layer as many `units` as there are classes, with softmax; for two "
        "classes one unit with sigmoid; for a value one unit without activation. Where the output "
        "has more dimensions, put a `Flatten` or a pooling layer before the last `Dense`.",
        example="model:\n  - Flatten\n  - Dense: {units: 10, activation: softmax}",
    ),
    "NN122": Rule(
        "The loss fits the labels.",
        reason="A crossentropy needs classes, so it says nothing of prices; and a loss that expects "
        "logits must not get what softmax or sigmoid has already squashed.",
        fix="For classes take sparse_categorical_crossentropy, for two classes and one unit "
        "binary_crossentropy, for values mse or mae. Use `from_logits: true` only where the last "
        "layer has no activation.",
        example="training:\n  loss: sparse_categorical_crossentropy",
    ),
    "NN123": Rule(
        "A prepare step fits the data.",
        reason="Texts come as rows of different length, and a model needs rows of one length. Steps "
        "that lay words out need words, each with a number below the number of columns.",
        fix="Begin the `prepare` of a text with multi_hot or pad, and of nothing else. Set "
        "`num_words` of the data set to the same number as the columns of multi_hot, or as "
        "`input_dim` of the Embedding.",
        example="dataset:\n  name: imdb\n  num_words: 10000\n  prepare:\n    - multi_hot: 10000",
    ),
    "NN124": Rule(
        "The model can be built.",
        reason="Each layer takes rows of the shape that the layer before puts out. The message holds "
        "what Keras says of the first layer that does not fit.",
        fix="Follow the shapes from the data down. A `Conv2D` needs pictures with an axis for "
        "colours, so grey ones get a `Reshape` first; a `Dense` after it needs a `Flatten`.",
        example="model:\n  - Reshape: [8, 8, 1]\n  - Conv2D: {filters: 16, kernel_size: 3}\n"
        "  - Flatten\n  - Dense: {units: 10, activation: softmax}",
    ),
    "NN125": Rule(
        "A metric fits the labels, and what is monitored is reported.",
        reason="Keras computes a number for any metric, also for one that compares class numbers "
        "with columns, and such a number means nothing. A callback that watches what nobody "
        "reports never does anything.",
        fix="`accuracy` fits all classes, mae fits values. To watch `val_loss` hold out some rows; to "
        "watch `val_accuracy` have `accuracy` among the metrics as well.",
        example="training:\n  metrics: [accuracy]\n"
        "  callbacks:\n    - EarlyStopping: {monitor: val_loss, patience: 3}\n"
        "validation:\n  holdout: {size: 0.2}",
    ),
    "NN126": Rule(
        "The folds fit the data.",
        reason="Each fold needs rows to validate and rows to train on; with `stratify` each class, "
        "and with `groups` each part, needs enough of its own.",
        fix="Ask for fewer folds. Use `stratify` with classes only, and for `groups` name a column of "
        "the table.",
        example="validation:\n  kfold: {folds: 5, shuffle: true}",
    ),
    "NN127": Rule(
        "Your own data are where the spec says, and what it says.",
        reason="A path is relative to the file in which it stands, wherever nnrun is started; one "
        "given with `--set` is relative to the folder where that is typed. Pictures lie in a folder "
        "for each class, and the folder's name is the class's.",
        fix="Look at the whole path in the message. Leave `classes` out where the folders are there.",
        example="dataset:\n  name: images\n  path: pictures\n  image_size: [64, 64]",
    ),
}
"""By code, in order."""
