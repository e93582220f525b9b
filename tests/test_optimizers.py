"""Optimizers: Keras's numbers, the arrays in their state, what a compiled step does with them, and their names."""

import collections
import dataclasses
import functools
import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jkeras import optimizers, registry
from jkeras.errors import ArgumentError, SerializationError, UnknownNameError
from jkeras.optimizers import schedules
from tests.descriptors.optimizers import OPTIMIZERS, Row
from tests.oracle import EPS32, asking_keras, keras

STEPS = 12
RNG = np.random.default_rng(0)
PARAMS = {
    "dense/kernel": RNG.normal(size=(3, 4)).astype("float32"),
    "embedding/table": RNG.normal(size=(4, 3)).astype("float32"),
    "attention/kernel": RNG.normal(size=(5, 2, 3)).astype("float32"),  # its largest axes are not its last
    "bias": RNG.normal(size=()).astype("float32"),
}
GRADS = [{path: RNG.normal(size=p.shape).astype("float32") for path, p in PARAMS.items()} for _ in range(STEPS)]


def run(optimizer, params=PARAMS, grads=GRADS, state=None, update=None):
    """The parameters after each step, and the last state."""
    params = jax.tree.map(jnp.asarray, params)
    state = optimizer.init(params) if state is None else state
    update = update or jax.jit(optimizer.update)
    visited = []
    for grad in grads:
        updates, state = update(grad, state, params)
        params = optax.apply_updates(params, updates)
        visited.append(params)
    return visited, state


def built_in_keras(optimizer):
    """The optimizer, built on variables with our paths, and the starting values of its variables."""
    variables = []
    for path, value in PARAMS.items():
        *scopes, name = path.split("/")
        with keras.name_scope("/".join(scopes) or "root"):
            variables.append(keras.Variable(value, name=name))
    optimizer.build(variables)
    return optimizer, [v.value for v in optimizer.variables]


def run_keras(optimizer):
    """The parameters after each step, and the last values of the optimizer's variables by name."""
    with asking_keras():
        optimizer, state = built_in_keras(optimizer)
        params, step, visited = [jnp.asarray(p) for p in PARAMS.values()], jax.jit(optimizer.stateless_apply), []
        for grad in GRADS:
            params, state = step(state, list(grad.values()), params)
            visited.append(dict(zip(PARAMS, params, strict=True)))
    return visited, {v.path: value for v, value in zip(optimizer.variables, state, strict=True)}


def assert_same_path(ours, theirs, slack=0.0):
    """Asserts that two runs visit the same parameters.

    Each of the steps has some twenty operations per component, two or three of them ill-conditioned by a factor of a
    few, and steps have at most the size of the parameters: 64 rounding errors of the largest value that was visited.
    What is allowed besides is a share of the way travelled so far.
    """
    for path, start in PARAMS.items():
        expected = np.array([start, *(p[path] for p in theirs)], "float64")
        travelled = np.abs(np.diff(expected, axis=0)).cumsum(0)
        allowed = 64 * EPS32 * np.abs(expected).max() + slack * travelled
        error = np.abs(np.array([p[path] for p in ours], "float64") - expected[1:])
        assert travelled[-1].max() > 0, f"{path} does not move"
        assert (error <= allowed).all(), (
            f"{path}: {error.max()} at step {np.argmax(error.max(tuple(range(1, error.ndim))))}"
        )


@pytest.mark.parametrize("row", OPTIMIZERS, ids=str)
def test_twelve_steps_are_keras_s(row):
    theirs, variables = run_keras(row.make(keras.optimizers))
    ours, state = run(row.make(optimizers))
    assert_same_path(ours, theirs, row.slack)
    if row.arguments.get("use_ema"):
        average = optimizers.ema_params(state, ours[-1])
        expected = [value for path, value in variables.items() if path.endswith("_average")]
        for path, value in zip(PARAMS, expected, strict=True):
            bound = 64 * EPS32 * np.abs(value).max()  # as for the parameters that are averaged
            np.testing.assert_allclose(average[path], value, rtol=0, atol=bound, err_msg=path)


