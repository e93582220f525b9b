"""Rows of `jkeras.layers.augmentation`: images of bytes, in training.

Where Keras draws for each example what we draw, it draws the same, so parity is that of whole calls, streams included.
What it draws once for a batch we draw once for each example; there the row leaves one value to draw. Where both draw
differently, `tests/test_augmentation.py` gives both the same parameters.

Most rows have one shape, so that what runs without compiling the whole is compiled once.
"""

from typing import Any

from tests.descriptors.row import LayerRow

STREAM = {"non_trainable": {"generator/seed_generator_state": (2,)}}
DRAWN = "each image of a batch has its own parameters, drawn together"
STEPS = "a step function of the values"
ROUNDED = "bytes rounded to half precision fall into other bins"
COARSE = "draws in bfloat16, which gives other numbers"
GEOMETRIC = ("random_shear", "random_translation", "random_rotation")
PHOTOMETRIC = ("random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness")
FIRST, LAST = (2, 3, 4, 5), (2, 4, 5, 3)


def row(name: str, config: dict[str, Any], shape: tuple[int, ...] = FIRST, **options: Any) -> LayerRow:
    """A row of a random layer, channels first unless the shape says otherwise."""
    if shape[1] == 3:
        config = {"data_format": "channels_first", **config}
    defaults: dict[str, Any] = {"tree": STREAM, "training": True, "per_example": DRAWN, "low": 0, "high": 255}
    return LayerRow(name, config, (shape,), **{**defaults, **options})


def streams(*parts: str) -> dict[str, dict[str, tuple[int, ...]]]:
    """The tree of a layer with a stream whose parts have one each."""
    paths = ["generator", *(f"{part}/generator" for part in parts)]
    return {"non_trainable": {f"{path}/seed_generator_state": (2,) for path in paths}}


