"""What normalizing layers share: a learned scale `gamma` and a learned center `beta`, and axes."""

from collections.abc import Sequence
from typing import Any

from jkeras import arguments
from jkeras.core import Layer, Variable
from jkeras.errors import BuildError
from jkeras.layers.weights import declare, describe
from jkeras.typing import Array, Axes


class AffineNormalization(Layer):
    """The base of layers that end in `gamma * normalized + beta`. Subclasses call `set_affine` and `declare_affine`.

    Attributes:
        gamma, beta: the declarations, `None` without scale or center.
    """

    gamma: Variable | None = None
    beta: Variable | None = None

    def set_affine(
        self,
        center: bool,
        scale: bool,
        *,
        beta: tuple[Any, Any, Any],
        gamma: tuple[Any, Any, Any],
    ) -> None:
        """Takes the constructor's arguments: for each weight its initializer, regularizer and constraint."""
        self.center, self.scale = bool(center), bool(scale)
        describe(self, "beta", *beta)
        describe(self, "gamma", *gamma)
        self.supports_masking = True

    def declare_affine(self, shape: tuple[int, ...], *, center: bool, scale: bool) -> None:
        """Declares the weights. They are not cast: the layers compute in float32 at least."""
        if scale:
            self.gamma = declare(self, "gamma", shape, autocast=False)
        if center:
            self.beta = declare(self, "beta", shape, autocast=False)

    def affine(self) -> tuple[Array | None, Array | None]:
        """The values of `gamma` and `beta`, `None` without scale or center."""
        return (
            None if self.gamma is None else self.gamma.value,
            None if self.beta is None else self.beta.value,
        )


def check_axes(axes: Axes, owner: str) -> int | list[int]:
    """An axis, or a list of different ones.

    >>> check_axes((1, -1), "LayerNormalization")
    [1, -1]
    """
    if isinstance(axes, int) and not isinstance(axes, bool):
        return axes
    if isinstance(axes, Sequence) and axes and all(type(axis) is int for axis in axes) and len({*axes}) == len(axes):
        return list(axes)
    wanted = "an integer or a sequence of different integers"
    raise arguments.refusal(axes, "axis", owner, wanted, write=f"{owner}(axis=-1)")


def sizes_along(shape: Sequence[int | None], axes: int | Sequence[int], path: str) -> dict[int, int]:
    """`{axis: size}` for some axes of a shape, counted from the front, in ascending order.

    Raises `BuildError` where the shape has no such axis, where one is named twice, or where a size is not known.

    >>> sizes_along((None, 5, 3), [-1, 1], "norm")
    {1: 5, 2: 3}
    """
    rank = len(shape)
    wanted = [axes] if isinstance(axes, int) else list(axes)
    problem = None
    if any(not -rank <= axis < rank for axis in wanted):
        problem = f"`axis` must be an axis of the input, got {axes}."
    elif len({axis % rank for axis in wanted}) != len(wanted):
        problem = f"`axis` must name each axis once, got {axes}."
    elif any(shape[axis] is None for axis in wanted):
        problem = "the size of a normalized axis must be known, because it is the shape of the weights."
    if problem is not None:
        raise BuildError(
            problem,
            path=path,
            expected=f"known sizes along axis {axes}",
            received=f"shape {shape}",
            write="jkeras.Input((None, 8))   # known sizes along the normalized axes",
        )
    return {axis: size for axis in sorted(axis % rank for axis in wanted) if (size := shape[axis]) is not None}
