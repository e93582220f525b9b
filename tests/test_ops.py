"""The table of operations: each against Keras's on small arrays, symbolic shapes against real ones, and its spelling
in configs."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import ops
from jkeras.core import KerasTensor, Variable, operators
from jkeras.core.scope import Scope
from jkeras.core.tensor import keras_tensors
from jkeras.errors import ArgumentError, ConfigError, ShapeError, UnknownNameError
from jkeras.ops import table
from tests.oracle import asking_keras, assert_close, keras

R = np.random.default_rng(0)
X = R.normal(size=(2, 3)).astype("float32")
Y = R.normal(size=(2, 3)).astype("float32")
U = R.uniform(0.1, 0.9, (2, 3)).astype("float32")
V = R.normal(size=(3,)).astype("float32")
W = R.normal(size=(3,)).astype("float32")
K = np.array([[1, 2, 3], [4, 5, 6]], "int32")
J = np.array([[2, 2, 2], [1, 3, 4]], "int32")
B = np.array([[True, False, True], [False, False, True]])
C = np.array([[False, False, True], [True, False, True]])
N = np.where(B, X, np.nan).astype("float32")
N[1, 0] = 1.0  # no row without a number
S = np.array([[4.0, 1.0], [1.0, 3.0]], "float32")  # symmetric, positive
M = R.normal(size=(3, 2)).astype("float32")
Q = R.normal(size=(2, 4, 6)).astype("float32")
IMAGE = R.normal(size=(2, 6, 6, 4)).astype("float32")
KERNEL = R.normal(size=(3, 3, 4, 2)).astype("float32")
DEPTHWISE = R.normal(size=(3, 3, 4, 1)).astype("float32")
TRANSPOSED = R.normal(size=(3, 3, 2, 4)).astype("float32")
POINTWISE = R.normal(size=(1, 1, 4, 2)).astype("float32")
KEYS = np.array([True, False, True, True]).reshape(1, 1, 1, 4)
Z = (X + 1j * Y).astype("complex64")
SOUND = R.normal(size=(2, 20)).astype("float32")
SPECTRA = (R.normal(size=(2, 4, 5)) + 1j * R.normal(size=(2, 4, 5))).astype("complex64")
SORTED = np.array([-1.0, 0.0, 1.0], "float32")

UNARY = """
    abs absolute arcsinh arctan bitwise_invert bitwise_not cbrt ceil copy cos cosh deg2rad exp exp2 expm1 fabs
    floor fliplr flipud i0 isfinite isinf isnan isneginf isposinf isreal negative rad2deg ravel reciprocal round
    sign signbit sin sinc sinh square tan tanh trunc sort argsort erf erfc stop_gradient zeros_like ones_like
    relu relu6 sigmoid silu softplus softsign log_sigmoid hard_sigmoid hard_silu hard_tanh selu sparse_plus
    sparse_sigmoid tanh_shrink swish hard_swish convert_to_tensor
"""
POSITIVE = """
    log log10 log1p log2 sqrt rsqrt arccos arcsin arctanh erfinv
"""
BINARY = """
    add arctan2 divide equal floor_divide fmax fmin fmod greater greater_equal heaviside hypot less less_equal
    logaddexp logaddexp2 maximum minimum mod multiply nextafter not_equal subtract true_divide divide_no_nan
    allclose isclose
