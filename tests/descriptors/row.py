"""A row describes one configuration of one layer: how to make it, what to feed it, and which tree it must have."""

import dataclasses
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jkeras import config, layers
from jkeras.core import KerasTensor, Layer
from jkeras.core.tensor import is_shape

Spec = Any  # a shape, `(shape, dtype)`, or a list, tuple or dict of these
Reason = str  # why a check does not apply


@dataclasses.dataclass(frozen=True)
class LayerRow:
    """One configuration of a layer.

    Args:
        name: the class, or `"Class/what is special here"`.
        config: the constructor's arguments. A function that returns them where they hold other layers.
        inputs: the positional arguments of `call`: a shape with the batch axis, `(shape, dtype)`, or a structure.
        keywords: arrays that are passed by name, such as a mask, likewise.
        static: further arguments of `call` that are no arrays.
        tree: `{"trainable": {path: shape}, "non_trainable": {path: shape}}`, exactly; a side may be left out if empty.
        training: what the calls are given.
        low, high: the range of the inputs; floats are normal without it, integers need `high`.
        dynamic_batch: whether an unknown batch axis stays the only unknown one of the outputs.
        per_example: whether each example is computed on its own, so that `vmap` over the batch changes nothing.
        gradients: whether the outputs are differentiable in float inputs and trainable weights.
        half: whether the layer runs in bfloat16 and float16 too.
        keras: whether Keras has the layer and agrees.
        ulps: how many float32 rounding errors of the largest output two evaluations may differ by.
        half_ulps: the same in the layer's own half precision, against the float32 result.
        ulps_reason: why a bound is not the default one.
        keras_half: what is wrong with Keras's results in bfloat16, if something is. Then ours need not be near them.
        cancels: why some gradients are sums whose terms cancel, if they do. Gradients are then compared at the scale
            of the largest.

    `per_example`, `gradients`, `half` and `keras` are `True`, or the reason why not.
    """

    name: str
    config: Mapping[str, Any] | Callable[[], Mapping[str, Any]]
    inputs: tuple[Spec, ...]
    tree: Mapping[str, Mapping[str, tuple[int, ...]]] = dataclasses.field(default_factory=dict)
    keywords: Mapping[str, Spec] = dataclasses.field(default_factory=dict)
    static: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training: bool = False
    low: float | None = None
    high: float | None = None
    dynamic_batch: bool | Reason = True
    per_example: bool | Reason = True
    gradients: bool | Reason = True
    half: bool | Reason = True
    keras: bool | Reason = True
    ulps: float = 64
    half_ulps: float = 16
    ulps_reason: Reason = ""
    keras_half: Reason = ""
    cancels: Reason = ""

    def __post_init__(self) -> None:
        for flag in ("dynamic_batch", "per_example", "gradients", "half", "keras"):
            assert getattr(self, flag) is True or isinstance(getattr(self, flag), str), f"{self.name}: why not {flag}?"
        assert (self.ulps, self.half_ulps) == (64, 16) or self.ulps_reason, f"{self.name}: why another bound?"

    @property
    def layer(self) -> type[Layer]:
        """The class."""
        return getattr(layers, self.name.split("/")[0])

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self.config() if callable(self.config) else self.config)

    def make(self, policy: str | None = None) -> Layer:
        """A new layer; under a dtype policy, which also holds for the layers in its config."""
        config.set_dtype_policy(policy)
        try:
            return self.layer(**self.arguments)
        finally:
            config.set_dtype_policy(None)

    def arrays(self, float_dtype: str = "float32") -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arrays, the same ones every time."""
        generator = np.random.default_rng(zlib.crc32(self.name.encode()))

        def array(shape: tuple[int, ...], dtype: str) -> jax.Array:
            if dtype == "bool":
                value = generator.random(shape) < 0.7
                value[..., :1] = True  # no row of a mask is empty
            elif np.issubdtype(np.dtype(dtype), np.integer):
                assert self.high is not None, f"{self.name}: integer inputs need `high`"
                value = generator.integers(int(self.low or 0), int(self.high), shape)
            elif self.high is not None:
                value = generator.uniform(self.low or 0.0, self.high, shape)
            else:
                value = generator.normal(size=shape)
            return jax.numpy.asarray(value, float_dtype if dtype == "float32" else dtype)

        return self._map(array)

    def symbols(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword symbolic tensors; the batch axis is unknown."""
        return self._map(lambda shape, dtype: KerasTensor((None, *shape[1:]), dtype))

    def _map(self, make: Callable[[tuple[int, ...], str], Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        def visit(spec: Spec) -> Any:
            if is_shape(spec) and isinstance(spec, tuple):
                return make(spec, "float32")
            if isinstance(spec, tuple) and len(spec) == 2 and is_shape(spec[0]) and isinstance(spec[1], str):
                return make(*spec)
            if isinstance(spec, Mapping):
                return {key: visit(item) for key, item in spec.items()}
            return type(spec)(visit(item) for item in spec)

        return tuple(visit(spec) for spec in self.inputs), {key: visit(spec) for key, spec in self.keywords.items()}
