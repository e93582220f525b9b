"""What a layer is told of a weight: an initializer, a regularizer and a constraint, kept as three of its attributes.

    kernel: Variable = declared()                                                           # in the class
    describe(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)     # in `__init__`
    self.kernel = declare(self, "kernel", (features, self.units))                           # in `build`

The signatures of the constructors stay written out, for editors and for configs.
"""

from typing import Any

from jkeras import constraints, initializers, regularizers
from jkeras.core import Layer, Variable
from jkeras.errors import NeverCalledError
from jkeras.typing import ConstraintLike, InitializerLike, RegularizerLike

PARTS = ("initializer", "regularizer", "constraint")


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


def declare(layer: Layer, described: str, shape: tuple[int, ...], **options: Any) -> Variable:
    """Declares a weight as it was described, and under that name where no other one is given.

    Args:
        layer: the layer, which is being built.
        described: the name that `describe` was given.
        shape: the shape of the weight.
        **options: further arguments of `add_weight`, such as `dtype`, and what is other than described.

    >>> from jkeras import layers
    >>> layer = layers.Identity()
    >>> describe(layer, "scale", "ones")
    >>> declare(layer, "scale", (3,))
    <Variable path=scale, shape=(3,), dtype=float32, trainable=True>
    """
    told = {which: getattr(layer, f"{described}_{which}") for which in PARTS}
    variable: Variable = layer.add_weight(shape, **{"name": described, **told, **options})
    return variable


def descriptions(layer: Layer, *names: str) -> dict[str, Any]:
    """What a layer was told of some weights, as the arguments of a layer that has the same ones.

    >>> from jkeras import layers
    >>> layer = layers.Identity()
    >>> describe(layer, "scale", "ones")
    >>> descriptions(layer, "scale")
    {'scale_initializer': Ones(), 'scale_regularizer': None, 'scale_constraint': None}
    """
    arguments = (f"{name}_{which}" for name in names for which in PARTS)
    return {argument: getattr(layer, argument) for argument in arguments}


def declared() -> Any:
    """An attribute that `build` sets; reading it before raises `NeverCalledError`, an `AttributeError`.

    >>> from jkeras import layers
    >>> hasattr(layers.Dense(3), "kernel")
    False
    """
    return _Declared()


class _Declared:
    """The value of the class attribute; the layer's own attribute comes before it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        raise NeverCalledError(
            f"the weight '{self.name}' cannot be read before the layer is built.",
            path=layer.name,
            write=f"{layer.name}.build((None, 8))",
        )
