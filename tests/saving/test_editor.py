"""Files looked into: the editor, and the command line."""

import subprocess
import sys

import jax
import numpy as np
import pytest

import jkeras
from jkeras import Input, layers
from jkeras.errors import ArgumentError, UnknownNameError
from jkeras.saving import KerasFileEditor
from jkeras.saving.__main__ import main
from tests.oracle import asking_keras, keras
from tests.repository import ROOT

X = np.ones((2, 3), "float32")


@pytest.fixture
def saved(tmp_path):
    model = jkeras.Sequential([Input((3,)), layers.Dense(4), layers.Dense(2)])
    variables = model.init(jax.random.key(0))
    model.save_weights(tmp_path / "a.weights.h5", variables)
    model.save(tmp_path / "a.keras", variables)
    return model, variables, tmp_path


def test_an_edited_file_is_read_by_both_libraries(saved):
    _, variables, folder = saved
    editor = KerasFileEditor(folder / "a.weights.h5")
    editor.delete_object("dense_1")
    editor.add_object("layers/dense_1", {"0": np.ones((4, 5)), "1": np.zeros(5)})
    editor.save(folder / "b.weights.h5")
    wide = jkeras.Sequential([Input((3,)), layers.Dense(4), layers.Dense(5)])
    values = wide.load_weights(folder / "b.weights.h5", wide.init(jax.random.key(1)))
    np.testing.assert_array_equal(values.trainable["dense"]["kernel"], variables.trainable["dense"]["kernel"])
    with asking_keras():
        theirs = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(5)])
        theirs.load_weights(folder / "b.weights.h5")
        np.testing.assert_allclose(theirs.predict(X, verbose=0), wide.stateless_call(*values, X)[0], rtol=1e-5)


def test_a_file_is_compared_with_a_model(saved, capsys):
    model, _, folder = saved
    editor = KerasFileEditor(folder / "a.keras")
    assert editor.compare(model) == {"status": "success", "error_count": 0, "match_count": 4}
    other = jkeras.Sequential([Input((3,)), layers.Dense(4), layers.Dense(3), layers.Dense(1)])
    assert editor.compare(other) == {"status": "error", "error_count": 4, "match_count": 2}
    printed = capsys.readouterr().out
    assert "layers/dense_2/vars/0: missing, expected (3, 1)" in printed
    assert "layers/dense_1/vars/0: shape (4, 2), expected (4, 3)" in printed


def test_objects_and_weights_are_renamed_added_and_deleted(saved, capsys):
    _, _, folder = saved
    editor = KerasFileEditor(folder / "a.weights.h5")
    editor.rename_object("layers/dense", "first")
    editor.rename_object("dense_1", "head/dense")
    editor.add_weights("first", {"2": np.zeros(7)})
    editor.delete_weight("first", "1")
    assert sorted(editor.weights) == [
        "head/dense/vars/0", "head/dense/vars/1", "layers/first/vars/0", "layers/first/vars/2",
    ]  # fmt: skip
    editor.summary()
    assert "layers/first/vars/2" in capsys.readouterr().out


def test_what_cannot_be_edited_is_named(saved):
    _, _, folder = saved
    editor = KerasFileEditor(folder / "a.weights.h5")
    with pytest.raises(UnknownNameError, match="no object 'dens'"):
        editor.delete_object("dens")
    with pytest.raises(UnknownNameError, match="no weight '7'"):
        editor.delete_weight("dense", "7")
    with pytest.raises(ArgumentError, match="must be free"):
        editor.rename_object("dense", "dense_1")
    with pytest.raises(ArgumentError, match="must end in"):
        editor.save(folder / "a.keras")
    editor.add_object("other/dense", {"0": np.ones(2)})
    with pytest.raises(UnknownNameError, match="several objects 'dense'"):
        editor.delete_object("dense")


def test_the_command_lists_verifies_and_compares(saved, capsys):
    model, variables, folder = saved
    command = [sys.executable, "-m", "jkeras.saving", folder / "a.keras"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    for part in ("keras_version: 3", "Sequential", "Dense 'dense_1'", "sha256", "(3, 4)", "float32", "all arrays can"):
        assert part in done.stdout
    assert main([str(folder / "a.keras"), str(folder / "a.weights.h5")]) == 0
    assert "4 equal, 0 different" in capsys.readouterr().out
    changed = jax.tree.map(lambda leaf: leaf + 0.5, variables)
    model.save_weights(folder / "b.weights.h5", changed)
    assert main([str(folder / "a.weights.h5"), str(folder / "b.weights.h5")]) == 1
    assert "layers/dense/vars/0: differs by at most 0.5" in capsys.readouterr().out
    data = bytearray((folder / "a.keras").read_bytes())
    data[-3000] ^= 1
    (folder / "a.keras").write_bytes(data)
    assert main([str(folder / "a.keras")]) == 1
    assert "damaged" in capsys.readouterr().err
