"""Trees in, trees out: `init` and `stateless_call`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import tree
from jkeras.core import Input, Layer, Variables, stateless
from jkeras.errors import BuildError, LeafError
from jkeras.layers import Dense
from tests.core.samples import KEY, Chain, Noise, Penalty, RunningMean, Scale
from tests.leaks import checking_leaks

X = jnp.arange(6.0).reshape(3, 2)


def network():
    layer = Chain(Dense(3), RunningMean(), Noise(seed=1), Penalty(), Dense(2))
    return layer, layer.init(KEY, X)


class TestInit:
    def test_two_nested_dicts(self):
        _, variables = network()
        assert isinstance(variables, Variables)
        assert list(tree.flatten(variables.trainable)) == [
            *("parts/0/kernel", "parts/0/bias", "parts/1/gain", "parts/4/kernel", "parts/4/bias")
        ]
        assert list(tree.flatten(variables.non_trainable)) == [
            *("parts/1/mean", "parts/1/count", "parts/2/generator/seed_generator_state")
        ]

    def test_jitted_mapped_and_abstract(self):
        layer, variables = network()
        jitted = jax.jit(lambda key: layer.init(key, X))(KEY)
        for path, leaf in tree.flatten(variables.trainable).items():
            np.testing.assert_array_equal(tree.flatten(jitted.trainable)[path], leaf)
        spec = jax.eval_shape(lambda key: layer.init(key, X), KEY)
        assert jax.tree.map(lambda s: (s.shape, s.dtype), spec) == jax.tree.map(lambda s: (s.shape, s.dtype), variables)
        members = jax.vmap(lambda key: layer.init(key, X))(jax.random.split(KEY, 2))
        np.testing.assert_array_equal(
            members.trainable["parts"]["0"]["kernel"][1],
            layer.init(jax.random.split(KEY, 2)[1], X).trainable["parts"]["0"]["kernel"],
        )

    def test_old_style_keys(self):
        old, new = (Dense(2).init(key, (1, 3)) for key in (jax.random.PRNGKey(0), jax.random.key(0)))
        np.testing.assert_array_equal(old.trainable["kernel"], new.trainable["kernel"])

    @pytest.mark.parametrize("key", [0, None, jnp.ones((1, 2)), "key"], ids=["int", "none", "array", "str"])
    def test_something_that_is_no_key(self, key):
        with pytest.raises(LeafError, match=r"must be a PRNG key(.|\n)*dense.init\(jax.random.key\(0\), x\)"):
            Dense(2).init(key, X)

    def test_no_inputs_for_a_layer_that_is_not_built(self):
        with pytest.raises(BuildError, match=r"jax.ShapeDtypeStruct\(\(32, 8\), \"float32\"\)"):
            Dense(2).init(KEY)

    def test_inputs_are_specs_as_well(self):
        for inputs in (X, np.ones((3, 2)), (3, 2), jax.ShapeDtypeStruct((3, 2), "float32"), Input((2,))):
            assert Chain(Dense(3)).init(KEY, inputs).trainable["parts"]["0"]["kernel"].shape == (2, 3)

    def test_unknown_dimensions_in_a_shape(self):
        assert Dense(3).init(KEY, (None, 5)).trainable["kernel"].shape == (5, 3)

    def test_initial_values_do_not_depend_on_the_shapes_of_the_batch(self):
        one, two = (Dense(3).init(KEY, (size, 2)).trainable["kernel"] for size in (1, 7))
        np.testing.assert_array_equal(one, two)

    def test_a_callable_without_a_key_argument(self):
        class Own(Layer):
            def build(self, input_shape):
                self.w = self.add_weight(shape=(2,), initializer=lambda shape, dtype: jnp.full(shape, 3, dtype))

            def call(self, inputs):
                return inputs

        assert Own().init(KEY, (1,)).trainable["w"].tolist() == [3.0, 3.0]


class TestStatelessCall:
    def test_outputs_and_state_and_losses(self):
        layer, variables = network()
        assert len(layer.stateless_call(*variables, X)) == 2
        outputs, state, losses = layer.stateless_call(*variables, X, training=True, return_losses=True)
        assert outputs.shape == (3, 2) and list(losses) == ["parts/3/add_loss"]
        assert jax.tree.structure(state) == jax.tree.structure(variables.non_trainable)

    def test_nothing_given_is_changed(self):
        layer, variables = network()
        before = jax.tree.map(np.array, variables)
        layer.stateless_call(*variables, X, training=True)
        assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), before, jax.tree.map(np.array, variables)))

    def test_arrays_in_arrays_out(self):
        layer, variables = network()
        outputs, state = layer.stateless_call(*variables, np.asarray(X), training=True)
        assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves((outputs, state)))
        assert int(state["parts"]["1"]["count"]) == 1

    def test_the_state_includes_statistics_and_streams_in_order(self):
        layer, variables = network()
        lists = layer_lists(layer, variables)
        _, state = layer.stateless_call(*lists, X, training=True)
        assert [leaf.shape for leaf in state] == [v.shape for v in layer.non_trainable_variables]
        assert int(state[1]) == 1 and state[2].tolist() == [1, 1]

    @pytest.mark.parametrize("transform", ["jit", "grad", "vmap", "scan", "hessian-vector product"])
    def test_transforms(self, transform):
        layer, variables = network()

        def loss(trainable, x=X):
            outputs, _ = layer.stateless_call(trainable, variables.non_trainable, x)
            return jnp.mean(outputs**2)

        expected = loss(variables.trainable)
        if transform == "jit":
            # one fused program rounds otherwise than single operations
            np.testing.assert_allclose(jax.jit(loss)(variables.trainable), expected, rtol=1e-6)
        elif transform == "grad":
            gradient = jax.grad(loss)(variables.trainable)
            assert jax.tree.structure(gradient) == jax.tree.structure(variables.trainable)
            assert float(jnp.abs(gradient["parts"]["0"]["kernel"]).max()) > 0
        elif transform == "vmap":
            stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), variables.trainable)
            np.testing.assert_allclose(jax.vmap(loss)(stacked), [expected] * 2, rtol=1e-6)
        elif transform == "scan":

            def body(state, x):
                outputs, state = layer.stateless_call(variables.trainable, state, x, training=True)
                return state, outputs

            state, outputs = jax.lax.scan(body, variables.non_trainable, jnp.stack([X, X]))
            assert outputs.shape == (2, 3, 2) and int(state["parts"]["1"]["count"]) == 2
        else:
            gradient = jax.grad(loss)
            tangent = jax.tree.map(jnp.ones_like, variables.trainable)
            product = jax.jvp(gradient, (variables.trainable,), (tangent,))[1]
            assert jax.tree.structure(product) == jax.tree.structure(tangent)

    def test_never_built(self):
        with pytest.raises(BuildError, match=r"dense: the layer must be built before it is called(.|\n)*dense.init"):
            Dense(2).stateless_call({}, {}, X)

    def test_operations_have_the_addresses_of_their_layers(self):
        layer, variables = network()
        text = jax.jit(lambda v: layer.stateless_call(*v, X)).lower(variables).as_text(debug_info=True)
        assert "chain/parts/0/dot_general" in text and "chain/parts/4/dot_general" in text

    def test_no_tracer_leaks(self):
        layer, variables = network()
        with checking_leaks():
            network()
            Chain(Dense(3), RunningMean())(Input((2,)))
            jax.jit(lambda v: layer.stateless_call(*v, X, training=True))(variables)

    def test_without_jit(self):
        layer, variables = network()
        expected, _ = layer.stateless_call(*variables, X)
        with jax.disable_jit():
            np.testing.assert_allclose(layer.stateless_call(*variables, X)[0], expected, rtol=1e-5)
            assert jax.tree.structure(Chain(Dense(3)).init(KEY, X)) is not None

    def test_a_part_runs_on_its_subtree(self):
        layer, variables = network()
        part = layer.parts[1]
        outputs, state = part.stateless_call(
            variables.trainable["parts"]["1"], variables.non_trainable["parts"]["1"], jnp.ones((2, 3)), training=True
        )
        assert outputs.shape == (2, 3) and int(state["count"]) == 1

    def test_empty_subtrees_may_be_given(self):
        layer = Chain(Scale(), Penalty())
        variables = layer.init(KEY, X)
        trainable = {"parts": {**variables.trainable["parts"], "1": {}}}
        assert layer.stateless_call(trainable, {"parts": {"0": {}}}, X)[0].shape == (3, 2)


def layer_lists(layer, variables):
    """The two flat lists of a layer's values."""
    return tuple(
        [tree.flatten(values)[declaration.path] for declaration in declarations]
        for values, declarations in zip(variables, layer.structure().split(), strict=True)
    )


