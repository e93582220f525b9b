"""Wrapper, EinsumDense, ReversibleEmbedding, JaxLayer, UpSampling, adaptive pooling and the configs of layers: what
their rows do not say."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import functional, initializers, keys, layers, lora, registry
from jkeras.core import Input, Layer, get_mask
from jkeras.dtypes import DTypePolicy, DTypePolicyMap
from jkeras.errors import ArgumentError, BuildError, ConfigError, SerializationError, ShapeError
from tests.descriptors.layers_core import center, center_init, double
from tests.oracle import asking_keras, assert_close, keras

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


def call(layer, x, *, training=False, **keywords):
    variables = layer.init(jax.random.key(0), x, **keywords)
    return layer.stateless_call(*variables, x, training=training, **keywords)[0]


# -- Wrapper


@registry.register_keras_serializable("catalogue")
class Scaled(layers.Wrapper):
    """A wrapper as Keras's users write it."""

    def __init__(self, layer, initial=2.0, **kwargs):
        super().__init__(layer, **kwargs)
        self.initial = initial

    def build(self, input_shape=None):
        super().build(input_shape)
        self.scale = self.add_weight((), initializers.Constant(self.initial), name="scale")

    def call(self, inputs):
        return self.scale.value * self.layer(inputs)


def test_a_wrapper_builds_its_layer_and_writes_it_into_its_config():
    layer = Scaled(layers.Dense(2, kernel_initializer="ones", name="inner"), initial=3.0)
    variables = layer.init(jax.random.key(0), (2, 4))
    assert list(variables.trainable) == ["scale", "inner"]
    assert_close(layer.stateless_call(*variables, X[0])[0], 3 * np.repeat(X[0].sum(-1, keepdims=True), 2, axis=1))
    again = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert (again.initial, again.layer.units, again.layer.built) == (3.0, 2, True)
    assert (
        [v.path for v in again.variables]
        == [v.path for v in layer.variables]
        == ["scale", "inner/kernel", "inner/bias"]
    )


