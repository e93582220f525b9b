"""What may change with JAX, in one place: each function is one such fact, and has a test that fails when it does.

Everything here is outside of JAX's promise of compatibility: attributes without documentation, the words of error
messages, options of one version of XLA, the form of a jaxpr. Nothing here falls back in silence, but for
`cpu_options`, which says so.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.extend.core

from jkeras.typing import PyTree


def is_traced(value: Any) -> bool:
    """Whether a value is one of a JAX transform that is being traced, rather than an array.

    >>> is_traced(1.0), jax.eval_shape(lambda x: x * is_traced(x), 2).dtype == "int32"
    (False, True)
    """
    return isinstance(value, jax.core.Tracer)


def trace_level() -> Any:
    """The identity of the innermost JAX trace; equal for two moments if no transform lies between them.

    >>> trace_level() == trace_level()
    True
    """
    return jax.extend.core.get_opaque_trace_state()


_cache_key = jax.make_user_context(default_value=None)  # part of the keys of all of JAX's caches


def other_cache_key() -> contextlib.AbstractContextManager[Any]:
    """In the block, JAX finds nothing that it has kept of traces: functions are traced again."""
    block: contextlib.AbstractContextManager[Any] = _cache_key(object())
    return block


def kept_forms(program: Callable[..., Any]) -> int:
    """How many compiled forms of a function JAX keeps; 0 of a function that `jax.jit` did not return.

    JAX drops forms where a process has many thousands, even the newest, so 0 may also mean that it was dropped.

    >>> jax.clear_caches()  # else what ran before this example may leave no room
    >>> program = jax.jit(lambda x: x)
    >>> kept_forms(program), int(program(1)), kept_forms(program), kept_forms(abs)
    (0, 1, 1, 0)
    """
    return program._cache_size() if isinstance(program, jax.stages.Wrapped) else 0  # type: ignore[attr-defined]


def primitives(traced: jax.stages.Traced) -> set[str]:
    """The names of all primitives in a traced function, those inside loops and calls included.

    >>> traced = jax.jit(lambda x: jax.lax.fori_loop(0, x, lambda i, c: c * i, 1)).trace(3)
    >>> sorted(primitives(traced))
    ['add', 'lt', 'mul', 'while']
    """
    return _primitives(traced.jaxpr.jaxpr)


def scan_sizes(parameters: Mapping[str, Any]) -> tuple[int, int]:
    """How many inputs of a `scan` in a jaxpr are constants, and how many are carried; the rest has the loop's axis.

    >>> loop = jax.make_jaxpr(lambda w, x: jax.lax.scan(lambda c, _: (c * w, c), x, None, 2))(1.0, 2.0)
    >>> scan_sizes(loop.eqns[0].params)
    (1, 1)
    """
    if "num_consts" in parameters:
        return parameters["num_consts"], parameters["num_carry"]
    constants, carried, _ = parameters["ft_in"].unpack()  # from JAX 0.12 on
    return len(list(constants)), len(list(carried))


def _primitives(jaxpr: Any) -> set[str]:
    found = set()
    for equation in jaxpr.eqns:
        found.add(equation.primitive.name)
        for nested in inner_jaxprs(equation):
            found |= _primitives(nested)
    return found


def inner_jaxprs(equation: Any) -> list[Any]:
    """The jaxprs in the parameters of an equation: of a loop, of branches, of a call.

    >>> traced = jax.jit(lambda x: jax.lax.cond(x > 0, jax.numpy.sin, jax.numpy.cos, x)).trace(1.0)
    >>> len(inner_jaxprs(traced.jaxpr.jaxpr.eqns[-1]))
    2
    """
    return list(_jaxprs(equation.params.values()))


def _jaxprs(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, tuple | list):
            yield from _jaxprs(value)
        elif hasattr(value, "eqns"):
            yield value
        elif hasattr(getattr(value, "jaxpr", None), "eqns"):
            yield value.jaxpr


CONVOLUTION = "conv_general_dilated"  # the name of its primitive


def differs_between_members(error: ValueError) -> bool:
    """Whether `jax.vmap` raised an error because a result that must be one for all members is not."""
    return "out_axes" in str(error)


def is_of_unknown_size(error: Exception) -> bool:
    """Whether an error says that JAX cannot compute with a symbolic dimension."""
    return isinstance(error, jax.errors.InconclusiveDimensionOperation) or "_DimExpr" in str(error)


def is_of_other_platform(error: Exception) -> bool:
    """Whether an error says that an exported program was called on a platform that it was not lowered for."""
    return "was exported for platforms" in str(error)


def is_of_other_containers(error: Exception) -> bool:
    """Whether an error says that an exported program has containers that no serialization was registered for."""
    return "register_pytree_node_serialization" in str(error)


def canonical_dtype(dtype: Any) -> Any:
    """The dtype that an array of a dtype has in JAX: float64 is float32 unless 64 bits are enabled.

    >>> canonical_dtype("int64").name
    'int32'
    """
    return jax.dtypes.canonicalize_dtype(dtype, allow_extended_dtype=True)


def has_64_bits() -> bool:
    """Whether 64 bits are enabled.

    >>> has_64_bits()
    False
    """
    return bool(jax.config.read("jax_enable_x64"))


_targets = jax.make_user_context(default_value=())  # part of the keys of all of JAX's caches
_targets_spread = jax.make_user_context(default_value=False)


@contextlib.contextmanager
def lowering_for(*platforms: str, devices: int = 1) -> Iterator[None]:
    """In the block, programs are traced for other platforms than the machine's own; see `jkeras.config`.

    Args:
        platforms: some of `"cpu"`, `"cuda"`, `"rocm"`, `"tpu"`.
        devices: among how many of them the compiler divides the programs.
    """
    with _targets(platforms), _targets_spread(devices > 1):
        yield


def target_platforms() -> tuple[str, ...]:
    """The platforms that programs are traced for, as `jax.jit(...).lower(lowering_platforms=...)` names them: those of
    `lowering_for`, else that of the device that computes by default.

    >>> with lowering_for("cuda", "tpu"):
    ...     target_platforms()
    ('cuda', 'tpu')
    """
    if _targets.value:
        return tuple(_targets.value)
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    platform = jax.default_backend() if device is None else getattr(device, "platform", device)
    return ("cuda" if platform == "gpu" else platform,)


def is_spread() -> bool:
    """Whether a program that is traced now may be divided among several devices by the compiler: those of this machine,
    or those that `lowering_for` says; not inside `jax.shard_map`.

    >>> with lowering_for("tpu"):
    ...     alone = is_spread()
    >>> with lowering_for("tpu", devices=8):
    ...     alone, is_spread()
    (False, True)
    """
    mesh = jax.sharding.get_abstract_mesh()
    by_hand = not mesh.empty and len(mesh.manual_axes) == len(mesh.axis_names)
    several = bool(_targets_spread.value) if _targets.value else jax.device_count() > 1
    return several and not by_hand


def with_auto_axes(array: jax.Array) -> jax.Array:
    """An array that is spread over a mesh, without the mesh's axes in its type: the compiler divides what uses it.

    `jax.make_mesh` makes axes that are part of the types of arrays; operations on those need to be told the types of
    their results.

    >>> mesh = jax.make_mesh((1,), ("data",))
    >>> spread = jax.device_put(jax.numpy.ones(2), jax.NamedSharding(mesh, jax.P("data")))
    >>> jax.typeof(spread), jax.typeof(with_auto_axes(spread))
    (ShapedArray(float32[2@data]), ShapedArray(float32[2]))
    """
    sharding = array.sharding if not is_traced(array) else None
    if not isinstance(sharding, jax.NamedSharding):
        return array
    mesh = sharding.mesh
    auto = jax.sharding.AxisType.Auto
    if all(kind == auto for kind in mesh.axis_types):
        return array
    plain = jax.sharding.Mesh(mesh.devices, mesh.axis_names, axis_types=(auto,) * len(mesh.axis_names))
    same: jax.Array = jax.device_put(array, jax.NamedSharding(plain, sharding.spec))
    return same


def coordination() -> Any:
    """The client of the service through which the processes that `jax.distributed.initialize` joined find each other;
    `None` without it. Its store has `key_value_set`, `blocking_key_value_get` and `key_value_delete`.

    >>> coordination() is None
    True
    """
    return jax._src.distributed.global_state.client


def by_hand() -> bool:
    """Whether the code runs inside `jax.shard_map`, where the compiler is not told how to divide.

    >>> by_hand()
    False
    """
    return bool(jax.sharding.get_abstract_mesh().manual_axes)


CPU_OPTIONS = {"xla_cpu_copy_insertion_use_region_analysis": True, "xla_cpu_prefer_vector_width": 512}


@functools.cache
def cpu_options() -> dict[str, PyTree]:
    """What XLA's CPU compiler is asked for; empty for other compilers, and for one that does not know the options.

    - To see that a loop may update its weights where they lie. Otherwise it copies each weight matrix in each step:
      50 copies for 50 layers, a tenth of the step.
    - To use vectors of 512 bits where the processor has them. By default it uses half of each: on an AMD EPYC with
      AVX-512, a step of a small network took 70 us, and takes 62 us (both with jaxlib 0.10.2).
    """
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda x: x, compiler_options=CPU_OPTIONS).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return CPU_OPTIONS
