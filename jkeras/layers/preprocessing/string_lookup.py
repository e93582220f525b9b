"""StringLookup: texts that stand for things, as their indices in a vocabulary."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from jkeras import arguments, registry
from jkeras.errors import ArgumentError
from jkeras.functional.hashing import hash_texts
from jkeras.layers.preprocessing.lookup import Lookup
from jkeras.layers.preprocessing.texts import as_texts
from jkeras.layers.preprocessing.vocabulary import entries_of
from jkeras.typing import Array, ArrayTree, Config


@registry.export("keras.layers")
class StringLookup(Lookup):
    """The index of each text in a vocabulary, in one of several encodings; with `invert` the text of each index.

    The vocabulary is an argument, and part of the config. `adapt` finds it in data and returns another layer. XLA has
    no strings, so the layer cannot be part of a model: it runs where it is called, NumPy in and NumPy out.

        indices:  0 for the mask token, where `output_mode` is "int"; then `num_oov_indices` for texts that are not in
                  the vocabulary; then those of the vocabulary

    Where texts that are not in the vocabulary have several indices, theirs is that of their hash, as in Keras.

    Args:
        max_tokens: how large the vocabulary may be, the special indices included.
        num_oov_indices: how many indices there are for texts that are not in the vocabulary. With 0 they are an error.
        mask_token: the text with the index 0; in other modes than `"int"` it adds nothing to the outputs.
        oov_token: what `invert` gives for texts that were not in the vocabulary.
        vocabulary: texts, the special ones in front or not at all; or the path of a file with one in each line.
        idf_weights: a weight for each entry of `vocabulary`, for `"tf_idf"`.
        invert: whether indices are turned back.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"`, `"count"`, or `"tf_idf"`: counts times weights.
        pad_to_max_tokens: whether encodings have `max_tokens` entries, however small the vocabulary.
        sparse: `False`.
        encoding: that of inputs that are bytes.
        salt: the key of SipHash, instead of FarmHash.

    Shapes:
        `"int"`: any shape -> the same, int64. `"one_hot"`: `(..., t)` -> `(..., t, v)`, without `t` where it is 1;
        otherwise `(..., t)` -> `(..., v)`, in the compute dtype. With `invert` any shape -> the same, `str`.

    Raises:
        ArgumentError: arguments that do not go together, repeated tokens, special tokens among the others; inputs that
            are not strings.
        BuildError: the layer has no vocabulary yet.
        DataError: a string is not in the vocabulary, and there is no index for it.

    >>> layer = StringLookup().adapt([["a", "c", "d"], ["d", "z", "b"]])
    >>> layer.get_vocabulary()
    ['[UNK]', 'd', 'z', 'c', 'b', 'a']
    >>> layer([["a", "e"]]).tolist()
    [[5, 0]]
    >>> StringLookup(vocabulary=layer.get_vocabulary(), invert=True)([[5, 0]]).tolist()
    [['a', '[UNK]']]

    Source: the definition above; K. Spärck Jones, "A statistical interpretation of term specificity", Journal of
    Documentation 28(1), 1972.
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: str | Sequence[Any] | np.ndarray | None = None,
        idf_weights: Sequence[float] | np.ndarray | Array | None = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("oov_method", None)  # in Keras's configs; texts are always hashed
        super().__init__(name=name, **kwargs)
        self.encoding = encoding
        entries = entries_of(vocabulary)
        self.set_lookup(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            vocabulary=None if entries is None else [self._text(entry) for entry in entries],
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            sparse=sparse,
            pad_to_max_tokens=pad_to_max_tokens,
            salt=salt,
        )

    def _text(self, entry: object) -> str:
        if isinstance(entry, bytes):
            return entry.decode(self.encoding)
        if not isinstance(entry, str):
            rule, received = "every vocabulary entry must be a string", arguments.shown(entry)
            write = "StringLookup(vocabulary=['a', 'b'])"
            raise ArgumentError.must(rule, received, path="StringLookup", expected="str or bytes", write=write)
        return str(entry)

    def host_indices(self, inputs: ArrayTree) -> np.ndarray:
        texts, shape = as_texts(inputs, self.name, self.encoding)
        return self.lookup(texts).reshape(shape)

    def lookup(self, texts: Sequence[str]) -> np.ndarray:
        """The index of each text in a list."""
        return self.host_table(texts, self._bins)

    def _bins(self, texts: list[str]) -> np.ndarray:
        hashes = hash_texts([text.encode() for text in texts], self.salt)
        return (hashes % np.uint64(self.num_oov_indices)).astype("int64")

    def host_tokens(self, tokens: list[str]) -> np.ndarray:
        return np.array(tokens)

    def documents(self, batch: ArrayTree) -> Iterable[Sequence[str]]:
        texts, shape = as_texts(batch, self.name, self.encoding)
        if not texts:
            return []
        width = len(texts) // shape[0] if shape else 1
        return [texts[start : start + width] for start in range(0, len(texts), width)]

    def get_config(self) -> Config:
        return {**super().get_config(), "oov_method": "floormod"}
