"""Symbolic shapes where unknown dimensions meet others, against Keras's, for every operation that ties axes."""

import itertools

import jax
import numpy as np
import pytest

from jkeras import ops
from jkeras.core import KerasTensor, meeting
from jkeras.errors import ArgumentError
from tests import tables, test_ops
from tests.oracle import asking_keras, keras

CASES = [
    (name, args, kwargs)
    for name, args, kwargs in test_ops.CASES
    if name in meeting.RULES and name != "dot_product_attention" and len(tables.opened((args, kwargs), "biufc")[0]) > 1
]


def patterns(arrays):
    """For each array: its own shape, and those with the first, the last and all dimensions unknown."""
    for keep in itertools.product(("none", "first", "last", "all"), repeat=min(len(arrays), 2)):
        if set(keep) != {"none"}:
            yield [cut(a.shape, keep[min(i, 1)]) for i, a in enumerate(arrays)]


def cut(shape, which):
    unknown = {"none": [], "first": [0], "last": [len(shape) - 1], "all": range(len(shape))}[which]
    return tuple(None if axis in unknown else dim for axis, dim in enumerate(shape))


def shapes_of(function, make, filled, arrays, shapes):
    tensors = [make(shape, array.dtype.name) for shape, array in zip(shapes, arrays, strict=True)]
    args, kwargs = filled(tensors)
    return [tuple(leaf.shape) for leaf in jax.tree.leaves(function(*args, **kwargs))]


def at_least_as_known(ours, theirs):
    """The dimensions that Keras knows, and perhaps others that follow from a fixed one."""
    return len(ours) == len(theirs) and all(
        len(one) == len(two) and all(b is None or a == b for a, b in zip(one, two, strict=True))
        for one, two in zip(ours, theirs, strict=True)
    )


def test_unknown_dimensions_meet_fixed_ones_as_in_keras():
    problems, compared = [], 0
    for name, args, kwargs in CASES:
        arrays, filled = tables.opened((args, kwargs), "biufc")
        real = shapes_of(getattr(ops, name), KerasTensor, filled, arrays, [a.shape for a in arrays])
        for shapes in patterns(arrays):
            try:
                with asking_keras():
                    theirs = shapes_of(getattr(keras.ops, name), keras.KerasTensor, filled, arrays, shapes)
            except Exception:  # what Keras cannot infer
                continue
            if (name == "cross" and any(shape[-1] is None for shape in shapes)) or ("crossentropy" in name and kwargs):
                continue  # of vectors of 2 or 3 entries the result's rank is not known; Keras forgets `axis`
            compared += 1
            ours = shapes_of(getattr(ops, name), KerasTensor, filled, arrays, shapes)
            # What is known must be true of the real call, and all that Keras knows must be known.
            if not at_least_as_known(real, ours) or not at_least_as_known(ours, theirs):
                problems.append((name, shapes, ours, theirs))
    assert compared >= 400
    assert not problems


K = KerasTensor


@pytest.mark.parametrize(
    "call, expected",
    [
        (lambda: K((None, None, 8)) + K((None, 5, 8)), (None, 5, 8)),
        (lambda: K((None, None, 8)) * K((None, 8)), (None, None, 8)),
        (lambda: K((None, None, 8)) + np.ones((1, 5, 8), "float32"), (None, 5, 8)),
        (lambda: K((None, None)) @ K((None, 4)), (None, 4)),
        (lambda: K((None, 1)) + K((None, None)), (None, None)),
        (lambda: ops.matmul(K((None, 4, None)), K((None, 7, 5))), (None, 4, 5)),
        (lambda: ops.matmul(K((2, 1, 4, None)), K((None, 7, 5))), (2, None, 4, 5)),
        (lambda: ops.einsum("bij,bjk->bik", K((None, 4, None)), K((None, 7, 5))), (None, 4, 5)),
        (lambda: ops.einsum("...ij,jk->...ik", K((None, 4, None)), K((7, 5))), (None, 4, 5)),
        (lambda: ops.einsum("ab,bc->abc", K((None, None)), K((None, None))), (None, None, None)),
        (lambda: ops.where(K((None, None), "bool"), K((None, 5)), 0.0), (None, 5)),
        (lambda: ops.concatenate([K((None, None, 8)), K((None, 5, 8))], axis=1), (None, None, 8)),
        (lambda: ops.concatenate([K((None, None, 8)), K((None, 5, 8))], axis=-1), (None, 5, 16)),
        (lambda: ops.stack([K((None, 8)), K((4, 8))]), (2, 4, 8)),
        (lambda: ops.broadcast_to(K((None, 3)), (2, 5, 3)), (2, 5, 3)),
    ],
)
def test_unknown_meets_fixed(call, expected):
    with jax.numpy_rank_promotion("allow"):
        assert call().shape == expected


def test_what_cannot_meet_is_an_error_with_the_shapes():
    with pytest.raises(Exception, match=r"None, 3.*None, 4"):
        K((None, 3)) + K((None, 4))


@pytest.mark.parametrize("name", ["segment_max", "segment_min", "segment_prod", "segment_sum"])
def test_segments_of_symbolic_tensors_need_their_number(name):
    with pytest.raises(ArgumentError, match="num_segments="):
        getattr(ops, name)(K((10, 4)), K((10,), "int32"))
    assert getattr(ops, name)(K((None, 4)), K((10,), "int32"), num_segments=3).shape == (3, 4)
