"""Convolution, pooling and reshaping layers: what the rows of the contract cannot say. Mistakes, unknown dimensions,
masks, aliases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import functional, layers, registry
from jkeras.core import InputSpec, Layer
from jkeras.dtypes import DTypePolicy, DTypePolicyMap
from jkeras.errors import ArgumentError, BuildError, ShapeError


class Encoder(Layer):
    """A layer with one sublayer, at the address `stage`."""

    def __init__(self, stage, **kwargs):
        super().__init__(**kwargs)
        self.stage = stage

    def call(self, inputs):
        return self.stage(inputs)


def spec(*shape):
    return layers.Input(batch_shape=shape)


# -- mistakes

CONSTRUCTORS = {
    "no filters": (lambda: layers.Conv2D(0, 3), r"Conv2D: `filters` must be a positive int"),
    "a kernel of size zero": (lambda: layers.Conv2D(2, (2, 0)), r"Conv2D: `kernel_size` must be an integer"),
    "a kernel of three sides": (lambda: layers.Conv2D(2, (2, 2, 2)), r"kernel_size=\(2, 2, 2\)"),
    "strides of zero": (lambda: layers.Conv1D(2, 3, strides=0), r"Conv1D: `strides` must be an integer"),
    "no groups": (lambda: layers.Conv1D(2, 3, groups=0), "`groups` must be a positive int"),
    "groups that do not divide": (lambda: layers.Conv3D(5, 3, groups=2), "must be a multiple of `groups`"),
    "strides and dilation": (lambda: layers.Conv2D(2, 3, strides=2, dilation_rate=(1, 2)), "cannot both be above 1"),
    "causal images": (lambda: layers.Conv2D(2, 3, padding="causal"), "`padding` must be"),
    "an unknown layout": (lambda: layers.Conv2D(2, 3, data_format="NHWC"), "`data_format` must be"),
    "no multiplier": (lambda: layers.DepthwiseConv1D(3, depth_multiplier=0), "`depth_multiplier` must be a positive"),
    "causal channels": (lambda: layers.SeparableConv1D(2, 3, padding="causal"), "`padding` must be"),
    "an output padded too far": (
        lambda: layers.Conv2DTranspose(2, 3, strides=2, output_padding=2),
        "`output_padding` must be",
    ),
    "low rank": (lambda: layers.Conv2D(2, 3, lora_rank=2), "lora_rank=None"),
    "no pool": (lambda: layers.MaxPooling2D(0), "MaxPooling2D: `pool_size` must be an integer"),
    "strides of a pool": (lambda: layers.AveragePooling1D(2, strides=0), "AveragePooling1D: `strides` must be"),
    "causal pooling": (lambda: layers.MaxPooling1D(2, padding="causal"), "`padding` must be"),
    "two free dimensions": (lambda: layers.Reshape((-1, -1)), "at most one of them -1"),
    "a shape that is none": (lambda: layers.Reshape((2, -3)), "`target_shape` must be"),
    "the batch axis permuted": (lambda: layers.Permute((0, 1)), "`dims` must be a permutation"),
    "an axis twice": (lambda: layers.Permute((1, 1)), "`dims` must be a permutation"),
    "negative padding": (lambda: layers.ZeroPadding2D(-1), "ZeroPadding2D: `padding` must be"),
    "three ends": (lambda: layers.ZeroPadding1D((1, 2, 3)), "padding"),
    "negative cropping": (lambda: layers.Cropping3D(-1), "Cropping3D: `cropping` must be an integer"),
    "no repetition": (lambda: layers.RepeatVector(0), "`n` must be a positive int"),
}


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_constructors_refuse(name):
    make, message = CONSTRUCTORS[name]
    with pytest.raises(ArgumentError, match=message):
        make()


CALLS = {
    "an image without channels": (lambda: layers.Conv2D(2, 3), (None, 8, 8), ShapeError, "ndim=4|rank 4"),
    "a video": (lambda: layers.Conv2D(2, 3), (None, 4, 8, 8, 3), ShapeError, "ndim=4|rank 4"),
    "unknown channels": (
        lambda: layers.Conv2D(2, 3),
        (None, 8, 8, None),
        BuildError,
        "number of channels must be known",
    ),
    "channels that do not divide": (
        lambda: layers.Conv2D(4, 3, groups=2),
        (None, 8, 8, 3),
        ShapeError,
        "multiple of 2",
    ),
    "an image smaller than the kernel": (
        lambda: layers.Conv2D(2, 3),
        (None, 2, 8, 1),
        ShapeError,
        r"at least \(3, 3\)",
    ),
    "a dilated kernel that is too large": (
        lambda: layers.Conv1D(2, 3, dilation_rate=2),
        (None, 4, 1),
        ShapeError,
        r"at least \(5,\)",
    ),
    "an image smaller than the pool": (lambda: layers.MaxPooling2D(3), (None, 2, 8, 1), ShapeError, 'padding="same"'),
    "a pool of another rank": (lambda: layers.AveragePooling2D(2), (None, 8, 1), ShapeError, "ndim=4|rank 4"),
    "an image without an axis": (lambda: layers.GlobalMaxPooling2D(), (None, 8, 1), ShapeError, "ndim=4|rank 4"),
    "too few elements": (lambda: layers.Reshape((4, 4)), (None, 15), ShapeError, "16 elements"),
    "elements left over": (lambda: layers.Reshape((4, -1)), (None, 15), ShapeError, "a multiple of 4 elements"),
    "more axes than permuted": (lambda: layers.Permute((2, 1)), (None, 2, 3, 4), ShapeError, "ndim=3|rank 3"),
    "an image smaller than the depthwise kernel": (
        lambda: layers.SeparableConv2D(2, 3),
        (None, 2, 8, 1),
        ShapeError,
        r"at least \(3, 3\)",
    ),
    "a transposed image without channels": (
        lambda: layers.Conv2DTranspose(2, 3),
        (None, 8, 8),
        ShapeError,
        "ndim=4|rank 4",
    ),
    "nothing left": (lambda: layers.Cropping2D(2), (None, 4, 8, 1), ShapeError, "`cropping` must leave"),
}


@pytest.mark.parametrize("name", CALLS)
def test_wrong_inputs_are_explained_at_the_address_of_the_layer(name):
    make, shape, error, message = CALLS[name]
    with pytest.raises(error, match=message) as caught:
        Encoder(make())(spec(*shape))
    assert str(caught.value).startswith("stage: ")


def test_other_channels_than_the_kernel_are_refused_after_building():
    encoder = Encoder(layers.Conv2D(2, 3))
    variables = encoder.init(jax.random.key(0), (1, 8, 8, 3))
    with pytest.raises(ShapeError, match="stage: ") as caught:
        encoder.stateless_call(*variables, jnp.ones((1, 8, 8, 4)))
    assert "3" in caught.value.expected and "(1, 8, 8, 4)" in caught.value.received


def test_a_smaller_image_than_the_kernel_is_refused_after_building():
    encoder = Encoder(layers.Conv2D(2, 3))
    variables = encoder.init(jax.random.key(0), (1, 8, 8, 3))
    with pytest.raises(ShapeError, match="stage: the input must be at least as large as one window"):
        encoder.stateless_call(*variables, jnp.ones((1, 2, 8, 3)))


# -- unknown dimensions

UNKNOWN = {
    "conv": (lambda: layers.Conv2D(5, 3), (None, None, None, 3), (None, None, None, 5)),
    "one known side": (lambda: layers.Conv2D(5, 3, strides=2), (None, 9, None, 3), (None, 4, None, 5)),
    "causal": (lambda: layers.Conv1D(5, 3, padding="causal"), (None, None, 3), (None, None, 5)),
    "a known batch": (lambda: layers.Conv1D(5, 3, padding="same"), (4, None, 3), (4, None, 5)),
    "separable": (lambda: layers.SeparableConv2D(5, 3), (None, None, 9, 3), (None, None, 7, 5)),
    "transposed": (lambda: layers.Conv2DTranspose(5, 3, strides=2), (None, None, 4, 3), (None, None, 9, 5)),
    "transposed, same": (lambda: layers.Conv1DTranspose(5, 3, 2, "same"), (None, None, 3), (None, None, 5)),
    "pool": (lambda: layers.MaxPooling2D(2), (None, None, 7, 3), (None, None, 3, 3)),
    "pool, same": (lambda: layers.AveragePooling1D(2, padding="same"), (None, None, 3), (None, None, 3)),
    "global": (lambda: layers.GlobalAveragePooling2D(), (None, None, None, 3), (None, 3)),
    "flatten": (lambda: layers.Flatten(), (None, None, 3), (None, None)),
    "flatten, two unknown": (lambda: layers.Flatten("channels_first"), (None, 3, None, None), (None, None)),
    "reshape": (lambda: layers.Reshape((4, 3)), (None, None), (None, 4, 3)),
    "reshape, free": (lambda: layers.Reshape((-1, 3)), (None, None), (None, None, 3)),
    "permute": (lambda: layers.Permute((2, 1)), (None, None, 3), (None, 3, None)),
    "pad": (lambda: layers.ZeroPadding2D(1), (None, None, 5, 3), (None, None, 7, 3)),
    "crop": (lambda: layers.Cropping2D(1), (None, None, 5, 3), (None, None, 3, 3)),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_dimensions_stay_unknown_and_known_ones_known(name):
    make, shape, expected = UNKNOWN[name]
    assert make()(spec(*shape)).shape == expected
    assert make().compute_output_shape(shape) == expected


@pytest.mark.parametrize("size", [6, 12])
def test_a_reshape_of_unknown_dimensions_is_checked_when_they_are_known(size):
    layer = layers.Reshape((4, 3))
    layer(spec(None, None))
    if size == 12:
        assert layer.stateless_call({}, {}, jnp.ones((2, size)))[0].shape == (2, 4, 3)
    else:
        with pytest.raises(ShapeError, match="12 elements"):
            layer.stateless_call({}, {}, jnp.ones((2, size)))


# -- masks


class MaskedMean(Layer):
    """The mean over the steps that are not zero."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.masking, self.pooling = layers.Masking(), layers.GlobalAveragePooling1D()

    def call(self, inputs):
        return self.pooling(self.masking(inputs))


