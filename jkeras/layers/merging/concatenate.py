"""Concatenate: several tensors after each other along one axis."""

from collections.abc import Sequence
from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import registry
from jkeras.core.options import LayerOptions
from jkeras.core.tensor import standardize_shape
from jkeras.errors import ShapeError
from jkeras.functional.layout import hide
from jkeras.layers.merging.base import Merge, full_mask
from jkeras.typing import Array, PyTree, Shape


@registry.export("keras.layers")
class Concatenate(Merge):
    """Joins tensors along an axis.

    The output's mask joins the inputs' masks likewise, an input without a mask counting everywhere; a position of the
    output is masked where all its features are.

    Args:
        axis: the axis along which they are joined.

    Shapes:
        A list of tensors whose shapes differ along `axis` at most -> their sizes along `axis` added.

    Raises:
        ShapeError: the input is not a list, or the shapes differ along another axis.

    >>> import jax, jax.numpy as jnp
    >>> layer = Concatenate()
    >>> variables = layer.init(jax.random.key(0), [(1, 2), (1, 1)])
    >>> layer.stateless_call(*variables, [jnp.array([[1.0, 2.0]]), jnp.array([[3.0]])])[0].tolist()
    [[1.0, 2.0, 3.0]]

    Source: the definition.
    """

    def __init__(self, axis: int = -1, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Sequence[Array], mask: Sequence[Array | None] | None = None) -> Array:
        self.compute_output_shape([standardize_shape(x.shape) for x in self.check_list(inputs)])  # raises a lesson
        masks = self.masks_of(inputs, mask) or [None] * len(inputs)
        return jnp.concatenate([hide(x, each) for x, each in zip(inputs, masks, strict=True)], axis=self.axis)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        shapes = [tuple(shape) for shape in self.check_list(input_shape)]
        rank = len(shapes[0])
        ranks_agree = all(len(shape) == rank for shape in shapes) and -rank <= self.axis < rank
        joined: list[int | None] = []
        for axis, sizes in enumerate(zip(*shapes, strict=True) if ranks_agree else ()):
            if axis == self.axis % rank:
                joined.append(None if None in sizes else sum(sizes))
                continue
            known = {size for size in sizes if size is not None}
            ranks_agree = ranks_agree and len(known) <= 1
            joined.append(known.pop() if known else None)
        if not ranks_agree:
            received = f"shapes {', '.join(map(str, shapes))}"
            raise ShapeError.must(
                f"the inputs must have the same shape except along axis {self.axis}",
                received,
                path=self._label,
                expected=f"shapes that differ along axis {self.axis} at most",
                write="Concatenate(axis=1)   # the one axis along which the shapes differ",
            )
        return tuple(joined)

    def compute_mask(self, inputs: Sequence[Array], mask: Sequence[Array | None] | None = None) -> Array | None:
        masks = self.masks_of(inputs, mask)
        if masks is None or all(each is None for each in masks):
            return None
        whole = [
            jnp.ones(x.shape, bool) if each is None else full_mask(each, x)
            for each, x in zip(masks, inputs, strict=True)
        ]
        return jnp.any(jnp.concatenate(whole, axis=self.axis), axis=-1)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Unpack[LayerOptions]) -> PyTree:
    """`Concatenate(axis=axis, **kwargs)(inputs)`.

    Args:
        inputs: a list of tensors.
        axis: along which they are laid one after the other.
        kwargs: the other arguments of the layer.

    Raises:
        ShapeError: the inputs are not a list, or their shapes differ along another axis.

    >>> from jkeras.core import Input
    >>> concatenate([Input((3,)), Input((4,))]).shape
    (None, 7)
    """
    return Concatenate(axis=axis, **kwargs)(inputs)
