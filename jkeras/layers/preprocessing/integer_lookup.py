"""IntegerLookup: integers that stand for things, as their indices in a vocabulary."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jkeras import arguments, registry
from jkeras.errors import ArgumentError
from jkeras.functional.hashing import hash_integers, hash_texts
from jkeras.jax_compat import canonical_dtype
from jkeras.layers.preprocessing.encoding import encode
from jkeras.layers.preprocessing.hash_keys import integers_on_device
from jkeras.layers.preprocessing.lookup import Lookup
from jkeras.layers.preprocessing.search import places
from jkeras.layers.preprocessing.texts import documents
from jkeras.layers.preprocessing.vocabulary import entries_of
from jkeras.typing import Array, ArrayTree


@registry.export("keras.layers")
class IntegerLookup(Lookup):
    """The index of each integer in a vocabulary, in one of several encodings; with `invert` the integer of each index.

    The vocabulary is an argument, and part of the config. `adapt` finds it in data and returns another layer. The layer
    is part of a model, and runs on the device. `on_host` does the same in NumPy, for integers of 64 bits too.

        indices:  0 for the mask token, where `output_mode` is "int"; then `num_oov_indices` for integers that are not
                  in the vocabulary; then those of the vocabulary

    An integer that is not in the vocabulary has the index `value mod num_oov_indices`, or that of its hash. Without
    indices for such integers `on_host` raises, and on the device, which cannot, it is -1.

    Args:
        max_tokens: how large the vocabulary may be, the special indices included.
        num_oov_indices: how many indices there are for integers that are not in the vocabulary.
        mask_token: the integer with the index 0; in other modes than `"int"` it adds nothing to the outputs.
        oov_token: what `invert` gives for integers that were not in the vocabulary.
        vocabulary: integers, the special ones in front or not at all; or the path of a file with one in each line.
        vocabulary_dtype: `"int64"`.
        idf_weights: a weight for each entry of `vocabulary`, for `"tf_idf"`.
        invert: whether indices are turned back.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"`, `"count"`, or `"tf_idf"`: counts times weights.
        sparse: `False`.
        pad_to_max_tokens: whether encodings have `max_tokens` entries, however small the vocabulary.
        oov_method: `"floormod"`, or `"farmhash"`: the remainder is that of the hash of the digits.
        salt: the key of SipHash, instead of FarmHash.

    Shapes:
        `"int"`: any shape -> the same, int64 (int32 on a device without 64 bits). `"one_hot"`: `(..., t)` ->
        `(..., t, v)`, without `t` where it is 1; otherwise `(..., t)` -> `(..., v)`, in the compute dtype.

    Raises:
        ArgumentError: arguments that do not go together, repeated tokens, special tokens among the others, tokens or
            inputs that do not fit the integers of the device.
        BuildError: the layer has no vocabulary yet.

    >>> layer = IntegerLookup().adapt(np.array([[12, 1138, 42], [42, 1000, 36]]))
    >>> layer.get_vocabulary()
    [-1, 42, 1138, 1000, 36, 12]
    >>> layer.stateless_call({}, {}, jnp.array([42, 7, 12]))[0].tolist()
    [1, 0, 5]

    Source: the definition above; K. Spärck Jones, "A statistical interpretation of term specificity", Journal of
    Documentation 28(1), 1972.
    """

    only_on_host = False

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: str | Sequence[Any] | np.ndarray | None = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Sequence[float] | np.ndarray | Array | None = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: int | Sequence[int] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        for argument, value, known in (
            ("vocabulary_dtype", vocabulary_dtype, ("int64",)),
            ("oov_method", oov_method, ("floormod", "farmhash")),
        ):
            arguments.one_of(value, argument, "IntegerLookup", known)
        if salt is not None and oov_method != "farmhash":
            raise ArgumentError(
                "`salt` needs `oov_method='farmhash'`.",
                path="IntegerLookup",
                expected="salt=None or oov_method='farmhash'",
                received=f"salt={salt!r}, oov_method={oov_method!r}",
                write=f"IntegerLookup(oov_method='farmhash', salt={salt!r})",
            )
        self.vocabulary_dtype, self.oov_method = vocabulary_dtype, oov_method
        entries = entries_of(vocabulary)
        self.set_lookup(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            vocabulary=None if entries is None else [_integer(entry) for entry in entries],
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            sparse=sparse,
            pad_to_max_tokens=pad_to_max_tokens,
            salt=salt,
        )

    # -- on the device

    def call(self, inputs: Array) -> Array:
        path = self._label
        values = self._as_int(inputs, path)
        if self.invert:
            return self._tokens_at(values, path)
        indices = self._indices_of(values, self._unknown(inputs, values, path), path)
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        dtype = "int64" if mode == "int" else self.compute_dtype
        outputs = encode(indices, mode, self.depth, dtype)
        if self.output_mode != "tf_idf":
            return outputs
        weights = jnp.asarray(self.idf(), outputs.dtype)
        return outputs * jnp.expand_dims(weights, tuple(range(outputs.ndim - 1)))

    def _as_int(self, inputs: Array, path: str) -> Array:
        """Inputs in the device's widest signed integers, into which they and all tokens fit."""
        widest = canonical_dtype("int64")
        bounds = jnp.iinfo(widest)
        tokens = [token for token in (*self.words.known(path), *self.words.special) if token is not None]
        narrow = jnp.issubdtype(inputs.dtype, jnp.signedinteger) or inputs.dtype in ("uint8", "uint16")
        if narrow and bounds.min <= min(tokens) and max(tokens) <= bounds.max:
            return inputs.astype(widest)
        raise ArgumentError(
            f"the inputs and the vocabulary must fit into {widest} to be looked up on the device.",
            path=path,
            expected=f"inputs and vocabulary in {widest}",
            received=f"inputs in {inputs.dtype}, tokens from {min(tokens)} to {max(tokens)}",
            write=f"{self.name}.on_host(x)   # in NumPy, before the model",
        )

    def _indices_of(self, values: Array, unknown: Array | int, path: str) -> Array:
        tokens = np.asarray(self.words.known(path), values.dtype)
        order = np.argsort(tokens)
        ascending = jnp.asarray(tokens[order])
        place = jnp.minimum(places(ascending, values), len(tokens) - 1)  # of the first token that is not less
        found = ascending[place] == values
        indices = jnp.asarray(order + self.words.start, values.dtype)[place]
        indices = jnp.where(found, indices, unknown)
        if self.mask_token is None:
            return indices
        return jnp.where(values == self.mask_token, 0 if self.words.masks else -1, indices)

    def _unknown(self, inputs: Array, values: Array, path: str) -> Array | int:
        """The indices of values that are not in the vocabulary."""
        bins = self.num_oov_indices
        if bins < 2:
            return self.words.masks if bins else -1
        if self.oov_method == "floormod":
            return values % bins + self.words.masks
        hashes = hash_integers(integers_on_device(inputs, path), self.salt)
        return hashes.modulo(bins).astype(values.dtype) + self.words.masks

    def _tokens_at(self, indices: Array, path: str) -> Array:
        self.words.known(path)
        table = jnp.asarray(self.words.all(), indices.dtype)
        inside = (indices >= 0) & (indices < len(table))
        return jnp.where(inside, table[jnp.where(inside, indices, 0)], self.oov_token)

    # -- on the host

    def host_indices(self, inputs: ArrayTree) -> np.ndarray:
        values = np.asarray(inputs)
        if values.dtype.kind not in "iu" and values.size:
            rule, write = "the inputs must be integers", f"{self.name}(values.astype('int64'))"
            raise ArgumentError.must(rule, f"dtype {values.dtype}", path=self.name, write=write)
        indices = self.host_table(values.ravel().tolist(), self._unknown_on_host)
        return indices.reshape(values.shape)

    def _unknown_on_host(self, values: list[int]) -> np.ndarray:
        if self.oov_method == "floormod":
            return np.array([value % self.num_oov_indices for value in values], "int64")
        keys = [str(value).encode() for value in values]
        return (hash_texts(keys, self.salt) % np.uint64(self.num_oov_indices)).astype("int64")

    def host_tokens(self, tokens: list[int]) -> np.ndarray:
        return np.array(tokens, "int64")

    def documents(self, batch: ArrayTree) -> Iterable[Sequence[int]]:
        return documents(batch)


def _integer(entry: Any) -> int:
    """An entry of a vocabulary: an integer, or the line of a file."""
    try:
        if not isinstance(entry, float) or entry.is_integer():
            return int(entry)
    except (TypeError, ValueError):
        pass
    raise ArgumentError(
        f"every vocabulary entry must be an integer, got {arguments.shown(entry)}.",
        path="IntegerLookup",
        expected="integers",
        received=repr(entry)[:60],
        write="StringLookup(vocabulary=['a', 'b'])   # for strings"
        if isinstance(entry, str)
        else "IntegerLookup(vocabulary=[1, 2])",
    )
