"""The arguments that every layer of images takes, for the types of the layers that hand them on."""

from jkeras.core.options import LayerOptions


class ImageOptions(LayerOptions, total=False):
    """What every layer takes, and the order of an image's axes."""

    data_format: str | None


class RandomImageOptions(ImageOptions, total=False):
    """What every layer takes, the order of an image's axes, and a seed."""

    seed: int | None
