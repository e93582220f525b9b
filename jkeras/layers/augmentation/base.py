"""ImageLayer: what is done to images at random, in two pure steps.

`get_random_transformation` draws the parameters of each example, `transform_images` applies them. A call does one after
the other, in training only; by hand they go without a scope, so what was drawn for images can be seen, and applied to
other images. A subclass writes `draw` and `apply`, for a batch of images of floats; what comes around them is here.

Parameters are float32 or finer whatever the images are: a coordinate of an image does not fit bfloat16.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Unpack

import jax
import jax.numpy as jnp

from jkeras import keys
from jkeras.config import standardize_data_format
from jkeras.core import Layer, SeedGenerator
from jkeras.core.options import LayerOptions
from jkeras.errors import ShapeError
from jkeras.functional.layout import channel_axis, spatial_axes
from jkeras.layers.arguments import check_image_names
from jkeras.layers.augmentation.arguments import factor_range, value_bounds
from jkeras.layers.augmentation.options import ImageOptions
from jkeras.typing import Array, Key, PyTree, Range

Transformation = dict[str, Any]


class ImageLayer(Layer):
    """The base of layers that change images `(b, h, w, c)`, or `(b, c, h, w)`, or one image without a batch axis.

    Inputs are images, or a dict with `"images"` and, as far as there are any, `"labels"` and `"segmentation_masks"`;
    outputs are the same, in the compute dtype.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; by default `jkeras.config.image_data_format()`.

    Raises:
        ArgumentError: the data format is unknown.
        ShapeError: the images have neither three nor four axes.
    """

    def __init__(self, *, data_format: str | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)

    # -- what a subclass says

    def draw(self, shape: tuple[Any, ...], stream: Iterator[Key]) -> Transformation | None:
        """The parameters for a batch of images of a shape, from the next keys of a stream; `None` to do nothing."""
        return {}

    def apply(self, images: Array, transformation: Transformation) -> Array:
        """A batch of images of floats, transformed."""
        raise NotImplementedError

    def apply_to_masks(self, masks: Array, transformation: Transformation) -> Array:
        """A batch of segmentation masks, transformed; those of layers that move no pixels stay."""
        return masks

    def rest(self, images: Array) -> Array:
        """A batch of images of floats where no parameters were drawn, as outside training: they stay."""
        return images

    def rest_of_masks(self, masks: Array) -> Array:
        """A batch of segmentation masks where no parameters were drawn."""
        return masks

    def apply_to_labels(self, labels: Array, transformation: Transformation) -> Array:
        """A batch of labels, transformed; those of layers that mix no examples stay."""
        return labels

    # -- what users call

    def call(self, data: PyTree, training: bool | None = True) -> PyTree:
        transformation = self.get_random_transformation(data, training=training)
        if not isinstance(data, Mapping):
            return self.transform_images(data, transformation, training)
        outputs = dict(data, images=self.transform_images(data["images"], transformation, training))
        if "labels" in data:
            single = data["images"].ndim == 3
            outputs["labels"] = self.transform_labels(data["labels"], transformation, training, single=single)
        if "segmentation_masks" in data:
            masks = data["segmentation_masks"]
            outputs["segmentation_masks"] = self.transform_segmentation_masks(masks, transformation, training)
        return outputs

    def get_random_transformation(
        self, data: PyTree, training: bool | None = True, seed: int | Key | None = None
    ) -> Transformation | None:
        """Draws the parameters for images.

        Args:
            data: images, or a dict of them; only the shape matters.
            training: without it nothing is drawn.
            seed: an int or a key, for the parameters that a call draws whose stream stands there. By default the next
                keys of the layer's own stream, which needs a scope.

        Returns:
            A dict of arrays whose first axis is that of the examples; `None` outside training.
        """
        if isinstance(data, Mapping):
            self.check_names(data)
        images = data["images"] if isinstance(data, Mapping) else data
        shape = images.shape if len(images.shape) == 4 else (1, *images.shape)
        if len(shape) != 4:
            raise ShapeError(
                f"images must have rank 3, or 4 with a batch axis, got rank {len(images.shape)}.",
                path=self._label,
                expected="(b, h, w, c), or (h, w, c)" if self.data_format == "channels_last" else "(b, c, h, w)",
                received=f"shape {tuple(images.shape)}",
                write="layer(images[..., None])   # gray images, with an axis for their channel"
                if len(images.shape) in (2, 3)
                else None,
            )
        return self.draw(shape, self.stream(seed)) if training else None

    def transform_images(
        self, images: Array, transformation: Transformation | None, training: bool | None = True
    ) -> Array:
        """Images, transformed by parameters; a pure function of both. Outside training most stay as they are."""
        images = jnp.asarray(images).astype(self.compute_dtype)
        if training and transformation is not None:
            return on_batch(lambda batch: self.apply(batch, transformation), images).astype(self.compute_dtype)
        return on_batch(self.rest, images).astype(self.compute_dtype)

    def transform_labels(
        self, labels: Array, transformation: Transformation | None, training: bool | None = True, single: bool = False
    ) -> Array:
        """Labels, transformed by the parameters that their images were; `single` for those of one image."""
        if transformation is None or not training:
            return labels
        labels = jnp.asarray(labels)
        if single:
            return jnp.squeeze(self.apply_to_labels(jnp.expand_dims(labels, 0), transformation), 0)
        return self.apply_to_labels(labels, transformation)

    def transform_segmentation_masks(
        self, segmentation_masks: Array, transformation: Transformation | None, training: bool | None = True
    ) -> Array:
        """Masks, whose axes are those of the images, transformed as their images were; the dtype stays."""
        masks = jnp.asarray(segmentation_masks)
        if training and transformation is not None:
            return on_batch(lambda batch: self.apply_to_masks(batch, transformation), masks).astype(masks.dtype)
        return on_batch(self.rest_of_masks, masks).astype(masks.dtype)

    # -- what subclasses use

    def stream(self, seed: Any) -> Iterator[Key]:
        """Keys for `draw`: those that follow a seed, else those of the layer's own stream."""
        return successors(seed)

    @property
    def channel_axis(self) -> int:
        """The axis of the channels in a batch."""
        return channel_axis(4, self.data_format)

    @property
    def height_axis(self) -> int:
        """The axis of the rows in a batch."""
        return spatial_axes(4, self.data_format)[0]

    @property
    def width_axis(self) -> int:
        """The axis of the columns in a batch."""
        return spatial_axes(4, self.data_format)[1]

    def check_names(self, data: Mapping[str, Any]) -> None:
        """Raises `ArgumentError` for a dict without images, or with what no layer here can transform."""
        check_image_names(data, self._label)


