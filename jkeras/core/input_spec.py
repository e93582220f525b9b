"""InputSpec: what a layer expects of its first argument, checked before any work is done."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from jkeras import dtypes, registry
from jkeras.core.tensor import TensorTree, standardize_shape
from jkeras.errors import ArgumentError, ShapeError
from jkeras.typing import Config, DTypeLike, Shape


@registry.export("keras", "keras.layers")
class InputSpec:
    """The rank, axes, shape and dtype that one input must have. What is not given is not checked.

    Args:
        dtype: a dtype name.
        shape: the whole shape, `None` for free dimensions.
        ndim, max_ndim, min_ndim: the rank.
        axes: `{axis: size}` for single axes.
        allow_last_axis_squeeze: whether a last axis of size 1 may be missing or added.
        name: the key of this input in a dict of inputs.
        optional: whether the input may be `None`.

    Raises:
        ArgumentError: an axis that the rank does not have.

    >>> InputSpec(min_ndim=2, axes={-1: 8})
    InputSpec(min_ndim=2, axes={-1: 8})
    """

    def __init__(
        self,
        dtype: DTypeLike | None = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = dtypes.standardize(dtype) if dtype is not None else None
        self.shape: Shape | None = standardize_shape(shape) if shape is not None else None
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze, self.name, self.optional = allow_last_axis_squeeze, name, optional
        limit = self.ndim if self.ndim is not None else max_ndim
        if limit is not None and any(axis >= limit for axis in self.axes):
            raise ArgumentError(
                "`axes` must name axes below the rank.",
                path="InputSpec",
                expected=f"axes < {limit}",
                received=self.axes,
            )

    def get_config(self) -> Config:
        """The constructor's arguments, Keras's keys."""
        keys = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {key: getattr(self, key) for key in keys}

    @classmethod
    def from_config(cls, config: Config) -> "InputSpec":
        """The spec of a config."""
        return cls(**config)

    def __repr__(self) -> str:
        given = {key: getattr(self, key) for key in ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")}
        if self.shape is not None:
            given.pop("ndim")
        return f"InputSpec({', '.join(f'{key}={value}' for key, value in given.items() if value not in (None, {}))})"

    def mismatch(self, shape: Shape, dtype: str) -> str | None:
        """What the spec expects and an input of this shape and dtype does not meet, or `None`."""
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim and not self.allow_last_axis_squeeze:
            return f"rank {self.ndim}"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"rank <= {self.max_ndim}"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"rank >= {self.min_ndim}"
        if self.dtype is not None and dtype != self.dtype:
            return f"dtype {self.dtype}"
        for axis, size in self.axes.items():
            if size is not None and -rank <= axis < rank and shape[axis] not in (size, None):
                return f"size {size} in axis {axis}"
        if self.shape is not None and not self._shape_fits(shape):
            return f"shape {self.shape}"
        return None

    def _shape_fits(self, shape: Shape) -> bool:
        expected = self.shape or ()
        pairs = [(expected, shape)]
        if self.allow_last_axis_squeeze:
            pairs.append(tuple(each[:-1] if each[-1:] == (1,) else each for each in (expected, shape)))  # type: ignore[arg-type]
        return any(
            len(one) == len(two) and all(None in (a, b) or a == b for a, b in zip(one, two, strict=True))
            for one, two in pairs
        )


def check_inputs(specs: Any, inputs: TensorTree | None, path: str) -> None:
    """Raises `ShapeError` unless the inputs meet the specs."""
    if not specs:
        return
    flat_specs = jax.tree.leaves(specs, is_leaf=lambda leaf: leaf is None)
    if isinstance(inputs, Mapping) and all(spec is not None and spec.name for spec in flat_specs):
        missing = [spec.name for spec in flat_specs if spec.name not in inputs]
        if missing:
            raise ShapeError(
                f"inputs are missing: {missing}.",
                path=path,
                expected=[s.name for s in flat_specs],
                received=sorted(inputs),
                write=f"{{{', '.join(f'{spec.name!r}: ...' for spec in flat_specs)}}}   # an array for each",
            )
        inputs = [inputs[spec.name] for spec in flat_specs]
    flat = jax.tree.leaves(inputs, is_leaf=lambda leaf: leaf is None)
    if len(flat) != len(flat_specs):
        raise ShapeError(
            "the number of inputs must be that of `input_spec`.",
            path=path,
            expected=f"{len(flat_specs)} inputs",
            received=f"{len(flat)} inputs",
        )
    for value, spec in zip(flat, flat_specs, strict=True):
        if spec is None or (value is None and spec.optional):
            continue
        if not hasattr(value, "shape"):
            raise ShapeError(
                "the input must be a tensor.", path=path, expected=repr(spec), received=type(value).__name__
            )
        shape = standardize_shape(value.shape)
        if (expected := spec.mismatch(shape, str(value.dtype))) is not None:
            raise ShapeError(
                "the input must have the shape and dtype of `input_spec`.",
                path=path,
                expected=f"an input with {expected}",
                received=f"shape {shape}, dtype {value.dtype}",
                write=_remedy(spec, shape),
            )


def _remedy(spec: InputSpec, shape: Shape) -> str:
    """The line that makes an input, or a layer, fit."""
    wanted = spec.ndim or spec.min_ndim
    if wanted is not None and len(shape) < wanted:
        return f"x[..., None]   # or x[None]: rank {len(shape)} -> {wanted}"
    return f"jkeras.Input({tuple(shape[1:])})   # declare the network for this input, then init it again"
