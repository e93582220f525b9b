"""States in orbax's folders."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

import jkeras
from jkeras import Input, layers
from jkeras.callbacks import ModelCheckpoint, read_orbax, write_orbax
from jkeras.errors import FileWriteError, LeafError
from tests.repository import ROOT

X = np.random.default_rng(0).normal(size=(16, 6)).astype("float32")
Y = X[:, :3] ** 2


def trainer_of(units=4):
    model = jkeras.Sequential([Input((6,)), layers.Dense(units, "tanh"), layers.Dropout(0.2), layers.Dense(3)])
    return jkeras.Trainer(model, "adam", "mse", ema=0.9)


def fit(trainer, state, epochs, **options):
    return trainer.fit(state, X, Y, batch_size=8, epochs=epochs, verbose=0, **options)[0]


def assert_equal(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_resumes_to_the_bit(tmp_path):
    trainer = trainer_of()
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}", writer=write_orbax, keep=1)
    state = fit(trainer, trainer.init(jax.random.key(0)), 2, callbacks=[checkpoint])
    assert os.listdir(tmp_path) == ["2"]
    again = trainer.restore(tmp_path / "2")
    assert_equal(again, state)
    assert_equal(fit(trainer, again, 4, initial_epoch=2), fit(trainer, trainer.init(jax.random.key(0)), 4))


def test_what_does_not_fit_says_so(tmp_path):
    trainer = trainer_of()
    write_orbax(tmp_path / "a", trainer.init(jax.random.key(0)))
    with pytest.raises(FileWriteError, match="must be a new one"):
        write_orbax(tmp_path / "a", {"kernel": np.ones(2)})
    with pytest.raises(LeafError, match="does not fit the state"):
        read_orbax(tmp_path / "a", {"kernel": np.ones(2)})
    with pytest.raises(LeafError, match="does not fit the state"):
        trainer_of(5).restore(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        read_orbax(tmp_path / "b", {"kernel": np.ones(2)})


SPREAD = """
import sys, jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from jkeras.callbacks import read_orbax, write_orbax
mesh = Mesh(np.array(jax.devices()), ("x",))
by_rows, by_columns = (NamedSharding(mesh, spec) for spec in (P("x"), P(None, "x")))
values = jnp.arange(32.0).reshape(8, 4)
write_orbax(sys.argv[1], {"kernel": jax.device_put(values, by_rows)})
read = read_orbax(sys.argv[1], {"kernel": jax.ShapeDtypeStruct((8, 4), "float32", sharding=by_columns)})["kernel"]
assert read.sharding.is_equivalent_to(by_columns, 2) and (read == values).all()
"""


def test_spread_arrays_come_back_as_they_are_wanted(tmp_path):
    flags = "--xla_force_host_platform_device_count=4"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", SPREAD, tmp_path / "a"], check=True, env=environment)