def test_exclusion_from_weight_decay_is_keras_s():
    theirs = keras.optimizers.SGD(0.1, weight_decay=0.5)
    theirs.exclude_from_weight_decay(var_names=["bias"])
    ours = optimizers.SGD(0.1, weight_decay=0.5).exclude_from_weight_decay(var_names=["bias"])
    assert_same_path(run(ours)[0], run_keras(theirs)[0])


def test_exclusion_takes_exact_paths_and_adds_up():
    params = {"a": {"kernel": jnp.ones(2), "kernel_norm": jnp.ones(2)}, "b": {"bias": jnp.ones(2)}}
    optimizer = optimizers.SGD(1.0, weight_decay=0.5)
    excluding = optimizer.exclude_from_weight_decay(["a/kernel"]).exclude_from_weight_decay(var_names=["bias"])
    updates, _ = excluding.update(jax.tree.map(jnp.zeros_like, params), excluding.init(params), params)
    assert [float(leaf[0]) for leaf in jax.tree.leaves(updates)] == [0.0, -0.5, 0.0]
    assert optimizer.weight_decay_exclusions == ()
    assert optimizers.deserialize(optimizers.serialize(excluding)) == excluding


# The state: arrays that fit back where they came from.

DTYPES = {"float32": ("float32",) * 4, "mixed": ("float32", "bfloat16", "bfloat16", "float32")}


def abstract(tree):
    return jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), tree)


