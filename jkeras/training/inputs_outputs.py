"""Inputs and outputs of a model, in the structures in which users give and get them.

Inputs: a model whose `call` must be given several arguments, such as `call(self, images, times)`, takes them from a
tuple or a list in their order, or from a dict by their names. Every other model gets `x` as it is: the structure is its
input.

Outputs: a model may have one or several, in a list, a dict, or in lists and dicts inside one another. The name of an
output is its address there, such as `"head"` or `"boxes/sizes"`. In place of the index that an address ends with, it
has the name of the layer that made the output, where the model knows it: `[a, b]` are `"a"` and `"b"`.

Losses, weights, metrics and labels are given once for all outputs, in the structure of the outputs, as a flat list in
their order, or as a dict by their names. Lists and tuples are the same everywhere.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from jkeras.core import Layer
from jkeras.core.tensor import is_shape
from jkeras.errors import ArgumentError, DataError, JKerasError, did_you_mean
from jkeras.typing import ArrayTree, PyTree, SpecTree

NO_INPUTS = ("training", "mask")
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def spread(model: Layer, inputs: tuple[PyTree, ...]) -> tuple[PyTree, ...]:
    """The arguments of `call` that `Trainer.init(key, *inputs)` means: one structure of several is taken apart."""
    several = len(inputs) == 1 and isinstance(inputs[0], tuple | list | Mapping) and not is_shape(inputs[0])
    return call_arguments(model, inputs[0]) if several else inputs


def call_arguments(model: Layer, x: ArrayTree) -> tuple[PyTree, ...]:
    """The positional arguments of `model.call` for the inputs of a batch.

    >>> import jkeras
    >>> class Sum(jkeras.Model):
    ...     def call(self, a, b):
    ...         return a + b
    >>> call_arguments(Sum(), (1, 2)), call_arguments(Sum(), {"b": 2, "a": 1})
    ((1, 2), (1, 2))
    >>> call_arguments(jkeras.Sequential([]), (1, 2))
    ((1, 2),)
    """
    names = [
        name
        for name, each in inspect.signature(model.call).parameters.items()
        if each.kind in POSITIONAL and each.default is each.empty and name not in NO_INPUTS
    ]
    if len(names) < 2:
        return (x,)
    if isinstance(x, Mapping) and set(x) == set(names):
        return tuple(x[name] for name in names)
    if isinstance(x, tuple | list) and len(x) == len(names):
        return tuple(x)
    received = f"keys {sorted(x)}" if isinstance(x, Mapping) else type(x).__name__
    raise DataError(
        f"the inputs must be those of `{type(model).__name__}.call({', '.join(names)})`.",
        path="x",
        expected=f"a tuple or list of {len(names)}, or a dict with the keys {', '.join(map(repr, names))}",
        received=received if not isinstance(x, tuple | list) else f"a {received} of {len(x)}",
        write=f"x = {{{', '.join(f'{name!r}: {name}' for name in names)}}}",
    )


Path: TypeAlias = tuple[str | int, ...]
Refusal: TypeAlias = Callable[[str, str], JKerasError]  # of what was expected and what came


def is_container(value: object) -> bool:
    """Whether something is a dict, list or tuple of things, rather than a thing; a config is a thing.

    >>> is_container(["mse"]), is_container({"class_name": "Huber", "config": {}}), is_container(None)
    (True, False, False)
    """
    return isinstance(value, list | tuple) or (isinstance(value, Mapping) and "class_name" not in value)


def parts(value: PyTree, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The things in containers, in JAX's order, with their paths; `None` is a thing.

    >>> list(parts({"b": [1, None], "a": 2}))
    [(('a',), 2), (('b', 0), 1), (('b', 1), None)]
    """
    if not is_container(value):
        yield path, value
        return
    keys = sorted(value) if isinstance(value, Mapping) else range(len(value))
    for key in keys:
        yield from parts(value[key], (*path, key))


def flat_list(value: object) -> list[Any]:
    """A list of all things in containers.

    >>> flat_list([["mae"], "mse"]), flat_list(None), flat_list("mae")
    (['mae', 'mse'], [], ['mae'])
    """
    return [] if value is None else [thing for _, thing in parts(value)]


