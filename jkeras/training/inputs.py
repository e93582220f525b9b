"""Looking at inputs before training: what a model would turn into NaN, or into another row, without a word."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jkeras.core import Layer
from jkeras.data.checks import host_values
from jkeras.errors import DataError, NeverCalledError
from jkeras.layers import Embedding
from jkeras.models import Model
from jkeras.typing import PyTree


def has_free_axes(model: Layer) -> bool:
    """Whether axes of the inputs beside the first may differ from batch to batch: unless the model fixes all lengths.

    >>> import jkeras
    >>> fixed, free = jkeras.Input((3,)), jkeras.Input((None, 3))
    >>> [has_free_axes(jkeras.Model(x, jkeras.layers.Dense(2)(x))) for x in (fixed, free)]
    [False, True]
    """
    try:
        return any(None in tensor.shape[1:] for tensor in model.inputs)  # type: ignore[attr-defined]
    except AttributeError:  # a model without a graph
        return True


def check_indices(model: Layer, x: PyTree) -> None:
    """Raises `DataError` for an index that an embedding has no row for.

    Looks at embeddings that inputs of the model go into directly, and at arrays in host memory.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), Embedding(5, 2)])
    >>> check_indices(model, np.array([[0, 4, 2]]))
    """
    for name, embedding, path, leaf in _embedded(model, x):
        values = host_values(leaf)
        if values is None or not values.size or (values.min() >= 0 and values.max() < embedding.input_dim):
            continue
        wrong = ~((values >= 0) & (values < embedding.input_dim))
        first = tuple(int(each) for each in np.unravel_index(int(wrong.argmax()), wrong.shape))
        largest = values.max()
        raise DataError(
            f"the embedding '{name}' has no row for an index.",
            path=path,
            expected=f"0 <= index < {embedding.input_dim}, its `input_dim`",
            received=f"index {values[first]:g} at {list(first)}; {wrong.sum()} of {wrong.size} are out of range",
            write=f"Embedding({int(largest) + 1}, {embedding.output_dim})"
            if largest >= embedding.input_dim
            else f"{path} = {path} - {path}.min()   # if indices count from {values.min():g}",
        )


def _embedded(model: Layer, x: PyTree) -> Iterator[tuple[str, Embedding, str, Any]]:
    """The embeddings that inputs go into: name, layer, and the address and values of the input."""
    if not isinstance(model, Model):
        return
    layers = {name: layer for name, layer in model.addresses().items() if isinstance(layer, Embedding)}
    try:
        given = _by_tensor(model, x) if layers else {}
    except NeverCalledError:  # a model without a graph
        return
    for name, layer in layers.items():
        for node in layer.nodes:
            for tensor in node.input_tensors:
                if id(tensor) in given:
                    yield name, layer, *given[id(tensor)]


def _by_tensor(model: Any, x: PyTree) -> dict[int, tuple[str, Any]]:
    """The address and the values of each symbolic input."""
    tensors, names = model.inputs, model.input_names
    if isinstance(x, Mapping):
        return {id(t): (f"x[{n!r}]", x[n]) for t, n in zip(tensors, names, strict=True) if hasattr(x.get(n), "shape")}
    leaves = jax.tree.leaves(x)
    paths = ["x"] if len(leaves) == 1 else [f"x[{index}]" for index in range(len(leaves))]
    return {id(tensor): (path, leaf) for tensor, path, leaf in zip(tensors, paths, leaves, strict=False)}