@pytest.mark.parametrize("dtypes", DTYPES)
@pytest.mark.parametrize("row", OPTIMIZERS, ids=str)
def test_the_state_is_a_carry(row, dtypes):
    dtypes = dict(zip(PARAMS, DTYPES[dtypes], strict=True))
    params = {path: jax.ShapeDtypeStruct(p.shape, dtypes[path]) for path, p in PARAMS.items()}
    optimizer = row.make(optimizers)
    before = jax.eval_shape(optimizer.init, params)
    updates, after = jax.eval_shape(optimizer.update, params, before, params)
    assert abstract(after) == abstract(before)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), updates) == jax.tree.map(lambda x: (x.shape, x.dtype), params)
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(before))


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.Adam(0.1, amsgrad=True, use_ema=True, ema_overwrite_frequency=3, gradient_accumulation_steps=2),
        optimizers.Nadam(schedules.CosineDecay(0.1, 10), global_clipnorm=1.0, weight_decay=0.1),
    ],
    ids=lambda o: o.name,
)
def test_a_scan_visits_what_a_loop_visits(optimizer):
    def body(carry, grad):
        params, state = carry
        updates, state = optimizer.update(grad, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    params = jax.tree.map(jnp.asarray, PARAMS)
    stacked = jax.tree.map(lambda *g: jnp.stack(g), *GRADS)
    _, visited = jax.jit(lambda p, g: jax.lax.scan(body, (p, optimizer.init(p)), g))(params, stacked)
    looped = jax.tree.map(lambda *p: jnp.stack(p), *run(optimizer)[0])
    for path in PARAMS:  # the same program, fused differently; the largest parameter is about 2
        np.testing.assert_allclose(visited[path], looped[path], rtol=0, atol=64 * EPS32 * 2, err_msg=path)


def test_init_shares_no_buffer_with_the_parameters():
    for row in OPTIMIZERS:
        params = {path: jnp.array(p) for path, p in PARAMS.items()}
        pointers = {leaf.unsafe_buffer_pointer() for leaf in params.values()}
        state = row.make(optimizers).init(params)
        assert not pointers & {leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(state)}, row


def test_an_update_may_donate_everything():
    optimizer = optimizers.AdamW(0.1, use_ema=True)
    params = {path: jnp.array(p) for path, p in PARAMS.items()}
    step = jax.jit(optimizer.update, donate_argnums=(0, 1))
    _, state = step({path: jnp.array(g) for path, g in GRADS[0].items()}, optimizer.init(params), params)
    assert int(state.count) == 1


def test_low_precision_parameters_are_updated_in_float32():
    params, grad = jnp.array([1.0, -2.0], "bfloat16"), jnp.array([0.5, 3.0], "bfloat16")
    optimizer = optimizers.Adam(0.1, global_clipnorm=1.0)
    updates, state = optimizer.update(grad, optimizer.init(params), params)
    wide = params.astype("float32"), grad.astype("float32")
    expected, _ = optimizer.update(wide[1], optimizer.init(wide[0]), wide[0])
    assert updates.dtype == "bfloat16" and (updates == expected.astype("bfloat16")).all()
    assert optimizers.get_learning_rate(state) == jnp.float32(0.1)  # bfloat16 would make 0.10009765625 of it


# Hyper-parameters.


def test_a_new_learning_rate_compiles_nothing():
    traces = 0
    optimizer = optimizers.Adam(0.1, use_ema=True, gradient_accumulation_steps=2)

    @jax.jit
    def update(grad, state, params):
        nonlocal traces
        traces += 1
        return optimizer.update(grad, state, params)

    params = jax.tree.map(jnp.asarray, PARAMS)
    state = optimizer.init(params)
    for rate in (0.1, 0.2, jnp.float32(0.3), np.float64(0.4), 1):
        state = optimizers.set_hyperparameters(state, learning_rate=rate, beta_1=0.5)
        _, state = update(GRADS[0], state, params)
    assert traces == 1
    assert optimizers.get_learning_rate(state) == 1.0


@pytest.mark.parametrize(
    ("row", "names"),
    [
        (
            Row("SGD", "", {"momentum": 0.5, "weight_decay": 0.5, "clipnorm": 0.5}),
            ["momentum", "weight_decay", "clipnorm"],
        ),
        (
            Row("RMSprop", "", {"rho": 0.5, "momentum": 0.5, "clipvalue": 0.5}),
            ["rho", "momentum", "epsilon", "clipvalue"],
        ),
        (
            Row("AdamW", "", {"global_clipnorm": 0.5}),
            ["beta_1", "beta_2", "epsilon", "global_clipnorm", "weight_decay"],
        ),
        (Row("Adafactor", ""), ["beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold"]),
        (Row("Muon", ""), ["momentum", "adam_beta_1", "adam_lr_ratio", "adam_weight_decay", "weight_decay"]),
    ],
    ids=str,
)
def test_a_state_with_other_values_acts_like_another_config(row, names):
    names = ["learning_rate", *names]
    config = row.make(optimizers)
    moved = {name: 0.9 * getattr(config, name) for name in names}
    other = dataclasses.replace(config, **moved)
    state, update = optimizers.set_hyperparameters(config.init(PARAMS), **moved), jax.jit(config.update)
    ours, _ = run(config, grads=GRADS[:2], state=state, update=update)
    expected, _ = run(other, grads=GRADS[:2], update=update)
    unmoved, _ = run(config, grads=GRADS[:2], update=update)
    for path in PARAMS:  # the same program on the same numbers
        np.testing.assert_array_equal(ours[-1][path], expected[-1][path], err_msg=path)
    assert any((unmoved[-1][path] != expected[-1][path]).any() for path in PARAMS)


def test_an_ensemble_of_learning_rates():
    rates, optimizer = jnp.array([0.01, 0.1, 1.0]), optimizers.Adam()
    params = jnp.asarray(RNG.normal(size=(3, 4)), "float32")  # (members, features)
    grads = jnp.asarray(RNG.normal(size=(5, 3, 4)), "float32")  # (steps, members, features)
    state = optimizers.set_learning_rate(jax.vmap(optimizer.init)(params), rates)
    members, state = run(optimizer, params, grads, state, jax.jit(jax.vmap(optimizer.update)))
    assert optimizers.get_learning_rate(state).tolist() == rates.tolist()
    update = jax.jit(optimizer.update)
    for i, rate in enumerate(rates):
        alone_state = optimizers.set_learning_rate(optimizer.init(params[i]), rate)
        alone, _ = run(optimizer, params[i], grads[:, i], alone_state, update)
        # The same program, vectorised differently; the largest rate travels about 5.
        np.testing.assert_allclose(members[-1][i], alone[-1], rtol=0, atol=64 * EPS32 * 5)


def test_the_learning_rate_may_come_from_inside_a_trace():
    optimizer = optimizers.SGD(0.1)

    def loss_after(rate):
        state = optimizers.set_learning_rate(optimizer.init(jnp.ones(())), rate)
        updates, _ = optimizer.update(jnp.ones(()), state)
        return (1.0 + updates) ** 2

    assert jax.grad(loss_after)(0.25) == -1.5


def test_states_of_optax_s_own_making_are_read_and_written():
    inner = optax.inject_hyperparams(optax.adam)(0.5, b1=0.75)
    for optimizer in (inner, optax.chain(optax.clip(1.0), inner), optax.masked(inner, True)):
        state = optimizers.set_hyperparameters(optimizer.init(jnp.zeros(2)), learning_rate=0.25, b1=0.5)
        found = optimizers.get_hyperparameters(state)
        assert (float(found["learning_rate"]), float(found["b1"])) == (0.25, 0.5)
        assert abstract(state) == abstract(optimizer.init(jnp.zeros(2)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: optimizers.set_learning_rate(optax.adam(0.1).init(jnp.zeros(2)), 1.0), r"optax\.inject_hyperparams"),
        (lambda: optimizers.get_learning_rate(optax.adam(0.1).init(jnp.zeros(2))), r"optax\.inject_hyperparams"),
        (lambda: optimizers.set_hyperparameters(optimizers.Adam().init(jnp.zeros(2)), beta1=0.5), "beta_1"),
        (lambda: optimizers.set_hyperparameters(optimizers.SGD().init(jnp.zeros(2)), momentum=0.5), "momentum"),
        (lambda: optimizers.set_learning_rate(optimizers.SGD(lambda step: 0.1).init(jnp.zeros(2)), 1.0), "schedule"),
        (lambda: optimizers.set_learning_rate(optimizers.SGD().init(jnp.zeros(2)), jnp.ones(3)), "vmap"),
        (
            lambda: optimizers.get_learning_rate((optimizers.SGD().init(1.0), optimizers.SGD().init(1.0))),
            "one optimizer",
        ),
        (lambda: optimizers.get_learning_rate(optax.inject_hyperparams(optax.scale)(0.5).init(1.0)), "learning_rate"),
        (lambda: optimizers.ema_params(optimizers.SGD().init(jnp.zeros(2)), jnp.zeros(2)), "use_ema=True"),
        (lambda: optimizers.AdamW().update(jnp.ones(2), optimizers.AdamW().init(jnp.ones(2))), "params"),
        (lambda: optimizers.SGD(use_ema=True).update(1.0, optimizers.SGD(use_ema=True).init(1.0)), "params"),
    ],
)
def test_errors_say_what_to_write(change, message):
    with pytest.raises(ArgumentError, match=message):
        change()


