"""Preprocessing layers beyond their rows: what `adapt` finds, dicts of images, masks, and arguments that do not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, registry
from jkeras.errors import ArgumentError, BuildError, DataError, ShapeError
from tests.oracle import EPS32, asking_keras, assert_close, keras

DATA = np.random.default_rng(0).normal(3.0, 2.0, (60, 4, 3)).astype("float32")


class Batches(jkeras.data.PyDataset):
    """Batches with labels, as loaders yield them."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return DATA[index * 20 : (index + 1) * 20], np.zeros(20)


def run(layer, x):
    return layer.stateless_call(*layer.init(jax.random.key(0), x), x)[0]


# -- Normalization


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), (-1, 1), None, 0])
def test_normalization_adapts_to_an_array_as_keras_does(axis):
    layer = layers.Normalization(axis=axis)
    values = layer.adapt(DATA)
    with asking_keras():
        theirs = keras.layers.Normalization(axis=axis)
        theirs.adapt(DATA)
        expected = np.asarray(theirs(DATA))
    # Keras sums in float32, 60 * 12 numbers
    assert_close(values.non_trainable["mean"], theirs.adapt_mean, ulps=32)
    assert_close(values.non_trainable["variance"], theirs.adapt_variance, ulps=32)
    assert_close(layer.stateless_call(*values, DATA)[0], expected, ulps=64)


@pytest.mark.parametrize(
    "stream",
    [
        lambda: [DATA[:7], DATA[7:8], DATA[8:]],
        lambda: (DATA[start : start + 13] for start in range(0, 60, 13)),
        lambda: ((batch, None) for batch in np.split(DATA, 4)),
        Batches,
        lambda: jnp.asarray(DATA),
        lambda: [np.zeros((0, 4, 3)), DATA],
    ],
    ids=["list", "generator", "pairs", "PyDataset", "JAX", "an empty batch"],
)
def test_normalization_adapts_to_streams_exactly(stream):
    values = layers.Normalization().adapt(stream()).non_trainable
    exact = DATA.astype("float64")
    # float64 until the end: rounded to float32 once
    np.testing.assert_allclose(values["mean"], exact.mean((0, 1)), rtol=EPS32)
    np.testing.assert_allclose(values["variance"], exact.var((0, 1)), rtol=EPS32)
    assert values["count"] == 240 and values["count"].dtype == "int32"


def test_statistics_far_from_zero_lose_nothing():
    data = np.float64(1e8) + np.arange(10)[:, None]
    values = layers.Normalization().adapt([data[:3], data[3:]]).non_trainable
    np.testing.assert_allclose(values["variance"], [8.25], rtol=EPS32)


