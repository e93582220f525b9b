"""SavedModels run in TensorFlow, and compute what the model does."""

import os

import pytest

pytest.importorskip("tensorflow", reason="TensorFlow has an environment of its own: make test-loaders")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import jax
import jax.numpy as jnp
import numpy as np
import tensorflow as tf

import jkeras
from jkeras import layers
from tests.export.models import MODELS, assert_same, attention, dense, first, normal, outputs_of, several, trained


def as_arrays(tensors):
    return jax.tree.map(lambda tensor: jnp.asarray(tensor.numpy()), tensors)


@pytest.mark.parametrize("make", MODELS)
def test_tensorflow_computes_what_the_model_does(make, tmp_path):
    model, inputs = make()
    variables = trained(model)
    model.export(tmp_path / "saved", variables, format="tf_saved_model")
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    for size in (1, 2):
        found = as_arrays(loaded.serve(jax.tree.map(tf.constant, first(inputs, size))))
        found = dict(found) if isinstance(found, dict) else list(found) if isinstance(found, list | tuple) else found
        assert_same(found, outputs_of(model, variables, first(inputs, size)), ulps=64)
    assert os.listdir(tmp_path) == ["saved"]


def test_the_signature_has_the_names_of_the_model(tmp_path):
    model, inputs = several()
    variables = trained(model)
    model.export(tmp_path / "saved", variables, format="tf_saved_model")
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    serve = loaded.signatures["serving_default"]
    found = as_arrays(serve(left=tf.constant(inputs["left"]), right=tf.constant(inputs["right"])))
    assert_same(dict(found), outputs_of(model, variables, inputs))


def test_half_precision_stays(tmp_path):
    model, x = attention("bfloat16")
    variables = trained(model)
    model.export(tmp_path / "saved", variables, format="tf_saved_model")
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    found = loaded.serve(tf.constant(np.asarray(x), tf.bfloat16))
    assert found.dtype == tf.bfloat16
    assert_same(as_arrays(found), outputs_of(model, variables, x))


def test_the_values_are_variables_and_can_be_replaced(tmp_path):
    model, x = dense()
    one, other = trained(model), model.init(jax.random.key(1))
    model.export(tmp_path / "saved", one, format="tf_saved_model")
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    for variable, leaf in zip(loaded.values, jax.tree.leaves(tuple(other)), strict=True):
        variable.assign(leaf)
    assert_same(as_arrays(loaded.serve(tf.constant(x))), outputs_of(model, other, x))


def test_a_subclass_with_two_arguments_and_several_platforms(tmp_path):
    class Scaled(jkeras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(2)

        def call(self, x, scale):
            return self.dense(x) * scale

    model, x, scale = Scaled(), normal(5, 4, 3), normal(5, 4, 1)
    variables = model.init(jax.random.key(0), x, scale)
    options = {"input_signature": [(None, "t", 3), (None, "t", 1)], "platforms": ("cpu", "tpu")}
    model.export(tmp_path / "saved", variables, format="tf_saved_model", constraints=("t >= 2",), **options)
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    expected = model.stateless_call(*variables, x, scale)[0]
    assert_same(as_arrays(loaded.serve(tf.constant(x), tf.constant(scale))), expected)
    found = loaded.signatures["serving_default"](input_0=tf.constant(x), input_1=tf.constant(scale))
    assert_same(as_arrays(found)["output_0"], expected)


def test_a_failure_leaves_no_folder(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError("no space")

    monkeypatch.setattr(tf.saved_model, "save", full)
    model, _ = dense()
    with pytest.raises(OSError, match="no space"):
        model.export(tmp_path / "saved", trained(model), format="tf_saved_model")
    assert os.listdir(tmp_path) == []
