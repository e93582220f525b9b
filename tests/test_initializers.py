"""Initializers against Keras: names, values for a seed, statistics, configs; and what the explicit key asks for."""

import inspect
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import initializers, registry
from jkeras.errors import ArgumentError, MissingCallError, ShapeError, UnknownNameError
from jkeras.initializers.base import family
from tests.descriptors.initializers import DRAWN, FIXED, ROWS
from tests.oracle import asking_keras, assert_close, keras

KEY = jax.random.key(0)


def ids(rows):
    return [pytest.param(row, id=str(row)) for row in rows]


def test_the_public_names_are_keras_s_and_three_more():
    public = {name for name in dir(keras.initializers) if not name.startswith("_")}
    assert set(initializers.__all__) == public | {"FromArray", "RandomInitializer", "compute_fans"}
    for name in public:
        assert getattr(initializers, name).__name__ == getattr(keras.initializers, name).__name__


def test_the_strings_are_keras_s():
    assert {name: thing.__name__ for name, thing in family.table.items()} == {
        name: thing.__name__ for name, thing in keras.src.initializers.ALL_OBJECTS_DICT.items()
    }


@pytest.mark.parametrize("name", sorted({row.name for row in ROWS}))
def test_the_signatures_are_keras_s(name):
    ours, theirs = (inspect.signature(getattr(library, name)) for library in (initializers, keras.initializers))
    assert [(p.name, p.default) for p in ours.parameters.values()] == [
        (p.name, p.default) for p in theirs.parameters.values()
    ]


@pytest.mark.parametrize("row", ids(DRAWN))
def test_a_seed_gives_keras_s_values(row):
    with asking_keras():
        theirs = row.of(keras.initializers, seed=1337)(row.shape)
    # Keras scales and shifts in two operations, the compiled formula may contract them into one: two roundings.
    assert_close(row.make(seed=1337)(row.shape), theirs, ulps=2)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", ["RandomNormal", "TruncatedNormal", "RandomUniform", "GlorotUniform"])
def test_a_seed_gives_keras_s_values_in_low_precision(name, dtype):
    with asking_keras():
        theirs = np.asarray(getattr(keras.initializers, name)(seed=3)((64,), dtype), "float64")
    ours = np.asarray(getattr(initializers, name)(seed=3)((64,), dtype), "float64")
    # The uniform number u is drawn in the dtype; the compiler may keep more of its digits on the way through
    # z = sqrt(2) * erfinv(u), whose slope is sqrt(pi / 2) * exp(z² / 2). Then product and sum round.
    eps, stddev = float(jnp.finfo(dtype).eps), 0.05
    slope = 1 if "Uniform" in name else math.sqrt(math.pi / 2) * np.exp((theirs / stddev) ** 2 / 2)
    assert np.all(np.abs(ours - theirs) <= eps * (stddev * slope + 2 * np.abs(theirs)))


@pytest.mark.parametrize("row", ids(FIXED))
def test_constants_are_keras_s(row):
    with asking_keras():
        theirs = row.of(keras.initializers)(row.shape)
    # Keras computes the phase of a Fourier kernel in floats: up to 2 * pi * 8 * 5 / 8, so 32 roundings of 1.
    assert_close(row.make()(row.shape), theirs, ulps=32)


def test_the_fourier_kernel_of_a_long_window_keeps_its_digits():
    length, frequencies = 1024, 513
    for side, function in (("real", np.cos), ("imag", np.sin)):
        kernel = initializers.STFT(side, window=None)((length, 1, frequencies))[:, 0]
        phase = -2 * np.pi * np.outer(np.arange(length), np.arange(frequencies)) / length
        # The phase is below 2 * pi and rounds once, the cosine once.
        np.testing.assert_allclose(kernel, function(phase), atol=2 * np.pi * 1.2e-7)


def test_a_key_gives_what_the_seed_with_that_key_gives():
    key = jax.random.wrap_key_data(jnp.array([9, 0], "uint32"))
    np.testing.assert_array_equal(initializers.HeNormal()((3, 4), key=key), initializers.HeNormal(seed=9)((3, 4)))


