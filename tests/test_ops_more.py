"""Operations that take functions, whose results depend on values, or of which more is to be said than a value."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, ops
from jkeras.core import KerasTensor, Variable
from jkeras.core.scope import Scope
from jkeras.errors import ArgumentError, SerializationError, ShapeError, TraceLevelError
from jkeras.functional import windows
from jkeras.ops import table
from tests.oracle import asking_keras, assert_close, keras

R = np.random.default_rng(0)
X = R.normal(size=(4, 3)).astype("float32")


# -- control flow

CONTROL = {
    "associative_scan": lambda ops: ops.associative_scan(lambda a, b: a * b, jnp.asarray(X), reverse=True, axis=1),
    "cond": lambda ops: (ops.cond(X[0, 0] > 9, lambda: X * 2, lambda: X - 1), ops.cond(True, lambda: 1, lambda: 2)),
    "switch": lambda ops: ops.switch(7, [lambda x, y: x + y, lambda x, y: x * y], X, 3.0),
    "scan": lambda ops: ops.scan(lambda c, x: (c + x, c * x), jnp.zeros(3), jnp.asarray(X), reverse=True, unroll=2),
    "scan_length": lambda ops: ops.scan(lambda c, _: (c * 2, c), jnp.float32(1), length=4),
    "map": lambda ops: ops.map(lambda x: {"a": x * 2, "b": x.sum()}, jnp.asarray(X)),
    "vectorized_map": lambda ops: ops.vectorized_map(lambda xy: xy[0] @ xy[1], (jnp.asarray(X), jnp.asarray(X))),
    "while_loop": lambda ops: ops.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (0, jnp.asarray(X))),
    "while_loop_one": lambda ops: ops.while_loop(lambda x: x < 9, lambda x: x * 2, jnp.float32(1)),
    "while_loop_most": lambda ops: ops.while_loop(lambda x: x < 9, lambda x: x * 2, 1.0, maximum_iterations=2),
    "fori_loop": lambda ops: ops.fori_loop(1, 4, lambda i, x: x * i, jnp.asarray(X)),
    "vectorize": lambda ops: ops.vectorize(lambda a, b: a @ b, signature="(n),(n)->()")(X, X[:1]),
    "vectorize_excluded": lambda ops: ops.vectorize(lambda a, k: a**k, excluded={1})(X, 2),
    "jvp": lambda ops: ops.jvp(jnp.sin, (jnp.asarray(X),), (jnp.ones((4, 3)),)),
    "jvp_aux": lambda ops: ops.jvp(lambda x: (x**2, x.sum()), (jnp.asarray(X),), (jnp.ones((4, 3)),), has_aux=True),
}


@pytest.mark.parametrize("name", CONTROL)
def test_control_flow_is_keras_s(name):
    ours = CONTROL[name](ops)
    with asking_keras():
        theirs = CONTROL[name](keras.ops)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    jax.tree.map(assert_close, ours, theirs)


SYMBOLIC = {
    "associative_scan": lambda x: ops.associative_scan(jnp.add, x, axis=1),
    "cond": lambda x: ops.cond(ops.sum(x) > 0, lambda: jnp.ones(3), lambda: jnp.zeros(3)),
    "switch": lambda x: ops.switch(1, [lambda x: x, lambda x: x * 2], x),
    "scan": lambda x: ops.scan(lambda c, x: (c + x, c.sum()), jnp.zeros(3), x),
    "map": lambda x: ops.map(lambda x: x * 2, x),
    "vectorized_map": lambda x: ops.vectorized_map(lambda x: x.sum(), x),
    "while_loop": lambda x: ops.while_loop(lambda x: x.sum() < 9, lambda x: x * x + 1, x),
    "fori_loop": lambda x: ops.fori_loop(0, 3, lambda i, x: x + i, x),
    "vectorize": lambda x: ops.vectorize(lambda x: x + 1)(x),
    "jvp": lambda x: ops.jvp(jnp.sin, (x,), (x,)),
    "custom_gradient": lambda x: ops.custom_gradient(lambda x: (x * 2, lambda upstream: upstream))(x),
}


@pytest.mark.parametrize("name", SYMBOLIC)
def test_control_flow_is_recorded_and_replayed(name):
    inputs = jkeras.Input((3,), batch_size=4)
    outputs = SYMBOLIC[name](inputs)
    tensors = [leaf for leaf in jax.tree.leaves(outputs) if isinstance(leaf, KerasTensor)]
    model = jkeras.Model(inputs, tensors)
    replayed = model.stateless_call({}, {}, jnp.asarray(X))[0]
    for tensor, array, expected in zip(
        tensors, jax.tree.leaves(replayed), jax.tree.leaves(SYMBOLIC[name](X)), strict=True
    ):
        assert (tensor.shape, tensor.dtype) == (array.shape, array.dtype.name)
        assert_close(array, expected)
    assert name in tensors[0].history.operation.name or name in ("vectorize", "custom_gradient")
    operation = tensors[0].history.operation
    with pytest.raises(SerializationError):  # a lambda has no name that a config could keep
        operation.get_config()
        jkeras.Model.from_config(model.get_config())


def test_unknown_batches_stay_unknown():
    x = KerasTensor((None, 3))
    assert ops.map(lambda x: x * 2, x).shape == (None, 3)
    assert ops.scan(lambda c, x: (c + x, c.sum()), jnp.zeros(3), x)[1].shape == (None,)
    assert ops.extract_sequences(KerasTensor((2, None)), 4, 2).shape == (2, None, 4)
    assert [y.shape for y in ops.stft(KerasTensor((None, 32)), 8, 4, 8)] == [(None, 9, 5)] * 2
    assert ops.cdist(x, KerasTensor((5, 3))).shape == (None, 5)
    assert ops.ctc_loss(*(KerasTensor((None, n), "int32") for n in (2,)), KerasTensor((None, 4, 3)),
                        KerasTensor((None,), "int32"), KerasTensor((None,), "int32")).shape == (None,)  # fmt: skip
    assert ops.rearrange(x, "b (h s) -> (b s) h", s=3).shape == (None, 1)


class Counting(jkeras.Layer):
    """A layer that counts its calls, inside of `flow`."""

    def __init__(self, flow, **kwargs):
        super().__init__(**kwargs)
        self.flow = flow

    def build(self, input_shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, x):
        def counted(x):
            self.calls.assign(self.calls.value + 1)
            return x * 2

        return self.flow(counted, x)


@pytest.mark.parametrize(
    "flow, calls",
    [
        (lambda f, x: ops.cond(x.sum() < 1e9, lambda: f(x), lambda: x), 1),
        (lambda f, x: ops.cond(x.sum() > 1e9, lambda: f(x), lambda: x), 0),
        (lambda f, x: ops.switch(2, [lambda x: x, f, lambda x: f(f(x))], x), 2),
        (lambda f, x: ops.scan(lambda c, row: (c, f(row)), 0.0, x)[1], 4),
        (lambda f, x: ops.map(f, x), 4),
        (lambda f, x: ops.vectorized_map(f, x), 1),
    ],
    ids=["cond", "cond-not", "switch", "scan", "map", "vectorized_map"],
)
def test_layers_called_in_control_flow_may_assign(flow, calls):
    layer = Counting(flow)
    variables = layer.init(jax.random.key(0), X)
    _, non_trainable = jax.jit(layer.stateless_call)(*variables, X)
    assert jax.tree.leaves(non_trainable) == [calls]


def test_loops_without_an_end_only_read():
    layer = Counting(lambda f, x: ops.fori_loop(0, 3, lambda _, x: f(x), x))
    with pytest.raises(TraceLevelError):
        layer.init(jax.random.key(0), X)


def test_a_custom_gradient_is_used():
    def halved(ops):
        @ops.custom_gradient
        def function(x):
            return x * x, lambda *args, upstream=None: (args[0] if upstream is None else upstream) / 2

        return jax.value_and_grad(function)(3.0)

    ours = halved(ops)
    with asking_keras():
        theirs = halved(keras.ops)
    assert [float(x) for x in ours] == [float(x) for x in theirs] == [9.0, 0.5]


def test_functions_of_variables():
    variable = Variable("ones", shape=(3,))
    with Scope({variable: jnp.full((3,), 2.0)}).open():
        assert ops.fori_loop(0, 2, lambda i, x: x * 2, variable).tolist() == [8.0] * 3
        assert ops.while_loop(lambda x: x.sum() < 20, lambda x: x * 2, variable).tolist() == [8.0] * 3
        assert ops.map(lambda x: x + 1, variable).tolist() == [3.0] * 3
        assert ops.convert_to_numpy(variable).tolist() == [2.0] * 3


# -- results whose length depends on values


def test_lengths_are_said_where_values_are_unknown():
    numbers = jnp.array([3, 0, 3, 5])
    assert jax.jit(lambda x: ops.bincount(x, length=4))(numbers).tolist() == [1, 0, 0, 2]
    assert jax.jit(lambda x: ops.nonzero(x, size=4, fill_value=-1))(numbers)[0].tolist() == [0, 2, 3, -1]
    assert jax.jit(lambda x: ops.unique(x, size=4, fill_value=9))(numbers).tolist() == [0, 3, 5, 9]
    assert ops.nonzero(KerasTensor((None, 3)), size=5)[1].shape == (5,)
    for op in (ops.bincount, ops.nonzero, ops.unique):
        with pytest.raises(ArgumentError, match="depends on values"):
            jax.jit(op)(numbers)
        with pytest.raises(ArgumentError, match="depends on values"):
            op(KerasTensor((4,), "int32"))


def test_counts_have_weights_and_rows():
    rows, weights = jnp.array([[1, 1, 0], [4, 0, 0]]), jnp.array([[0.5, 1.0, 2.0], [1.0, 3.0, 4.0]])
    counted = ops.bincount(rows, weights)  # rows whose largest numbers differ, which Keras cannot stack
    assert counted.tolist() == [[2.0, 1.5, 0.0, 0.0, 0.0], [7.0, 0.0, 0.0, 0.0, 1.0]]
    with asking_keras():
        assert_close(counted[1], keras.ops.bincount(rows[1], weights[1]))
    assert ops.bincount(jnp.zeros((0,), "int32")).shape == (0,)


def test_size_is_a_number_or_symbolic():
    assert ops.size(X) == 12
    assert ops.size(KerasTensor((4, 3))).dtype == "int32"
    spelling = table.spell("size", table.TABLE["size"].function, (X,), {})
    assert (spelling.module, spelling.class_name) == ("keras.src.ops.numpy", "Size")


def test_values_go_to_numpy():
    array = ops.convert_to_numpy(jnp.ones(2, "bfloat16"))
    array += 1  # NumPy's own copy
    assert (type(array), array.dtype.name) == (np.ndarray, "bfloat16")
    for unknown in (KerasTensor((2,)), jax.make_jaxpr):
        with pytest.raises(ArgumentError, match="`x` has no values"):
            ops.convert_to_numpy(unknown) if isinstance(unknown, KerasTensor) else jax.jit(ops.convert_to_numpy)(X)


# -- connectionist temporal classification


def spelled_by(path, blank):
    merged = [label for label, _ in itertools.groupby(path)]
    return tuple(label for label in merged if label != blank)


def all_labels(scores, blank):
    """The probability of every sequence of labels, by summing all paths."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(scores.shape[1]), repeat=scores.shape[0]):
        labels = spelled_by(path, blank)
        found[labels] = found.get(labels, 0.0) + float(np.exp(sum(scores[t, c] for t, c in enumerate(path))))
    return found


