"""The stable code of every warning, and what is behind it."""

from __future__ import annotations

from nnrun.spec.codes import RULES, Rule

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