class Outputs:
    """The outputs of a model, or their specs, by name.

    Args:
        y_pred: what the model returned.
        layers: the names of the layers that made the outputs, in their order; `None` where nobody knows.

    Attributes:
        values: the outputs by name.

    >>> outputs = Outputs({"p": 1, "q": [2, 3]}, layers=("a", "b", "c"))
    >>> outputs.values
    {'p': 1, 'q/b': 2, 'q/c': 3}
    >>> outputs.spread("loss", {"p": "mse", "q": ["mae", None]})
    {'p': 'mse', 'q/b': 'mae', 'q/c': None}
    """

    def __init__(self, y_pred: ArrayTree | SpecTree, layers: Sequence[str] | None = None) -> None:
        found = dict(parts(y_pred))
        layers = layers if layers is not None and len(layers) == len(found) else None
        self.values: dict[str, Any] = {}
        names: dict[Path, str] = {}
        for index, (path, value) in enumerate(found.items()):
            names[path] = _free(_name(path, layers[index] if layers else None), self.values)
            self.values[names[path]] = value
        self._outline = _outline(y_pred, names)

    @property
    def names(self) -> list[str]:
        """The names, in JAX's order."""
        return list(self.values)

    def key(self, name: str, what: str) -> str:
        """The key in the logs of something about an output: the output's name comes first where there are several."""
        return what if len(self.values) == 1 else f"{name}_{what}"

    def spread(self, argument: str, value: object, *, lists: bool = False) -> dict[str, Any]:
        """An argument of the trainer by output name; `None` where nothing is said of an output.

        Args:
            argument: what it is called, for messages.
            value: in any of the forms.
            lists: whether what belongs to one output may be a list itself.

        Raises:
            ArgumentError: it has another structure than the outputs.
        """

        def refusal(expected: str, received: str) -> JKerasError:
            return ArgumentError(
                f"`{argument}` must be structured like the model's outputs.",
                path=f"Trainer({argument}=)",
                expected=expected,
                received=received,
                write=f"Trainer(..., {argument}={{{', '.join(f'{name!r}: ...' for name in self.names[:3])}}})",
            )

        if len(self.values) == 1 and lists and isinstance(value, list | tuple):
            return dict.fromkeys(self.values, flat_list(value))
        return self._spread(value, refusal)

    def labels(self, y: ArrayTree | None, wanted: Sequence[str]) -> dict[str, Any]:
        """Labels by output name; `None` for outputs that have none.

        Args:
            y: labels in any of the forms. Those of the wanted outputs alone may come as a list too.
            wanted: the outputs that need labels.

        Raises:
            DataError: they have another structure than the outputs.
        """
        several, found = len(self.values) > 1, flat_list(y)
        if several and not isinstance(y, Mapping) and 0 < len(found) == len(wanted) < len(self.values):
            return {**dict.fromkeys(self.values), **dict(zip(wanted, found, strict=True))}
        if several and y is not None and not is_container(y):
            raise _refused("y", "labels")(self._expected(), "one array")
        return self._spread(y, _refused("y", "labels"))

    def weights(self, sample_weight: ArrayTree | None) -> dict[str, Any]:
        """Sample weights by output name; one array belongs to all outputs.

        Raises:
            DataError: they have another structure than the outputs.
        """
        return self._spread(sample_weight, _refused("sample_weight", "weights"))

    def _spread(self, value: object, refusal: Refusal) -> dict[str, Any]:
        outline = self._outline
        if len(self.values) == 1:  # its name and its place are both addresses of it
            (outline,) = self.values
            if isinstance(value, list | tuple) and len(value) == 1:
                (value,) = value
            if is_container(value):
                if not outline:
                    raise refusal("one thing: the model has one output, without a name", f"a {type(value).__name__}")
                outline = {outline: outline}
        return _spread(value, outline, refusal)

    def _expected(self) -> str:
        return f"one for each of {', '.join(map(repr, self.names))}"


def _name(path: Path, layer: str | None) -> str:
    if not path or isinstance(path[-1], str):
        return layer or "" if not path else "/".join(map(str, path))
    return "/".join([*map(str, path[:-1]), layer or f"output_{path[-1]}"])


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """A name with a number behind it, where it is taken: one layer may make several outputs."""
    number = sum(1 for other in taken if other == name or other.rpartition("_")[0] == name)
    return f"{name}_{number}" if name in taken else name


def _outline(y_pred: PyTree, names: Mapping[Path, str], path: Path = ()) -> Any:
    """The structure of the outputs, with their names in their places."""
    if not is_container(y_pred):
        return names[path]
    if isinstance(y_pred, Mapping):
        return {key: _outline(y_pred[key], names, (*path, key)) for key in sorted(y_pred)}
    return [_outline(each, names, (*path, index)) for index, each in enumerate(y_pred)]


def _spread(value: Any, outline: object, refusal: Refusal) -> dict[str, Any]:
    """What belongs to each output in an outline."""
    if isinstance(outline, str):
        return {outline: value}
    names = [name for _, name in parts(outline)]
    if not is_container(value):
        return dict.fromkeys(names, value)
    if isinstance(value, Mapping):
        choices = outline if isinstance(outline, Mapping) else {name: name for name in names}
        for key in value:
            if key not in choices:
                raise refusal(did_you_mean(str(key), map(str, choices)), repr(key))
        return _joined(_spread(value.get(key), inner, refusal) for key, inner in choices.items())
    if isinstance(outline, list) and len(value) == len(outline):
        return _joined(_spread(each, inner, refusal) for each, inner in zip(value, outline, strict=True))
    if len(value) == len(names):
        return dict(zip(names, value, strict=True))
    raise refusal(f"{len(names)} entries, for {', '.join(map(repr, names))}", f"{len(value)} entries")


def _joined(found: Any) -> dict[str, Any]:
    return {name: value for each in found for name, value in each.items()}


def _refused(path: str, what: str) -> Refusal:
    def refusal(expected: str, received: str) -> JKerasError:
        return DataError(
            f"the {what} must be structured like the model's outputs.", path=path, expected=expected, received=received
        )

    return refusal