LOGITS = R.normal(size=(2, 5, 3)).astype("float32") * 2
LOG = np.asarray(jax.nn.log_softmax(LOGITS), "float64")
LENGTHS = np.array([5, 3])


def test_a_wide_beam_search_finds_the_most_probable_labels():
    labels, scores = ops.ctc_decode(LOGITS, LENGTHS, strategy="beam_search", beam_width=40, top_paths=3, mask_index=1)
    for index, length in enumerate(LENGTHS):
        expected = sorted(all_labels(LOG[index, :length], 1).items(), key=lambda item: -item[1])[:3]
        assert [tuple(row[row >= 0].tolist()) for row in labels[:, index]] == [labels for labels, _ in expected]
        assert_close(np.exp(scores[index]), [probability for _, probability in expected])


def test_a_narrow_beam_search_is_keras_s():
    settings = {"strategy": "beam_search", "beam_width": 2, "top_paths": 2}
    ours = ops.ctc_decode(LOGITS, LENGTHS, **settings)
    with asking_keras():
        theirs = keras.ops.ctc_decode(LOGITS, LENGTHS, **settings)
    np.testing.assert_array_equal(ours[0], theirs[0])
    assert_close(ours[1], theirs[1])
    assert [y.shape for y in ops.ctc_decode(KerasTensor((None, 5, 3)), KerasTensor((None,), "int32"), **settings)] == [
        (2, None, 5),
        (None, 2),
    ]