def test_adapted_values_take_their_place_in_a_model():
    normalization = layers.Normalization()
    model = jkeras.Sequential([jkeras.Input((4, 3)), normalization, layers.Flatten(), layers.Dense(2)])
    variables = model.init(jax.random.key(0))
    adapted = normalization.adapt(DATA)
    assert jax.tree.structure(adapted.non_trainable) == jax.tree.structure(variables.non_trainable["normalization"])
    variables.non_trainable["normalization"] = adapted.non_trainable
    inner = jkeras.Model(model.input, normalization.output)
    outputs, _ = inner.stateless_call({}, variables.non_trainable, DATA)
    # 720 normalized numbers: their mean and variance are 0 and 1 up to float32 sums
    np.testing.assert_allclose(outputs.mean((0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(outputs.var((0, 1)), 1, atol=1e-5)
    assert model.stateless_call(*variables, DATA)[0].shape == (60, 2)


def test_normalization_there_and_back():
    there, back = layers.Normalization(), layers.Normalization(invert=True)
    normalized = there.stateless_call(*there.adapt(DATA), DATA)[0]
    # magnitudes up to 10, a rounding each way
    assert_close(back.stateless_call(*back.adapt(DATA), normalized)[0], DATA, ulps=4)


def test_normalization_of_a_constant_feature_is_finite():
    layer = layers.Normalization()
    data = np.ones((4, 2), "float32")
    assert layer.stateless_call(*layer.adapt(data), data)[0].tolist() == [[0, 0]] * 4


@pytest.mark.parametrize("policy", ["bfloat16", "mixed_float16"])
def test_raw_data_need_not_fit_half_precision(policy):
    years = np.array([[1990.0], [1991.0], [1992.0], [1e6]], "float32")
    layer = layers.Normalization(mean=[1991.0], variance=[0.25], dtype=policy)
    assert run(layer, years[:3]).tolist() == [[-2], [0], [2]]
    adapting = layers.Normalization(dtype=policy)
    outputs = adapting.stateless_call(*adapting.adapt(years), years)[0]
    expected = (years - years.mean()) / years.std()
    assert outputs.dtype == layer.compute_dtype
    # half precision rounds the results alone, to eight bits
    np.testing.assert_allclose(np.asarray(outputs, "float32"), expected, rtol=2**-8)


def test_normalization_refuses():
    with pytest.raises(ArgumentError, match="given together"):
        layers.Normalization(mean=1.0)
    with pytest.raises(ArgumentError, match="equal shapes"):
        layers.Normalization(mean=[1.0], variance=1.0)
    with pytest.raises(ArgumentError, match="equal shapes"):
        layers.Normalization(axis=None, mean=[1.0], variance=[1.0])
    with pytest.raises(ArgumentError, match="`axis` must be"):
        layers.Normalization(axis=(1, 1))
    with pytest.raises(ArgumentError, match="`adapt` cannot find"):
        layers.Normalization(mean=0.0, variance=1.0).adapt(DATA)
    with pytest.raises(BuildError, match="must broadcast"):
        run(layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0]), DATA)
    with pytest.raises(BuildError, match="size of a normalized axis"):
        layers.Normalization(axis=1).build((None, None, 3))
    with pytest.raises(DataError, match="at least one batch"):
        layers.Normalization().adapt([])
    with pytest.raises(DataError, match="at least one value"):
        layers.Normalization().adapt(np.zeros((0, 3)))
    with pytest.raises(DataError, match="array or an iterable"):
        layers.Normalization().adapt(3)
    with pytest.raises(ShapeError, match="axis"):
        layers.Normalization().adapt([np.ones((2, 3)), np.ones((2, 4))])


# -- Discretization


@pytest.mark.parametrize(("bins", "epsilon", "cuts"), [(4, 0.01, []), (5, 0.1, [100, 350]), (7, 0.03, [1])])
def test_discretization_finds_the_boundaries_that_keras_finds(bins, epsilon, cuts):
    batches = np.split(np.random.default_rng(1).normal(size=(720, 2)), cuts)
    layer = layers.Discretization(num_bins=bins, epsilon=epsilon)
    adapted = layer.adapt(batches if cuts else batches[0])
    with asking_keras():
        theirs = keras.layers.Discretization(num_bins=bins, epsilon=epsilon)
        for batch in batches:  # its `adapt` asks for TensorFlow first
            theirs.update_state(batch)
        theirs.finalize_state()
    assert adapted.bin_boundaries == theirs.bin_boundaries
    assert layer.bin_boundaries is None, "the layer itself has changed"
    counts = np.bincount(np.asarray(run(adapted, np.concatenate(batches))).ravel(), minlength=bins)
    assert counts.size == bins
    # a rank is off by epsilon, and each bin has two edges
    assert (abs(counts / 1440 - 1 / bins) < 2 * epsilon + 2 / 1440).all()


def test_an_adapted_discretization_is_its_config():
    layer = layers.Discretization(num_bins=3, output_mode="one_hot").adapt(np.arange(9.0))
    again = registry.deserialize(registry.serialize(layer))
    assert again.bin_boundaries == layer.bin_boundaries and again.num_bins == 3
    with asking_keras():
        theirs = keras.layers.deserialize(registry.serialize(layer))
        assert theirs.bin_boundaries == layer.bin_boundaries


def test_bins_have_their_lower_edge():
    layer = layers.Discretization([0.0, 1.0])
    assert run(layer, jnp.array([-1.0, 0.0, 0.5, 1.0, 7.0])).tolist() == [0, 1, 1, 2, 2]
    assert run(layer, jnp.array([0, 1])).tolist() == [1, 2]
    assert run(layer, jnp.array([jnp.nan])).tolist() == [2]


def test_discretization_refuses():
    with pytest.raises(ArgumentError, match="one of"):
        layers.Discretization()
    with pytest.raises(ArgumentError, match="one of"):
        layers.Discretization([0.0], num_bins=2)
    with pytest.raises(ArgumentError, match="ascend"):
        layers.Discretization([1.0, 0.0])
    with pytest.raises(ArgumentError, match="output_mode"):
        layers.Discretization([1.0], output_mode="tf_idf")
    with pytest.raises(ArgumentError, match="`adapt` cannot find"):
        layers.Discretization([1.0]).adapt(DATA)
    with pytest.raises(BuildError, match="must have boundaries"):
        run(layers.Discretization(num_bins=2), DATA)
    with pytest.raises(DataError, match="at least one value"):
        layers.Discretization(num_bins=2).adapt(np.zeros(0))
    with pytest.raises(ArgumentError, match="sparse"):
        layers.Discretization([1.0], sparse=True)


# -- CategoryEncoding


def test_what_is_no_category_adds_nothing():
    inputs = jnp.array([[0, 3, -1]])
    assert run(layers.CategoryEncoding(2), inputs).tolist() == [[1, 0]]
    assert run(layers.CategoryEncoding(2, output_mode="one_hot"), inputs).tolist() == [[[1, 0], [0, 0], [0, 0]]]


def test_half_precision_does_not_confuse_categories():
    layer = layers.CategoryEncoding(4096, output_mode="one_hot", dtype="bfloat16")
    assert run(layer, jnp.array([2049.0])).argmax().item() == 2049


def test_category_encoding_refuses():
    with pytest.raises(ArgumentError, match="positive int"):
        layers.CategoryEncoding()
    with pytest.raises(ArgumentError, match="output_mode"):
        layers.CategoryEncoding(2, output_mode="int")
    with pytest.raises(ArgumentError, match="`count_weights` needs"):
        layer = layers.CategoryEncoding(2)
        layer.init(jax.random.key(0), jnp.zeros(2, "int32"), count_weights=jnp.ones(2))


# -- images


@pytest.mark.parametrize("layer", [layers.Resizing(2, 2), layers.CenterCrop(2, 2), layers.CenterCrop(6, 6)])
def test_masks_and_labels_go_with_their_images(layer):
    generator = np.random.default_rng(2)
    data = {
        "images": jnp.asarray(generator.uniform(size=(2, 4, 4, 3)), "float32"),
        "segmentation_masks": jnp.asarray(generator.integers(0, 2, (2, 4, 4, 1)) * 7, "uint8"),
        "labels": jnp.arange(2),
    }
    outputs = run(layer, data)
    size = (layer.height, layer.width)
    assert outputs["images"].shape == (2, *size, 3) and outputs["images"].dtype == "float32"
    assert outputs["segmentation_masks"].shape == (2, *size, 1) and outputs["segmentation_masks"].dtype == "uint8"
    assert set(np.unique(outputs["segmentation_masks"])) == {0, 7}
    assert outputs["labels"].tolist() == [0, 1]
    assert_close(outputs["images"], run(layer, data["images"]), ulps=0)


def test_image_layers_refuse():
    with pytest.raises(ArgumentError, match="positive int"):
        layers.Resizing(0, 2)
    with pytest.raises(ArgumentError, match="interpolation"):
        layers.Resizing(2, 2, interpolation="cubic")
    with pytest.raises(ArgumentError, match="cannot both be True"):
        layers.Resizing(2, 2, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True)
    with pytest.raises(ShapeError):
        run(layers.CenterCrop(2, 2), jnp.ones((4, 4)))
    with pytest.raises(ArgumentError, match="labels and masks"):
        run(layers.Resizing(2, 2), {"images": jnp.ones((4, 4, 1)), "boxes": jnp.ones((1, 4))})


# -- Pipeline


def test_a_pipeline_passes_masks_on():
    layer = layers.Pipeline(
        [layers.Embedding(5, 2, mask_zero=True), layers.Dropout(0.5), layers.GlobalAveragePooling1D()]
    )
    tokens = jnp.array([[1, 2, 0, 0]])
    variables = layer.init(jax.random.key(0), tokens)
    table = variables.trainable["layers"]["0"]["embeddings"]
    # a mean of two
    assert_close(layer.stateless_call(*variables, tokens)[0], table[jnp.array([[1, 2]])].mean(1), ulps=4)


def test_a_pipeline_may_begin_with_texts():
    layer = layers.Pipeline([layers.TextVectorization(vocabulary=["a", "b"]), layers.Rescaling(0.5)])
    for texts in (["a b", "b"], np.array(["a b", "b"])):
        assert layer.stateless_call({}, {}, texts)[0].tolist() == [[1, 1.5], [1.5, 0]]


def test_pipelines_refuse():
    with pytest.raises(ArgumentError, match="`layers` must be a list"):
        layers.Pipeline([])
    with pytest.raises(ArgumentError, match="every entry of `layers`"):
        layers.Pipeline([layers.Rescaling(1.0), jnp.tanh])


# -- spectrograms


def test_the_transform_is_that_of_numpy():
    signal = np.random.default_rng(3).normal(size=(2, 64, 1)).astype("float32")
    layer = layers.STFTSpectrogram("magnitude", frame_length=16, frame_step=16, window=None, scaling=None)
    frames = signal[:, :, 0].reshape(2, 4, 16)
    # sums of 16 products
    assert_close(run(layer, signal), abs(np.fft.rfft(frames)), ulps=32)


def test_a_tone_is_loud_in_its_band():
    layer = layers.MelSpectrogram(
        fft_length=256, sequence_stride=128, num_mel_bins=16, sampling_rate=8000, window="hann"
    )
    time = np.arange(1024) / 8000
    loudest = [int(run(layer, np.sin(2 * np.pi * hertz * time)).mean(1).argmax()) for hertz in (300, 1000, 3000)]
    edges = np.linspace(*(1127 * np.log1p(np.array([20, 4000]) / 700)), 18)
    centers = 700 * np.expm1(edges[1:-1] / 1127)
    assert loudest == [abs(centers - hertz).argmin() for hertz in (300, 1000, 3000)]


def test_spectrograms_refuse():
    for arguments in (
        {"mode": "power"},
        {"frame_length": 4, "frame_step": 5},
        {"frame_step": 0},
        {"frame_length": 8, "fft_length": 4},
        {"fft_length": 0},
        {"window": "round"},
        {"scaling": "loud"},
        {"padding": "causal"},
    ):
        with pytest.raises(ArgumentError):
            layers.STFTSpectrogram(**arguments)
    for arguments in (
        {"fft_length": 8, "sequence_length": 9},
        {"window": "boxcar"},
        {"num_mel_bins": 0},
        {"min_freq": 9000.0},
    ):
        with pytest.raises(ArgumentError):
            layers.MelSpectrogram(**arguments)
