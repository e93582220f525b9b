"""The weights of a model under a placement, and the table of them that people read."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jkeras.placement.specs import Spec
from jkeras.typing import DType


class PlacedWeight(NamedTuple):
    """A weight: its shape and dtype, its spec, and what says so.

    >>> PlacedWeight((4, 2), "float32", Spec("data"), "kernel$").spec
    P('data',)
    """

    shape: tuple[int, ...]
    dtype: DType
    spec: Spec
    reason: str = ""

    def nbytes(self, mesh: jax.sharding.Mesh) -> int:
        """The bytes of it that a device has.

        >>> mesh = jax.make_mesh((1,), ("data",))
        >>> PlacedWeight((4, 2), "float32", Spec("data")).nbytes(mesh)
        32
        """
        part = jax.sharding.NamedSharding(mesh, self.spec).shard_shape(self.shape)
        return int(math.prod(part) * np.dtype(self.dtype).itemsize)


def table_of(mesh: jax.sharding.Mesh, weights: Mapping[str, PlacedWeight]) -> Any:
    """A table for rich: path, shape, spec, bytes on a device, and the rule that matched; in the last row the sum."""
    from rich.table import Table

    made = Table("path", "shape", "spec", "bytes on a device", "rule", box=None, pad_edge=False)
    sizes = {path: weight.nbytes(mesh) for path, weight in weights.items()}
    for path, weight in weights.items():
        made.add_row(path, str(weight.shape), str(tuple(weight.spec)), f"{sizes[path]:,}", weight.reason)
    made.add_row("all", "", "", f"{sum(sizes.values()):,}", "")
    return made