def test_the_loss_is_minus_the_log_of_the_probability_of_all_paths():
    labels, lengths = np.array([[1, 1], [2, 0]]), np.array([2, 1])
    losses = ops.ctc_loss(labels, LOGITS, lengths, LENGTHS)
    for index in range(2):
        probability = all_labels(LOG[index, : LENGTHS[index]], 0)[tuple(labels[index, : lengths[index]].tolist())]
        assert_close(losses[index], -np.log(probability))
    half = ops.ctc_loss(labels, jnp.asarray(LOGITS, "bfloat16"), lengths, LENGTHS)
    assert half.dtype == "float32"


# -- crossentropies


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy"])
@pytest.mark.parametrize("from_logits", [False, True])
def test_gradients_of_crossentropies_are_keras_s(name, from_logits):
    target = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]], "float32")
    output = X if from_logits else np.asarray(jax.nn.softmax(X))

    def total(ops):
        return jax.grad(lambda x: getattr(ops, name)(target, x, from_logits=from_logits).sum())(jnp.asarray(output))

    ours = total(ops)
    with asking_keras():
        theirs = total(keras.ops)
    assert_close(ours, theirs)


def test_crossentropies_keep_half_precision_and_refuse_other_shapes():
    half = jnp.asarray(X, "bfloat16")
    assert ops.binary_crossentropy(half > 0, half, from_logits=True).dtype == "bfloat16"
    for call in (
        lambda: ops.binary_crossentropy(X[:2], X),
        lambda: ops.categorical_crossentropy(X[:, :2], X),
        lambda: ops.sparse_categorical_crossentropy(np.zeros(3, "int32"), X),
        lambda: ops.ctc_loss(np.zeros(3, "int32"), LOGITS, LENGTHS, LENGTHS),
        lambda: ops.ctc_decode(X, LENGTHS),
        lambda: ops.psnr(X, X[:2], 1.0),
        lambda: ops.cdist(X, X[:, :2]),
    ):
        with pytest.raises(ShapeError):
            call()


