"""Every public optimizer of optax that trains in a hand-written loop trains in `fit`, with the same numbers."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jkeras
from jkeras import optimizers
from tests.training.networks import data

X, Y = data(32)
LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network():
    dense = jkeras.layers.Dense
    return jkeras.Sequential([jkeras.Input((64,)), dense(8, activation="tanh"), dense(10)])


MODEL = network()


FIRST, SECOND = (X[:16], Y[:16]), (X[16:], Y[16:])
VARIABLES = MODEL.init(jax.random.key(0))
EXTRAS = [(), ("value",), ("value", "grad", "value_fn"), ("obj_fn",), ("grad_fn",)]


def step_by_hand(optimizer, extras, non_trainable, params, opt_state, batch):
    """A step of the loop of optax's documentation."""
    x, y = batch

    def value_fn(params):
        return LOSS(y, MODEL.stateless_call(params, non_trainable, x, training=True)[0])

    value, grad = jax.value_and_grad(value_fn)(params)
    offered = {
        "value": value,
        "grad": grad,
        "value_fn": value_fn,
        "obj_fn": value_fn,
        "grad_fn": lambda params, _: jax.grad(value_fn)(params),
    }
    updates, opt_state = optimizer.update(grad, opt_state, params, **{name: offered[name] for name in extras})
    return optax.apply_updates(params, updates), opt_state


def extras_of(optimizer, state):
    """The extra arguments with which the loop by hand runs."""
    for extras in EXTRAS:
        try:
            step = functools.partial(step_by_hand, optimizer, extras, state.non_trainable)
            jax.eval_shape(step, state.trainable, state.opt_state, FIRST)
        except (TypeError, ValueError) as error:
            found = error
        else:
            return extras
    raise found


ADAM = functools.partial(optax.adam, 1e-2)
ARGUMENTS = {  # what a factory needs besides a learning rate
    "adafactor": lambda f: f(1e-2, min_dim_size_to_factor=4),
    "adaptive_grad_clip": lambda f: f(0.1),
    "add_noise": lambda f: f(0.01, 0.5, jax.random.key(0)),
    "apply_if_finite": lambda f: f(ADAM(), 3),
    "chain": lambda f: f(optax.clip(1.0), ADAM()),
    "clip": lambda f: f(0.1),
    "clip_by_block_rms": lambda f: f(0.1),
    "clip_by_global_norm": lambda f: f(0.1),
    "conditionally_mask": lambda f: f(ADAM(), lambda step: step % 2 == 0),
    "conditionally_transform": lambda f: f(ADAM(), lambda step: step % 2 == 0),
    "ema": lambda f: f(0.9),
    "flatten": lambda f: f(ADAM()),
    "freeze": lambda f: optax.chain(ADAM(), f({"dense": True, "dense_1": False})),
    "inject_hyperparams": lambda f: f(optax.adam)(learning_rate=1e-2),
    "inject_stateful_hyperparams": None,  # deprecated in favour of inject_hyperparams
    "lbfgs": lambda f: f(),
    "lookahead": None,  # its parameters are pairs, see optax.LookaheadParams
    "masked": lambda f: f(ADAM(), {"dense": True, "dense_1": False}),
    "measure_with_ema": None,  # a measure, no transformation of gradients alone
    "multi_transform": lambda f: f({"a": ADAM(), "b": optax.sgd(0.1)}, {"dense": "a", "dense_1": "b"}),
    "named_chain": lambda f: f(("clip", optax.clip(1.0)), ("adam", ADAM())),
    "partition": lambda f: f({"a": ADAM(), "b": optax.sgd(0.1)}, {"dense": "a", "dense_1": "b"}),
    "noisy_sgd": lambda f: f(1e-2, key=jax.random.key(0)),
    "optimistic_adam": None,  # deprecated in favour of optimistic_adam_v2
    "polyak_sgd": lambda f: f(),
    "scale": lambda f: f(-0.1),
    "scale_by_backtracking_linesearch": lambda f: optax.chain(optax.sgd(1.0), f(max_backtracking_steps=5)),
    "scale_by_learning_rate": lambda f: f(0.1),
    "scale_by_polyak": lambda f: f(),
    "scale_by_rprop": lambda f: f(1e-2),
    "scale_by_schedule": lambda f: f(lambda count: -0.1 / (count + 1)),
    "scale_by_trust_ratio": lambda f: f(),
    "scale_by_zoom_linesearch": lambda f: optax.chain(optax.sgd(1.0), f(max_linesearch_steps=5)),
    "selective_transform": lambda f: f(ADAM(), freeze_mask={"dense": True, "dense_1": False}),
    "snapshot": None,
    "stateless": lambda f: f(lambda updates, params: jax.tree.map(lambda leaf: -0.1 * leaf, updates)),
    "stateless_with_tree_map": lambda f: f(lambda update, param: -0.1 * update),
    "trace": lambda f: f(0.9),
    "with_extra_args_support": lambda f: f(ADAM()),
    # optax.contrib
    "differentially_private_aggregate": None,  # gradients of single examples
    "dpsgd": None,  # gradients of single examples
    "mechanize": lambda f: f(ADAM()),
    "sam": lambda f: f(ADAM(), optax.sgd(0.05)),
    "schedule_free": lambda f: f(ADAM(), 1e-2),
    "schedule_free_adamw": lambda f: f(1e-2),
    "schedule_free_sgd": lambda f: f(1e-2),
    "split_real_and_imaginary": lambda f: f(ADAM()),
    "dadapt_adamw": lambda f: f(),
    "prodigy": lambda f: f(),
    "cocob": lambda f: f(),
    "scale_by_muon": None,  # takes a tree of dimensions that only `muon` makes
    "galore": lambda f: f(1e-2, rank=2),
    "scale_by_galore": lambda f: f(rank=2),
}
VARIANTS = {
    "dog": lambda: optax.contrib.dog(1.0),  # without an annotation of what it returns
    "dowg": lambda: optax.contrib.dowg(1.0),
    "sam(opaque_mode=True)": lambda: optax.contrib.sam(ADAM(), optax.sgd(0.05), opaque_mode=True),
    "chain(clip, sam)": lambda: optax.chain(optax.clip(1.0), optax.contrib.sam(ADAM(), optax.sgd(0.05))),
    "chain(adam, reduce_on_plateau)": lambda: optax.chain(ADAM(), optax.contrib.reduce_on_plateau(patience=1)),
    "chain(adam, ema)": lambda: optax.chain(ADAM(), optax.ema(0.9)),
    "chain(clip, lbfgs)": lambda: optax.chain(optax.clip(1.0), optax.lbfgs()),
    "state of the parameters": lambda: optax.chain(
        ADAM(),
        optax.GradientTransformation(lambda params: params, lambda updates, state, params=None: (updates, state)),
    ),
    "MultiSteps": lambda: optax.MultiSteps(ADAM(), 2),
    "MultiSteps(momo)": lambda: optax.MultiSteps(optax.contrib.momo(), 2),
    "inject_hyperparams(momo)": lambda: optax.inject_hyperparams(optax.contrib.momo)(learning_rate=0.5),
    "by_path(momo)": lambda: optimizers.by_path({"dense_1": optax.contrib.momo(), ".*": "adam"}),
}


