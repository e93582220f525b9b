"""Every public name of Keras's catalogue is there, or has a reason here."""

import pytest

import jkeras
from tests.oracle import keras

TENSORFLOW = "runs a SavedModel of TensorFlow"
TORCH = "runs a module of torch"
FLAX = "JaxLayer takes any pair of pure functions, those of Flax included"
BOXES = "bounding boxes stay with the user's own data code: see docs/design.md, section 9"

ABSENT = {
    "layers.TFSMLayer": TENSORFLOW,
    "layers.TorchModuleWrapper": TORCH,
    "layers.FlaxLayer": FLAX,
    "layers.MaxNumBoundingBoxes": BOXES,
}
MODULES = (
    *("layers", "losses", "metrics", "ops", "random", "initializers", "activations", "regularizers", "constraints"),
    *("ops.image", "ops.linalg", "ops.nn", "ops.numpy"),
)


def public(module):
    return {name for name in dir(module) if not name.startswith("_")}


def at(root, path):
    for name in path.split("."):
        root = getattr(root, name)
    return root


@pytest.mark.parametrize("name", MODULES)
def test_every_name_of_keras_is_there_or_has_a_reason(name):
    missing = public(at(keras, name)) - public(at(jkeras, name))
    unexplained = sorted(each for each in missing if f"{name}.{each}" not in ABSENT)
    assert not unexplained


def test_no_reason_is_given_for_what_is_there_or_what_keras_has_not():
    for path in ABSENT:
        assert hasattr(at(keras, path.rpartition(".")[0]), path.rpartition(".")[2])
        assert not hasattr(at(jkeras, path.rpartition(".")[0]), path.rpartition(".")[2])


def test_the_reasons_fit_on_a_screen():
    assert len(ABSENT) <= 40