# -- signals


@pytest.mark.parametrize("settings", [(6, 3, 8), (8, 8, 8, None), (8, 2, 9, "hamming")])
def test_signals_come_back_from_their_transform(settings):
    length, stride, fft, *window = settings
    signal = R.normal(size=(2, 40)).astype("float32")
    options = {"window": window[0]} if window else {}
    back = ops.istft(ops.stft(signal, length, stride, fft, **options), length, stride, fft, **options)
    covered = min(back.shape[1], 40)
    # without a window the frames are summed; these do not overlap
    assert_close(back[:, :covered], signal[:, :covered], ulps=256)


def test_gradients_of_transforms_are_those_of_a_linear_map():
    signal = jnp.asarray(R.normal(size=(20,)), "float32")
    (real, imaginary), pull = jax.vjp(lambda x: ops.stft(x, 6, 3, 8), signal)
    energy = jnp.vdot(real, real) + jnp.vdot(imaginary, imaginary)
    assert_close(jnp.vdot(pull((real, imaginary))[0], signal), energy)


def test_frames_and_spread_are_transposes():
    x = jnp.asarray(R.normal(size=(2, 11, 3)), "float32")
    for size, stride, dilation in ((2, 2, 1), (3, 4, 2)):  # a reshape, and a gather
        framed, pull = jax.vjp(lambda x: windows.frames(x, 1, size, stride, dilation), x)  # noqa: B023 - called here
        assert_close(windows.spread(framed, 1, 11, stride, dilation), pull(framed)[0])