class TestLists:
    def test_lists_in_lists_out(self):
        layer, variables = network()
        trainable, non_trainable = layer_lists(layer, variables)
        outputs, state = layer.stateless_call(trainable, non_trainable, X, training=True)
        expected, tree_state = layer.stateless_call(*variables, X, training=True)
        assert isinstance(state, list)
        np.testing.assert_array_equal(outputs, expected)
        for ours, theirs in zip(state, layer_lists(layer, (variables.trainable, tree_state))[1], strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def test_the_wrong_length(self):
        layer, variables = network()
        trainable, non_trainable = layer_lists(layer, variables)
        with pytest.raises(LeafError) as error:
            layer.stateless_call(trainable[:-1], non_trainable, X)
        message = str(error.value)
        assert "`trainable` must have one leaf" in message and "parts/0/kernel, parts/0/bias" in message
        assert "5 arrays in the order of `trainable_variables`" in message and "received: 4 arrays" in message
        with pytest.raises(LeafError, match="`non_trainable` must have one leaf"):
            layer.stateless_call(trainable, [*non_trainable, jnp.ones(1)], X)

    def test_every_wrong_shape_is_named(self):
        layer, variables = network()
        trainable, non_trainable = layer_lists(layer, variables)
        with pytest.raises(LeafError, match=r"'parts/0/kernel' has shape \(3, 2\)(.|\n)*'parts/0/bias' has shape"):
            layer.stateless_call([trainable[0].T, jnp.ones(4), *trainable[2:]], non_trainable, X)

    @pytest.mark.parametrize("forms", [("tree", "list"), ("list", "tree"), ("variables", "x")], ids=str)
    def test_mixed_forms(self, forms):
        layer, variables = network()
        trainable, non_trainable = layer_lists(layer, variables)
        given = {
            ("tree", "list"): (variables.trainable, non_trainable),
            ("list", "tree"): (trainable, variables.non_trainable),
            ("variables", "x"): (variables, X),  # the star forgotten
        }[forms]
        with pytest.raises(LeafError, match=r"must be a tree, or a flat list(.|\n)*stateless_call\(\*variables, x\)"):
            layer.stateless_call(*given, X)


def broken(variables, what):
    """Copies of the two trees with one thing wrong."""
    trainable, non_trainable = tree.flatten(variables.trainable), tree.flatten(variables.non_trainable)
    if what == "missing":
        del trainable["parts/0/kernel"], non_trainable["parts/1/mean"]
    elif what == "unknown":
        trainable["parts/0/kernle"], non_trainable["else"] = jnp.ones(1), jnp.ones(1)
    elif what == "misshaped":
        trainable["parts/0/kernel"], non_trainable["parts/1/mean"] = jnp.ones((3, 2)), jnp.ones(4)
    elif what == "in the wrong tree":
        non_trainable["parts/0/kernel"] = trainable.pop("parts/0/kernel")
    elif what == "twice":
        non_trainable["parts/0/kernel"] = trainable["parts/0/kernel"]
    elif what == "no array":
        trainable["parts/0/kernel"] = "text"
    return tree.unflatten(trainable), tree.unflatten(non_trainable)


class TestLeaves:
    """Invariant 6: every leaf that does not fit is named, and nothing is guessed."""

    @pytest.mark.parametrize(
        ("what", "lines"),
        [
            (
                "missing",
                [
                    "'parts/0/kernel' is missing from `trainable`: shape (2, 3), float32",
                    "'parts/1/mean' is missing from `non_trainable`: shape (3,), float32",
                ],
            ),
            ("unknown", ["'parts/0/kernle' in `trainable` is unknown", "'else' in `non_trainable` is unknown"]),
            (
                "misshaped",
                [
                    "'parts/0/kernel' has shape (3, 2), expected (2, 3)",
                    "'parts/1/mean' has shape (4,), expected (3,)",
                ],
            ),
            (
                "in the wrong tree",
                ["'parts/0/kernel' is in `non_trainable` and belongs to `trainable`: chain.repartition(variables)"],
            ),
            ("twice", ["'parts/0/kernel' is given twice, in both trees"]),
            ("no array", ["'parts/0/kernel' is no array: str"]),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_every_path_is_named(self, what, lines):
        layer, variables = network()
        with pytest.raises(LeafError) as error:
            layer.stateless_call(*broken(variables, what), X)
        received = [line.strip() for line in str(error.value).splitlines()]
        assert received[1:-1] == lines
        assert received[0].startswith(f"chain: {len(lines)} lea") and received[-1].startswith("write:    variables =")

    def test_long_lists_are_cut(self):
        layer = Chain(*(Dense(1) for _ in range(20)))
        layer.init(KEY, (1, 1))
        with pytest.raises(LeafError) as error:
            layer.stateless_call({}, {}, jnp.ones((1, 1)))
        message = str(error.value)
        assert "40 leaves do not fit" in message and "and 37 more" in message and message.count("\n") == 5
        assert all(f"parts/{i}/{name}" in message for i in range(20) for name in ("kernel", "bias"))


class TestConstraints:
    def test_constrain_projects_what_has_a_constraint_and_nothing_else(self):
        layer = Chain(Dense(2, kernel_constraint="non_neg"), Dense(2))
        variables = layer.init(KEY, X)
        after = stateless.constrain(layer.structure(), variables.trainable)
        before = tree.flatten(variables.trainable)
        for path, leaf in tree.flatten(after).items():
            expected = jnp.maximum(before[path], 0) if path == "parts/0/kernel" else before[path]
            np.testing.assert_array_equal(leaf, expected)

    def test_no_constraints(self):
        layer = Dense(2)
        trainable = layer.init(KEY, X).trainable
        assert stateless.constrain(layer.structure(), trainable) == trainable
