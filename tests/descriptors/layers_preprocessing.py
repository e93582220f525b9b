"""Rows of `jkeras.layers.preprocessing`."""

from jkeras.layers import Dropout, Rescaling
from tests.descriptors.row import LayerRow

STEPS = "the outputs are steps of the inputs"
INTEGERS = "integers have no gradient"
LOUDEST = "what `top_db` cuts off depends on the loudest entry of the batch"
WHOLE = "what it computes are integers, whatever the policy"
TENSORFLOW = "Keras's layer needs TensorFlow; its documented results are in tests/test_text.py"
DESCRIBED = "the axis of the samples goes, as described; Keras takes the second axis whatever the rank"


def statistics(*shape):
    return {"non_trainable": {"mean": shape, "variance": shape, "count": ()}}


def kernels(*names, shape):
    return {"trainable": dict.fromkeys(names, shape)}


ROWS = [
    LayerRow(
        "CategoryEncoding",
        {"num_tokens": 5},
        (((2, 3), "int32"),),
        high=6,
        gradients=INTEGERS,
    ),
    LayerRow(
        "CategoryEncoding/one hot",
        {"num_tokens": 4, "output_mode": "one_hot"},
        (((3, 1), "uint8"),),
        high=4,
        gradients=INTEGERS,
    ),
    LayerRow(
        "CategoryEncoding/weighed counts",
        {"num_tokens": 4, "output_mode": "count"},
        (((3, 2), "int32"),),
        keywords={"count_weights": (3, 2)},
        high=4,
        gradients=INTEGERS,
        keras="Keras builds no layer from a weight alone",
    ),
    LayerRow(
        "CategoryEncoding/samples in the last axis",
        {"num_tokens": 4, "output_mode": "count"},
        (((2, 3, 2), "int32"),),
        high=4,
        gradients=INTEGERS,
        keras=DESCRIBED,
    ),
    LayerRow("CenterCrop", {"height": 2, "width": 3}, ((2, 5, 4, 2),)),
    LayerRow("CenterCrop/too small", {"height": 4, "width": 2, "data_format": "channels_first"}, ((2, 2, 3, 5),)),
    LayerRow(
        "CenterCrop/one image of bytes",
        {"height": 2, "width": 2},
        (((3, 4, 1), "uint8"),),
        high=256,
        gradients=INTEGERS,
        dynamic_batch="there is none",
        per_example="there is one",
    ),
    LayerRow("Discretization", {"bin_boundaries": [-0.5, 0.0, 0.5]}, ((2, 3),), gradients=STEPS),
    LayerRow(
        "Discretization/counts",
        {"bin_boundaries": [-0.5, 0.5], "output_mode": "count", "epsilon": 0.1},
        ((2, 5),),
        gradients=STEPS,
    ),
    LayerRow(
        "Discretization/many",
        {"bin_boundaries": [index / 25 for index in range(-50, 50)], "output_mode": "one_hot"},
        ((3, 1),),
        gradients=STEPS,
    ),
    LayerRow(
        "Hashing",
        {"num_bins": 1000},
        (((2, 3), "int32"),),
        high=10**6,
        gradients=INTEGERS,
        half=WHOLE,
        keras=TENSORFLOW,
    ),
    LayerRow(
        "Hashing/salted counts",
        {"num_bins": 5, "mask_value": 3, "salt": 133, "output_mode": "count"},
        (((2, 3), "uint8"),),
        high=10,
        gradients=INTEGERS,
        half=WHOLE,
        keras=TENSORFLOW,
    ),
    LayerRow(
        "HashedCrossing",
        {"num_bins": 4, "output_mode": "one_hot"},
        ([((3, 1), "int32"), ((3, 1), "uint8")],),
        high=9,
        gradients=INTEGERS,
        half=WHOLE,
        keras=TENSORFLOW,
    ),
    LayerRow(
        "IntegerLookup",
        {"vocabulary": [7, 3, 5], "num_oov_indices": 3, "mask_token": 0, "max_tokens": 8},
        (((2, 5), "int32"),),
        high=10,
        gradients=INTEGERS,
        keras=TENSORFLOW,
    ),
    LayerRow(
        "IntegerLookup/weighed counts",
        {
            "vocabulary": [7, 3, 5],
            "idf_weights": [0.5, 1.0, 2.0],
            "output_mode": "tf_idf",
            "num_oov_indices": 2,
            "oov_method": "farmhash",
            "salt": 133,
            "max_tokens": 7,
            "pad_to_max_tokens": True,
        },
        (((2, 3), "uint8"),),
        high=10,
        gradients=INTEGERS,
        half=WHOLE,
        keras=TENSORFLOW,
    ),
    LayerRow(
        "IntegerLookup/inverse",
        {"vocabulary": [7, 3, 5], "invert": True, "oov_token": -9},
        (((2, 5), "int32"),),
        high=6,
        gradients=INTEGERS,
        keras=TENSORFLOW,
    ),
    LayerRow(
        "MelSpectrogram", {"fft_length": 16, "sequence_stride": 8, "num_mel_bins": 4}, ((2, 40),), per_example=LOUDEST
    ),
    LayerRow(
        "MelSpectrogram/magnitudes",
        {
            "fft_length": 16,
            "sequence_stride": 5,
            "sequence_length": 12,
            "window": "hamming",
            "sampling_rate": 8000,
            "num_mel_bins": 3,
            "min_freq": 100.0,
            "max_freq": 3500,
            "power_to_db": False,
            "mag_exp": 1.0,
        },
        ((2, 40),),
    ),
    LayerRow(
        "MelSpectrogram/decibels",
        {
            "fft_length": 16,
            "sequence_stride": 8,
            "num_mel_bins": 3,
            "top_db": 20.0,
            "min_power": 1e-3,
            "ref_power": 0.5,
            "window": None,
        },
        ((40,),),
        dynamic_batch="the axis is that of the samples",
        per_example=LOUDEST,
    ),
    LayerRow("Normalization", {"mean": 1.5, "variance": 4.0}, ((2, 3),)),
    LayerRow(
        "Normalization/channels",
        {"axis": [1, 3], "mean": [[0.5, 1.0], [2.0, 3.0]], "variance": [[1.0, 2.0], [0.0, 4.0]], "invert": True},
        ((2, 2, 3, 2),),
    ),
    LayerRow(
        "Normalization/variables",
        {"axis": [-1]},
        ((2, 3),),
        statistics(3),
        keras="Keras computes with a copy of its statistics, which weights that are set later do not change",
    ),
    LayerRow(
        "Pipeline",
        lambda: {"name": "prepare", "layers": [Rescaling(0.5), Dropout(0.5, seed=3), Rescaling(2.0, offset=1.0)]},
        ((2, 3),),
        {"non_trainable": {"layers/1/seed_generator/seed_generator_state": (2,)}},
        training=True,
        per_example="the noise is drawn for the batch",
    ),
    LayerRow(
        "Resizing",
        {"height": 3, "width": 4, "interpolation": "bicubic", "antialias": True},
        ((2, 6, 5, 2),),
    ),
    LayerRow(
        "Resizing/padded bytes, channels first",
        {
            "height": 3,
            "width": 3,
            "interpolation": "nearest",
            "pad_to_aspect_ratio": True,
            "fill_value": 7.0,
            "data_format": "channels_first",
        },
        (((2, 1, 4, 8), "uint8"),),
        high=256,
        gradients=INTEGERS,
    ),
    LayerRow("Resizing/cropped", {"height": 4, "width": 2, "crop_to_aspect_ratio": True}, ((2, 5, 7, 1),)),
    LayerRow(
        "STFTSpectrogram",
        {"frame_length": 8},
        ((2, 8, 1),),
        kernels("real_kernel", "imag_kernel", shape=(8, 1, 5)),
    ),
    LayerRow(
        "STFTSpectrogram/psd",
        {
            "mode": "psd",
            "frame_length": 6,
            "frame_step": 4,
            "fft_length": 8,
            "window": "hamming",
            "periodic": True,
            "scaling": "spectrum",
            "padding": "same",
            "expand_dims": True,
        },
        ((2, 17, 2),),
        kernels("real_kernel", "imag_kernel", shape=(6, 1, 5)),
    ),
    LayerRow(
        "STFTSpectrogram/channels first",
        {"mode": "stft", "frame_length": 4, "window": None, "data_format": "channels_first"},
        ((2, 2, 10),),
        kernels("real_kernel", "imag_kernel", shape=(4, 1, 3)),
    ),
    LayerRow(
        "STFTSpectrogram/imaginary",
        {"mode": "imag", "frame_length": 4, "data_format": "channels_first", "expand_dims": True},
        ((2, 2, 10),),
        kernels("imag_kernel", shape=(4, 1, 3)),
    ),
    LayerRow("Rescaling", {"scale": 0.5}, ((2, 3),)),
    LayerRow(
        "Rescaling/bytes", {"scale": 1 / 127.5, "offset": -1.0}, (((2, 3), "uint8"),), high=256, gradients="integers"
    ),
    LayerRow("Rescaling/channels", {"scale": [0.5, 2.0], "offset": [1.0, -1.0]}, ((2, 3, 2),)),
]
