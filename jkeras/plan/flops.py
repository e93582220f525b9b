"""The floating-point operations of a traced step: those of its matrix products and convolutions.

Counted before the compiler: XLA counts the body of a loop once, and only for some platforms. What a layer computes
again for its gradient (`remat`) counts again.
"""

import math
from typing import Any

import jax

from jkeras.jax_compat import CONVOLUTION, inner_jaxprs


def matmul_flops(traced: jax.stages.Traced) -> int:
    """The operations of all matrix products and convolutions, on all devices together.

    A loop of unknown length counts once, of branches the longest counts, and what a custom kernel computes inside does
    not count.

    >>> import jax.numpy as jnp
    >>> loop = jax.jit(lambda x: jax.lax.scan(lambda c, _: (c @ c, None), x, length=3)[0])
    >>> matmul_flops(loop.trace(jnp.ones((4, 4))))
    384
    """
    return _of(traced.jaxpr.jaxpr)


def _of(jaxpr: Any) -> int:
    total = 0
    for equation in jaxpr.eqns:
        name, inner = equation.primitive.name, [_of(each) for each in inner_jaxprs(equation)]
        if name == "dot_general":
            total += _product(equation)
        elif name == CONVOLUTION:
            total += _convolution(equation)
        elif name == "pallas_call":
            continue
        elif name == "scan":
            total += equation.params["length"] * sum(inner)
        elif name == "cond":
            total += max(inner, default=0)
        elif name == "shard_map":
            total += equation.params["mesh"].size * sum(inner)
        else:
            total += sum(inner)
    return total


def _product(equation: Any) -> int:
    (contracting, _), _ = equation.params["dimension_numbers"]
    left, (made,) = equation.invars[0].aval.shape, equation.outvars
    flops: int = 2 * math.prod(made.aval.shape) * math.prod(left[axis] for axis in contracting)
    return flops


def _convolution(equation: Any) -> int:
    kernel, (made,) = equation.invars[1].aval.shape, equation.outvars
    outputs = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
    flops: int = 2 * math.prod(made.aval.shape) * math.prod(kernel) // outputs
    return flops
