"""Augmentations chosen at random: RandAugment and AugMix.

Every image gets augmentations of its own. Affine maps are chosen before anything is resampled, so that all of them cost
one resampling; the others are computed for all images, and each image takes its own.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.errors import ArgumentError, UnknownNameError
from jkeras.functional.image import affine_transform
from jkeras.layers.augmentation.affine import RandomAffine, RandomRotation, RandomShear, RandomTranslation, stacked
from jkeras.layers.augmentation.arguments import INTERPOLATIONS, factor_range, value_bounds
from jkeras.layers.augmentation.base import ImageLayer, RandomImageLayer, Transformation, per_example
from jkeras.layers.augmentation.color import RandomColorDegeneration
from jkeras.layers.augmentation.detail import RandomSharpness
from jkeras.layers.augmentation.exposure import RandomBrightness, RandomContrast
from jkeras.layers.augmentation.histograms import AutoContrast, Equalization
from jkeras.layers.augmentation.options import RandomImageOptions
from jkeras.layers.augmentation.tones import RandomPosterization, Solarization
from jkeras.typing import Array, Key, Range

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
GEOMETRIC = ("random_shear", "random_translation", "random_rotation")
TONAL = ("random_posterization", "solarization", "auto_contrast", "equalization")
PHOTOMETRIC = ("random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness")


class RandomPolicy(RandomImageLayer):
    """The base of layers that choose among `parts`, which are their attributes; all draw from the layer's own stream.

    Args:
        value_range: `(low, high)`, the values that pixels may have.
        factor: the range of the strength of all parts, within [0, 1]; a number `f` means `(0, f)`.
        interpolation: `"nearest"` or `"bilinear"`.
        seed, data_format: as for every random image layer.
    """

    def __init__(
        self, *, value_range: Sequence[float], factor: Range, interpolation: str, **kwargs: Unpack[RandomImageOptions]
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.value_range = value_bounds(value_range, owner)
        self.factor = factor_range(factor, (0, 1), owner)
        self.interpolation = arguments.one_of(
            interpolation, "interpolation", owner, INTERPOLATIONS, error=UnknownNameError
        )

    @property
    def part_names(self) -> tuple[str, ...]:
        """The attributes that hold the parts; a choice is an index into them, beyond the last is none."""
        raise NotImplementedError

    def make(self, *names: str) -> None:
        """Makes parts."""
        factor = self.factor
        common: dict[str, Any] = {"data_format": self.data_format, "dtype": self.declared_dtype_policy}
        seeded = {**common, "seed": self.seed}
        colored, warped = {**seeded, "value_range": self.value_range}, {**seeded, "interpolation": self.interpolation}
        toned = {**common, "value_range": self.value_range}
        makers: dict[str, Callable[[], Layer]] = {
            "random_shear": lambda: RandomShear(factor, factor, **warped),
            "random_translation": lambda: RandomTranslation(factor, factor, **warped),
            "random_rotation": lambda: RandomRotation(factor, **warped),
            "random_brightness": lambda: RandomBrightness(factor, **colored),
            "random_color_degeneration": lambda: RandomColorDegeneration(factor, **colored),
            "random_contrast": lambda: RandomContrast(factor, **colored),
            "random_sharpness": lambda: RandomSharpness(factor, **colored),
            "solarization": lambda: Solarization(factor, factor, **colored),
            "random_posterization": lambda: RandomPosterization(max(1, int(8 * factor[1])), **colored),
            "auto_contrast": lambda: AutoContrast(**toned),
            "equalization": lambda: Equalization(**toned),
        }
        for name in names:
            setattr(self, name, makers[name]())

    @property
    def parts(self) -> dict[str, ImageLayer]:
        """The parts, in the order in which choices count them."""
        return {name: getattr(self, name) for name in self.part_names}

    def draw_parts(self, images: int, shape: tuple[Any, ...], stream: Iterator[Key]) -> dict[str, Any]:
        """Parameters of all parts for so many times the images of a batch."""
        repeated = (images * shape[0], *shape[1:])
        return {name: part.draw(repeated, stream) for name, part in self.parts.items()}

    def apply_in_turn(self, images: Array, choices: Array, transforms: dict[str, Any]) -> Array:
        """Images `(b, ...)` after one chosen part after the other: choices `(n, b)`, parameters `(n * b, ...)`."""
        transforms = jax.tree.map(lambda leaf: leaf.reshape(*choices.shape, *leaf.shape[1:]), transforms)

        def one(images: Array, step: tuple[Array, dict[str, Any]]) -> tuple[Array, None]:
            return self.apply_chosen(images, *step), None

        images = images.astype(jnp.promote_types(images.dtype, "float32"))
        return jax.lax.scan(one, images, (choices, transforms))[0]

    def apply_chosen(self, images: Array, choice: Array, transforms: dict[str, Any]) -> Array:
        """Images `(b, ...)`, each after the part that was chosen for it, `(b,)`."""
        moved = self.resample(images, choice, transforms, self.interpolation)
        outputs = moved
        for index, (name, part) in enumerate(self.parts.items()):
            if not isinstance(part, RandomAffine):
                outputs = jnp.where(per_example(choice == index), part.apply(moved, transforms[name]), outputs)
        return outputs.astype(images.dtype)

    def resample(self, images: Array, choice: Array, transforms: dict[str, Any], interpolation: str) -> Array:
        """Images, or masks, by the affine map of each whose choice is one."""
        height, width = images.shape[self.height_axis], images.shape[self.width_axis]
        maps = jnp.broadcast_to(jnp.array([IDENTITY], "float32"), (images.shape[0], 8))
        for index, (name, part) in enumerate(self.parts.items()):
            if isinstance(part, RandomAffine):
                own = stacked(*part.maps(transforms[name], height, width))
                maps = jnp.where(per_example(choice == index, 2), own, maps)
        return affine_transform(images, maps, interpolation, "reflect", 0.0, self.data_format)


@registry.export("keras.layers")
class RandAugment(RandomPolicy):
    """In training, applies `num_ops` augmentations to each image, out of eleven that are drawn for it.

    They are shear, translation, rotation, brightness, color degeneration, contrast, sharpness, posterization,
    solarization, auto contrast and equalization, each as the layer of that name.

    Args:
        value_range: `(low, high)`, the values that pixels may have.
        num_ops: how many, one after the other.
        factor: the range of the strength of all of them, within [0, 1]; a number `f` means `(0, f)`.
        interpolation: `"nearest"` or `"bilinear"`.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, 3)` or `(h, w, 3)` -> the same, in the compute dtype. Segmentation masks are moved like the images.

    Raises:
        ArgumentError: an argument is not a range, `num_ops` is not a positive int, or the interpolation is unknown.

    >>> import jax
    >>> layer = RandAugment(num_ops=2)
    >>> images = jax.ShapeDtypeStruct((4, 8, 8, 3), "float32")
    >>> drawn = jax.eval_shape(lambda images: layer.get_random_transformation(images, seed=3), images)
    >>> drawn["layer_idxes"].shape, len(drawn["transforms"])
    ((2, 4), 11)

    Source: E. D. Cubuk et al., "RandAugment: practical automated data augmentation with a reduced search space",
    NeurIPS 2020.
    """

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        num_ops: int = 2,
        factor: Range = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        common: dict[str, Any] = {"seed": seed, "data_format": data_format, **kwargs}
        super().__init__(value_range=value_range, factor=factor, interpolation=interpolation, **common)
        self.num_ops = arguments.positive_int(num_ops, "num_ops", "RandAugment", "RandAugment(num_ops=2)")
        # solarization first, as in Keras: the order of weights is the order of attributes
        self.make(*GEOMETRIC, *PHOTOMETRIC, "solarization", "random_posterization", *TONAL[2:])

    @property
    def part_names(self) -> tuple[str, ...]:
        return (*GEOMETRIC, *PHOTOMETRIC, *TONAL)

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        choices = jax.random.randint(next(stream), (self.num_ops, shape[0]), 0, len(self.part_names))
        return {"layer_idxes": choices, "transforms": self.draw_parts(self.num_ops, shape, stream)}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        return self.apply_in_turn(images, transformation["layer_idxes"], transformation["transforms"])

    def apply_to_masks(self, masks: Array, transformation: Transformation) -> Array:
        choices, transforms = transformation["layer_idxes"], transformation["transforms"]
        batch = masks.shape[0]
        for turn in range(self.num_ops):
            own = jax.tree.map(lambda leaf, start=turn * batch: leaf[start : start + batch], transforms)
            masks = self.resample(masks, choices[turn], own, "nearest")
        return masks


@registry.export("keras.layers")
class AugMix(RandomPolicy):
    """In training, mixes each image with several chains of augmentations of it.

    `outputs = clip(w * images + (1 - w) * sum_k(m_k * chain_k(images)))`, `w ~ Beta(alpha, alpha)`, and `m ~
    Dirichlet(alpha, ..., alpha)`. A chain is `chain_depth` times one of shear, translation, rotation, posterization,
    solarization, auto contrast, equalization, or nothing.

    Args:
        value_range: `(low, high)`, the values that pixels may have.
        num_chains: how many chains.
        chain_depth: how many augmentations are in a chain.
        factor: the range of the strength of all of them, within [0, 1]; a number `f` means `(0, f)`.
        alpha: how even the weights are.
        all_ops: whether brightness, color degeneration, contrast and sharpness are among the augmentations. Without
            them images of any number of channels do.
        interpolation: `"nearest"` or `"bilinear"`.
        seed, data_format: as for every random image layer.

    Shapes:
        `(b, h, w, 3)` or `(h, w, 3)` -> the same, in the compute dtype.

    Raises:
        ArgumentError: an argument is out of its range; segmentation masks are given.

    >>> import jax
    >>> layer = AugMix(num_chains=2, chain_depth=3)
    >>> images = jax.ShapeDtypeStruct((4, 8, 8, 3), "float32")
    >>> drawn = jax.eval_shape(lambda images: layer.get_random_transformation(images, seed=3), images)
    >>> drawn["choices"].shape, drawn["chain_mixing_weights"].shape
    ((3, 8), (4, 2))

    Source: D. Hendrycks et al., "AugMix: a simple data processing method to improve robustness and uncertainty", ICLR
    2020.
    """

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Range = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        common: dict[str, Any] = {"seed": seed, "data_format": data_format, **kwargs}
        super().__init__(value_range=value_range, factor=factor, interpolation=interpolation, **common)
        self.num_chains = arguments.positive_int(num_chains, "num_chains", "AugMix", "AugMix(num_chains=3)")
        self.chain_depth = arguments.positive_int(chain_depth, "chain_depth", "AugMix", "AugMix(chain_depth=3)")
        arguments.positive_number(alpha, "alpha", "AugMix")
        self.alpha = alpha
        self.all_ops = bool(all_ops)
        self.make(*GEOMETRIC, "solarization", "random_posterization", *TONAL[2:], *(PHOTOMETRIC if all_ops else ()))

    @property
    def part_names(self) -> tuple[str, ...]:
        return (*GEOMETRIC, *TONAL, *(PHOTOMETRIC if self.all_ops else ()))

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        batch = shape[0]
        # gamma variates, divided by their sum, are Dirichlet's and, two of them, Beta's
        logs = jax.random.loggamma(next(stream), self.alpha, (batch, self.num_chains + 2), "float32")
        steps = (self.chain_depth, self.num_chains * batch)
        return {
            "chain_mixing_weights": jax.nn.softmax(logs[:, 2:]),
            "weight_sample": jax.nn.sigmoid(logs[:, 0] - logs[:, 1]),
            "choices": jax.random.randint(next(stream), steps, 0, len(self.part_names) + 1),
            "transforms": self.draw_parts(self.chain_depth * self.num_chains, shape, stream),
        }

    def apply(self, images: Array, transformation: Transformation) -> Array:
        copies = jnp.concatenate([images] * self.num_chains)  # (chains * b, ...)
        chains = self.apply_in_turn(copies, transformation["choices"], transformation["transforms"])
        chains = chains.reshape(self.num_chains, *images.shape)
        mixture = jnp.einsum("bk,kbxyz->bxyz", transformation["chain_mixing_weights"], chains)
        weight = per_example(transformation["weight_sample"])
        return jnp.clip(weight * images + (1 - weight) * mixture, *self.value_range)

    def apply_to_masks(self, masks: Array, transformation: Transformation) -> Array:
        raise ArgumentError(
            "AugMix cannot transform segmentation masks, because it mixes copies that are moved differently.",
            path=self._label,
            expected='"images" and "labels"',
            received='"segmentation_masks"',
            write="layer({'images': images, 'labels': labels})",
        )