def test_the_mask_of_the_input_reaches_the_mean_and_ends_there():
    layer, inputs = MaskedMean(), jnp.array([[[2.0], [4.0], [0.0]]])
    outputs, _, scope, _ = layer.run(*layer.init(jax.random.key(0), inputs), (inputs,), {}, training=False)
    assert outputs.tolist() == [[3.0]]
    assert scope.mask_of(outputs) is None


def test_other_pooling_says_that_a_mask_ends():
    class Pooled(Layer):
        def __init__(self):
            super().__init__()
            self.masking, self.pooling = layers.Masking(), layers.MaxPooling1D(2)

        def call(self, inputs):
            return self.pooling(self.masking(inputs))

    with pytest.warns(UserWarning, match="'pooling' .* does not support masking"):
        Pooled().init(jax.random.key(0), (1, 4, 2))


# -- names, configs, values

ALIASES = {
    **{f"Convolution{n}D": f"Conv{n}D" for n in (1, 2, 3)},
    **{f"Convolution{n}DTranspose": f"Conv{n}DTranspose" for n in (1, 2, 3)},
    **{f"SeparableConvolution{n}D": f"SeparableConv{n}D" for n in (1, 2)},
    **{f"MaxPool{n}D": f"MaxPooling{n}D" for n in (1, 2, 3)},
    **{f"AvgPool{n}D": f"AveragePooling{n}D" for n in (1, 2, 3)},
    **{f"GlobalMaxPool{n}D": f"GlobalMaxPooling{n}D" for n in (1, 2, 3)},
    **{f"GlobalAvgPool{n}D": f"GlobalAveragePooling{n}D" for n in (1, 2, 3)},
}


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases_are_the_same_class(alias):
    assert getattr(layers, alias) is getattr(layers, ALIASES[alias])
    assert alias in layers.__all__


