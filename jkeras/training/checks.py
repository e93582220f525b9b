"""Looking at data before a step: at indices that a model would turn into NaN, or into another row, and at labels."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core import Layer, Scope
from jkeras.core import call as calls
from jkeras.data.checks import host_values
from jkeras.errors import DataError
from jkeras.layers import Embedding
from jkeras.models import Model
from jkeras.training.steps import Steps
from jkeras.typing import ArrayTree, PyTree, SpecTree


class InputFacts(NamedTuple):
    """What a model says of its inputs.

    Attributes:
        has_free_axes: whether axes beside the first may differ from batch to batch: unless the model fixes all lengths.
        may_be_complex: whether they may be complex numbers: where an `Input` says so, and where a custom model casts
            nothing.

    >>> import jkeras
    >>> fixed, free = jkeras.Input((3,)), jkeras.Input((None, 3))
    >>> [InputFacts.of(jkeras.Model(x, jkeras.layers.Dense(2)(x))).has_free_axes for x in (fixed, free)]
    [False, True]
    """

    has_free_axes: bool
    may_be_complex: bool

    @classmethod
    def of(cls, model: Layer) -> "InputFacts":
        """The facts of a model."""
        if not _has_graph(model):
            return cls(True, not model.autocast)
        tensors: list[Any] = model.inputs  # type: ignore[attr-defined]
        may_be_complex = any(jnp.issubdtype(tensor.dtype, jnp.complexfloating) for tensor in tensors)
        return cls(any(None in tensor.shape[1:] for tensor in tensors), may_be_complex)


def _has_graph(model: Layer) -> bool:
    try:
        return bool(model.inputs)  # type: ignore[attr-defined]
    except AttributeError:
        return False


class EmbeddedInput(NamedTuple):
    """An embedding that an input of the model goes into: its name, and the input's position and name."""

    name: str
    embedding: Embedding
    position: int
    key: str


def embedded_inputs(model: Layer) -> list[EmbeddedInput]:
    """The embeddings that inputs of a model go into directly; none where the model has no graph.

    >>> import jkeras
    >>> [each.name for each in embedded_inputs(jkeras.Sequential([jkeras.Input((3,)), Embedding(5, 2, name="words")]))]
    ['words']
    """
    if not isinstance(model, Model) or not _has_graph(model):
        return []  # `called_embeddings` finds those
    places = {id(tensor): place for place, tensor in enumerate(model.inputs)}
    return [
        EmbeddedInput(name, layer, places[id(tensor)], model.input_names[places[id(tensor)]])
        for name, layer in model.addresses().items()
        if isinstance(layer, Embedding)
        for node in layer.nodes
        for tensor in node.input_tensors
        if id(tensor) in places
    ]


def called_embeddings(model: Layer, x: SpecTree) -> list[EmbeddedInput]:
    """The embeddings that the inputs of a model without a graph go into as they are, found by a run for shapes alone.

    >>> import jkeras
    >>> class Words(jkeras.Layer):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.words = Embedding(5, 2)
    ...     def call(self, x):
    ...         return self.words(x["ids"])
    >>> [(each.name, each.key) for each in called_embeddings(Words(), {"ids": np.zeros((1, 3), "int32")})]
    [('words', 'ids')]
    """
    addresses = {id(part): path for part, path in model.structure().paths.items() if isinstance(part, Embedding)}
    found: list[EmbeddedInput] = []

    def watched(x: SpecTree) -> PyTree:
        paths = {id(leaf): path for path, leaf in jax.tree_util.tree_leaves_with_path(x)}
        places = {id(leaf): place for place, leaf in enumerate(jax.tree.leaves(x))}

        def watch(layer: Any, first: object) -> None:
            if id(layer) in addresses and id(first) in places:
                key = str(getattr((paths[id(first)] or (None,))[-1], "key", ""))
                found.append(EmbeddedInput(addresses[id(layer)], layer, places[id(first)], key))

        with Scope(building=True, watch=watch).open() as scope:
            return calls.run(model, scope, (x,), {})

    if addresses:
        jax.eval_shape(watched, x)
    return found


