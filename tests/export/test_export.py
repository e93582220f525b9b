"""Programs compute what the layers do, for every size that is free, and say what does not fit."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.config import lowering_for
from jkeras.errors import ArgumentError, BuildError, LeafError, ShapeError, UnknownNameError
from jkeras.export import export
from tests.export.models import (
    MODELS,
    assert_same,
    attention,
    convolution,
    dense,
    first,
    listed,
    masked,
    normal,
    outputs_of,
    recurrent,
    several,
    trained,
)

ALL = ("cpu", "cuda", "tpu")


@pytest.mark.parametrize("values", ["inside", "outside"])
@pytest.mark.parametrize("make", MODELS)
def test_a_program_computes_what_the_model_does_for_batches_of_any_size(make, values):
    model, inputs = make()
    variables = trained(model)
    exported = export(model, variables, platforms=ALL, values=values)
    given = (variables,) if values == "outside" else ()
    for size in (1, 2):
        assert_same(exported(*given, first(inputs, size)), outputs_of(model, variables, first(inputs, size)), ulps=64)
    assert exported.platforms == ALL
    assert exported.values == values


def test_values_outside_are_those_of_the_call():
    model, x = dense()
    one, other = trained(model), model.init(jax.random.key(1))
    exported = export(model, jax.eval_shape(model.init, jax.random.key(0)), values="outside")
    assert_same(exported(other, x), outputs_of(model, other, x))
    assert_same(exported(tuple(one), x), outputs_of(model, one, x))
    assert exported.in_specs[0][0]["dense"]["kernel"].shape == (3, 4)


def test_specs_have_the_structures_of_the_model_and_symbols():
    model, _ = several()
    exported = export(model, trained(model))
    shapes = jax.tree.map(lambda spec: str(spec.shape), (exported.in_specs, exported.out_specs))
    assert shapes == (
        ({"left": "(b, 3)", "right": "(b, 4)"},),
        {"norm": "(b, 1)", "sum": "(b, 2)"},
    )
    model, _ = listed()
    exported = export(model, trained(model))
    assert jax.tree.structure(exported.in_specs) == jax.tree.structure(([0, 0],))
    assert jax.tree.structure(exported.out_specs) == jax.tree.structure([0, 0])


def test_sizes_that_are_none_have_symbols_of_their_own():
    model = jkeras.Sequential([jkeras.Input((None, None, 3)), layers.Conv2D(2, 3, padding="same")])
    variables = model.init(jax.random.key(0))
    exported = export(model, variables)
    assert str(exported.in_specs[0].shape) == "(b, n, n1, 3)"
    for shape in ((1, 4, 7, 3), (2, 5, 5, 3)):
        assert_same(exported(normal(*shape)), outputs_of(model, variables, normal(*shape)), ulps=64)


def test_names_in_shapes_are_symbols_that_inputs_share():
    exported = export(lambda x, y: x + y, None, ("b", "t"), ("b", "t"))
    assert exported(np.ones((2, 3), "float32"), np.ones((2, 3), "float32")).shape == (2, 3)
    with pytest.raises(ValueError, match="do not match"):
        exported(np.ones((2, 3), "float32"), np.ones((2, 4), "float32"))


def test_symbols_of_the_users_own_stay():
    t, n = jax.export.symbolic_shape("t, n", constraints=["t >= 3"])
    exported = export(lambda x: x[:3], None, jax.ShapeDtypeStruct((t, n), "int32"))
    assert exported.out_specs.shape[0] == 3
    assert exported(np.ones((4, 2), "int32")).shape == (3, 2)
    with pytest.raises(ArgumentError, match="`constraints`"):
        export(lambda x: x, None, jax.ShapeDtypeStruct((t, n), "int32"), constraints=("n >= 2",))


def test_constraints_let_a_function_need_a_length():
    exported = export(lambda x: x[:, :3], None, (None, "t"), constraints=("t >= 3",))
    assert exported.out_specs.shape[1] == 3
    with pytest.raises(ValueError, match=re.escape("t >= 3")):
        exported(np.ones((1, 2), "float32"))


def test_a_fixed_batch_stays_fixed():
    model, x = dense()
    variables = trained(model)
    exported = export(model, variables, x)
    assert exported.in_specs[0].shape == (5, 3)
    assert_same(exported(x), outputs_of(model, variables, x))
    with pytest.raises(ShapeError, match=r"expected: float32\(5, 3\)"):
        exported(x[:1])


class Two(jkeras.Model):
    """A subclass, with two arguments and a second method."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.head = layers.Dense(4, "tanh"), layers.Dense(2)

    def encode(self, x):
        return self.encoder(x)

    def call(self, x, scale, training=False):
        return self.head(self.encode(x)) * scale