# The compiled update.


def compiled_operations(optimizer, leaves):
    """How often each operation occurs in a compiled step over so many parameters."""

    def step(grad, state, params):
        updates, state = optimizer.update(grad, state, params)
        return optax.apply_updates(params, updates), state

    params = {str(i): jax.ShapeDtypeStruct((4, 3), "float32") for i in range(leaves)}
    text = jax.jit(step).lower(params, jax.eval_shape(optimizer.init, params), params).compile().as_text()
    return collections.Counter(re.findall(r"^\s+(?:ROOT )?\S+ = \S+ ([\w-]+)\(", text, re.MULTILINE))


def test_adam_costs_what_optax_s_adam_costs():
    few, many = (
        {name: compiled_operations(o, n) for name, o in (("ours", optimizers.Adam()), ("optax", optax.adam(0.1)))}
        for n in (6, 40)
    )
    # Powers of beta and roots of their corrections are scalars of the step, whatever the number of parameters.
    for operation in ("power", "rsqrt", "convert", "compare", "select"):
        assert few["ours"][operation] == many["ours"][operation] <= few["optax"][operation] + 2
    # Each parameter has the kernels and the full-size operations that it has with optax, where the betas are constants.
    for operation in ("divide", "sqrt", "broadcast"):
        assert many["ours"][operation] <= many["optax"][operation]
    extra = [many["ours"]["fusion"] - many["optax"]["fusion"], few["ours"]["fusion"] - few["optax"]["fusion"]]
    assert max(extra) <= 6, f"{extra} more kernels than optax.adam, for 40 and 6 parameters"


# Configs.