def test_arguments_are_kept_in_one_form():
    layer = layers.Conv2D(4, 3, strides=2, padding="SAME")
    assert (layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding) == ((3, 3), (2, 2), (1, 1), "same")
    assert layers.MaxPooling2D(3).strides == (3, 3)
    assert layers.ZeroPadding1D(2).padding == (2, 2)
    assert layers.ZeroPadding2D((1, 2)).padding == ((1, 1), (2, 2))
    assert layers.Cropping2D(((1, 0), 2)).cropping == ((1, 0), (2, 2))
    assert layers.Reshape([4, -1]).target_shape == (4, -1)


def test_configs_of_keras_may_mention_low_rank_adaptation_that_is_off():
    config = registry.serialize(layers.Conv2D(4, 3))
    config["config"].update(lora_rank=None, lora_alpha=None)
    assert registry.deserialize(config).filters == 4


def test_a_bias_is_added_along_the_channels():
    layer = layers.Conv2D(3, 1, kernel_initializer="zeros", data_format="channels_first")
    variables = layer.init(jax.random.key(0), (1, 2, 4, 4))
    variables = layer.set_weights(variables, [np.zeros((1, 1, 2, 3)), np.arange(3.0)])
    outputs, _ = layer.stateless_call(*variables, jnp.ones((1, 2, 4, 4)))
    np.testing.assert_array_equal(outputs, np.broadcast_to(np.arange(3.0)[:, None, None], (1, 3, 4, 4)))


