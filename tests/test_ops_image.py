"""The operations of images: each against Keras's on small images, symbolic shapes against real ones, its spelling in
configs; dtypes, gradients, and what Keras does otherwise."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import ops
from jkeras.core import KerasTensor, SeedGenerator
from jkeras.core.scope import Scope
from jkeras.errors import ArgumentError, ShapeError
from jkeras.ops import table
from tests.oracle import asking_keras, assert_close, keras

R = np.random.default_rng(0)
BATCH = R.uniform(size=(2, 6, 7, 3)).astype("float32")
FIRST = np.moveaxis(BATCH, -1, 1)  # (2, 3, 6, 7)
ONE = BATCH[0]
BYTES = (BATCH * 255).astype("uint8")
VOLUMES = R.normal(size=(2, 4, 5, 6, 2)).astype("float32")
LARGE = R.uniform(size=(2, 2, 3, 12, 13)).astype("float32")  # two batches
AFFINE = np.array([[1.1, 0.2, 0.3, -0.2, 0.9, 0.4, 0, 0], [0.9, 0.1, 0.3, -0.2, 0.9, 0.4, 0, 0]], "float32")
CORNERS = np.array([[[0, 0], [6, 0], [0, 5], [6, 5]]] * 2, "float32")
MOVED = (CORNERS + R.normal(size=(2, 4, 2)) * 0.4).astype("float32")
PLACES = R.uniform(-1, 7, (2, 9)).astype("float32")
LAST, CHANNELS_FIRST = {"data_format": "channels_last"}, {"data_format": "channels_first"}

CASES = [
    ("affine_transform", (BATCH, AFFINE), {"fill_value": 0.5}),
    ("affine_transform", (FIRST, AFFINE), {"fill_mode": "reflect", **CHANNELS_FIRST}),
    ("affine_transform", (ONE, AFFINE[:1]), {"interpolation": "nearest", "fill_mode": "wrap"}),
    ("affine_transform", (BYTES, AFFINE), {"fill_mode": "mirror"}),
    ("crop_images", (BATCH, 1, 2), {"bottom_cropping": 0, "target_width": 3}),
    ("crop_images", (FIRST[0],), {"target_height": 3, "bottom_cropping": 1, "left_cropping": 1, "right_cropping": 2}
     | CHANNELS_FIRST),
    ("pad_images", (BATCH, 1, 2), {"bottom_padding": 0, "target_width": 10}),
    ("pad_images", (FIRST,), {"target_height": 9, "bottom_padding": 1, "left_padding": 1, "right_padding": 2}
     | CHANNELS_FIRST),
    ("extract_patches", (BATCH, 2), {}),
    ("extract_patches", (FIRST, (3, 2)), {"strides": (1, 2), "padding": "same", **CHANNELS_FIRST}),
    ("extract_patches", (ONE, (2, 3)), {"strides": 1, "dilation_rate": 2}),
    ("extract_patches", (VOLUMES, (2, 3, 2)), {"strides": (2, 1, 2)}),
    ("gaussian_blur", (BATCH,), LAST),
    ("gaussian_blur", (FIRST[0], (5, 4), (2.0, 0.5)), CHANNELS_FIRST),
    ("hsv_to_rgb", (BATCH,), {}),
    ("hsv_to_rgb", (FIRST[0],), CHANNELS_FIRST),
    ("rgb_to_hsv", (BATCH * (BATCH > 0.3),), {}),
    ("rgb_to_hsv", (FIRST[0],), CHANNELS_FIRST),
    ("rgb_to_grayscale", (BATCH,), {}),
    ("rgb_to_grayscale", (np.moveaxis(BYTES, -1, 1),), CHANNELS_FIRST),
    ("map_coordinates", (ONE[..., 0], PLACES, 1), {"fill_mode": "nearest"}),
    ("map_coordinates", (BYTES[0, ..., 0], PLACES, 0), {"fill_value": 3}),
    ("perspective_transform", (BATCH, CORNERS, MOVED), {}),
    ("perspective_transform", (FIRST[0], CORNERS[0], MOVED[0]), {"fill_value": 0.5, **CHANNELS_FIRST}),
    ("resize", (BATCH, (9, 4)), {}),
    ("resize", (BYTES, (4, 9)), {"interpolation": "bicubic", "antialias": True}),
    ("resize", (FIRST, (4, 4)), {"interpolation": "nearest", "crop_to_aspect_ratio": True, **CHANNELS_FIRST}),
    ("resize", (ONE, (8, 4)), {"interpolation": "lanczos3", "pad_to_aspect_ratio": True, "fill_value": 2.0}),
    ("scale_and_translate", (ONE, (5, 5, 3), np.float32([0.5, 2]), np.float32([1, -1]), (0, 1), "cubic", False), {}),
    ("sobel_edges", (BATCH,), {}),
    ("sobel_edges", (FIRST,), CHANNELS_FIRST),
    ("ssim", (LARGE[0], LARGE[1]),
     {"max_val": 2.0, "filter_size": 5, "filter_sigma": 1.0, "k1": 0.02, "k2": 0.05, **CHANNELS_FIRST}),
]  # fmt: skip
# `ops.image.extract_patches_3d` is `extract_patches`; what an elastic transform gives is random.
WITHOUT_CASE = {"extract_patches_3d", "elastic_transform"}


def identify(case):
    return f"{case[0]}-{','.join(case[2])}"


@functools.cache
def run(index):
    name, args, kwargs = CASES[index]
    return getattr(ops.image, name)(*args, **kwargs)


each = pytest.mark.parametrize("index", range(len(CASES)), ids=[identify(case) for case in CASES])


@each
def test_values_are_keras_s(index):
    name, args, kwargs = CASES[index]
    ours = run(index)
    with asking_keras():
        theirs = getattr(keras.ops.image, name)(*map(jnp.asarray, args[:1]), *args[1:], **kwargs)
    assert ours.dtype == theirs.dtype
    # 256 ulps: sums of a dozen products in another order; homographies come from eight equations.
    # 4096 for ssim: variances are differences of means of squares, which cancels four bits
    if np.issubdtype(ours.dtype, np.floating):
        assert_close(ours, theirs, ulps=4096 if name == "ssim" else 256)
        return
    apart = np.abs(np.asarray(ours, "int64") - np.asarray(theirs, "int64"))
    assert apart.max() <= 1 and apart.mean() < 0.01  # a number in the middle of two integers is rounded to either


@each
def test_symbolic_shapes_are_real_shapes(index):
    name, args, kwargs = CASES[index]
    images = args[0]
    known = getattr(ops.image, name)(KerasTensor(images.shape, images.dtype), *args[1:], **kwargs)
    real = run(index)
    assert (known.shape, known.dtype) == (real.shape, real.dtype.name)
    assert known.history.operation.op in table.TABLE


def test_unknown_dimensions_stay_unknown_where_they_are():
    images = KerasTensor((None, None, None, 3))
    assert ops.image.resize(images, (4, 5)).shape == (None, 4, 5, 3)
    assert ops.image.rgb_to_grayscale(images).shape == (None, None, None, 1)
    assert ops.image.gaussian_blur(images).shape == (None, None, None, 3)
    assert ops.image.affine_transform(images, KerasTensor((None, 8))).shape == (None, None, None, 3)
    assert ops.image.extract_patches(images, 4).shape == (None, None, None, 48)
    assert ops.image.pad_images(images, 1, 1, target_height=300, target_width=300).shape == (None, 300, 300, 3)
    assert ops.image.crop_images(images, 1, 1, target_height=300, target_width=3).shape == (None, 300, 3, 3)
    assert ops.image.crop_images(images, 1, 1, 1, 1).shape == (None, None, None, 3)
    assert ops.image.elastic_transform(images, seed=0).shape == (None, None, None, 3)


def test_every_name_has_a_case():
    assert {case[0] for case in CASES} | WITHOUT_CASE == set(ops.image.__all__)


@each
def test_keras_reads_the_spelling_and_so_do_we(index):
    name, args, kwargs = CASES[index]
    spelling = table.spell(name, table.TABLE[name].function, args, kwargs)
    again = table.arrange(name, spelling.settings, spelling.args, spelling.kwargs)
    assert_close(getattr(ops.image, name)(*again[0], **again[1]), run(index), ulps=0)
    config = {
        "module": spelling.module,
        "class_name": spelling.class_name,
        "config": spelling.settings,
        "registered_name": spelling.class_name,
    }
    with asking_keras():
        operation = keras.saving.deserialize_keras_object(config)
        theirs = operation.call(*map(jnp.asarray, spelling.args[:1]), *spelling.args[1:], **spelling.kwargs)
    assert table.named(type(operation).__name__) == name
    assert theirs.shape == run(index).shape


def test_patches_of_volumes():
    ours = ops.image.extract_patches_3d(VOLUMES, 2, strides=(1, 2, 3), padding="same")
    with asking_keras():
        theirs = keras.ops.image.extract_patches_3d(VOLUMES, 2, strides=(1, 2, 3), padding="same")
    assert_close(ours, theirs, ulps=0)
    assert ops.image.extract_patches_3d(KerasTensor((4, 5, 6, 2)), 2).shape == (2, 2, 3, 16)


HALF = jnp.asarray(BATCH, "bfloat16")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.image.resize(x, (9, 4), interpolation="bicubic"),
        lambda x: ops.image.affine_transform(x, AFFINE),
        lambda x: ops.image.gaussian_blur(x),
        lambda x: ops.image.rgb_to_hsv(x),
        lambda x: ops.image.ssim(x, x[::-1], filter_size=3),
    ],
)
def test_half_precision_is_kept_and_near(function):
    half, full = function(HALF), function(HALF.astype("float32"))
    assert half.dtype == "bfloat16"
    # 8 bits of mantissa: eps is 2^16 times that of float32; a hue is a quotient of differences of roundings
    assert_close(half.astype("float32"), full, ulps=8 * 2**16)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.image.resize(x, (4, 4), antialias=True),
        lambda x: ops.image.affine_transform(x, AFFINE[0]),
        lambda x: ops.image.gaussian_blur(x, sigma=(1.0, 2.0)),
        lambda x: ops.image.sobel_edges(x[None]),
        lambda x: ops.image.extract_patches(x, 3, strides=2),
        lambda x: ops.image.crop_images(x, 1, 1, 1, 1),
        lambda x: ops.image.pad_images(x, 1, 1, 1, 1),
    ],
)
def test_linear_functions_have_their_transpose_as_gradient(function):
    x = jnp.asarray(ONE)
    y, pull = jax.vjp(function, x)
    cotangent = jnp.asarray(R.normal(size=y.shape), "float32")
    # <A x, y> = <x, A' y>: two sums of 500 products in another order
    assert_close(jnp.vdot(y, cotangent), jnp.vdot(x, pull(cotangent)[0]), scale=float(jnp.abs(y).sum()))


def test_gradients_reach_transforms_and_colors():
    identity = jnp.array([1.0, 0, 0.25, 0, 1, 0, 0, 0])
    slope = jax.grad(lambda t: ops.image.affine_transform(ONE, t)[2, 2].sum())(identity)
    assert_close(slope[2], (ONE[2, 3] - ONE[2, 2]).sum())  # a shift along x reads the next pixel
    assert np.isfinite(jax.grad(lambda x: ops.image.rgb_to_hsv(x).sum())(jnp.zeros((2, 2, 3)))).all()


# -- what Keras does otherwise


def test_one_transform_or_perspective_serves_a_batch():
    both = ops.image.affine_transform(BATCH, AFFINE[0])
    assert_close(both[1], ops.image.affine_transform(BATCH[1], AFFINE[0]), ulps=0)
    both = ops.image.perspective_transform(BATCH, CORNERS[0], MOVED[0])
    assert_close(both[1], ops.image.perspective_transform(BATCH[1], CORNERS[0], MOVED[0]))


def test_an_affine_transform_divides_by_its_last_two_numbers():
    """As its definition says; Keras's JAX backend reads other channels instead."""
    numbers = np.array([1, 0, 0, 0, 1, 0, 0.1, 0], "float32")
    row = np.arange(7, dtype="float32").reshape(1, 7, 1)
    x = np.arange(7)
    assert_close(ops.image.affine_transform(row, numbers)[0, :, 0], x / (0.1 * x + 1))


