"""HashedCrossing: combinations of features, by the bins that their hashes fall into."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from jkeras import registry
from jkeras.core.tensor import check_dense
from jkeras.dtypes import PolicyLike
from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional.hashing import cross, hash_texts
from jkeras.functional.words import Word
from jkeras.layers.preprocessing.encoding import check_output_mode, encode, encoded_shape
from jkeras.layers.preprocessing.hash_keys import check_bins, integers_on_device
from jkeras.layers.preprocessing.texts import KINDS, HostLayer, as_texts, encode_on_host
from jkeras.typing import Array, Config, Shape

BEGINNING = 0xDECAFCAFFE  # what the first feature is crossed with


@registry.export("keras.layers")
class HashedCrossing(HostLayer):
    """The bin of the hash of several features together, so that each combination of values is a category.

    The bins are those of Keras. Integers are crossed on the device, as part of a model; where one of the features is of
    texts, all are crossed by NumPy where the layer is called.

    Args:
        num_bins: how many bins there are.
        output_mode: `"int"` or `"one_hot"`.
        sparse: `False`.

    Shapes:
        A sequence of at least two features of one shape, `()`, `(b,)` or `(b, 1)` -> that shape, int64 (int32 on a
        device without 64 bits); `"one_hot"`: `(num_bins,)` or `(b, num_bins)`.

    Raises:
        ArgumentError: `num_bins` is not a positive int32, unknown mode; less than 2 features, of different shapes or
            of another rank, or one that is neither of texts nor of integers.

    >>> layer = HashedCrossing(num_bins=5)
    >>> layer((np.array(["A", "B", "A"]), np.array([101, 101, 102]))).tolist()
    [1, 4, 3]

    Source: H.-T. Cheng et al., "Wide & deep learning for recommender systems", DLRS 2016.
    """

    only_on_host = False

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: PolicyLike = None,
        **kwargs: Any,
    ) -> None:
        self.output_mode = check_output_mode(output_mode, "HashedCrossing", ("int", "one_hot"))
        super().__init__(name=name, dtype="int64" if dtype is None and output_mode == "int" else dtype, **kwargs)
        self.num_bins = check_bins(num_bins, "HashedCrossing")
        check_dense("HashedCrossing", sparse)
        self.sparse = False
        self.autocast = False

    def call(self, inputs: Sequence[Array]) -> Array:
        path = self._label
        self._check([each.shape for each in inputs], path)
        integers = [integers_on_device(each, path) for each in inputs]
        words = [Word.of_uint32(each) if each.dtype == "uint32" else Word.of_int32(each) for each in integers]
        nothing = words[0] ^ words[0]
        crossed = functools.reduce(cross, words, nothing ^ BEGINNING)
        return encode(crossed.modulo(self.num_bins), self.output_mode, self.num_bins, self.compute_dtype)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """The shape of the encoding."""
        shapes = [tuple(shape) for shape in input_shape]
        self._check(shapes, self._label)
        return encoded_shape(shapes[0], self.output_mode, self.num_bins)

    def on_host(self, inputs: Sequence[Any]) -> np.ndarray:
        """The layer in NumPy, for features of texts or of integers of any size.

        Args:
            inputs: a list or tuple of features, each an array or a nested list.
        """
        features = [np.asarray(each) for each in inputs]
        self._check([each.shape for each in features], self._label)
        hashes = [_word(each) for each in features]
        start = np.full(hashes[0].shape, BEGINNING, "uint64")
        bins = functools.reduce(cross, hashes, start) % np.uint64(self.num_bins)
        bins = bins.astype("int64").reshape(features[0].shape)
        if self.output_mode == "int":
            return bins.astype(self.compute_dtype)
        return encode_on_host(bins, self.output_mode, self.num_bins, self.compute_dtype)

    def _check(self, shapes: Sequence[tuple[Any, ...]], path: str) -> None:
        first = shapes[0] if shapes else ()
        if len(shapes) < 2:
            raise ArgumentError(
                f"the inputs must be at least 2 features, got {len(shapes)}.",
                path=path,
                expected="2 features or more",
                received=f"{len(shapes)} features",
                write="layer((feature, other_feature))",
            )
        if any(shape != first for shape in shapes) or len(first) > 2 or (len(first) == 2 and first[1] != 1):
            raise ShapeError(
                "the features must have one shape, (), (b,) or (b, 1).",
                path=path,
                expected="features of one shape (), (b,) or (b, 1)",
                received=", ".join(map(str, shapes)),
                write="layer((feature.reshape(-1), other_feature.reshape(-1)))",
            )

    def get_config(self) -> Config:
        config = {**super().get_config(), "dtype": self.variable_dtype}
        del config["trainable"]  # Keras writes none, as there is nothing to train
        return config


def _word(feature: np.ndarray) -> np.ndarray:
    """One uint64 per entry: the hash of a text, an integer as it is."""
    if feature.dtype.kind in KINDS:
        return hash_texts([text.encode() for text in as_texts(feature, "HashedCrossing")[0]])
    if feature.dtype.kind not in "iu":
        rule = "a feature must hold strings or integers"
        write = "feature.astype('int64')   # or Discretization(...)(feature)"
        received = f"dtype {feature.dtype}"
        raise ArgumentError.must(rule, received, path="HashedCrossing", expected="str, bytes or integers", write=write)
    return feature.ravel().astype("uint64")