def factories():
    """The public functions that make a transformation, with the modules' names before theirs."""
    for module in (optax, optax.contrib):
        for name, function in sorted(vars(module).items()):
            if (
                inspect.isfunction(function)
                and not name.startswith("_")
                and "GradientTransformation" in str(inspect.signature(function).return_annotation)
            ):
                yield f"{module.__name__}.{name}", function


def made(name, function):
    plain = function.__name__
    if plain in ARGUMENTS:
        return None if ARGUMENTS[plain] is None else ARGUMENTS[plain](function)
    required = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    return function(1e-2) if required else function()


TABLE = {name: functools.partial(made, name, function) for name, function in factories()} | VARIANTS
BY_ITSELF = (  # in `fit`, whose compiled function reuses the memory of the state
    *("optax.lbfgs", "optax.contrib.sam", "optax.contrib.prodigy", "optax.contrib.schedule_free", "MultiSteps"),
    "chain(adam, reduce_on_plateau)",
)
NAMES = [name for name in TABLE if ARGUMENTS.get(name.rsplit(".", 1)[-1], "") is not None]


NUMBERS = [name for name in NAMES if ".scale_by_" not in name]  # those are parts of the others


@pytest.mark.parametrize("name", NAMES)
def test_a_state_keeps_its_form_and_shares_no_memory(name):
    trainer = jkeras.Trainer(MODEL, TABLE[name](), LOSS)
    state = trainer.state_of(VARIABLES)
    addresses = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(state) if leaf.size and is_plain(leaf)]
    assert len(addresses) == len(set(addresses))
    after = jax.eval_shape(trainer.train_step, state, FIRST)[0]
    assert form(after) == form(jax.eval_shape(lambda state: state, state))


@pytest.mark.parametrize("first", range(0, len(NUMBERS), 16))
def test_a_step_is_that_of_the_loop_by_hand(first):
    pairs, states = {}, {}
    for name in NUMBERS[first : first + 16]:
        trainer = jkeras.Trainer(MODEL, TABLE[name](), LOSS)
        states[name] = trainer.state_of(VARIABLES)
        pairs[name] = trainer, extras_of(trainer.optimizer, states[name])

    def both(states):  # one program for all, since compiling takes longer than running
        results = {}
        for name, (trainer, extras) in pairs.items():
            step = functools.partial(step_by_hand, trainer.optimizer, extras, VARIABLES.non_trainable)
            begun = step(states[name].trainable, states[name].opt_state, FIRST)  # so that moments are not 0
            later = states[name].replace(trainable=begun[0], opt_state=begun[1])
            results[name] = step(*begun, SECOND)[0], trainer.train_step(later, SECOND)[0].trainable
        return results

    for name, (expected, found) in jax.jit(both)(states).items():
        close(found, expected, name)


@pytest.mark.parametrize("name", BY_ITSELF)
def test_fit_gives_what_the_loop_by_hand_gives(name):
    trainer = jkeras.Trainer(MODEL, TABLE[name](), LOSS)
    state = trainer.init(jax.random.key(0))
    extras = extras_of(trainer.optimizer, state)
    step = jax.jit(functools.partial(step_by_hand, trainer.optimizer, extras, VARIABLES.non_trainable))
    expected = VARIABLES.trainable, trainer.optimizer.init(VARIABLES.trainable)
    for batch in (FIRST, SECOND):
        expected = step(*expected, batch)
    state, _ = trainer.fit(state, X, Y, batch_size=16, shuffle=False, verbose=0)
    close(state.trainable, expected[0], name)


def form(state):
    return [(path, leaf.shape, leaf.dtype, leaf.weak_type) for path, leaf in jax.tree_util.tree_leaves_with_path(state)]


@pytest.fixture(autouse=True)
def as_users_do():
    """Some optimizers of optax broadcast ranks; users have no switch set that forbids it."""
    with jax.numpy_rank_promotion("allow"):
        yield


def is_plain(leaf):
    return not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def close(found, expected, name):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        # the same operations in another program: float32 rounding, enlarged where an optimizer
        # divides by a second moment that is nearly 0
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5, err_msg=name)
