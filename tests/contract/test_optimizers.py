"""What every optimizer and schedule keeps to; the rows say which there are."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import optimizers
from jkeras.optimizers import schedules
from tests.descriptors.optimizers import OPTIMIZERS, SCHEDULES
from tests.oracle import asking_keras, keras

FAMILIES = {
    "optimizers": (optimizers, keras.optimizers, OPTIMIZERS, optimizers.Optimizer),
    "schedules": (schedules, keras.optimizers.schedules, SCHEDULES, schedules.LearningRateSchedule),
}
ROWS = [
    pytest.param(row, *FAMILIES[family][:2], id=f"{family}-{row}") for family in FAMILIES for row in FAMILIES[family][2]
]


def concrete(module, base):
    """The public classes of a module, its base apart."""
    public = {name: thing for name, thing in vars(module).items() if not name.startswith("_")}
    return {name: c for name, c in public.items() if isinstance(c, type) and issubclass(c, base) and c is not base}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_public_class_has_rows(family):
    module, _, rows, base = FAMILIES[family]
    assert set(concrete(module, base)) == {row.name for row in rows}


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_move_every_argument_off_its_default(family):
    module, _, rows, base = FAMILIES[family]
    common = {field.name for field in dataclasses.fields(base)} if dataclasses.is_dataclass(base) else set()
    moved_by_any = set()
    for name, cls in concrete(module, base).items():
        defaults = {field.name: field.default for field in dataclasses.fields(cls)}
        moved = {
            argument
            for row in rows
            if row.name == name
            for argument, value in row.arguments.items()
            if value != defaults[argument]
        }
        own = set(defaults) - common
        assert own <= moved, f"{name}: no row moves {sorted(own - moved)}"
        moved_by_any |= moved
    assert common - {"weight_decay_exclusions"} <= moved_by_any  # ours alone, and has its own tests


@pytest.mark.parametrize(("row", "module", "theirs"), ROWS)
def test_configs_go_both_ways(row, module, theirs):
    ours, original = row.make(module), row.make(theirs)
    config = module.serialize(ours)
    assert json.loads(json.dumps(config)) == config
    assert module.deserialize(config) == ours
    assert type(ours).from_config(ours.get_config()) == ours
    with asking_keras():
        expected = in_float32(theirs.serialize(original))
        # Not `theirs.deserialize`: that of Keras's optimizers has no Lamb, and returns its name.
        read = theirs.serialize(keras.saving.deserialize_keras_object(json.loads(json.dumps(config))))
    written_back = module.serialize(module.deserialize(expected))
    for each in (expected, config, read, written_back):
        each["config"].pop("name")  # Keras numbers the names of optimizers
    assert in_float32(read) == expected
    assert in_float32(config) == expected
    assert in_float32(written_back) == expected


def in_float32(config):
    """The config as Keras knows it: a learning rate comes back from a float32 variable."""
    if isinstance(config, dict):
        return {key: in_float32(value) for key, value in config.items()}
    return float(np.float32(config)) if isinstance(config, float) else config


@pytest.mark.parametrize(("row", "module", "theirs"), ROWS)
def test_configs_are_hashable_values_without_arrays(row, module, theirs):
    ours = row.make(module)
    assert ours == row.make(module) and hash(ours) == hash(row.make(module))
    assert repr(ours).startswith(f"{row.name}(")
    held = jax.tree.leaves(vars(ours), is_leaf=lambda x: isinstance(x, schedules.LearningRateSchedule))
    assert not any(isinstance(value, jax.Array | np.ndarray | np.generic) for value in held)


HELD = {"alone": {}, "averaged": {"use_ema": True, "ema_momentum": 0.999, "gradient_accumulation_steps": 4}}


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("name", concrete(optimizers, optimizers.Optimizer))
def test_averages_of_half_precision_move_as_those_of_float32(name, held):
    """Gradients shrink, and 600 steps later the second moments are half of theirs: bfloat16 would have kept them.

    The parameters stay as they are, so that both dtypes see the same numbers.
    """
    optimizer = getattr(optimizers, name)(0.0078125, **HELD[held])

    def run(dtype):
        params = {"matrix": jnp.eye(3, dtype=dtype), "vector": jnp.ones(2, dtype)}

        def steps(state, size, count):
            def step(state, _):
                updates, state = optimizer.update(jax.tree.map(lambda p: jnp.full_like(p, size), params), state, params)
                return state, updates

            return jax.lax.scan(step, state, None, length=count)

        state, _ = steps(optimizer.init(params), 1.0, 200)
        state, updates = steps(state, 2.0**-7, 600)
        return state, jax.tree.map(lambda u: u[-1], updates)

    (half, half_updates), (full, updates) = jax.jit(lambda: (run("bfloat16"), run("float32")))()
    assert jax.tree.map(lambda leaf: leaf.dtype, half) == jax.tree.map(lambda leaf: leaf.dtype, full)
    for ours, theirs in zip(jax.tree.leaves(half), jax.tree.leaves(full), strict=True):
        # the averages themselves see parameters plus updates in bfloat16, which has 8 bits
        np.testing.assert_allclose(ours, theirs, rtol=2**-8 if held == "averaged" else 1e-5, atol=1e-9)
    for ours, theirs in zip(jax.tree.leaves(half_updates), jax.tree.leaves(updates), strict=True):
        assert ours.dtype == "bfloat16"
        np.testing.assert_allclose(ours.astype("float32"), theirs, rtol=2**-8, atol=1e-9)
