"""The contract of activations, initializers, regularizers and constraints: every row of their tables is run through
the same promises, and every public name has a row.
"""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import activations, constraints, initializers, regularizers
from tests.compilation import AS_USERS_DO
from tests.descriptors import activations as activation_rows
from tests.descriptors import constraints as constraint_rows
from tests.descriptors import initializers as initializer_rows
from tests.descriptors import regularizers as regularizer_rows
from tests.leaks import checking_leaks
from tests.oracle import assert_close

FAMILIES = {
    activations: activation_rows.ROWS,
    initializers: initializer_rows.ROWS,
    regularizers: regularizer_rows.ROWS,
    constraints: constraint_rows.ROWS,
}
# Names that are no entries of the family, with the reason.
NO_ENTRIES = {
    "get": "the table",
    "serialize": "the table",
    "deserialize": "the table",
    "compute_fans": "arithmetic on shapes",
    "Initializer": "abstract",
    "RandomInitializer": "abstract",
    "Regularizer": "abstract",
    "FromArray": "what `get` makes of an array; tested there",
}
# Functions of one array: what they have in common is tested once.
MAPS = [
    pytest.param(row, table.sample, id=str(row))
    for table in (activation_rows, regularizer_rows, constraint_rows)
    for row in table.ROWS
]
OBJECTS = [
    pytest.param(row, family, id=str(row))
    for family, rows in FAMILIES.items()
    if family is not activations
    for row in rows
]
jitted: dict[str, Any] = {}
DRAWN = [pytest.param(row, id=str(row)) for row in initializer_rows.DRAWN]
# One row for each formula that draws, and one for a scalar, which a compiler is most tempted to compute by itself.
FORMULAS = [
    pytest.param(row, id=str(row))
    for row in initializer_rows.DRAWN
    if (row.name in ("RandomNormal", "RandomUniform", "HeNormal", "Orthogonal") and not row.kwargs) or row.shape == ()
]
LOW = ("bfloat16", "float16")


def compiled(row: Any) -> Any:
    """The jitted function of a row, one for all tests."""
    return jitted.setdefault(str(row), jax.jit(row.make()))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_public_name_has_a_row(family):
    covered = {getattr(family, row.name) for row in FAMILIES[family]}
    public = {name for name in family.__all__ if name not in NO_ENTRIES}
    missing = {name for name in public if getattr(family, name) not in covered}
    assert not missing


@pytest.mark.parametrize("row, sample", MAPS)
def test_jit_and_eager_agree(row, sample):
    # The compiler may contract and reassociate: a few roundings per operation, up to 24 terms in a sum.
    assert_close(compiled(row)(sample()), row.make()(sample()), ulps=16)


@pytest.mark.parametrize("row, sample", MAPS)
def test_vmap_is_a_loop(row, sample):
    function, batch = compiled(row), jnp.stack([sample(), 0.5 * sample(), -sample()])
    loop = jnp.stack([function(member) for member in batch])
    assert_close(jax.vmap(function)(batch), loop, ulps=16)


@pytest.mark.parametrize("row, sample", MAPS)
def test_the_dtype_stays(row, sample):
    function = row.make()
    low = {dtype: sample(dtype) for dtype in LOW}
    outputs, in_float32 = jax.jit(
        lambda xs: (jax.tree.map(function, xs), jax.tree.map(lambda x: function(x.astype("float32")), xs))
    )(low)
    for dtype in LOW:
        x, y, expected = (np.asarray(tree[dtype], "float32") for tree in (low, outputs, in_float32))
        kept = (
            "float32" if isinstance(function, regularizers.Regularizer) else dtype
        )  # penalties are sums of many squares
        assert outputs[dtype].dtype == kept and in_float32[dtype].dtype == jnp.float32
        # Each operation in a formula rounds to eps of its result, and no intermediate is larger than the input, the
        # output or 1; gelu, the longest formula, has about eight operations.
        bound = 8 * float(jnp.finfo(dtype).eps) * max(1.0, np.abs(x).max(), np.abs(y).max())
        np.testing.assert_allclose(y, expected, rtol=0, atol=bound)


