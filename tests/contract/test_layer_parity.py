"""Every row whose layer Keras has, against Keras: in float32, and the first of each layer in bfloat16."""

import jax
import pytest

from jkeras import layers
from tests.contract.subject import HALF_TWINS, subject
from tests.descriptors.layers import ROWS
from tests.parity import check_half_parity, check_parity


@pytest.mark.parametrize("name", [row.name for row in ROWS if row.keras is True])
def test_agrees_with_keras(name):
    check_parity(subject(name))


@pytest.mark.parametrize("name", HALF_TWINS)
def test_agrees_with_keras_in_half_precision(name):
    check_half_parity(subject(name))


def less_exact(outputs):
    """Keeps four of the eight bits of bfloat16; the bound against float32 lets that pass, Keras's error does not."""
    return outputs if outputs.dtype == "float32" else jax.lax.reduce_precision(outputs, 8, 3)


@pytest.mark.parametrize(
    ("broken", "noticed"),
    [
        (less_exact, "units from float32, Keras"),
        (lambda outputs: outputs.astype("float32"), "Keras bfloat16"),
        (lambda outputs: outputs if outputs.dtype == "float32" else outputs * 1.25, "units from float32"),
    ],
    ids=["less exact", "another dtype", "another value"],
)
def test_a_layer_that_disagrees_in_half_precision_is_noticed(broken, noticed, monkeypatch):
    made, call = subject("Rescaling"), layers.Rescaling.call
    monkeypatch.setattr(layers.Rescaling, "call", lambda self, inputs: broken(call(self, inputs)))
    with pytest.raises(AssertionError, match=noticed):
        check_half_parity(made)