def test_an_elastic_transform_moves_along_both_axes_on_its_own(monkeypatch):
    """Keras draws both distances from one key, so that they are equal; given the same noise the two agree."""
    noise = [jnp.asarray(R.normal(size=(2, 6, 7)), "float32") for _ in range(2)]
    drawn = iter(2 * noise)
    monkeypatch.setattr(jax.random, "normal", lambda key, shape, dtype: next(drawn).reshape(shape))
    settings = {"alpha": 1.5, "sigma": 0.8, "interpolation": "bilinear", "fill_mode": "constant", "fill_value": 0.5}
    ours = ops.image.elastic_transform(BATCH, seed=3, **settings)
    with asking_keras():
        theirs = keras.ops.image.elastic_transform(BATCH, seed=3, **settings)
    assert_close(ours, theirs, ulps=256)


def test_an_elastic_transform_says_where_its_noise_comes_from():
    same = [ops.image.elastic_transform(ONE, sigma=0.8, seed=seed) for seed in (3, 3, jax.random.key(5))]
    assert_close(same[0], same[1], ulps=0)
    assert not np.array_equal(same[0], same[2])
    generator = SeedGenerator(3)
    with Scope({generator.state: jnp.array([3, 0], "uint32")}).open() as scope:
        assert_close(ops.image.elastic_transform(ONE, sigma=0.8, seed=generator), same[0], ulps=0)
    assert scope.values[generator.state].tolist() == [3, 1]
    with pytest.raises(ArgumentError, match="`seed` must be given"):
        ops.image.elastic_transform(ONE)


