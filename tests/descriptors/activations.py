"""One row per public activation and way to call it. Between them the rows move each argument off its default."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import activations


@dataclasses.dataclass(frozen=True)
class Activation:
    """A public name and the keyword arguments of a call."""

    name: str
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    keras_agrees: bool = True

    def __str__(self) -> str:
        return "-".join([self.name, *(f"{key}={value}" for key, value in self.kwargs.items())])

    def of(self, library: Any) -> Any:
        """The function of `jkeras.activations` or `keras.activations`, with the arguments bound."""
        return functools.partial(getattr(library, self.name), **self.kwargs)

    def make(self) -> Any:
        """Ours."""
        return self.of(activations)


def sample(dtype: str = "float32") -> jax.Array:
    """(4, 6) values between -8 and 8 in no order, none nearer than 0.02 to a corner of any row below."""
    values = np.random.default_rng(0).permutation(np.linspace(-7.58, 7.75, 24))
    corners = [-6, -3, -2, -1, -0.5, 0, 0.3, 0.5, 1, 1.5, 2, 3, 4.5, 6]
    assert np.abs(np.subtract.outer(values, corners)).min() > 0.02
    return jnp.asarray(values.reshape(4, 6), dtype)


ROWS = (
    Activation("celu"),
    Activation("celu", {"alpha": 0.4}),
    Activation("elu"),
    Activation("elu", {"alpha": 0.4}),
    Activation("exponential"),
    Activation("gelu"),
    Activation("gelu", {"approximate": True}),
    Activation("glu"),
    Activation("glu", {"axis": 0}),
    Activation("hard_shrink"),
    Activation("hard_shrink", {"threshold": 1.5}),
    Activation("hard_sigmoid"),
    Activation("hard_silu"),
    Activation("hard_tanh"),
    Activation("leaky_relu"),
    Activation("leaky_relu", {"negative_slope": 0.4}),
    Activation("linear"),
    Activation("log_sigmoid"),
    Activation("log_softmax"),
    Activation("log_softmax", {"axis": 0}),
    Activation("log_softmax", {"axis": (0, 1)}, keras_agrees=False),  # Keras takes one axis
    Activation("mish"),
    Activation("relu"),
    Activation("relu", {"negative_slope": 0.3}),
    Activation("relu", {"max_value": 4.5}),
    Activation("relu", {"max_value": 6.0}),
    Activation("relu", {"threshold": 1.5}),
    Activation("relu", {"negative_slope": 0.3, "max_value": 4.5}),
    Activation("relu", {"negative_slope": 0.3, "threshold": 1.5}),
    Activation("relu", {"negative_slope": 0.3, "max_value": 4.5, "threshold": 1.5}),
    Activation("relu6"),
    Activation("selu"),
    Activation("sigmoid"),
    Activation("silu"),
    Activation("soft_shrink"),
    Activation("soft_shrink", {"threshold": 1.5}),
    Activation("softmax"),
    Activation("softmax", {"axis": 0}),
    Activation("softmax", {"axis": (0, 1)}),
    Activation("softplus"),
    Activation("softsign"),
    Activation("sparse_plus"),
    Activation("sparse_sigmoid"),
    Activation("sparsemax", keras_agrees=False),  # Keras adds up cumulative sums: its results do not add up to 1
    Activation("sparsemax", {"axis": 0}, keras_agrees=False),
    Activation("squareplus"),
    Activation("squareplus", {"b": 0.5}),
    Activation("tanh"),
    Activation("tanh_shrink"),
    Activation("threshold", {"threshold": 1.5, "default_value": -2.0}),
)
