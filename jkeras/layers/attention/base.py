"""HeadedAttention: what attention layers with heads share, which is nearly all of them.

Queries, keys and values are projected to heads, attended, and projected back. Padding is set to zero before the
projections, so that nothing it holds reaches another position, in outputs or in gradients.
"""

import string
from collections.abc import Mapping
from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, registry, regularizers
from jkeras.core import Layer, SeedGenerator, set_mask
from jkeras.core.options import PlainOptions
from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional import attention_weights, dot_product_attention, dropout, weigh
from jkeras.functional.attention_kernels import KERNELS, Implementation
from jkeras.layers.attention.folding import Folding
from jkeras.layers.core.einsum_dense import EinsumDense
from jkeras.layers.weights import describe, descriptions
from jkeras.typing import Array, Config, ConstraintLike, InitializerLike, RegularizerLike, Shape


class Heads(NamedTuple):
    """How many heads there are, and how many features each has."""

    queries: int
    keys: int
    key_features: int
    value_features: int


class HeadedAttention(Layer):
    """The base of `MultiHeadAttention` and `GroupQueryAttention`. A subclass says what its `heads` are."""

    heads: Heads

    def __init__(
        self,
        *,
        dropout: float,
        use_bias: bool,
        sliding_window: int | None,
        flash_attention: bool | None,
        kernel_initializer: InitializerLike,
        bias_initializer: InitializerLike,
        kernel_regularizer: RegularizerLike,
        bias_regularizer: RegularizerLike,
        kernel_constraint: ConstraintLike,
        bias_constraint: ConstraintLike,
        use_gate: bool,
        seed: int | None,
        position_embedding: Layer | Mapping[str, Any] | None,
        implementation: Implementation | Mapping[str, Any],
        activity_regularizer: RegularizerLike,
        **kwargs: Unpack[PlainOptions],
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.supports_masking = True
        self.dropout = arguments.fraction(dropout, "dropout", owner, interval="[0, 1)")
        self.implementation = _implementation(implementation, owner)
        fused = "flash_attention" if flash_attention else "implementation" if self.implementation is not None else None
        if fused is not None and dropout > 0:
            raise _drops_nothing(owner, fused)
        self.use_bias, self.use_gate = bool(use_bias), bool(use_gate)
        if sliding_window is not None:
            arguments.positive_int(sliding_window, "sliding_window", owner, f"{owner}(..., sliding_window=128)")
        self.sliding_window, self.flash_attention = sliding_window, flash_attention
        describe(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        describe(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.projection_regularizer = regularizers.get(activity_regularizer)
        self.seed = seed
        if dropout > 0:
            self.seed_generator = SeedGenerator(seed)
        none: EinsumDense | None = None
        self.query_dense = self.key_dense = self.gate_dense = self.value_dense = self.output_dense = none
        self.position_embedding = _layer(position_embedding, owner)

    def build(self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        self.check_shapes(query_shape, value_shape, key_shape)
        heads = self.heads
        self.query_dense = self._project("query", query_shape, (heads.queries, heads.key_features))
        self.key_dense = self._project("key", key_shape, (heads.keys, heads.key_features))
        if self.use_gate:
            self.gate_dense = self._project("gate", query_shape, (heads.queries, heads.value_features))
        self.value_dense = self._project("value", value_shape, (heads.keys, heads.value_features))
        attended = (*query_shape[:-1], heads.queries, heads.value_features)
        self.output_dense = self._project("attention_output", attended, self.output_features(query_shape), contracted=2)

    def output_features(self, query_shape: Any) -> tuple[int, ...]:
        """The shape of one position of the output; by default the features of the query."""
        return tuple(query_shape[-1:])

    def attended_axes(self, ndim: int) -> tuple[int, ...]:
        """The axes over which queries of a rank attend; by default all between batch and features."""
        return tuple(range(1, ndim - 1))

    def _project(self, name: str, shape: Shape, units: tuple[int, ...], contracted: int = 1) -> EinsumDense:
        """The affine map of the last axes of a shape to others: heads and their features are two axes."""
        letters = string.ascii_lowercase
        taken, given = letters[: len(shape)], letters[len(shape) : len(shape) + len(units)]
        kept = taken[:-contracted]
        dense = EinsumDense(
            f"{taken},{taken[-contracted:]}{given}->{kept}{given}",
            output_shape=(*[None] * (len(kept) - 1), *units),
            bias_axes=given if self.use_bias else None,
            **descriptions(self, "kernel", "bias"),
            activity_regularizer=self.projection_regularizer,
            dtype=self.declared_dtype_policy,
            name=name,
        )
        dense.build(shape)
        return dense

    def call(
        self,
        query: Array,
        value: Array,
        key: Array | None = None,
        query_mask: Array | None = None,
        value_mask: Array | None = None,
        key_mask: Array | None = None,
        attention_mask: Array | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
        segment_ids: Array | None = None,
    ) -> Any:
        assert self.query_dense and self.key_dense and self.value_dense
        key = value if key is None else key
        self.check_shapes(query.shape, value.shape, key.shape)
        folding = Folding(self.attended_axes(query.ndim), query.shape[:-1], key.shape[:-1], self._label)
        query_mask = positions_mask(query_mask, query, self._label)
        kept = _both(*(positions_mask(mask, value, self._label) for mask in (value_mask, key_mask)))
        query, key, value = _keep(query, query_mask), _keep(key, kept), _keep(value, kept)

        mask = None if attention_mask is None else folding.fold_mask(attention_mask, self.heads.queries)
        if kept is not None:
            mask = _both(mask, jnp.expand_dims(folding.fold(kept), (1, 2)))
        visible = {"mask": mask, "is_causal": use_causal_mask, "window": self.sliding_window}
        visible["segment_ids"] = jax.tree.map(folding.fold, segment_ids)

        q = self._place(folding.fold(self.query_dense(query)))  # (b, t, n, c)
        k = self._place(folding.fold(self.key_dense(key)))  # (b, s, m, c)
        v = folding.fold(self.value_dense(value))  # (b, s, m, o)
        attended, weights = self._attend(q, k, v, visible, return_attention_scores, bool(training))
        outputs = self._merge(folding.unfold(attended), query, query_mask)
        if weights is None:
            return outputs
        if query_mask is not None:
            weights = jnp.where(
                jnp.expand_dims(folding.fold(query_mask), (1, 3)), weights, jnp.zeros((), weights.dtype)
            )
        return outputs, folding.unfold_weights(weights)

    def _place(self, heads: Array) -> Array:
        """Queries or keys that know where they are."""
        return heads if self.position_embedding is None else self.position_embedding(heads)

    def _attend(
        self, query: Array, key: Array, value: Array, visible: dict[str, Any], with_weights: bool, training: bool
    ) -> tuple[Array, Array | None]:
        """What the queries attend to `(b, t, n, o)`, and, if asked for, the weights `(b, n, t, s)`."""
        drops = training and self.dropout > 0
        if not with_weights and not drops:
            how: Implementation = "xla" if self.flash_attention is False else self.implementation
            strict = self.flash_attention is True
            return dot_product_attention(query, key, value, implementation=how, strict=strict, **visible), None
        if self.flash_attention:
            problem = "`return_attention_scores` cannot be used with `flash_attention`, which keeps no scores."
            raise ArgumentError(
                problem,
                path=self._label,
                expected="return_attention_scores=False or flash_attention=None",
                received="return_attention_scores=True, flash_attention=True",
                write=f"{type(self).__name__}(..., flash_attention=None)",
            )
        weights = attention_weights(query, key, **visible)
        kept = dropout(weights, self.dropout, self.seed_generator.next()) if drops else weights
        return weigh(kept, value), weights if with_weights else None

    def _merge(self, attended: Array, query: Array, query_mask: Array | None) -> Array:
        """The output of `(b, ..., n, o)`, with the mask of the query. Positions of padding get the bias alone."""
        assert self.output_dense
        if self.gate_dense is not None:
            attended = attended * jax.nn.sigmoid(self.gate_dense(query))
        if query_mask is None:
            array: Array = self.output_dense(attended)
            return array
        outputs: Array = self.output_dense(jnp.where(jnp.expand_dims(query_mask, (-2, -1)), attended, 0))
        set_mask(outputs, query_mask)
        return outputs

    def check_shapes(self, query: Any, value: Any, key: Any) -> None:
        """Raises `ShapeError` unless the ranks are equal, and value and key have the same positions."""
        same = len(query) == len(value) == len(key) >= 3 and all(
            None in (a, b) or a == b for a, b in zip(value[:-1], key[:-1], strict=True)
        )
        if not same:
            raise ShapeError.must(
                "query, value and key must have the same rank and batch axes, and value and key the same positions",
                f"{tuple(query)}, {tuple(value)} and {tuple(key)}",
                path=self._label,
                expected="(b, t, i), (b, s, j) and (b, s, k)",
                write=f"{self.name}(x, x)   # attention of a sequence to itself",
            )

    def get_config(self) -> Config:
        config = super().get_config()
        config["activity_regularizer"] = regularizers.serialize(self.projection_regularizer)
        # unknown to configs of Keras, written where they are given
        given = ("flash_attention", "position_embedding", "implementation")
        return {name: value for name, value in config.items() if value is not None or name not in given}


def _drops_nothing(owner: str, fused: str) -> ArgumentError:
    return ArgumentError(
        f"`dropout` cannot be used with `{fused}`, because a fused kernel has no dropout.",
        path=owner,
        expected=f"dropout=0 or {fused}=None",
        received=f"a dropout, and `{fused}`",
        write=f"{owner}(..., dropout=0)",
    )


def _implementation(given: Implementation | Mapping[str, Any], owner: str) -> Implementation:
    """The name or function of an `implementation`, which may be the config of a registered function."""
    found: Any = registry.deserialize(given) if isinstance(given, Mapping) else given
    if found is not None and not callable(found):
        arguments.one_of(found, "implementation", owner, ("xla", *KERNELS))
    implementation: Implementation = found
    return implementation


def positions_mask(mask: Array | None, x: Array, path: str) -> Array | None:
    """A mask in the shape of the positions of `x (b, ..., i)`; of the first axes alone it holds for all others.

    >>> positions_mask(jnp.array([[1, 0]]), jnp.zeros((1, 2, 3)), "attention").tolist()
    [[True, False]]
    """
    if mask is None:
        return None
    if any(size not in (1, whole) for size, whole in zip(mask.shape, x.shape, strict=False)) or mask.ndim >= x.ndim:
        raise ShapeError(
            "the mask must have the shape of its tensor without the features.",
            path=path,
            expected=f"shape {x.shape[:-1]}",
            received=f"shape {mask.shape}",
            write="query_mask=tokens != 0   # one entry for each position, (b, t)",
        )
    return jnp.broadcast_to(jnp.expand_dims(mask.astype(bool), tuple(range(mask.ndim, x.ndim - 1))), x.shape[:-1])


def _layer(embedding: Layer | Mapping[str, Any] | None, owner: str) -> Any:
    """The layer of a `position_embedding`, which may be a config; `None` stays."""
    layer = registry.deserialize(embedding) if isinstance(embedding, dict) else embedding
    if layer is not None and not isinstance(layer, Layer):
        wanted = "a layer of queries and keys (b, t, n, c), or None"
        write = f"{owner}(..., position_embedding=layers.RotaryEmbedding())"
        what = "a layer or None"
        raise arguments.refusal(embedding, "position_embedding", owner, what, expected=wanted, write=write)
    return layer


def _both(one: Array | None, other: Array | None) -> Array | None:
    """What both masks keep."""
    return other if one is None else one if other is None else one & other


def _keep(x: Array, mask: Array | None) -> Array:
    """`x (b, ..., i)` with zeros where the mask keeps nothing."""
    return x if mask is None else jnp.where(jnp.expand_dims(mask, -1), x, jnp.zeros((), x.dtype))