ROWS = [
    row("RandomBrightness", {"factor": 0.4, "value_range": (0, 200), "seed": 7}),
    row("RandomContrast", {"factor": [0.2, 0.9], "value_range": (0, 200), "seed": 7}, keras_half=COARSE),
    row("RandomSaturation", {"factor": [0.1, 0.4], "value_range": (0, 256), "seed": 7}),
    row("RandomHue", {"factor": 0.6, "value_range": (0, 256), "seed": 7}, half="colours near grey have any hue"),
    row("RandomGrayscale", {"factor": 0.6, "seed": 7}, keras="forgets the seed in its config"),
    row("RandomColorDegeneration", {"factor": [0.2, 0.9], "value_range": (0, 200), "seed": 7}),
    row(
        "RandomColorJitter",
        {
            "value_range": (0, 256),
            "brightness_factor": 0.2,
            "contrast_factor": [0.1, 0.3],
            "saturation_factor": [0.1, 0.4],
            "hue_factor": 0.3,
            "seed": 7,
        },
        LAST,
        tree=streams("random_brightness", "random_contrast", "random_saturation", "random_hue"),
        gradients="as its parts",
        half="colours near grey have any hue",
    ),
    row(
        "RandomColorJitter/channels first",
        {"contrast_factor": [0.1, 0.3]},
        tree=streams("random_contrast"),
        gradients="as its parts",
        half="as its parts",
        keras="leaves its parts at the default data format",
    ),
    row("RandomInvert", {"factor": 0.6, "value_range": (0, 250), "seed": 7}),
    row(
        "RandomPosterization",
        {"factor": [2, 6], "value_range": (0, 256), "seed": 7},
        gradients=STEPS,
        half=ROUNDED,
    ),
    row(
        "Solarization",
        {"addition_factor": 0.3, "threshold_factor": 0.6, "value_range": (0, 256), "seed": 7},
        half=ROUNDED,
    ),
    row(
        "AutoContrast", {"value_range": (0, 256)}, tree={}, per_example=True, keras="looks at channels as if at widths"
    ),
    row(
        "Equalization",
        {"value_range": (0, 256), "bins": 16},
        tree={},
        per_example=True,
        gradients=STEPS,
        half=ROUNDED,
        keras="makes one histogram for the whole batch",
    ),
    row(
        "ContrastLimitedAdaptiveHistogramEqualization",
        {"value_range": (0, 256), "clip_limit": 20.0, "tile_grid_size": (2, 3)},
        tree={},
        training=False,
        per_example=True,
        gradients=STEPS,
        half=ROUNDED,
    ),
    row(
        "RandomSharpness",
        {"factor": [0.1, 0.9], "value_range": (0, 200), "seed": 7},
        keras_half="its sums of shares of bytes, rounded, come to lie on the other side of a limit",
    ),
    row(
        "RandomGaussianBlur",
        {"factor": [0.9, 1.0], "kernel_size": (3, 5), "sigma": [0.8, 0.8], "value_range": (0, 200), "seed": 7},
    ),
    row(
        "RandomErasing",
        {"factor": 0.8, "scale": (0.2, 0.9), "fill_value": 300.0, "value_range": (0, 200), "seed": 7},
    ),
    row("MixUp", {"alpha": 0.7, "seed": 7}, gradients="linear, and slow to compile", half="slow to compile"),
    row("CutMix", {"factor": (0.5, 0.5), "seed": 7}, gradients="chooses, as RandomErasing does", half="likewise"),
    row("RandomFlip", {"mode": "horizontal", "seed": 7}),
    row(
        "RandomCrop",
        {"height": 3, "width": 2, "seed": 7},
        gradients="chooses",
        half="likewise",
        keras="its slices cannot be traced",
    ),
    row(
        "RandomRotation",
        {"factor": 0.3, "fill_mode": "constant", "interpolation": "nearest", "fill_value": 9.0, "seed": 7},
    ),
    row(
        "RandomTranslation",
        {
            "height_factor": (0.1, 0.6),
            "width_factor": 0.4,
            "fill_mode": "constant",
            "interpolation": "nearest",
            "fill_value": 9.0,
            "seed": 7,
        },
        gradients="resamples as RandomRotation does",
        half="likewise",
    ),
    row(
        "RandomShear",
        {
            "x_factor": (0.1, 0.6),
            "y_factor": (0.2, 0.4),
            "fill_mode": "nearest",
            "interpolation": "nearest",
            "fill_value": 9.0,
            "seed": 7,
        },
        gradients="resamples as RandomRotation does",
        half="likewise",
    ),
    row(
        "RandomZoom",
        {
            "height_factor": (0.1, 0.6),
            "width_factor": 0.4,
            "fill_mode": "nearest",
            "interpolation": "nearest",
            "fill_value": 9.0,
            "seed": 7,
        },
        gradients="resamples as RandomRotation does",
        half="likewise",
    ),
    row(
        "RandomPerspective",
        {"factor": (0.9, 1.0), "scale": 0.6, "interpolation": "nearest", "fill_value": 9.0, "seed": 7},
        keras_half=COARSE,
    ),
    row(
        "RandomElasticTransform",
        {
            "factor": (0.9, 1.0),
            "scale": (0.5, 0.9),
            "interpolation": "nearest",
            "fill_mode": "mirror",
            "fill_value": 9.0,
            "value_range": (0, 200),
            "seed": 7,
        },
        gradients="reads elsewhere, as RandomPerspective does",
        half="likewise",
        keras="its kernel cannot be traced, and both distances are the same",
    ),
    row(
        "RandAugment",
        {"value_range": (0, 256), "num_ops": 1, "factor": 0.4, "interpolation": "nearest", "seed": 5},
        tree=streams(*GEOMETRIC, *PHOTOMETRIC, "solarization", "random_posterization"),
        gradients="as its parts",
        half=ROUNDED,
        keras="compiles for half a minute",
    ),
    row(
        "AugMix",
        {
            "value_range": (0, 256),
            "num_chains": 2,
            "chain_depth": 2,
            "factor": 0.4,
            "alpha": 0.7,
            "all_ops": False,
            "interpolation": "nearest",
            "seed": 5,
        },
        tree=streams(*GEOMETRIC, "solarization", "random_posterization"),
        gradients="as its parts",
        half=ROUNDED,
        keras="chooses with Python's generator, when it is traced",
    ),
]
