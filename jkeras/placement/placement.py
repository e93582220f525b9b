"""Placement: a mesh of devices, and rules by which the values and batches of a training are spread over it.

A placement is a table, not a switch: it holds no array, changes nothing global, and means something only to the
trainer that it is given to. The engine is JAX's: `jit` divides the program by the shardings of its arguments.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeAlias

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding

from jkeras import tree
from jkeras.core import Layer, Variables
from jkeras.errors import PlacementError
from jkeras.placement.specs import (
    Axes,
    Rules,
    Spec,
    SpecLike,
    as_axes,
    as_rules,
    as_spec,
    check_fits,
    pairs,
    parts_along,
)
from jkeras.placement.table import PlacedWeight, table_of
from jkeras.typing import Config

Reasons: TypeAlias = Mapping[str, str] | tuple[tuple[str, str], ...]
OFFLOADED = ("opt_state", "ema")
MIN_SIZE = 2**16  # entries; splitting a smaller leaf saves less memory than its collectives cost


@dataclasses.dataclass(frozen=True, repr=False)
class Placement:
    """Where the values of a training live, and how its batches are split.

    Args:
        mesh: `jax.make_mesh((4, 2), ("data", "model"))`. Its axes are treated as `AxisType.Auto`: the compiler divides
            the program.
        batch: the axes of the mesh over which the first axis of batches is split; by default the first one.
        rules: from patterns, searched in the paths of weights with `re.search`, to specs; the first match counts. Specs
            are for a weight's own shape: the axis of a `Stack` and that of replicas come in front by themselves.
            A weight without a rule has a copy on each device, or is split by `fsdp`.
        outputs: from patterns of the paths of layers to the specs of what they return.
        fsdp: axes over which each weight without a rule that has at least `min_size` entries is split, along its
            largest axis that divides.
        min_size: entries that a weight must have for `fsdp`.
        replicas: the axis over which a trainer's replicas are spread.
        offload: parts of a state that lie in the host's memory between steps, `"opt_state"` and `"ema"`: as far as they
            have weights' shapes. Each step brings them to the device and back.
        pin: whether the outputs of all layers keep the batch axis where it is. Without, the compiler may split
            activations as the weights are split, which takes many times the memory.
        reasons: from the paths of weights to what the table says of them; placements that differ in them are equal.

    Raises:
        PlacementError: an axis that the mesh does not have, or something that is no mesh, pattern or spec.

    >>> mesh = jax.make_mesh((1,), ("data",))
    >>> placement = Placement(mesh, rules={r"kernel$": Spec(None, "data")})
    >>> placement.batch, placement.rules
    ('data', (('kernel$', P(None, 'data')),))

    Source: Xu et al., "GSPMD: General and Scalable Parallelization for ML Computation Graphs" (2021); for `fsdp`
    Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models" (2020), stage 3.
    """

    mesh: Mesh
    batch: Axes | None = None
    rules: Rules = ()
    outputs: Rules = ()
    fsdp: Axes | None = None
    min_size: int = MIN_SIZE
    replicas: str | None = None
    offload: Sequence[str] = ()
    pin: bool = True
    reasons: Reasons = dataclasses.field(default=(), compare=False)

    def __post_init__(self) -> None:
        mesh = self.mesh
        if not isinstance(mesh, Mesh) or not mesh.axis_names:
            raise PlacementError.must(
                "`mesh` must be a JAX mesh with at least one axis",
                f"a {type(mesh).__name__}",
                path="Placement(mesh=)",
                write="Placement(jax.make_mesh((8,), ('data',)))",
            )
        axes = mesh.axis_names
        self._put("mesh", Mesh(mesh.devices, axes, axis_types=(AxisType.Auto,) * len(axes)))
        batch = self.batch
        if batch is None:
            batch = next((axis for axis in axes if axis != self.replicas), ())
        self._put("batch", self._axes(batch, "batch"))
        if self.fsdp is not None:
            self._put("fsdp", self._axes(self.fsdp, "fsdp"))
        if self.replicas is not None:
            self._axes(self.replicas, "replicas")
            if self.replicas in as_axes(self.batch or ()):
                raise PlacementError(
                    "`replicas` and `batch` must be different axes.",
                    path="Placement(replicas=)",
                    received=repr(self.replicas),
                )
        offload = (self.offload,) if isinstance(self.offload, str) else tuple(self.offload)
        if not set(offload) <= set(OFFLOADED):
            raise PlacementError.must(
                "`offload` must name parts of a state that a step can do without at first",
                f"{offload}",
                path="Placement(offload=)",
                expected=f"some of {OFFLOADED}",
                write="Placement(mesh, offload=('opt_state',))",
            )
        self._put("offload", offload)
        for name in ("rules", "outputs"):
            self._put(name, as_rules(getattr(self, name), self.mesh, name))
        self._put("reasons", tuple((path, text) for path, text in dict(self.reasons).items()))

    def _put(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # frozen; the constructor brings its arguments into one form

    def _axes(self, axes: str | Sequence[str], name: str) -> Any:
        entries = as_spec((axes,), self.mesh, f"Placement({name}=)")
        return entries[0] if len(entries) else ()

    @property
    def parts(self) -> int:
        """Into how many parts the batch axis is split."""
        return parts_along(self.mesh, self.batch)

    @property
    def is_plain(self) -> bool:
        """Whether it means the device that JAX computes on anyway, so that nothing needs to be said of it."""
        return self.mesh.size == 1 and not self.offload and self.mesh.devices.flat[0] == jax.local_devices()[0]

    @property
    def spans_processes(self) -> bool:
        """Whether some of the devices are another process's."""
        return any(device.process_index != jax.process_index() for device in self.mesh.devices.flat)

    def sharding(self, spec: SpecLike = ()) -> NamedSharding:
        """The sharding of a spec on this mesh; without a spec, a copy on each device.

        >>> Placement(jax.make_mesh((1,), ("data",))).sharding(("data",)).spec
        P('data',)
        """
        return NamedSharding(self.mesh, as_spec(spec, self.mesh, "Placement.sharding(spec)"))

    def spec_of(self, path: str, shape: tuple[int, ...]) -> tuple[Spec, str]:
        """The spec of a weight by its path and own shape, and what says so.

        >>> placement = Placement(jax.make_mesh((1,), ("data",)), fsdp="data", min_size=8)
        >>> placement.spec_of("dense/kernel", (4, 16)), placement.spec_of("dense/bias", (4,))
        ((P(None, 'data'), 'fsdp'), (P(), 'smaller than min_size'))
        """
        for pattern, spec in pairs(self.rules):
            if re.search(pattern, path):
                return spec, pattern
        if self.fsdp is None:
            return Spec(), ""
        if np.prod(shape) < self.min_size:
            return Spec(), "smaller than min_size"
        parts = parts_along(self.mesh, self.fsdp)
        axes = sorted(range(len(shape)), key=lambda axis: -shape[axis])
        axis = next((axis for axis in axes if shape[axis] % parts == 0), None)
        if axis is None:
            return Spec(), f"no axis that {parts} divides"
        return Spec(*[None] * axis, self.fsdp), "fsdp"

    def weights(self, model: Layer) -> dict[str, PlacedWeight]:
        """The weights of a model that is built, by path, with their specs.

        Raises:
            PlacementError: a rule matches no weight, or does not fit one.
        """
        found: dict[str, PlacedWeight] = {}
        reasons, ruled = dict(self.reasons), {pattern for pattern, _ in pairs(self.rules)}
        for variable, declaration in model.structure().declarations.items():
            path, shape = declaration.path, tuple(variable.shape)
            front = len(shape) - len(variable.origin.shape)  # axes that are not its own but a stack's
            spec, reason = self.spec_of(path, shape[front:])
            check_fits(self.mesh, spec, shape[front:], path)
            whole = Spec(*[None] * front, *spec) if len(spec) else spec
            reason = reason or "a copy"
            if path in reasons:
                reason = reasons[path] if reason in ruled else f"{reason}: {reasons[path]}"
            found[path] = PlacedWeight(shape, variable.declared_dtype, whole, reason)
        for pattern, _ in pairs(self.rules):
            if not any(re.search(pattern, path) for path in found):
                raise PlacementError(
                    f"the rule {pattern!r} must match a weight, and matches none.",
                    path="Placement(rules=)",
                    expected="a pattern of some of the paths: " + ", ".join(list(found)[:4]),
                    write="print([v.path for v in model.variables])   # all paths",
                )
        return found

    def table(self, model: Layer) -> Any:
        """A table of a model's weights, for rich: path, shape, spec, bytes on a device, and the rule that matched.

        >>> import jkeras
        >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(3)])
        >>> table = Placement(jax.make_mesh((1,), ("data",))).table(model)
        >>> [column.header for column in table.columns], table.row_count
        (['path', 'shape', 'spec', 'bytes on a device', 'rule'], 3)
        """
        return table_of(self.mesh, self.weights(model))

    def shardings(self, model: Layer) -> Variables:
        """The shardings of a model's two trees, in their form: for `jax.jit(model.init, out_shardings=...)`.

        >>> import jkeras
        >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(3)])
        >>> placement = Placement(jax.make_mesh((1,), ("data",)), rules={"kernel": Spec(None, "data")})
        >>> placement.shardings(model).trainable["dense"]["kernel"].spec
        P(None, 'data')
        """
        weights = self.weights(model)
        sides = model.structure().split()
        return Variables(
            *(tree.unflatten({d.path: NamedSharding(self.mesh, weights[d.path].spec) for d in side}) for side in sides)
        )

    # -- configs

    def get_config(self) -> Config:
        """The arguments as plain values; the mesh by the names and sizes of its axes, and its devices' ids."""
        mesh = {
            "axis_names": list(self.mesh.axis_names),
            "axis_sizes": list(self.mesh.devices.shape),
            "device_ids": [device.id for device in self.mesh.devices.flat],
        }
        plain = {name: getattr(self, name) for name in ("batch", "fsdp", "min_size", "replicas", "offload", "pin")}
        rules = {
            name: [[pattern, list(spec)] for pattern, spec in getattr(self, name)] for name in ("rules", "outputs")
        }
        return {"mesh": mesh, **plain, **rules, "reasons": [list(pair) for pair in dict(self.reasons).items()]}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The placement of a config, on the devices of the same ids, or on as many others where there are none.

        Raises:
            PlacementError: there are too few devices.

        >>> placement = Placement(jax.make_mesh((1,), ("data",)), rules={"kernel": Spec(None, "data")})
        >>> Placement.from_config(placement.get_config()) == placement
        True
        """
        config = dict(config)
        mesh = config.pop("mesh")
        by_id = {device.id: device for device in jax.devices()}
        ids, sizes = mesh["device_ids"], tuple(mesh["axis_sizes"])
        if len(by_id) < len(ids):
            raise PlacementError.must(
                f"a mesh of {sizes} must have {len(ids)} devices", f"{len(by_id)}", path="Placement.from_config"
            )
        found = [by_id[number] for number in ids] if set(ids) <= set(by_id) else jax.devices()[: len(ids)]
        return cls(Mesh(np.array(found).reshape(sizes), tuple(mesh["axis_names"])), **config)

    def __reduce__(self) -> Any:
        return type(self).from_config, (self.get_config(),)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}={size}" for name, size in self.mesh.shape.items())
        said = {name: getattr(self, name) for name in ("fsdp", "replicas", "offload") if getattr(self, name)}
        said |= {name: dict(getattr(self, name)) for name in ("rules", "outputs") if getattr(self, name)}
        more = "".join(f", {name}={value!r}" for name, value in said.items())
        return f"Placement(mesh({sizes}), batch={self.batch!r}{more})"