def test_a_subclass_takes_specs_for_all_its_arguments():
    model, x, scale = Two(), normal(5, 3), normal(5, 1)
    variables = model.init(jax.random.key(0), x, scale)
    exported = export(model, variables, (None, 3), (None, 1))
    assert_same(exported(x, scale), model.stateless_call(*variables, x, scale)[0])
    with pytest.raises(ArgumentError, match="specs of the inputs must be given"):
        export(model, variables)


@pytest.mark.parametrize("values", ["inside", "outside"])
def test_another_method_can_be_exported(values):
    model, x = Two(), normal(5, 3)
    variables = model.init(jax.random.key(0), x, normal(5, 1))
    exported = export(model, variables, (None, 3), method="encode", values=values)
    found = exported(variables, x) if values == "outside" else exported(x)
    expected, _ = model.encoder.stateless_call(variables.trainable["encoder"], {}, x)
    assert_same(found, expected)
    with pytest.raises(UnknownNameError, match="'encode' \\(did you mean it"):
        export(model, variables, (None, 3), method="encod")


def test_functions_of_arrays_and_of_values():
    exported = export(lambda x: {"a": [x, None], "b": (x + 1,)}, None, {"x": (None, 2), "y": ()}["x"])
    found = exported(np.ones((3, 2), "float32"))
    assert jax.tree.structure(found) == jax.tree.structure({"a": [0, None], "b": (0,)})
    model, x = dense()
    trainer = jkeras.Trainer(model, loss="mse")
    state = trainer.init(jax.random.key(0))
    exported = export(trainer.predict_step, state, (None, 3))
    assert_same(exported(x), outputs_of(model, state.variables, x))
    variables = trained(model)
    exported = export(
        lambda variables, x: x @ variables.trainable["dense"]["kernel"], variables, (None, 3), values="outside"
    )
    assert_same(exported(variables, x), x @ variables.trainable["dense"]["kernel"])


def test_half_precision_stays():
    model, x = attention("bfloat16")
    variables = trained(model)
    exported = export(model, variables)
    assert exported.out_specs.dtype == "bfloat16"
    assert_same(exported(x), outputs_of(model, variables, x))


def test_a_program_for_one_accelerator_has_its_kernels_and_one_for_several_has_none():
    model, x = attention()
    variables = trained(model)
    assert "tpu_custom_call" in export(model, variables, x, platforms=("tpu",)).program.mlir_module()
    for specs, platforms in (((), ("tpu",)), ((x,), ALL)):  # kernels have no free sizes
        assert "tpu_custom_call" not in export(model, variables, *specs, platforms=platforms).program.mlir_module()


def test_a_program_for_gpus_asks_for_no_kernel_that_jax_cannot_write(monkeypatch):
    def refused(*args, **kwargs):
        raise AssertionError("cuDNN's kernel was asked for")

    monkeypatch.setattr(jax.nn, "dot_product_attention", refused)
    model, _ = attention("bfloat16")
    variables = trained(model)
    with lowering_for("cuda"), pytest.raises(AssertionError, match="cuDNN"):
        outputs_of(model, variables, jnp.ones((2, 128, 16), "bfloat16"))
    assert export(model, variables, platforms="cuda").platforms == ("cuda",)


def test_the_platform_is_that_of_the_machine_or_of_the_block():
    assert export(jnp.sin, None, (2,)).platforms == ("cpu",)
    with lowering_for("tpu"):
        assert export(jnp.sin, None, (2,)).platforms == ("tpu",)