"""
INTEGER = "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift left_shift right_shift gcd lcm"
LOGICAL = "logical_and logical_or logical_xor"
REDUCTIONS = "amax amin max mean median min prod ptp std sum var argmax argmin logsumexp"
NAN_REDUCTIONS = "nanargmax nanargmin nanmax nanmean nanmedian nanmin nanprod nanstd nansum nanvar"

CASES = [
    *((name, (K if name.startswith("bitwise") else X,), {}) for name in UNARY.split()),
    *((name, (U,), {}) for name in POSITIVE.split()),
    ("arccosh", (U + 1,), {}),
    *((name, (X, Y), {}) for name in BINARY.split()),
    *((name, (K, J), {}) for name in INTEGER.split()),
    *((name, (B, C), {}) for name in LOGICAL.split()),
    ("logical_not", (B,), {}),
    ("power", (U, Y), {}),
    ("ldexp", (X, J), {}),
    *((name, (Z,), {}) for name in ("angle", "conj", "conjugate", "imag", "real", "view_as_real")),
    ("view_as_complex", (R.normal(size=(3, 2)).astype("float32"),), {}),
    *((name, (X,), {}) for name in REDUCTIONS.split()),
    *((name, (X,), {"axis": -1, "keepdims": True}) for name in REDUCTIONS.split()),
    *((name, (N,), {"axis": 0}) for name in NAN_REDUCTIONS.split()),
    *((name, (B,), {"axis": 1}) for name in ("all", "any", "count_nonzero")),
    *((name, (X, 0.3), {"axis": 1}) for name in ("quantile",)),
    ("percentile", (X, 30.0), {"axis": 1, "keepdims": True}),
    ("nanquantile", (N, 0.3), {"axis": 0}),
    ("nanpercentile", (N, 30.0), {"axis": 0}),
    ("sum", (X,), {"axis": (0, 1)}),
    ("average", (X,), {"axis": 1}),
    ("average", (X,), {"axis": 1, "weights": V}),
    *((name, (X,), {"axis": 1}) for name in ("cumprod", "cumsum", "diff", "flip", "argsort", "sort", "trapezoid")),
    *((name, (N,), {"axis": 1}) for name in ("nancumprod", "nancumsum")),
    ("argpartition", (V, 1), {}),
    ("digitize", (X, SORTED), {}),
    ("searchsorted", (SORTED, V), {}),
    ("isin", (K, J), {}),
    ("nan_to_num", (N,), {"nan": 7.0}),
    # products
    ("cross", (X, Y), {}),
    ("dot", (X, M), {}),
    ("einsum", ("ij,jk->ik", X, M), {}),
    ("inner", (X, Y), {}),
    ("kron", (X, Y), {}),
    ("matmul", (X, M), {}),
    ("outer", (V, W), {}),
    ("tensordot", (X, M), {"axes": 1}),
    ("trace", (S,), {}),
    ("vdot", (V, W), {}),
    # shapes
    ("append", (X, Y), {"axis": 0}),
    ("array_split", (X, 2), {"axis": 1}),
    ("broadcast_to", (X, (4, 2, 3)), {}),
    ("concatenate", ([X, Y],), {"axis": -1}),
    ("dsplit", (Q, 2), {}),
    ("dstack", ([X, Y],), {}),
    ("expand_dims", (X,), {"axis": 1}),
    ("hsplit", (Q, 2), {}),
    ("hstack", ([X, Y],), {}),
    ("meshgrid", (V, W), {}),
    ("moveaxis", (Q, 0, 2), {}),
    ("pad", (X, ((1, 0), (0, 2))), {}),
    ("pad", (X, ((1, 0), (0, 2))), {"constant_values": 3.0}),
    ("pad", (X, ((1, 0), (0, 2))), {"mode": "reflect"}),
    ("repeat", (X, 2), {"axis": 1}),
    ("reshape", (X, (3, 2)), {}),
    ("roll", (X, 1), {"axis": 1}),
    ("rot90", (X,), {}),
    ("split", (X, 3), {"axis": 1}),
    ("split", (X, [1]), {"axis": 1}),
    ("squeeze", (X[:, :1],), {"axis": 1}),
    ("stack", ([X, Y],), {"axis": 1}),
    ("swapaxes", (Q, 0, 2), {}),
    ("tile", (X, (2, 1)), {}),
    ("transpose", (Q,), {"axes": (2, 0, 1)}),
    ("vsplit", (X, 2), {}),
    ("vstack", ([X, Y],), {}),
    ("unstack", (X,), {"axis": 1}),
    # choosing
    ("clip", (X, -0.5, 0.5), {}),
    ("diag", (V,), {"k": 1}),
    ("diagflat", (V,), {}),
    ("diagonal", (Q,), {"offset": 1}),
    ("get_item", (X, (slice(None), 1)), {}),
    ("select", ([B, C], [X, Y]), {}),
    ("take", (X, np.array([0, 2])), {"axis": 1}),
    ("take_along_axis", (X, np.array([[0], [2]])), {"axis": 1}),
    ("take_along_axis", (X, np.array([0, 4])), {}),
    ("tril", (S,), {}),
    ("triu", (X,), {"k": 1}),
    ("unravel_index", (np.array([1, 5]), (2, 3)), {}),
    ("where", (B, X, Y), {}),
    ("slice", (X, (0, 1), (2, 2)), {}),
    ("slice_update", (X, (0, 1), Y[:, :2]), {}),
    ("scatter", (np.array([[0], [2], [0]]), V, (4,)), {}),
    ("scatter_update", (X, np.array([[0, 1], [1, 2]]), V[:2]), {}),
    ("scatter_update", (X, np.array([[0, 1], [1, 2]]), V[:2]), {"reduction": "max"}),
    # making arrays
    ("array", (X,), {}),
    ("full_like", (X, 2.0), {}),
    ("empty_like", (X,), {}),
    ("geomspace", (1.0, 8.0), {"num": 4}),
    ("linspace", (0.0, 1.0), {"num": 5}),
    ("logspace", (0.0, 1.0), {"num": 5}),
    ("vander", (V,), {}),
    ("cast", (X, "int32"), {}),
    ("saturate_cast", (X * 300, "uint8"), {}),
    # sequences, counts, complex numbers
    ("bincount", (K.ravel(),), {"minlength": 9}),
    ("bincount", (K.astype("uint8")[0],), {}),
    ("bincount", (J[:, ::2],), {"minlength": 9}),
    ("corrcoef", (X,), {}),
    ("correlate", (V, W[:2]), {"mode": "same"}),
    ("histogram", (V,), {"bins": 4, "range": (-1.0, 1.0)}),
    ("nonzero", (B,), {}),
    ("unique", (J,), {"return_counts": True, "return_inverse": True}),
    ("unique", (J,), {"axis": 1, "size": 2, "fill_value": 7}),
    ("view", (X, "int32"), {}),
    ("view", (X, "float16"), {}),
    ("polar", (U, X), {}),
    ("cdist", (X, M.T), {}),
    ("fft", ((X, Y),), {}),
    ("fft2", ((X, Y),), {}),
    ("ifft2", ((X, Y),), {}),
    ("rfft", (X,), {"fft_length": 4}),
    ("irfft", ((X, Y),), {"fft_length": 5}),
    ("extract_sequences", (Q, 3, 2), {}),
    ("stft", (SOUND, 6, 3, 8), {}),
    ("stft", (SOUND, 6, 3, 8), {"window": "hamming", "center": False}),
    ("istft", ((SPECTRA.real, SPECTRA.imag), 6, 3, 8), {}),
    ("istft", ((SPECTRA.real, SPECTRA.imag), 6, 3, 8), {"window": None, "length": 5}),
    ("rearrange", (Q, "b (h s) c -> (b s) h c"), {"s": 2}),
    # networks
    *((name, (X,), {}) for name in ("celu", "elu", "leaky_relu", "gelu", "softmax", "log_softmax", "sparsemax")),
    ("gelu", (X,), {"approximate": False}),
    ("squareplus", (X,), {"b": 2}),
    ("soft_shrink", (X,), {"threshold": 0.2}),
    ("hard_shrink", (X,), {"threshold": 0.2}),
    ("threshold", (X, 0.1, -1.0), {}),
    ("glu", (Q,), {}),
    ("softmax", (X,), {"axis": 0}),
    ("one_hot", (K, 8), {}),
    ("one_hot", (K, 8), {"axis": 1, "dtype": "int32"}),
    ("multi_hot", (K, 8), {}),
    ("moments", (X,), {"axes": (0,), "keepdims": True}),
    ("normalize", (X,), {}),
    ("normalize", (X,), {"order": 1, "axis": 0}),
    ("batch_normalization", (X, V, U[0], -1), {"offset": V, "scale": W}),
    ("layer_normalization", (X,), {"gamma": V, "beta": W}),
    ("rms_normalization", (X,), {"scale": V}),
    ("adaptive_average_pool", (IMAGE, (3, 4)), {}),
    ("adaptive_max_pool", (IMAGE,), {"output_size": (4, 2), "data_format": "channels_first"}),
    ("average_pool", (IMAGE, 2), {"strides": 2, "padding": "same", "data_format": "channels_last"}),
    ("max_pool", (IMAGE, 3), {"strides": 1, "padding": "valid"}),
    ("conv", (IMAGE, KERNEL), {"strides": 2, "padding": "same", "data_format": "channels_last"}),
    ("conv", (IMAGE, KERNEL[:, :, :2]), {}),  # two groups
    ("depthwise_conv", (IMAGE, DEPTHWISE), {"padding": "same"}),
    ("separable_conv", (IMAGE, DEPTHWISE, POINTWISE), {"padding": "same"}),
    ("dot_product_attention", (IMAGE, IMAGE[:, :4], IMAGE[:, 1:5]), {"mask": KEYS, "scale": 0.3}),
    ("dot_product_attention", (IMAGE, IMAGE, IMAGE), {"bias": Q[:1, None, :1], "is_causal": True}),
    ("conv_transpose", (IMAGE, TRANSPOSED), {"strides": 2, "padding": "same"}),
    ("conv_transpose", (IMAGE, TRANSPOSED), {"strides": 2, "output_padding": 1, "data_format": "channels_last"}),
    ("depth_to_space", (IMAGE, 2), {}),
    ("depth_to_space", (IMAGE.transpose(0, 3, 1, 2), 2), {"data_format": "channels_first"}),
    ("space_to_depth", (IMAGE, 3), {}),
    ("space_to_depth", (IMAGE.transpose(0, 3, 1, 2), 3), {"data_format": "channels_first"}),
    ("unfold", (IMAGE, (3, 2)), {"dilation": (1, 2), "padding": (1, 0), "stride": 2}),
    ("unfold", (IMAGE, 2), {"stride": 2}),
    ("fold", (IMAGE[:, :, 0], 4, (3, 1)), {"padding": (1, 0), "stride": (2, 2)}),
    ("fold", (Q[:, :, :4], (3, 3), 2), {}),
    ("psnr", (X, Y, 1.0), {}),
    *((name, (U, U[::-1]), {}) for name in ("binary_crossentropy", "categorical_crossentropy")),
    *((name, (U, X), {"from_logits": True}) for name in ("binary_crossentropy", "categorical_crossentropy")),
    ("categorical_crossentropy", (U, U[::-1]), {"axis": 0}),
    ("sparse_categorical_crossentropy", (np.array([2, 0]), U), {}),
    ("sparse_categorical_crossentropy", (np.array([[2], [0]]), X), {"from_logits": True}),
    ("ctc_loss", (K % 3, Q, np.array([2, 3]), np.array([3, 4])), {"mask_index": 5}),
    ("ctc_decode", (Q, np.array([3, 4])), {}),
    ("ctc_decode", (Q, np.array([3, 4])), {"merge_repeated": False, "mask_index": None}),
    # the rest
    *((name, (X, np.array([0, 0]), 2), {}) for name in ("segment_max", "segment_min", "segment_prod", "segment_sum")),
    ("top_k", (X, 2), {}),
    ("in_top_k", (np.array([0, 2]), X, 2), {}),
    *((name, (S,), {}) for name in ("cholesky", "det", "eigh", "inv", "logdet", "slogdet", "pinv", "qr", "svd")),
    ("matrix_rank", (S,), {}),
    ("eig", (S,), {}),
    ("lu_factor", (S,), {}),
    ("lu_factor", (np.stack([S, S + 1]),), {}),
    *(("cholesky_inverse", (S,), {"upper": upper}) for upper in (False, True)),
    ("cholesky", (S,), {"upper": True}),
    ("norm", (X,), {"ord": 1, "axis": 1}),
    ("solve", (S, V[:2]), {}),
    ("solve", (S, X), {}),
    ("solve_triangular", (np.triu(S), X), {}),
    ("solve_triangular", (np.tril(S), V[:2]), {"lower": True}),
    ("lstsq", (M, V), {}),
]  # fmt: skip
# Names that jkeras adds to Keras's: `+x` on a symbolic tensor is recorded.
OURS = {"positive", "lift"}
# Keras computes another projection than the definition (Martins & Astudillo, 2016), with entries that do not sum to 1.
WRONG_IN_KERAS = {"sparsemax"}
# Arguments of creation: numbers, never symbolic.
NUMBERS = {"geomspace", "linspace", "logspace"}
# How long the result is depends on values.
BY_VALUES = {"bincount-", "bincount-minlength", "nonzero-", "unique-return_counts,return_inverse"}


def identify(case):
    return f"{case[0]}-{','.join(case[2])}"


def arrays_in(args, kwargs):
    """Where arrays stand in a call, so that they can be replaced by symbolic tensors."""
    leaves, treedef = jax.tree.flatten((args, kwargs))
    return leaves, treedef, [index for index, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray)]


@pytest.mark.parametrize("case", [case for case in CASES if case[0] not in WRONG_IN_KERAS], ids=identify)
def test_values_are_keras_s(case):
    name, args, kwargs = case
    ours = getattr(ops, name)(*args, **kwargs)
    with asking_keras():
        theirs = getattr(keras.ops, name)(*args, **kwargs)
    ours, theirs = jax.tree.leaves(ours), jax.tree.leaves(theirs)
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        our, their = np.asarray(our), np.asarray(their)
        assert our.dtype == their.dtype
        if np.iscomplexobj(our):
            assert_close(our.real, their.real)
            assert_close(our.imag, their.imag)
        else:
            # 256 ulps: factorizations and convolutions sum some dozens of products, in another order
            assert_close(np.nan_to_num(our), np.nan_to_num(their), ulps=256)


def program(call, args, kwargs):
    """What `call(args, kwargs)` compiles to, as text."""
    leaves, treedef, places = arrays_in(args, kwargs)

    def run(arrays):
        filled = list(leaves)
        for place, array in zip(places, arrays, strict=True):
            filled[place] = array
        return call(*jax.tree.unflatten(treedef, filled))

    return str(jax.make_jaxpr(run)([leaves[place] for place in places]))


def test_arguments_have_keras_s_names():
    problems = []
    for name, args, kwargs in (case for case in CASES if case[0] not in OURS and identify(case) not in BY_VALUES):
        f, parameters = getattr(ops, name), inspect.signature(getattr(keras.ops, name)).parameters
        if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters.values()):
            continue
        try:
            by_name = program(lambda a, k: f(**dict(zip(parameters, a, strict=False)), **k), args, kwargs)  # noqa: B023
        except TypeError as error:
            problems.append(f"{name}: {error}")
        else:
            if by_name != program(lambda a, k: f(*a, **k), args, kwargs):  # noqa: B023
                problems.append(f"{name}: another program")
    assert not problems


SYMBOLIC = [case for case in CASES if case[0] not in NUMBERS and identify(case) not in BY_VALUES]


@pytest.mark.parametrize("case", SYMBOLIC, ids=identify)
def test_symbolic_shapes_are_real_shapes(case):
    name, args, kwargs = case
    real = getattr(ops, name)(*args, **kwargs)
    leaves, treedef, places = arrays_in(args, kwargs)
    for place in places:
        leaves[place] = KerasTensor(leaves[place].shape, leaves[place].dtype)
    args, kwargs = jax.tree.unflatten(treedef, leaves)
    symbolic = getattr(ops, name)(*args, **kwargs)
    for tensor, array in zip(jax.tree.leaves(symbolic), jax.tree.leaves(real), strict=True):
        assert isinstance(tensor, KerasTensor)
        assert (tensor.shape, tensor.dtype) == (np.shape(array), np.asarray(array).dtype.name)
        assert tensor.history.operation.op in table.TABLE


# Images have their own file, and so have activations, of which one is in the table.
@pytest.mark.parametrize("name", sorted(set(table.TABLE) - {"re_lu", *ops.image.__all__}))
def test_every_row_has_a_case(name):
    assert name in {case[0] for case in CASES} | {"arange", "full", "positive", "size", "vectorized_map"}


def public_names(module):
    return {name for name in dir(module) if not name.startswith("_")}


def test_the_names_are_keras_s():
    assert set(ops.__all__) - public_names(keras.ops) <= OURS
    assert public_names(keras.ops) <= set(ops.__all__)
    assert len(set(ops.__all__)) == len(ops.__all__)
    for namespace in ("image", "linalg", "nn", "numpy"):
        assert public_names(getattr(keras.ops, namespace)) <= set(dir(getattr(ops, namespace)))


@pytest.mark.parametrize(
    "name, args",
    [
        ("arange", (5,)),
        ("arange", (1, 7, 2)),
        ("full", ((2, 3), 4.0)),
        ("full", ((2, 3), 4)),
        ("zeros", ((2, 3),)),
        ("ones", ((2, 3), "int32")),
        ("empty", ((0, 3),)),
        ("eye", (3, 4, 1)),
        ("identity", (3,)),
        ("tri", (3,)),
        *((name, (5,)) for name in ("bartlett", "blackman", "hamming", "hanning")),
        ("kaiser", (5, 1.5)),
    ],
)
def test_creation_is_keras_s(name, args):
    ours = getattr(ops, name)(*args)
    with asking_keras():
        theirs = getattr(keras.ops, name)(*args)
    assert str(ours.dtype) == str(theirs.dtype)
    assert_close(ours, theirs)


def test_shape_ndim_dtype_read_symbolic_tensors():
    x = KerasTensor((None, 3), "int32")
    assert (ops.shape(x), ops.ndim(x), ops.dtype(x)) == ((None, 3), 2, "int32")
    assert ops.is_tensor(x)
    assert ops.is_tensor(jnp.zeros(2)) and not ops.is_tensor(np.zeros(2)) and not ops.is_tensor(3)


def test_unknown_dimensions_stay_unknown():
    x = KerasTensor((None, 3))
    assert ops.concatenate([x, x], axis=0).shape == (None, 3)
    assert ops.matmul(x, KerasTensor((3, 5))).shape == (None, 5)
    assert ops.reshape(x, (-1, 3, 1)).shape == (None, 3, 1)
    assert ops.sum(x, axis=0).shape == (3,)
    assert x[:, 1:].shape == (None, 2)


def test_operators_use_names_of_the_table():
    names = [op for rows in (operators.BINARY, operators.COMPARISON, operators.UNARY) for op, _ in rows.values()]
    names += [op for rows in (operators.NAMED, operators.SYMBOLIC_ONLY) for op, _ in rows.values()]
    assert set(names) <= set(table.TABLE)


def test_operations_read_variables():
    variable = Variable("ones", shape=(3,))
    with Scope({variable: jnp.full((3,), 2.0)}).open():
        assert ops.sum(variable).tolist() == 6.0
        assert ops.add(variable, jnp.ones(3)).tolist() == [3.0, 3.0, 3.0]


def test_a_number_is_normalized_as_a_vector_and_what_is_no_norm_is_an_error():
    assert ops.normalize(-3.0).tolist() == [-1.0]
    with pytest.raises(ArgumentError, match="order=0"):
        ops.normalize(X, order=0)


def test_shapes_that_do_not_fit_are_errors():
    with pytest.raises(ShapeError, match="expected: 3 channels"):
        ops.conv(IMAGE, KERNEL[:, :, :3])  # no number of groups
    with pytest.raises(ShapeError, match="`segment_ids` must have one axis"):
        ops.segment_sum(X, K)
    with pytest.raises(ShapeError, match=r"`x` must hold pairs \(real, imaginary\)"):
        ops.view_as_complex(X)
    with pytest.raises(ShapeError, match=r"`x` must hold pairs \(real, imaginary\)"):
        ops.view_as_complex(KerasTensor((None, 3)))


def test_a_bad_reduction_is_an_error():
    with pytest.raises(ArgumentError, match="`reduction` must be"):
        ops.scatter_update(X, np.array([[0, 1]]), V[:1], reduction="mean")


# -- configs


def spelled(case):
    """The call of a case as Keras's configs spell it."""
    name, args, kwargs = case
    return table.spell(name, table.TABLE[name].function, args, kwargs)