def check_real(data: dict[str, PyTree]) -> None:
    """Raises `DataError` for complex numbers, whose imaginary parts layers and losses would lose.

    >>> check_real({"x": np.ones(2), "y": None})
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(data):
        if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.complexfloating):
            name = path[0].key + jax.tree_util.keystr(path[1:])
            raise DataError(
                f"`{name}` must be real, got {leaf.dtype}: layers would lose the imaginary part.",
                path=name,
                expected="a real dtype such as float32",
                received=str(leaf.dtype),
                write=f"{name} = np.stack([{name}.real, {name}.imag], axis=-1)",
            )


def check_indices(embedded: Sequence[EmbeddedInput], x: SpecTree) -> None:
    """Raises `DataError` for an index that an embedding has no row for. Arrays in host memory are looked at."""
    for name, embedding, position, key in embedded:
        if isinstance(x, Mapping):
            path, leaf = f"x[{key!r}]", x.get(key)
        else:
            leaves = jax.tree.leaves(x)
            path = f"x[{position}]" if len(leaves) > 1 else "x"
            leaf = leaves[position] if position < len(leaves) else None
        values = host_values(leaf) if hasattr(leaf, "shape") else None
        if values is None or not values.size or (values.min() >= 0 and values.max() < embedding.input_dim):
            continue
        raise _no_row(name, embedding, values, path)


def _no_row(name: str, embedding: Embedding, values: np.ndarray, path: str) -> DataError:
    wrong = ~((values >= 0) & (values < embedding.input_dim))
    first = tuple(int(each) for each in np.unravel_index(int(wrong.argmax()), wrong.shape))
    largest = values.max()
    return DataError(
        f"the indices must be rows of the embedding '{name}'.",
        path=path,
        expected=f"0 <= index < {embedding.input_dim}, its `input_dim`",
        received=f"index {values[first]:g} at {list(first)}; {wrong.sum()} of {wrong.size} are out of range",
        write=f"Embedding({int(largest) + 1}, {embedding.output_dim})"
        if largest >= embedding.input_dim
        else f"{path} = {path} - {path}.min()   # if indices count from {values.min():g}",
    )


def host_labels(leaf: object) -> np.ndarray | None:
    """Labels on the host; of an array that spans processes, those of this one; `None` without whole rows in its shards.

    >>> host_labels(jax.numpy.arange(3)).tolist()
    [0, 1, 2]
    """
    if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable:
        return np.asarray(leaf)
    shards = {shard.index[0].start or 0: shard.data for shard in leaf.addressable_shards} if leaf.ndim else {}
    if not shards or any(data.shape[1:] != leaf.shape[1:] for data in shards.values()):
        return None
    return np.concatenate([np.asarray(shards[start]) for start in sorted(shards)])


class Checks:
    """Looks at batches one after another. What does not change between them is found once.

    Args:
        steps: whose model and objective say what is right.
        output_spec: the specs of the outputs for the first batch.
    """

    def __init__(self, steps: Steps, output_spec: SpecTree) -> None:
        model = steps.model
        self.objective, self.output_spec, self.embedded = steps.objective, output_spec, embedded_inputs(model)
        self.model = None if steps.overrides("train_step") or _has_graph(model) else model
        self.free = model.output if isinstance(model, Model) and _has_graph(model) else None
        self.may_be_complex = InputFacts.of(model).may_be_complex
        self._axes: list[tuple[int, ...]] | None = None  # of the first inputs

    def look(self, x: SpecTree, y: ArrayTree | None, specs: SpecTree | None = None) -> None:
        """Raises `DataError` for an index or a label that cannot be meant.

        Where the axes of the inputs are not those of the first batch, labels are compared with what the model's graph
        says of its outputs; without a graph nothing is known of them. `specs` are those of a batch, where `x` has more
        examples.
        """
        if self.model is not None:
            self.embedded = called_embeddings(self.model, x if specs is None else specs)
            self.model = None
        check_real({} if self.may_be_complex else {"x": x, "y": y})
        check_indices(self.embedded, x)
        axes = [leaf.shape[1:] for leaf in jax.tree.leaves(x)]
        self._axes = axes if self._axes is None else self._axes
        output_spec = self.output_spec if axes == self._axes else self.free
        if y is not None and output_spec is not None:
            labels = jax.tree.map(host_labels, y)
            if len(jax.tree.leaves(labels)) == len(jax.tree.leaves(y)):
                self.objective.bind_batch(output_spec, labels).validate()
