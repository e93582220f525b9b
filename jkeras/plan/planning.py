"""From a trainer and the name of a machine to a plan: a step is traced, lowered and compiled for devices elsewhere."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding

from jkeras.data.arrays import pack_x_y_sample_weight
from jkeras.errors import ArgumentError, PlacementError
from jkeras.jax_compat import lowering_for
from jkeras.placement import Layout, Placement
from jkeras.plan.flops import matmul_flops
from jkeras.plan.machines import Machine, machine_of
from jkeras.plan.memory import Memory, shortage
from jkeras.plan.program import Program
from jkeras.plan.report import Plan
from jkeras.typing import PyTree

Placing: TypeAlias = Callable[[Mesh], Placement] | Placement | None
OTHER = ("step", "metrics", "loss_scale")


def plan_training(
    trainer: Any,
    topology: str,
    batch: PyTree,
    placement: Placing = None,
    *,
    mesh_shape: Mapping[str, int] | None = None,
) -> Plan:
    """`Trainer.plan`; arguments, results and errors are described there.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((8,)), jkeras.layers.Dense(4)])
    >>> specs = jax.ShapeDtypeStruct((16, 8), "float32"), jax.ShapeDtypeStruct((16, 4), "float32")
    >>> plan = plan_training(jkeras.Trainer(model, "sgd", "mse"), "cpu:1", specs)
    >>> plan.memory.weights, plan.flops
    (144, 2048)
    """
    machine = machine_of(topology)
    inputs = specs_of(batch)
    devices = machine.devices()
    mesh = mesh_over(devices, _axes(trainer, placement, mesh_shape, len(devices)), machine)
    placed = placement_on(mesh, placement, trainer.placement)
    trainer = trainer.replace(placement=placed)
    with lowering_for(machine.platform, devices=mesh.size):
        state = jax.eval_shape(lambda: trainer.init(jax.random.key(0), inputs[0]))
        packed = pack_x_y_sample_weight(*inputs)
        start = time.perf_counter()
        traced = trainer.session.trace(state, packed)
        lowered = traced.lower()
        lowering = time.perf_counter() - start
    return _compiled(machine, placed, traced, lowered, _parts(trainer, placed, state, packed), lowering)


def _compiled(
    machine: Machine,
    placement: Placement,
    traced: jax.stages.Traced,
    lowered: jax.stages.Lowered,
    parts: dict[str, int],
    lowering: float,
) -> Plan:
    """The plan of a lowered step: compiles it, or reads why the compiler refused."""
    start, busy = time.perf_counter(), time.process_time()
    refusal, compiled = "", None
    try:
        compiled = lowered.compile(compiler_options=machine.options)
    except jax.errors.JaxRuntimeError as error:
        if shortage(str(error)) is None:
            raise
        refusal = str(error)
    seconds, processor = time.perf_counter() - start, time.process_time() - busy
    return Plan(
        machine=machine,
        placement=placement,
        memory=Memory.of(parts, compiled, refusal, machine.memory),
        program=Program("" if compiled is None else compiled.as_text() or ""),
        flops=matmul_flops(traced),
        lowering_seconds=lowering,
        compile_seconds=seconds,
        processor_seconds=processor,
        lowered=lowered,
        compiled=compiled,
        refusal=refusal,
    )


def specs_of(batch: PyTree) -> tuple[PyTree, ...]:
    """A batch as specs `(x, y, ...)`. A shape alone is one of tokens: `x` and `y` in int32.

    >>> specs_of((64, 2048))
    (ShapeDtypeStruct(shape=(64, 2048), dtype=int32), ShapeDtypeStruct(shape=(64, 2048), dtype=int32))
    """
    if isinstance(batch, tuple | list) and batch and all(isinstance(size, int) for size in batch):
        tokens = jax.ShapeDtypeStruct(tuple(batch), "int32")
        return tokens, tokens
    if not isinstance(batch, tuple | list) or not 0 < len(batch) <= 3:
        raise ArgumentError.must(
            "`batch` must be a tuple (x, y) of arrays or specs, or the shape of a batch of tokens",
            f"{batch!r}"[:80],
            path="Trainer.plan(batch)",
            write="trainer.plan('v5e:4x4', (jax.ShapeDtypeStruct((64, 28, 28, 1), 'float32'), labels))",
        )
    return tuple(jax.tree.map(_spec, part) for part in batch)


def _spec(leaf: Any) -> jax.ShapeDtypeStruct:
    if not hasattr(leaf, "shape") or not hasattr(leaf, "dtype"):
        raise ArgumentError.must(
            "`batch` must have arrays or specs as its leaves",
            f"{leaf!r}"[:80],
            path="Trainer.plan(batch)",
            write="jax.ShapeDtypeStruct((64, 2048), 'int32')",
        )
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)


def mesh_over(devices: list[Any], axes: Mapping[str, int], machine: Machine) -> Mesh:
    """The mesh of all devices, or of the first ones where the axes ask for fewer.

    Raises:
        PlacementError: the axes ask for more devices than there are.

    >>> mesh_over(jax.devices()[:1], {"data": 1}, machine_of("cpu:1")).axis_names
    ('data',)
    """
    sizes, names = tuple(axes.values()), tuple(axes)
    wanted = math.prod(sizes)
    if wanted > len(devices) or wanted < 1:
        raise PlacementError.must(
            f"`mesh_shape` must have at most the {len(devices)} devices of {machine.name!r}",
            f"{dict(axes)}, which is {wanted}",
            path="Trainer.plan(mesh_shape=)",
            write=f"mesh_shape={{'data': {len(devices)}}}",
        )
    kinds = (AxisType.Auto,) * len(names)
    if wanted < len(devices):
        return Mesh(np.array(devices[:wanted]).reshape(sizes), names, axis_types=kinds)
    return jax.make_mesh(sizes, names, devices=devices, axis_types=kinds)


def placement_on(mesh: Mesh, placing: Placing, own: Placement | None) -> Placement:
    """The placement on a mesh: what a function makes of it, or the rules of a placement, of the trainer's by default.

    Raises:
        PlacementError: the function returns something else.
        ArgumentError: it is neither.

    >>> mesh = jax.make_mesh((1,), ("data",))
    >>> placement_on(mesh, lambda mesh: Placement(mesh, fsdp="data"), None)
    Placement(mesh(data=1), batch='data', fsdp='data')
    """
    if isinstance(placing, Placement) or placing is None:
        rules = own if placing is None else placing
        return Placement(mesh) if rules is None else _moved(rules, mesh)
    if not callable(placing):
        raise ArgumentError.must(
            "`placement` must be a function from a mesh to a placement, a placement or None",
            f"{placing!r}"[:80],
            path="Trainer.plan(placement=)",
            write="placement=lambda mesh: jkeras.distribution.FSDP(mesh)",
        )
    made = placing(mesh)
    if not isinstance(made, Placement) or made.mesh.size != mesh.size:
        raise PlacementError.must(
            "`placement` must return a placement on the mesh that it is given",
            f"{made!r}"[:80],
            path="Trainer.plan(placement=)",
            write="placement=lambda mesh: jkeras.distribution.FSDP(mesh)",
        )
    return made


def _moved(rules: Placement, mesh: Mesh) -> Placement:
    config = {name: getattr(rules, name) for name in ("batch", "rules", "outputs", "fsdp", "min_size", "replicas")}
    return Placement(mesh, pin=rules.pin, **config)


def _axes(trainer: Any, placing: Placing, given: Mapping[str, int] | None, count: int) -> Mapping[str, int]:
    """The axes of the mesh: the given ones, those of a placement with as many devices, or one for all devices."""
    if given is not None:
        return given
    rules = placing if isinstance(placing, Placement) else trainer.placement if placing is None else None
    if rules is None:
        return {"data": count}
    names = rules.mesh.axis_names
    if len(names) == 1:
        return {names[0]: count}
    if rules.mesh.size == count:
        return dict(rules.mesh.shape)
    raise PlacementError.must(
        f"`mesh_shape` must say how the {count} devices are divided among the axes {', '.join(map(repr, names))}",
        "None",
        path="Trainer.plan(mesh_shape=)",
        expected="a dict from axes to sizes",
        write="mesh_shape={" + ", ".join(f"{name!r}: ..." for name in names) + "}",
    )


def _parts(trainer: Any, placement: Placement, state: Any, batch: PyTree) -> dict[str, int]:
    """The bytes on a device of the parts of a state, and of a batch."""
    layout = Layout(placement, placement.weights(trainer.model), trainer.replicas)

    def nbytes(part: PyTree, specified: Callable[[PyTree], PyTree]) -> int:
        return sum(_nbytes_on_a_device(leaf) for leaf in jax.tree.leaves(specified(part)))

    placed = layout.specified(state)
    groups = {
        "weights": (placed.trainable, placed.non_trainable),
        "optimizer": placed.opt_state,
        "averages": placed.ema,
        "other": [getattr(placed, name) for name in OTHER],
    }
    sizes = {name: nbytes(part, lambda part: part) for name, part in groups.items()}
    return {**sizes, "batch": nbytes(batch, layout.specified_batch)}


def _nbytes_on_a_device(leaf: jax.ShapeDtypeStruct) -> int:
    sharding = leaf.sharding
    shape = sharding.shard_shape(leaf.shape) if isinstance(sharding, NamedSharding) else leaf.shape
    return int(math.prod(shape) * leaf.dtype.itemsize)