@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "positive"], ids=identify)
def test_spelling_and_arranging_are_inverse(case):
    name, args, kwargs = case
    if name in ("swish", "hard_swish"):
        return
    spelling = spelled(case)
    assert table.named(spelling.class_name).replace("_", "") == name.replace("_", "")
    again = table.arrange(name, spelling.settings, spelling.args, spelling.kwargs)
    for one, two in zip(
        jax.tree.leaves(getattr(ops, name)(*args, **kwargs)),
        jax.tree.leaves(getattr(ops, name)(*again[0], **again[1])),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)


# Functions of Keras's that have no class of their own, or one that is not made from a config.
WITHOUT_CLASS = {
    *WRONG_IN_KERAS,
    "swish",
    "hard_swish",
    "batch_normalization",
    "layer_normalization",
    "rms_normalization",
    "positive",
}


# Keras's class passes a list where JAX wants an int or a tuple, and fails whoever made it; or arguments in a wrong
# order, or to a function that is not there.
FAILS_IN_KERAS = {"quantile-axis", "norm-ord,axis"}
CLASS_FAILS_IN_KERAS = {"conv_transpose", "histogram"}
READABLE = [
    case
    for case in CASES
    if case[0] not in WITHOUT_CLASS | CLASS_FAILS_IN_KERAS and identify(case) not in FAILS_IN_KERAS
]


