"""What may change with JAX: a test for each fact, so that another version fails here and not in silence elsewhere."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import jax_compat


def test_values_of_a_trace_are_told_from_arrays():
    found = []
    jax.jit(lambda x: found.append(jax_compat.is_traced(x)))(1.0)
    jax.vmap(lambda x: found.append(jax_compat.is_traced(x)) or x)(jnp.ones(2))
    jax.grad(lambda x: found.append(jax_compat.is_traced(x)) or x)(1.0)
    assert found == [True, True, True]
    assert not any(map(jax_compat.is_traced, (1.0, np.ones(1), jnp.ones(1))))


def test_each_transform_is_a_level_of_its_own():
    levels = [jax_compat.trace_level()]

    def note(x):
        levels.append(jax_compat.trace_level())
        return jnp.sum(x)

    jax.jit(note)(jnp.ones(1))
    jax.vmap(note)(jnp.ones(1))
    jax.grad(note)(jnp.ones(1))
    jax.checkpoint(note)(jnp.ones(1))
    jax.lax.cond(True, note, note, jnp.ones(1))
    assert len(levels) >= 6
    assert all(level != levels[0] for level in levels[1:]) and jax_compat.trace_level() == levels[0]


@pytest.mark.parametrize("transform", [jax.jit, jax.checkpoint])
def test_another_cache_key_makes_functions_trace_again(transform):
    times = []
    function = transform(lambda x: times.append(1) or x)
    for _ in range(2):
        function(1.0)
    before = len(times)
    with jax_compat.other_cache_key():
        function(1.0)
    assert len(times) == before + 1


def test_compiled_forms_are_counted():
    jax.clear_caches()  # else what ran before may leave no room
    program = jax.jit(lambda x: x + 1)
    counts = [jax_compat.kept_forms(program)]
    for value in (1, 2, 1.0, jnp.ones(2)):
        program(value)
        counts.append(jax_compat.kept_forms(program))
    assert counts == [0, 1, 1, 2, 3]


def test_a_convolution_is_found_in_loops_and_calls():
    def convolve(x):
        return jax.lax.conv_general_dilated(x, jnp.ones((1, 1, 3)), (1,), "SAME")

    def looped(x):
        return jax.lax.scan(lambda c, _: (jax.jit(convolve)(c), None), x, None, 2)[0]

    x = jnp.ones((1, 1, 4))
    for function in (convolve, looped, jax.checkpoint(looped), lambda x: jax.grad(lambda x: looped(x).sum())(x)):
        assert jax_compat.CONVOLUTION in jax_compat.primitives(jax.jit(function).trace(x))
    assert jax_compat.CONVOLUTION not in jax_compat.primitives(jax.jit(jnp.sin).trace(x))


def test_a_result_that_differs_between_members_is_told_by_vmap():
    with pytest.raises(ValueError) as found:
        jax.vmap(lambda x: x, out_axes=None)(jnp.ones(2))
    assert jax_compat.differs_between_members(found.value)
    with pytest.raises(ValueError) as found:
        jax.vmap(lambda x, y: x)(jnp.ones(2), jnp.ones(3))
    assert not jax_compat.differs_between_members(found.value)


@pytest.mark.parametrize(
    "function", [lambda x: x.reshape(2, -1), lambda x: x[: x.shape[0] // 0 if x.shape[0] > 7 else 1]]
)
def test_errors_of_unknown_sizes(function):
    (size,) = jax.export.symbolic_shape("n", constraints=["n >= 2"])
    with pytest.raises(Exception) as found:
        jax.eval_shape(function, jax.ShapeDtypeStruct((size,), "float32"))
    assert jax_compat.is_of_unknown_size(found.value)
    assert not jax_compat.is_of_unknown_size(ValueError("the size is wrong"))


def test_dtypes_are_those_of_arrays():
    for dtype in ("int64", "float64", "uint64", "float32", "bfloat16", "bool"):
        assert jax_compat.canonical_dtype(dtype) == jnp.zeros(1, jax_compat.canonical_dtype(dtype)).dtype
    assert jax_compat.canonical_dtype(jax.random.key(0).dtype) == jax.random.key(0).dtype
    assert jax_compat.has_64_bits() is False
    with jax.enable_x64(True):
        assert jax_compat.has_64_bits() is True and jax_compat.canonical_dtype("int64").name == "int64"


def test_the_platform_is_that_of_the_default_device_or_of_the_block():
    own = "cuda" if jax.default_backend() == "gpu" else jax.default_backend()
    assert jax_compat.target_platforms() == (own,)
    with jax.default_device(jax.devices()[0]):
        assert jax_compat.target_platforms() == (own,)
    with jax_compat.lowering_for("tpu", "cpu"):
        assert jax_compat.target_platforms() == ("tpu", "cpu")


def test_a_function_is_traced_again_for_another_platform():
    seen = []
    function = jax.jit(lambda x: seen.append(jax_compat.target_platforms()) or x)
    for platforms in (("tpu",), ("cuda",), ("tpu",)):
        with jax_compat.lowering_for(*platforms):
            function.trace(1.0)
    assert seen == [("tpu",), ("cuda",)]


def test_a_program_inside_shard_map_is_whole():
    mesh = jax.make_mesh((1,), ("x",), axis_types=(jax.sharding.AxisType.Explicit,))
    seen = []
    spec = jax.sharding.PartitionSpec()
    with jax.set_mesh(mesh):
        function = jax.shard_map(lambda x: seen.append(jax_compat.is_spread()) or x, in_specs=spec, out_specs=spec)
        jax.jit(function)(jnp.ones(1))
    assert seen == [False]
    assert jax_compat.is_spread() == (jax.device_count() > 1)


def test_a_program_says_that_it_is_for_another_platform():
    exported = jax.export.export(jax.jit(jnp.sin), platforms=("tpu",))(jnp.ones(2))
    with pytest.raises(ValueError) as caught:
        exported.call(jnp.ones(2))
    assert jax_compat.is_of_other_platform(caught.value)
    assert not jax_compat.is_of_other_platform(ValueError("Rank mismatch"))


def test_a_program_says_that_containers_are_not_registered():
    Pair = collections.namedtuple("Pair", ["one", "other"])
    exported = jax.export.export(jax.jit(lambda x: Pair(x, x)))(jnp.ones(2))
    with pytest.raises(ValueError) as caught:
        exported.serialize()
    assert jax_compat.is_of_other_containers(caught.value)


def test_a_program_is_read_where_more_follows_it():
    blob = bytes(jax.export.export(jax.jit(jnp.sin))(jnp.ones(2)).serialize())
    assert float(jax.export.deserialize(bytearray(blob + b"more")).call(jnp.zeros(2))[0]) == 0.0


def test_the_compiler_knows_the_options():
    assert jax_compat.cpu_options() == jax_compat.CPU_OPTIONS