def test_a_seed_beyond_31_bits_is_keras_s():
    with asking_keras():
        theirs = keras.initializers.RandomUniform(seed=2**31 + 5)((4,))
    np.testing.assert_array_equal(initializers.RandomUniform(seed=2**31 + 5)((4,)), theirs)


# Mean and standard deviation that the values should have, for a (60, 200) weight: fans 60, 200, mean 130.
STATISTICS = [
    (initializers.RandomNormal(0.5, 2.0), 0.5, 2.0),
    (initializers.TruncatedNormal(0.5, 2.0), 0.5, 2.0 * 0.87962566),
    (initializers.RandomUniform(-1, 3), 1.0, 4 / math.sqrt(12)),
    (initializers.VarianceScaling(3.0, "fan_out", "uniform"), 0.0, math.sqrt(3 / 200)),
    (initializers.VarianceScaling(3.0, "fan_avg", "untruncated_normal"), 0.0, math.sqrt(3 / 130)),
    (initializers.GlorotNormal(), 0.0, math.sqrt(1 / 130)),
    (initializers.GlorotUniform(), 0.0, math.sqrt(1 / 130)),
    (initializers.HeNormal(), 0.0, math.sqrt(2 / 60)),
    (initializers.HeUniform(), 0.0, math.sqrt(2 / 60)),
    (initializers.LecunNormal(), 0.0, math.sqrt(1 / 60)),
    (initializers.LecunUniform(), 0.0, math.sqrt(1 / 60)),
]


@pytest.mark.parametrize("initializer, mean, stddev", STATISTICS)
def test_mean_and_spread(initializer, mean, stddev):
    values = np.asarray(initializer((60, 200), key=KEY), "float64")
    # Four standard errors of 12000 values: of the mean, stddev / sqrt(n); of the spread, at most stddev / sqrt(2 n).
    assert abs(values.mean() - mean) < 4 * stddev / math.sqrt(12000)
    assert abs(values.std() - stddev) < 4 * stddev / math.sqrt(24000)


def test_truncation_and_bounds():
    truncated = np.asarray(initializers.TruncatedNormal(1.0, 0.5)((60, 200), key=KEY))
    assert 0.0 < truncated.min() < 0.01 and 1.99 < truncated.max() < 2.0
    uniform = np.asarray(initializers.RandomUniform(1.0, 1.5)((60, 200), key=KEY))
    assert 1.0 <= uniform.min() < 1.001 and 1.499 < uniform.max() < 1.5


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (2, 3, 4), (2, 2, 12)])
def test_orthogonal_vectors_have_the_length_of_the_gain(shape):
    matrix = np.asarray(initializers.Orthogonal(gain=2.0)(shape, key=KEY), "float64").reshape(-1, shape[-1])
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=4 * 8 * 1.2e-7)  # 8 roundings of 4


def test_orthogonal_in_low_precision_is_rounded_once():
    initializer = initializers.Orthogonal(seed=0)
    np.testing.assert_array_equal(initializer((4, 3), "bfloat16"), initializer((4, 3)).astype("bfloat16"))


@pytest.mark.parametrize(
    "shape, axes, fans",
    [
        ((), {}, (1, 1)),
        ((5,), {}, (5, 5)),
        ((3, 4), {}, (3, 4)),
        ((2, 3, 4), {}, (6, 8)),
        ((5, 2, 3, 4), {}, (30, 40)),
        ((3, 4, 5), {"input_axes": [0, 1], "output_axes": [2]}, (12, 5)),
    ],
)
def test_fans(shape, axes, fans):
    assert initializers.compute_fans(shape, **axes) == fans
    assert keras.src.initializers.random_initializers.compute_fans(shape, **axes) == fans


@pytest.mark.parametrize("dtype", ["int32", "bool", "float16", "uint8"])
def test_constants_of_any_dtype(dtype):
    for ours in (initializers.Zeros(), initializers.Ones(), initializers.Constant(1), initializers.Identity()):
        value = ours((2, 2), dtype)
        assert value.dtype == dtype
        with asking_keras():
            theirs = getattr(keras.initializers, type(ours).__name__)(**ours.get_config())((2, 2), dtype)
        np.testing.assert_array_equal(value, np.asarray(theirs).astype(dtype))


