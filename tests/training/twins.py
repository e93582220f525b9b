"""The same network in both libraries, trained on the same batches."""

import jax
import numpy as np

import jkeras
from jkeras import registry
from tests.oracle import asking_keras, keras

OPTIONS = {"epochs": 3, "shuffle": False, "verbose": 0}


def twin(model, variables):
    """Keras's copy of a network, with the same weights."""
    with asking_keras():
        copy = keras.saving.deserialize_keras_object(registry.serialize(model))
        copy.set_weights(model.get_weights(variables))
    return copy


def histories(model, x, y=None, *, optimizer="SGD", rate=0.05, arguments=None, **options):
    """What `fit` logs here, and what it logs in Keras.

    Args:
        optimizer, rate: the class of the optimizer, which both have, and its learning rate.
        arguments: the further arguments of `Trainer` and `compile`, which are the same; a function that makes them of
            either library where they are its objects.
        options: those of `fit`, 3 epochs without shuffling by default; a function makes anew what can be read once.
    """

    def made(library):
        found = arguments(library) if callable(arguments) else arguments or {}
        return getattr(library.optimizers, optimizer)(rate), found

    def given():
        data = x() if callable(x) else x
        return data, {**OPTIONS, **{k: v() if callable(v) else v for k, v in options.items()}}

    ours_optimizer, ours_arguments = made(jkeras)
    trainer = jkeras.Trainer(model, ours_optimizer, **ours_arguments)
    state = trainer.init(jax.random.key(0))
    copy = twin(model, state.variables)
    with asking_keras():
        theirs_optimizer, theirs_arguments = made(keras)
        copy.compile(theirs_optimizer, **theirs_arguments)
        data, more = given()
        expected = copy.fit(data, y, **more).history
    data, more = given()
    _, history = trainer.fit(state, data, y, **more)
    return history.history, expected


def assert_same(ours, expected):
    """The same logs; the numbers are sums of float32 in another order, over three epochs of small steps."""
    assert sorted(ours) == sorted(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-4, err_msg=name)
