"""NN0xx: the text cannot be read as one spec."""

from __future__ import annotations

from nnrun.spec.rule import Rule

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
