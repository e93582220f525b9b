"""The layers that are compared: each by hand, the same of jkeras, and values and data for both.

What has no short form in JAX is left out: spectrograms, lookups, random images, adaptive windows.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import hand_layers as hand
from benchmarks import layer_cases
from benchmarks.layer_cases import SERIES, Case
from benchmarks.layers import inputs_of
from benchmarks.pairs import Sides
from jkeras import layers

Array = jax.Array
Params = Mapping[str, Any]
Hand = Callable[..., tuple[Any, Any]]  # (trainable, non_trainable, *inputs) -> (outputs, non_trainable)


def weightless(function: Callable[..., Array], *given: Any, **options: Any) -> Hand:
    """A layer that is a function of its inputs: `function(*inputs)`, with some arguments behind them."""
    return lambda trainable, state, *inputs: (function(*inputs, *given, **options), state)


def weighted(function: Callable[..., Array], *given: Any, **options: Any) -> Hand:
    """A layer that is a function of its weights and inputs: `function(trainable, *inputs)`."""
    return lambda trainable, state, *inputs: (function(trainable, *inputs, *given, **options), state)


def of_cell(name: str, function: Callable[[Params, Array], Array]) -> Hand:
    """A recurrence over the weights of a cell."""
    return weighted(lambda p, x: function(p[name], x))


HANDS: Mapping[str, Hand] = {
    "Dense": weighted(lambda p, x: jax.nn.relu(hand.dense(p, x))),
    "EinsumDense": weighted(hand.einsum_dense, "btf,fhd->bthd"),
    "Embedding": weighted(hand.embedding),
    "ReversibleEmbedding": weighted(hand.embedding),
    "Masking": weightless(hand.masking),
    "Conv1D": weighted(hand.conv, [(2, 0)]),
    "Conv2D": weighted(hand.conv, "SAME"),
    "Conv3D": weighted(hand.conv),
    **{f"Conv{n}DTranspose": weighted(hand.conv_transpose) for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": weighted(hand.depthwise) for n in (1, 2)},
    **{f"SeparableConv{n}D": weighted(hand.separable) for n in (1, 2)},
    **{f"MaxPooling{n}D": weightless(hand.max_pool) for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": weightless(hand.average_pool) for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": weightless(functools.partial(hand.over_space, jnp.max)) for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": weightless(functools.partial(hand.over_space, jnp.mean)) for n in (1, 2, 3)},
    "BatchNormalization": hand.batch_norm,
    "LayerNormalization": weighted(hand.layer_norm),
    "GroupNormalization": weighted(hand.group_norm, 4),
    "RMSNormalization": weighted(hand.rms_norm),
    "UnitNormalization": weightless(hand.unit_norm),
    "SpectralNormalization": hand.spectral_norm,
    "Dropout": hand.drawn(hand.dropout),
    **{f"SpatialDropout{n}D": hand.drawn(hand.spatial_dropout) for n in (1, 2, 3)},
    "GaussianNoise": hand.drawn(hand.gaussian_noise),
    "GaussianDropout": hand.drawn(hand.gaussian_dropout),
    "AlphaDropout": hand.drawn(hand.alpha_dropout),
    "ActivityRegularization": weightless(lambda x: x),
    "Identity": weightless(lambda x: x),
    "Attention": weighted(hand.attention),
    "AdditiveAttention": weighted(hand.additive_attention),
    "MultiHeadAttention": weighted(hand.multi_head_attention),
    "GroupQueryAttention": weighted(hand.multi_head_attention),
    "RotaryEmbedding": weightless(hand.rotary_embedding),
    "SwiGLU": weighted(hand.swiglu),
    "SimpleRNN": of_cell("simple_rnn_cell", hand.simple_rnn),
    "LSTM": of_cell("lstm_cell", hand.lstm),
    "GRU": of_cell("gru_cell", hand.gru),
    "Bidirectional": weighted(hand.bidirectional),
    "TimeDistributed": weighted(lambda p, x: hand.dense(p["layer"], x)),
    "RNN": weighted(hand.stacked),
    **{f"ConvLSTM{n}D": of_cell("conv_lstm_cell", hand.conv_lstm) for n in (1, 2, 3)},
    "UpSampling1D": weightless(hand.repeated),
    "UpSampling2D": weightless(hand.resized, 64, 64),
    "UpSampling3D": weightless(hand.repeated),
    **{f"ZeroPadding{n}D": weightless(hand.padded) for n in (1, 2, 3)},
    **{f"Cropping{n}D": weightless(hand.cropped, *[(2, 2)] * n) for n in (1, 2, 3)},
    "Permute": weightless(jnp.swapaxes, 1, 2),
    "RepeatVector": weightless(lambda x: jnp.repeat(jnp.expand_dims(x, 1), 8, 1)),
    "Flatten": weightless(lambda x: x.reshape(len(x), -1)),
    "Reshape": weightless(lambda x: x.reshape(len(x), 64, 128)),
    "PReLU": weighted(hand.prelu),
    "LeakyReLU": weightless(jax.nn.leaky_relu, 0.3),
    "ELU": weightless(jax.nn.elu),
    "Softmax": weightless(jax.nn.softmax),
    "Activation": weightless(jax.nn.gelu, approximate=False),
    "ReLU": weightless(jax.nn.relu6),
    "Add": weightless(jnp.add),
    "Subtract": weightless(jnp.subtract),
    "Multiply": weightless(jnp.multiply),
    "Average": weightless(lambda x, y: (x + y) / 2),
    "Maximum": weightless(jnp.maximum),
    "Minimum": weightless(jnp.minimum),
    "Concatenate": weightless(lambda x, y: jnp.concatenate([x, y], -1)),
    "Dot": weightless(hand.cosines),
    "Rescaling": weightless(lambda x: x / 255),
    "Normalization": weightless(lambda x: (x - 0.5) / math.sqrt(2)),
    "Resizing": weightless(hand.resized, 24, 24),
    "CenterCrop": weightless(hand.cropped, (4, 4), (4, 4)),
    "CategoryEncoding": weightless(hand.multi_hot),
}

CASES = (
    *(case for case in layer_cases.CASES if case.layer in HANDS),
    Case("Identity"),
    Case("RotaryEmbedding", {}, ((8, 64, 4, 16),)),
    Case("SwiGLU", {"hidden_units": 128}, (SERIES,)),
)

LOOP = (
    "the loop reads one array a gate, split before it, and the recurrent kernel's gradient is one product after it; "
    "on two cores it takes 0.4 to 1.0 of the time forward, 0.5 to 0.9 with gradients"
)
REASONS: Mapping[str, str] = {
    "GroupNormalization": "one factor and one summand a channel, so that the centered inputs are not kept; half the "
    "time with gradients",
    "SpectralNormalization": "a kernel of zeros stays, where by hand it is divided by zero",
    "SeparableConv2D": "the second step is a convolution in both data formats, by hand a product, which is no faster",
    "PReLU": "a sum of two rectifiers, whose derivative at zero is zero; one loop over the entries all the same",
    "TimeDistributed": "`vmap` sums the gradient of the bias over the batch, then over the steps",
    **dict.fromkeys(("LSTM", "GRU", "Bidirectional", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), LOOP),
}


def forwards(case: Case) -> tuple[Sides, tuple[Any, ...]]:
    """The two forward passes of a case, each with its variables, `forward(variables, inputs)`; and the inputs."""
    layer = getattr(layers, case.layer)(**case.arguments(layers))
    inputs = tuple(jnp.asarray(array) for array in inputs_of(case))
    options = {"training": True} if case.training else {}

    def arguments(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return inputs if case.spread or len(inputs) == 1 else (list(inputs),)

    def by_hand(variables: Any, inputs: tuple[Any, ...]) -> Any:
        return HANDS[case.layer](*variables, *inputs)

    def with_jkeras(variables: Any, inputs: tuple[Any, ...]) -> Any:
        return layer.stateless_call(*variables, *arguments(inputs), **options)

    values = tuple(jax.jit(lambda key: layer.init(key, *arguments(inputs)))(jax.random.key(0)))
    return Sides((values, by_hand), (values, with_jkeras)), inputs


def with_gradients(case: Case, sides: Sides) -> Sides:
    """The same with the gradients of the sum of the squared outputs, by the weights and by inputs that are floats."""

    def differentiated(forward: Callable[..., Any]) -> Callable[..., Any]:
        def loss(trainable: Any, inputs: Any, state: Any) -> Any:
            outputs, new = forward((trainable, state), inputs)
            return jnp.sum(jnp.square(outputs)), new

        gradient = jax.value_and_grad(loss, (0, 1) if case.below is None else 0, has_aux=True)
        return lambda variables, inputs: gradient(variables[0], inputs, variables[1])

    (values, by_hand), (_, with_jkeras) = sides.hand, sides.jkeras
    return Sides((values, differentiated(by_hand)), (values, differentiated(with_jkeras)))
