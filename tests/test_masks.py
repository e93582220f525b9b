"""Masks travel with values through layers, are merged as in Keras, and an explicit one wins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import layers
from jkeras.core import Layer, get_mask, set_mask
from jkeras.errors import ShapeError
from tests.oracle import asking_keras, assert_close, keras

with asking_keras():
    from keras.src.backend import get_keras_mask

TOKENS = jnp.array([[5, 2, 0], [3, 0, 0]])
MASK = np.asarray(TOKENS) != 0
OTHER = np.array([[False, True, True], [False, False, True]])


class Weigh(Layer):
    """One where its input's mask is true, zero elsewhere, minus one without a mask."""

    def call(self, inputs, mask=None):
        return -jnp.ones(inputs.shape[:2]) if mask is None else mask.astype("float32")


class Opaque(Layer):
    """A layer of a user who has not thought of masks."""

    def call(self, inputs):
        return inputs * 2


class Chain(Layer):
    """An embedding, then layers; the last one shows the mask that arrives."""

    def __init__(self, *between, mask_zero=True, **kwargs):
        super().__init__(**kwargs)
        self.table = layers.Embedding(7, 4, mask_zero=mask_zero)
        self.between = list(between)
        self.weigh = Weigh(name="weigh")
        self.weigh.supports_masking = True

    def call(self, tokens):
        x = self.table(tokens)
        for layer in self.between:
            x = layer(x)
        return self.weigh(x)


def run(layer, *inputs, training=False, **kwargs):
    return np.asarray(
        layer.stateless_call(*layer.init(jax.random.key(0), *inputs), *inputs, training=training, **kwargs)[0]
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "between",
    [
        [],
        [layers.Dense(3, activation="relu"), layers.Dropout(0.5), layers.LayerNormalization()],
        [layers.BatchNormalization(), layers.Activation("tanh"), layers.Identity()],
        [layers.ReLU(), layers.LeakyReLU(), layers.ELU(), layers.PReLU(), layers.Rescaling(2.0)],
        [layers.GaussianNoise(0.1), layers.SpatialDropout1D(0.5), layers.ActivityRegularization(l1=0.1)],
    ],
    ids=["alone", "dense", "batch", "rectifiers", "random"],
)
def test_the_mask_of_an_embedding_travels_through_layers(between, training):
    np.testing.assert_array_equal(run(Chain(*between), TOKENS, training=training), MASK)


def test_without_mask_zero_there_is_no_mask():
    np.testing.assert_array_equal(run(Chain(mask_zero=False), TOKENS), -np.ones((2, 3)))


def test_masks_travel_in_compiled_and_mapped_programs():
    layer = Chain(layers.Dense(3))
    variables = layer.init(jax.random.key(0), TOKENS)
    call = jax.jit(lambda tokens: layer.stateless_call(*variables, tokens)[0])
    np.testing.assert_array_equal(call(TOKENS), MASK)
    np.testing.assert_array_equal(jax.vmap(call)(TOKENS[:, None])[:, 0], MASK)


def test_casting_to_the_compute_dtype_keeps_the_mask():
    layer = Chain(layers.Dense(3, dtype="bfloat16"), layers.Dense(3, dtype="float16"))
    np.testing.assert_array_equal(run(layer, TOKENS), MASK)


def test_a_layer_that_ends_the_mask_says_so():
    layer = Chain(Opaque())
    with pytest.warns(UserWarning, match=r"'between/0' \(Opaque\) does not support masking") as caught:
        outputs = run(layer, TOKENS)
    assert {str(warning.message) for warning in caught} == {str(caught[0].message)}
    np.testing.assert_array_equal(outputs, -np.ones((2, 3)))


def test_a_layer_without_masks_at_its_input_does_not_warn():
    run(Chain(Opaque(), mask_zero=False), TOKENS)  # warnings are errors


def test_an_explicit_mask_wins():
    class Explicit(Chain):
        def call(self, tokens):
            x = self.table(tokens)
            own = self.weigh(x)
            x = self.between[0](x, mask=jnp.asarray(OTHER))  # Dense takes no mask, but passes it on
            return jnp.stack([own, self.weigh(x), self.weigh(x, mask=jnp.asarray(MASK))])

    np.testing.assert_array_equal(run(Explicit(layers.Dense(2)), TOKENS), [MASK, OTHER, MASK])


def test_the_outermost_layer_takes_a_mask():
    weigh = Weigh()
    weigh.supports_masking = True
    x = jnp.ones((2, 3, 1))
    np.testing.assert_array_equal(run(weigh, x, mask=jnp.asarray(OTHER)), OTHER)


