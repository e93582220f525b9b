"""Decoding of connectionist temporal classification: from scores at every time to sequences of labels.

A path names a class, or the blank, at every time. It spells the labels that are left when repetitions are merged and
blanks are taken out. The greedy decoder takes the best path; the beam search sums the probabilities of all paths that
spell the same labels, over the `beam_width` best beginnings.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.errors import ArgumentError, ShapeError
from jkeras.typing import Array, ArrayLike

NONE = -1  # where a sequence has ended


def ctc_decode(
    inputs: Array,
    sequence_lengths: ArrayLike,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int | None = 0,
) -> tuple[Array, Array]:
    """The labels that scores spell, by connectionist temporal classification.

    Args:
        inputs: `(b, t, classes)`, logits.
        sequence_lengths: `(b,)`, the number of times that count.
        strategy: `"greedy"` takes the best class at every time, `"beam_search"` the best labels of many paths.
        beam_width: the number of beginnings that a beam search keeps.
        top_paths: the number of results of a beam search, the best first.
        merge_repeated: whether the greedy decoder merges repetitions; a beam search always does.
        mask_index: the class that is the blank; `None` is the last one.

    Returns:
        Labels `(top_paths, b, t)`, int32, -1 after their end; and scores `(b, top_paths)`: log-probabilities of a
        beam search, or minus the sum of the best logits. `top_paths` is 1 for `"greedy"`.

    Raises:
        ArgumentError: `strategy` is unknown, or `top_paths` is not in 1 to `beam_width`.
        ShapeError: the shapes do not fit.

    Source: A. Graves et al., "Connectionist Temporal Classification", ICML 2006; A. Hannun et al., "First-pass large
    vocabulary continuous speech recognition using bi-directional recurrent DNNs", arXiv:1408.2873, algorithm 1.

    >>> logits = jnp.log(jnp.array([[[0.6, 0.4], [0.6, 0.4]]]))  # two blanks: 0.36; one label: 0.64
    >>> ctc_decode(logits, jnp.array([2]))[0].tolist()
    [[[-1, -1]]]
    >>> labels, scores = ctc_decode(logits, jnp.array([2]), strategy="beam_search")
    >>> labels.tolist(), round(float(jnp.exp(scores[0, 0])), 2)
    ([[[1, -1]]], 0.64)
    """
    inputs, lengths = jnp.asarray(inputs), jnp.asarray(sequence_lengths)
    if inputs.ndim != 3 or lengths.shape != inputs.shape[:1]:
        raise ShapeError(
            "`inputs` must have shape (b, t, classes), and `sequence_lengths` shape (b,).",
            path="ctc_decode",
            expected="inputs of shape (b, t, classes) and sequence_lengths of shape (b,)",
            received=f"shapes {inputs.shape} and {lengths.shape}",
            write="ctc_decode(logits, jnp.full(b, t))   # sequences of full length",
        )
    inputs = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
    blank = inputs.shape[2] - 1 if mask_index is None else mask_index
    if strategy == "greedy":
        return _greedy(inputs, lengths, merge_repeated, blank)
    if strategy != "beam_search":
        raise ArgumentError(
            f"`strategy` must be 'greedy' or 'beam_search', got {strategy!r}.",
            path="ctc_decode",
            expected="'greedy' or 'beam_search'",
            received=repr(strategy),
            write="ctc_decode(inputs, sequence_lengths, strategy='greedy')",
        )
    if not 1 <= top_paths <= beam_width:
        raise ArgumentError(
            f"`top_paths` must be between 1 and `beam_width`, got {top_paths}.",
            path="ctc_decode",
            expected="1 <= top_paths <= beam_width",
            received=f"top_paths={top_paths}, beam_width={beam_width}",
            write="ctc_decode(inputs, sequence_lengths, 'beam_search', beam_width=100, top_paths=1)",
        )

    def search(scores: Array, length: Array) -> tuple[Array, Array]:
        return _beam_search(jax.nn.log_softmax(scores), length, beam_width, top_paths, blank)

    labels, scores = jax.vmap(search)(inputs, lengths)
    return jnp.swapaxes(labels, 0, 1), scores


def _greedy(inputs: Array, lengths: Array, merge_repeated: bool, blank: int) -> tuple[Array, Array]:
    times = lax.broadcasted_iota("int32", inputs.shape[:2], 1)  # (b, t)
    counts = times < jnp.expand_dims(lengths, 1)
    best = jnp.where(counts, jnp.argmax(inputs, axis=-1), blank)
    scores = -jnp.sum(jnp.where(counts, jnp.max(inputs, axis=-1), 0), axis=1, keepdims=True)
    spoken = best != blank
    if merge_repeated:
        spoken = spoken.at[:, 1:].set(spoken[:, 1:] & (best[:, 1:] != best[:, :-1]))
    order = jnp.argsort(~spoken, axis=-1)  # stable: labels to the front, in their order
    labels = jnp.take_along_axis(jnp.where(spoken, best, NONE), order, axis=-1)
    return jnp.expand_dims(labels.astype("int32"), 0), scores


class _Beams(NamedTuple):
    """Beginnings of sequences, all different, and the log-probability of the paths that spell each so far."""

    labels: Array  # (beams, t), NONE behind the end
    lengths: Array  # (beams,)
    blank: Array  # (beams,), of paths that end in the blank
    spoken: Array  # (beams,), of paths that end in the last label


def _beam_search(scores: Array, length: Array, width: int, top_paths: int, blank: int) -> tuple[Array, Array]:
    """The best labels `(top_paths, t)` of one sequence of log-probabilities `(t, classes)`, and their scores."""
    nothing = jnp.full(width, -jnp.inf, scores.dtype)
    empty = _Beams(
        jnp.full((width, scores.shape[0]), NONE, "int32"), jnp.zeros(width, "int32"), nothing.at[0].set(0), nothing
    )

    def step(beams: _Beams, now: tuple[Array, Array]) -> tuple[_Beams, None]:
        time, row = now
        longer = _extended(beams, row, blank)
        return jax.tree.map(lambda new, old: jnp.where(time < length, new, old), longer, beams), None

    beams, _ = lax.scan(step, empty, (jnp.arange(scores.shape[0]), scores))
    best, which = lax.top_k(jnp.logaddexp(beams.blank, beams.spoken), top_paths)
    return beams.labels[which], best


def _extended(beams: _Beams, row: Array, blank: int) -> _Beams:
    """The best beginnings one time later: those that stay, by a blank or a repetition, and those one label longer."""
    (width, _), classes = beams.labels.shape, row.shape[0]
    index = jnp.arange(width)
    last = jnp.where(beams.lengths > 0, beams.labels[index, beams.lengths - 1], NONE)  # (beams,)
    total = jnp.logaddexp(beams.blank, beams.spoken)
    stay_blank = total + row[blank]
    stay_spoken = jnp.where(last == NONE, -jnp.inf, beams.spoken + row[last])

    labels = jnp.expand_dims(jnp.arange(classes), 0)
    repeated = jnp.expand_dims(last, 1) == labels  # (beams, classes): a label again needs a blank between
    grown = jnp.where(repeated, jnp.expand_dims(beams.blank, 1), jnp.expand_dims(total, 1)) + jnp.expand_dims(row, 0)
    grown = jnp.where(labels == blank, -jnp.inf, grown)

    # beam j may be what beam i becomes with the last label of j: both are one beginning
    parents = beams.labels.at[index, beams.lengths - 1].set(NONE)
    same = jnp.all(jnp.expand_dims(beams.labels, 1) == jnp.expand_dims(parents, 0), -1)  # (i, j)
    same &= jnp.expand_dims(last != NONE, 0)
    arriving = jnp.where(same, grown[:, last], -jnp.inf)  # (i, j)
    stay_spoken = jnp.logaddexp(stay_spoken, jnp.max(arriving, axis=0))  # i is one beam, for beams differ
    merged = same.astype(row.dtype) @ repeated.astype(row.dtype) > 0  # (i, classes)
    grown = jnp.where(merged, -jnp.inf, grown)

    candidates = jnp.concatenate([jnp.logaddexp(stay_blank, stay_spoken), grown.ravel()])
    best, chosen = lax.top_k(candidates, width)
    stays, parent = chosen < width, jnp.where(chosen < width, chosen, (chosen - width) // classes)
    label = jnp.where(stays, NONE, (chosen - width) % classes)
    lengths = beams.lengths[parent]
    paths = beams.labels[parent]
    paths = paths.at[index, lengths].set(jnp.where(stays, paths[index, lengths], label), mode="drop")
    alive = jnp.isfinite(best)  # others are emptied, so that they cannot be taken for a beginning that lives
    return _Beams(
        jnp.where(jnp.expand_dims(alive, 1), paths, NONE),
        jnp.where(alive, lengths + ~stays, 0),
        jnp.where(stays, stay_blank[parent], -jnp.inf),
        jnp.where(stays, stay_spoken[parent], jnp.where(alive, best, -jnp.inf)),
    )