@pytest.mark.parametrize("case", READABLE, ids=identify)
def test_keras_reads_the_spelling(case):
    name, args, kwargs = case
    spelling = spelled(case)
    config = {
        "module": spelling.module,
        "class_name": spelling.class_name,
        "config": {"name": name, **spelling.settings},
        "registered_name": spelling.class_name,
    }
    with asking_keras():
        operation = keras.saving.deserialize_keras_object(config)
        theirs = operation.call(*spelling.args, **spelling.kwargs)
    for one, two in zip(jax.tree.leaves(getattr(ops, name)(*args, **kwargs)), jax.tree.leaves(theirs), strict=True):
        one, two = np.asarray(one), np.asarray(two)
        if not np.iscomplexobj(one):
            assert_close(np.nan_to_num(one), np.nan_to_num(two), ulps=256)  # as above


def test_unknown_classes_and_settings_are_errors():
    with pytest.raises(UnknownNameError, match="did you mean"):
        table.named("Exandims")
    with pytest.raises(ConfigError, match="sharp=True"):
        table.arrange("one_hot", {"num_classes": 3, "sharp": True}, ["x"], {})
    assert table.arrange("one_hot", {"num_classes": 3, "sharp": False}, ["x"], {}) == (["x", 3], {})


def test_lifted_tensors_know_their_operation():
    x = KerasTensor((2,))
    assert keras_tensors(ops.exp(x) + 1)[0].history.operation.op == "add"
