"""Whole models in files: `.keras`, the config and the weights, as Keras writes and reads them."""

import os
from collections.abc import Mapping
from typing import Any

import jax

from jkeras import registry
from jkeras.core import Layer, Variable, Variables
from jkeras.core.stateless import as_key, drawing
from jkeras.errors import ArgumentError, BuildError, UnsafeFileError
from jkeras.saving.archive import WEIGHTS, Archive, opened, write
from jkeras.saving.hdf5 import Stored
from jkeras.saving.hooks import assets_of, load_assets
from jkeras.saving.keras_weights import arrays_of, as_trees, fill, leaves_of
from jkeras.saving.vocabularies import with_vocabularies
from jkeras.typing import Config, Key

SUFFIX = ".keras"


def save_model(model: Layer, path: str | os.PathLike[str], variables: tuple[Any, Any], *, zipped: bool = True) -> None:
    """Writes a model into a `.keras` file, which `load_model` reads, here and in Keras: `model.save(path, variables)`.

    The file appears complete or not at all.

    Args:
        model: a built model.
        path: of the file, which ends in `.keras`; one that exists is replaced.
        variables: the two trees.
        zipped: whether it is one file; else a new folder of the same members, at a path that ends in anything.

    Raises:
        ArgumentError: the path ends otherwise.
        LeafError: the trees do not fit the model.
        SerializationError: a part of the model has no config.
        FileWriteError: the file cannot be written.

    >>> import tempfile, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/a.keras", model.init(jax.random.key(0)))
    ...     os.listdir(folder)
    ['a.keras']
    """
    path = check_path(path, f"{model.name}.save") if zipped else os.fspath(path)
    with assets_of(model) as assets:
        write(path, envelope(model), leaves_of(model, variables), assets, zipped=zipped)


def check_path(path: str | os.PathLike[str], owner: str) -> str:
    """The path as a string. Raises `ArgumentError` unless it ends in `.keras`."""
    path = os.fspath(path)
    if path.endswith(SUFFIX):
        return path
    raise ArgumentError(
        f"`path` must end in '{SUFFIX}', got {path!r}.",
        path=owner,
        expected=f"a path that ends in '{SUFFIX}'",
        received=repr(path),
        write=f"{owner}('model{SUFFIX}', ...)   # weights alone: model.save_weights('a.weights.h5', variables)",
    )


def envelope(model: Layer) -> Config:
    """The config of a model with its class, as files have it."""
    config: Config = registry.serialize(model)
    if "name" in config["config"]:
        config["config"] = {**config["config"], "name": model.name}
    return config


def load_model(
    path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None, *, key: Key | None = None
) -> tuple[Any, Variables]:
    """The model of a `.keras` file, and its values. The file may be one of ours or of Keras's.

    Nothing is imported or run because a file says so: classes are those of jkeras, those that are registered, and
    `custom_objects`. The shapes of all weights are compared before memory is taken for them.

    Args:
        path: of the file, or of a folder with the same members.
        custom_objects: classes and functions by name.
        key: draws what the file does not have: states of random generators in a file of Keras's.

    Returns:
        `(model, variables)`: a model holds no values.

    Raises:
        FileNotFoundError: there is no file.
        UnsafeFileError: the file holds what does not belong there.
        DamagedFileError: it is not whole.
        UnknownNameError: a class or function is not known.
        LeafError: the weights are not those of the model.

    >>> import tempfile, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> variables = model.init(jax.random.key(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/a.keras", variables)
    ...     again, values = load_model(f"{folder}/a.keras")
    >>> again.output_shape, bool((values.trainable["dense"]["kernel"] == variables.trainable["dense"]["kernel"]).all())
    ((None, 2), True)
    """
    path = os.fspath(path)
    with opened(path) as archive:
        with archive.open(WEIGHTS) as file, arrays_of(file, f"{path}: {WEIGHTS}") as found:
            model = model_of(archive, found, custom_objects)
            variables = variables_of(model, found, f"{path}: {WEIGHTS}", key)
        load_assets(model, archive)
        return model, variables


def model_of(archive: Archive, found: Mapping[str, Stored], custom_objects: Mapping[str, Any] | None) -> Any:
    """The built model of an archive's config; `found` are the arrays of its weights."""
    model = registry.deserialize(with_vocabularies(archive, found), custom_objects)
    if not isinstance(model, Layer) or not hasattr(model, "get_layer"):
        raise UnsafeFileError(
            f"the config must be that of a model, got {type(model).__name__}.",
            code="not-a-model",
            path=archive.path,
            expected="the config of a model",
            received=type(model).__name__,
        )
    if not model.built:
        raise BuildError(
            "the model in the file is not built, because its config does not say for which inputs.",
            path=archive.path,
            expected="a model that had been built when it was saved",
            write="variables = model.init(key, x)   # before model.save(path, variables)",
        )
    return model


def variables_of(model: Layer, found: Mapping[str, Stored], path: str, key: Key | None) -> Variables:
    """The values of a model in the arrays of a file; a key draws what the file does not have."""
    structure = model.structure()
    missing = jax.ShapeDtypeStruct((), "float32")
    values: dict[Variable, Any] = dict.fromkeys(structure.declarations, missing)
    fill(values, model, found, path, strict=True)
    draw = drawing(structure, jax.random.key(0) if key is None else as_key(key, "load_model"))
    for variable, value in values.items():
        if value is missing:
            values[variable] = draw(structure.declarations[variable])
    return as_trees(model, values)
