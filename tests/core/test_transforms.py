"""jkeras.scan, cond, vmap, remat and functionalize: JAX transforms that carry updates out of layers."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras.core import Layer, Scope, cond, functionalize, get_mask, remat, scan, set_mask, vmap
from jkeras.errors import OutsideScopeError, TraceLevelError
from jkeras.layers import Dense
from tests.core.samples import KEY, Chain, Noise, Penalty, Run, RunningMean, Scale, run

X = jnp.arange(6.0).reshape(3, 2)
STEPS = jnp.stack([X, X + 1])


class Body(Layer):
    """All that a body can do: weights, state, randomness, a loss, `training`."""

    def __init__(self):
        super().__init__()
        self.dense, self.norm, self.noise, self.penalty = Dense(2), RunningMean(), Noise(seed=1), Penalty()

    def call(self, inputs):
        return self.penalty(self.noise(self.norm(self.dense(inputs))))


def by_scan(layer, xs):
    return scan(lambda carry, x: (carry + 1, layer.body(x)), jnp.float32(0), xs)[1]


def by_loop(layer, xs):
    return jnp.stack([layer.body(x) for x in xs])


def network(function, *inputs):
    layer = Run(function, body=Body())
    return layer, layer.init(KEY, *inputs)


def results(layer, variables, *inputs):
    """Outputs, state and the sum of the losses of a step in training, and the gradients of all of it."""

    def total(trainable):
        outputs, state, losses = layer.stateless_call(
            trainable, variables.non_trainable, *inputs, training=True, return_losses=True
        )
        loss = jnp.sum(outputs**2) + sum(losses.values())
        return loss, (outputs, state)

    return jax.value_and_grad(total, has_aux=True)(variables.trainable)


def same(one, two):
    """Agreement of two evaluations of the same sums and products in different programs: some float32 roundings."""
    assert jax.tree.structure(one) == jax.tree.structure(two)
    chex.assert_trees_all_close(one, two, rtol=1e-5, atol=1e-6)


class TestScan:
    def test_what_a_loop_gives(self):
        scanned, variables = network(by_scan, STEPS)
        unrolled, _ = network(by_loop, STEPS)
        same(results(scanned, variables, STEPS), results(unrolled, variables, STEPS))

    def test_state_advances_once_a_step(self):
        layer, variables = network(by_scan, STEPS)
        _, state = layer.stateless_call(*variables, STEPS, training=True)
        assert int(state["body"]["norm"]["count"]) == 2
        assert state["body"]["noise"]["generator"]["seed_generator_state"].tolist() == [1, 2]

    def test_the_tree_is_a_valid_carry(self):
        layer, variables = network(by_scan, STEPS)

        def step(state, xs):
            outputs, state = layer.stateless_call(variables.trainable, state, xs, training=True)
            return state, outputs

        state, _ = jax.lax.scan(step, variables.non_trainable, jnp.stack([STEPS, STEPS]))
        assert int(state["body"]["norm"]["count"]) == 4

    def test_losses_are_summed_over_steps(self):
        layer = Run(lambda layer, xs: scan(lambda c, x: (c, layer.penalty(x)), 0.0, xs)[1], penalty=Penalty())
        _, _, losses = layer.stateless_call({}, {}, STEPS, return_losses=True)
        assert {name: float(loss) for name, loss in losses.items()} == {"penalty/add_loss": float(STEPS.sum())}

    def test_options(self):
        def backwards(layer, xs):
            return scan(lambda c, x: (c + x.sum(), c), 0.0, xs, reverse=True, unroll=2)[1]

        outputs, _ = run(backwards, jnp.array([1.0, 2.0, 3.0]))
        assert outputs.tolist() == [5.0, 3.0, 0.0]

    def test_length_and_no_inputs(self):
        def repeat(layer, x):
            return scan(lambda c, _: (layer.norm(c), None), x, None, 3)[0]

        outputs, state = run(repeat, X, norm=RunningMean(), training=True)
        assert int(state["norm"]["count"]) == 3 and outputs.shape == X.shape

    def test_stacked_weights(self):
        # one scan over layers whose weights are stacked: each step a nested `stateless_call` on a slice
        block = Dense(2)
        stacked = jax.vmap(lambda key: block.init(key, X))(jax.random.split(KEY, 3))

        def through(layer, x):
            return jax.lax.scan(lambda h, v: (block.stateless_call(*v, h)[0], None), x, stacked)[0]

        outputs, _ = run(through, X)
        expected = X
        for index in range(3):
            expected, _ = block.stateless_call(*jax.tree.map(lambda leaf, i=index: leaf[i], stacked), expected)
        same(outputs, expected)


class TestCond:
    @pytest.mark.parametrize("taken", [True, False])
    def test_only_the_branch_that_is_taken_updates(self, taken):
        def branch(layer, x):
            return cond(x[0, 0] > 0, layer.body, lambda y: y, x)

        layer, variables = network(branch, X)
        x = X + 1 if taken else X
        outputs, state, losses = layer.stateless_call(*variables, x, training=True, return_losses=True)
        assert int(state["body"]["norm"]["count"]) == taken
        expected = Run(lambda layer, y: layer.body(y) if taken else y, body=layer.body)
        same(outputs, expected.stateless_call(*variables, x, training=True)[0])
        assert (float(losses["body/penalty/add_loss"]) != 0) == taken

    def test_gradients(self):
        def program(function):
            layer, variables = network(function, X)
            return results(layer, variables, X)

        same(program(lambda layer, x: cond(True, layer.body, lambda y: y, x)), program(lambda layer, x: layer.body(x)))

    def test_both_branches_are_built(self):
        layer = Run(lambda layer, x: cond(x.sum() > 0, layer.one, layer.two, x), one=Dense(2), two=Dense(2))
        variables = layer.init(KEY, X)
        assert sorted(variables.trainable) == ["one", "two"]

    def test_different_losses_in_the_branches(self):
        def branches(layer, x):
            return cond(x.sum() > 0, layer.one, layer.two, x)

        layer = Run(branches, one=Penalty(), two=Chain(Penalty()))
        _, _, losses = layer.stateless_call({}, {}, X, return_losses=True)
        assert {name: float(loss) for name, loss in losses.items()} == {
            "one/add_loss": float(X.sum()),
            "two/parts/0/add_loss": 0.0,
        }


class TestRemat:
    def test_the_same_numbers(self):
        plain, variables = network(lambda layer, x: layer.body(x), X)
        again, _ = network(lambda layer, x: remat(layer.body)(x), X)
        same(results(again, variables, X), results(plain, variables, X))

    def test_values_are_computed_again(self):
        def gradient(function):
            layer, variables = network(function, X)
            return str(jax.make_jaxpr(lambda v: results(layer, v, X))(variables))

        plain, again = (gradient(f) for f in (lambda layer, x: layer.body(x), lambda layer, x: remat(layer.body)(x)))
        assert again.count("dot_general") > plain.count("dot_general")

    def test_options(self):
        policy = jax.checkpoint_policies.everything_saveable
        outputs, _ = run(lambda layer, x: remat(jnp.sin, policy=policy, prevent_cse=False)(x), X)
        same(outputs, jnp.sin(X))

    def test_keywords_stay_static(self):
        def scaled(x, factor=None, flag=False):
            assert flag is True and factor == 2
            return x * factor

        assert run(lambda layer, x: remat(scaled)(x, factor=2, flag=True), X)[0].tolist() == (2 * X).tolist()

    def test_masks_pass_through(self):
        class Passes(Layer):
            def __init__(self):
                super().__init__()
                self.supports_masking = True

            def call(self, inputs):
                return inputs * 2

        def program(layer, x):
            set_mask(x, x > 2)
            return get_mask(remat(layer.passes)(x))

        outputs, _ = run(program, X, passes=Passes())
        assert outputs.tolist() == (X > 2).tolist()


class TestVmap:
    def test_what_a_loop_gives_without_state(self):
        layer = Run(lambda layer, xs: vmap(layer.dense)(xs), dense=Dense(2))
        variables = layer.init(KEY, STEPS)
        outputs, _ = layer.stateless_call(*variables, STEPS)
        same(outputs, jnp.stack([layer.dense.stateless_call(variables.trainable["dense"], {}, x)[0] for x in STEPS]))

    def test_gradients(self):
        def loss(trainable, function):
            layer = Run(function, dense=dense)
            return jnp.sum(layer.stateless_call(trainable, {}, STEPS)[0] ** 2)

        dense = Dense(2)
        layer = Run(lambda layer, xs: vmap(layer.dense)(xs), dense=dense)
        trainable = layer.init(KEY, STEPS).trainable
        same(*(jax.grad(loss)(trainable, f) for f in (layer.function, lambda layer, xs: layer.dense(xs))))

    def test_members_have_streams_of_their_own(self):
        layer = Run(lambda layer, xs: vmap(layer.noise)(xs), noise=Noise(seed=1))
        variables = layer.init(KEY, STEPS)
        outputs, state = layer.stateless_call(*variables, jnp.zeros_like(STEPS))
        assert len(np.unique(outputs)) == outputs.size
        assert state["noise"]["generator"]["seed_generator_state"].tolist() == [1, 1]
        again, _ = layer.stateless_call({}, state, jnp.zeros_like(STEPS))
        assert not np.any(outputs == again)

    def test_losses_are_averaged(self):
        layer = Run(lambda layer, xs: vmap(layer.penalty)(xs), penalty=Penalty())
        _, _, losses = layer.stateless_call({}, {}, STEPS, return_losses=True)
        assert float(losses["penalty/add_loss"]) == float(STEPS.sum()) / 2

    def test_members_that_disagree_about_a_value(self):
        layer = Run(lambda layer, xs: vmap(layer.norm)(xs), norm=RunningMean())
        with pytest.raises(TraceLevelError, match=r"members of a vmap assigned different values(.|\n)*jax.lax.pmean"):
            layer.stateless_call(*layer.init(KEY, STEPS), STEPS, training=True)

    def test_members_that_agree(self):
        class Synchronized(RunningMean):
            def call(self, inputs, training=False):
                self.mean.assign(jax.lax.pmean(jnp.mean(inputs, axis=0), "members"))
                return inputs

        layer = Run(lambda layer, xs: vmap(layer.norm, axis_name="members")(xs), norm=Synchronized())
        _, state = layer.stateless_call(*layer.init(KEY, STEPS), STEPS)
        same(state["norm"]["mean"], STEPS.mean(axis=(0, 1)))

    def test_axes(self):
        outputs, _ = run(lambda layer, x: vmap(lambda a, b: a + b, in_axes=[1, None], out_axes=1)(x, x[:, 0]), X)
        same(outputs, X + X[:, :1])


NESTED = {
    "scan in scan": lambda layer, xs: scan(lambda c, x: (c, by_scan(layer, x[None])[0]), 0.0, xs)[1],
    "remat in scan": lambda layer, xs: scan(lambda c, x: (c, remat(layer.body)(x)), 0.0, xs)[1],
    "scan in remat": lambda layer, xs: remat(lambda ys: by_scan(layer, ys))(xs),
    "cond in scan": lambda layer, xs: scan(lambda c, x: (c, cond(True, layer.body, lambda y: y, x)), 0.0, xs)[1],
    "scan in cond": lambda layer, xs: cond(True, lambda ys: by_scan(layer, ys), lambda ys: ys, xs),
    "remat in remat": lambda layer, xs: jnp.stack([remat(remat(layer.body))(x) for x in xs]),
}


class TestNesting:
    @pytest.mark.parametrize("name", NESTED)
    def test_transforms_nest(self, name):
        nested, variables = network(NESTED[name], STEPS)
        loop, _ = network(by_loop, STEPS)
        same(results(nested, variables, STEPS), results(loop, variables, STEPS))

    @pytest.mark.parametrize("name", ["remat in scan", "scan in cond"])
    def test_jitted(self, name):
        nested, variables = network(NESTED[name], STEPS)
        same(jax.jit(lambda v: results(nested, v, STEPS))(variables), results(nested, variables, STEPS))

    def test_inside_deeper_layers(self):
        inner = Run(by_scan, body=Body())
        layer = Chain(inner, Chain(Run(by_scan, body=Body())))
        variables = layer.init(KEY, STEPS)
        _, state, losses = layer.stateless_call(*variables, STEPS, training=True, return_losses=True)
        assert int(state["parts"]["1"]["parts"]["0"]["body"]["norm"]["count"]) == 2
        assert sorted(losses) == ["parts/0/body/penalty/add_loss", "parts/1/parts/0/body/penalty/add_loss"]


class TestFunctionalize:
    def test_a_pure_function_the_state_and_a_commit(self):
        def program(layer, x):
            pure, state, commit = functionalize(layer.norm)
            (one, losses), new = pure(state, x)
            (two, _), newer = pure(new, x)
            assert losses == {}
            before = layer.norm.count.value
            commit(newer)
            return one + two, before

        layer = Run(program, norm=RunningMean())
        variables = layer.init(KEY, X)
        (outputs, before), state = layer.stateless_call(*variables, X, training=True)
        assert (int(before), int(state["norm"]["count"])) == (0, 2) and outputs.tolist() == (2 * X).tolist()

    def test_while_loops_are_a_few_lines_over_it(self):
        def program(layer, x):
            pure, state, commit = functionalize(layer.norm)
            state, x = jax.lax.while_loop(
                lambda c: c[1][0, 0] < 3, lambda c: (pure(c[0], c[1])[1], c[1] + 1), (state, x)
            )
            commit(state)
            return x

        _, state = run(program, X, norm=RunningMean(), training=True)
        assert int(state["norm"]["count"]) == 3

    def test_outside_a_scope(self):
        with pytest.raises(OutsideScopeError):
            functionalize(jnp.sin)

    def test_without_a_layer(self):
        norm = RunningMean()
        variables = norm.init(KEY, X)
        values = {norm.mean: variables.non_trainable["mean"], norm.count: variables.non_trainable["count"]}
        values[norm.gain] = variables.trainable["gain"]
        with Scope(values, context={"training": True}).open() as scope:
            scan(lambda c, x: (c, norm(x)), 0.0, STEPS)
        assert int(scope.values[norm.count]) == 2

    def test_an_update_of_a_variable_that_the_caller_does_not_own(self):
        # the wrapper runs a function of its owner's inside a transform: that update would be lost
        layer = Run(lambda layer, x: layer.wrapper(x), norm=RunningMean())
        layer.wrapper = Run(lambda wrapper, x: remat(lambda y: layer.norm(y))(x))
        variables = layer.init(KEY, X)
        with pytest.raises(TraceLevelError, match=r"norm/mean(.|\n)*does not own the variable"):
            layer.stateless_call(*variables, X, training=True)


def test_reads_need_no_transform_of_ours():
    layer = Run(lambda layer, xs: jax.lax.map(layer.scale, xs), scale=Scale())
    variables = layer.init(KEY, STEPS)
    same(layer.stateless_call(*variables, STEPS)[0], STEPS)
