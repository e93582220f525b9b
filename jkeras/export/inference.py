"""Inference: what a layer computes of its values and its inputs, as a pure function."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import tree
from jkeras.arguments import refusal
from jkeras.core import Layer, stateless
from jkeras.core.call import cast_dtype
from jkeras.core.scope import Frame, Scope
from jkeras.errors import ArgumentError, NeverCalledError, UnknownNameError, did_you_mean
from jkeras.models import Model
from jkeras.typing import PyTree

Program = Callable[..., PyTree]
CALL = "call"


class Inference:
    """The function `(variables, *inputs) -> outputs` of a layer.

    Args:
        layer: a built layer or model.
        method: the name of the method that computes; `"call"`, or another one of the class.
        training: what the layers are told.
        updates: whether it returns `(outputs, non_trainable)`.

    Attributes:
        lost: the paths of the values that the last call changed and did not return.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> variables = model.init(jax.random.key(0))
    >>> Inference(model)(variables, jnp.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(self, layer: Layer, method: str = CALL, *, training: bool = False, updates: bool = False) -> None:
        if not callable(getattr(layer, method, None)) or method.startswith("_"):
            names = [name for name in dir(layer) if not name.startswith("_")]
            raise UnknownNameError(f"unknown method {method!r}.", path=layer.name, expected=did_you_mean(method, names))
        self.layer, self.method, self.training, self.updates = layer, method, training, updates
        self.lost: list[str] = []

    def __call__(self, variables: tuple[Any, Any], *inputs: PyTree) -> PyTree:
        trainable, non_trainable = variables
        outputs, new = self._run(trainable, non_trainable, inputs)
        if self.updates:
            return outputs, new
        self.lost = _changed(non_trainable, new)
        return outputs

    def _run(self, trainable: Any, non_trainable: Any, inputs: tuple[PyTree, ...]) -> tuple[PyTree, Any]:
        layer, training = self.layer, self.training
        if self.method == CALL:
            outputs, new = layer.stateless_call(trainable, non_trainable, *inputs, training=training)
            return outputs, new
        structure = layer.structure()
        bound = stateless.bind(structure, trainable, non_trainable, layer.name)
        scope = Scope(bound.values, structure.paths, context={"training": training})
        with scope.open(), scope.entering(Frame(layer, "", {"training": training}, cast_dtype(layer))):
            outputs = getattr(layer, self.method)(*inputs)
        return outputs, bound.collect(scope.values)


def _changed(old: Any, new: Any) -> list[str]:
    before = jax.tree_util.tree_leaves_with_path(old)
    pairs = zip(before, jax.tree.leaves(new), strict=True)
    return [tree.key_path(path) for (path, leaf), other in pairs if leaf is not other]


@contextlib.contextmanager
def warning_of_lost_updates(function: Program) -> Iterator[None]:
    """Warns after the block where the inference changed values that it did not return."""
    yield
    if isinstance(function, Inference) and function.lost:
        shown = ", ".join(map(repr, function.lost[:4]))
        warnings.warn(
            f"The call changes {shown}{', ...' if len(function.lost) > 4 else ''}, and the exported program does not"
            " return the new values: each call begins with the same ones. Write export(..., values='outside',"
            " updates=True) to get them.",
            stacklevel=4,
        )


def inputs_of(layer: Layer) -> tuple[PyTree, ...]:
    """The arguments that a model declares: its one structure of symbolic inputs.

    Raises:
        ArgumentError: the layer does not know the structure of its inputs.
    """
    if isinstance(layer, Model):
        with contextlib.suppress(NeverCalledError):
            _ = layer.inputs
            return (layer.input,)
    raise ArgumentError(
        "the specs of the inputs must be given, because the layer does not declare its inputs.",
        path=layer.name,
        expected="a spec for each argument of `call`, None for sizes that are free",
        received="no spec",
        write=f"jkeras.export.export({layer.name}, variables, (None, 8))",
    )


def constants(values: PyTree, owner: str) -> PyTree:
    """Values as arrays of one device, which a program can have inside; typed keys stay.

    Raises:
        ArgumentError: a leaf is a spec.
    """

    def constant(leaf: Any) -> Any:
        if isinstance(leaf, jax.ShapeDtypeStruct):
            raise refusal(
                leaf,
                "variables",
                owner,
                "arrays where they are inside the program",
                write="export(..., values='outside')",
            )
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return leaf
        return jnp.asarray(np.asarray(leaf))

    return jax.tree.map(constant, values)
