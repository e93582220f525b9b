"""The neural part of the table: activations, convolution, pooling, normalization, encodings, recordable on symbolic
tensors. The functions themselves are those of `jkeras.activations` and `jkeras.functional`."""

import jax
import jax.numpy as jnp

from jkeras import activations, functional
from jkeras.core.lift import lift, listed
from jkeras.errors import ShapeError
from jkeras.ops import crossentropy, encoding, normalization, windows
from jkeras.ops.complex import polar
from jkeras.ops.crossentropy import *  # noqa: F403
from jkeras.ops.encoding import *  # noqa: F403
from jkeras.ops.normalization import *  # noqa: F403
from jkeras.ops.precision import in_float32
from jkeras.ops.windows import *  # noqa: F403
from jkeras.typing import Array, ArrayLike

# -- activations

celu = lift(activations.celu, "celu")
elu = lift(activations.elu, "elu")
glu = lift(activations.glu, "glu")
hard_shrink = lift(activations.hard_shrink, "hard_shrink")
hard_sigmoid = lift(activations.hard_sigmoid, "hard_sigmoid")
hard_silu = lift(activations.hard_silu, "hard_silu")
hard_swish = hard_silu
hard_tanh = lift(activations.hard_tanh, "hard_tanh")
leaky_relu = lift(activations.leaky_relu, "leaky_relu")
log_sigmoid = lift(activations.log_sigmoid, "log_sigmoid")
log_softmax = lift(activations.log_softmax, "log_softmax")
relu = lift(jax.nn.relu, "relu")
relu6 = lift(activations.relu6, "relu6")
selu = lift(activations.selu, "selu")
sigmoid = lift(activations.sigmoid, "sigmoid")
silu = lift(activations.silu, "silu")
swish = silu
soft_shrink = lift(activations.soft_shrink, "soft_shrink")
softmax = lift(activations.softmax, "softmax")
softplus = lift(activations.softplus, "softplus")
softsign = lift(activations.softsign, "softsign")
sparse_plus = lift(activations.sparse_plus, "sparse_plus")
sparse_sigmoid = lift(activations.sparse_sigmoid, "sparse_sigmoid")
sparsemax = lift(activations.sparsemax, "sparsemax")
squareplus = lift(activations.squareplus, "squareplus")
tanh_shrink = lift(activations.tanh_shrink, "tanh_shrink")
threshold = lift(activations.threshold, "threshold")


@listed
def gelu(x: ArrayLike, approximate: bool = True) -> Array:
    """The Gaussian error linear unit: `x * P(X <= x)` for a standard normal `X`.

    Approximate by default, as `keras.ops.gelu` is; `jkeras.activations.gelu` is exact by default.

    Args:
        x: array of any shape.
        approximate: whether to use `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`.

    Returns:
        The shape and dtype of `x`; integers become floats.

    Source: D. Hendrycks and K. Gimpel, "Gaussian error linear units", arXiv:1606.08415.

    >>> x = jnp.array([-1.0, 2.0])
    >>> [[round(float(y), 4) for y in gelu(x, approximate)] for approximate in (True, False)]
    [[-0.1588, 1.9546], [-0.1587, 1.9545]]
    """
    return activations.gelu(x, approximate)


@listed
def dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Array:
    """`softmax(scale * query @ key + bias) @ value`, for each head, over the keys that a query may look at.

    Args:
        query: `(b, t, n, c)`, for `n` heads.
        key: `(b, s, m, c)`; each of the `m` heads serves `n / m` heads of the query.
        value: `(b, s, m, o)`.
        bias: added to the scores, broadcastable to `(b, n, t, s)`.
        mask: bool, true where a query may look at a key, broadcastable to `(b, n, t, s)`.
        scale: of the scores; `1 / sqrt(c)` by default.
        is_causal: whether a query sees only its own and earlier positions.
        flash_attention: `None` takes NVIDIA's fused kernel, which never holds the scores, where it can do the call, and
            XLA elsewhere; `True` makes it an error that the kernel cannot; `False` always takes XLA.
        attn_logits_soft_cap: keeps the scores within `(-cap, cap)`, by `cap * tanh(scores / cap)`; `None` for no cap.

    Returns:
        `(b, t, n, o)`, in the dtype to which query, key and value promote; zeros for a query that may look at nothing.

    Raises:
        ShapeError: ranks, heads or sizes do not fit.
        ArgumentError: the fused kernel is demanded and cannot do the call.

    Source: A. Vaswani et al., "Attention is all you need", arXiv:1706.03762; heads that share keys: arXiv:2305.13245;
    the fused kernel: arXiv:2205.14135; the cap: arXiv:2408.00118.

    >>> query, key = jnp.zeros((1, 2, 1, 4)), jnp.ones((1, 2, 1, 4))  # all keys fit equally well
    >>> value = jnp.array([1.0, 3.0]).reshape(1, 2, 1, 1)
    >>> dot_product_attention(query, key, value, is_causal=True).ravel().tolist()
    [1.0, 2.0]
    """
    return functional.dot_product_attention(
        query,
        key,
        value,
        bias,
        mask,
        scale=scale,
        is_causal=is_causal,
        soft_cap=attn_logits_soft_cap,
        implementation="xla" if flash_attention is False else None,
        strict=flash_attention is True,
    )


@listed
@in_float32
def psnr(x1: Array, x2: Array, max_val: float) -> Array:
    """Peak signal-to-noise ratio in decibels: `20 log10(max_val) - 10 log10(mean((x1 - x2)^2))`.

    Args:
        x1: a signal or images, floats; the difference of unsigned integers would wrap around.
        x2: another of the same shape.
        max_val: the largest value that signals may have: 1.0, or 255 for images in bytes.

    Returns:
        A scalar, over all elements; infinity where the signals are equal.

    Raises:
        ShapeError: the shapes differ.

    Source: the definition above.

    >>> round(float(psnr(jnp.zeros(4), jnp.full(4, 0.1), max_val=1.0)), 4)
    20.0
    """
    if x1.shape != x2.shape:
        rule = f"`x2` must have the shape of `x1`, {x1.shape}"
        write = "ops.psnr(x1, ops.broadcast_to(x2, x1.shape), max_val)   # one signal against several"
        raise ShapeError.must(rule, x2.shape, path="psnr", expected=x1.shape, write=write)
    return 20 * jnp.log10(jnp.asarray(max_val, x2.dtype)) - 10 * jnp.log10(jnp.mean(jnp.square(x1 - x2)))


# fmt: off
__all__ = [
    "celu", "dot_product_attention", "elu", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish",
    "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax", "polar", "psnr", "relu", "relu6", "selu", "sigmoid",
    "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax",
    "squareplus", "swish", "tanh_shrink", "threshold",
    *crossentropy.__all__, *encoding.__all__, *normalization.__all__, *windows.__all__,
]
# fmt: on