def own_fields(cls):
    common = {field.name for field in dataclasses.fields(optimizers.Optimizer)} - {"learning_rate"}
    return [field for field in dataclasses.fields(cls) if field.name not in common]


CLASSES = [getattr(optimizers, name) for name in dict.fromkeys(row.name for row in OPTIMIZERS)]


@pytest.mark.parametrize("cls", CLASSES)
def test_arguments_and_defaults_are_keras_s(cls):
    theirs = inspect.signature(getattr(keras.optimizers, cls.__name__)).parameters
    theirs = {name: p.default for name, p in theirs.items() if name not in ("kwargs", "self")}
    ours = {name: p.default for name, p in inspect.signature(cls).parameters.items()}
    assert ours.pop("weight_decay_exclusions") == ()
    if cls is optimizers.Muon:  # a tuple cannot be edited behind the config's back
        assert ours.pop("exclude_layers") == () and theirs.pop("exclude_layers") is None
    assert ours == theirs
    positional = [name for name, p in inspect.signature(cls).parameters.items() if p.kind == p.POSITIONAL_OR_KEYWORD]
    assert positional == list(theirs)[: len(positional)]


def test_configs_are_values():
    assert optimizers.Adam(1e-3, epsilon=1) == optimizers.Adam(0.001, epsilon=1.0)
    assert hash(optimizers.Adam(schedules.CosineDecay(0.1, 5))) == hash(optimizers.Adam(schedules.CosineDecay(0.1, 5)))
    assert optimizers.Adam() != optimizers.AdamW(weight_decay=0.0)
    assert dataclasses.replace(optimizers.Adam(), beta_1=0.5).beta_1 == 0.5
    with pytest.raises(dataclasses.FrozenInstanceError):
        optimizers.Adam().beta_1 = 0.5


