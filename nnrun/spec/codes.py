"""The stable code of every fault, and the rule that it stands for."""

from __future__ import annotations

from dataclasses import dataclass

# What a code stands for.


@dataclass(frozen=True)
class Rule:
    """What a code stands for.

    Args:
        rule: what holds for every spec, in a sentence.
        reason: why.
        fix: what to do about it.
        symptom: what would be seen if it were trained all the same; for warnings.
        example: a piece of a spec that keeps the rule, as YAML from the top level on.
    """

    rule: str
    reason: str = ""
    fix: str = ""
    symptom: str = ""
    example: str = ""


# NN0xx: the text cannot be read as one spec.

READING = {
    "NN001": Rule(
        "The file can be read, as UTF-8 text.",
        reason="There is no such file, it is a folder, you may not read it, or it was saved in "
        "another encoding than UTF-8, in which letters such as ä look different.",
        fix="Look at the path and at the folder you are in. Where it is the encoding, save the file "
        "anew as UTF-8; every editor can. `nnrun new my-net` writes a spec to start from.",
    ),
    "NN002": Rule(
        "The file is YAML, and every key in it is a word.",
        reason="The place shown is the first that cannot be read; often the mistake is just before "
        "it: a missing space after a colon, a bracket or a quotation mark that is not closed, a "
        "tab, or lines of one mapping that do not begin in the same column.",
        fix="Indent with spaces, two per level. Write a space after each colon, and close what you "
        "open. Text that holds a colon goes in quotes; so does a key that is a number.",
        example='description: "Dense net: 64 units"\nmodel:\n  - Dense: {units: 10}',
    ),
    "NN003": Rule(
        "The file holds something.",
        reason="An empty file, or one of comments only, describes no experiment.",
        fix="`nnrun new my-net` writes a whole spec that trains, with a comment on every key.",
    ),
    "NN004": Rule(
        "The file holds one mapping.",
        reason="A spec is keys with their values. A list, a single word, or several documents with "
        "`---` between them have no keys to look for.",
        fix="Begin the lines of the top level with a key and a colon, and keep one experiment in "
        "one file.",
        example="dataset: digits\nmodel:\n  - Flatten\n  - Dense: {units: 10, activation: softmax}",
    ),
    "NN005": Rule(
        "A key is written once.",
        reason="YAML would keep the last value and forget the first without a word; whoever reads "
        "the file from the top would believe the first.",
        fix="Delete one of the two. The message names the line of the first.",
    ),
    "NN006": Rule(
        "Values have no tags such as `!!python/object`.",
        reason="Tags can make a reader of YAML run code that the file holds. A spec is only text, "
        "so a spec of a stranger can be read without danger.",
        fix="Leave the tag out; the value alone is enough. To have a number taken as text, put it "
        "in quotes.",
        example='description: "64"',
    ),
    "NN007": Rule(
        "The file is of a sensible size and depth, aliases written out.",
        reason="A few lines of aliases that name each other can grow to billions of values and fill "
        "the memory. No spec comes near these limits.",
        fix="Look whether it is the right file: perhaps you gave the data. Aliases (`*name`) inside "
        "aliases are the other cause; write the values out.",
    ),
    "NN008": Rule(
        "`extends` names a file that can be read and does not lead back.",
        reason="The other file is looked for beside this one, not in the folder that you are in. "
        "Two files that extend each other have no beginning. A path that begins at `/` or `~` is one "
        "of this machine, and a spec is carried to others. Of a file that is no spec nothing is shown, "
        "because a spec may be a stranger's and the file a person's.",
        fix="Write the path as it leads from this file to the other, which ends in .yaml or .yml; "
        "`..` is the folder above. There is one file, not a list "
        "of them. YAML's own merge key (`<<`) is not used here.",
        example="extends: configs/digits.yaml",
    ),
    "NN009": Rule(
        "`--set` names a place in the spec and gives it a value.",
        reason="The keys of a place are joined by dots, and a list counts its items from 0. What is "
        "not there cannot be changed: a single value has no keys, and a list has only its items.",
        fix="Write KEY=VALUE, with quotes around both where the shell would take them for its own: "
        "`--set training.epochs=5`, `--set model.0.Dense.units=32`, "
        "`--set 'training.optimizer={SGD: {learning_rate: 0.1}}'`.",
    ),
    "NN010": Rule(
        "A block has layers and parameters, and each use hands over what it takes.",
        reason="The layers of a block are written out wherever the model uses it, `$name` being what "
        "was handed over under that name; what does not fit would leave a hole in the model.",
        fix="Hand over a list in the order of `parameters`, or a mapping by their names. A block has "
        "a name in small letters, which no layer of Keras's has.",
        example="blocks:\n  dense:\n    parameters: [units, {rate: 0.5}]\n    layers:\n"
        "      - Dense: {units: $units, activation: relu}\n      - Dropout: $rate\nmodel:\n"
        "  - dense: 64\n  - dense: [32, 0.2]\n  - Dense: {units: 10, activation: softmax}",
    ),
}
"""By code, in order."""


# NN101 to NN119: a key, a name or a value that cannot be right, whatever the data.

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


