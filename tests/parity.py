"""Parity with Keras: one configuration, one set of weights, the same inputs, and everything that comes out compared."""

import copy
import inspect
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import registry, tree
from tests.contract.subject import Subject, is_float, jit_quickly, split_floats
from tests.descriptors.row import LayerRow
from tests.oracle import asking_keras, assert_close, keras


def check_parity(row: LayerRow) -> None:
    """Builds Keras's layer from our config and ours from Keras's, copies the weights, and compares configs, the order
    of weights, outputs, gradients in inputs and trainable weights, and the updated state.

    The gradients are those of `sum(outputs * cotangent)` with a fixed random cotangent.
    """
    ours = Subject(row)
    theirs = keras_twin(ours)
    weights = [off_default(weight) for weight in ours.layer.get_weights(ours.variables)]
    variables = ours.layer.set_weights(ours.variables, weights)
    with asking_keras():
        assert [(w.name, tuple(w.shape)) for w in theirs.weights] == [(w.name, w.shape) for w in ours.layer.weights], (
            "Keras orders the weights otherwise"
        )
        theirs.set_weights(weights)
        their_lists = [
            [variable.value for variable in theirs.trainable_variables],
            [variable.value for variable in theirs.non_trainable_variables],
        ]
        names = [variable.name for variable in theirs.non_trainable_variables]
    our_lists = [
        [tree.flatten(values)[declaration.path] for declaration in declarations]
        for values, declarations in zip(variables, ours.layer.structure().split(), strict=True)
    ]
    if len(names) == len(our_lists[1]):  # an unseeded stream begins anywhere: theirs where ours does
        streams = [name == "seed_generator_state" for name in names]
        pairs = zip(streams, our_lists[1], their_lists[1], strict=True)
        their_lists[1] = [our if is_stream else their for is_stream, our, their in pairs]

    def our_call(trainable: Any, non_trainable: Any, args: Any, kwargs: Any) -> Any:
        return ours.call(type(ours.variables)(trainable, non_trainable), args, kwargs)

    context = {"training": row.training} if "training" in inspect.signature(theirs.call).parameters else {}

    def their_call(trainable: Any, non_trainable: Any, args: Any, kwargs: Any) -> Any:
        return theirs.stateless_call(trainable, non_trainable, *args, **context, **kwargs, **row.static)

    mine = outputs_and_gradients(our_call, our_lists, ours)
    with asking_keras():
        reference = outputs_and_gradients(their_call, their_lists, ours)
    for what, one, other in zip(("outputs", "state", "gradients"), mine, reference, strict=True):
        one, other = jax.tree.leaves(one), jax.tree.leaves(other)
        assert len(one) == len(other), f"{what}: {len(one)} leaves, Keras has {len(other)}"
        cancels = bool(row.cancels) and what == "gradients"
        scale = max(float(jnp.abs(leaf).max()) for leaf in other) if cancels else None
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert a.dtype == b.dtype, f"{what} {index}: {a.dtype}, Keras has {b.dtype}"
            if is_float(a):
                assert_close(a, b, ulps=row.ulps, scale=scale, err_msg=f"{what} {index}")
            else:
                np.testing.assert_array_equal(a, b, err_msg=f"{what} {index}")


def keras_twin(ours: Subject) -> Any:
    """Keras's layer, built, made from our config; checks that either library's config makes the other's layer."""
    config = json.loads(json.dumps(registry.serialize(ours.layer)))
    with asking_keras():
        theirs = keras.layers.deserialize(copy.deepcopy(config))  # some classes of Keras change what they read
        symbols = jax.tree.map(lambda x: keras.KerasTensor(x.shape, x.dtype.name), (ours.args, ours.kwargs))
        theirs(*symbols[0], **symbols[1], **ours.row.static)  # builds it
        written = keras.layers.serialize(theirs)
    assert normal(written["config"]) == normal(config["config"]), "Keras writes another config for our layer"
    read = registry.deserialize(json.loads(json.dumps(written)))
    assert normal(read.get_config()) == normal(config["config"]), "we read another config from Keras's"
    assert type(read) is type(ours.layer)
    assert (written["module"], written["class_name"]) == (config["module"], config["class_name"])
    return theirs


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


def off_default(weight: np.ndarray) -> np.ndarray:
    """A weight moved a little, so that a bias of zeros or a scale of ones is not missed where it is not used."""
    if weight.dtype.kind != "f":
        return weight
    return weight + 0.1 * np.random.default_rng(weight.size).normal(size=weight.shape).astype(weight.dtype)


def outputs_and_gradients(call: Any, lists: list[list[jax.Array]], ours: Subject) -> tuple[Any, Any, Any]:
    """Outputs, new state and gradients of a stateless call, compiled as one program."""
    trainable, non_trainable = lists
    floats, merge = split_floats((trainable, ours.args, ours.kwargs))

    def scalar(floats: list[jax.Array]) -> tuple[jax.Array, Any]:
        weights, args, kwargs = merge(floats)
        outputs, state = call(weights, non_trainable, args, kwargs)
        generator = np.random.default_rng(0)
        total = jnp.zeros(())
        for leaf in jax.tree.leaves(outputs):
            if is_float(leaf):
                total += jnp.sum(leaf * generator.normal(size=leaf.shape).astype(leaf.dtype))
        return total, (outputs, state)

    if ours.row.gradients is True:
        (_, (outputs, state)), gradients = jit_quickly(jax.value_and_grad(scalar, has_aux=True))(floats)
        return outputs, state, gradients
    outputs, state = jit_quickly(scalar)(floats)[1]
    return outputs, state, []