@pytest.mark.parametrize("value", [np.float32(2.5), jnp.float32(2.5), np.array(2.5), 2.5])
def test_scalars_become_numbers(value):
    constant = initializers.Constant(value)
    assert constant.value == 2.5 and type(constant.value) is float
    assert constant == initializers.Constant(2.5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "bool"])
def test_arrays_are_held_by_value(dtype):
    array = np.array([[0, 1, 2]]).astype(jnp.dtype(dtype))
    given, traced = initializers.Constant(array), initializers.Constant(jnp.asarray(array))
    expected = array.copy()
    array[:] = 1  # the caller's array is the caller's
    np.testing.assert_array_equal(given((2, 3), dtype), np.broadcast_to(expected, (2, 3)))
    assert given == traced and hash(given) == hash(traced) and given != initializers.Constant(array)
    again = initializers.deserialize(json.loads(json.dumps(initializers.serialize(given))))
    assert again == given
    with asking_keras():
        theirs = keras.initializers.deserialize(initializers.serialize(given))((2, 3), "float32")
        np.testing.assert_array_equal(theirs, given((2, 3), "float32"))
        tensor = keras.initializers.serialize(keras.initializers.Constant(jnp.asarray(expected)))
    np.testing.assert_array_equal(initializers.deserialize(tensor)((2, 3)), given((2, 3)))


@pytest.mark.parametrize("row", ids(ROWS))
def test_configs_go_both_ways(row):
    ours, theirs = row.make(), row.of(keras.initializers)
    config = initializers.serialize(ours)
    assert ours.clone() == ours and ours.clone() is not ours
    if row.name == "Identity":  # Keras reads the gain but does not write it
        assert keras.initializers.deserialize(config).gain == ours.gain
        return
    assert config == keras.initializers.serialize(theirs)
    assert keras.initializers.serialize(keras.initializers.deserialize(config)) == config
    assert initializers.deserialize(keras.initializers.serialize(theirs)) == ours


def test_the_seed_is_in_the_config():
    assert initializers.HeNormal(seed=3).get_config() == keras.initializers.HeNormal(seed=3).get_config()
    assert initializers.deserialize(initializers.serialize(initializers.Orthogonal(seed=3))).seed == 3


@pytest.mark.parametrize("array", [np.array([1.0, 2.0]), jnp.array([1.0, 2.0]), np.arange(2)])
def test_an_array_initializes_weights_of_its_shape(array):
    initializer = initializers.get(array)
    np.testing.assert_array_equal(initializer((2,), key=KEY), array)
    assert initializer((2,), "int32").dtype == jnp.int32
    assert initializers.deserialize(json.loads(json.dumps(initializers.serialize(initializer)))) == initializer
    with pytest.raises(ShapeError, match=r"expected: an array of shape \(1, 2\)\n  received: an array of shape \(2,\)"):
        initializer((1, 2))
    assert initializers.get(np.float32(3))(()).item() == 3


def test_get():
    def mine(shape, dtype=None):
        return jnp.zeros(shape, dtype)

    assert initializers.get(None) is None
    assert initializers.get(mine) is mine
    assert initializers.get(initializers.Ones) == initializers.get("ones") == initializers.get("one")
    assert initializers.get({"class_name": "Constant", "config": {"value": 2}}) == initializers.Constant(2)
    with pytest.raises(UnknownNameError, match=r"'glorot_uniform' \(did you mean it\?\)"):
        initializers.get("glorot_unifrom")
    with pytest.raises(ArgumentError, match="the initializer must be"):
        initializers.get(3)


@registry.register_keras_serializable("tests")
class Twos(initializers.Initializer):
    def __call__(self, shape, dtype=None, *, key=None):
        return jnp.full(shape, 2, dtype)


