"""The crossentropy of a linear layer's scores, computed together with the layer, some rows at a time.

The scores of a language model, a number for each position and each word, are the largest array of its training step.
The loss needs of each row the logarithm of the sum of its exponentials and one entry; the gradient needs the row again.
So a loop computes the scores of some rows, their losses and their gradients before it goes on, and the scores of one
turn are all that exists at a time. The weights of the losses are known then, so the gradients are complete when the
forward pass ends; the backward pass multiplies them by one number. Nothing is computed twice.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jkeras import arguments
from jkeras.dtypes import PolicyLike
from jkeras.losses.arrays import as_arrays
from jkeras.losses.base import public
from jkeras.losses.sparse import SparseCategoricalCrossentropy, class_indices, of_logits
from jkeras.losses.weighting import MEAN, align, apply_mask, merge_masks, sum_and_count, weigh
from jkeras.typing import Array, ArrayLike, ArrayTree, Config

SCORES = 2**26  # of one turn where nobody says how many rows it has: 256 MiB in float32


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("features", "kernel", "bias"),
    meta_fields=("transposed", "soft_cap"),
)
@dataclasses.dataclass(frozen=True)
class LinearLogits:
    """Logits as what they are computed of: `features @ kernel + bias`. A tree of arrays.

    Args:
        features: `(..., i)`.
        kernel: `(i, classes)`, or with `transposed` `(classes, i)`, as an embedding has it.
        bias: `(classes,)`, or `None`.
        transposed: which of both the kernel is.
        soft_cap: a bound of the logits, `cap * tanh(logits / cap)`; `None` for none.

    >>> LinearLogits(jnp.zeros((2, 3, 8)), jnp.zeros((8, 100))).shape
    (2, 3, 100)
    """

    features: Array
    kernel: Array
    bias: Array | None = None
    transposed: bool = False
    soft_cap: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the logits."""
        return (*self.features.shape[:-1], self.kernel.shape[0 if self.transposed else 1])


def fused_linear_crossentropy(
    labels: ArrayLike,
    logits: LinearLogits,
    weights: ArrayLike | None = None,
    *,
    label_smoothing: float = 0.0,
    rows: int | None = None,
) -> Array:
    """`sum of weights * -log softmax(features @ kernel + bias)[label]`, without the logits of all rows in memory.

    Scores are added up and losses computed in float32, gradients of the kernel too, whatever the dtype of the features:
    in float32 values and gradients are those of the loss of all logits, up to the order of sums.

    Args:
        labels: `(...)`, class indices.
        logits: of features `(..., i)`.
        weights: `(...)`, of each loss; 1 by default. Features of weight 0 may hold anything.
        label_smoothing: `s`; the label is then `(1 - s) onehot(label) + s / classes`.
        rows: how many rows one turn of the loop has; by default as many as make 256 MiB of logits.

    Returns:
        A scalar, float32 at least; inside a compiled function NaN where a label that counts is not a class.

    Raises:
        ShapeError: the shapes do not fit.
        DataError: a label is not a class, outside of compiled functions.

    >>> logits = LinearLogits(jnp.array([[1.0], [2.0]]), jnp.array([[0.0, 1.0]]))
    >>> total = fused_linear_crossentropy(jnp.array([1, 0]), logits, rows=1)
    >>> bool(jnp.isclose(total, -jax.nn.log_softmax(jnp.array([[0.0, 1.0], [0.0, 2.0]]))[jnp.arange(2), [1, 0]].sum()))
    True

    Source: the definition; gradients beside the losses as in P.-L. Hsu et al., "Liger kernel", arXiv:2410.10989.
    """
    indices, features = class_indices(labels, logits.shape, -1), logits.features
    wide = jnp.promote_types(features.dtype, "float32")
    if weights is None:
        factors = jnp.ones(indices.shape, wide)
    else:
        factors = jnp.broadcast_to(align(indices, jnp.asarray(weights, wide))[1], indices.shape)
        counts = factors != 0
        indices = jnp.where(counts, indices, 0)
        features = jnp.where(jnp.expand_dims(counts, -1), features, jnp.zeros((), features.dtype))
    turns = number_of_turns(indices.size, logits.shape[-1], rows)
    options = Options(logits.transposed, logits.soft_cap, label_smoothing)
    flat = jnp.reshape(features, (-1, features.shape[-1]))
    parts = [in_turns(x, turns) for x in (flat, indices.ravel(), factors.ravel())]  # (turns, rows, ...)
    return _total(options, parts[0], logits.kernel, logits.bias, *parts[1:])


