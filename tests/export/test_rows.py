"""Every public layer can be exported for a batch of any size, and computes the same."""

import jax
import jax.numpy as jnp
import pytest

from jkeras.export import export
from tests.descriptors.layers import ROWS
from tests.export.models import assert_same

# the first row of each class; programs take arrays by position
FIRST = {row.layer: row for row in reversed(ROWS) if not row.keywords and not row.static}


def with_free_batch(args):
    (b,) = jax.export.symbolic_shape("b")
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct((b, *a.shape[1:]), a.dtype) if a.ndim else a, args)


@pytest.mark.parametrize("row", FIRST.values(), ids=lambda row: row.name)
def test_a_layer_computes_the_same_as_a_program(row):
    layer = row.make()
    args, _ = row.arrays()
    variables = layer.init(jax.random.key(0), *args)
    exported = export(layer, variables, *with_free_batch(args))
    expected, _ = jax.jit(layer.stateless_call)(*variables, *args)
    found, scale = exported(*args), max([1.0, *(float(jnp.max(jnp.abs(x))) for x in jax.tree.leaves(expected))])
    assert_same(found, expected, ulps=row.ulps * scale)


def test_nearly_all_layers_have_a_row():
    assert len(FIRST) > 130
