"""Recurrence: a loop over time that adds a product of the state to a known input.

    z[t] = x[t] + product(h[t-1], kernel, masks)        states[t] = advance(z[t], states[t-1])        h = states[0]

where x, z and the product are lists of blocks, one for each gate: a slice of a block is read as fast as the block, a
block of a slice is not vectorized by XLA's CPU compiler.

The product is linear in the kernel. So the change of all `z` with the kernel, for given states, is one product
for all steps, `product(h, dkernel, masks)`, which needs no loop; nor does its transpose, the kernel's gradient. Left to
itself, JAX adds that gradient up step by step, which on a CPU takes three times as long for convolutions.

Source: J. Appleyard et al., "Optimizing performance of recurrent neural networks on GPUs", arXiv:1604.01946, section 3.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.typing import Array, PyTree

Blocks = list[Array]
States = list[Array]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def recur(
    product: Callable[[Array, Array, PyTree], Blocks],
    advance: Callable[[Blocks, States], States],
    unroll: bool,
    xs: Blocks,
    keep: Array | None,
    states: States,
    kernel: Array,
    masks: list[Array] | None,
) -> tuple[States, Array]:
    """The last states, and the first state after each step.

    Args:
        product: `(h, kernel, masks) -> [(..., b, o), ...]` for `h` with any number of leading axes, linear in the
            kernel; the masks are constants of its derivative. Closes over no arrays.
        advance: `(z, states) -> states`, likewise.
        unroll: whether the program repeats the step instead of looping.
        xs: `[(t, b, ...), ...]`, as many as the product has.
        keep: `(t, b)` booleans, or `None`: where not, a step leaves the states as they are.
        states: `[h (b, ...), ...]`.
        kernel, masks: the arguments of the product.

    Returns:
        The states after the last step; `h` after each, `(t, b, ...)`.

    >>> def run(kernel):
    ...     x, h = jnp.ones((3, 1)), jnp.zeros(1)
    ...     return recur(lambda h, k, _: [k * h], lambda z, _: z, False, [x], None, [h], kernel, ())[1].ravel()
    >>> run(2.0).tolist(), jax.jacrev(run)(2.0).tolist()  # 1, 1 + k, 1 + k + k * k
    ([1.0, 3.0, 7.0], [0.0, 1.0, 5.0])
    """
    return _loop(product, advance, unroll, xs, keep, states, kernel, masks, lambda new, old: new[0])


@recur.defjvp
def _(
    product: Callable[..., Any],
    advance: Callable[..., Any],
    unroll: bool,
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
) -> tuple[PyTree, PyTree]:
    xs, keep, states, kernel, masks = primals
    dxs, _, dstates, dkernel, _ = tangents

    def run(xs: Blocks, states: States) -> Any:
        return _loop(product, advance, unroll, xs, keep, states, kernel, masks, lambda new, old: (new[0], old[0]))

    (last, (after, before)), linear = jax.linearize(run, xs, states)
    _, of_kernel = jax.jvp(lambda kernel: product(before, kernel, masks), (kernel,), (dkernel,))
    dlast, (dafter, _) = linear(added(dxs, of_kernel), dstates)
    return (last, after), (dlast, dafter)


def _loop(
    product: Callable[..., Any],
    advance: Callable[..., Any],
    unroll: bool,
    xs: Blocks,
    keep: Array | None,
    states: States,
    kernel: Array,
    masks: list[Array] | None,
    emitted: Callable[[States, States], PyTree],
) -> tuple[States, Any]:
    def body(old: States, at: tuple[Blocks, Array | None]) -> tuple[States, Any]:
        x, kept = at
        new = advance(added(x, product(old[0], kernel, masks)), old)
        new = [selected(kept, state, before) for state, before in zip(new, old, strict=True)]
        return new, emitted(new, old)

    return jax.lax.scan(body, states, (xs, keep), unroll=unroll or 1)


def added(ones: Blocks, others: Blocks) -> Blocks:
    """The sums of blocks.

    >>> added([1, 2], [10, 20])
    [11, 22]
    """
    return [one + other for one, other in zip(ones, others, strict=True)]


def widened(keep: Array, ndim: int) -> Array:
    """A mask with further axes of size 1 at the end.

    >>> widened(jnp.ones((2, 3), bool), 4).shape
    (2, 3, 1, 1)
    """
    return jnp.expand_dims(keep, tuple(range(keep.ndim, ndim)))


def selected(keep: Array | None, new: Array, old: Array) -> Array:
    """`new` where steps count, else `old`.

    >>> selected(jnp.array([True, False]), jnp.ones((2, 1)), jnp.zeros((2, 1))).tolist()
    [[1.0], [0.0]]
    """
    return new if keep is None else jnp.where(widened(keep, new.ndim), new, old)
