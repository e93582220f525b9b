"""Low-rank adaptation (LoRA) of one weight, for every layer that has a large one.

A layer whose weight `W (..., o)` is adapted keeps it frozen and trains a pair `A (..., rank)`, `B (rank, o)`:

    W + alpha / rank * A @ B        E. J. Hu et al., "LoRA: Low-rank adaptation of large language models",
                                    arXiv:2106.09685, section 4.1

`B` starts at zero, so that enabling changes no output. The pair is declared beside the weight, as
`lora_<weight>_a` and `lora_<weight>_b`; layers apply it to their input (`(x @ A) @ B`), so that no gradient of the size
of `W` is ever formed. Whole models are adapted and merged in `jkeras.lora`.
"""

from typing import Any, ClassVar

from jkeras import arguments, initializers
from jkeras.core import Layer, Variable
from jkeras.errors import ArgumentError, BuildError, NeverCalledError
from jkeras.layers.arguments import without_quantization
from jkeras.typing import Array, Config, ConstraintLike, InitializerLike


class LowRankAdaptable(Layer):
    """The base of layers with one weight that can be adapted.

    A subclass names it in `adapted`, calls `set_lora` in its constructor, and `declare_adapted` and `declare_lora` in
    `build`.

    Attributes:
        adapted: the name of the weight, such as `"kernel"`.
        lora_rank, lora_alpha: the rank and the scale of the adaptation; `None` for none.
        lora_enabled: whether the pair is declared.
    """

    adapted: ClassVar[str]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**without_quantization(kwargs, type(self).__name__))
        self.lora_rank: int | None = None
        self.lora_alpha: float | None = None
        self.lora_enabled = False
        self._weight: Variable | None = None

    def set_lora(self, rank: int | None, alpha: float | None, constraint: ConstraintLike) -> None:
        """Takes the constructor's arguments: the weight is adapted from the start where there is a rank.

        Raises `ArgumentError` where the rank is not a positive int, or the weight has a constraint.
        """
        if rank is not None:
            owner = type(self).__name__
            arguments.positive_int(rank, "lora_rank", owner, f"{owner}(..., lora_rank=4)")
            self._refuse_constraint(constraint)
        self.lora_rank, self.lora_alpha = rank, rank if alpha is None else alpha

    def declare_adapted(self, shape: tuple[int, ...], **options: Any) -> None:
        """Declares the weight; `options` are those of `add_weight`."""
        self._weight = self.add_weight(shape=shape, name=self.adapted, **options)

    @property
    def adapted_weight(self) -> Variable:
        """The declaration of the weight itself. Raises before the layer is built."""
        if self._weight is None:
            raise NeverCalledError(
                f"the weight '{self.adapted}' cannot be read before the layer is built.",
                path=self.name,
                write=f"{self.name}.build((None, 8))",
            )
        return self._weight

    @property
    def lora_pair(self) -> tuple[Variable, Variable]:
        """The declarations of `A` and `B`."""
        return getattr(self, f"lora_{self.adapted}_a"), getattr(self, f"lora_{self.adapted}_b")

    @property
    def lora_scale(self) -> float:
        """`alpha / rank`."""
        assert self.lora_alpha is not None and self.lora_rank is not None
        return self.lora_alpha / self.lora_rank

    @property
    def trainable(self) -> bool:
        """As of any layer; an adapted weight stays frozen whatever is set."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        Layer.trainable.fset(self, value)  # type: ignore[attr-defined]
        if self.lora_enabled:
            self.adapted_weight.trainable = False

    def effective_weight(self) -> Any:
        """The declaration of the weight; with LoRA the value `W + alpha / rank * A @ B`, inside a scope."""
        weight = self.adapted_weight
        if not self.lora_enabled:
            return weight
        a, b = self.lora_pair
        return weight.value + (self.lora_scale * (a.value @ b.value)).astype(weight.value.dtype)

    def merged_value(self, weight: Array, a: Array, b: Array) -> Array:
        """`W + alpha / rank * A @ B` out of the stored values, in the dtype in which the weight is kept."""
        return (weight + self.lora_scale * (a @ b)).astype(weight.dtype)

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
        if self._weight is None:
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
        self._refuse_constraint(self._weight.constraint)

    def declare_lora(self) -> None:
        """Declares the pair if the constructor was given a rank."""
        if self.lora_rank is not None:
            self._declare_pair("he_uniform", "zeros")

    def _declare_pair(self, a_initializer: InitializerLike, b_initializer: InitializerLike) -> None:
        weight, rank = self.adapted_weight, self.lora_rank
        # float32 whatever the policy: the pair's small updates would be lost in half precision
        options: dict[str, Any] = {"dtype": "float32", "regularizer": weight.regularizer}
        for letter, shape, initializer in (
            ("a", (*weight.shape[:-1], rank), a_initializer),
            ("b", (rank, weight.shape[-1]), b_initializer),
        ):
            name = f"lora_{self.adapted}_{letter}"
            setattr(self, name, self.add_weight(shape, initializers.get(initializer), name=name, **options))
        weight.trainable = False
        self.lora_enabled = True

    def disable_lora(self) -> None:
        """Removes the pair from the declarations and makes the weight trainable again. `jkeras.lora.merge` calls it."""
        pair = self.lora_pair
        self.own_variables = [variable for variable in self.own_variables if variable not in pair]
        for letter in ("a", "b"):
            delattr(self, f"lora_{self.adapted}_{letter}")
        self.adapted_weight.trainable = True
        self.lora_enabled, self.lora_rank, self.lora_alpha = False, None, None

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
