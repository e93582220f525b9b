"""Hooks of custom layers: how a layer keeps its own weights, and files of its own, as in Keras.

    save_own_variables(store)     store["kernel"] = self.kernel
    load_own_variables(store)     self.kernel.assign(store["kernel"])
    save_assets(dir_path)         writes files into a folder
    load_assets(dir_path)         reads them

A layer holds no values, so the first two run in a scope that has those of the trees, and that lets any variable be
assigned.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core import Layer, Variable
from jkeras.core.scope import Declared, Scope
from jkeras.core.variable import read
from jkeras.errors import ShapeError
from jkeras.saving.archive import ASSETS, COPIED, Archive
from jkeras.saving.walk import groups
from jkeras.typing import Array, ArrayTree


def overrides(layer: Layer, name: str) -> bool:
    """Whether a layer's class has a hook of its own.

    >>> from jkeras import layers
    >>> overrides(layers.Dense(2), "save_own_variables")
    False
    """
    return getattr(type(layer), name, None) is not getattr(Layer, name, None)


class _Store(dict[str, Any]):
    """What a layer keeps, as arrays."""

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(str(name), np.asarray(read(value)))


class _Loading(Scope):
    """A scope in which every variable may be assigned."""

    def write(self, variable: Declared, value: ArrayTree) -> Array:
        """Records a value in the variable's own dtype."""
        new = jnp.asarray(value, variable.declared_dtype)
        if new.shape != tuple(variable.shape):
            raise ShapeError(
                "the assigned value must have the shape of the variable.",
                path=self.path_of(variable),
                expected=variable.shape,
                received=new.shape,
            )
        self.values[variable] = new
        self.updated[variable] = None
        return new


def own_arrays(layer: Layer, values: Mapping[Variable, Any], paths: Mapping[Any, str]) -> dict[str, np.ndarray]:
    """What a layer's `save_own_variables` keeps.

    Args:
        layer: with the hook.
        values: of all variables.
        paths: of all variables, for messages.
    """
    store = _Store()
    with Scope(dict(values), dict(paths)).open():
        layer.save_own_variables(store)
    return dict(store)


def loaded(
    layer: Layer, arrays: Mapping[str, Any], values: Mapping[Variable, Any], paths: Mapping[Any, str]
) -> dict[Variable, Array]:
    """The values that a layer's `load_own_variables` assigns.

    Args:
        layer: with the hook.
        arrays: of the file, by their names.
        values: of the variables, as far as they are known.
        paths: of all variables, for messages.
    """
    known = {variable: value for variable, value in values.items() if not isinstance(value, jax.ShapeDtypeStruct)}
    with _Loading(known, dict(paths)).open() as scope:
        layer.load_own_variables(arrays)
    return {variable: scope.values[variable] for variable in scope.updated}


@contextlib.contextmanager
def assets_of(model: Layer) -> Iterator[str | None]:
    """A folder with the files of all layers that write some, at their places; `None` where there are none."""
    writing = [group for group in groups(model) if hasattr(group.layer, "save_assets")]
    if not writing:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        for group in writing:
            place = os.path.join(folder, _place(group.path))
            os.makedirs(place, exist_ok=True)
            hooked: Any = group.layer
            hooked.save_assets(place)
        yield folder


def load_assets(model: Layer, archive: Archive) -> None:
    """Gives each layer that reads files those that are in an archive at its place."""
    for group in groups(model):
        prefix = f"{ASSETS}{_place(group.path)}".rstrip("/") + "/"
        names = [name for name in archive.members if name.startswith(prefix) and not name.endswith("/")]
        if not names or not hasattr(group.layer, "load_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                target = os.path.join(folder, name.removeprefix(prefix))
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with archive.open(name) as source, open(target, "wb") as file:
                    while chunk := source.read(COPIED):
                        file.write(chunk)
            hooked: Any = group.layer
            hooked.load_assets(folder)


def _place(path: str) -> str:
    return path.removesuffix("vars").rstrip("/")