def test_the_layer_in_a_wrapper_has_the_dtype_policy_of_its_path():
    policies = DTypePolicyMap(default_policy="float32")
    policies["scaled/inner"] = DTypePolicy("float16")

    class Model(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.scaled = Scaled(layers.Dense(2, name="inner", dtype=policies))

        def call(self, x):
            return self.scaled(x)

    assert Model().init(jax.random.key(0), X).trainable["scaled"]["inner"]["kernel"].dtype == "float16"


def test_a_wrapper_needs_a_layer():
    with pytest.raises(ArgumentError, match="must be given a layer"):
        Scaled("dense")


# -- EinsumDense


@pytest.mark.parametrize(
    "equation, output_shape, shape, outputs",
    [
        ("abc,cde->abde", (None, 2, 3), (2, 3, 4), (None, 3, 2, 3)),
        ("abde,dec->abc", (None, 3), (2, 2, 3, 4), (None, 2, 3)),
        ("...x,xy->...y", 3, (2, 5, 4), (None, 5, 3)),
        ("ab...,bc->ac...", 3, (2, 4, 5), (None, 3, 5)),
    ],
)
def test_kernels_and_their_first_values_are_those_of_keras(equation, output_shape, shape, outputs):
    config = {"seed": 1, "scale": 2.0, "mode": "fan_out", "distribution": "uniform"}
    ours = layers.EinsumDense(equation, output_shape, kernel_initializer=initializers.VarianceScaling(**config))
    kernel = ours.init(jax.random.key(0), shape).trainable["kernel"]
    with asking_keras():
        theirs = keras.layers.EinsumDense(
            equation, output_shape, kernel_initializer=keras.initializers.VarianceScaling(**config)
        )
        theirs.build(shape)
        assert_close(kernel, theirs.kernel.value)
    assert ours.compute_output_shape((None, *shape[1:])) == outputs


@pytest.mark.parametrize(
    "equation",
    ["ab,bc", "ab,bc,cd->ad", "ab,bd->ac", "ab,bc->acz", "aab,bc->ac", "...ab,bc->ac", "...a...,ab->...b...", 3],
)
def test_what_is_no_equation(equation):
    with pytest.raises(ArgumentError, match="EinsumDense"):
        layers.EinsumDense(equation, 4)


@pytest.mark.parametrize(
    "config, message",
    [
        ({"bias_axes": "z"}, "bias_axes"),
        ({"bias_axes": ""}, "bias_axes"),
        ({"output_shape": "4"}, "output_shape"),
        ({"output_shape": (0,)}, "output_shape"),
        ({"lora_rank": 0}, "lora_rank"),
        ({"lora_rank": 2, "kernel_constraint": "max_norm"}, "LoRA and a constraint"),
        ({"quantization_config": {"mode": "int8"}}, "quantized"),
        ({"gptq_unpacked_column_size": 4}, "quantized"),
    ],
)
def test_mistakes_of_einsum_dense(config, message):
    with pytest.raises(ArgumentError, match=message):
        layers.EinsumDense(**{"equation": "ab,bc->ac", "output_shape": 4, **config})


@pytest.mark.parametrize(
    "equation, output_shape, shape, message",
    [
        ("ab,bc->ac", 4, (2, 3, 4), "axes of the equation"),
        ("...ab,bc->...ac", (3, 4), (2,), "axes of the equation"),
        ("abc,cd->abd", 4, (2, 3, 4), "for each of the axes"),
        ("abc,cd->abd", (7, 4), (2, 3, 4), "along the axis 'b'"),
        ("abc,cd->abd", (None, None), (2, 3, 4), r"\['d'\] must be known"),
        ("abc,cd->abd", (None, 4), (2, 3, None), r"\['c'\] must be known"),
    ],
)
def test_shapes_that_do_not_fit_the_equation(equation, output_shape, shape, message):
    with pytest.raises(BuildError, match=message):
        layers.EinsumDense(equation, output_shape).build(shape)


def test_sizes_that_inputs_and_outputs_share_are_those_of_the_inputs():
    layer = layers.EinsumDense("...ab,abc->...ca", (5, None), bias_axes="c", bias_initializer="normal")
    variables = layer.init(jax.random.key(0), (2, 3, 4))
    kernel, bias = variables.trainable["kernel"], variables.trainable["bias"]
    assert (kernel.shape, bias.shape) == ((3, 4, 5), (5, 1))
    assert_close(layer.stateless_call(*variables, X)[0], np.einsum("zab,abc->zca", X, kernel) + np.asarray(bias))


def test_einsum_dense_checks_the_axes_that_the_kernel_has():
    layer = layers.EinsumDense("...ab,bc->...ac", (None, 3))
    variables = layer.init(jax.random.key(0), (2, 3, 4))
    assert layer.stateless_call(*variables, jnp.ones((5, 7, 4)))[0].shape == (5, 7, 3)
    with pytest.raises(ShapeError, match="size 4"):
        layer.stateless_call(*variables, jnp.ones((2, 3, 5)))


def test_adapting_einsum_dense_keeps_its_outputs_and_forms_no_product_of_the_pair():
    layer = layers.EinsumDense("abc,cde->abde", (None, 5, 7))
    variables = layer.init(jax.random.key(0), X)
    before, _ = layer.stateless_call(*variables, X)
    adapted = lora.enable(layer, 2, variables, jax.random.key(1))
    np.testing.assert_array_equal(layer.stateless_call(*adapted, X)[0], before)
    adapted.trainable["lora_kernel_b"] = jnp.ones((2, 7))

    def outputs(trainable):
        return layer.stateless_call(trainable, adapted.non_trainable, X)[0]

    gradients = jax.make_jaxpr(jax.grad(lambda t: outputs(t).sum()))(adapted.trainable)
    made = [v.aval.shape for equation in gradients.eqns for v in equation.outvars]
    assert (4, 5, 7) not in made, "something of the kernel's size is computed"
    expected = outputs(adapted.trainable)
    assert_close(layer.stateless_call(*lora.merge(layer, adapted), X)[0], expected)


# -- ReversibleEmbedding


class LanguageModel(Layer):
    """Indices in, scores of the next ones and their mask out."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = layers.ReversibleEmbedding(5, 3, mask_zero=True)

    def call(self, x):
        scores = self.table(self.table(x), reverse=True)
        return scores, get_mask(scores)


def test_a_table_is_read_both_ways_and_the_mask_goes_along():
    model, x = LanguageModel(), jnp.array([[3, 1, 0]])
    variables = model.init(jax.random.key(0), x)
    (scores, mask), _ = model.stateless_call(*variables, x)
    table = variables.trainable["table"]["embeddings"]
    assert_close(scores, table[x] @ table.T)
    assert mask.tolist() == [[True, True, False]]


def test_the_way_back_may_have_a_table_of_its_own():
    layer = layers.ReversibleEmbedding(5, 4, tie_weights=False)
    variables = layer.init(jax.random.key(0), X, reverse=True)
    scores, _ = layer.stateless_call(*variables, X, reverse=True)
    assert_close(scores, X @ variables.trainable["reverse_embeddings"])


def test_scores_have_the_reverse_dtype():
    x = X.astype("bfloat16")[..., :3]
    for config, dtype in (({}, "bfloat16"), ({"reverse_dtype": "float32"}, "float32")):
        layer = layers.ReversibleEmbedding(5, 3, dtype="mixed_bfloat16", **config)
        assert call(layer, x, reverse=True).dtype == dtype


def test_a_cap_of_scores_is_positive():
    with pytest.raises(ArgumentError, match="logit_soft_cap"):
        layers.ReversibleEmbedding(5, 3, logit_soft_cap=0.0)


# -- JaxLayer


def test_functions_compute_in_a_layer_what_they_compute_in_that_of_keras():
    x = X[0]
    ours = layers.JaxLayer(center, center_init)
    variables = ours.init(jax.random.key(0), x)
    params, state = variables.trainable["params"], variables.non_trainable["state"]
    state = {"mean": jnp.full(4, 0.5), "steps": state["steps"]}
    params = {"scale": params["scale"], "shifts": [params["shifts"]["0"]]}
    with asking_keras():
        theirs = keras.layers.JaxLayer(center, params=params, state=state)
        theirs.build(x.shape)
        trainable, frozen = (
            [v.value for v in side] for side in (theirs.trainable_variables, theirs.non_trainable_variables)
        )
    stream = variables.non_trainable["seed_generator"]
    for training in (True, False):
        outputs, new = ours.stateless_call(
            variables.trainable, {"state": state, "seed_generator": stream}, x, training=training
        )
        with asking_keras():
            values = [*frozen[:2], stream["seed_generator_state"]]
            expected, new_values = theirs.stateless_call(trainable, values, x, training=training)
        assert_close(outputs, expected)
        assert_close(new["state"]["mean"], new_values[0])
        assert int(new["state"]["steps"]) == int(new_values[1]) == training


def test_values_are_drawn_at_once_from_the_key_of_the_path():
    model = jkeras.Sequential([Input((4,)), layers.JaxLayer(center, center_init, name="center")])
    drawn = model.init(jax.random.key(0)).trainable["center"]["params"]
    expected, _ = center_init(keys.for_path(jax.random.key(0), "center"), jnp.ones((1, 4)))
    np.testing.assert_array_equal(drawn["scale"], expected["scale"])
    model.trainable = False
    frozen = model.init(jax.random.key(0)).non_trainable["center"]["params"]
    np.testing.assert_array_equal(frozen["scale"], expected["scale"])


def test_a_layer_is_a_pair_of_pure_functions_for_another():
    dense = layers.Dense(2)

    def init(rng, inputs):
        return dense.init(rng, inputs).trainable

    def apply(params, inputs):
        return dense.stateless_call(params, {}, inputs)[0]

    layer = layers.JaxLayer(apply, init, name="dense")
    variables = layer.init(jax.random.key(0), X[0])
    outputs, _ = layer.stateless_call(*variables, X[0])
    assert_close(outputs, X[0] @ variables.trainable["params"]["kernel"])


def test_halves_are_computed_and_floats_are_kept():
    layer = layers.JaxLayer(center, center_init, dtype="mixed_bfloat16")
    variables = layer.init(jax.random.key(0), X[0])
    outputs, state = layer.stateless_call(*variables, X[0], training=True)
    assert outputs.dtype == "bfloat16" and state["state"]["mean"].dtype == "float32"
    assert {leaf.dtype.name for leaf in jax.tree.leaves(variables.trainable)} == {"float32"}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"call_fn": lambda params, x: x}, "parameters"),
        ({"call_fn": lambda params, inputs, key: inputs}, "parameters"),
        ({"call_fn": "call"}, "call_fn"),
        ({"call_fn": lambda params, inputs: inputs}, "init_fn"),
        ({"call_fn": double, "init_fn": lambda key: {}}, "init_fn"),
        ({"call_fn": lambda params, inputs: inputs, "params": {"w": np.ones(2)}}, "holds no values"),
        ({"call_fn": double, "native_serialization_platforms": ["cpu"]}, "TensorFlow"),
    ],
)
def test_functions_that_make_no_layer(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        layers.JaxLayer(**arguments)


def test_a_state_keeps_its_structure():
    layer = layers.JaxLayer(lambda state, inputs: (inputs, {}), lambda inputs: ({}, {"mean": jnp.zeros(())}))
    with pytest.raises(ShapeError, match="structure of the old one"):
        layer.init(jax.random.key(0), X)


def test_functions_without_names_have_no_config():
    with pytest.raises(SerializationError, match="lambda"):
        layers.JaxLayer(lambda inputs: inputs).get_config()


# -- UpSampling and adaptive pooling


@pytest.mark.parametrize("interpolation", ["nearest", "bicubic"])
def test_sizes_that_are_not_known_stay_unknown(interpolation):
    layer = layers.UpSampling2D(2, interpolation=interpolation)
    assert layer(Input((None, 5, 3))).shape == (None, None, 10, 3)
    assert layers.AdaptiveMaxPooling2D((2, 3))(Input((None, 5, 3))).shape == (None, 2, 3, 3)


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("UpSampling1D", {"size": 2.0}),
        ("UpSampling2D", {"size": (2, 0)}),
        ("UpSampling2D", {"interpolation": "area"}),
        ("UpSampling3D", {"size": (2, 2)}),
        ("AdaptiveAveragePooling1D", {"output_size": 0}),
        ("AdaptiveMaxPooling2D", {"output_size": (1, 2, 3)}),
        ("AdaptiveMaxPooling3D", {"output_size": "all"}),
    ],
)
def test_mistakes_of_windows(name, arguments):
    with pytest.raises(ArgumentError, match=name):
        getattr(layers, name)(**arguments)


def test_windows_begin_and_end_where_they_are_said_to():
    x, sizes = np.random.default_rng(0).integers(-99, 99, (1, 4, 7, 2, 1)), (2, 5, 3)  # pieces, overlaps, repetitions
    windows = np.ndindex(*sizes)
    cut = [
        x[(0, *(slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(window, x.shape[1:4], sizes, strict=True)))]
        for window in windows
    ]
    means, maxima = (
        np.asarray(pool(jnp.asarray(x, "int32"), sizes)).ravel()
        for pool in (functional.adaptive_average_pool, functional.adaptive_max_pool)
    )
    assert_close(means, [window.mean() for window in cut], ulps=4)
    np.testing.assert_array_equal(maxima, [window.max() for window in cut])


def test_what_is_not_finite_stays_in_its_windows():
    x = jnp.array([jnp.nan, 1.0, 2.0, 3.0, jnp.inf]).reshape(1, 5, 1)
    means = functional.adaptive_average_pool(x, 3).ravel()
    assert np.isnan(means[0]) and means[1] == 2 and np.isposinf(means[2])


# -- configs


def test_layers_are_written_and_read_as_keras_does():
    for layer in (layers.Dense(3), layers.UpSampling2D(3), layers.SpectralNormalization(layers.Dense(2))):
        written = json.loads(json.dumps(layers.serialize(layer)))
        with asking_keras():
            again = keras.layers.serialize(keras.layers.deserialize(written))
        assert layers.deserialize(again).get_config().keys() == layer.get_config().keys()
    functions = {"double": double}
    written = layers.serialize(layers.Lambda(double))
    assert layers.deserialize(written, custom_objects=functions).function is double


def test_a_config_of_something_else_is_refused():
    with pytest.raises(ConfigError, match="`config` must be the config of a layer"):
        layers.deserialize(registry.serialize(initializers.Zeros()))
    with pytest.raises(ConfigError, match="`config` must be the config of a layer"):
        layers.deserialize("Dense")