def test_signals_of_other_dtypes_and_windows_are_errors():
    signal = jnp.zeros(20)
    for call, message in (
        (lambda: ops.stft(signal.astype("bfloat16"), 6, 3, 8), "float32 or float64"),
        (lambda: ops.stft(signal, 9, 3, 8), "`fft_length` must be at least"),
        (lambda: ops.stft(signal, 6, 3, 8, window="blackman"), "`window` must be"),
        (lambda: ops.stft(signal, 6, 3, 8, window=np.ones(5)), "`window` must have shape"),
        (lambda: ops.fft(signal), "a pair of arrays"),
        (lambda: ops.fft((signal, signal[:2])), "of the same shape"),
        (lambda: ops.istft((signal, signal), 6, 3, 8), "frequencies"),
        (lambda: ops.extract_sequences(signal, 0, 1), "sequence_length"),
    ):
        with pytest.raises((ArgumentError, ShapeError), match=message):
            call()


# -- the rest


def test_a_distance_of_zero_has_gradient_zero():
    gradient = jax.grad(lambda x: ops.cdist(x, X).sum())(jnp.asarray(X))
    assert np.isfinite(gradient).all()
    assert ops.cdist(jnp.asarray(X, "bfloat16"), jnp.asarray(X, "bfloat16")).dtype == "bfloat16"


def test_factors_of_several_matrices():
    matrices = np.stack([np.eye(3), np.diag([4.0, 9.0, 16.0])]).astype("float32")
    inverses = ops.cholesky_inverse(ops.cholesky(matrices))  # Keras has one matrix only
    assert_close(inverses @ matrices, np.stack([np.eye(3)] * 2))


def test_nan_is_not_among_the_best():
    predictions = np.array([[np.nan, 1.0, 2.0]] * 2, "float32")
    assert ops.in_top_k(np.array([0, 2]), predictions, 1).tolist() == [False, True]


def test_a_slice_takes_what_is_left():
    assert_close(ops.slice(X, (1, 1), (-1, 2)), X[1:, 1:])
    assert ops.slice(KerasTensor((4, 3)), (1, 1), (-1, 2)).shape == (3, 2)


def test_blocks_go_and_come_back():
    images = R.normal(size=(1, 4, 6, 8)).astype("float32")
    for layout in ("channels_last", "channels_first"):
        assert_close(ops.space_to_depth(ops.depth_to_space(images, 2, layout), 2, layout), images, ulps=0)
    assert ops.depth_to_space(KerasTensor((None, None, 5, 8)), 2).shape == (None, None, 10, 2)
    for call in (lambda: ops.depth_to_space(images, 3), lambda: ops.space_to_depth(images, 4)):
        with pytest.raises(ShapeError, match="must be a multiple of"):
            call()


def test_fold_sums_what_unfold_took():
    images = R.normal(size=(2, 3, 6, 5)).astype("float32")
    settings = {"kernel_size": (3, 2), "dilation": (1, 2), "padding": (1, 0), "stride": (2, 1)}
    columns, pull = jax.vjp(lambda x: ops.unfold(x, **settings), jnp.asarray(images))
    assert_close(ops.fold(columns, (6, 5), **settings), pull(columns)[0])
    with pytest.raises(ShapeError, match="`x` must have one row"):
        ops.fold(columns[:, :, :-1], (6, 5), **settings)


