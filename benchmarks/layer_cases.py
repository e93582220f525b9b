"""The layers that are timed: constructor arguments and inputs of a size at which the computation is what is seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

IMAGES = (16, 32, 32, 16)
SERIES = (16, 128, 64)
VOLUMES = (4, 12, 12, 12, 8)
PHOTOS = (16, 32, 32, 3)
ROWS = (256, 512)


@dataclass(frozen=True)
class Case:
    """One layer. An argument that begins with `@` names a layer, which is made with the numbers after it."""

    layer: str
    given: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[tuple[int, ...], ...] = (ROWS,)
    below: int | None = None  # inputs are indices below this
    training: bool = False
    gradients: bool = True
    spread: bool = False  # whether several inputs are several arguments

    def arguments(self, module: Any) -> dict[str, Any]:
        """The constructor's arguments, with the inner layers of a library."""
        return {name: _made(module, value) for name, value in self.given.items()}


def _made(module: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [_made(module, item) for item in value]
    if not isinstance(value, str) or not value.startswith("@"):
        return value
    name, *numbers = value[1:].split()
    return getattr(module, name)(*map(int, numbers))


CORE = (
    Case("Dense", {"units": 512, "activation": "relu"}),
    Case("EinsumDense", {"equation": "btf,fhd->bthd", "output_shape": (None, 8, 16), "bias_axes": "hd"}, (SERIES,)),
    Case("Embedding", {"input_dim": 1000, "output_dim": 64}, ((64, 128),), below=1000),
    Case("ReversibleEmbedding", {"input_dim": 1000, "output_dim": 64}, ((64, 128),), below=1000),
    Case("Masking", {}, (SERIES,)),
)
CONVOLUTION = (
    Case("Conv1D", {"filters": 64, "kernel_size": 3, "padding": "causal"}, (SERIES,)),
    Case("Conv2D", {"filters": 32, "kernel_size": 3, "padding": "same"}, (IMAGES,)),
    Case("Conv3D", {"filters": 8, "kernel_size": 3}, (VOLUMES,)),
    Case("Conv2DTranspose", {"filters": 16, "kernel_size": 3, "strides": 2}, (IMAGES,)),
    Case("DepthwiseConv2D", {"kernel_size": 3}, (IMAGES,)),
    Case("SeparableConv2D", {"filters": 32, "kernel_size": 3}, (IMAGES,)),
    Case("Conv1DTranspose", {"filters": 32, "kernel_size": 3, "strides": 2}, (SERIES,)),
    Case("Conv3DTranspose", {"filters": 4, "kernel_size": 2, "strides": 2}, ((2, 6, 6, 6, 4),)),
    Case("DepthwiseConv1D", {"kernel_size": 3}, (SERIES,)),
    Case("SeparableConv1D", {"filters": 32, "kernel_size": 3}, (SERIES,)),
)
POOLING = (
    Case("MaxPooling2D", {"pool_size": 2}, (IMAGES,)),
    Case("AveragePooling2D", {"pool_size": 2}, (IMAGES,)),
    Case("GlobalAveragePooling2D", {}, (IMAGES,)),
    Case("GlobalMaxPooling1D", {}, (SERIES,)),
    Case("AdaptiveAveragePooling2D", {"output_size": 5}, (IMAGES,)),
    Case("AdaptiveMaxPooling2D", {"output_size": 5}, (IMAGES,)),
    Case("MaxPooling1D", {"pool_size": 2}, (SERIES,)),
    Case("MaxPooling3D", {"pool_size": 2}, (VOLUMES,)),
    Case("AveragePooling1D", {"pool_size": 2}, (SERIES,)),
    Case("AveragePooling3D", {"pool_size": 2}, (VOLUMES,)),
    Case("GlobalAveragePooling1D", {}, (SERIES,)),
    Case("GlobalAveragePooling3D", {}, (VOLUMES,)),
    Case("GlobalMaxPooling2D", {}, (IMAGES,)),
    Case("GlobalMaxPooling3D", {}, (VOLUMES,)),
    Case("AdaptiveAveragePooling1D", {"output_size": 5}, (SERIES,)),
    Case("AdaptiveAveragePooling3D", {"output_size": 5}, (VOLUMES,)),
    Case("AdaptiveMaxPooling1D", {"output_size": 5}, (SERIES,)),
    Case("AdaptiveMaxPooling3D", {"output_size": 5}, (VOLUMES,)),
)
NORMALIZATION = (
    Case("BatchNormalization", {}, (IMAGES,), training=True),
    Case("LayerNormalization", {}, (SERIES,)),
    Case("GroupNormalization", {"groups": 4}, (IMAGES,)),
    Case("RMSNormalization", {}, (SERIES,)),
    Case("UnitNormalization", {}, (SERIES,)),
    Case("SpectralNormalization", {"layer": "@Dense 512"}, training=True),
)
REGULARIZATION = (
    Case("Dropout", {"rate": 0.3}, training=True),
    Case("SpatialDropout2D", {"rate": 0.3}, (IMAGES,), training=True),
    Case("GaussianNoise", {"stddev": 0.3}, training=True),
    Case("GaussianDropout", {"rate": 0.3}, training=True),
    Case("AlphaDropout", {"rate": 0.3}, training=True),
    Case("SpatialDropout1D", {"rate": 0.3}, (SERIES,), training=True),
    Case("SpatialDropout3D", {"rate": 0.3}, (VOLUMES,), training=True),
    Case("ActivityRegularization", {"l2": 0.1}),
)
ATTENTION = (
    Case("Attention", {"use_scale": True}, (SERIES, SERIES)),
    Case("AdditiveAttention", {}, ((8, 32, 64), (8, 32, 64))),
    Case("MultiHeadAttention", {"num_heads": 4, "key_dim": 16}, (SERIES, SERIES), spread=True),
    Case(
        "GroupQueryAttention",
        {"head_dim": 16, "num_query_heads": 4, "num_key_value_heads": 2},
        (SERIES, SERIES),
        spread=True,
    ),
)
RECURRENT = (
    Case("SimpleRNN", {"units": 64, "return_sequences": True}, (SERIES,)),
    Case("LSTM", {"units": 64, "return_sequences": True}, (SERIES,)),
    Case("GRU", {"units": 64, "return_sequences": True}, (SERIES,)),
    Case("Bidirectional", {"layer": "@LSTM 64"}, (SERIES,)),
    Case("TimeDistributed", {"layer": "@Dense 64"}, (SERIES,)),
    Case("RNN", {"cell": ["@GRUCell 32", "@LSTMCell 32"]}, (SERIES,)),
    Case("ConvLSTM2D", {"filters": 8, "kernel_size": 3}, ((4, 8, 16, 16, 4),)),
    Case("ConvLSTM1D", {"filters": 8, "kernel_size": 3}, ((4, 8, 64, 4),)),
    Case("ConvLSTM3D", {"filters": 4, "kernel_size": 3}, ((2, 4, 6, 6, 6, 4),)),
)
RESHAPING = (
    Case("UpSampling2D", {"interpolation": "bilinear"}, (IMAGES,)),
    Case("ZeroPadding2D", {"padding": 2}, (IMAGES,)),
    Case("Cropping2D", {"cropping": 2}, (IMAGES,)),
    Case("Permute", {"dims": (2, 1)}, (SERIES,)),
    Case("RepeatVector", {"n": 8}),
    Case("UpSampling1D", {"size": 2}, (SERIES,)),
    Case("UpSampling3D", {"size": 2}, (VOLUMES,)),
    Case("ZeroPadding1D", {"padding": 2}, (SERIES,)),
    Case("ZeroPadding3D", {"padding": 2}, (VOLUMES,)),
    Case("Cropping1D", {"cropping": 2}, (SERIES,)),
    Case("Cropping3D", {"cropping": 2}, (VOLUMES,)),
    Case("Flatten", {}, (IMAGES,)),
    Case("Reshape", {"target_shape": (64, 128)}, (SERIES,)),
)
ACTIVATION = (
    Case("PReLU", {}),
    Case("LeakyReLU", {}),
    Case("ELU", {}),
    Case("Softmax", {}),
    Case("Activation", {"activation": "gelu"}),
    Case("ReLU", {"max_value": 6.0}),
)
MERGING = (
    Case("Add", {}, (ROWS, ROWS)),
    Case("Multiply", {}, (ROWS, ROWS)),
    Case("Concatenate", {}, (ROWS, ROWS)),
    Case("Dot", {"axes": -1, "normalize": True}, (ROWS, ROWS)),
    Case("Subtract", {}, (ROWS, ROWS)),
    Case("Average", {}, (ROWS, ROWS)),
    Case("Maximum", {}, (ROWS, ROWS)),
    Case("Minimum", {}, (ROWS, ROWS)),
)
PREPROCESSING = (
    Case("Rescaling", {"scale": 1 / 255}, (IMAGES,)),
    Case("Resizing", {"height": 24, "width": 24}, (IMAGES,), gradients=False),
    Case("CenterCrop", {"height": 24, "width": 24}, (IMAGES,), gradients=False),
    Case("MelSpectrogram", {}, ((8, 8000),), gradients=False),
    Case("STFTSpectrogram", {}, ((8, 8000, 1),), gradients=False),
    Case("Normalization", {"mean": 0.5, "variance": 2.0}, (ROWS,)),
    Case("CategoryEncoding", {"num_tokens": 50, "output_mode": "multi_hot"}, ((256, 32),), below=50, gradients=False),
    Case("Discretization", {"bin_boundaries": [-1.0, 0.0, 1.0]}, gradients=False),
)
UNIT: dict[str, Any] = {"value_range": [0, 1]}
AUGMENTATION = tuple(  # but RandomCrop and RandomElasticTransform, which Keras does not trace
    Case(layer, given, (PHOTOS,), training=True, gradients=False)
    for layer, given in {
        "AugMix": UNIT,
        "AutoContrast": UNIT,
        "Equalization": UNIT,
        "RandomBrightness": {"factor": 0.3, **UNIT},
        "RandomColorDegeneration": {"factor": 0.3, **UNIT},
        "RandomColorJitter": {"brightness_factor": 0.2, "contrast_factor": 0.2, "hue_factor": 0.2, **UNIT},
        "RandomContrast": {"factor": 0.3, **UNIT},
        "RandomErasing": {"factor": 1.0, **UNIT},
        "RandomFlip": {},
        "RandomGaussianBlur": {"factor": 1.0, **UNIT},
        "RandomGrayscale": {"factor": 0.5},
        "RandomHue": {"factor": 0.2, **UNIT},
        "RandomInvert": {"factor": 0.5, **UNIT},
        "RandomPerspective": {"factor": 1.0},
        "RandomPosterization": {"factor": 4, **UNIT},
        "RandomRotation": {"factor": 0.1},
        "RandomSaturation": {"factor": 0.3, **UNIT},
        "RandomSharpness": {"factor": 0.3, **UNIT},
        "RandomShear": {"x_factor": 0.2, "y_factor": 0.2},
        "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
        "RandomZoom": {"height_factor": 0.2},
        "Solarization": {"threshold_factor": 0.5, **UNIT},
    }.items()
)

CASES = (
    *CORE,
    *CONVOLUTION,
    *POOLING,
    *NORMALIZATION,
    *REGULARIZATION,
    *ATTENTION,
    *RECURRENT,
    *RESHAPING,
    *ACTIVATION,
    *MERGING,
    *PREPROCESSING,
    *AUGMENTATION,
)
