"""The ten invariants of docs/design.md, one class each. What only one part promises is tested with that part."""

import copy
import gc
import sys
import weakref
import zlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jkeras
from benchmarks import hlo, pairs
from jkeras import callbacks, layers, tree
from jkeras.errors import LeafError, TraceLevelError
from tests.compilation import AS_USERS_DO
from tests.contract.object_graph import arrays_in

KEY = jax.random.key(0)
X = np.linspace(-1, 1, 8 * 6, dtype="float32").reshape(8, 6)
Y = (np.arange(8) % 3).astype("int32")


class Residual(jkeras.Layer):
    """A custom block: weights, statistics, randomness, a loss, a list and a dict of parts."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.parts = [layers.Dense(6, kernel_regularizer="l2"), layers.BatchNormalization()]
        self.table = {"drop": layers.Dropout(0.5)}

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")

    def call(self, inputs, training=False):
        x = self.table["drop"](self.parts[1](self.parts[0](inputs)))
        self.add_loss(jnp.mean(jnp.square(x)))
        return inputs + x * jnp.expand_dims(self.gain.value, 0)


class Subclassed(jkeras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.blocks = [Residual() for _ in range(2)]
        self.head = layers.Dense(3)

    def call(self, inputs):
        for block in self.blocks:
            inputs = block(inputs)
        return self.head(inputs)


def sequential():
    return jkeras.Sequential([jkeras.Input((6,)), Residual(), layers.Dense(3)])


def functional():
    inputs = jkeras.Input((6,))
    shared = layers.Dense(6, activation="relu")
    x = layers.Add()([shared(inputs), shared(Residual()(inputs))])
    return jkeras.Model(inputs, layers.Dense(3)(x * 2 + 1))


MODELS = {"sequential": sequential, "functional": functional, "subclassed": Subclassed}


def trainer(model=None, **options):
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return jkeras.Trainer(model or sequential(), optimizer="adam", loss=loss, metrics=["accuracy"], **options)


def assert_same(one, two):
    """Equal structures, and leaves that are equal bit by bit."""
    assert jax.tree.structure(one) == jax.tree.structure(two)
    chex.assert_trees_all_equal(one, two)


class Test1NoArrayIsReachable:
    @pytest.mark.parametrize("name", MODELS)
    def test_from_a_model_that_was_trained_or_from_its_trainer(self, name):
        model = MODELS[name]()
        t = trainer(model)
        history = callbacks.LambdaCallback(on_epoch_end=lambda *_: None)
        stopping = callbacks.EarlyStopping(monitor="loss", patience=0)
        state = t.init(KEY, X[:1])
        state, _ = t.fit(state, X, Y, epochs=1, batch_size=4, verbose=0, callbacks=[history, stopping])
        t.evaluate(state, X, Y, verbose=0)
        for thing in (model, t, t.model.layers, history, t.optimizer):
            assert arrays_in(thing) == []

    def test_the_walk_finds_what_is_there(self):
        layer = layers.Dense(3)
        array = jnp.ones(1)
        layer.hidden = {"deep": [lambda x: x + array]}
        assert len(arrays_in(layer)) == 1


def python_calls(function, *args):
    """The files of the Python functions that a call runs, and its result."""
    files = []

    def profile(frame, event, _):
        if event == "call":
            files.append(frame.f_code.co_filename)

    sys.setprofile(profile)
    try:
        result = function(*args)
    finally:
        sys.setprofile(None)
    return files, result


class Test2WhatCrossesJitIsFlattenedWithoutPython:
    @pytest.mark.parametrize("options", [{}, {"ema": 0.9}, {"skip_nonfinite": True}], ids=str)
    def test_no_python_function_runs(self, options):
        model = jkeras.Sequential([jkeras.Input((6,)), Residual(dtype="mixed_float16"), layers.Dense(3)])
        state = trainer(model, **options).init(KEY)
        files, (leaves, treedef) = python_calls(jax.tree_util.default_registry.flatten, (state, state.variables))
        assert files == [] and len(leaves) > 10
        files, again = python_calls(treedef.unflatten, leaves)
        assert_same(again, (state, state.variables))
        assert set(files) <= {"<string>"}  # the generated constructors of NamedTuples and of the dataclass

    def test_a_python_function_would_be_seen(self):
        @jax.tree_util.register_pytree_node_class
        class Custom:
            def tree_flatten(self):
                return (), None

            @classmethod
            def tree_unflatten(cls, aux, children):
                return cls()

        assert python_calls(jax.tree_util.default_registry.flatten, Custom())[0] == [__file__]


class Test3AChildsTreeIsItsParentsSubtree:
    @pytest.mark.parametrize("training", [False, True])
    def test_layer_by_layer(self, training):
        model = jkeras.Sequential([jkeras.Input((6,)), Residual(), layers.BatchNormalization(), layers.Dense(3)])
        variables = model.init(KEY)
        expected, expected_state = model.stateless_call(*variables, X, training=training)
        outputs, state = X, {}
        for layer in model.layers:
            trees = [side.get(layer.name, {}) for side in variables]
            outputs, new = layer.stateless_call(*trees, outputs, training=training)
            state = {**state, **({layer.name: new} if new else {})}
        assert_same(outputs, expected)
        assert_same(state, expected_state)

    def test_inside_custom_layers(self):
        model = Subclassed()
        variables = model.init(KEY, X)
        part = model.blocks[1].parts[0]
        kernel = variables.trainable["blocks"]["1"]["parts"]["0"]
        assert_same(part.stateless_call(kernel, {}, X)[0], X @ kernel["kernel"] + kernel["bias"][None])

    @pytest.mark.parametrize("name", MODELS)
    def test_init_gives_what_the_structure_says(self, name):
        model = MODELS[name]()
        variables = model.init(KEY, X)
        for side, declarations in zip(variables, model.structure().split(), strict=True):
            assert list(tree.flatten(side)) == [declaration.path for declaration in declarations]


def kind(leaf):
    return leaf.shape, leaf.dtype, leaf.weak_type


class Test4StateKeepsItsForm:
    @pytest.mark.parametrize("training", [False, True])
    @pytest.mark.parametrize("name", MODELS)
    def test_the_non_trainable_tree(self, name, training):
        model = MODELS[name]()
        variables = model.init(KEY, X)
        _, state = model.stateless_call(*variables, X, training=training)
        assert jax.tree.structure(state) == jax.tree.structure(variables.non_trainable)
        assert jax.tree.map(kind, state) == jax.tree.map(kind, variables.non_trainable)

    @pytest.mark.parametrize("value", [1, 1.5, True, np.float64(2), jnp.int8(3), jnp.bfloat16(4)], ids=repr)
    def test_whatever_is_assigned(self, value):
        class Assigns(jkeras.Layer):
            def build(self, input_shape):
                self.state = self.add_weight(shape=(), initializer="zeros", trainable=False, name="state")

            def call(self, inputs):
                self.state.assign(value)
                return inputs

        layer = Assigns()
        variables = layer.init(KEY, X)
        _, state = layer.stateless_call(*variables, X)
        assert kind(state["state"]) == kind(variables.non_trainable["state"])

    @pytest.mark.parametrize("options", [{}, {"ema": 0.9}], ids=str)
    def test_a_train_state_is_a_carry_of_scan(self, options):
        t = trainer(**options)
        state = t.init(KEY)
        batches = (jnp.stack([X, X]), jnp.stack([Y, Y]))
        out = jax.eval_shape(lambda state: jax.lax.scan(t.train_step, state, batches)[0], state)
        assert jax.tree.map(kind, out) == jax.tree.map(kind, state)


class Test5InitialValuesDependOnThePathAlone:
    def test_a_layer_more_changes_no_other(self):
        def small(extra):
            inner = [layers.Dense(4, name="extra")] if extra else []
            outer = [layers.Dense(6, name="body"), layers.Dense(3, name="head")]
            return jkeras.Sequential([jkeras.Input((6,)), *inner, *outer])

        one, two = (small(extra).init(KEY) for extra in (False, True))
        assert_same(one.trainable["head"], two.trainable["head"])
        assert two.trainable["body"]["kernel"].shape == (4, 6)

    def test_the_key_of_a_weight(self):
        model = sequential()
        path = "residual/parts/0/kernel"
        kernel = tree.flatten(model.init(KEY).trainable)[path]
        own = jax.random.fold_in(KEY, zlib.crc32(path.encode()))
        np.testing.assert_array_equal(kernel, jkeras.initializers.GlorotUniform()((6, 6), "float32", key=own))

    def test_eager_and_jitted_values_are_equal(self):
        model = Subclassed()
        assert_same(jax.jit(lambda key: model.init(key, X))(KEY), model.init(KEY, X))

    def test_equal_layers_at_different_paths_differ(self):
        trainable = Subclassed().init(KEY, X).trainable["blocks"]
        assert not np.array_equal(*(trainable[block]["parts"]["0"]["kernel"] for block in "01"))


class Test6NoSilentFallback:
    @pytest.mark.parametrize("what", ["missing", "unknown", "misshaped", "misplaced", "twice"])
    @pytest.mark.parametrize("name", MODELS)
    def test_every_leaf_that_does_not_fit_is_named(self, name, what):
        model = MODELS[name]()
        variables = model.init(KEY, X)
        trainable, non_trainable = (tree.flatten(side) for side in variables)
        path = next(path for path in trainable if path.endswith("kernel"))
        if what == "missing":
            del trainable[path]
        elif what == "unknown":
            trainable[path + "s"] = trainable[path]
        elif what == "misshaped":
            trainable[path] = jnp.ones((1, 2, 3))
        elif what == "misplaced":
            non_trainable[path] = trainable.pop(path)
        else:
            non_trainable[path] = trainable[path]
        with pytest.raises(LeafError, match=path):
            model.stateless_call(tree.unflatten(trainable), tree.unflatten(non_trainable), X)

    def test_leaves_are_paired_by_path_not_by_place(self):
        model = sequential()
        variables = model.init(KEY)
        shuffled = [tree.unflatten(dict(sorted(tree.flatten(side).items(), reverse=True))) for side in variables]
        assert_same(model.stateless_call(*shuffled, X)[0], model.stateless_call(*variables, X)[0])

    @pytest.mark.parametrize("change", [lambda leaves: leaves[:-1], lambda leaves: [*leaves, leaves[-1]]])
    def test_lists_have_the_right_length(self, change):
        model = sequential()
        sides = [list(tree.flatten(side).values()) for side in model.init(KEY)]
        assert model.stateless_call(*sides, X)[0].shape == (8, 3)
        with pytest.raises(LeafError, match="must have one leaf"):
            model.stateless_call(change(sides[0]), sides[1], X)


class Test7NothingGlobalRemembers:
    @pytest.mark.parametrize("name", MODELS)
    def test_two_models_built_the_same_way_have_the_same_tree(self, name):
        one, two = (MODELS[name]().init(KEY, X) for _ in range(2))
        assert_same(one, two)

    @pytest.mark.parametrize("name", MODELS)
    def test_everything_is_collectable(self, name):
        def live():
            model = MODELS[name]()
            t = trainer(model)
            state, _ = t.fit(t.init(KEY, X[:1]), X, Y, epochs=1, batch_size=4, verbose=0)
            jax.jit(t.test_step)(state, (X, Y))
            jax.grad(lambda v: model.stateless_call(v, state.non_trainable, X)[0].sum())(state.trainable)
            model.compute_output_shape((None, 6))
            copy.deepcopy(model)
            things = [model, t, t.objective, *model.structure().components, *model.variables]
            return [(type(thing).__name__, weakref.ref(thing)) for thing in things]

        references = live()
        gc.collect()
        assert [name for name, reference in references if reference() is not None] == []

    def test_the_tables_hold_no_instances(self):
        sizes = [len(table) for table in (jkeras.saving.get_custom_objects(),)]
        sequential().init(KEY)
        assert sizes == [len(jkeras.saving.get_custom_objects())]


PLAIN = {
    "scan": lambda f, x: jax.lax.scan(lambda c, y: (c, f(y)), 0.0, jnp.expand_dims(x, 0))[1][0],
    "cond": lambda f, x: jax.lax.cond(True, f, lambda y: y, x),
    "vmap": lambda f, x: jax.vmap(f)(jnp.expand_dims(x, 0))[0],
    "remat": lambda f, x: jax.checkpoint(f)(x),
}
CARRYING = {
    "scan": lambda f, x: jkeras.scan(lambda c, y: (c, f(y)), 0.0, jnp.expand_dims(x, 0))[1][0],
    "cond": lambda f, x: jkeras.cond(True, f, lambda y: y, x),
    "remat": lambda f, x: jkeras.remat(f)(x),
}


class Around(jkeras.Layer):
    """Runs a BatchNormalization inside a transform."""

    def __init__(self, transform):
        super().__init__()
        self.transform, self.part = transform, layers.BatchNormalization(momentum=0.5)

    def call(self, inputs):
        return self.transform(self.part, inputs)


class Test8PlainTransformsWorkInsideCall:
    @pytest.mark.parametrize("name", PLAIN)
    def test_reads_anywhere(self, name):
        layer = Around(PLAIN[name])
        variables = layer.init(KEY, X)
        for scale in (1.0, 3.0):  # the second time JAX knows the function, and must not know its values
            trees = jax.tree.map(lambda leaf, scale=scale: leaf * scale, variables)
            expected, _ = layer.part.stateless_call(trees.trainable["part"], trees.non_trainable["part"], X)
            # one formula, compiled as a body or run as it is: a few roundings of values of order 1
            np.testing.assert_allclose(layer.stateless_call(*trees, X)[0], expected, atol=1e-6)

    @pytest.mark.parametrize("name", PLAIN)
    def test_writes_that_would_be_lost_are_errors_that_show_the_fix(self, name):
        layer = Around(PLAIN[name])
        variables = layer.init(KEY, X)
        with pytest.raises(TraceLevelError, match=r"part/moving_mean(.|\n)*jkeras.scan"):
            layer.stateless_call(*variables, X, training=True)

    @pytest.mark.parametrize("name", CARRYING)
    def test_ours_carry_them(self, name):
        layer = Around(CARRYING[name])
        _, state = layer.stateless_call(*layer.init(KEY, X), X, training=True)
        np.testing.assert_allclose(state["part"]["moving_mean"], X.mean(0) / 2, atol=1e-6)


class Test9ASecondStepCompilesNothing:
    @pytest.mark.parametrize("name", MODELS)
    def test_steps(self, name):
        t, traces = trainer(MODELS[name]()), []

        def step(state, batch):
            traces.append(1)
            return t.train_step(state, batch)

        compiled, state = jax.jit(step), t.init(KEY, X[:1])
        for _ in range(3):
            state, _ = compiled(state, (X, Y))
        assert len(traces) == 1

    def test_fit(self, caplog):
        t = trainer()
        state, _ = t.fit(t.init(KEY), X, Y, epochs=1, batch_size=4, verbose=0)
        with jax.log_compiles(), caplog.at_level("WARNING"):
            jax.jit(lambda x: x + 1.5)(1.0)
            assert any("Compiling" in record.message for record in caplog.records)  # it would be seen
            caplog.clear()
            t.fit(state, X, Y, epochs=2, batch_size=4, verbose=0)
            assert [record.message for record in caplog.records if "Compiling" in record.message] == []


class Test10TheProgramIsTheHandWrittenOne:
    @pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
    @pytest.mark.parametrize("pair", [pairs.mlp(3), pairs.convnet(), pairs.transformer()], ids=lambda pair: pair.name)
    def test_forward(self, pair, training):
        sides, x = pairs.forwards(pair, training), pair.batch[0]
        hand, ours = (hlo.optimized(step, state, x, options=AS_USERS_DO) for state, step in (sides.hand, sides.jkeras))
        assert hlo.difference(ours, hand) == "none"

    def test_the_comparison_sees_one_operation_more(self):
        hand, more = (hlo.optimized(f, jnp.ones(3)) for f in (jnp.sin, lambda x: jnp.sin(x) * x))
        assert hlo.difference(more, hand) != "none"


def test_an_optax_transformation_trains_too():
    t = jkeras.Trainer(sequential(), optimizer=optax.sgd(0.1), loss="sparse_categorical_crossentropy")
    state = t.init(KEY)
    after, _ = jax.jit(t.train_step)(state, (X, Y))
    assert int(after.step) == 1
