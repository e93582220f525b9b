"""What Keras's objects do with values that they hold: each name is here, or an error with the lines to write."""

import inspect

import jax
import numpy as np
import pytest

import jkeras
from jkeras import initializers, layers, losses, metrics, optimizers, regularizers
from jkeras.errors import HoldsNoValuesError
from tests.oracle import keras

LEFT_OUT = {  # names that Keras's objects have and ours do not, with the reason
    **dict.fromkeys(("train_function", "test_function", "predict_function"), "compiled functions are a trainer's"),
    **dict.fromkeys(("input_mean", "input_variance", "moving_mean", "moving_variance"), "declared when it is built"),
    **dict.fromkeys(("count", "total"), "in the state that a metric's caller holds"),
    "backend": "of TensorFlow's data pipelines",
    "built": "of an optimizer: its state is what `init` returns",
    "call_signature_parameters": "internal",
    "params": "set by the loop",
    "quantization_config": "of quantization",
    "single_state": "internal",
    "states": "declared when a stateful layer is built",
    "steps_per_execution": "an argument of a trainer",
    "supports_jit": "what JAX cannot trace cannot be a layer",
    "convert_weight": "of TensorFlow's tensors",
    "finalize_state": "statistics are values: `adapt` returns them",
    "inner_loop": "the loop is a function of the cell's recurrence",
    "ragged_rank": "symbolic tensors are dense",
    "row_splits_dtype": "symbolic tensors are dense",
    "variable_serialization_spec": "of quantization",
    "on_batch_begin": "refused where a callback defines it, with the name to write",
    "on_batch_end": "refused where a callback defines it, with the name to write",
}


def network(module):
    return module.Sequential([module.Input((4,)), module.layers.Dense(2)])


PAIRS = {
    "Sequential": (network(keras), network(jkeras)),
    "Functional": (keras.Model(i := keras.Input((4,)), i), jkeras.Model(j := jkeras.Input((4,)), j)),
    "Layer": (keras.Layer(), jkeras.Layer()),
    "Dense": (keras.layers.Dense(2), layers.Dense(2)),
    "Embedding": (keras.layers.Embedding(2, 3), layers.Embedding(2, 3)),
    "BatchNormalization": (keras.layers.BatchNormalization(), layers.BatchNormalization()),
    "Normalization": (keras.layers.Normalization(), layers.Normalization()),
    "LSTM": (keras.layers.LSTM(2, stateful=True), layers.LSTM(2, stateful=True)),
    "Bidirectional": (keras.layers.Bidirectional(keras.layers.GRU(2)), layers.Bidirectional(layers.GRU(2))),
    "Optimizer": (keras.optimizers.Adam(), optimizers.Adam()),
    "Metric": (keras.metrics.MeanSquaredError(), metrics.MeanSquaredError()),
    "Loss": (keras.losses.MeanSquaredError(), losses.MeanSquaredError()),
    "Variable": (keras.Variable(np.zeros(2)), jkeras.Variable("zeros", (2,))),
    "Initializer": (keras.initializers.GlorotUniform(), initializers.GlorotUniform()),
    "Regularizer": (keras.regularizers.L2(), regularizers.L2()),
    "Callback": (keras.callbacks.Callback(), jkeras.callbacks.Callback()),
    "KerasTensor": (keras.Input((4,)), jkeras.Input((4,))),
}


def public(thing):
    return {name for name in dir(type(thing)) if not name.startswith("_")} | {
        name for name in vars(thing) if not name.startswith("_")
    }


@pytest.mark.parametrize("name", PAIRS)
def test_a_name_of_keras_s_is_there_or_says_what_to_write(name):
    theirs, ours = PAIRS[name]
    missing = []
    for attribute in sorted(public(theirs) - set(LEFT_OUT)):
        if inspect.getattr_static(ours, attribute, None) is None and attribute not in public(ours):
            missing.append(attribute)
            continue
        try:
            getattr(ours, attribute)
        except HoldsNoValuesError as error:
            assert "write:" in str(error) and len(str(error).splitlines()) <= 6
        except Exception as error:  # of a layer that was never called, say: an error of ours, with its own lines
            assert isinstance(error, jkeras.errors.JKerasError), (attribute, error)
    assert not missing


def test_an_optimizer_is_not_built_for_variables_and_its_rate_is_not_assigned():
    optimizer = optimizers.SGD(0.5)
    for use in (lambda: optimizer.build([]), lambda: optimizer.learning_rate.assign(0.1), lambda: optimizer.iterations):
        with pytest.raises(HoldsNoValuesError, match="write:"):
            use()
    assert optimizer.build().init({}) is not None
    assert jax.numpy.ones(2).dtype == (jax.numpy.ones(2) * optimizer.learning_rate).dtype


@pytest.mark.parametrize("name", sorted(set(dir(keras.optimizers)) & set(dir(optimizers))))
def test_arguments_of_optimizers_by_position(name):
    theirs, ours = getattr(keras.optimizers, name), getattr(optimizers, name)
    if not inspect.isclass(theirs) or inspect.isabstract(ours):
        pytest.skip("not an optimizer that can be made")
    names = [p.name for p in inspect.signature(theirs).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    values = {
        p.name: p.default / 2 if isinstance(p.default, float) else p.default
        for p in inspect.signature(theirs).parameters.values()
        if p.name in names
    }
    values["name"] = "mine"
    assert ours(*values.values()) == ours(**values)
    with pytest.raises(TypeError, match="by position and by name"):
        ours(*values.values(), name="twice")
