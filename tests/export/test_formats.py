"""`model.export`: the format of JAX, the names of inputs and outputs, and what is said where a package is missing."""

import sys

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.errors import ArgumentError, MissingExtraError, UnknownNameError
from jkeras.export.names import input_names, output_names
from jkeras.export.onnx_check import distance
from jkeras.export.onnx_graph import order_of
from tests.export.models import assert_same, convolution, dense, outputs_of, several, trained


def test_the_format_of_jax_is_the_default(tmp_path):
    model, x = dense()
    variables = trained(model)
    model.export(tmp_path / "a.jaxexport", variables)
    assert_same(jkeras.export.load(tmp_path / "a.jaxexport")(x), outputs_of(model, variables, x))
    options = {"platforms": ("cpu", "tpu"), "values": "outside", "vjp_order": 1}
    model.export(tmp_path / "b.jaxexport", variables, format="jax", input_signature=[(2, 3)], **options)
    loaded = jkeras.export.load(tmp_path / "b.jaxexport")
    assert (loaded.platforms, loaded.values, loaded.vjp_order) == (("cpu", "tpu"), "outside", 1)
    assert loaded.in_specs[1].shape == (2, 3)


def test_options_are_checked(tmp_path):
    model, _ = dense()
    variables = trained(model)
    with pytest.raises(UnknownNameError, match="'onnx' \\(did you mean it"):
        model.export(tmp_path / "a", variables, format="onx")
    with pytest.raises(ArgumentError, match="`input_signature` must be a list"):
        model.export(tmp_path / "a.jaxexport", variables, input_signature=jax.ShapeDtypeStruct((2, 3), "float32"))
    with pytest.raises(ArgumentError, match=r"must end in '\.jaxexport'"):
        model.export(tmp_path / "a.keras", variables)
    with pytest.raises(ArgumentError, match=r"must end in '\.onnx'"):
        model.export(tmp_path / "a.pb", variables, format="onnx")
    with pytest.raises(ArgumentError, match="must not exist"):
        model.export(tmp_path, variables, format="tf_saved_model")


@pytest.mark.parametrize(
    ("format", "package", "extra", "name"),
    [("onnx", "jax2onnx", "onnx", "a.onnx"), ("tf_saved_model", "tensorflow", "tensorflow", "a")],
)
def test_without_the_package_the_extra_is_named(format, package, extra, name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    model, _ = dense()
    with pytest.raises(MissingExtraError, match=rf"pip install 'jkeras\[{extra}\]'"):
        model.export(tmp_path / name, trained(model), format=format)


def test_names_are_those_of_the_model():
    model, _ = convolution()
    assert (input_names(model, ("x",)), output_names(model, "y")) == (["image"], ["label"])
    model, inputs = several()
    assert input_names(model, (inputs,)) == ["left", "right"]
    assert output_names(model, {"sum": 0, "norm": 0}) == ["norm", "sum"]
    subclass = type("Subclass", (jkeras.Model,), {"call": lambda self, x: x})()
    assert (input_names(subclass, ("x", {"a/b": "y"})), output_names(subclass, "y")) == (
        ["input_0", "input_1_a_b"],
        ["output_0"],
    )
    shared = layers.Dense(2)
    one, other = jkeras.Input((3,)), jkeras.Input((3,))
    twice = jkeras.Model([one, other], [shared(one), shared(other)])
    assert output_names(twice, [0, 0]) == ["output_0", "output_1"]


def test_pooling_has_two_axes_that_it_leaves_alone():
    assert order_of([1, 2, 2, 1], [1, 2, 2, 1], [0] * 8) == [0, 3, 1, 2]
    assert order_of([1, 1, 2, 2, 2], [1, 1, 1, 1, 1], [0] * 10) == [0, 1, 2, 3, 4]
    assert order_of([2, 2, 2, 1], [1, 1, 1, 1], [0] * 8) is None
    assert order_of([1, 2, 2, 1], [1, 1, 1, 1], [0, 0, 0, 1] * 2) is None


def test_the_distance_of_arrays_is_relative_and_takes_what_is_not_finite():
    nan, infinite = float("nan"), float("inf")
    assert distance(np.array([nan, infinite, 1.0]), np.array([nan, infinite, 1.0])) == 0.0
    assert not distance(np.array([nan]), np.array([1.0])) <= 1.0
    assert distance(np.array([infinite]), np.array([1.0])) == infinite
    assert distance(np.array([1001.0, 1000.0]), np.array([1000.0, 1000.0])) == 1e-3
    assert distance(np.zeros((0, 2)), np.zeros((0, 2))) == 0.0
