"""The contract of representations: every layer reads every weight by its declaration, never by its leaf."""

import jax
import jax.numpy as jnp
import pytest

from jkeras import layers
from jkeras.errors import ArgumentError
from jkeras.representations import Representation
from tests.contract.subject import stateless, subject
from tests.contract.test_layers import PLAIN, assert_all_close
from tests.descriptors.layers import ROWS

REFUSED = {"SpectralNormalization": "it normalizes leaves, and refuses a kernel that something represents"}
WEIGHTED = [row.name for row in ROWS if row.name in PLAIN and row.tree.get("trainable") and row.name not in REFUSED]


class Doubled(Representation):
    """Twice the leaf, which is exact."""

    def value(self, weight):
        return 2 * weight.leaf


@pytest.mark.parametrize("name", WEIGHTED)
def test_a_layer_computes_with_what_represents_its_weights(name):
    made = subject(name)
    layer = made.row.make(None)
    trainable, others = layer.init(jax.random.key(0), *made.args, **made.kwargs, **made.row.static)
    expected = jax.jit(stateless(layer, made.row))(
        jax.tree.map(lambda leaf: 2 * leaf, trainable), others, made.args, made.kwargs
    )
    for variable in layer.trainable_variables:
        variable.origin.representation = Doubled()
    found = jax.jit(stateless(layer, made.row))(trainable, others, made.args, made.kwargs)
    assert_all_close(found, expected, 4)


def test_spectral_normalization_refuses_a_kernel_that_something_represents():
    dense = layers.Dense(2)
    layer = layers.SpectralNormalization(dense)
    variables = layer.init(jax.random.key(0), (1, 3))
    dense.kernel.representation = Doubled()
    with pytest.raises(ArgumentError, match="nothing else represents"):
        layer.stateless_call(*variables, jnp.ones((1, 3)))


def test_a_layer_that_does_not_ask_fails_the_check_above():
    class Careless(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight((), "ones", name="scale")

        def call(self, x):
            return x * self.scale.leaf

    layer = Careless()
    variables = layer.init(jax.random.key(0), (2,))
    layer.scale.representation = Doubled()
    assert layer.stateless_call(*variables, jnp.ones(2))[0].tolist() == [1.0, 1.0]
