"""The arguments and methods of Keras's layers for low-rank adaptation (LoRA) of one weight.

What an adapted weight is, `jkeras.representations.LowRank` says: the weight is frozen, and a pair of matrices is
trained beside it. Here a layer declares the pair as `lora_<weight>_a` and `lora_<weight>_b`, from the start or when it
is told to. `B` starts at zero, so that enabling changes no output. Whole models are adapted and merged by
`jkeras.lora`.
"""

from typing import Any, ClassVar

from jkeras import arguments, initializers
from jkeras.core import Layer, Variable
from jkeras.core.variable import LEAF
from jkeras.errors import ArgumentError, BuildError
from jkeras.layers.arguments import without_quantization
from jkeras.representations import LowRank
from jkeras.typing import Config, ConstraintLike, InitializerLike


class LowRankAdaptable(Layer):
    """The base of layers with one weight that can be adapted.

    A subclass names it in `adapted`, calls `set_lora` in its constructor, and `declare_lora` in `build`, after the
    weight is declared.

    Attributes:
        adapted: the name of the weight, such as `"kernel"`.
        lora_rank, lora_alpha: the rank and the scale of the adaptation; `None` for none.
    """

    adapted: ClassVar[str]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**without_quantization(kwargs, type(self).__name__))
        self.lora_rank: int | None = None
        self.lora_alpha: float | None = None

    def set_lora(self, rank: int | None, alpha: float | None, constraint: ConstraintLike) -> None:
        """Takes the constructor's arguments: the weight is adapted from the start where there is a rank.

        Raises `ArgumentError` where the rank is not a positive int, or the weight has a constraint.
        """
        if rank is not None:
            owner = type(self).__name__
            arguments.positive_int(rank, "lora_rank", owner, f"{owner}(..., lora_rank=4)")
            self._refuse_constraint(constraint)
        self.lora_rank, self.lora_alpha = rank, rank if alpha is None else alpha

    @property
    def adapted_weight(self) -> Variable:
        """The declaration of the weight. Raises before the layer is built."""
        weight: Variable = getattr(self, self.adapted)
        return weight

    @property
    def lora_enabled(self) -> bool:
        """Whether the pair is declared."""
        return hasattr(self, self.adapted) and isinstance(self.adapted_weight.representation, LowRank)

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: InitializerLike = "he_uniform",
        b_initializer: InitializerLike = "zeros",
    ) -> None:
        """Freezes the weight and declares the pair.

        Existing values move with `layer.repartition(variables, key)`, which also draws the pair; `jkeras.lora.enable`
        does both for all layers of a model.

        Args:
            rank: a positive int.
            lora_alpha: the scale; by default the rank.
            a_initializer, b_initializer: names, configs or objects.

        Raises:
            BuildError: the layer is not built, or has LoRA already.
            ArgumentError: the rank is not a positive int, or the weight has a constraint.
        """
        self.check_adaptable(rank)
        self.lora_rank, self.lora_alpha = rank, rank if lora_alpha is None else lora_alpha
        self._is_building, was = True, self._is_building
        try:
            self._declare_pair(a_initializer, b_initializer)
        finally:
            self._is_building = was
        self.address_variables()

    def check_adaptable(self, rank: int) -> None:
        """Raises what `enable_lora(rank)` would raise."""
        arguments.positive_int(rank, "rank", self._label, "layer.enable_lora(rank=4)")
        if not hasattr(self, self.adapted):
            raise BuildError(
                "the layer must be built first, because LoRA needs the shape of the weight.",
                path=self.name,
                write=f"{self.name}.build((None, 8))   # then {self.name}.enable_lora(rank=4)",
            )
        if self.lora_enabled:
            raise BuildError(
                "LoRA cannot be enabled twice.",
                path=self._label,
                write="variables = jkeras.lora.merge(layer, variables)   # first",
            )
        self._refuse_constraint(self.adapted_weight.constraint)

    def declare_lora(self) -> None:
        """Declares the pair if the constructor was given a rank."""
        if self.lora_rank is not None:
            self._declare_pair("he_uniform", "zeros")

    def _declare_pair(self, a_initializer: InitializerLike, b_initializer: InitializerLike) -> None:
        weight, rank, alpha = self.adapted_weight, self.lora_rank, self.lora_alpha
        assert rank is not None and alpha is not None
        a = self._declare("a", (*weight.shape[:-1], rank), a_initializer)
        b = self._declare("b", (rank, weight.shape[-1]), b_initializer)
        weight.representation = LowRank(a, b, alpha / rank)

    def _declare(self, letter: str, shape: tuple[int, ...], initializer: InitializerLike) -> Variable:
        """One of the pair; float32 whatever the policy, for its small updates would be lost in half precision."""
        name, penalty = f"lora_{self.adapted}_{letter}", self.adapted_weight.regularizer
        variable: Variable = self.add_weight(
            shape, initializers.get(initializer), "float32", regularizer=penalty, name=name
        )
        setattr(self, name, variable)
        return variable

    def disable_lora(self) -> None:
        """Removes the pair from the declarations, and the weight is trained again. `jkeras.lora.merge` calls it."""
        self.adapted_weight.representation = LEAF
        for letter in ("a", "b"):
            delattr(self, f"lora_{self.adapted}_{letter}")
        self.lora_rank, self.lora_alpha = None, None

    def get_config(self) -> Config:
        config = super().get_config()
        if self.lora_rank is None:
            config = {name: value for name, value in config.items() if name not in ("lora_rank", "lora_alpha")}
        return {**config, "quantization_config": None}

    def _refuse_constraint(self, constraint: ConstraintLike) -> None:
        if constraint is not None:
            raise ArgumentError(
                "LoRA and a constraint cannot be used on the same weight.",
                path=self._label,
                expected=f"{self.adapted}_constraint=None",
                received=repr(constraint),
                write=f"{type(self).__name__}(..., {self.adapted}_constraint=None)",
            )
