"""Parity with Keras: one configuration, one set of weights, the same inputs, and everything that comes out compared."""

import contextlib
import copy
import inspect
import json
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from keras.src.backend.common import global_state

from jkeras import registry, tree
from jkeras.core import Layer
from tests.contract.subject import Subject, differentiated, is_float, stateless
from tests.descriptors.row import LayerRow
from tests.oracle import asking_keras, assert_close, keras

EPS16 = float(jnp.finfo("bfloat16").eps)
KINDS = ("outputs", "state", "gradients")
Values = dict[str, jax.Array]  # of all variables, by path


def check_parity(ours: Subject) -> None:
    """Builds Keras's layer from our config and ours from Keras's, gives both the same weights, and compares configs,
    the order of weights, outputs, gradients in inputs and trainable weights, and the updated state.
    """
    row, values = ours.row, off_default(ours)
    mine = ours.differentiated(*lists(ours.layer, values), ours.args, ours.kwargs)
    theirs = of_keras(ours.layer, ours, values, ours.args, ours.kwargs)
    for what, one, other in zip(KINDS, mine, theirs, strict=True):
        assert len(one) == len(other), f"{what}: {len(one)} leaves, Keras has {len(other)}"
        scale = scale_of(other) if row.cancels and what == "gradients" else None
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert a.dtype == b.dtype, f"{what} {index}: {a.dtype}, Keras has {b.dtype}"
            if is_float(a):
                assert_close(a, b, ulps=row.ulps, scale=scale, err_msg=f"{what} {index}")
            else:
                np.testing.assert_array_equal(a, b, err_msg=f"{what} {index}")


def check_half_parity(ours: Subject) -> None:
    """Compares the layer under the policy `"bfloat16"` with Keras's: dtypes, outputs, updated state and gradients.

    Two computations in bfloat16 round at different places, so float32 is the judge. Weights and inputs are numbers
    that bfloat16 has, which leaves only the rounding of the computations. The unit is `eps = 2^-7` of the largest exact
    value: twice what rounding one result may cost.

    - Our error is at most `half_ulps` units, the row's bound in half precision.
    - It is at most twice Keras's and one unit: Keras may round one time less on the way (half a unit each), and the
      sums of a gradient add such roundings up in either.
    - We and Keras differ by at most `half_ulps` units, unless the row says what is wrong with Keras's.
    """
    row, layer = ours.row, ours.row.make("bfloat16")
    jax.eval_shape(lambda: layer.init(jax.random.key(0), *ours.args, **ours.kwargs, **row.static))
    full = rounded(off_default(ours))
    declared = {declaration.path: variable.dtype for variable, declaration in layer.structure().declarations.items()}
    values = {path: value.astype(declared[path]) for path, value in full.items()}
    args, kwargs = rounded((ours.args, ours.kwargs))
    exact = ours.differentiated(*lists(ours.layer, full), args, kwargs)
    mine = differentiated(stateless(layer, row), row)(*lists(layer, values), args, kwargs)
    theirs = of_keras(layer, ours, values, args, kwargs)
    for what, one, other, right in zip(KINDS, mine, theirs, exact, strict=True):
        scale = scale_of(right) if row.cancels and what == "gradients" else None
        for index, leaves in enumerate(zip(one, other, right, strict=True)):
            check_dtype(leaves[0].dtype, leaves[1].dtype, what == "state", f"{what} {index}")
            if is_float(leaves[0]):
                check_half_leaf(*leaves, row, scale, f"{what} {index}")
            else:
                np.testing.assert_array_equal(leaves[0], leaves[1], err_msg=f"{what} {index}")


def check_dtype(our: Any, their: Any, state: bool, what: str) -> None:
    """The dtype is Keras's; statistics of half precision are float32, as docs/design.md section 9 says."""
    wide = str(jnp.promote_types(their, "float32")) if state and jnp.issubdtype(their, jnp.floating) else str(their)
    assert str(our) in (str(their), wide), f"{what}: {our}, Keras {their}"


def check_half_leaf(
    our: jax.Array, their: jax.Array, exact: jax.Array, row: LayerRow, scale: float | None, what: str
) -> None:
    """The three bounds of `check_half_parity`, for one array."""
    unit = EPS16 * (scale or scale_of([exact]))

    def apart(a: jax.Array, b: jax.Array) -> float:
        """How far in units; arrays of no size do not differ."""
        difference = np.asarray(a, "float64") - np.asarray(b, "float64")
        return float(np.abs(difference).max(initial=0.0)) / unit

    assert our.shape == their.shape == exact.shape, f"{what}: {our.shape}, Keras {their.shape}"
    error, keras_error = apart(our, exact), apart(their, exact)
    assert error <= row.half_ulps, f"{what}: {error:.2f} units from float32"
    assert error <= 2 * keras_error + 1, f"{what}: {error:.2f} units from float32, Keras {keras_error:.2f}"
    assert row.keras_half or apart(our, their) <= row.half_ulps, f"{what}: {apart(our, their):.2f} units from Keras"


