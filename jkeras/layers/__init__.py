"""Layers."""

from jkeras.core import Input, InputLayer, InputSpec, Layer
from jkeras.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from jkeras.layers.composition import Remat, Residual, Stack
from jkeras.layers.convolution import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
)
from jkeras.layers.convolution import Conv1D as Convolution1D
from jkeras.layers.convolution import Conv1DTranspose as Convolution1DTranspose
from jkeras.layers.convolution import Conv2D as Convolution2D
from jkeras.layers.convolution import Conv2DTranspose as Convolution2DTranspose
from jkeras.layers.convolution import Conv3D as Convolution3D
from jkeras.layers.convolution import Conv3DTranspose as Convolution3DTranspose
from jkeras.layers.convolution import SeparableConv1D as SeparableConvolution1D
from jkeras.layers.convolution import SeparableConv2D as SeparableConvolution2D
from jkeras.layers.core import Dense, Embedding, Identity, Lambda, Masking, Wrapper
from jkeras.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from jkeras.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from jkeras.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from jkeras.layers.pooling import AveragePooling1D as AvgPool1D
from jkeras.layers.pooling import AveragePooling2D as AvgPool2D
from jkeras.layers.pooling import AveragePooling3D as AvgPool3D
from jkeras.layers.pooling import GlobalAveragePooling1D as GlobalAvgPool1D
from jkeras.layers.pooling import GlobalAveragePooling2D as GlobalAvgPool2D
from jkeras.layers.pooling import GlobalAveragePooling3D as GlobalAvgPool3D
from jkeras.layers.pooling import GlobalMaxPooling1D as GlobalMaxPool1D
from jkeras.layers.pooling import GlobalMaxPooling2D as GlobalMaxPool2D
from jkeras.layers.pooling import GlobalMaxPooling3D as GlobalMaxPool3D
from jkeras.layers.pooling import MaxPooling1D as MaxPool1D
from jkeras.layers.pooling import MaxPooling2D as MaxPool2D
from jkeras.layers.pooling import MaxPooling3D as MaxPool3D
from jkeras.layers.preprocessing import Rescaling
from jkeras.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from jkeras.layers.reshaping import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Flatten,
    Permute,
    RepeatVector,
    Reshape,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GroupNormalization",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "Minimum",
    "Multiply",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "ReLU",
    "Remat",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Residual",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "Stack",
    "Subtract",
    "UnitNormalization",
    "Wrapper",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]
