"""What a vocabulary is to a lookup layer: which index each token has.

Indices begin with the special ones: 0 for the mask token, where there is one and the outputs are indices; then
`num_oov_indices` for tokens that the vocabulary lacks; then the tokens in their order.
"""

import collections
import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from jkeras import arguments
from jkeras.errors import ArgumentError, BuildError, DataError

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The tokens of a lookup layer, and the special ones around them.

    Args:
        tokens: without the special ones; `None` where the layer has no vocabulary yet.
        mask: the mask token, where it has an index.
        masks: 1 where it has, else 0.
        oov: what stands for a token that is not there.
        oovs: how many indices such tokens have.
        idf: the weight of each index, the special ones included.

    >>> words = Vocabulary(("a", "b"), "", 1, "[UNK]", 1)
    >>> words.all(), words.size
    (['', '[UNK]', 'a', 'b'], 4)
    """

    tokens: tuple[Any, ...] | None
    mask: Any
    masks: int
    oov: Any
    oovs: int
    idf: tuple[float, ...] | None = None

    @property
    def start(self) -> int:
        """The index of the first token."""
        return self.masks + self.oovs

    @property
    def size(self) -> int:
        """The number of indices."""
        return self.start + len(self.tokens or ())

    @property
    def special(self) -> list[Any]:
        """The special tokens, in the order of their indices."""
        return [self.mask] * self.masks + [self.oov] * self.oovs

    def all(self) -> list[Any]:
        """The token of every index."""
        return self.special + list(self.tokens or ())

    def known(self, path: str) -> tuple[Any, ...]:
        """The tokens; raises `BuildError` where there is no vocabulary yet."""
        if self.tokens is None:
            raise BuildError(
                "the layer must have a vocabulary before it is called, and it has none yet.",
                path=path,
                expected="`vocabulary`, or a layer that `adapt` returned",
                write="layer = layer.adapt(data)",
            )
        return self.tokens


def entries_of(given: Any) -> list[Any] | None:
    """The argument `vocabulary` as a list: of an array or a sequence its entries, of a file's path the file's lines.

    >>> entries_of(np.array([3, 4]))
    [3, 4]
    """
    if given is None:
        return None
    if isinstance(given, str | os.PathLike):
        with open(given, encoding="utf-8") as file:
            return [line.removesuffix("\n") for line in file]
    return np.asarray(given).tolist() if hasattr(given, "__array__") else list(given)


def vocabulary_of(layer: Any) -> Vocabulary:
    """The vocabulary of a lookup layer whose arguments are set; raises `ArgumentError` where they do not fit."""
    entries, owner = layer.vocabulary, type(layer).__name__
    _check_arguments(layer, owner)
    masks = int(layer.mask_token is not None and layer.output_mode == "int")
    empty = Vocabulary(None, layer.mask_token, masks, layer.oov_token, layer.num_oov_indices)
    if entries is None:
        return empty
    complete = entries[: empty.start] == empty.special
    tokens = tuple(entries[empty.start :] if complete else entries)
    _check_tokens(layer, tokens, empty, owner)
    words = dataclasses.replace(empty, tokens=tokens)
    if layer.idf_weights is None:
        return words
    weights = layer.idf_weights
    if len(weights) != len(entries):
        rule = f"`idf_weights` must have one weight for each of the {len(entries)} tokens"
        wanted, received = f"{len(entries)} weights", f"{len(weights)} weights"
        write = f"{owner}(vocabulary=tokens, output_mode='tf_idf', idf_weights=[1.0] * len(tokens))"
        raise ArgumentError.must(rule, received, path=owner, expected=wanted, write=write)
    front = [] if complete else [sum(weights) / len(weights)] * empty.start
    return dataclasses.replace(words, idf=(*front, *weights))


def _check_arguments(layer: Any, owner: str) -> None:
    most, mode, has_vocabulary = layer.max_tokens, layer.output_mode, layer.vocabulary is not None
    if most is not None:
        arguments.integer(most, "max_tokens", owner, f"{owner}(max_tokens=1000)", least=2)
    arguments.non_negative_int(layer.num_oov_indices, "num_oov_indices", owner)
    problem = None
    if layer.pad_to_max_tokens and most is None:
        problem, write = "`pad_to_max_tokens` needs `max_tokens`.", "pad_to_max_tokens=True, max_tokens=1000"
    elif layer.invert and mode != "int":
        problem, write = f"`invert` needs `output_mode='int'`, got {mode!r}.", "invert=True, output_mode='int'"
    elif layer.idf_weights is not None and mode != "tf_idf":
        problem = f"`idf_weights` needs `output_mode='tf_idf'`, got {mode!r}."
        write = "..., output_mode='tf_idf', idf_weights=weights"
    elif mode == "tf_idf" and has_vocabulary and layer.idf_weights is None:
        problem = "`idf_weights` is required with `output_mode='tf_idf'` and a vocabulary."
        write = "vocabulary=tokens, output_mode='tf_idf', idf_weights=weights"
    elif layer.idf_weights is not None and not has_vocabulary:
        problem = "`vocabulary` is required with `idf_weights`."
        write = "vocabulary=tokens, output_mode='tf_idf', idf_weights=weights"
    if problem is not None:
        raise ArgumentError(problem, path=owner, write=f"{owner}({write})")


def _check_tokens(layer: Any, tokens: Sequence[Any], empty: Vocabulary, owner: str) -> None:
    order = f"the special tokens {empty.special} first, or not at all"
    if not tokens:
        raise ArgumentError(
            "`vocabulary` must have at least one token, got none.",
            path=owner,
            expected="at least one token",
            received="0 tokens",
            write=f"layer = {owner}().adapt(data)   # finds the tokens",
        )
    if len(set(tokens)) < len(tokens):
        repeated = [token for token, count in collections.Counter(tokens).items() if count > 1]
        problem, write = "`vocabulary` must have each token once.", f"{owner}(vocabulary=list(dict.fromkeys(tokens)))"
        raise ArgumentError(problem, path=owner, expected="each once", received=repr(repeated)[:80], write=write)
    for name, token, forbidden in (("mask", layer.mask_token, True), ("OOV", layer.oov_token, layer.invert)):
        if forbidden and token is not None and token in tokens:
            raise ArgumentError(
                f"the {name} token {token!r} must not be among the other tokens.",
                path=owner,
                expected=order,
                received=f"index {tokens.index(token)}",
                write=f"{owner}(vocabulary=[each for each in tokens if each != {token!r}])",
            )
    if layer.max_tokens is not None and empty.start + len(tokens) > layer.max_tokens:
        raise ArgumentError(
            f"`vocabulary` must have at most `max_tokens` tokens, got {empty.start + len(tokens)}.",
            path=owner,
            expected=f"at most {layer.max_tokens} with the special ones",
            received=empty.start + len(tokens),
            write=f"{owner}(..., max_tokens={empty.start + len(tokens)})",
        )


def learn(layer: Any, words: Vocabulary, documents: Iterable[Sequence[Any]]) -> dict[str, Any]:
    """The arguments `vocabulary` and `idf_weights` that some documents give a lookup layer.

    Tokens are sorted by how often they occur, and where that is the same from the last to the first. The weight of a
    token in `df` of `n` documents is `log(1 + n / (1 + df))`.

    Args:
        layer: its attributes `max_tokens`, `mask_token`, `oov_token` and `output_mode` are read.
        words: its empty vocabulary.
        documents: lists of tokens.
    """
    counts: collections.Counter[Any] = collections.Counter()
    frequencies: collections.Counter[Any] = collections.Counter()
    number = 0
    for document in documents:
        counts.update(document)
        if layer.output_mode == "tf_idf":
            frequencies.update(set(document))
            number += 1
    for special in (layer.mask_token, layer.oov_token):
        counts.pop(special, None)
    if not counts:
        raise DataError(
            "`data` must have at least one token, got none.",
            path=f"{type(layer).__name__}.adapt",
            expected="at least one",
            received="0 tokens",
            write="layer = layer.adapt(data)   # data with at least one token",
        )
    tokens = sorted(counts, key=lambda token: (counts[token], token), reverse=True)
    if layer.max_tokens is not None:
        tokens = tokens[: max(layer.max_tokens - words.start, 0)]
    if layer.output_mode != "tf_idf":
        return {"vocabulary": tokens}
    weights = np.log(1 + number / (1 + np.array([frequencies[token] for token in tokens])))
    return {"vocabulary": tokens, "idf_weights": weights.tolist()}
