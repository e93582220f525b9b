"""TextVectorization: sentences as the indices of their words, or as one vector each."""

import copy
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from jkeras import arguments, registry
from jkeras.core.tensor import check_dense
from jkeras.errors import ArgumentError, ShapeError
from jkeras.layers.preprocessing.batches import batches_of
from jkeras.layers.preprocessing.lookup import DERIVED, check_no_file
from jkeras.layers.preprocessing.string_lookup import StringLookup
from jkeras.layers.preprocessing.texts import HostLayer, as_texts, padded
from jkeras.layers.preprocessing.vocabulary import learn
from jkeras.typing import Array, ArrayTree, Config, DataLike

LOWER: dict[int, Any] = dict(zip(map(ord, string.ascii_uppercase), string.ascii_lowercase, strict=True))
STRIP: dict[int, Any] = dict.fromkeys(map(ord, string.punctuation))
STANDARDS: dict[str, dict[int, Any]] = {
    "lower_and_strip_punctuation": LOWER | STRIP,
    "lower": LOWER,
    "strip_punctuation": STRIP,
}
DEFAULTS = (("standardize", "lower_and_strip_punctuation"), ("split", "whitespace"))
WORD = re.compile(r"[^ \t\n\r\x0b\x0c]+")  # what ASCII's white space separates


