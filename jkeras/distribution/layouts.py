"""Meshes and layouts under Keras's names: each makes the thing of JAX's that it means."""

import math
import re
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding

from jkeras.distribution.devices import as_device
from jkeras.errors import PlacementError
from jkeras.placement.specs import Spec, SpecLike, as_spec
from jkeras.typing import Array, ArrayLike


def DeviceMesh(
    shape: Sequence[int], axis_names: Sequence[str], devices: Iterable[Any] | None = None
) -> jax.sharding.Mesh:
    """A mesh of JAX's.

    Args:
        shape: the sizes of its axes.
        axis_names: their names.
        devices: names as `list_devices` gives them, or devices of JAX's; by default as many as there must be.

    Raises:
        PlacementError: another number of names than of axes, or of devices than the shape says.

    >>> DeviceMesh((1,), ["data"]).axis_names
    ('data',)
    """
    shape, count = tuple(shape), math.prod(shape)
    if len(shape) != len(axis_names):
        raise PlacementError.must(
            "`axis_names` must have one name for each axis",
            f"{len(axis_names)} for {len(shape)}",
            path="DeviceMesh(axis_names=)",
            write="DeviceMesh((4, 2), ['data', 'model'])",
        )
    found = [as_device(device) for device in np.ravel(np.asarray(devices, dtype=object))] if devices is not None else []
    if devices is None:
        found = jax.devices()[:count]
    if len(found) != count:
        raise PlacementError.must(
            f"a mesh of the shape {shape} must have {count} devices",
            f"{len(found)}",
            path="DeviceMesh(devices=)",
            write=f"DeviceMesh(({len(found)},), ['data'])",
        )
    return Mesh(np.array(found).reshape(shape), tuple(axis_names), axis_types=(AxisType.Auto,) * len(shape))


def TensorLayout(axes: SpecLike, device_mesh: jax.sharding.Mesh | None = None) -> Any:
    """The axes of a mesh that split the axes of an array: a `NamedSharding`, or without a mesh a `PartitionSpec`.

    Args:
        axes: a name, a tuple of names, or `None` for each axis of the array.
        device_mesh: the mesh.

    >>> TensorLayout([None, "model"])
    P(None, 'model')
    """
    if device_mesh is None:
        return Spec(*axes)
    return NamedSharding(device_mesh, as_spec(axes, device_mesh, "TensorLayout(axes=)"))


def distribute_tensor(tensor: ArrayLike, layout: Any) -> Array:
    """An array, where a layout says.

    Args:
        tensor: an array.
        layout: what `TensorLayout` made with a mesh, or any sharding.

    >>> distribute_tensor(np.ones(2), TensorLayout(["data"], DeviceMesh((1,), ["data"]))).sharding.spec
    P('data',)
    """
    if not isinstance(layout, jax.sharding.Sharding):
        raise PlacementError.must(
            "`layout` must have a mesh",
            repr(layout),
            path="distribute_tensor(layout)",
            write="distribute_tensor(x, TensorLayout(['data'], mesh))",
        )
    placed: Array = jax.device_put(tensor, layout)
    return placed


class LayoutMap(MutableMapping[str, Spec]):
    """Layouts by patterns of the paths of weights, and of layers' outputs as `path/output`; for `ModelParallel`.

    Args:
        device_mesh: the mesh.

    >>> layouts = LayoutMap(DeviceMesh((1,), ["model"]))
    >>> layouts["dense.*kernel"] = (None, "model")
    >>> layouts["encoder/dense_1/kernel"]
    P(None, 'model')
    """

    def __init__(self, device_mesh: jax.sharding.Mesh) -> None:
        self.device_mesh = device_mesh
        self._layouts: dict[str, Spec] = {}

    def __setitem__(self, pattern: str, layout: Any) -> None:
        if pattern in self._layouts:
            raise PlacementError.must(
                "each pattern must be given once",
                f"{pattern!r} twice",
                path="LayoutMap",
                write=f"del layouts[{pattern!r}]",
            )
        spec = layout.spec if isinstance(layout, NamedSharding) else layout
        self._layouts[pattern] = as_spec(spec, self.device_mesh, f"LayoutMap[{pattern!r}]")

    def __getitem__(self, path: str) -> Spec:
        """The layout of a pattern, or of the path that one pattern matches; a copy on each device where none does."""
        if path in self._layouts:
            return self._layouts[path]
        matches = [pattern for pattern in self._layouts if re.search(pattern, path)]
        if len(matches) > 1:
            raise PlacementError.must(
                "one pattern must match a path", f"{matches}", path=path, write="layouts['block_0/dense/kernel'] = ..."
            )
        return self._layouts[matches[0]] if matches else Spec()

    def __delitem__(self, pattern: str) -> None:
        del self._layouts[pattern]

    def __len__(self) -> int:
        return len(self._layouts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layouts)