def off_default(ours: Subject) -> Values:
    """Initial values whose weights are moved a little: a bias of zeros, or a scale of ones, is missed if not used."""
    flat = {path: leaf for side in ours.variables for path, leaf in tree.flatten(side).items()}
    for variable, declaration in ours.layer.structure().declarations.items():
        value = flat[declaration.path]
        if is_float(value) and not declaration.stream:
            moves = np.random.default_rng(value.size).normal(size=variable.shape)
            flat[declaration.path] = value + jnp.asarray(0.1 * moves, value.dtype)
    return flat


def rounded(values: Any) -> Any:
    """Floats that are numbers of bfloat16, in the dtypes they have."""
    return jax.tree.map(lambda leaf: leaf.astype("bfloat16").astype(leaf.dtype) if is_float(leaf) else leaf, values)


def lists(layer: Layer, values: Values) -> list[list[jax.Array]]:
    """The trainable and the non-trainable values of a layer, in Keras's order."""
    return [[values[declaration.path] for declaration in side] for side in layer.structure().split()]


def scale_of(leaves: list[jax.Array]) -> float:
    """The largest magnitude in the arrays."""
    return max(1e-30, *(float(jnp.abs(leaf).max(initial=0)) for leaf in leaves if is_float(leaf)))


def of_keras(layer: Layer, ours: Subject, values: Values, args: Any, kwargs: Any) -> tuple[list[jax.Array], ...]:
    """What Keras's layer gives, made from the config of ours: outputs, new state and gradients, leaf by leaf.

    Its weights have the values of ours in the same place; so have random streams, which are no weights.
    """
    theirs = keras_twin(layer, ours)
    weights = [d for d in layer.structure().declarations.values() if not d.stream]
    assert [(w.name, tuple(w.shape)) for w in theirs.weights] == [
        (d.variable.name, d.variable.shape) for d in weights
    ], "Keras orders the weights otherwise"
    for weight, d in zip(theirs.weights, weights, strict=True):
        check_dtype(d.variable.dtype, weight.dtype, not d.variable.trainable, d.path)
    given = {id(weight): values[d.path] for weight, d in zip(theirs.weights, weights, strict=True)}
    sides = (theirs.trainable_variables, theirs.non_trainable_variables)
    matched = [
        [given.get(id(variable), value) for variable, value in zip(variables, side, strict=True)]
        for variables, side in zip(sides, lists(layer, values), strict=True)
    ]
    context = {"training": ours.row.training} if "training" in inspect.signature(theirs.call).parameters else {}

    def call(trainable: Any, non_trainable: Any, args: Any, kwargs: Any) -> Any:
        pairs = [*zip(sides[0], trainable, strict=True), *zip(sides[1], non_trainable, strict=True)]
        with keras.StatelessScope(pairs) as scope:
            outputs = theirs(*args, **context, **kwargs, **ours.row.static)
        return outputs, [scope.get_current_value(variable) for variable in sides[1]]

    with asking_keras():
        return differentiated(call, ours.row)(*matched, args, kwargs)


def keras_twin(layer: Layer, ours: Subject) -> Any:
    """Keras's layer, built, made from our config; checks that either library's config makes the other's layer."""
    config = json.loads(json.dumps(registry.serialize(layer)))
    with asking_keras(), without_values():
        theirs = keras.layers.deserialize(copy.deepcopy(config))  # some classes of Keras change what they read
        symbols = jax.tree.map(lambda x: keras.KerasTensor(x.shape, x.dtype.name), (ours.args, ours.kwargs))
        theirs(*symbols[0], **symbols[1], **ours.row.static)  # builds it
        written = keras.layers.serialize(theirs)
    assert normal(written["config"]) == normal(config["config"]), "Keras writes another config for our layer"
    read = registry.deserialize(json.loads(json.dumps(written)))
    assert normal(read.get_config()) == normal(config["config"]), "we read another config from Keras's"
    assert type(read) is type(layer)
    assert (written["module"], written["class_name"]) == (config["module"], config["class_name"])
    return theirs


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """Lets layers of Keras declare variables without drawing values, for which it would compile a program each."""
    with keras.StatelessScope(initialize_variables=False):
        yield
    global_state.set_global_attribute("uninitialized_variables", [])


def normal(config: Any) -> Any:
    """A config as JSON, without the names of layers, which Keras counts, and what Keras notes of building.

    `"activity_regularizer": None` says what its absence says; Keras's layers do the one or the other. Numbers are
    compared as float32, as which Keras keeps some of them.
    """
    if isinstance(config, dict):
        return {
            key: normal(value)
            for key, value in config.items()
            if key not in ("build_config", "shared_object_id")
            and not (key == "name" and "dtype" in config)
            and not (key == "activity_regularizer" and value is None)
        }
    if isinstance(config, list | tuple):
        return [normal(item) for item in config]
    return float(np.float32(config)) if isinstance(config, float) else config
