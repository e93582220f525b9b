"""EinsumDense: a linear map of any axes, written as an equation."""

import operator
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from jkeras import arguments, initializers, registry
from jkeras.core import InputSpec, Variable
from jkeras.layers.arguments import ActivationAttribute
from jkeras.layers.core.einsum_equation import Equation, known
from jkeras.layers.core.low_rank import LowRankAdaptable
from jkeras.layers.weights import declare, declared, describe, descriptions
from jkeras.typing import ActivationLike, Array, ConstraintLike, InitializerLike, RegularizerLike, Shape


@registry.export("keras.layers")
class EinsumDense(LowRankAdaptable):
    """`activation(einsum(equation, x, kernel) + bias)`.

    With `lora_rank` the kernel is frozen and `kernel + lora_alpha / lora_rank * a @ b` takes its place, where the pair
    `lora_kernel_a (..., rank)`, `lora_kernel_b (rank, n)` is trained; `n` is the last axis of the kernel.

    Args:
        equation: axes of inputs, kernel and outputs: `ab,bc->ac`, `...ab,bc->...ac` or `ab...,bc->ac...`. What the
            kernel shares with the inputs and not with the outputs is summed over. An ellipsis stands for any axes.
        output_shape: the sizes of the outputs' axes without the batch axis and without what an ellipsis stands for;
            `None` for those that the inputs have too. One int for one axis.
        activation: a name or function; linear by default.
        bias_axes: the axes of the outputs along which a bias is added; `None` for no bias.
        kernel_initializer, bias_initializer: names, configs or objects. Fans are counted by the equation.
        kernel_regularizer, bias_regularizer: penalties on the weights.
        kernel_constraint, bias_constraint: projections applied after each update.
        lora_rank: the rank of the adaptation, from the start.
        lora_alpha: its scale; by default `lora_rank`.

    Shapes:
        Inputs, `kernel` and outputs have the axes of the equation. `bias` has the axes of the outputs from the first in
        `bias_axes` on, of size 1 where they are not in `bias_axes`.

    Raises:
        ArgumentError: the equation has another form, `bias_axes` names an axis that the outputs do not have, or
            `lora_rank` is not a positive int; LoRA together with a kernel constraint.
        BuildError: inputs or `output_shape` do not have the axes of the equation, or a size of a weight is not known.

    >>> import jax, jax.numpy as jnp
    >>> layer = EinsumDense("abc,cd->abd", (None, 2), bias_axes="d", kernel_initializer="ones")
    >>> variables = layer.init(jax.random.key(0), (1, 2, 3))
    >>> layer.stateless_call(*variables, jnp.arange(6.0).reshape(1, 2, 3))[0].tolist()
    [[[3.0, 3.0], [12.0, 12.0]]]

    Source: A. Einstein, "Die Grundlage der allgemeinen Relativitaetstheorie", 1916, section 5; LoRA: arXiv:2106.09685.
    """

    adapted = "kernel"

    activation = ActivationAttribute()
    kernel: Variable = declared()

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: ActivationLike = None,
        bias_axes: str | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.equation, self.axes = equation, Equation.parse(equation)
        self.output_shape = _sizes(output_shape)
        self.activation = activation
        if bias_axes is not None and not (bias_axes and {*bias_axes} <= {*self.axes.outputs}):
            wanted = f"some of '{self.axes.outputs}', or None"
            write = f"EinsumDense({equation!r}, ..., bias_axes={self.axes.outputs[-1]!r})"
            what = "axes of the outputs"
            raise arguments.refusal(bias_axes, "bias_axes", "EinsumDense", what, expected=wanted, write=write)
        self.bias_axes = bias_axes
        describe(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        describe(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.set_lora(lora_rank, lora_alpha, kernel_constraint)
        self.bias: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        axes, path = self.axes, self._label
        sizes = axes.sizes(input_shape, self.output_shape, path)
        shape = known(axes.kernel, sizes, "kernel", path)
        self.kernel = declare(self, "kernel", shape, initializer=self._counting_fans())
        if self.bias_axes is not None:
            known(self.bias_axes, sizes, "bias", path)
            shape = tuple(sizes[axis] or 1 if axis in self.bias_axes else 1 for axis in axes.bias_axes(self.bias_axes))
            hidden = axes.hidden(input_shape, path) if axes.right else 0
            self.bias = declare(self, "bias", (*shape, *[1] * hidden))
        first = len(axes.inputs) if axes.left else 0  # axes are counted from the end after an ellipsis
        fixed = {index - first: sizes[axis] for index, axis in enumerate(axes.inputs) if axis in axes.kernel}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=fixed)
        self.declare_lora()

    def _counting_fans(self) -> Any:
        """The kernel's initializer; one that scales by fans counts them along the axes that the equation gives them."""
        found = descriptions(self, "kernel")["kernel_initializer"]
        if not isinstance(found, initializers.VarianceScaling) or found.input_axes is not None:
            return found
        outputs = [index for index, axis in enumerate(self.axes.kernel) if axis in self.axes.outputs]
        inputs = [index for index in range(len(self.axes.kernel)) if index not in outputs]
        return type(found).from_config({**found.get_config(), "input_axes": inputs, "output_axes": outputs})

    def call(self, inputs: Array, training: bool | None = None) -> Array:
        outputs = self.kernel.einsum(self.equation, inputs)
        if self.bias is not None:
            bias = self.bias.value
            outputs = outputs + jnp.expand_dims(bias, tuple(range(outputs.ndim - bias.ndim)))
        activated: Array = self.activation(outputs)
        return activated


def _sizes(output_shape: int | Sequence[int | None]) -> tuple[int | None, ...]:
    """The sizes of the outputs' axes, as a tuple."""
    try:
        entries = tuple(output_shape) if not isinstance(output_shape, int) else (output_shape,)
        sizes = tuple(None if entry is None else operator.index(entry) for entry in entries)
    except TypeError:
        sizes = (0,)
    if any(size is not None and size < 1 for size in sizes):
        wanted = "a positive integer, or a tuple of them and None"
        write = 'EinsumDense("abc,cd->abd", output_shape=(None, 64))'
        raise arguments.refusal(output_shape, "output_shape", "EinsumDense", wanted, write=write)
    return sizes