def test_initializers_of_users():
    config = initializers.serialize(Twos())
    assert config["registered_name"] == "tests>Twos"
    assert initializers.get(config) == Twos() == Twos().clone() == initializers.get("tests>Twos")
    assert Twos() != initializers.Initializer() and hash(Twos()) == hash(Twos())


def test_the_bases_are_abstract():
    with pytest.raises(MissingCallError, match="def __call__"):
        initializers.get("initializer")((2,))
    with pytest.raises(MissingCallError, match="def draw"):
        initializers.RandomInitializer()((2,), key=KEY)


@pytest.mark.parametrize("row", ids(DRAWN))
def test_without_seed_a_key_is_required(row):
    with pytest.raises(ArgumentError) as caught:
        row.make()(row.shape)
    assert "initializer(shape, key=jax.random.key(0))" in str(caught.value) and row.name in str(caught.value)


@pytest.mark.parametrize("seed", [1.5, "3", True, -1, {"class_name": "SeedGenerator"}, np.float64(3.0)])
def test_seeds_are_ints(seed):
    with pytest.raises(ArgumentError, match="`seed` must be a non-negative integer"):
        initializers.RandomNormal(seed=seed)


def test_a_seed_of_numpy_is_a_python_int():
    assert initializers.RandomNormal(seed=np.int64(3)).get_config()["seed"] == 3


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: initializers.VarianceScaling(scale=0.0), "`scale` must be a number > 0"),
        (lambda: initializers.VarianceScaling(scale="1"), "`scale` must be a number"),
        (lambda: initializers.VarianceScaling(mode="fan_inn"), r"`mode` must be[\s\S]*'fan_in' \(did you mean it\?\)"),
        (lambda: initializers.VarianceScaling(distribution="gauss"), "`distribution` must be"),
        (lambda: initializers.VarianceScaling(distribution=None), "`distribution` must be"),
        (lambda: initializers.GlorotNormal(input_axes=[0]), "both or neither"),
        (lambda: initializers.RandomNormal(stddev=-1.0), "`stddev` must be a number"),
        (lambda: initializers.RandomNormal(mean=None), "`mean` must be a number"),
        (lambda: initializers.RandomUniform(1.0, 0.0), "`maxval` must be a number"),
        (lambda: initializers.Identity("2"), "`gain` must be a number"),
        (lambda: initializers.Orthogonal(True), "`gain` must be a number"),
        (lambda: initializers.Constant("a"), "`value` must be a number"),
        (lambda: initializers.Constant(np.array(["a"])), "must hold numbers"),
        (lambda: initializers.STFT(side="both"), "`side` must be 'real' or 'imag'"),
        (lambda: initializers.STFT(scaling="none"), "`scaling` must be 'density'"),
        (lambda: initializers.STFT(window="hannn"), "`window` must be a name"),
        (lambda: initializers.STFT(window=[[1.0]]), "`window` must have one axis"),
        (lambda: initializers.Constant([1.0, 2.0])((3,)), "must broadcast"),
        (lambda: initializers.Constant([1.0, 2.0])(()), "must broadcast"),
        (lambda: initializers.Identity()((2, 2, 2)), "only matrices"),
        (lambda: initializers.Orthogonal(seed=0)((3,)), "rank >= 2"),
        (lambda: initializers.STFT()((4, 2, 3)), "the kernel of a Fourier transform"),
        (lambda: initializers.STFT(window=[1.0, 2.0])((4, 1, 3)), "`window` must have 4 numbers"),
        (lambda: initializers.Zeros()((2, -1)), "`shape` must be a tuple of integers"),
        (lambda: initializers.Zeros()((2, None)), "`shape` must be a tuple of integers"),
        (lambda: initializers.RandomNormal(seed=0)(3), "`shape` must be a tuple of integers"),
        (lambda: initializers.RandomNormal(seed=0)((3,), "int32"), "`dtype` must be a floating-point type"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_traced_value_cannot_be_held():
    with pytest.raises(ArgumentError, match="concrete array"):
        jax.jit(lambda x: initializers.Constant(x)((2,)))(jnp.ones(2))