@dataclasses.dataclass(frozen=True)
class Options:
    """What is fixed when the loss is traced."""

    transposed: bool
    soft_cap: float | None
    label_smoothing: float

    def scores(self, x: Array, kernel: Array, bias: Array | None) -> Array:
        """The scores `(rows, classes)` of features `(rows, i)`, before they are capped."""
        scores = _product("ri,oi->ro" if self.transposed else "ri,io->ro", x, kernel)
        return scores if bias is None else scores + bias.astype(scores.dtype).reshape(1, -1)

    def losses(self, scores: Array, labels: Array) -> Array:
        """The losses `(rows,)` of scores."""
        if self.soft_cap is not None:
            scores = self.soft_cap * jnp.tanh(scores / self.soft_cap)
        losses, s = of_logits(scores, labels), self.label_smoothing
        if not s:
            return losses
        uniform = jax.nn.logsumexp(scores, axis=-1) - jnp.mean(scores, axis=-1)
        return (1 - s) * losses + s * uniform


def number_of_turns(rows: int, classes: int, wanted: int | None = None) -> int:
    """How many turns rows are divided into; where that is near, a number that divides them.

    >>> number_of_turns(8192, 50304), number_of_turns(8192, 100), number_of_turns(10, 100, 4)
    (8, 1, 5)
    """
    least = max(1, -(-rows // (wanted or max(1, SCORES // classes))))
    return next((turns for turns in range(least, 2 * least) if rows % turns == 0), least)


def in_turns(x: Array, turns: int) -> Array:
    """Rows `(n, ...)` as `(turns, n / turns, ...)`, zeros added at the end where that is not whole.

    Each turn has rows from everywhere, so that of rows that are split over devices it has some of each device's.

    >>> in_turns(jnp.arange(5), 2).tolist()
    [[0, 2, 4], [1, 3, 0]]
    """
    x = jnp.pad(x, [(0, -x.shape[0] % turns)] + [(0, 0)] * (x.ndim - 1))
    return jnp.swapaxes(jnp.reshape(x, (-1, turns, *x.shape[1:])), 0, 1)


def _product(equation: str, a: Array, b: Array) -> Array:
    """A product that is added up, and stays, in float32."""
    product: Array = jnp.einsum(equation, a, b, preferred_element_type=jnp.promote_types(a.dtype, "float32"))
    return product


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _total(
    options: Options, features: Array, kernel: Array, bias: Array | None, labels: Array, weights: Array
) -> Array:
    """The sum of weighted losses; features `(turns, rows, i)`, labels and weights `(turns, rows)`."""

    def turn(total: Array, part: tuple[Array, Array, Array]) -> tuple[Array, None]:
        x, y, w = part
        return total + jnp.sum(weigh(options.losses(options.scores(x, kernel, bias), y), w)), None

    return lax.scan(turn, jnp.zeros((), weights.dtype), (features, labels, weights))[0]


def _total_and_gradients(
    options: Options, features: Array, kernel: Array, bias: Array | None, labels: Array, weights: Array
) -> tuple[Array, Any]:
    back = ("ro,oi->ri", "ro,ri->oi") if options.transposed else ("ro,io->ri", "ro,ri->io")

    def turn(sums: Any, part: tuple[Array, Array, Array]) -> tuple[Any, tuple[Array, Array]]:
        (total, of_kernel, of_bias), (x, y, w) = sums, part
        losses, pull = jax.vjp(lambda scores: options.losses(scores, y), options.scores(x, kernel, bias))
        slopes = pull(w)[0]  # (rows, classes)
        of_bias = None if of_bias is None else of_bias + jnp.sum(slopes, axis=0)
        slopes = slopes.astype(x.dtype)
        of_kernel = of_kernel + _product(back[1], slopes, x)
        sums = total + jnp.sum(weigh(losses, w)), of_kernel, of_bias
        return sums, (_product(back[0], slopes, kernel), weigh(losses, w != 0))

    wide = weights.dtype
    start = jnp.zeros((), wide), jnp.zeros(kernel.shape, wide), None if bias is None else jnp.zeros(bias.shape, wide)
    (total, of_kernel, of_bias), (of_features, losses) = lax.scan(turn, start, (features, labels, weights))
    return total, (of_features.astype(features.dtype), of_kernel, of_bias, losses, (kernel, bias))


def _scaled(options: Options, kept: Any, factor: Array) -> tuple[Any, ...]:
    of_features, of_kernel, of_bias, losses, (kernel, bias) = kept
    bias_part = None if bias is None else (of_bias * factor).astype(bias.dtype)
    features_part = (of_features * factor).astype(of_features.dtype)
    return features_part, (of_kernel * factor).astype(kernel.dtype), bias_part, None, losses * factor


_total.defvjp(_total_and_gradients, _scaled)


@public(module="jkeras.losses")
class FusedLinearCrossentropy(SparseCategoricalCrossentropy):
    """The crossentropy of class indices and the model's last, linear layer, computed together.

    The value of `SparseCategoricalCrossentropy(from_logits=True)`, without the logits of the whole batch in memory. A
    trainer takes the features and the kernel from the layer that makes the output: `Dense` without an activation, or
    `ReversibleEmbedding(...)(x, reverse=True)`. The model, what it predicts and its files stay as they are. A metric of
    the logits, such as `"accuracy"`, computes them all at once beside that, and uses the memory after all.

    Called by hand it takes `LinearLogits`, or logits like any other loss.

    Args:
        ignore_class: a label that does not count: neither its loss nor, in a mean, its entry.
        rows: how many rows (examples, or positions of them) one turn of the loop has; by default as many as make
            256 MiB of logits.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ArgumentError: an argument out of range; in a trainer, an output that no such layer makes.

    >>> loss = FusedLinearCrossentropy(ignore_class=-1)
    >>> logits = LinearLogits(jnp.array([[0.0], [100.0], [5.0]]), jnp.array([[1.0, 0.0]]))
    >>> round(float(loss([1, 0, -1], logits)), 4)
    0.3466
    """

    unwritten: ClassVar[Mapping[str, Any]] = {}
    takes_linear_logits: ClassVar[bool] = True

    def __init__(
        self,
        ignore_class: int | None = None,
        rows: int | None = None,
        reduction: str | None = MEAN,
        name: str | None = "fused_linear_crossentropy",
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(True, ignore_class, reduction, name=name, dtype=dtype)
        if rows is not None:
            owner = "FusedLinearCrossentropy"
            rows = arguments.positive_int(rows, "rows", owner, f"{owner}(rows=1024)")
        self.rows = rows

    def __call__(
        self,
        y_true: ArrayTree,
        y_pred: Any,
        sample_weight: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
    ) -> Array:
        """As that of `Loss`; `y_pred` may be `LinearLogits`."""
        if not isinstance(y_pred, LinearLogits):
            return super().__call__(y_true, y_pred, sample_weight, mask=mask)
        return self.divide(*self.sum_and_count(y_true, y_pred, sample_weight, mask=mask))

    def sum_and_count(
        self,
        y_true: ArrayTree,
        y_pred: Any,
        sample_weight: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
    ) -> tuple[Array, Array | np.floating]:
        """As that of `Loss`; `y_pred` may be `LinearLogits`."""
        if not isinstance(y_pred, LinearLogits):
            return super().sum_and_count(y_true, y_pred, sample_weight, mask=mask)
        self.check_reduces()
        with jax.named_scope(self.name):
            labels = class_indices(y_true, y_pred.shape, -1, self.ignore_class)  # type: ignore[arg-type]
            if self.ignore_class is not None:
                valid = labels != self.ignore_class
                mask = merge_masks(None if mask is None else as_arrays(mask, bool), valid)
                labels = jnp.where(valid, labels, 0)
            weight = apply_mask(sample_weight, mask, "sum", jnp.promote_types(self.dtype, "float32"))
            total = fused_linear_crossentropy(labels, y_pred, weight, rows=self.rows)
            zeros = jnp.zeros(labels.shape, total.dtype)
            return total, sum_and_count(zeros, sample_weight, mask, self.reduction)[1]

    def get_config(self) -> Config:
        """`name`, `reduction`, `ignore_class` and `rows`."""
        skipped = ("from_logits", "axis")
        kept = {key: value for key, value in super().get_config().items() if key not in skipped}
        return {**kept, "rows": self.rows}
