"""Spectral normalization: against Keras's step, of several kinds of layers, in inference, and mistakes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import layers
from jkeras.core import Layer, get_mask
from jkeras.errors import ArgumentError
from tests.oracle import asking_keras, assert_close, keras

X = np.random.default_rng(0).normal(2.0, 3.0, size=(3, 8, 4)).astype("float32")


def spectral(layer, x, **config):
    wrapper = layers.SpectralNormalization(layer, **config)
    return wrapper, wrapper.init(jax.random.key(0), x)


def test_a_step_of_spectral_normalization_equals_keras():
    x, iterations = X[0], 2
    ours, variables = spectral(layers.Dense(3, bias_initializer="normal"), x, power_iterations=iterations)
    with asking_keras():
        theirs = keras.layers.SpectralNormalization(keras.layers.Dense(3), power_iterations=iterations)
        theirs.build(x.shape)
    inner, u = variables.trainable["layer"], variables.non_trainable["vector_u"]

    def objective(call):
        def loss(values):
            outputs, state = call(values)
            return jnp.sum(outputs * jnp.cos(jnp.arange(24.0)).reshape(8, 3)), (outputs, state)

        return jax.jit(jax.value_and_grad(loss, has_aux=True))([inner["kernel"], inner["bias"]])

    def our_call(values):
        trainable = {"layer": dict(zip(("kernel", "bias"), values, strict=True))}
        outputs, state = ours.stateless_call(trainable, variables.non_trainable, x, training=True)
        return outputs, state["vector_u"]

    def their_call(values):
        outputs, state = theirs.stateless_call(values, [u], x, training=True)
        return outputs, state[0]

    mine = objective(our_call)
    with asking_keras():
        reference = objective(their_call)
    for one, other in zip(jax.tree.leaves(mine), jax.tree.leaves(reference), strict=True):
        assert_close(one, other)


def test_inference_uses_the_normalized_kernel_and_changes_nothing():
    ours, variables = spectral(layers.Dense(3, use_bias=False), X[0], power_iterations=20)
    trained, _ = ours.stateless_call(*variables, X[0], training=True)
    outputs, state = ours.stateless_call(*variables, X[0])
    np.testing.assert_array_equal(outputs, trained)
    np.testing.assert_array_equal(state["vector_u"], variables.non_trainable["vector_u"])
    kernel = variables.trainable["layer"]["kernel"]
    # 20 steps leave (second / first singular value)^40 of the error
    np.testing.assert_allclose(outputs, X[0] @ (kernel / np.linalg.norm(kernel, 2)), rtol=1e-4, atol=1e-5)


def test_kernels_of_convolutions_are_matrices_of_all_but_the_last_axis():
    conv = layers.Conv1D(2, 3, use_bias=False)
    ours, variables = spectral(conv, X, power_iterations=30)
    outputs, _ = ours.stateless_call(*variables, X)
    kernel = variables.trainable["layer"]["kernel"]
    expected, _ = conv.stateless_call({"kernel": kernel / np.linalg.norm(kernel.reshape(12, 2), 2)}, {}, X)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)  # as above


def test_a_kernel_of_zeros_stays():
    ours, variables = spectral(layers.Dense(3, kernel_initializer="zeros"), X[0])
    loss = jax.grad(lambda t: ours.stateless_call(t, variables[1], X[0], training=True)[0].sum())
    assert np.isfinite(loss(variables.trainable)["layer"]["kernel"]).all()
    _, state = ours.stateless_call(*variables, X[0], training=True)
    np.testing.assert_array_equal(state["vector_u"], variables.non_trainable["vector_u"])


def test_spectral_normalization_of_an_embedding_keeps_rows_and_mask():
    class Model(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.rows = layers.SpectralNormalization(layers.Embedding(5, 3, mask_zero=True), power_iterations=20)

        def call(self, x):
            outputs = self.rows(x)
            return outputs, get_mask(outputs)

    model, x = Model(), jnp.array([[0, 1, 4]])
    variables = model.init(jax.random.key(0), x)
    (rows, mask), _ = model.stateless_call(*variables, x)
    table = variables.trainable["rows"]["layer"]["embeddings"]
    np.testing.assert_allclose(rows[0], table[x[0]] / np.linalg.norm(table, 2), rtol=1e-3)
    assert mask.tolist() == [[False, True, True]]


def test_a_checkpointed_layer_reads_the_normalized_kernel():
    class Model(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = layers.SpectralNormalization(Checkpointed())

        def call(self, x):
            return self.inner(x) - self.inner.layer(x)

    class Checkpointed(layers.Dense):
        def __init__(self, units=3, **kwargs):
            super().__init__(units, use_bias=False, **kwargs)
            self.product = lambda x: x @ self.kernel.value  # one function, of which JAX keeps what it traced

        def call(self, inputs):
            return jax.checkpoint(self.product)(inputs)

    model = Model()
    variables = model.init(jax.random.key(0), X[0])
    outputs, _ = jax.jit(model.stateless_call)(*variables, X[0])
    assert np.abs(outputs).max() > 0.1


def test_what_has_no_kernel_has_no_spectral_normalization():
    with pytest.raises(ArgumentError, match="must have a kernel"):
        layers.SpectralNormalization(layers.Flatten()).build((None, 3))
    with pytest.raises(ArgumentError, match="LoRA"):
        layers.SpectralNormalization(layers.Dense(3, lora_rank=1)).build((None, 3))
    with pytest.raises(ArgumentError, match="power_iterations"):
        layers.SpectralNormalization(layers.Dense(3), power_iterations=0)
