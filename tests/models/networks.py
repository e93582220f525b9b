"""Networks that jkeras and Keras build from the same lines: `library` is either of the two packages."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

R = np.random.default_rng(0)


class Network(NamedTuple):
    """How to build one, and what to call it on."""

    build: Callable[[Any], Any]
    inputs: Any


def numbers(*shape: int) -> np.ndarray:
    return R.normal(size=shape).astype("float32")


def mlp(library):
    return library.Sequential(
        [library.Input((3,)), library.layers.Dense(4, activation="relu"), library.layers.Dense(2)]
    )


def deferred(library):
    model = library.Sequential([library.layers.Dense(4, kernel_regularizer="l2"), library.layers.Dense(2)])
    model.build((None, 3))
    return model


def convolutional(library):
    layers = library.layers
    return library.Sequential(
        [
            library.Input((6, 6, 2), name="image"),
            layers.Conv2D(3, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(4, name="head"),
            layers.Softmax(),
        ],
        name="digits",
    )


def residual(library):
    layers = library.layers
    inputs = library.Input((5,))
    hidden = layers.Dense(5, activation="tanh")(inputs)
    hidden = layers.Add()([hidden, inputs])
    hidden = layers.LayerNormalization()(hidden)
    return library.Model(inputs, layers.Dense(2)(hidden), name="residual")


def siamese(library):
    """One layer called on two inputs, and a dict of outputs."""
    layers = library.layers
    left, right = library.Input((4,), name="left"), library.Input((4,), name="right")
    shared = layers.Dense(3, activation="relu")
    one, two = shared(left), shared(right)
    outputs = {
        "close": layers.Dot(axes=1)([one, two]),
        "both": [layers.Concatenate()([one, two]), layers.Subtract()([two, one])],
    }
    return library.Model({"left": left, "right": right}, outputs)


def nested(library):
    """A model and a chain inside a model, the first called twice."""
    layers = library.layers
    inner_input = library.Input((4,))
    inner = library.Model(inner_input, [layers.Dense(4)(inner_input)], name="inner")
    chain = library.Sequential([library.Input((4,)), layers.Dense(2, activation="relu")], name="chain")
    inputs = library.Input((4,))
    once = inner(inputs)
    twice = inner(once)
    return library.Model(inputs, [chain(twice), twice])


def operators(library):
    """Operators and functions between layers."""
    ops, layers = library.ops, library.layers
    a, b = library.Input((4,), name="a"), library.Input((4,), name="b")
    x = layers.Dense(4)(a) + 1.0
    x = 2.0 * x - b / 3.0
    y = ops.concatenate([x, b], axis=-1)[:, 1:5]
    z = ops.sum(ops.exp(-(y**2)), axis=-1, keepdims=True)
    mixed = ops.einsum("bi,bj->bij", x, b)
    outputs = [
        ops.softmax(x, axis=-1),
        ops.where(ops.greater(x, 0.0), x, b),
        ops.mean(mixed, axis=(1, 2)),
        ops.transpose(mixed, axes=(0, 2, 1)) @ mixed,
        ops.reshape(mixed, (-1, 16)),
        z,
        ops.clip(x, x_min=-0.5, x_max=0.5),
        ops.maximum(ops.abs(x), 0.2),
    ]
    return library.Model([a, b], outputs)


def integers(library):
    """A mask from an embedding, and an input of integers."""
    layers = library.layers
    tokens = library.Input((5,), dtype="int32", name="tokens")
    x = layers.Embedding(7, 3)(tokens)
    x = layers.GlobalAveragePooling1D()(x)
    return library.Model(tokens, layers.Dense(2)(x))


def shared_at_two_depths(library):
    """`A(B(A(x)))`: a call of the first layer waits for another layer's."""
    layers = library.layers
    a, b = layers.Dense(3, name="a"), layers.Dense(3, name="b")
    inputs = library.Input((3,))
    return library.Model(inputs, a(b(a(inputs))))


def lists(library):
    layers = library.layers
    one, two = library.Input((2,)), library.Input((2,))
    return library.Model([one, (two,)], (layers.Add()([one, two]), [layers.Multiply()([one, two])]))


NETWORKS = {
    "mlp": Network(mlp, numbers(2, 3)),
    "deferred": Network(deferred, numbers(2, 3)),
    "convolutional": Network(convolutional, numbers(2, 6, 6, 2)),
    "residual": Network(residual, numbers(2, 5)),
    "siamese": Network(siamese, {"left": numbers(2, 4), "right": numbers(2, 4)}),
    "nested": Network(nested, numbers(2, 4)),
    "operators": Network(operators, [numbers(2, 4), numbers(2, 4)]),
    "integers": Network(integers, np.array([[1, 2, 0, 3, 6]], "int32")),
    "shared": Network(shared_at_two_depths, numbers(2, 3)),
    "lists": Network(lists, [numbers(2, 2), (numbers(2, 2),)]),
}


def off_default(variables: Any) -> Any:
    """Values in place of zeros and ones, so that every weight matters; what is a variance stays positive."""
    random = np.random.default_rng(1)
    return jax.tree.map(
        lambda leaf: leaf if leaf.dtype == "uint32" else random.uniform(0.1, 0.9, leaf.shape).astype(leaf.dtype),
        variables,
    )