@pytest.mark.parametrize(
    "pattern, lengths",
    [
        ("a b -> (b a)", {}),
        ("(a c) b -> c (a b)", {"c": 2}),
        ("(a c d) b -> a b c d", {"c": 2, "d": 1}),
        ("a b->b a", {}),
    ],
)
def test_rearranging_is_keras_s(pattern, lengths):
    ours = ops.rearrange(X, pattern, **lengths)
    with asking_keras():
        assert_close(ours, keras.ops.rearrange(X, pattern, **lengths), ulps=0)


@pytest.mark.parametrize(
    "pattern, lengths",
    [
        ("a b -> a", {}),
        ("a b -> b c", {}),
        ("a a -> a", {}),
        ("a b, b a", {}),
        ("a b c -> a b c", {}),
        ("(a c) b -> a b c", {}),
        ("(a c) b -> a b c", {"c": 3}),
        ("a b -> b a", {"c": 3}),
    ],
)
def test_patterns_that_rearrange_nothing(pattern, lengths):
    with pytest.raises((ArgumentError, ShapeError), match="pattern"):
        ops.rearrange(X, pattern, **lengths)


def test_a_graph_of_new_operations_goes_through_its_config():
    inputs = jkeras.Input((8, 8, 3), batch_size=2)
    x = ops.image.resize(inputs, (4, 4))
    x = ops.rearrange(x, "b h w c -> b (h w) c")
    x = ops.fft((x, x))[0]
    outputs = layers.Dense(2)(ops.space_to_depth(ops.reshape(x, (2, 4, 4, 3)), 2))
    model = jkeras.Model(inputs, outputs)
    again = jkeras.Model.from_config(model.get_config())
    images = R.normal(size=(2, 8, 8, 3)).astype("float32")
    variables = model.init(jax.random.key(0))
    assert_close(again.stateless_call(*variables, images)[0], model.stateless_call(*variables, images)[0], ulps=0)
    with asking_keras():
        theirs = keras.Model.from_config(model.get_config())
        theirs.set_weights([np.asarray(leaf) for leaf in jax.tree.leaves(model.get_weights(variables))])
        expected = theirs(images)
    assert_close(model.stateless_call(*variables, images)[0], expected, ulps=256)  # as in test_ops


# -- what Keras's arguments ask for, and JAX has not


@pytest.mark.parametrize(
    "call",
    [
        lambda: ops.one_hot(jnp.array([1]), 3, sparse=True),
        lambda: ops.multi_hot(jnp.array([1]), 3, sparse=True),
        lambda: ops.bincount(jnp.array([1]), sparse=True),
        lambda: ops.convert_to_tensor([1], sparse=True),
        lambda: ops.convert_to_tensor([[1], [2, 3]], ragged=True),
        lambda: jkeras.Input((3,), sparse=True),
    ],
)
def test_there_are_no_sparse_and_ragged_tensors(call):
    with pytest.raises(ArgumentError, match="dense arrays"):
        call()


def test_moments_of_a_batch_in_pieces():
    pieces = jnp.asarray(X).reshape(2, 2, 3)
    for synchronized in (True, "batch", ["batch"]):
        split = jax.vmap(lambda x, s=synchronized: ops.moments(x, 0, synchronized=s), axis_name="batch")(pieces)
        for ours, whole in zip(split, ops.moments(X, 0), strict=True):
            # the mean of two means of two: one rounding more than the mean of four
            assert_close(ours, jnp.stack([whole, whole]), ulps=8)
    with pytest.raises(ArgumentError, match="none is named 'data'"):
        ops.moments(X, 0, synchronized="data")
    with pytest.raises(ArgumentError, match="must be a bool or the names of mapped axes"):
        ops.moments(X, 0, synchronized=3)