@pytest.mark.parametrize("row, sample", MAPS)
def test_gradients_are_the_slopes(row, sample):
    function, step = row.make(), 1e-6

    @jax.jit
    def compare(x, direction):
        y, pull = jax.vjp(function, x)
        weights = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
        slope = (function(x + step * direction) - function(x - step * direction)) / (2 * step)
        return y, jnp.vdot(*pull(weights), direction), jnp.vdot(weights, slope)

    with jax.enable_x64(True):
        x = sample("float64")
        for seed in range(3):
            direction = jnp.asarray(np.random.default_rng(seed).normal(size=x.shape))
            y, gradient, slope = compare(x, direction)
            assert y.dtype == jnp.float64
            # Central differences round by 1e-16 * |f| / 1e-6 = 1e-10 * |f|, with |f| up to exp(8) and 24 terms, and
            # truncate by 1e-12 times the third derivative, up to 1 / 0.05² at the smallest norm: below 1e-5 either way.
            np.testing.assert_allclose(gradient, slope, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("row, sample", MAPS)
def test_no_tracer_leaks(row, sample):
    function = row.make()
    with checking_leaks():
        jax.make_jaxpr(jax.grad(lambda x: function(x).sum()))(sample())


@pytest.mark.parametrize("row", [pytest.param(row, id=str(row)) for row in activation_rows.ROWS])
def test_activation_configs_come_back(row):
    function = getattr(activations, row.name)
    config = activations.serialize(function)
    assert config == function.__name__
    assert activations.get(config) is activations.deserialize(config) is function


@pytest.mark.parametrize("row, family", OBJECTS)
def test_object_configs_come_back(row, family):
    thing = row.make()
    config = family.serialize(thing)
    again = family.deserialize(json.loads(json.dumps(config)))
    assert again == thing and hash(again) == hash(thing) and repr(again) == repr(thing)
    assert family.serialize(again) == config
    assert family.get(config) == thing and family.get(thing) is thing


@pytest.mark.parametrize("family", [each for each in FAMILIES if each is not activations], ids=lambda f: f.__name__)
def test_rows_that_differ_are_different(family):
    made = [row.make() for row in FAMILIES[family]]
    called = {(row.name, repr(row.kwargs)) for row in FAMILIES[family]}
    defaults = {("VarianceScaling", repr({"distribution": "normal"}))}  # an alias of the default
    assert len(set(made)) == len(called - defaults)


@pytest.mark.parametrize("row, family", OBJECTS)
def test_no_array_is_held(row, family):
    def visit(value):
        assert not isinstance(value, jax.Array | np.ndarray | np.generic), value
        if isinstance(value, list | tuple):
            for item in value:
                visit(item)
        elif hasattr(value, "__dict__"):
            visit(list(vars(value).values()))

    visit(row.make())


@pytest.mark.parametrize("row", [pytest.param(row, id=str(row)) for row in initializer_rows.ROWS])
def test_initializers_honour_shape_and_dtype(row):
    initializer, key = row.make(), jax.random.key(0)

    def spec(shape, dtype=None):
        return jax.eval_shape(lambda key: initializer(shape, dtype, key=key), key)

    with jax.enable_x64(True):
        for dtype in ("float32", "float64", *LOW):
            assert spec(row.shape, dtype) == jax.ShapeDtypeStruct(row.shape, dtype)
    assert spec(list(row.shape)) == jax.ShapeDtypeStruct(row.shape, "float32")


@pytest.mark.parametrize("row", DRAWN)
def test_initial_values_depend_on_the_key_alone(row):
    """Bit by bit: alone, and as a part of a larger program, both compiled as users do."""
    initializer, key = row.make(), jax.random.key(7)

    def program(key):
        value = initializer(row.shape, key=key)
        return value, jnp.tanh(value * 3 + 1)

    value, _ = jax.jit(program, compiler_options=AS_USERS_DO)(key)
    alone = jax.jit(lambda key: initializer(row.shape, key=key), compiler_options=AS_USERS_DO)
    np.testing.assert_array_equal(value, alone(key))
    assert_close(value, initializer(row.shape, key=key))
    assert np.unique(np.asarray(value)).size == value.size


@pytest.mark.parametrize("row", FORMULAS)
def test_a_seed_is_a_constant_of_the_program(row):
    initializer = row.make(seed=3)
    np.testing.assert_array_equal(jax.jit(lambda: initializer(row.shape))(), initializer(row.shape))


@pytest.mark.parametrize("row", FORMULAS)
def test_initializers_are_vmapped_over_keys(row):
    initializer, many = row.make(), jax.random.split(jax.random.key(0), 3)
    loop = [initializer(row.shape, key=key) for key in many]
    np.testing.assert_array_equal(jax.vmap(lambda key: initializer(row.shape, key=key))(many), loop)


@pytest.mark.parametrize("row", DRAWN)
def test_the_key_decides(row):
    initializer = row.make()
    one, same, other = (initializer(row.shape, key=jax.random.key(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    seeded = row.make(seed=5)
    np.testing.assert_array_equal(seeded(row.shape), seeded(row.shape, key=jax.random.key(1)))


@pytest.mark.parametrize("row", DRAWN)
def test_drawing_leaks_no_tracer(row):
    initializer = row.make()
    with checking_leaks():
        jax.make_jaxpr(lambda key: initializer(row.shape, key=key))(jax.random.key(0))


@pytest.mark.parametrize("row", [pytest.param(row, id=str(row)) for row in initializer_rows.FIXED])
def test_initializers_that_draw_nothing_ignore_the_key(row):
    initializer = row.make()
    value = initializer(row.shape)
    np.testing.assert_array_equal(value, initializer(row.shape, key=jax.random.key(0)))
    np.testing.assert_array_equal(value, jax.jit(lambda: initializer(row.shape))())


@pytest.mark.parametrize("row, family", OBJECTS)
def test_equal_objects_share_one_compiled_program(row, family):
    traces = []

    def program(thing):
        traces.append(thing)
        return jnp.zeros(())

    compiled = jax.jit(program, static_argnums=0)
    compiled(row.make()), compiled(row.make())
    assert len(traces) == 1