class RandomImageLayer(ImageLayer):
    """An `ImageLayer` with a stream of keys, `generator`: one `uint32[2]` leaf of the non-trainable tree.

    Args:
        seed: an int, for the same stream after every `init`; by default it is drawn from the key given to `init`.
    """

    def __init__(self, *, seed: int | None = None, **kwargs: Unpack[ImageOptions]) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.generator = SeedGenerator(seed)

    def stream(self, seed: int | Key | None) -> Iterator[Key]:
        if seed is not None:
            yield from successors(seed)
        while True:
            yield self.generator.next()


class RandomFactorLayer(RandomImageLayer):
    """A random layer that draws a factor within `bounds` for each image.

    Args:
        factor: the range of the factor; a number `f` means all within the bounds from 0 to `f`.
        value_range: `(low, high)`, the values that pixels may have.
        data_format, seed: as for every random image layer.

    Raises:
        ArgumentError: `factor` or `value_range` is not a range.
    """

    bounds: ClassVar[tuple[float, float]]

    def __init__(
        self,
        factor: Range,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, self.bounds, type(self).__name__, upwards=True)
        self.value_range = value_bounds(value_range, type(self).__name__)


def on_batch(function: Callable[[Array], Array], images: Array) -> Array:
    """A function of batches, for one image too.

    >>> on_batch(lambda batch: batch[:, ::-1], jnp.arange(2).reshape(2, 1, 1)).ravel().tolist()
    [1, 0]
    """
    return function(images) if images.ndim == 4 else jnp.squeeze(function(jnp.expand_dims(images, 0)), 0)


def successors(seed: int | Key) -> Iterator[Key]:
    """A key, and those that count up from it: what a `SeedGenerator` gives whose state it is.

    >>> first, second, *_ = (key for _, key in zip(range(2), successors(7)))
    >>> jax.random.key_data(second).tolist()
    [7, 1]
    """
    key = keys.from_seed(seed) if isinstance(seed, int) else seed
    words = jax.random.key_data(key)
    while True:
        yield jax.random.wrap_key_data(words, impl=jax.random.key_impl(key))
        words = words.at[-1].add(1)


def uniform(key: Key, shape: tuple[Any, ...], bounds: tuple[float, float] = (0.0, 1.0)) -> Array:
    """Numbers from a range, float32."""
    return jax.random.uniform(key, shape, "float32", *bounds)


def chance(stream: Iterator[Key], batch: int, bounds: tuple[float, float]) -> Array:
    """Whether each example is transformed: with a probability that is itself drawn from a range."""
    probability = uniform(next(stream), (batch,), bounds)
    return uniform(next(stream), (batch,)) < probability


def per_example(values: Array, ndim: int = 4) -> Array:
    """One value per example, ready to broadcast to a batch."""
    return jnp.reshape(values, (values.shape[0],) + (1,) * (ndim - 1))
