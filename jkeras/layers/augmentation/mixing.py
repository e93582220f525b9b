"""Examples mixed with others of their batch: MixUp and CutMix.

With inputs `{"images": ..., "labels": ...}` the labels are mixed like the images.
"""

from collections.abc import Iterator
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core.options import LayerOptions
from jkeras.errors import ShapeError
from jkeras.layers.augmentation.arguments import factor_range
from jkeras.layers.augmentation.base import RandomImageLayer, Transformation, per_example, uniform
from jkeras.layers.augmentation.boxes import inside, random_box
from jkeras.typing import Array, Key, Range


class MixingLayer(RandomImageLayer):
    """The base of layers that pair each example with another, `permutation_order`, whose part is `1 - mix_weight`."""

    def apply_to_labels(self, labels: Array, transformation: Transformation) -> Array:
        self.check_labels(labels)
        return mixed(labels, transformation)

    def check_labels(self, labels: Array) -> None:
        """Raises `ShapeError` for class indices: there is nothing between two of them."""
        if labels.ndim == 1 and not jnp.issubdtype(labels.dtype, jnp.floating):
            rule = "the labels must be vectors, because class indices cannot be mixed"
            received, write = f"labels of shape {labels.shape}, {labels.dtype}", "jax.nn.one_hot(labels, num_classes)"
            raise ShapeError.must(rule, received, path=self._label, expected="a row per example", write=write)


def partners(values: Array, transformation: Transformation) -> Array:
    """The other example of each pair."""
    return jnp.take(values, transformation["permutation_order"], axis=0)


def mixed(values: Array, transformation: Transformation) -> Array:
    """Each example and its partner, weighted.

    >>> halves = {"permutation_order": jnp.array([1, 0]), "mix_weight": jnp.array([0.75, 0.5])}
    >>> mixed(jnp.array([0.0, 4.0]), halves).tolist()
    [1.0, 2.0]
    """
    weight = per_example(transformation["mix_weight"], values.ndim)
    return weight * values + (1.0 - weight) * partners(values, transformation)


@registry.export("keras.layers")
class MixUp(MixingLayer):
    """In training, `outputs = w * images + (1 - w) * partners`, where `w ~ Beta(alpha, alpha)` for each example.

    The partners are the same batch in random order. Labels, and segmentation masks of floats, are mixed with the same
    weights.

    Args:
        alpha: how even the mixtures are: near 0 one of both has nearly all the weight, with 1 all weights are alike.
        seed, data_format: as for every random image layer.

    Shapes:
        Images `(b, h, w, c)` -> the same, in the compute dtype; labels `(b, ...)` -> the same.

    Raises:
        ArgumentError: `alpha` is not positive.
        ShapeError: labels or masks are class indices.

    >>> import jax, jax.numpy as jnp
    >>> layer = MixUp(seed=1)
    >>> data = {"images": jnp.array([0.0, 100.0]).reshape(2, 1, 1, 1), "labels": jnp.eye(2)}
    >>> variables = layer.init(jax.random.key(0), data)
    >>> mixture, _ = layer.stateless_call(*variables, data, training=True)
    >>> bool(jnp.allclose(mixture["images"].ravel(), 100 * mixture["labels"][:, 1], rtol=1e-5))
    True

    Source: H. Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018.
    """

    def __init__(
        self,
        alpha: float = 0.2,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        arguments.positive_number(alpha, "alpha", "MixUp")
        self.alpha = alpha

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        order = jax.random.permutation(next(stream), shape[0])
        return {
            "permutation_order": order,
            "mix_weight": jax.random.beta(next(stream), self.alpha, self.alpha, (shape[0],), "float32"),
        }

    def apply(self, images: Array, transformation: Transformation) -> Array:
        return mixed(images, transformation)

    def apply_to_masks(self, masks: Array, transformation: Transformation) -> Array:
        if not jnp.issubdtype(masks.dtype, jnp.floating):
            self.check_labels(jnp.ravel(masks))
        return mixed(masks, transformation)


@registry.export("keras.layers")
class CutMix(MixingLayer):
    """In training, replaces a box in each image by what its partner has there.

    The box has a share `1 - w` of the image, `w ~ Beta(a, a)`; labels are mixed with the weights `w` and `1 - w`,
    segmentation masks are cut like the images.

    Args:
        factor: the range of `a`, within [0, 1]; a number `f` means `(0, f)`. Near 0 boxes take all or nothing.
        seed, data_format: as for every random image layer.

    Shapes:
        Images `(b, h, w, c)` -> the same, in the compute dtype; labels `(b, ...)` -> the same.

    Raises:
        ArgumentError: `factor` is not a range.
        ShapeError: labels are class indices.

    >>> import jax, jax.numpy as jnp
    >>> layer = CutMix(seed=3)
    >>> data = {"images": jnp.array([[0.0] * 64, [1.0] * 64]).reshape(2, 8, 8, 1), "labels": jnp.eye(2)}
    >>> variables = layer.init(jax.random.key(0), data)
    >>> mixture, _ = layer.stateless_call(*variables, data, training=True)
    >>> sorted(set(mixture["images"].ravel().tolist()))
    [0.0, 1.0]

    Source: S. Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features",
    ICCV 2019.
    """

    def __init__(
        self,
        factor: Range = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, (0, 1), "CutMix")

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation:
        batch, width, height = shape[0], shape[self.width_axis], shape[self.height_axis]
        alpha = uniform(next(stream), (batch,), self.factor) + 1e-6  # Beta has no parameter 0
        side = jnp.sqrt(1.0 - jax.random.beta(next(stream), alpha, alpha, (batch,), "float32"))
        columns, rows = random_box(stream, width, height, side, side)
        share = (columns[1] - columns[0]) * (rows[1] - rows[0]) / (width * height)
        return {
            "batch_masks": inside(columns, rows, width, height, self.data_format),
            "mix_weight": 1.0 - share,
            "permutation_order": jax.random.permutation(next(stream), batch),
        }

    def apply(self, images: Array, transformation: Transformation) -> Array:
        return jnp.where(transformation["batch_masks"], partners(images, transformation), images)

    def apply_to_masks(self, masks: Array, transformation: Transformation) -> Array:
        return self.apply(masks, transformation)
