"""Constructor arguments that several layers share: activations, and the keywords of quantization."""

from collections.abc import Iterable
from typing import Any

from jkeras import activations
from jkeras.errors import ArgumentError
from jkeras.typing import ActivationLike


class ActivationAttribute:
    """An attribute that holds an activation. It is set to a function, a name or a config; `None` means linear.

    >>> class Holder:
    ...     activation = ActivationAttribute()
    >>> holder = Holder()
    >>> holder.activation = None
    >>> holder.activation(3.0)
    3.0
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        return self if layer is None else vars(layer)[self.name]

    def __set__(self, layer: object, value: ActivationLike) -> None:
        vars(layer)[self.name] = activations.get(value)


QUANTIZATION = ("quantization_config", "gptq_unpacked_column_size")


def without_quantization(kwargs: dict[str, Any], owner: str) -> dict[str, Any]:
    """The keywords without those of quantization, which Keras's configs carry; only `None` means something here.

    >>> without_quantization({"quantization_config": None, "name": "head"}, "Dense")
    {'name': 'head'}
    """
    for name in QUANTIZATION:
        if kwargs.get(name) is not None:
            raise ArgumentError(
                f"`{name}` must be None, because layers are not quantized.",
                path=owner,
                expected=f"{name}=None",
                received=f"{name}={kwargs[name]!r}"[:80],
                write=f"{owner}(..., {name}=None)",
            )
    return {name: value for name, value in kwargs.items() if name not in QUANTIZATION}


def check_strides_or_dilation(strides: tuple[int, ...], dilation_rate: tuple[int, ...], owner: str) -> None:
    """Raises `ArgumentError` where windows both move by more than 1 and are dilated.

    >>> check_strides_or_dilation((2, 2), (1, 1), "Conv2D")
    """
    if max(strides) > 1 and max(dilation_rate) > 1:
        problem, wanted = "`strides` and `dilation_rate` cannot both be above 1.", "strides=1 or dilation_rate=1"
        received = f"strides={strides}, dilation_rate={dilation_rate}"
        write = f"{owner}(..., strides=1, dilation_rate={max(dilation_rate)})"
        raise ArgumentError(problem, path=owner, expected=wanted, received=received, write=write)


IMAGE_NAMES = ("images", "labels", "segmentation_masks")


def check_image_names(names: Iterable[str], path: str) -> None:
    """Raises `ArgumentError` for a dict without images, or with what no layer of images can transform.

    >>> check_image_names({"images": 0, "labels": 1}, "flip")
    """
    if "images" not in names or {*names} - {*IMAGE_NAMES}:
        problem = "the inputs must be images, with labels and masks beside them or not."
        wanted, write = (
            '"images", and perhaps "labels" and "segmentation_masks"',
            "layer({'images': images, 'labels': labels})",
        )
        raise ArgumentError(problem, path=path, expected=wanted, received=sorted(names), write=write)
