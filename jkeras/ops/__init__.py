"""The operations: Keras's names for functions of `jax.numpy`, `jax.nn` and `jax.lax`, recordable on symbolic tensors.

On arrays an operation is the JAX function itself; on a KerasTensor it becomes part of the graph. `lift` makes any other
JAX function recordable.
"""

from jkeras.core.lift import lift
from jkeras.ops import core, creation, image, linalg, math, nn, numpy
from jkeras.ops.core import *  # noqa: F403 - each module lists what it holds
from jkeras.ops.creation import *  # noqa: F403
from jkeras.ops.einops import rearrange
from jkeras.ops.linalg import *  # noqa: F403
from jkeras.ops.math import *  # noqa: F403
from jkeras.ops.nn import *  # noqa: F403
from jkeras.ops.numpy import *  # noqa: F403

__all__ = [
    "image",
    "lift",
    "linalg",
    "nn",
    "numpy",
    "rearrange",
    *core.__all__,
    *creation.__all__,
    *linalg.__all__,
    *math.__all__,
    *nn.__all__,
    *numpy.__all__,
]
