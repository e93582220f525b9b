"""Recurrent layers: what rows cannot say. Carried states, masks over long padding, cells of users, wrappers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core import Layer, get_mask
from jkeras.errors import ArgumentError, BuildError, ShapeError
from tests.oracle import asking_keras, assert_close, keras

X = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
KEEP = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], bool)
QUICK = {"recurrent_initializer": "glorot_uniform"}
RECURRENT = [layers.SimpleRNN, layers.LSTM, layers.GRU]


def run(layer, x=X, key=0, **kwargs):
    return layer.stateless_call(*layer.init(jax.random.key(key), x), x, **kwargs)[0]


class Counting(Layer):
    """A cell that assigns a variable, draws random numbers and adds a loss in every step."""

    state_size = 3

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.stream = jkeras.SeedGenerator(1)
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")

    def call(self, inputs, states, training=False):
        self.steps.assign_add(1)
        self.add_loss(jnp.sum(inputs))
        drawn = jax.random.uniform(self.stream.next(), ()) if training else 0.0
        return inputs + drawn, states[0] + drawn


# -- masks


@pytest.mark.parametrize("cls", RECURRENT)
def test_a_thousand_poisoned_steps_change_neither_outputs_nor_gradients(cls):
    layer = cls(2, return_sequences=True, **QUICK)
    t = 1024
    keep = np.zeros((2, t), bool)
    keep[0, :3], keep[1, [0, 500, 1023]] = True, True
    x = np.full((2, t, 3), np.nan, "float32")
    x[keep] = X[:, :3].reshape(6, 3)
    variables = layer.init(jax.random.key(0), (2, 3, 3))

    def total(trainable, x, mask):
        outputs, _ = layer.stateless_call(trainable, variables.non_trainable, x, mask=mask)
        return jnp.sum(outputs[:, -1] ** 2), outputs

    gradient = jax.jit(jax.value_and_grad(total, has_aux=True))
    (_, outputs), poisoned = gradient(variables.trainable, x, keep)
    (_, short), clean = gradient(variables.trainable, X[:, :3], np.ones((2, 3), bool))
    assert_close(outputs[keep].reshape(2, 3, 2), short)
    assert_close(outputs[1, 499], short[1, 0])  # a step that does not count repeats the one before
    for one, other in zip(jax.tree.leaves(poisoned), jax.tree.leaves(clean), strict=True):
        assert_close(one, other, ulps=256)  # sums over 1,024 steps, of which all but 3 are 0, in another order


def test_cells_of_users_repeat_outputs_too():
    layer = layers.RNN(Counting(), return_sequences=True)
    outputs = run(layer, mask=KEEP)
    np.testing.assert_array_equal(outputs[0], X[0, [0, 1, 1, 3, 3]])
    np.testing.assert_array_equal(outputs[1], np.concatenate([np.zeros((1, 3)), X[1, 1:]]))
    layer = layers.RNN(Counting(), return_sequences=True, zero_output_for_mask=True)
    np.testing.assert_array_equal(run(layer, mask=KEEP), np.where(KEEP[..., None], X, 0))


def test_masks_travel_through_and_are_turned_with_the_outputs():
    class Reader(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.mask = layers.Masking()
            self.forward = layers.SimpleRNN(2, return_sequences=True, return_state=True, **QUICK)
            self.backward = layers.SimpleRNN(2, return_sequences=True, go_backwards=True, **QUICK)
            self.both = layers.Bidirectional(layers.GRU(2, return_sequences=True, **QUICK), merge_mode=None)
            self.last = layers.SimpleRNN(2, **QUICK)

        def call(self, inputs):
            masked = self.mask(inputs)
            outputs, state = self.forward(masked, initial_state=[jnp.ones((2, 2))])  # several tensors, one mask
            results = (outputs, state, self.backward(masked), *self.both(masked), self.last(masked))
            return outputs, [get_mask(result) for result in results]

    x = np.where(KEEP[..., None], X, 0)
    reader = Reader()
    outputs, masks = run(reader, x)
    np.testing.assert_array_equal(outputs[0, 1], outputs[0, 2])
    np.testing.assert_array_equal(masks[0], KEEP)
    np.testing.assert_array_equal(masks[2], KEEP[:, ::-1])
    np.testing.assert_array_equal(masks[3], KEEP)
    np.testing.assert_array_equal(masks[4], KEEP)
    assert masks[1] is None and masks[5] is None


def test_images_are_masked_step_by_step():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 1)).astype("float32")
    keep = np.array([[True, False, False], [True, True, True]])
    layer = layers.ConvLSTM1D(2, 2, **QUICK)
    variables = layer.init(jax.random.key(0), x)
    masked, _ = layer.stateless_call(*variables, x, mask=keep)
    first, _ = layer.stateless_call(*variables, x[:, :1])
    whole, _ = layer.stateless_call(*variables, x)
    assert_close(masked, np.stack([first[0], whole[1]]))


# -- carried states


def test_a_stateful_layer_goes_on_where_it_ended():
    layer = layers.LSTM(2, stateful=True, return_sequences=True, **QUICK)
    trainable, state = layer.init(jax.random.key(0), X)
    whole = layers.LSTM(2, return_sequences=True, **QUICK)
    whole.build((None, None, 3))
    expected, _ = whole.stateless_call(trainable, {"lstm_cell": state["lstm_cell"]}, X)
    first, after = layer.stateless_call(trainable, state, X[:, :2])
    second, after = layer.stateless_call(trainable, after, X[:, 2:])
    assert_close(np.concatenate([first, second], axis=1), expected)
    assert not jax.tree.leaves(state["states"])[0].any()
    reset = layer.reset_state((trainable, after))
    again, _ = layer.stateless_call(*reset, X[:, :2])
    np.testing.assert_array_equal(again, first)
    assert [weight.name for weight in layer.weights] == ["kernel", "recurrent_kernel", "bias"]
    assert layer.get_config()["stateful"]
    with pytest.raises(ShapeError, match="batch"):
        layer.stateless_call(trainable, state, X[:1])


def test_states_of_a_training_loop_are_carried_by_scan():
    model = jkeras.Sequential(
        [jkeras.Input(batch_shape=(2, 1, 3)), layers.GRU(2, stateful=True, **QUICK), layers.Dense(1)]
    )
    trainable, start = model.init(jax.random.key(0))

    def step(state, x):
        outputs, state = model.stateless_call(trainable, state, x)
        return state, outputs

    _, stepwise = jax.lax.scan(step, start, jnp.swapaxes(X, 0, 1)[:, :, None])
    plain = jkeras.Sequential([jkeras.Input((5, 3)), layers.GRU(2, **QUICK), layers.Dense(1)])
    plain.init(jax.random.key(0))
    expected, _ = plain.stateless_call(trainable, {"gru": {"gru_cell": start["gru"]["gru_cell"]}}, X)
    assert_close(stepwise[-1], expected)


# -- cells of users


def test_a_cell_of_a_user_assigns_draws_and_adds_losses():
    layer = layers.RNN(Counting(), return_sequences=True)
    trainable, state = layer.init(jax.random.key(0), X)
    outputs, after, losses = layer.stateless_call(trainable, state, X, training=True, return_losses=True)
    assert after["cell"]["steps"] == 5
    assert after["cell"]["stream"]["seed_generator_state"].tolist() == [1, 5]
    assert_close(losses["cell/add_loss"], X.sum())
    drawn = np.asarray(outputs - X)[0, :, 0]
    assert len(set(drawn.round(5).tolist())) == 5  # anew in each step


def test_a_stack_of_built_in_cells_and_a_users_shares_dropout_masks_over_time():
    layer = layers.RNN([layers.GRUCell(3, dropout=0.5, seed=1, **QUICK), Counting()], return_sequences=True)
    trainable, state = layer.init(jax.random.key(0), X)
    _, after = layer.stateless_call(trainable, state, X, training=True)
    cells = after["cell"]["cells"]
    assert cells["0"]["seed_generator"]["seed_generator_state"].tolist() == [1, 1]  # one mask for all steps
    assert cells["1"]["steps"] == 5


def test_a_changed_call_of_a_built_in_cell_is_used():
    class Doubling(layers.SimpleRNNCell):
        def call(self, inputs, states, training=False):
            output, states = super().call(inputs, states, training)
            return 2 * output, states

    plain, doubled = (run(layers.RNN(cls(2, **QUICK))) for cls in (layers.SimpleRNNCell, Doubling))
    assert_close(doubled, 2 * plain)


def test_rnn_of_a_cell_equals_the_layer_of_that_cell():
    whole, around = layers.GRU(2, **QUICK), layers.RNN(layers.GRUCell(2, name="gru_cell", **QUICK))
    np.testing.assert_array_equal(run(whole), run(around))


def test_initial_states_may_be_symbolic():
    sequences, state = jkeras.Input((None, 3)), jkeras.Input((2,))
    model = jkeras.Model([sequences, state], layers.GRU(2, name="gru", **QUICK)(sequences, initial_state=state))
    variables = model.init(jax.random.key(0))
    start = np.ones((2, 2), "float32")
    outputs, _ = model.stateless_call(*variables, [X, start])
    layer = layers.GRU(2, **QUICK)
    layer.build((None, None, 3))
    expected, _ = layer.stateless_call(variables.trainable["gru"], variables.non_trainable["gru"], X, [start])
    assert_close(outputs, expected)


@pytest.mark.parametrize("cls", RECURRENT)
def test_loops_of_known_activations_have_the_derivatives_that_jax_finds(cls):
    def derivatives(activation):
        layer = cls(2, activation=activation, **QUICK)
        variables = layer.init(jax.random.key(0), X)

        def total(trainable, x):
            return jnp.sum(layer.stateless_call(trainable, variables.non_trainable, x, mask=KEEP)[0] ** 2)

        return jax.tree.leaves(jax.jit(jax.grad(total, (0, 1)))(variables.trainable, X))

    def unknown(x):
        return jnp.tanh(x)

    for known, other in zip(derivatives("tanh"), derivatives(unknown), strict=True):
        assert_close(known, other)


def test_an_activation_may_hold_what_is_differentiated():
    def last(slope):
        layer = layers.SimpleRNN(1, activation=lambda x: slope * x, kernel_initializer="ones", **QUICK)
        trainable, state = layer.init(jax.random.key(0), X)
        ones = jax.tree.map(jnp.ones_like, trainable)
        return layer.stateless_call(ones, state, jnp.ones((1, 2, 3)))[0].sum()

    # weights, inputs and bias are 1: h1 = 4 s, h2 = s (4 + 4 s)
    assert float(jax.jit(jax.grad(last))(2.0)) == 4 + 8 * 2.0


def test_use_cudnn_is_written_only_where_it_was_given():
    assert "use_cudnn" not in layers.LSTM(2).get_config()
    assert layers.GRU.from_config(layers.GRU(2, use_cudnn=False).get_config()).use_cudnn is False


# -- wrappers


@pytest.mark.parametrize("mode", ["concat", "sum", "mul"])
def test_merge_modes_of_bidirectional_equal_keras(mode):
    ours = layers.Bidirectional(layers.SimpleRNN(2, **QUICK), merge_mode=mode)
    variables = ours.init(jax.random.key(0), X)
    outputs, _ = ours.stateless_call(*variables, X, mask=KEEP)
    with asking_keras():
        theirs = keras.layers.Bidirectional(keras.layers.SimpleRNN(2), merge_mode=mode)
        theirs.build(X.shape)
        theirs.set_weights(ours.get_weights(variables))
        expected = theirs(X, mask=KEEP)
    assert_close(outputs, expected)


def test_random_layers_draw_for_each_step_of_time_distributed():
    layer = layers.TimeDistributed(layers.Dropout(0.5, seed=1))
    trainable, state = layer.init(jax.random.key(0), X)
    outputs, after = layer.stateless_call(trainable, state, np.ones_like(X), training=True)
    dropped = np.asarray(outputs == 0)
    assert len({row.tobytes() for row in dropped.swapaxes(0, 1)}) > 1
    assert not jnp.array_equal(jax.tree.leaves(after)[0], jax.tree.leaves(state)[0])


def test_layers_inside_time_distributed_get_their_part_of_the_mask():
    pooled = layers.TimeDistributed(layers.GlobalAveragePooling1D())
    x = np.arange(12, dtype="float32").reshape(1, 2, 3, 2)
    keep = np.array([[[1, 1, 0], [0, 0, 1]]], bool)
    np.testing.assert_array_equal(run(pooled, x, mask=keep), [[[1, 2], [10, 11]]])


# -- mistakes


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: layers.LSTM(0), ArgumentError, "units"),
        (lambda: layers.GRU(2, dropout=1.5), ArgumentError, "dropout"),
        (lambda: layers.LSTM(2, use_cudnn="maybe"), ArgumentError, "use_cudnn"),
        (lambda: layers.RNN(layers.Dense(2)), ArgumentError, "state_size"),
        (lambda: layers.StackedRNNCells([]), ArgumentError, "`cells` must be"),
        (lambda: layers.ConvLSTM2D(2, 3, strides=2, dilation_rate=2), ArgumentError, "strides"),
        (lambda: layers.ConvLSTM1D(2, 3).build((None, None, None, 3)), BuildError, "images"),
        (lambda: layers.LSTM(2, stateful=True).build((None, 5, 3)), BuildError, "stateful"),
        (lambda: layers.LSTM(2).build((None, 5, None)), BuildError, "features"),
        (lambda: layers.LSTM(2).reset_state(({}, {})), ArgumentError, "stateful"),
        (lambda: layers.Bidirectional(layers.Dense(2)), ArgumentError, "go_backwards"),
        (lambda: layers.Bidirectional(layers.LSTM(2), merge_mode="max"), ArgumentError, "merge"),
        (lambda: layers.Bidirectional(layers.LSTM(2), weights=[1]), ArgumentError, "values"),
        (lambda: layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2)), ArgumentError, "go_backwards"),
        (lambda: layers.TimeDistributed(layers.Dense(2)).build((None, 5)), ShapeError, "steps"),
        (lambda: run(layers.SimpleRNN(2), initial_state=[np.zeros((2, 3), "float32")]), ShapeError, "states"),
        (lambda: layers.LSTMCell(2)(jkeras.Input((3,)), [jkeras.Input((3,))] * 2), ShapeError, "2 states of shapes"),
        (lambda: layers.GRUCell(2)(jkeras.Input((3,)), []), ShapeError, "1 states of shapes"),
        (lambda: run(layers.SimpleRNN(2), mask=np.ones((2, 4), bool)), ShapeError, "mask"),
        (
            lambda: run(layers.Bidirectional(layers.SimpleRNN(2)), initial_state=[np.zeros((2, 2), "float32")]),
            ShapeError,
            "even",
        ),
        (lambda: run(layers.TimeDistributed(layers.Dense(2)), mask=np.ones((2, 4), bool)), ShapeError, "mask"),
    ],
)
def test_mistakes(make, error, words):
    with pytest.raises(error, match=words):
        make()
