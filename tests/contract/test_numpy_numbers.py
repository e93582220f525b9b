"""NumPy's numbers are numbers: each constructor takes them, and configs have Python's in their place."""

import json

import numpy as np
import pytest

from jkeras import initializers, layers, losses, metrics, registry, regularizers
from jkeras.errors import SerializationError
from tests.descriptors.initializers import ROWS as INITIALIZERS
from tests.descriptors.layers import ROWS as LAYERS
from tests.descriptors.losses import ROWS as LOSSES
from tests.descriptors.metrics import ROWS as METRICS
from tests.descriptors.regularizers import ROWS as REGULARIZERS


def numpy_numbers(value):
    """A value with NumPy's scalars in place of Python's numbers."""
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int):
        return np.int64(value)
    if isinstance(value, float):
        return np.float64(value)
    return type(value)(map(numpy_numbers, value)) if type(value) in (list, tuple) else value


def same_config(make, arguments):
    """Asserts that both kinds of numbers give one config, which JSON can write."""
    try:
        expected = registry.serialize(make(**arguments))
    except SerializationError:  # of a function without a name
        expected = None
    thing = make(**{name: numpy_numbers(value) for name, value in arguments.items()})
    if expected is not None:
        assert json.dumps(registry.serialize(thing)) == json.dumps(expected)


@pytest.mark.parametrize("family", ["layers", "losses", "metrics", "initializers", "regularizers"])
def test_numbers_of_numpy_are_numbers(family):
    rows = {
        "layers": [(row.layer, row.arguments) for row in LAYERS],
        "losses": [(getattr(losses, row.name), dict(row.arguments)) for row in LOSSES],
        "metrics": [(getattr(metrics, row.name), dict(row.arguments)) for row in METRICS],
        "initializers": [(getattr(initializers, row.name), dict(row.kwargs)) for row in INITIALIZERS],
        "regularizers": [(getattr(regularizers, row.name), dict(row.kwargs)) for row in REGULARIZERS],
    }[family]
    for make, arguments in rows:
        if isinstance(arguments.get("fn"), str):  # the rows name the functions of wrappers
            arguments["fn"] = getattr(losses, arguments["fn"])
        same_config(make, arguments)


def test_a_layer_of_numpy_s_numbers():
    assert type(layers.Dense(np.int64(3)).units) is int
    assert layers.Reshape((np.int32(2), -1)).target_shape == (2, -1)
