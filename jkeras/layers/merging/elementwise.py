"""Merging entry by entry: sums, products, means and extremes."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import dtypes, registry
from jkeras.core.options import LayerOptions
from jkeras.layers.merging.base import Computed, Merge, full_mask, widen
from jkeras.typing import Array, PyTree, Shape


@registry.export("keras.layers")
class Add(Computed):
    """`x + y + ...`

    Shapes:
        A list of tensors with one batch axis; lower ranks get axes of size 1 after it, sizes of 1 are broadcast.

    Raises:
        ShapeError: the input is not a list, or the shapes do not fit together.

    >>> import jax, jax.numpy as jnp
    >>> layer = Add()
    >>> variables = layer.init(jax.random.key(0), [(1, 2), (1, 2)])
    >>> layer.stateless_call(*variables, [jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 4.0]])])[0].tolist()
    [[4.0, 6.0]]

    Source: K. He et al., "Deep residual learning for image recognition", arXiv:1512.03385.
    """

    def merge(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Array:
        return functools.reduce(jnp.add, widen(inputs))


@registry.export("keras.layers")
class Subtract(Computed):
    """`x - y`

    Shapes:
        Two tensors with one batch axis; a lower rank gets axes of size 1 after it, sizes of 1 are broadcast.

    Raises:
        ShapeError: the inputs are not two, or their shapes do not fit together.

    >>> import jax, jax.numpy as jnp
    >>> layer = Subtract()
    >>> variables = layer.init(jax.random.key(0), [(1, 2), (1, 2)])
    >>> layer.stateless_call(*variables, [jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 5.0]])])[0].tolist()
    [[-2.0, -3.0]]

    Source: the definition.
    """

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return super().compute_output_shape(self.check_two(input_shape))

    def merge(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Array:
        return jnp.subtract(*widen(inputs))


@registry.export("keras.layers")
class Multiply(Computed):
    """`x * y * ...`

    A masked position of one input counts as 1; one that is masked in all inputs gives 0.

    Shapes:
        A list of tensors with one batch axis; lower ranks get axes of size 1 after it, sizes of 1 are broadcast.

    Raises:
        ShapeError: the input is not a list, or the shapes do not fit together.

    >>> import jax, jax.numpy as jnp
    >>> layer = Multiply()
    >>> variables = layer.init(jax.random.key(0), [(1, 2), (1, 2)])
    >>> layer.stateless_call(*variables, [jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 4.0]])])[0].tolist()
    [[3.0, 8.0]]

    Source: the definition.
    """

    def merge(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Array:
        whole = [None if mask is None else full_mask(mask, x) for mask, x in zip(masks, inputs, strict=True)]
        factors = [
            x if mask is None else jnp.where(mask, x, jnp.ones((), x.dtype))
            for mask, x in zip(whole, widen(inputs), strict=True)
        ]
        product = functools.reduce(jnp.multiply, factors)
        known = [mask for mask in whole if mask is not None]
        if len(known) < len(whole):
            return product
        return jnp.where(functools.reduce(jnp.logical_or, known), product, jnp.zeros((), product.dtype))


@registry.export("keras.layers")
class Average(Computed):
    """`(x + y + ...) / n` of `n` tensors.

    Shapes:
        A list of tensors with one batch axis; lower ranks get axes of size 1 after it, sizes of 1 are broadcast.

    Raises:
        ShapeError: the input is not a list, or the shapes do not fit together.

    >>> import jax, jax.numpy as jnp
    >>> layer = Average()
    >>> variables = layer.init(jax.random.key(0), [(1, 2), (1, 2)])
    >>> layer.stateless_call(*variables, [jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 4.0]])])[0].tolist()
    [[2.0, 3.0]]

    Source: the definition.
    """

    def merge(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Array:
        return functools.reduce(jnp.add, widen(inputs)) / len(inputs)

    def output_dtype(self, input_dtypes: Sequence[str]) -> str:
        dtype = super().output_dtype(input_dtypes)
        return dtype if dtypes.is_float(dtype) else dtypes.standardize()


@registry.export("keras.layers")
class Maximum(Merge):
    """`max(x, y, ...)`, of the inputs that are not masked at a position.

    Shapes:
        A list of tensors with one batch axis; lower ranks get axes of size 1 after it, sizes of 1 are broadcast.

    Raises:
        ShapeError: the input is not a list, or the shapes do not fit together.

    >>> import jax, jax.numpy as jnp
    >>> layer = Maximum()
    >>> variables = layer.init(jax.random.key(0), [(1, 2), (1, 2)])
    >>> layer.stateless_call(*variables, [jnp.array([[1.0, 5.0]]), jnp.array([[3.0, 4.0]])])[0].tolist()
    [[3.0, 5.0]]

    Source: I. J. Goodfellow et al., "Maxout networks", arXiv:1302.4389.
    """

    def merge(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Array:
        return _extreme(jnp.maximum, inputs, masks)


@registry.export("keras.layers")
class Minimum(Merge):
    """`min(x, y, ...)`, of the inputs that are not masked at a position.

    Shapes:
        A list of tensors with one batch axis; lower ranks get axes of size 1 after it, sizes of 1 are broadcast.

    Raises:
        ShapeError: the input is not a list, or the shapes do not fit together.

    >>> import jax, jax.numpy as jnp
    >>> layer = Minimum()
    >>> variables = layer.init(jax.random.key(0), [(1, 2), (1, 2)])
    >>> layer.stateless_call(*variables, [jnp.array([[1.0, 5.0]]), jnp.array([[3.0, 4.0]])])[0].tolist()
    [[1.0, 4.0]]

    Source: the definition.
    """

    def merge(self, inputs: Sequence[Array], masks: Sequence[Any]) -> Array:
        return _extreme(jnp.minimum, inputs, masks)


def _extreme(function: Callable[[Array, Array], Array], inputs: Sequence[Array], masks: Sequence[Any]) -> Array:
    """The extreme of all inputs; where one of a pair is masked, the other stands in for it.

    An input without a mask counts everywhere, and so does what has been merged with it.
    """
    output, valid = inputs[0], masks[0]
    for x, mask in zip(inputs[1:], masks[1:], strict=True):
        other = x if mask is None else jnp.where(full_mask(mask, x), x, output)
        kept = output if valid is None else jnp.where(full_mask(valid, output), output, other)
        valid = None if mask is None or valid is None else jnp.logical_or(valid, mask)
        output = function(kept, other)
    return output


def add(inputs: Sequence[Any], **kwargs: Any) -> PyTree:
    """`Add(**kwargs)(inputs)`.

    Args:
        inputs: a list of two or more tensors.
        kwargs: the arguments of the layer.

    Raises:
        ShapeError: the inputs are not such a list, or their shapes do not fit together.

    >>> from jkeras.core import Input
    >>> add([Input((3,)), Input((3,))]).shape
    (None, 3)
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Unpack[LayerOptions]) -> PyTree:
    """`Subtract(**kwargs)(inputs)`.

    Args:
        inputs: a list of two tensors.
        kwargs: the arguments of the layer.

    Raises:
        ShapeError: the inputs are not such a list, or their shapes do not fit together.

    >>> from jkeras.core import Input
    >>> subtract([Input((3,)), Input((3,))]).shape
    (None, 3)
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Unpack[LayerOptions]) -> PyTree:
    """`Multiply(**kwargs)(inputs)`.

    Args:
        inputs: a list of two or more tensors.
        kwargs: the arguments of the layer.

    Raises:
        ShapeError: the inputs are not such a list, or their shapes do not fit together.

    >>> from jkeras.core import Input
    >>> multiply([Input((3,)), Input((1,))]).shape
    (None, 3)
    """
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Unpack[LayerOptions]) -> PyTree:
    """`Average(**kwargs)(inputs)`.

    Args:
        inputs: a list of two or more tensors.
        kwargs: the arguments of the layer.

    Raises:
        ShapeError: the inputs are not such a list, or their shapes do not fit together.

    >>> from jkeras.core import Input
    >>> average([Input((3,)), Input((3,))]).shape
    (None, 3)
    """
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Unpack[LayerOptions]) -> PyTree:
    """`Maximum(**kwargs)(inputs)`.

    Args:
        inputs: a list of two or more tensors.
        kwargs: the arguments of the layer.

    Raises:
        ShapeError: the inputs are not such a list, or their shapes do not fit together.

    >>> from jkeras.core import Input
    >>> maximum([Input((3,)), Input((5, 3))]).shape
    (None, 5, 3)
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Unpack[LayerOptions]) -> PyTree:
    """`Minimum(**kwargs)(inputs)`.

    Args:
        inputs: a list of two or more tensors.
        kwargs: the arguments of the layer.

    Raises:
        ShapeError: the inputs are not such a list, or their shapes do not fit together.

    >>> from jkeras.core import Input
    >>> minimum([Input((3,)), Input((5, 3))]).shape
    (None, 5, 3)
    """
    return Minimum(**kwargs)(inputs)
