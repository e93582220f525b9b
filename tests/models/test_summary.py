"""Summaries: the rows, the totals, and where they go."""

import re

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.errors import ArgumentError
from tests.models.networks import NETWORKS
from tests.oracle import asking_keras, keras

KEY = jax.random.key(0)


def lines(model, **options):
    found: list[str] = []
    model.summary(print_fn=found.append, **{"line_length": 120, **options})
    return found


def rows(model, **options):
    """The cells of each row of the table, wrapped lines joined."""
    found: list[list[str]] = []
    for line in lines(model, **options):
        if line.startswith(("├", "┡", "┏")):
            found.append([])
        elif line.startswith(("│", "┃")):
            cells = [cell.strip() for cell in re.split("[│┃]", line)[1:-1]]
            before = found[-1] or [""] * len(cells)
            found[-1] = [a + b for a, b in zip(before, cells, strict=True)]
    return [row for row in found if row]


def totals(printed):
    """`{"Total": 1234, ...}` of the lines below a table."""
    pattern = re.compile(r"\s*(Total|Trainable|Non-trainable) params: ([\d,]+) \(([\d.]+ \w+)\)")
    return {m[1]: (int(m[2].replace(",", "")), m[3]) for line in printed if (m := pattern.match(line))}


def test_a_chain():
    model = NETWORKS["mlp"].build(jkeras)
    assert rows(model) == [
        ["Layer (type)", "Output Shape", "Param #"],
        ["dense (Dense)", "(None, 4)", "16"],
        ["dense_1 (Dense)", "(None, 2)", "10"],
    ]
    assert lines(model)[0] == 'Model: "sequential"'


def test_a_graph_says_what_is_connected_to_what():
    table = rows(NETWORKS["siamese"].build(jkeras))
    assert table[0] == ["Layer (type)", "Output Shape", "Param #", "Connected to"]
    assert ["dense (Dense)", "(None, 3)", "15", "left[0][0],right[0][0]"] in [
        [*row[:3], row[3].replace(" ", "")] for row in table
    ]
    assert ["dot (Dot)", "(None, 1)", "0", "dense[0][0],dense[1][0]"] in [
        [*row[:3], row[3].replace(" ", "")] for row in table
    ]


def test_operations_have_rows():
    names = [row[0] for row in rows(NETWORKS["operators"].build(jkeras))]
    assert "add (Add)" in names
    assert "get_item (GetItem)" in names


def test_a_linear_graph_is_a_chain():
    inputs = jkeras.Input((3,), name="x")
    assert rows(jkeras.Model(inputs, layers.Dense(2)(inputs)))[0] == ["Layer (type)", "Output Shape", "Param #"]


@pytest.mark.parametrize("expand", [False, True])
def test_nested_models(expand):
    model = NETWORKS["nested"].build(jkeras)
    names = [row[0] for row in rows(model, expand_nested=expand)]
    assert "inner (Functional)" in names
    assert ("└ dense (Dense)" in names) == expand


def test_an_unbuilt_model():
    model = jkeras.Sequential([layers.Dense(4), layers.Dense(2)])
    assert rows(model)[1:] == [["dense (Dense)", "?", "0 (unbuilt)"], ["dense_1 (Dense)", "?", "0 (unbuilt)"]]
    assert totals(lines(model))["Total"] == (0, "0.00 B")
    model.init(KEY, np.zeros((1, 3), "float32"))
    assert rows(model)[1:] == [["dense (Dense)", "(None, 4)", "16"], ["dense_1 (Dense)", "(None, 2)", "10"]]


def test_a_subclass():
    class Two(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.one, self.other = layers.Dense(4), layers.Dense(2)

        def call(self, x):
            return self.other(self.one(x))

    model = Two()
    assert rows(model)[1] == ["one (Dense)", "?", "0 (unbuilt)"]
    model.init(KEY, jkeras.KerasTensor((None, 3)))
    assert rows(model)[1:] == [["one (Dense)", "(None, 4)", "16"], ["other (Dense)", "(None, 2)", "10"]]


@pytest.mark.parametrize("name", ["convolutional", "nested", "siamese"])
def test_totals_are_keras_s(name):
    ours = totals(lines(NETWORKS[name].build(jkeras)))
    printed: list[str] = []
    with asking_keras():
        NETWORKS[name].build(keras).summary(print_fn=printed.append)
    assert ours == totals("\n".join(printed).splitlines())


def test_frozen_layers_are_not_trainable():
    model = NETWORKS["mlp"].build(jkeras)
    model.layers[0].trainable = False
    assert totals(lines(model)) == {
        "Total": (26, "104.00 B"),
        "Trainable": (10, "40.00 B"),
        "Non-trainable": (16, "64.00 B"),
    }
    shown = rows(model, show_trainable=True)
    assert [row[-1] for row in shown] == ["Trainable", "N", "Y"]


def test_what_has_no_weights_is_neither():
    shown = rows(NETWORKS["convolutional"].build(jkeras), show_trainable=True)
    assert {row[0]: row[-1] for row in shown}["flatten (Flatten)"] == "-"


def test_bytes_follow_the_dtype():
    half = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(4, dtype="float16")])
    assert totals(lines(half))["Total"] == (16, "32.00 B")
    large = jkeras.Sequential([jkeras.Input((1000,)), layers.Dense(1000)])
    assert totals(lines(large))["Total"] == (1_001_000, "3.82 MB")


@pytest.mark.parametrize(
    "layer_range, expected",
    [
        (("conv2d", "flatten"), ["conv2d", "batch_normalization", "max_pooling2d", "dropout", "flatten"]),
        (("flatten", "max"), ["max_pooling2d", "dropout", "flatten"]),
        (["head", "softmax"], ["head", "softmax"]),
    ],
)
def test_layer_range(layer_range, expected):
    shown = rows(NETWORKS["convolutional"].build(jkeras), layer_range=layer_range)[1:]
    assert [row[0].split(" ")[0] for row in shown] == expected


@pytest.mark.parametrize("layer_range", [("conv2d",), ("conv2d", 3), ("nothing", "softmax")])
def test_a_wrong_layer_range_is_an_error(layer_range):
    with pytest.raises(ArgumentError, match="layer_range"):
        lines(NETWORKS["convolutional"].build(jkeras), layer_range=layer_range)


def test_the_width():
    model = NETWORKS["mlp"].build(jkeras)
    table = [line for line in lines(model, line_length=60) if line.startswith("┏")]
    assert len(table[0]) == 60
    assert len(lines(model, line_length=60, positions=[0.5, 0.75, 1.0])[1]) == 60
    with pytest.raises(ArgumentError, match="`positions` must give each column"):
        lines(model, line_length=10)


def test_it_is_printed(capsys):
    NETWORKS["mlp"].build(jkeras).summary()
    printed = capsys.readouterr().out
    assert "dense_1 (Dense)" in printed
    assert " Total params: 26 (104.00 B)" in printed


def test_names_are_not_markup():
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2, name="[bold]")], name="[red]")
    assert lines(model)[0] == 'Model: "[red]"'
    assert rows(model)[1][0] == "[bold] (Dense)"