@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_transposed_convolution_is_the_transposed_map(strides, padding):
    """`<conv(x), y> = <x, conv_transpose(y)>` for one kernel, on inputs as long as the transposed map makes them."""
    generator = np.random.default_rng(0)
    y = jnp.asarray(generator.normal(size=(1, 4, 2)), "float32")
    kernel = jnp.asarray(generator.normal(size=(3, 3, 2)), "float32")
    back = functional.conv_transpose(y, kernel, strides=strides, padding=padding)
    x = jnp.asarray(generator.normal(size=back.shape), "float32")
    forth = functional.conv(x, kernel, strides=strides, padding=padding)
    np.testing.assert_allclose(jnp.vdot(forth, y), jnp.vdot(x, back), rtol=0, atol=1e-5 * 72)  # 72 products of order 1


def test_weights_of_a_dense_layer_do_not_depend_on_the_layout_of_images():
    image = jnp.arange(24.0).reshape(1, 2, 3, 4)
    last, _ = layers.Flatten("channels_last").stateless_call({}, {}, image)
    first, _ = layers.Flatten("channels_first").stateless_call({}, {}, jnp.moveaxis(image, -1, 1))
    np.testing.assert_array_equal(last, first)


def test_a_map_of_policies_holds_from_the_first_call_on():
    policies = DTypePolicyMap("float32", {"stage": DTypePolicy("bfloat16")})
    for stage in (layers.MaxPooling1D(2, dtype=policies), layers.Conv1D(3, 2, dtype=policies)):
        encoder = Encoder(stage)
        assert encoder(spec(None, 4, 2)).dtype == "bfloat16"
        variables = encoder.init(jax.random.key(0))
        assert encoder.stateless_call(*variables, jnp.ones((1, 4, 2)))[0].dtype == "bfloat16"


def test_specs_name_the_channels_after_building():
    layer = layers.Conv2D(4, 3, data_format="channels_first")
    layer.build((None, 3, 8, 8))
    assert layer.input_spec.get_config() == InputSpec(ndim=4, axes={1: 3}).get_config()