@registry.export("keras.layers")
class TextVectorization(HostLayer):
    """Sentences as sequences of word indices, or as vectors of word counts.

    A sentence is standardized, split into words, the words are joined to n-grams, and these are looked up in the
    vocabulary as `StringLookup` does, with `""` (index 0, which fills up short sentences) as mask token and one index
    for words outside of the vocabulary. XLA has no strings, so the layer cannot be part of a model: it runs where it
    is called, NumPy in and NumPy out.

    The vocabulary is an argument, and part of the config. `adapt` finds it in sentences and returns another layer.

    Args:
        max_tokens: how large the vocabulary may be, the special indices included.
        standardize: `"lower_and_strip_punctuation"`, `"lower"`, `"strip_punctuation"`, which know the letters and signs
            of ASCII, as in Keras; a function from an array of `str` to another; or `None`.
        split: `"whitespace"` (ASCII's), `"character"`, `None` for inputs that are words already, or a function from an
            array of sentences to their lists of words.
        ngrams: up to which length words are joined, with a space between them; a tuple of lengths, or `None`.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"`, `"count"`, or `"tf_idf"`: counts times weights.
        output_sequence_length: to which length indices are cut and filled up; by default to that of the longest
            sentence of the call. Programs are compiled for one length, so a model wants a fixed one.
        pad_to_max_tokens: whether encodings have `max_tokens` entries, however small the vocabulary.
        vocabulary: words, the special ones in front or not at all; or the path of a file with one in each line.
        idf_weights: a weight for each entry of `vocabulary`, for `"tf_idf"`.
        sparse, ragged: `False`.
        encoding: that of inputs that are bytes.

    Shapes:
        `(b,)` or `(b, 1)` sentences, or without `split` `(b, t)` words -> `(b, output_sequence_length)`, int64, for
        `"int"`; `(b, t, v)` for `"one_hot"`, otherwise `(b, v)`, in the compute dtype. One sentence alone loses `b`.

    Raises:
        ArgumentError: arguments that do not go together, repeated tokens; inputs that are not strings.
        ShapeError: the inputs are not a list of sentences.
        BuildError: the layer has no vocabulary yet.

    >>> layer = TextVectorization(output_sequence_length=4).adapt(["foo bar", "bar baz", "baz bada boom"])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'baz', 'bar', 'foo', 'boom', 'bada']
    >>> layer(["Foo, qux bar!", "baz"]).tolist()
    [[4, 1, 3, 0], [2, 0, 0, 0]]

    Source: the definition above; G. Salton and C. Buckley, "Term-weighting approaches in automatic text retrieval",
    Information Processing & Management 24(5), 1988.
    """

    _hidden = HostLayer._hidden | {"vocabulary", "idf_weights"}  # long, and without parts

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Callable[..., Any] | None = "lower_and_strip_punctuation",
        split: str | Callable[..., Any] | None = "whitespace",
        ngrams: int | tuple[int, ...] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: str | Sequence[Any] | np.ndarray | None = None,
        idf_weights: Sequence[float] | np.ndarray | Array | None = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **{key: value for key, value in kwargs.items() if key not in DERIVED})
        _check_choice(standardize, (*STANDARDS, None), "standardize")
        _check_choice(split, ("whitespace", "character", None), "split")
        self.standardize, self.split = standardize, split
        self.ngrams, self.output_sequence_length = _checked_ngrams(ngrams), output_sequence_length
        self.max_tokens, self.pad_to_max_tokens = max_tokens, bool(pad_to_max_tokens)
        self.lookup = StringLookup(
            max_tokens=max_tokens,
            mask_token="",
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            encoding=encoding,
            dtype=kwargs.get("dtype"),
        )
        self.output_mode, self.encoding = self.lookup.output_mode, encoding
        self.vocabulary, self.idf_weights = self.lookup.vocabulary, self.lookup.idf_weights
        check_dense("TextVectorization", sparse, ragged)
        self.sparse, self.ragged = False, False
        length = output_sequence_length
        if length is not None and (self.output_mode != "int" or type(length) is not int or length < 1):
            raise ArgumentError(
                f"`output_sequence_length` must be a positive integer with `output_mode='int'`, got {length!r}.",
                path="TextVectorization",
                expected="a positive int, with output_mode='int'",
                received=f"{length!r}, output_mode={self.output_mode!r}",
                write="TextVectorization(output_mode='int', output_sequence_length=128)",
            )

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The token of every index; without the special ones those of the vocabulary alone."""
        return self.lookup.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """The number of indices, the special ones included."""
        return self.lookup.vocabulary_size()

    def adapt(self, data: DataLike, batch_size: int | None = None, steps: int | None = None) -> Self:
        """A layer like this one with the vocabulary of some sentences; this one stays as it is.

        The order of the tokens, and their weights for `"tf_idf"`, are those of `StringLookup.adapt`; a sentence is a
        document.

        Args:
            data: an array or list of sentences, or an iterable of such batches, which is read once.
            batch_size: how many sentences of an array are split at a time.
            steps: how many batches of an iterable to read at most.

        Raises:
            ArgumentError: the layer has a vocabulary.
            DataError: there are no tokens in the data.
        """
        if self.vocabulary is not None:
            raise ArgumentError(
                "`adapt` cannot find a vocabulary, because the layer already has one.",
                path=self.name,
                expected="a layer without a vocabulary",
                write="TextVectorization()   # without `vocabulary`, then adapt",
            )
        batches = [data] if isinstance(data, list | tuple) else batches_of(data, "TextVectorization", steps)
        documents = (row for batch in batches for row in self._documents(batch, batch_size or 1024))
        found = learn(self.lookup, self.lookup.words, documents)
        functions = {name: given for name, _ in DEFAULTS if callable(given := getattr(self, name))}
        plain = copy.copy(self)  # a function may have no name that a config could find again, so it moves as it is
        vars(plain).update((name, default) for name, default in DEFAULTS if name in functions)
        adapted: Self = self.from_config({**plain.get_config(), **found})
        vars(adapted).update(functions)
        return adapted

    def _documents(self, batch: ArrayTree, size: int) -> Iterator[Sequence[str]]:
        array = np.atleast_1d(np.asarray(batch))
        for start in range(0, len(array), size):
            yield from self.tokens_of(array[start : start + size])

    def on_host(self, inputs: Any) -> np.ndarray:
        """The layer in NumPy."""
        shape = np.shape(inputs)
        rows = self.tokens_of(inputs)
        indices = self.lookup.lookup([token for row in rows for token in row])
        lengths = [len(row) for row in rows]
        if self.output_mode == "int":
            outputs = padded(indices, lengths, self.output_sequence_length)
            words = self.split is None and self.ngrams is None and self.output_sequence_length is None
            outputs = outputs[:, 0] if words and len(shape) == 1 else outputs
        else:
            matrix = padded(indices, lengths, filler=-1)  # which no encoding counts
            outputs = self.lookup.encode_indices(matrix[..., None] if self.output_mode == "one_hot" else matrix)
        return outputs if shape else outputs[0]

    def tokens_of(self, inputs: ArrayTree) -> list[Sequence[str]]:
        """The tokens of each sentence: standardized, split and joined, but not looked up.

        >>> TextVectorization(ngrams=2).tokens_of(["The cat sat."])
        [['the', 'cat', 'sat', 'the cat', 'cat sat']]
        """
        texts, shape = as_texts(inputs, self.name, self.encoding)
        if callable(self.standardize):
            texts, shape = as_texts(self.standardize(np.array(texts, "str").reshape(shape)), self.name)
        elif self.standardize is not None:
            table = STANDARDS[self.standardize]
            texts = [text.translate(table) for text in texts]
        rows = self._split(texts, shape)
        if self.ngrams is None:
            return rows
        widths = range(1, self.ngrams + 1) if isinstance(self.ngrams, int) else self.ngrams
        return [
            [" ".join(row[start : start + width]) for width in widths for start in range(len(row) - width + 1)]
            for row in rows
        ]

    def _split(self, texts: list[str], shape: tuple[int, ...]) -> list[Sequence[str]]:
        if self.split is None:
            width = shape[1] if len(shape) == 2 else 1
            self._check_rank(len(shape) < 3, shape)
            return [texts[start : start + width] for start in range(0, len(texts), width or 1)]
        self._check_rank(len(shape) < 2 or (len(shape) == 2 and shape[1] == 1), shape)
        if callable(self.split):
            return [as_texts(row, self.name)[0] for row in self.split(np.array(texts, "str"))]
        return [WORD.findall(text) for text in texts] if self.split == "whitespace" else [list(text) for text in texts]

    def _check_rank(self, fits: bool, shape: tuple[int, ...]) -> None:
        if not fits:
            raise ShapeError(
                "the inputs must be sentences, or lists of words where `split` is None.",
                path=self.name,
                expected="shape (b,) or (b, 1)" if self.split else "words of shape (b,) or (b, t)",
                received=f"shape {shape}",
                write="layer(np.array(['the first sentence', 'the second']))",
            )

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Keeps what the lookup keeps."""
        self.lookup.save_own_variables(store)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Reads nothing: the config has the weights."""

    def get_config(self) -> Config:
        return {**super().get_config(), "vocabulary_size": self.vocabulary_size()}

    @classmethod
    def from_config(cls, config: Config) -> Any:
        check_no_file(config, cls.__name__)
        functions: Config = {name: registry.deserialize(config.get(name, default)) for name, default in DEFAULTS}
        ngrams = config.get("ngrams")
        return super().from_config(
            {**config, **functions, "ngrams": tuple(ngrams) if isinstance(ngrams, list) else ngrams}
        )


def _check_choice(value: object, known: Sequence[Any], argument: str) -> None:
    if not callable(value) and value not in known:
        wanted, write = f"{', '.join(map(repr, known))} or a function", f"TextVectorization({argument}={known[0]!r})"
        raise arguments.refusal(value, argument, "TextVectorization", wanted, write=write)


def _checked_ngrams(ngrams: int | Sequence[int] | None) -> Any:
    lengths = ngrams if isinstance(ngrams, tuple) else (1 if ngrams is None else ngrams,)
    if not lengths or any(type(length) is not int or length < 1 for length in lengths):
        wanted, write = "a positive integer, a tuple of them or None", "TextVectorization(ngrams=2)"
        raise arguments.refusal(ngrams, "ngrams", "TextVectorization", wanted, write=write)
    return ngrams
