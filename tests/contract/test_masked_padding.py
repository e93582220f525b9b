"""What a mask hides may hold anything, NaN and infinity included: values, gradients and statistics do not see it.

The rows are derived: every layer of the catalogue whose `call` takes a mask has one, and wrappers of such layers, to
which a mask comes with the array. Each runs three times, with numbers, NaN and infinity in the hidden places, and must
give the same outputs (where they count), the same state, gradients, and derivatives of these along a direction.
"""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core import Layer, set_mask
from jkeras.layers.merging.base import Merge
from tests.contract.subject import is_float
from tests.descriptors.layers import NO_ROW, ROWS
from tests.oracle import assert_close

EXEMPT = {
    "Dot": "as in Keras, it sums over hidden places too, so numbers there count; NaN and infinity are 0: a test below",
    "Lambda": "a function of the user's gets inputs and mask as they are",
    "StackedRNNCells": "a cell sees one step, and the loop around it has the mask",
}
POSITIONS = ("mask", "query_mask", "value_mask", "key_mask")


def takes_mask(layer_class):
    return any(name in POSITIONS for name in inspect.signature(layer_class.call).parameters)


class Arriving(Layer):
    """A layer whose inputs arrive with a mask."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, inputs, mask=None, training=False):
        inputs = inputs + 0
        set_mask(inputs, mask)
        return self.inner(inputs, training=training)

    def compute_mask(self, inputs, previous_mask=None):
        """The layer inside has set the mask of its outputs."""
        return


def wrapped():
    """Layers that hand a mask on to the one inside."""
    norm, loop = layers.BatchNormalization, layers.LSTM
    return {
        "Residual": Arriving(layers.Residual(norm())),
        "Remat": Arriving(layers.Remat(loop(3))),
        "Stack": Arriving(layers.Stack(loop(3, return_sequences=True), 2)),
        "Bidirectional": Arriving(layers.Bidirectional(loop(3))),
        "Sequential": Arriving(jkeras.Sequential([norm(), loop(3)])),
    }


def first_rows():
    found = {}
    for row in ROWS:
        if takes_mask(row.layer) and row.layer.__name__ not in EXEMPT:
            masked = any(name in row.keywords for name in POSITIONS)
            plain = not set(row.keywords) - {"attention_mask"}
            rank = min(leaf.ndim for leaf in jax.tree.leaves(row.arrays()[0]))
            if masked or issubclass(row.layer, Merge) or (plain and rank > 2):
                found.setdefault((row.layer.__name__, row.training), row)
    others = set(wrapped())
    return {f"{n}{' in training' * training}": row for (n, training), row in found.items() if n not in others}


CASES = {**first_rows(), **wrapped()}


def shape_of_mask(layer, x):
    if isinstance(layer, layers.Softmax):
        return x.shape
    return x.shape[:-1] if isinstance(layer, layers.BatchNormalization) else x.shape[:2]


def masks_like(layer, inputs):
    """A mask for each array: the last position of the first example hidden, and all of the last but its first."""

    def mask(x):
        kept = np.ones(shape_of_mask(layer, x), bool)
        kept[0, -1:] = False
        kept[-1, 1:] = False
        return kept

    return jax.tree.map(mask, inputs)


def poisoned(inputs, masks, poison):
    def fill(x, mask):
        kept = np.broadcast_to(np.expand_dims(mask, tuple(range(mask.ndim, x.ndim))), x.shape)
        return jnp.where(kept, x, jnp.asarray(poison, x.dtype)) if is_float(x) else x

    return jax.tree.map(fill, inputs, masks)


class Case:
    """A layer, its inputs, and masks for them."""

    def __init__(self, case):
        self.row = None if isinstance(case, Layer) else case
        self.layer = case if self.row is None else case.make()
        self.static, self.keywords = {}, {}
        if self.row is None:
            self.args = (jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 3)), "float32"),)
        else:
            self.args, self.keywords = self.row.arrays()
            if isinstance(self.layer, Merge):
                self.args = ([jnp.asarray(np.random.default_rng(i).normal(size=(2, 4, 4)), "float32") for i in (0, 1)],)
            self.static = {k: v for k, v in self.row.static.items() if k != "return_attention_scores"}
        names = list(inspect.signature(self.layer.call).parameters)
        if "mask" in names:
            self.masks = {"mask": masks_like(self.layer, self.args[0])}
        else:
            given = dict(zip(("query_mask", "value_mask", "key_mask"), self.args, strict=False))
            self.masks = {name: masks_like(self.layer, x) for name, x in given.items()}
        for name in ("mask", "attention_mask"):
            self.keywords.pop(name, None)

    def inputs(self, poison):
        by_place = [*self.masks.values()] if len(self.masks) == len(self.args) else [self.masks["mask"]]
        return (*(poisoned(x, m, poison) for x, m in zip(self.args, by_place, strict=False)),)

    def run(self, variables, inputs):
        """Outputs where they count, the new state, gradients, and their derivatives along a direction."""
        mask = jax.tree.leaves(self.masks)[0]

        def loss(trainable, inputs):
            training = self.row is None or self.row.training
            given = {**self.keywords, **jax.tree.map(jnp.asarray, self.masks)}
            outputs, state = self.layer.stateless_call(
                trainable, variables.non_trainable, *inputs, training=training, **given, **self.static
            )
            kept = [counted(leaf, mask) for leaf in jax.tree.leaves(outputs)]
            return sum(jnp.sum(jnp.sin(leaf) * (1 + jnp.arange(leaf.size).reshape(leaf.shape))) for leaf in kept), (
                kept,
                state,
            )

        def gradients(trainable, inputs):
            return jax.grad(loss, (0, 1), has_aux=True, allow_int=True)(trainable, inputs)

        found, (kept, state) = gradients(variables.trainable, inputs)
        direction = jax.tree.map(jnp.ones_like, variables.trainable)
        if not jax.tree.leaves(direction):
            return kept, state, found, ()
        _, second = jax.jvp(lambda t: gradients(t, inputs)[0][0], (variables.trainable,), (direction,))
        return kept, state, found, second


def counted(output, mask):
    """An output with zeros where it stands for what is hidden."""
    mask = mask[..., 0] if mask.ndim == output.ndim and output.shape != mask.shape else mask
    if output.shape[: mask.ndim] != mask.shape:
        return output
    return jnp.where(jnp.expand_dims(mask, tuple(range(mask.ndim, output.ndim))), output, 0)


def test_every_layer_that_takes_a_mask_has_a_case():
    public = {row.layer.__name__: row.layer for row in ROWS}
    wanted = {name for name, each in public.items() if takes_mask(each)} - set(EXEMPT) - set(NO_ROW)
    assert wanted <= {name.removesuffix(" in training") for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_what_a_mask_hides_may_hold_anything(name):
    check(Case(CASES[name]))


def check(case):
    variables = jax.jit(lambda key: case.layer.init(key, *case.args, **case.keywords, **case.static))(jax.random.key(0))
    run = jax.jit(lambda inputs: case.run(variables, inputs))
    expected = run(case.inputs(0.0))
    for poison in (np.nan, np.inf):
        found = run(case.inputs(poison))
        for part, ours, theirs in zip(("outputs", "state", "gradients", "second"), found, expected, strict=True):
            for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
                if is_float(one):
                    assert_close(one, other, ulps=64, err_msg=f"{part} with {poison}")


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_dot_takes_what_is_hidden_and_no_number_for_zero(poison, normalize):
    x, y = (jnp.asarray(np.random.default_rng(i).normal(size=(2, 4, 3)), "float32") for i in (0, 1))
    mask = jnp.array([[True, True, False, True], [True, False, False, False]])
    layer = layers.Dot(axes=(1, 1), normalize=normalize)

    def run(x, mask):
        return jax.value_and_grad(lambda x, y: jnp.sum(jnp.sin(layer.stateless_call({}, {}, [x, y], mask=mask)[0])), 1)(
            x, y
        )

    layer.init(jax.random.key(0), [x, y])
    hidden = [poisoned(x, mask, fill) for fill in (poison, 0.0)]
    for ours, theirs in zip(run(hidden[0], [mask, None]), run(hidden[1], None), strict=True):
        assert_close(ours, theirs, ulps=8)
    plain = run(x, None)
    for ours, theirs in zip(run(x, [mask, None]), plain, strict=True):
        assert_close(ours, theirs, ulps=8)
