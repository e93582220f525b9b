"""Image augmentation: the same parameters given to Keras and to us, what is drawn, and what comes in dicts.

Parity of whole calls, streams included, is in the rows; here are the layers that draw otherwise than Keras.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.errors import ArgumentError, ShapeError
from jkeras.layers.augmentation.base import successors
from tests.oracle import asking_keras, assert_close, keras

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.uniform(0, 255, (4, 6, 7, 3)).astype("float32")
MASKS = GENERATOR.integers(0, 5, (4, 6, 7, 1)).astype("int32")
LABELS = np.eye(4, dtype="float32")

# one of each random layer; the keywords are those that have no default
MADE = {
    "RandomBrightness": {"factor": 0.4},
    "RandomContrast": {"factor": 0.4},
    "RandomSaturation": {"factor": 0.4},
    "RandomHue": {"factor": 0.4},
    "RandomGrayscale": {},
    "RandomColorDegeneration": {"factor": 0.4},
    "RandomColorJitter": {"brightness_factor": 0.2, "hue_factor": 0.3},
    "RandomInvert": {},
    "RandomPosterization": {"factor": 6},
    "Solarization": {"addition_factor": 0.3, "threshold_factor": 0.5},
    "RandomSharpness": {"factor": 0.4},
    "RandomGaussianBlur": {},
    "RandomErasing": {},
    "MixUp": {},
    "CutMix": {},
    "RandomFlip": {},
    "RandomCrop": {"height": 3, "width": 4},
    "RandomRotation": {"factor": 0.3},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.2},
    "RandomShear": {"x_factor": 0.3},
    "RandomZoom": {"height_factor": 0.3},
    "RandomPerspective": {},
    "RandomElasticTransform": {},
    "RandAugment": {},
    "AugMix": {},
}
GEOMETRIC = [*list(MADE)[15:23], "RandAugment"]


def made(name, **config):
    return getattr(layers, name)(**{**MADE.get(name, {}), **config})


# -- what is drawn


@pytest.mark.parametrize("name", [name for name in MADE if name not in ("RandAugment", "AugMix")])
def test_each_example_has_its_own_parameters(name):
    drawn = made(name).get_random_transformation(IMAGES, seed=2)
    constant = {"start_points"}  # the corners before they move
    for leaf in (
        np.asarray(leaf) for key, leaf in drawn.items() if key not in constant and isinstance(leaf, jax.Array)
    ):
        rows = leaf.reshape(leaf.shape[0], -1)
        assert len(np.unique(rows, axis=0)) > 1 or leaf.shape[0] == 1


@pytest.mark.parametrize(
    ("layer", "leaf", "low", "high"),
    [
        (layers.RandomBrightness(0.4), "rgb_delta", -102, 102),
        (layers.RandomContrast(0.4), "contrast_factor", 0.6, 1.4),
        (layers.RandomContrast((0.1, 0.4)), "contrast_factor", 0.9, 1.4),
        (layers.RandomColorDegeneration(0.4), "factor", 0, 0.4),
        (layers.RandomSharpness((0.2, 0.4)), "factor", 0.2, 0.4),
        (layers.RandomHue(0.4), "factor", -0.2, 0.2),
        (layers.Solarization((0.2, 0.4), 0.1), "additions", 51, 102),
        (layers.Solarization(0.4, 0.1), "thresholds", 0, 25.5),
        (layers.RandomRotation(0.25), "angle", -90, 90),
        (layers.RandomZoom((-0.2, 0.4)), "height_zoom", 0.8, 1.4),
        (layers.RandomShear(0.3, 0.3), "shear_factor", -0.3, 0.3),
        (layers.RandomCrop(2, 2), "top", 0, 4),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_factors_fill_their_range_evenly(layer, leaf, low, high):
    n = 4000
    drawn = np.asarray(layer.get_random_transformation(np.zeros((n, 6, 7, 3)), seed=1)[leaf], "float64")
    assert drawn.min() >= low and drawn.max() <= high
    # the standard error of a mean of n is (high - low) / sqrt(12 n); five of them, and as many for the spread
    error = 5 * (high - low + 1) / np.sqrt(12 * n)
    assert abs(drawn.mean() - (low + high) / 2) < error
    assert abs(drawn.std() - (high - low + (leaf == "top")) / np.sqrt(12)) < error


@pytest.mark.parametrize(
    ("layer", "leaf", "probability"),
    [
        (layers.RandomFlip(), "flips", 0.5),
        (layers.RandomFlip(), "vertical_flips", 0.5),
        (layers.RandomGrayscale(0.2), "should_apply", 0.2),
        (layers.RandomInvert((0.7, 0.7)), "apply_inversion", 0.7),
        (layers.RandomErasing((0.2, 0.6)), "apply_erasing", 0.4),
        (layers.RandomInvert(1.0), "apply_inversion", 0.5),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_probabilities_are_kept(layer, leaf, probability):
    n = 4000
    drawn = np.asarray(layer.get_random_transformation(np.zeros((n, 2, 2, 3)), seed=1)[leaf])
    assert abs(drawn.mean() - probability) < 5 * np.sqrt(probability * (1 - probability) / n)


def test_the_two_directions_of_a_flip_are_independent():
    drawn = layers.RandomFlip().get_random_transformation(np.zeros((400, 2, 2, 3)), seed=1)
    together = np.asarray(drawn["flips"] & drawn["vertical_flips"]).mean()
    assert abs(together - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 400)


def test_a_seed_by_hand_gives_what_a_call_draws():
    layer = layers.RandomBrightness(0.4, seed=11)
    variables = layer.init(jax.random.key(0), IMAGES)
    outputs, state = layer.stateless_call(*variables, IMAGES, training=True)
    by_hand = layer.transform_images(IMAGES, layer.get_random_transformation(IMAGES, seed=11))
    np.testing.assert_array_equal(outputs, by_hand)
    assert state["generator"]["seed_generator_state"].tolist() == [11, 1]
    key = jax.random.wrap_key_data(jnp.array([11, 0], "uint32"))
    by_key = layer.get_random_transformation(IMAGES, seed=key)
    np.testing.assert_array_equal(layer.transform_images(IMAGES, by_key), by_hand)


# -- in training, outside it, one image, dicts


@pytest.mark.parametrize("name", MADE)
def test_outside_training_images_stay_and_nothing_is_drawn(name):
    layer = made(name, seed=7)
    data = {"images": IMAGES, "labels": LABELS, "segmentation_masks": MASKS}
    variables = layer.init(jax.random.key(0), IMAGES)
    outputs, state = layer.stateless_call(*variables, data, training=False)
    assert jax.tree.all(jax.tree.map(lambda new, old: bool((new == old).all()), state, variables.non_trainable))
    if name == "RandomCrop":
        assert outputs["images"].shape == (4, 3, 4, 3) and outputs["segmentation_masks"].shape == (4, 3, 4, 1)
        return
    for key, value in data.items():
        np.testing.assert_array_equal(outputs[key], value)


@pytest.mark.parametrize("name", ["RandomBrightness", "RandomFlip", "RandomCrop", "RandomRotation"])
def test_one_image_is_a_batch_of_one(name):
    layer = made(name)
    drawn = layer.get_random_transformation(IMAGES[0], seed=5)
    chex.assert_trees_all_equal(drawn, layer.get_random_transformation(IMAGES[:1], seed=5))
    alone = layer.transform_images(IMAGES[0], drawn)
    np.testing.assert_array_equal(alone, layer.transform_images(IMAGES[:1], drawn)[0])


@pytest.mark.parametrize("name", GEOMETRIC)
def test_masks_move_with_their_images(name):
    config = {} if name in ("RandomFlip", "RandomCrop") else {"interpolation": "nearest"}
    if name == "RandAugment":
        config["value_range"] = (-1, 5)
    layer = made(name, **config)
    drawn = layer.get_random_transformation(IMAGES, seed=2)
    if name == "RandAugment":
        drawn["layer_idxes"] = drawn["layer_idxes"] % 3  # what moves pixels
    moved = layer.transform_images(np.repeat(MASKS, 3, -1), drawn)
    masks = layer.transform_segmentation_masks(MASKS, drawn)
    assert masks.dtype == MASKS.dtype
    np.testing.assert_array_equal(masks, moved[..., :1].astype("int32"))


def test_mixed_labels_have_the_weights_of_their_images():
    ones = np.ones((4, 6, 7, 3), "float32") * np.arange(4.0, dtype="float32").reshape(4, 1, 1, 1)
    for layer in (layers.MixUp(0.5), layers.CutMix((1.0, 1.0))):
        data = {"images": ones, "labels": LABELS, "segmentation_masks": ones[..., :1]}
        drawn = layer.get_random_transformation(data, seed=5)
        images = layer.transform_images(ones, drawn)
        labels = layer.transform_labels(LABELS, drawn)
        assert_close(labels.sum(1), np.ones(4))
        assert_close(layer.transform_segmentation_masks(ones[..., :1], drawn), images[..., :1])
        if isinstance(layer, layers.MixUp):
            assert_close(images[:, 0, 0, 0], labels @ np.arange(4.0, dtype="float32"))
        with asking_keras():
            theirs = getattr(keras.layers, type(layer).__name__)()
            assert_close(images, theirs.transform_images(ones, drawn))
            assert_close(labels, theirs.transform_labels(LABELS, drawn))


def test_what_cannot_be_mixed_is_refused():
    drawn = layers.MixUp().get_random_transformation(IMAGES, seed=5)
    with pytest.raises(ShapeError, match="one_hot"):
        layers.MixUp().transform_labels(np.arange(4), drawn)
    with pytest.raises(ShapeError, match="one_hot"):
        layers.MixUp().transform_segmentation_masks(MASKS, drawn)
    with pytest.raises(ArgumentError, match="segmentation masks"):
        layers.AugMix().transform_segmentation_masks(MASKS, {})
    with pytest.raises(ArgumentError, match="bounding_boxes"):
        layers.RandomFlip().get_random_transformation({"images": IMAGES, "bounding_boxes": IMAGES})


# -- both data formats


def test_both_data_formats_do_the_same():
    # the others have a row for each format, or look at single values
    names = [*list(MADE)[1:6], "RandomSharpness", "RandomGaussianBlur", "RandomErasing", "CutMix", *GEOMETRIC[:-1]]
    names += ["AutoContrast", "Equalization", "ContrastLimitedAdaptiveHistogramEqualization"]
    images = {"channels_last": IMAGES, "channels_first": np.moveaxis(IMAGES, -1, 1)}
    config = {"RandomErasing": {"fill_value": [1.0, 2.0, 3.0]}}
    made_layers = {f: {n: made(n, data_format=f, **config.get(n, {})) for n in names} for f in images}

    @jax.jit
    def outputs(images, drawn):
        return {
            f: {n: layer.transform_images(images[f], drawn[f][n]) for n, layer in made_layers[f].items()}
            for f in images
        }

    drawn = {
        f: {n: layer.get_random_transformation(images[f], seed=3) for n, layer in made_layers[f].items()}
        for f in images
    }
    result = outputs(images, drawn)
    for name in names:
        first = np.moveaxis(np.asarray(result["channels_first"][name]), 1, -1)
        assert_close(result["channels_last"][name], first, err_msg=name)


# -- the same parameters in Keras


def test_crops_as_keras_cuts():
    layer, batch = layers.RandomCrop(3, 4), IMAGES[:1]
    drawn = layer.get_random_transformation(batch, seed=3)
    with asking_keras():
        theirs = keras.layers.RandomCrop(3, 4, seed=3)
        start = theirs.get_random_transformation(batch)
        assert [int(x) for x in start] == [int(drawn["top"][0]), int(drawn["left"][0])]
        expected = theirs.transform_images(jnp.asarray(batch), [int(x) for x in start])
    np.testing.assert_array_equal(layer.transform_images(batch, drawn), expected)


def test_elastic_distances_lead_where_keras_reads():
    layer = layers.RandomElasticTransform((1.0, 1.0), fill_mode="wrap", fill_value=3.0)
    drawn = layer.get_random_transformation(IMAGES, seed=3)
    y, x = np.meshgrid(np.arange(6.0), np.arange(7.0), indexing="ij")
    places = np.stack([y, x]) + np.asarray(drawn["distances"][0])
    with asking_keras():
        expected = keras.ops.image.map_coordinates(IMAGES[0, ..., 1], places.astype("float32"), 1, "wrap", 3.0)
    assert_close(layer.transform_images(IMAGES, drawn)[0, ..., 1], expected)


def test_elastic_distances_are_smooth_and_of_the_size_of_the_definition():
    layer = layers.RandomElasticTransform(scale=(1.0, 1.0))
    distances = np.asarray(layer.get_random_transformation(np.zeros((64, 40, 40, 1)), seed=3)["distances"])
    alpha, sigma = 4.0, 2.0
    # white noise of deviation sigma, blurred in two dimensions by a Gaussian of sigma: 1 / (2 sqrt(pi) sigma) of it
    expected = alpha * sigma / (2 * np.sqrt(np.pi) * sigma)
    inner = distances[:, :, 10:30, 10:30]
    assert abs(inner.std() / expected - 1) < 0.1  # some 64 * 2 * 400 / (4 pi sigma^2) = 1000 independent values
    # correlation of neighbours exp(-1 / (4 sigma^2)), and none between both directions
    assert abs((inner[..., 1:] * inner[..., :-1]).mean() / inner.var() - np.exp(-1 / 16)) < 0.05
    assert abs((inner[:, 0] * inner[:, 1]).mean() / inner.var()) < 0.1


def test_equalization_of_a_batch_is_that_of_its_images():
    layer = layers.Equalization(bins=16)
    together = layer.transform_images(IMAGES[:2], {})
    with asking_keras():
        theirs = keras.layers.Equalization(bins=16)
        alone = [theirs.transform_images(jnp.asarray(image[None]), None)[0] for image in IMAGES[:2]]
    assert_close(together, np.stack(alone))


def test_every_choice_of_rand_augment_is_what_keras_does():
    layer, batch = layers.RandAugment(num_ops=1, factor=0.4), IMAGES[:1]
    drawn = layer.get_random_transformation(batch, seed=5)
    apply = jax.jit(lambda choice: layer.transform_images(batch, {**drawn, "layer_idxes": choice}))
    with asking_keras():
        theirs = keras.layers.RandAugment(num_ops=1, factor=0.4, seed=5)
        parameters = theirs.get_random_transformation(batch)
        assert parameters["layer_idxes"].tolist() == drawn["layer_idxes"][:, 0].tolist()
        expected = {
            name: getattr(theirs, name).transform_images(jnp.asarray(batch), own)
            for name, own in parameters["transforms"].items()
            if name != "equalization"  # see above; Keras runs it in 256 steps
        }
    assert (*expected, "equalization") == layer.part_names
    for index, (name, images) in enumerate(expected.items()):
        assert_close(apply(jnp.array([[index]])), images, err_msg=name)


def test_choices_are_made_for_each_image_and_one_after_the_other():
    layer = layers.RandAugment(num_ops=2)
    drawn = layer.get_random_transformation(IMAGES, seed=5)
    choices = jnp.array([[0, 7, 3, 11], [8, 1, 11, 11]])  # 11 is none
    together = layer.transform_images(IMAGES, {**drawn, "layer_idxes": choices})
    for example in range(4):
        alone = IMAGES
        for turn in range(2):
            own = jax.tree.map(lambda leaf, t=turn: leaf[4 * t : 4 * t + 4], drawn["transforms"])
            if (index := int(choices[turn, example])) < 11:
                name = layer.part_names[index]
                alone = getattr(layer, name).transform_images(alone, own[name])
        assert_close(together[example], alone[example])


def test_aug_mix_mixes_as_keras_does():
    layer, batch = layers.AugMix(num_chains=2, chain_depth=2, all_ops=False), IMAGES[:1]
    drawn = {
        "chain_mixing_weights": jnp.array([[0.3, 0.7]]),
        "weight_sample": jnp.array([0.2]),
        "choices": jnp.array([[0, 3], [5, 7]]),  # (depth, chains): shear, posterization; auto contrast, none
        "transforms": layer.draw_parts(4, batch.shape, successors(5)),
    }
    names = [["random_shear", "auto_contrast"], ["random_posterization"]]
    own = jax.tree.map(lambda leaf: leaf.reshape(2, 2, 1, *leaf.shape[1:]), drawn["transforms"])
    chains = [
        [
            {"layer_name": name, "transformation": jax.tree.map(lambda leaf, d=d, k=k: leaf[d, k], own[name])}
            for d, name in enumerate(chain)
        ]
        for k, chain in enumerate(names)
    ]
    with asking_keras():
        theirs = keras.layers.AugMix(num_chains=2, chain_depth=2, all_ops=False)
        parameters = {
            "chain_mixing_weights": drawn["chain_mixing_weights"][0],
            "weight_sample": drawn["weight_sample"][0],
            "chain_transforms": chains,
        }
        expected = theirs.transform_images(jnp.asarray(batch), parameters)
    assert_close(layer.transform_images(batch, drawn), expected)


# -- arguments and inputs


def test_bytes_and_unknown_sizes_are_welcome():
    data = IMAGES.astype("uint8")
    layer = layers.RandomBrightness(0.9, seed=1)
    variables = layer.init(jax.random.key(0), data)
    outputs, _ = layer.stateless_call(*variables, data, training=True)
    drawn = layer.get_random_transformation(data, seed=1)["rgb_delta"]
    assert outputs.dtype == "float32"
    assert_close(outputs, np.clip(data + np.asarray(drawn), 0, 255))
    image = jkeras.Input((None, None, 3), dtype="uint8")
    assert layers.RandomFlip()(layers.RandomRotation(0.1)(image)).shape == (None, None, None, 3)
    assert layers.RandomCrop(8, 9)(image).shape == (None, 8, 9, 3)


def test_values_outside_zero_and_one_are_on_their_own_scale():
    signed = IMAGES / 127.5 - 1
    for name, config in [("RandomSaturation", {}), ("RandomInvert", {"factor": (1.0, 1.0)}), ("AutoContrast", {})]:
        of_bytes, of_signed = made(name, **config), made(name, **config, value_range=(-1, 1))
        drawn = of_bytes.get_random_transformation(IMAGES, seed=3)
        expected = of_bytes.transform_images(IMAGES, drawn) / 127.5 - 1
        assert_close(of_signed.transform_images(signed, drawn), expected, scale=2.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: layers.RandomBrightness(1.5), "factor"),
        (lambda: layers.RandomBrightness([0.1, 0.2, 0.3]), "factor"),
        (lambda: layers.RandomBrightness(0.1, value_range=3), "value_range"),
        (lambda: layers.RandomContrast("strong"), "factor"),
        (lambda: layers.RandomPosterization(9), "factor"),
        (lambda: layers.RandomFlip("diagonal"), "mode"),
        (lambda: layers.RandomRotation(0.1, fill_mode="mirror"), "fill_mode"),
        (lambda: layers.RandomZoom(0.1, interpolation="cubic"), "interpolation"),
        (lambda: layers.RandomCrop(0, 3), "height"),
        (lambda: layers.RandomGaussianBlur(kernel_size=4), "kernel_size"),
        (lambda: layers.RandomErasing(fill_value="red"), "fill_value"),
        (lambda: layers.RandomPerspective(scale=2.0), "scale"),
        (lambda: layers.MixUp(alpha=0.0), "alpha"),
        (lambda: layers.AugMix(alpha=-1.0), "alpha"),
        (lambda: layers.RandAugment(num_ops=0), "num_ops"),
        (lambda: layers.Equalization(bins=0), "bins"),
    ],
)
def test_wrong_arguments_are_refused_where_the_layer_is_made(make, words):
    with pytest.raises(ArgumentError, match=words):
        make()


def test_images_of_another_rank_are_refused():
    with pytest.raises(ShapeError, match="rank 3"):
        layers.RandomFlip().get_random_transformation(IMAGES[0, 0])


def test_numbers_mean_what_the_documentation_of_keras_says():
    assert layers.RandomContrast(0.3).factor == (0.3, 0.3)
    assert layers.RandomSaturation(0.3).factor == layers.RandomColorDegeneration(0.3).factor == (0, 0.3)
    with asking_keras():  # what it writes for a number is refused by itself, and read by us
        written = keras.layers.RandomShear(0.3).get_config()
    assert layers.RandomShear.from_config(written).x_factor == (-0.3, 0.3)