def test_a_program_for_another_platform_is_refused_with_its_platforms():
    with pytest.raises(ArgumentError, match=r"got 'cpu'\.\n  expected: 'tpu'"):
        export(jnp.sin, None, (2,), platforms="tpu")(np.ones(2, "float32"))
    with pytest.raises(ArgumentError, match="`platforms` must be some of"):
        export(jnp.sin, None, (2,), platforms=("gpu",))


def test_training_returns_the_new_values_where_they_are_asked_for():
    model, x = convolution()
    variables = trained(model)
    exported = export(model, variables, values="outside", training=True, updates=True)
    outputs, new = exported(variables, x)
    expected, new_expected = model.stateless_call(*variables, x, training=True)
    assert_same(outputs, expected, ulps=64)
    assert_same(new, new_expected, ulps=64)
    with pytest.warns(UserWarning, match="changes 'batch_normalization/moving_mean'"):
        export(model, variables, training=True)
    with pytest.raises(ArgumentError, match="`updates` must be False"):
        export(model, variables, updates=True)


def test_inference_that_draws_says_that_each_call_draws_the_same():
    class Noise(jkeras.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.seed = jkeras.SeedGenerator(0)

        def call(self, x):
            return x + jkeras.random.normal(x.shape, seed=self.seed)

    layer = Noise()
    variables = layer.init(jax.random.key(0), (2, 3))
    with pytest.warns(UserWarning, match="'seed"):
        exported = export(layer, variables, (2, 3))
    x = np.zeros((2, 3), "float32")
    assert_same(exported(x), exported(x))


def test_gradients_go_through_a_program():
    model, x = recurrent()
    variables = trained(model)
    exported = export(model, variables, values="outside")

    def gradient(call):
        return jax.grad(lambda trainable: jnp.sum(jnp.sin(call((trainable, variables[1]), x))))(variables[0])

    found, expected = gradient(exported), gradient(lambda variables, x: outputs_of(model, variables, x))
    assert_same(found, expected, ulps=256)


def test_a_program_is_a_function_of_jax():
    model, x = masked()
    variables = trained(model)
    exported = export(model, variables)
    assert_same(jax.jit(lambda x: exported(x) * 2)(x), outputs_of(model, variables, x) * 2)


def test_one_compilation_for_each_size():
    model, x = dense()
    exported = export(model, trained(model))
    jax.clear_caches()  # else what ran before may leave no room
    for size in (1, 5, 1, 5):
        exported(x[:size])
    assert jkeras.jax_compat.kept_forms(exported._call) == 2


def test_inputs_that_do_not_fit_are_told_by_name():
    model, inputs = several()
    exported = export(model, trained(model))
    with pytest.raises(
        ShapeError, match=r"args\[0\]\['right'\].*\n  expected: float32\(b, 4\)\n  received: float32\(5, 3\)"
    ):
        exported({"left": inputs["left"], "right": inputs["left"]})
    with pytest.raises(ShapeError, match="received: int32"):
        exported(jax.tree.map(lambda leaf: leaf.astype("int32"), inputs))
    with pytest.raises(ArgumentError, match="structure of `in_specs`"):
        exported(inputs["left"], inputs["right"])
    with pytest.raises(ArgumentError, match="structure of `in_specs`"):
        exported({"left": inputs["left"]})


def test_arguments_are_checked():
    model, _ = dense()
    variables = trained(model)
    for call, error, message in (
        (lambda: export(model, None), ArgumentError, "`variables` must be the two trees"),
        (lambda: export(model, variables, values="both"), ArgumentError, "`values` must be"),
        (lambda: export(model, variables, vjp_order=-1), ArgumentError, "`vjp_order` must be"),
        (lambda: export(model, ({}, {})), LeafError, "is missing"),
        (lambda: export(model, jax.eval_shape(lambda: variables)), ArgumentError, "`variables` must be arrays"),
        (lambda: export(model, variables, (None, "3 t +")), ArgumentError, "`spec` must be"),
        (lambda: export(layers.Dense(2), ({}, {}), (None, 3)), BuildError, "must be built"),
        (lambda: export(jnp.sin, None), ArgumentError, "a function must have `specs`"),
        (lambda: export(3, None), ArgumentError, "`function` must be"),
    ):
        with pytest.raises(error, match=message):
            call()
