"""Hashing: categories without a vocabulary, by the bins that their hashes fall into."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jkeras import registry
from jkeras.core.tensor import check_dense
from jkeras.errors import ArgumentError
from jkeras.functional.hashing import hash_integers, hash_texts
from jkeras.layers.preprocessing.encoding import check_output_mode, encode, encoded_shape
from jkeras.layers.preprocessing.hash_keys import check_bins, check_salt, digits_or_texts, integers_on_device
from jkeras.layers.preprocessing.texts import HostLayer, encode_on_host
from jkeras.typing import Array, ArrayTree, Shape


@registry.export("keras.layers")
class Hashing(HostLayer):
    """`outputs = hash(inputs) mod num_bins`, in one of the encodings of `CategoryEncoding`.

    The hash is FarmHash64, or with a salt SipHash-2-4, of the text, or of the decimal digits of the integer: the bins
    are those of Keras, in every process and on every machine. Integers are hashed on the device, as part of a model.
    Texts are hashed by NumPy where the layer is called on them, since XLA has no strings; so are arrays of NumPy with
    integers that 32 bits cannot hold.

    Args:
        num_bins: how many bins there are.
        mask_value: the input that gets bin 0, which then no other input gets.
        salt: the key of SipHash: two integers, or one that is used twice.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"` or `"count"`.
        sparse: `False`.

    Shapes:
        `"int"`: any shape -> the same, int64 (int32 on a device without 64 bits). `"one_hot"`: `(..., t)` ->
        `(..., t, num_bins)`, without `t` where it is 1. `"multi_hot"`, `"count"`: `(..., t)` -> `(..., num_bins)`.

    Raises:
        ArgumentError: `num_bins` is not a positive int32, `salt` not integers, the mode unknown; inputs of another kind
            than the mask value; numbers on the device that are not integers of at most 32 bits, which `on_host` takes.

    >>> layer = Hashing(num_bins=3, salt=[133, 137])
    >>> layer([["A"], ["B"], ["C"]]).tolist()
    [[1], [2], [1]]
    >>> import jax
    >>> Hashing(3).stateless_call({}, {}, jnp.array([0, 1, 4]))[0].tolist()
    [1, 0, 2]

    Source: K. Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009; the hashes are those
    of `jkeras.functional.hashing`.
    """

    only_on_host = False

    def __init__(
        self,
        num_bins: int,
        mask_value: int | str | None = None,
        salt: int | Sequence[int] | None = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        self.output_mode = check_output_mode(output_mode, "Hashing")
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if self.output_mode == "int" else None
        super().__init__(**kwargs)
        self.num_bins = check_bins(num_bins, "Hashing")
        self.mask_value = mask_value
        self.salt = check_salt(salt, "Hashing")
        check_dense("Hashing", sparse)
        self.sparse = False
        self.autocast = False  # hashes are of the inputs as they come
        if self.output_mode == "int" and self.compute_dtype not in ("int32", "int64"):
            rule = "with `output_mode='int'`, `dtype` must be int32 or int64"
            write = "Hashing(num_bins=10, dtype='int32')"
            raise ArgumentError.must(rule, self.compute_dtype, path="Hashing", write=write)

    def call(self, inputs: Array) -> Array:
        masked = self._check_mask(texts=False)
        hashes = hash_integers(integers_on_device(inputs, self._label), self.salt)
        bins = hashes.modulo(self.num_bins - masked) + masked
        if masked:
            bins = jnp.where(inputs == self.mask_value, 0, bins)
        return encode(bins, self.output_mode, self.num_bins, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the encoding."""
        return encoded_shape(tuple(input_shape), self.output_mode, self.num_bins)

    def on_host(self, inputs: ArrayTree) -> np.ndarray:
        """The layer in NumPy, for texts, and for integers of any size.

        Args:
            inputs: an array or nested list of str, bytes or numbers, of which floats are cut to int64.
        """
        keys, shape, texts = digits_or_texts(inputs, "Hashing")
        masked = self._check_mask(texts)
        bins = (hash_texts(keys, self.salt) % np.uint64(self.num_bins - masked)).astype("int64") + masked
        if masked:
            mask = str(self.mask_value).encode()
            bins[[key == mask for key in keys]] = 0
        bins = bins.reshape(shape)
        if self.output_mode == "int":
            return bins.astype(self.compute_dtype)
        return encode_on_host(bins, self.output_mode, self.num_bins, self.compute_dtype)

    def _check_mask(self, texts: bool) -> int:
        """How many bins are for masked inputs. Raises where the mask value is of another kind than the inputs."""
        if self.mask_value is not None and isinstance(self.mask_value, str) != texts:
            raise ArgumentError(
                "the inputs must be of the kind of `mask_value`.",
                path=self._label,
                expected="strings" if isinstance(self.mask_value, str) else "numbers",
                received="strings" if texts else "numbers",
                write=f"Hashing(..., mask_value={'' if texts else 0!r})",
            )
        return int(self.mask_value is not None and self.num_bins > 1)
