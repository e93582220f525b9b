"""The usual placements: the batch over all devices, weights split too, and weights split by a map."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax

from jkeras.distribution.devices import as_device
from jkeras.distribution.layouts import DeviceMesh, LayoutMap
from jkeras.errors import PlacementError
from jkeras.placement.placement import MIN_SIZE, Placement


def DataParallel(
    device_mesh: jax.sharding.Mesh | None = None, devices: Iterable[Any] | None = None, auto_shard_dataset: bool = True
) -> Placement:
    """Batches are split over all devices, each of which has all weights.

    Args:
        device_mesh: a mesh; batches are split over all of its axes.
        devices: in place of a mesh, names or devices; by default all.
        auto_shard_dataset: must stay `True`: see `Trainer.fit(data=)` for processes that bring parts of their own.

    Raises:
        PlacementError: `auto_shard_dataset` is false.

    >>> DataParallel(devices=["cpu:0"])
    Placement(mesh(batch=1), batch='batch')
    """
    _check_whole(auto_shard_dataset, "DataParallel")
    if device_mesh is None:
        found = jax.devices() if devices is None else [as_device(device) for device in devices]
        device_mesh = DeviceMesh((len(found),), ["batch"], found)
    return Placement(device_mesh, batch=tuple(device_mesh.axis_names))


def FSDP(
    mesh: jax.sharding.Mesh | None = None,
    axis: str | Sequence[str] | None = None,
    min_size: int = MIN_SIZE,
    **options: Any,
) -> Placement:
    """Batches are split over an axis, and so are weights, optimizer states and gradients: fully sharded training.

    A weight with at least `min_size` entries is split along its largest axis that divides. The compiler gathers it
    where it is used and scatters its gradient.

    Args:
        mesh: a mesh; by default one axis `"data"` over all devices.
        axis: one axis of it or several; by default all.
        min_size: entries that a weight must have.
        options: further ones of `Placement`.

    >>> FSDP(DeviceMesh((1,), ["data"]))
    Placement(mesh(data=1), batch='data', fsdp='data')

    Source: Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models" (2020), stage 3.
    """
    if mesh is None:
        mesh = DeviceMesh((len(jax.devices()),), ["data"])
    axes: Any = tuple(mesh.axis_names) if axis is None else axis
    return Placement(mesh, **{"batch": axes, "fsdp": axes, "min_size": min_size, **options})


def ModelParallel(
    *, layout_map: LayoutMap | None = None, batch_dim_name: str | None = None, auto_shard_dataset: bool = True
) -> Placement:
    """Weights are split by a map, batches over one axis of its mesh.

    Args:
        layout_map: layouts by patterns of paths; a pattern that ends in `output` is one of layers' outputs.
        batch_dim_name: the axis; by default the first one of the mesh.
        auto_shard_dataset: as for `DataParallel`.

    Raises:
        PlacementError: there is no map.

    >>> layouts = LayoutMap(DeviceMesh((1, 1), ["batch", "model"]))
    >>> layouts["dense.*kernel"] = (None, "model")
    >>> ModelParallel(layout_map=layouts).rules
    (('dense.*kernel', P(None, 'model')),)
    """
    _check_whole(auto_shard_dataset, "ModelParallel")
    if not isinstance(layout_map, LayoutMap):
        raise PlacementError.must(
            "`layout_map` must be a LayoutMap",
            repr(layout_map),
            path="ModelParallel(layout_map=)",
            write="ModelParallel(layout_map=LayoutMap(mesh))",
        )
    rules: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    for pattern in layout_map:
        side = outputs if pattern.rstrip("$").endswith("output") else rules
        side[pattern] = layout_map[pattern]
    return Placement(layout_map.device_mesh, batch=batch_dim_name, rules=rules, outputs=outputs)


def _check_whole(auto_shard_dataset: bool, name: str) -> None:
    if not auto_shard_dataset:
        raise PlacementError(
            "`auto_shard_dataset` must stay True: who brings which part is said to `fit`.",
            path=f"{name}(auto_shard_dataset=)",
            expected="True",
            received=repr(auto_shard_dataset),
            write="trainer.fit(state, x, y, data='local')   # each process brings its own part",
        )
