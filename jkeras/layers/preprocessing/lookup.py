"""What IntegerLookup and StringLookup share: a vocabulary, found in data or given, and what is made of indices."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from jkeras.core.tensor import check_dense
from jkeras.errors import ArgumentError, DataError
from jkeras.layers.preprocessing.batches import batches_of
from jkeras.layers.preprocessing.encoding import check_output_mode
from jkeras.layers.preprocessing.hash_keys import check_salt
from jkeras.layers.preprocessing.texts import HostLayer, encode_on_host
from jkeras.layers.preprocessing.vocabulary import MODES, learn, vocabulary_of
from jkeras.typing import Array, ArrayTree, Config, DataLike

DERIVED = ("vocabulary_size", "has_input_vocabulary")  # in Keras's configs, and found again here


class Lookup(HostLayer):
    """The base of layers with a vocabulary. Subclasses call `set_lookup`, and say on the host what the indices of
    inputs are (`host_indices`), how tokens become an array (`host_tokens`), and which tokens a batch has (`documents`).

    Attributes:
        words: the vocabulary, with the special tokens.
    """

    _hidden = HostLayer._hidden | {"vocabulary", "idf_weights", "words", "_indices"}  # long, and without parts

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{name: value for name, value in kwargs.items() if name not in DERIVED})

    def set_lookup(
        self,
        *,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: int | str | None,
        oov_token: int | str | None,
        vocabulary: list[Any] | None,
        idf_weights: Sequence[float] | np.ndarray | Array | None,
        invert: bool,
        output_mode: str,
        sparse: bool,
        pad_to_max_tokens: bool,
        salt: int | Sequence[int] | None,
    ) -> None:
        """Takes the constructor's arguments."""
        owner = type(self).__name__
        self.max_tokens, self.num_oov_indices = max_tokens, num_oov_indices
        self.mask_token: Any = mask_token
        self.oov_token: Any = oov_token
        self.invert, self.pad_to_max_tokens = bool(invert), bool(pad_to_max_tokens)
        self.output_mode = check_output_mode(output_mode, owner, MODES)
        check_dense(owner, sparse)
        self.sparse, self.salt = False, check_salt(salt, owner)
        self.idf_weights = None if idf_weights is None else np.asarray(idf_weights, "float64").tolist()
        self.vocabulary = vocabulary
        self.words = vocabulary_of(self)
        self._indices = {token: index for index, token in enumerate(self.words.tokens or (), self.words.start)}
        self.autocast = False

    # -- the vocabulary

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The token of every index; without the special ones those of the vocabulary alone."""
        return self.words.all() if include_special_tokens else list(self.words.tokens or ())

    def vocabulary_size(self) -> int:
        """The number of indices, the special ones included."""
        return self.words.size

    @property
    def depth(self) -> int:
        """How many entries an encoding has."""
        return int(self.max_tokens) if self.pad_to_max_tokens and self.max_tokens else self.words.size

    def idf(self) -> np.ndarray:
        """The weight of every entry of an encoding."""
        return np.pad(np.asarray(self.words.idf), (0, self.depth - self.words.size))

    def adapt(self, data: DataLike, steps: int | None = None) -> Self:
        """A layer like this one with the vocabulary of some data; this one stays as it is.

        Tokens are sorted by how often they occur, and where that is the same from the last to the first; the most
        frequent ones that `max_tokens` has room for stay. For `"tf_idf"` the weight of a token that is in `df` of `n`
        documents is `log(1 + n / (1 + df))`.

        Args:
            data: an array or list of tokens, whose rows are the documents (its entries where it has one axis), or an
                iterable of such batches, which is read once.
            steps: how many batches to read at most.

        Raises:
            ArgumentError: the layer has a vocabulary.
            DataError: there are no tokens in the data.
        """
        if self.words.tokens is not None:
            raise ArgumentError(
                "`adapt` cannot find a vocabulary, because the layer already has one.",
                path=self.name,
                expected="a layer without a vocabulary",
                write=f"{type(self).__name__}()   # without `vocabulary`, then adapt",
            )
        batches = [data] if isinstance(data, list | tuple) else batches_of(data, type(self).__name__, steps)
        found = learn(self, self.words, (document for batch in batches for document in self.documents(batch)))
        made: Self = self.from_config({**self.get_config(), **found})
        return made

    def documents(self, batch: ArrayTree) -> Iterable[Sequence[Any]]:
        """The tokens of each document in a batch."""
        raise NotImplementedError

    # -- on the host

    def on_host(self, inputs: ArrayTree) -> np.ndarray:
        """The layer in NumPy.

        Raises:
            DataError: a token is not in the vocabulary, and `num_oov_indices` is 0.
        """
        if self.invert:
            return self._inverse(np.asarray(inputs))
        return self.encode_indices(self.host_indices(inputs))

    def encode_indices(self, indices: np.ndarray) -> np.ndarray:
        """Indices in the layer's output mode."""
        if self.output_mode == "int":
            return indices
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        outputs = encode_on_host(indices, mode, self.depth, self.compute_dtype)
        return outputs * self.idf().astype(outputs.dtype) if self.output_mode == "tf_idf" else outputs

    def host_indices(self, inputs: ArrayTree) -> np.ndarray:
        """The index of every token in an array."""
        raise NotImplementedError

    def host_tokens(self, tokens: list[Any]) -> np.ndarray:
        """Tokens as an array."""
        raise NotImplementedError

    def host_table(self, tokens: Sequence[Any], unknown: Callable[[list[Any]], np.ndarray]) -> np.ndarray:
        """The indices of tokens; `unknown` tells which of several indices tokens have that the vocabulary lacks."""
        self.words.known(self._label)
        masks, oovs = self.words.masks, self.num_oov_indices
        table = self._indices
        if self.mask_token is not None:
            table = {**table, self.mask_token: 0 if masks else -1}
        missing = -2
        indices = np.fromiter((table.get(token, missing) for token in tokens), "int64", len(tokens))
        places = np.flatnonzero(indices == missing)
        if places.size and oovs == 0:
            strangers = list(dict.fromkeys(tokens[place] for place in places.tolist()))
            raise DataError(
                "every token must be in the vocabulary, because `num_oov_indices` is 0.",
                path=self.name,
                expected="tokens of the vocabulary",
                received=repr(strangers)[:80],
                write=f"{type(self).__name__}(..., num_oov_indices=1)",
            )
        if places.size:
            indices[places] = masks + (unknown([tokens[place] for place in places.tolist()]) if oovs > 1 else 0)
        return indices

    def _inverse(self, indices: np.ndarray) -> np.ndarray:
        self.words.known(self._label)
        table = dict(enumerate(self.words.all()))
        tokens = [table.get(index, self.oov_token) for index in indices.ravel().tolist()]
        return self.host_tokens(tokens).reshape(indices.shape)

    # -- configs and files

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Keeps the weights of `"tf_idf"`, where Keras looks for them; here they are in the config."""
        if self.output_mode == "tf_idf" and self.words.tokens is not None:
            store["idf_weights"] = self.idf().astype("float32")

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Reads nothing: the config has the weights."""

    def get_config(self) -> Config:
        size = None if self.words.tokens is None else self.words.size
        return {**super().get_config(), "vocabulary_size": size}

    @classmethod
    def from_config(cls, config: Config) -> Any:
        check_no_file(config, cls.__name__)
        return super().from_config(config)


def check_no_file(config: Config, owner: str) -> None:
    """Raises `ArgumentError` where a config names a file for a vocabulary: whoever reads a config did not ask for it.

    >>> check_no_file({"vocabulary": ["a"]}, "StringLookup")
    """
    if isinstance(config.get("vocabulary"), str):
        raise ArgumentError(
            "`vocabulary` in a config must be the tokens, because a config cannot name a file.",
            path=owner,
            expected="the tokens themselves",
            received=config["vocabulary"],
            write=f"{owner}(vocabulary=open({config['vocabulary']!r}).read().split('\\n'))",
        )