def test_similarity_of_integers_is_a_fraction():
    assert ops.image.ssim(BYTES, BYTES[::-1], max_val=255, filter_size=2).dtype == "float32"


# -- errors


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ops.image.resize(BATCH, (2, 2), interpolation="cubic"), "`interpolation` must be"),
        (lambda: ops.image.resize(BATCH, (2, 0)), "size"),
        (lambda: ops.image.resize(BATCH[0, 0], (2, 2)), "rank 3"),
        (
            lambda: ops.image.resize(BATCH, (2, 2), crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
            "`pad_to_aspect_ratio`",
        ),
        (lambda: ops.image.resize(BATCH, (2, 2), fill_mode="wrap"), "`fill_mode` must be"),
        (lambda: ops.image.affine_transform(BATCH, AFFINE, fill_mode="zeros"), "`fill_mode` must be"),
        (lambda: ops.image.affine_transform(BATCH, AFFINE[:, :6]), "eight numbers"),
        (lambda: ops.image.perspective_transform(BATCH, CORNERS, MOVED[:, :3]), "`start_points` and `end_points`"),
        (lambda: ops.image.map_coordinates(ONE, PLACES, 1), "`coordinates` must have one row"),
        (lambda: ops.image.map_coordinates(ONE[..., 0], PLACES, 3), "`order` must be"),
        (lambda: ops.image.crop_images(BATCH, 1, 1, 1), "exactly two of"),
        (lambda: ops.image.crop_images(BATCH, 9, 0, 0, 0), "`target_height` must not be negative"),
        (lambda: ops.image.pad_images(BATCH, 0, 0, target_height=2, target_width=9), "bottom_padding >= 0"),
        (lambda: ops.image.rgb_to_hsv(BYTES), "a floating dtype"),
        (lambda: ops.image.rgb_to_grayscale(BATCH[..., :2]), "3 channels"),
        (lambda: ops.image.sobel_edges(ONE), "rank 4"),
        (lambda: ops.image.extract_patches(BATCH, 8), "as large as one window"),
        (lambda: ops.image.ssim(BATCH, ONE), "`image2` must have the shape"),
        (lambda: ops.image.scale_and_translate(ONE, (2, 2, 3), 1.0, 1.0, (0, 1), "nearest"), "`method` must be"),
    ],
)
def test_errors(call, message):
    with pytest.raises((ArgumentError, ShapeError), match=message):
        call()
