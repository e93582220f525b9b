"""Hooks written for Keras work, or are refused when training begins, with the line to write."""

import jax
import pytest

from jkeras import callbacks, errors
from jkeras.callbacks import Callback, CallbackList, LambdaCallback
from jkeras.callbacks.callback import HOOKS
from jkeras.callbacks.signatures import arguments
from tests.callbacks.setup import data, trainer
from tests.oracle import asking_keras, keras

X, Y = data()
FIT = {"batch_size": 8, "verbose": 0, "validation_data": (X[:16], Y[:16])}


def fresh():
    return trainer().init(jax.random.key(0))


def run(callback):
    state, history = trainer().fit(fresh(), X, Y, callbacks=callback, **FIT)
    trainer().evaluate(state, X[:16], Y[:16], batch_size=8, callbacks=callback, verbose=0)
    trainer().predict(state, X[:16], batch_size=8, callbacks=callback, verbose=0)
    return history


def method(hook, names, body="pass", defaults=""):
    """A method with arguments of these names."""
    space = {}
    exec(f"def {hook}(self, {', '.join(names)}{defaults}): {body}", space)
    return space[hook]


def calls_of(base, hook, make):
    calls = []

    def keep(self, place, logs):
        calls.append((place, sorted(logs)))
        return "no state"

    own = type("Own", (base,), {hook: make(hook), "keep": keep})()
    return own, calls


def keras_method(hook):
    *place, _, _ = arguments(hook)
    body = f"return self.keep({place[0] if place else None}, logs or dict())"
    return method(hook, [*place, "logs"], body, "=None")


def test_hooks_are_those_of_keras():
    theirs = {name for name in vars(keras.callbacks.Callback) if name.startswith("on_")}
    assert theirs == {*HOOKS, "on_batch_begin", "on_batch_end"}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_written_for_keras_is_called_as_keras_calls_it(hook):
    """For each batch where it is for batches, with logs of the same names."""
    own, calls = calls_of(Callback, hook, keras_method)
    run(own)
    theirs, expected = calls_of(keras.callbacks.Callback, hook, keras_method)
    with asking_keras():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"])
        model.fit(X, Y, callbacks=theirs, **FIT)
        model.evaluate(X[:16], Y[:16], batch_size=8, callbacks=theirs, verbose=0)
        model.predict(X[:16], batch_size=8, callbacks=theirs, verbose=0)
    assert calls
    if hook.endswith("batch_end"):  # which Keras calls in a thread, now and then out of order
        calls, expected = sorted(calls, key=str), sorted(expected, key=str)
    assert calls == expected


@pytest.mark.parametrize("hook", HOOKS)
def test_a_function_written_for_keras_is_a_hook(hook):
    seen = []
    place = arguments(hook)[:-2]
    function = eval(f"lambda {', '.join([*place, 'logs'])}: keep(logs)", {"keep": seen.append})
    run(LambdaCallback(**{hook: function}))
    assert seen


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("names", [[], ["a", "b", "c", "d"], ["*", "logs", "state"]])
def test_other_arguments_are_refused_before_the_first_step(hook, names):
    own = type("Own", (Callback,), {hook: method(hook, names)})()
    with pytest.raises(errors.ArgumentError) as error:
        trainer().fit(fresh(), X, Y, callbacks=own, **FIT)
    message = str(error.value)
    assert int(error.value.state.step) == 0 and len(message.splitlines()) <= 6
    assert message.startswith(f"Own.{hook}: ")
    assert f"def {hook}(self, {', '.join(arguments(hook))}): ..." in message
    for call in (trainer().evaluate, trainer().predict):
        with pytest.raises(errors.ArgumentError, match=f"Own.{hook}"):
            call(fresh(), X, callbacks=own, verbose=0)
    function = eval(f"lambda {', '.join(names)}: None")
    with pytest.raises(errors.ArgumentError, match=f"lambda {', '.join(arguments(hook))}: "):
        LambdaCallback(**{hook: function})


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("body", ["self.model.stop_training = True", "x = self.model", "print(self.model.optimizer)"])
def test_a_hook_that_uses_the_model_is_refused_before_the_first_step(hook, body):
    names = [*arguments(hook)[:-2], "logs"]
    own = type("Own", (Callback,), {hook: method(hook, names, body, "=None")})()
    with pytest.raises(errors.ArgumentError, match=r"`self\.model`") as error:
        trainer().fit(fresh(), X, Y, callbacks=own, **FIT)
    assert int(error.value.state.step) == 0
    assert f"def {hook}(self, {', '.join(arguments(hook))}): ..." in str(error.value)
    own.model = "one of the user's own"  # it may be: an attribute like any other
    CallbackList(own)
    elsewhere = type("Elsewhere", (Callback,), {hook: method(hook, names, "print(logs.model)", "=None")})()
    CallbackList(elsewhere)


def test_a_model_that_is_used_below_a_hook_is_explained():
    class Own(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.stop()

        def stop(self):
            self.model.stop_training = True

    with pytest.raises(errors.HoldsNoValuesError, match="cannot use `model`") as error:
        trainer().fit(fresh(), X, Y, callbacks=Own(), **FIT)
    assert "self.loop.stop_training = True" in str(error.value)


@pytest.mark.parametrize("name", ["set_model", "on_batch_begin", "on_batch_end"])
def test_methods_of_keras_that_nobody_calls_are_refused_before_the_first_step(name):
    own = type("Own", (Callback,), {name: method(name, ["a", "b"], defaults="=None")})()
    with pytest.raises(errors.ArgumentError, match="never called") as error:
        trainer().fit(fresh(), X, Y, callbacks=own, **FIT)
    assert int(error.value.state.step) == 0
    assert "def " in str(error.value).splitlines()[-1]
    with pytest.raises(AttributeError, match="set_loop"):
        Callback().set_model(None)


def test_parameters_reach_callbacks_as_in_keras():
    class Own(Callback):
        def set_params(self, params):
            self.params = {"mine": True, **params}

    own, plain = Own(), Callback()
    history = run([own, plain, callbacks.EarlyStopping("loss")])
    assert own.params["mine"] and set(plain.params) == {"steps", "verbose"}  # of `predict`
    assert history.params["epochs"] == 1 and history.params["steps"] == 5


def test_hooks_with_and_without_a_state_live_beside_each_other():
    class Own(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            return "what Keras ignores"

        def on_epoch_end(self, epoch, logs, state):
            return state.replace(step=state.step + 100)

    state, _ = trainer().fit(fresh(), X, Y, callbacks=[Own(), Own()], **FIT)
    assert int(state.step) == 5 + 200


def test_a_callback_of_keras_itself_is_refused():
    with pytest.raises(errors.ArgumentError) as error:
        CallbackList(keras.callbacks.TerminateOnNaN())
    assert "class TerminateOnNaN(jkeras.callbacks.Callback): ..." in str(error.value)


def test_hooks_with_other_names_and_any_arguments_are_hooks():
    class Own(Callback):
        def on_epoch_end(self, number, metrics, values):
            self.number = number

        def on_epoch_begin(self, *args):
            self.count = len(args)

        def on_train_begin(self, logs=None, **more):
            self.more = more

    own = Own()
    run(own)
    assert (own.number, own.count, own.more) == (0, 3, {})