# NN12x: the spec is right in itself, but does not fit the data.

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


RULES: dict[str, Rule] = READING | VALUES | FITTING
"""By code, in order."""

UNKNOWN = {
    "layers": "NN104",
    "optimizers": "NN105",
    "losses": "NN106",
    "metrics": "NN107",
    "callbacks": "NN108",
}
"""The code for an unknown name of a kind; `NN117` for the kinds not listed."""


# The stable code of every warning, and what is behind it.

LINT: dict[str, Rule] = {
    "NN201": Rule(
        rule="A loss that expects probabilities gets probabilities.",
        reason="The last layer has no softmax or sigmoid, so it puts out logits: any numbers, not "
        "probabilities. The loss cuts them to the range 0 to 1, and where it cuts there is no slope "
        "to learn by.",
        symptom="The loss hardly moves from its first value, 2.3026 (ln 10) with ten classes, and "
        "accuracy stays near that of guessing, 0.10.",
        fix="Add `activation: softmax` (one unit: `sigmoid`) to the last layer, or tell the loss: "
        "`loss: {SparseCategoricalCrossentropy: {from_logits: true}}`.",
    ),
    "NN202": Rule(
        rule="A categorical loss gets probabilities that add up to 1.",
        reason="Sigmoid gives each class a probability of its own, and a categorical loss looks "
        "only at that of the true class, or at all of them divided by their sum.",
        symptom="It learns, but slowly and worse, and the outputs are no probabilities of classes.",
        fix="Use `activation: softmax` in the last layer.",
    ),
    "NN203": Rule(
        rule="Pixels are scaled before they reach the first layer.",
        reason="Weights begin near 0 and learning rates are made for inputs of about 1; pixels from "
        "0 to 255 make the first activations, and the first steps, hundreds of times too large.",
        symptom="A high loss in the first epochs, a restless curve, worse accuracy in the end.",
        fix="Add `rescale: 255` to `dataset.prepare`, or begin the model with `Rescaling`.",
    ),
    "NN204": Rule(
        rule="Columns of very different size are standardised.",
        reason="A column that runs to 700 outweighs one that runs to 1, whatever it has to say.",
        symptom="The loss falls slowly, or becomes NaN; small columns are as good as left out.",
        fix="Add `standardize` to `dataset.prepare`; it learns from the training rows only.",
    ),
    "NN205": Rule(
        rule="There are at least as many training rows as a batch has.",
        reason="With fewer, each epoch is a single step on a part of a batch.",
        symptom="The loss hardly falls: an epoch is one step of the optimizer.",
        fix="Make `training.batch_size` smaller, or hold out fewer rows.",
    ),
    "NN206": Rule(
        rule="A model is validated on classes that it has seen in training.",
        reason="Data is often stored class by class; its last rows are then all of one class, "
        "and none of them may be left to train on.",
        symptom="Validation accuracy near 0 while training accuracy is high.",
        fix="Use `take: random` and `stratify: true`, in a K-fold `shuffle: true` and "
        "`stratify: true`.",
    ),
    "NN207": Rule(
        rule="EarlyStopping keeps the best weights.",
        reason="It stops some epochs after the best one, and without `restore_best_weights` the "
        "model keeps the weights of the last.",
        symptom="The saved model is worse than the best line of the history.",
        fix="Write `EarlyStopping: {…, restore_best_weights: true}`.",
    ),
    "NN208": Rule(
        rule="A callback that waits has enough epochs to wait.",
        reason="With a patience as long as the training it can never act; only EarlyStopping with "
        "`restore_best_weights: true` does something at the end all the same.",
        symptom="All epochs are trained as if the callback were not there.",
        fix="Make `patience` smaller than `training.epochs`, or train for longer.",
    ),
    "NN209": Rule(
        rule="A callback looks for the better end of a metric.",
        reason="`mode: min` looks for low values and `mode: max` for high ones; a loss is better "
        "when low, an accuracy when high.",
        symptom="It stops at, or keeps, the worst epoch.",
        fix="Leave `mode` out: Keras then knows by the name of the metric.",
    ),
    "NN210": Rule(
        rule="Between two dense layers there is an activation.",
        reason="Without one, two linear layers are together no more than one.",
        symptom="The model does no better than with one of the two, and has more parameters.",
        fix="Give the first an activation, such as `Dense: {units: 64, activation: relu}`.",
    ),
    "NN211": Rule(
        rule="No hidden layer is far narrower than the number of classes.",
        reason="What a layer has no room for cannot be told apart any more behind it.",
        symptom="Training and validation accuracy both stop rising early, at a low value.",
        fix="Give hidden layers at least as many units as there are classes; a warning comes where there "
        "are four classes and more to a unit.",
    ),
    "NN212": Rule(
        rule="The learning rate is of a usual size.",
        reason="From about 0.1 on, the steps of Adam, RMSprop and their kind leap over every minimum, "
        "from about 2 on those of SGD; at 0 nothing is learnt, and below it the loss is raised.",
        symptom="The loss jumps, becomes NaN, or stays where a constant answer would be.",
        fix="Leave the learning rate out, or begin with 0.001 (SGD: 0.01).",
    ),
    "NN213": Rule(
        rule="Some training rows validate.",
        reason="Without them over-fitting cannot be seen, and whoever chooses epochs or layers by "
        "the test rows has no rows left to test on.",
        symptom="The choice looks better than it will be on new data.",
        fix="Add `validation: {holdout: {size: 0.2}}`, or a `kfold`.",
    ),
    "NN214": Rule(
        rule="What a prepare step learns, it learns from rows that train.",
        reason="`standardize: {fit: all}` takes its means from the rows that validate, too.",
        symptom="Validation looks a little better than it is.",
        fix="Leave `fit: all` out.",
    ),
    "NN215": Rule(
        rule="BatchNormalization sees more than one row at a time.",
        reason="It subtracts the mean of the batch; the mean of one row is that row.",
        symptom="Every row looks alike behind the layer; training and validation do not agree.",
        fix="Use a `batch_size` of 16 or more, or `LayerNormalization`.",
    ),
    "NN216": Rule(
        rule="The output can reach every value that it is to predict.",
        reason="Sigmoid and tanh end at 1, softmax over one unit is always 1; a price does not.",
        symptom="The error stays high from the first epoch on.",
        fix="Leave the activation of the last layer out.",
    ),
    "NN217": Rule(
        rule="Exclusive classes have a categorical loss.",
        reason="`binary_crossentropy` asks of each class by itself whether it is the one, and nine "
        "of ten such questions have the easy answer no.",
        symptom="A loss that looks small, and a model that learns slowly.",
        fix="Use `categorical_crossentropy` or `sparse_categorical_crossentropy` with softmax.",
    ),
    "NN218": Rule(
        rule="A metric with thresholds gets probabilities.",
        reason="Precision, Recall, AUC and their kind compare the output with thresholds from 0 "
        "to 1; logits run from below 0 to far above 1.",
        symptom="Values that do not fit those of `accuracy`.",
        fix="End the model with `sigmoid` and leave `from_logits` out; AUC takes "
        "`from_logits: true`.",
    ),
    "NN219": Rule(
        rule="No dropout behind the output.",
        reason="It sets a part of the answers to 0 while training.",
        symptom="A training loss that stays high and restless, far above the validation loss.",
        fix="Move `Dropout` in front of the last `Dense`.",
    ),
    "NN220": Rule(
        rule="Where rows validate, callbacks look at them.",
        reason="A training loss falls for as long as a model learns its rows by heart.",
        symptom="EarlyStopping comes too late or never; ModelCheckpoint keeps an over-fitted model.",
        fix="Monitor `val_loss`.",
    ),
    "NN221": Rule(
        rule="No row is both learnt and tested.",
        reason="A model has an easy answer to a row that it has seen.",
        symptom="Validation or test looks better than it will be on new data.",
        fix="Remove the repeated rows; in a K-fold `groups` keeps rows together.",
    ),
    "NN222": Rule(
        rule="Every column of a table varies.",
        reason="A column with one value says nothing.",
        symptom="None but a few weights too many.",
        fix="Leave the column out.",
    ),
    "NN223": Rule(
        rule="No class outweighs all others.",
        reason="Where nine of ten rows are of one class, always naming it is right nine times.",
        symptom="A high accuracy of a model that has learnt nothing.",
        fix="Look at precision and recall in `classification_report.json`.",
    ),
    "NN224": Rule(
        rule="A gate can be met.",
        reason="A number alone asks for equality, which a metric with many decimals hardly ever has; "
        "and an accuracy is a share between 0 and 1, not a percentage.",
        symptom="Every run ends with exit code 3.",
        fix="Write a comparison or a range, such as `test_accuracy: '>= 0.9'`.",
    ),
    "NN225": Rule(
        rule="Whoever trains a spec knows to whom it tells.",
        reason="RemoteMonitor sends the metrics of every epoch to the address that the spec names, "
        "and a spec may come from somebody else.",
        symptom="None here; another machine learns how the training goes.",
        fix="Leave `RemoteMonitor` out, or have it tell this machine, `http://localhost:9000`.",
    ),
    "NN226": Rule(
        rule="Every stage of the training begins.",
        reason="Training ends after `training.epochs`, whatever the stages add up to.",
        symptom="Layers that a later stage was to train stay as they were.",
        fix="Leave `training.epochs` out, or let it be the sum of the stages.",
    ),
    "NN227": Rule(
        rule="A network gets pixels as it has learnt from them.",
        reason="`Application` takes pixels from 0 to 255 and scales them as its authors did; what "
        "was scaled before is nearly black to it.",
        symptom="A network with weights of `imagenet` that does no better than chance.",
        fix="Leave `rescale`, `standardize` or `Rescaling` out, or write `preprocess: false`.",
    ),
    "NN228": Rule(
        rule="The data are there before the training.",
        reason="With `classes` a spec of pictures can be checked, built and tried with "
        "`--synthetic` rows on any machine; training needs the pictures.",
        symptom="`nnrun train` ends at once.",
        fix="Put the folder there, or set `dataset.path`.",
    ),
}

ALL: dict[str, Rule] = RULES | LINT
"""Faults and warnings."""
