"""Scope: values, updates, losses and masks for one trace."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras.core import Layer, Variable, get_mask, in_building_scope, set_mask
from jkeras.core import scope as scopes
from jkeras.core.scope import Scope, trace_level
from jkeras.errors import LeafError, OutsideScopeError, TraceLevelError
from tests.core.samples import KEY, Chain, Penalty, Run, RunningMean, Scale, run


def counter():
    return Variable("zeros", shape=(), trainable=False, name="counter")


class TestValues:
    def test_reads_see_the_mapped_value_and_writes_are_recorded(self):
        variable = counter()
        with Scope({variable: jnp.float32(5)}).open() as scope:
            assert float(variable.value) == 5
            variable.assign(6.0)
            assert float(variable.value) == 6
        assert float(scope.values[variable]) == 6 and list(scope.updated) == [variable]
        with pytest.raises(OutsideScopeError):
            _ = variable.value

    def test_keys_are_variables(self):
        with pytest.raises(LeafError, match="must have variables as keys"):
            Scope({"counter": jnp.float32(0)})

    def test_values_have_the_shapes_of_their_variables(self):
        with pytest.raises(
            LeafError, match=r"counter: the value must have the shape of its variable(.|\n)*\(\)(.|\n)*\(2,\)"
        ):
            Scope({counter(): jnp.zeros(2)})

    def test_scopes_nest(self):
        variable = counter()
        with Scope({variable: jnp.float32(1)}).open():
            with Scope({variable: jnp.float32(2)}).open():
                variable.assign(3.0)
                assert float(variable.value) == 3
            assert float(variable.value) == 1

    def test_an_inner_stateless_call_neither_sees_nor_changes_the_outer_values(self):
        inner = RunningMean()
        variables = inner.init(KEY, (2, 3))

        def outer_call(layer, x):
            outputs, state = layer.inner.stateless_call(*variables, x, training=True)
            return outputs, state["count"], layer.inner.count.value

        outputs, state = run(outer_call, jnp.ones((2, 3)), inner=inner)
        assert [int(count) for count in outputs[1:]] == [1, 0] and int(state["inner"]["count"]) == 0

    def test_a_variable_of_another_layer(self):
        other = Scale()
        other.build((3,))
        with pytest.raises(LeafError, match="not part of the layer that is being called"):
            Run(lambda layer, x: x * other.factor.value).stateless_call({}, {}, jnp.ones(3))

    def test_a_failed_call_closes_its_scope(self):
        def fail(layer, x):
            raise KeyError

        layer = Run(fail)
        with pytest.raises(KeyError):
            layer.stateless_call({}, {}, jnp.ones(1))
        assert scopes.current() is None

    def test_frames_are_popped_when_a_call_fails(self):
        def fail(layer, x):
            raise KeyError

        with Scope().open() as scope:
            with pytest.raises(KeyError):
                Run(fail)(jnp.ones(1))
            assert scope.frames == []


class TestBuildingScopes:
    def test_layers_can_tell(self):
        seen = []

        def look(layer, x):
            seen.append(in_building_scope())
            return x

        run(look, jnp.ones(1))
        assert seen == [True, False] and not in_building_scope()

    def test_declarations_read_as_zeros_of_their_shape(self):
        variable = Variable("ones", shape=(2, 3), dtype="bfloat16")
        with Scope(building=True).open():
            value = variable.value
        assert (value.shape, value.dtype) == ((2, 3), "bfloat16") and not np.any(np.float32(value))

    def test_writes_are_read_back_while_building(self):
        variable = counter()
        with Scope(building=True).open():
            variable.assign(3.0)
            assert float(variable.value) == 3


class TestLosses:
    def test_each_leaf_of_a_structure_is_one_loss(self):
        def add(layer, x):
            layer.add_loss([jnp.float32(1), {"a": jnp.float32(2)}])
            return x

        layer = Run(add)
        _, _, losses = layer.stateless_call({}, {}, jnp.ones(1), return_losses=True)
        assert {name: float(loss) for name, loss in losses.items()} == {"add_loss": 1, "add_loss_1": 2}

    def test_losses_have_the_path_of_the_layer(self):
        layer = Chain(Penalty(), Penalty(name="named"))
        _, _, losses = layer.stateless_call({}, {}, jnp.ones(3), return_losses=True)
        assert list(losses) == ["parts/0/add_loss", "parts/named/add_loss"]

    def test_calls_do_not_accumulate(self):
        layer = Chain(Penalty())
        for _ in range(2):
            _, _, losses = layer.stateless_call({}, {}, jnp.ones(3), return_losses=True)
            assert len(losses) == 1

    def test_a_layer_called_twice_adds_twice(self):
        shared = Penalty()
        layer = Chain(shared, shared)
        _, _, losses = layer.stateless_call({}, {}, jnp.ones(3), return_losses=True)
        assert list(losses) == ["parts/0/add_loss", "parts/0/add_loss_1"]


class TestMasks:
    def test_masks_belong_to_one_value_in_one_scope(self):
        x, y = jnp.ones(2), jnp.ones(2)
        with Scope().open():
            set_mask(x, "mask")
            assert get_mask(x) == "mask" and get_mask(y) is None
            with Scope().open():
                assert get_mask(x) is None
        assert get_mask(x) is None

    def test_values_are_held_so_that_an_identity_is_never_used_twice(self):
        with Scope().open() as scope:
            for _ in range(100):
                set_mask(jnp.ones(1), "mask")
            fresh = [jnp.ones(1) for _ in range(100)]
            assert all(scope.mask_of(x) is None for x in fresh)

    def test_none_changes_nothing(self):
        x = jnp.ones(2)
        with Scope().open():
            set_mask(x, "mask")
            set_mask(x, None)
            assert get_mask(x) == "mask"

    def test_outside_a_scope(self):
        with pytest.raises(OutsideScopeError, match="set_mask"):
            set_mask(jnp.ones(1), jnp.ones(1))


def by_scan(write):
    jax.lax.scan(lambda carry, _: (write(carry), None), jnp.float32(0), None, length=2)


def by_cond(write):
    jax.lax.cond(True, write, lambda x: x, jnp.float32(0))


TRANSFORMS = {
    "scan": by_scan,
    "cond": by_cond,
    "while_loop": lambda write: jax.lax.while_loop(lambda x: x < 1, write, jnp.float32(0)),
    "fori_loop": lambda write: jax.lax.fori_loop(0, 2, lambda _, x: write(x), jnp.float32(0)),
    "map": lambda write: jax.lax.map(write, jnp.zeros(2)),
    "vmap": lambda write: jax.vmap(write)(jnp.zeros(2)),
    "jit": lambda write: jax.jit(write)(jnp.float32(0)),
    "grad": lambda write: jax.grad(write)(jnp.float32(0)),
    "jvp": lambda write: jax.jvp(write, (jnp.float32(0),), (jnp.float32(1),)),
    "vjp": lambda write: jax.vjp(write, jnp.float32(0)),
    "linearize": lambda write: jax.linearize(write, jnp.float32(0)),
    "checkpoint": lambda write: jax.checkpoint(write)(jnp.float32(0)),
    "eval_shape": lambda write: jax.eval_shape(write, jnp.float32(0)),
}


PASSED = {
    "checkpoint": lambda f, x: jax.checkpoint(f)(x),
    "jit": lambda f, x: jax.jit(f)(x),
    "cond": lambda f, x: jax.lax.cond(True, f, f, x),
    "switch": lambda f, x: jax.lax.switch(0, [f, f], x),
    "map": lambda f, x: jax.lax.map(f, x[None])[0],
    "vmap": lambda f, x: jax.vmap(f)(x[None])[0],
    "jvp": lambda f, x: jax.jvp(f, (x,), (x,))[0],
}


class TestTraceLevel:
    """Inside plain JAX transforms variables are read freely; assignments, which would be lost, are errors."""

    @pytest.mark.parametrize("name", TRANSFORMS)
    @pytest.mark.parametrize("jitted", [False, True], ids=["eager", "jitted"])
    def test_assigning(self, name, jitted):
        variable = counter()

        def program(value):
            with Scope({variable: value}).open():

                def write(x):
                    variable.assign(x)
                    return x + 1

                TRANSFORMS[name](write)

        with pytest.raises(TraceLevelError) as error:
            (jax.jit(program) if jitted else program)(jnp.float32(0))
        assert "counter" in str(error.value) and "jkeras.scan" in str(error.value)

    @pytest.mark.parametrize("name", TRANSFORMS)
    def test_reading(self, name):
        variable = Variable("zeros", shape=(), name="w")

        def program(value):
            with Scope({variable: value}).open():
                TRANSFORMS[name](lambda x: x + variable.value)

        jax.jit(program).trace(jnp.float32(1))

    def test_named_scopes_and_precision_contexts_are_no_transforms(self):
        before = trace_level()
        with jax.named_scope("here"), jax.default_matmul_precision("float32"):
            assert trace_level() == before

    def test_a_scope_inside_a_transform_takes_assignments(self):
        layer = RunningMean()
        variables = layer.init(KEY, (2, 3))

        def body(state, x):
            _, state = layer.stateless_call(variables.trainable, state, x, training=True)
            return state, None

        state, _ = jax.lax.scan(body, variables.non_trainable, jnp.ones((4, 2, 3)))
        assert int(state["count"]) == 4

    @pytest.mark.parametrize("name", PASSED)
    @pytest.mark.parametrize("what", ["a layer", "a method", "a function"])
    @pytest.mark.parametrize("jitted", [False, True], ids=["eager", "jitted"])
    def test_functions_that_are_passed_again_read_what_the_scope_holds_now(self, name, what, jitted):
        # JAX keeps the traces of functions that it knows: values that they closed over must not be baked into them
        class Outer(Layer):
            def __init__(self):
                super().__init__()
                self.part = Scale()
                self.function = {"a layer": self.part, "a method": self.scaled, "a function": lambda x: self.part(x)}[
                    what
                ]

            def scaled(self, x):
                return self.part(x)

            def call(self, inputs):
                return PASSED[name](self.function, inputs)

        layer = Outer()
        layer.init(KEY, (3,))
        run = layer.stateless_call
        for value in (1.0, 5.0, 1.0):
            trainable = {"part": {"factor": jnp.full(3, value)}}
            outputs, _ = (jax.jit(lambda v, x: run(v, {}, x)) if jitted else lambda v, x: run(v, {}, x))(
                trainable, jnp.ones(3)
            )
            assert outputs.tolist() == [value] * 3

    @pytest.mark.parametrize("name", PASSED)
    def test_functions_that_are_passed_again_read_updates(self, name):
        class Counts(Layer):
            def __init__(self):
                super().__init__()
                self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")
                self.function = lambda x: x + self.count.value

            def call(self, inputs):
                outputs = []
                for _ in range(3):
                    outputs.append(PASSED[name](self.function, inputs))
                    self.count.assign_add(1)
                return outputs

        layer = Counts()
        variables = layer.init(KEY, (1,))
        for _ in range(2):
            outputs, _ = layer.stateless_call(*variables, jnp.zeros(1))
            assert [float(y[0]) for y in outputs] == [0.0, 1.0, 2.0]

    def test_caches_stay_warm_for_layers_that_need_no_care(self):
        layer, traces = Scale(), []

        @jax.jit
        def traced(x):
            traces.append(1)
            return x

        layer = Run(lambda layer, x: traced(layer.scale(x)), scale=layer)
        variables = layer.init(KEY, jnp.ones(3))
        traces.clear()
        for _ in range(3):
            layer.stateless_call(*variables, jnp.ones(3))
        assert len(traces) <= 1


class TestThreads:
    def test_a_thread_does_not_see_the_scope_of_another(self):
        seen = []
        with Scope().open():
            thread = threading.Thread(target=lambda: seen.append(scopes.current()))
            thread.start()
            thread.join()
        assert seen == [None]

    def test_two_threads_call_one_layer(self):
        layer = RunningMean()
        variables = layer.init(KEY, (1, 2))
        barrier, results = threading.Barrier(2), {}

        class Waiting(Layer):
            def __init__(self):
                super().__init__()
                self.inner = layer

            def call(self, inputs, training=False):
                outputs = self.inner(inputs)
                barrier.wait(timeout=30)  # both threads are inside their scopes now
                return outputs, self.inner.mean.value

        outer = Waiting()
        trees = ({"inner": variables.trainable}, {"inner": variables.non_trainable})

        def work(value):
            x = jnp.full((1, 2), value)
            results[value] = outer.stateless_call(*trees, x, training=True)[0][1]

        threads = [threading.Thread(target=work, args=(value,)) for value in (2.0, 4.0)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {value: mean.tolist() for value, mean in results.items()} == {2.0: [1.0, 1.0], 4.0: [2.0, 2.0]}
