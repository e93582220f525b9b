"""Files of states: what comes back is what was written, or an error that says what does not fit."""

import os

import chex
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import errors
from jkeras.callbacks import read_state, write_state
from tests.callbacks.setup import a_state

DTYPES = ["float32", "float16", "bfloat16", "float8_e4m3fn", "int4", "int8", "uint32", "bool", "complex64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(tmp_path, dtype):
    tree = {"scalar": jnp.ones((), dtype), "empty": jnp.ones((0, 2), dtype), "vector": jnp.array([0, 1, 1], dtype)}
    write_state(tmp_path / "a.h5", tree)
    found = read_state(tmp_path / "a.h5", jax.tree.map(jnp.zeros_like, tree))
    for name, leaf in tree.items():
        assert isinstance(found[name], jax.Array)
        assert found[name].dtype == leaf.dtype
        np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(leaf))
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["vector"].attrs.get("dtype", file["vector"].dtype.name) == dtype


def test_a_state_as_it_is(tmp_path):
    state = a_state(3.0)
    write_state(tmp_path / "deep" / "a.h5", state)
    found = read_state(tmp_path / "deep" / "a.h5", jax.eval_shape(lambda: a_state(0.0)))
    assert jax.tree.structure(found) == jax.tree.structure(state)
    chex.assert_trees_all_equal(found, state)
    with h5py.File(tmp_path / "deep" / "a.h5") as file:
        assert file["trainable/dense/kernel"][()].tolist() == [3.0, 3.0]
        assert "opt_state" in file and "step" in file


def test_a_state_whose_memory_was_reused_tells_the_form(tmp_path):
    state = a_state(3.0)
    write_state(tmp_path / "a.h5", state)
    for leaf in jax.tree.leaves(state):
        leaf.delete()
    assert read_state(tmp_path / "a.h5", state).trainable["dense"]["kernel"].tolist() == [3.0, 3.0]


def test_keys_scalars_arrays_of_the_host_and_a_single_leaf(tmp_path):
    key = jax.random.split(jax.random.key(7), 3)
    tree = {"key": key, "count": 7, "rate": 0.1, "flag": True, "host": np.arange(3), "list": [jnp.ones(1)]}
    write_state(tmp_path / "a.h5", tree)
    like = {"key": key[::-1], "count": 0, "rate": 0.0, "flag": False, "host": np.zeros(3, int), "list": [jnp.zeros(1)]}
    found = read_state(tmp_path / "a.h5", like)
    assert jax.random.key_data(found["key"]).tolist() == jax.random.key_data(key).tolist()
    assert (found["count"], found["rate"], found["flag"]) == (7, 0.1, True)
    assert type(found["count"]) is int and type(found["flag"]) is bool and type(found["host"]) is np.ndarray
    write_state(tmp_path / "b.h5", jnp.ones(2))
    assert read_state(tmp_path / "b.h5", jnp.zeros(2)).tolist() == [1.0, 1.0]


def test_the_file_before_stays_until_the_new_one_is_whole(tmp_path):
    class Unreadable:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("the disk is full")

    path = tmp_path / "a.h5"
    write_state(path, {"a": jnp.ones(2)})
    with pytest.raises(RuntimeError, match="disk"):
        write_state(path, {"a": jnp.zeros(2), "b": Unreadable()})
    assert read_state(path, {"a": jnp.zeros(2)})["a"].tolist() == [1.0, 1.0]
    assert os.listdir(tmp_path) == ["a.h5"]


def test_what_does_not_fit_is_named(tmp_path):
    path = tmp_path / "a.h5"
    write_state(path, {"shape": jnp.ones(2), "dtype": jnp.ones(2), "unknown": {"leaf": jnp.ones(2)}, "good": 1})
    like = {"shape": jnp.ones(3), "dtype": jnp.ones(2, "bfloat16"), "missing": jnp.ones(2), "good": 1}
    with pytest.raises(errors.LeafError) as error:
        read_state(path, like)
    message = str(error.value)
    assert len(message.splitlines()) <= 6
    for part in (
        "a.h5",
        "'missing' is missing",
        "'unknown/leaf' is unknown",
        "'shape' has shape (2,), expected (3,)",
        "'dtype' has dtype float32, expected bfloat16",
    ):
        assert part in message
    assert "good" not in message
    with pytest.raises(errors.LeafError) as error:
        read_state(path, {f"leaf{i}": 0 for i in range(9)})
    message = str(error.value)
    assert len(message.splitlines()) <= 6
    assert all(name in message for name in ("leaf0", "leaf8", "unknown/leaf", "good", "more"))


def test_two_leaves_of_one_path(tmp_path):
    with pytest.raises(errors.LeafError, match="a/b"):
        write_state(tmp_path / "a.h5", {"a": {"b": 1}, "a/b": 2})


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_state(tmp_path / "a.h5", {})