def test_equal_configs_share_a_compiled_update():
    traces = 0

    @functools.partial(jax.jit, static_argnums=0)
    def update(optimizer, grad, state):
        nonlocal traces
        traces += 1
        return optimizer.update(grad, state)

    for optimizer in (optimizers.SGD(0.1), optimizers.SGD(0.1)):
        update(optimizer, jnp.ones(2), optimizer.init(jnp.ones(2)))
    assert traces == 1


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("SGD", {"learning_rate": -0.1}, r"SGD\(learning_rate=\).*\n.*a finite number >= 0"),
        ("SGD", {"learning_rate": "0.1"}, "learning_rate"),
        ("SGD", {"learning_rate": None}, "learning_rate"),
        ("SGD", {"learning_rate": lambda: 0.1}, "lambda step"),
        ("SGD", {"momentum": 1.5}, "momentum"),
        ("SGD", {"momentum": True}, "momentum"),
        ("SGD", {"clipnorm": 1.0, "clipvalue": 1.0}, "at most one of"),
        ("SGD", {"clipnorm": 1.0, "global_clipnorm": 1.0}, "at most one of"),
        ("SGD", {"clipnorm": 0.0}, "clipnorm"),
        ("SGD", {"weight_decay": -1.0}, "weight_decay"),
        ("SGD", {"ema_momentum": 1.5}, "ema_momentum"),
        ("SGD", {"ema_overwrite_frequency": 0}, "ema_overwrite_frequency"),
        ("SGD", {"ema_overwrite_frequency": 1.5}, "ema_overwrite_frequency"),
        ("SGD", {"gradient_accumulation_steps": 1}, "gradient_accumulation_steps"),
        ("SGD", {"loss_scale_factor": 0.0}, "loss_scale_factor"),
        ("Adam", {"beta_1": 1.0}, r"Adam\(beta_1=\)"),
        ("Adam", {"epsilon": -1e-7}, "epsilon"),
        ("AdamW", {"weight_decay": None}, "weight_decay"),
        ("RMSprop", {"rho": 2.0}, "rho"),
        ("Adagrad", {"initial_accumulator_value": -1.0}, "initial_accumulator_value"),
        ("Lion", {"beta_1": 0.0}, "beta_1"),
        ("Ftrl", {"learning_rate_power": 0.5}, "learning_rate_power"),
        ("Ftrl", {"l1_regularization_strength": -1.0}, "l1_regularization_strength"),
        ("Adafactor", {"clip_threshold": 0.0}, "clip_threshold"),
        ("Muon", {"ns_steps": 0}, "ns_steps"),
        ("Muon", {"exclude_layers": "head"}, "exclude_layers"),
        ("AdamW", {"weight_decay_exclusions": "bias"}, r"\['bias'\]"),
        ("AdamW", {"weight_decay_exclusions": ["bias("]}, "regular expression"),
        ("ScheduleFreeAdamW", {"warmup_steps": -1}, "warmup_steps"),
    ],
)
def test_bad_arguments_raise_at_construction(name, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        getattr(optimizers, name)(**arguments)


def test_a_lone_string_is_no_list_of_names():
    with pytest.raises(ArgumentError, match="var_names"):
        optimizers.AdamW().exclude_from_weight_decay(var_names="bias")


def test_a_traced_learning_rate_is_sent_to_the_state():
    with pytest.raises(ArgumentError, match="set_learning_rate"):
        jax.jit(lambda rate: optimizers.SGD(rate).init(jnp.zeros(2)))(0.1)


# Names.


def test_keras_s_names_find_our_classes():
    for name in keras.src.optimizers.ALL_OBJECTS_DICT:
        if name not in ("optimizer", "multioptimizer", "optimizermap", "lossscaleoptimizer"):
            assert optimizers.get(name).__class__.__name__.lower() == name


@pytest.mark.parametrize("name", ["adamw", "AdamW", "ADAMW", "adam_w"])
def test_names_ignore_case(name):
    assert optimizers.get(name) == optimizers.AdamW()
    assert optimizers.deserialize({"class_name": name, "config": {"learning_rate": 0.5}}) == optimizers.AdamW(0.5)


def test_get_passes_optimizers_through():
    for optimizer in (None, optax.adam(0.1), optax.chain(optax.clip(1.0)), optimizers.SGD()):
        assert optimizers.get(optimizer) is optimizer
    assert optimizers.get(optimizers.SGD) == optimizers.SGD()


def test_what_a_config_leaves_out_has_its_default():
    assert optimizers.get({"class_name": "SGD", "config": {}}) == optimizers.SGD()


def test_get_refuses_the_rest():
    with pytest.raises(UnknownNameError, match="'adam'"):
        optimizers.get("adm")
    for wrong in (optax.adam, 3, object()):
        with pytest.raises(ArgumentError, match="must be an optimizer"):
            optimizers.get(wrong)
    with pytest.raises(SerializationError, match="cannot be written as a config"):
        optimizers.serialize(optax.adam(0.1))


def decayed(step):
    return 0.5 / (step + 1)


def test_functions_and_classes_of_the_user_s_have_configs():
    optimizer = optimizers.SGD(decayed)
    config = optimizers.serialize(optimizer)
    assert optimizers.deserialize(config, {"decayed": decayed}) == optimizer

    @registry.register_keras_serializable("mine")
    @dataclasses.dataclass(frozen=True)
    class Signs(optimizers.Optimizer):
        factor: float = 2.0

        def transformation(self, hyper):
            return optax.chain(optax.scale_by_sign(), optax.scale(-self.factor * hyper["learning_rate"]))

    signs = Signs(0.5, factor=3.0, clipnorm=1.0)
    assert signs.update(jnp.array([-2.0, 3.0]), signs.init(jnp.zeros(2)))[0].tolist() == [1.5, -1.5]
    assert optimizers.deserialize(optimizers.serialize(signs)) == signs


def test_a_config_stands_where_optax_wants_a_transformation():
    config = optimizers.SGD(0.5, momentum=0.5, weight_decay=0.5)
    params, grad = {"kernel": jnp.array([1.0, 2.0])}, {"kernel": jnp.array([0.5, -0.5])}
    for optimizer in (
        config,
        config.build(),
        optax.chain(optax.identity(), config),
        optax.masked(config, {"kernel": True}),
        optax.partition({"all": config}, {"kernel": "all"}),
        optax.with_extra_args_support(config),
        optax.apply_if_finite(config, 1),
    ):
        updates, _ = optimizer.update(grad, optimizer.init(params), params)
        assert updates["kernel"].tolist() == [-0.5, -0.25], optimizer
