"""What a layer is told of a weight: an initializer, a regularizer and a constraint, kept as three of its attributes.

describe(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)     # in `__init__`
self.kernel = declare(self, "kernel", (features, self.units))                           # in `build`
"""

from typing import Any

from jkeras import constraints, initializers, regularizers
from jkeras.core import Layer, Variable
from jkeras.typing import ConstraintLike, InitializerLike, RegularizerLike


def describe(
    layer: Layer,
    name: str,
    initializer: InitializerLike,
    regularizer: RegularizerLike = None,
    constraint: ConstraintLike = None,
) -> None:
    """Sets `<name>_initializer`, `<name>_regularizer` and `<name>_constraint` of a layer, as objects.

    >>> from jkeras import layers
    >>> layer = layers.Identity()
    >>> describe(layer, "scale", "ones", constraint="non_neg")
    >>> layer.scale_initializer, layer.scale_regularizer, layer.scale_constraint
    (Ones(), None, NonNeg())
    """
    setattr(layer, f"{name}_initializer", initializers.get(initializer))
    setattr(layer, f"{name}_regularizer", regularizers.get(regularizer))
    setattr(layer, f"{name}_constraint", constraints.get(constraint))


def declare(layer: Any, described: str, shape: tuple[int, ...], *, name: str | None = None, **options: Any) -> Variable:
    """Declares a weight as it was described, under the name of the description or another one.

    Args:
        layer: the layer, which is being built.
        described: the name that `describe` was given.
        shape: the shape of the weight.
        name: the name of the variable, where it is another one.
        **options: further arguments of `add_weight`, such as `dtype`.

    >>> from jkeras import layers
    >>> layer = layers.Identity()
    >>> describe(layer, "scale", "ones")
    >>> declare(layer, "scale", (3,))
    <Variable path=scale, shape=(3,), dtype=float32, trainable=True>
    """
    variable: Variable = layer.add_weight(
        shape,
        getattr(layer, f"{described}_initializer"),
        regularizer=getattr(layer, f"{described}_regularizer"),
        constraint=getattr(layer, f"{described}_constraint"),
        name=name or described,
        **options,
    )
    return variable