def test_masks_can_be_read_and_set_inside_call():
    class Own(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.weigh = Weigh()
            self.weigh.supports_masking = True

        def call(self, inputs):
            assert get_mask(inputs) is None
            set_mask(inputs, jnp.asarray(OTHER))
            return self.weigh(inputs)

    np.testing.assert_array_equal(run(Own(), jnp.ones((2, 3, 1))), OTHER)


# -- masks of single layers, against Keras


def test_masking_marks_and_clears_padding():
    x = np.array([[[1, 9], [9, 9]], [[9, 9], [2, 3]]], "float32")
    with asking_keras():
        theirs = keras.layers.Masking(9.0)(x)
    np.testing.assert_array_equal(run(layers.Masking(9.0), x), theirs)
    np.testing.assert_array_equal(run(WithMask(layers.Masking(9.0)), x), [[1, 0], [0, 1]])


class WithMask(Layer):
    """A layer, and the mask of its output."""

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer
        self.weigh = Weigh()
        self.weigh.supports_masking = True

    def call(self, inputs):
        return self.weigh(self.layer(inputs))


@pytest.mark.parametrize("mask", [np.array([[True, False, True, True]] * 2), np.array([[0.9], [0.2]], "float32")])
def test_softmax_leaves_masked_entries_out(mask):
    x = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
    with asking_keras():
        expected = keras.layers.Softmax()(x, mask=mask)
    assert_close(run(layers.Softmax(), x, mask=jnp.asarray(mask)), expected, ulps=8)


def test_softmax_of_nothing_is_zero_and_has_a_finite_gradient():
    layer, x = layers.Softmax(), jnp.ones((1, 3))
    layer.init(jax.random.key(0), x)

    def total(x):
        return layer.stateless_call({}, {}, x, mask=jnp.zeros((1, 3), bool))[0].sum()

    assert float(total(x)) == 0 and bool(jnp.isfinite(jax.grad(total)(x)).all())
    with pytest.raises(ShapeError, match="broadcast"):
        layer.stateless_call({}, {}, x, mask=jnp.ones((1, 2), bool))


def test_masked_positions_do_not_count_in_batch_statistics():
    layer = layers.BatchNormalization()
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    variables = layer.init(jax.random.key(0), x)
    poisoned = np.where(MASK[..., None], x, np.nan)
    _, clean = layer.stateless_call(*variables, x, mask=jnp.asarray(MASK), training=True)
    _, state = layer.stateless_call(*variables, poisoned, mask=jnp.asarray(MASK), training=True)
    np.testing.assert_array_equal(state["moving_variance"], clean["moving_variance"])
    with pytest.raises(ShapeError, match="mask"):
        layer.stateless_call(*variables, x, mask=jnp.ones((2, 3, 4), bool), training=True)


# -- masks that are merged, against Keras

ONE = np.array([[[1, 2], [0, 0], [5, -6], [0, 0]]], "float32")
TWO = np.array([[[3, -4], [7, 1], [0, 0], [0, 0]]], "float32")


class Merging(Layer):
    """Merges what `Masking` has marked, or the second input as it is; shows outputs and mask."""

    def __init__(self, merge, both, **kwargs):
        super().__init__(**kwargs)
        self.mask, self.merge, self.both = layers.Masking(), merge, both

    def call(self, x, y):
        merged = self.merge([self.mask(x), self.mask(y) if self.both else y])
        mask = get_mask(merged)
        return merged, jnp.zeros(()) if mask is None else mask


@pytest.mark.parametrize("both", [True, False], ids=["both masked", "one masked"])
@pytest.mark.parametrize(
    "name", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "time"]
)
def test_merged_masks_are_those_of_keras(name, both):
    cls, config = ("Concatenate", {"axis": 1}) if name == "time" else (name, {})
    ours = Merging(getattr(layers, cls)(**config), both)
    (outputs, mask), _ = ours.stateless_call(*ours.init(jax.random.key(0), ONE, TWO), ONE, TWO)
    with asking_keras():
        x, y = keras.layers.Masking()(ONE), keras.layers.Masking()(TWO) if both else keras.ops.array(TWO)
        expected = getattr(keras.layers, cls)(**config)([x, y])
        expected_mask = get_keras_mask(expected)
    np.testing.assert_array_equal(outputs, expected)
    assert (expected_mask is None) == (not both and cls != "Concatenate")
    if expected_mask is None:
        assert mask.shape == ()
    else:
        np.testing.assert_array_equal(mask, expected_mask)


def test_explicit_masks_of_a_merge_win():
    layer = layers.Maximum()
    masks = [jnp.array([[True, False]]), jnp.array([[True, True]])]
    x, y = jnp.full((1, 2, 1), 9.0), jnp.ones((1, 2, 1))
    layer.init(jax.random.key(0), [x, y])
    assert layer.stateless_call({}, {}, [x, y], mask=masks)[0].ravel().tolist() == [9, 1]
    with pytest.raises(ShapeError, match="list of 2 masks"):
        layer.stateless_call({}, {}, [x, y], mask=masks[:1])


def test_masks_of_inputs_of_different_ranks_are_aligned_like_the_inputs():
    class Ranks(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.add = layers.Add()

        def call(self, x, y):
            set_mask(x, jnp.array([True, False]))
            set_mask(y, jnp.asarray(OTHER))
            return get_mask(self.add([x, y]))

    mask = run(Ranks(), jnp.ones((2, 4)), jnp.ones((2, 3, 4)))
    np.testing.assert_array_equal(mask, OTHER | [[True], [False]])


def test_dot_has_no_mask():
    layer = Merging(layers.Dot(axes=2), both=True)
    (_, mask), _ = layer.stateless_call(*layer.init(jax.random.key(0), ONE, TWO), ONE, TWO)
    assert mask.shape == ()


def test_a_lambda_computes_the_mask_that_it_is_told_to():
    flip = layers.Lambda(lambda x: x * 2, mask=lambda inputs, mask: ~mask)
    np.testing.assert_array_equal(run(Chain(flip), TOKENS), ~MASK)
    seen = layers.Lambda(lambda x, mask: x * mask[..., None], mask=lambda inputs, mask: mask)
    np.testing.assert_array_equal(run(Chain(seen), TOKENS), MASK)
