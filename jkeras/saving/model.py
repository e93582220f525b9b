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
from jkeras.saving.entries import Source
from jkeras.saving.hdf5 import Stored
from jkeras.saving.hooks import assets_of, load_assets
from jkeras.saving.keras_weights import arrays_of, as_trees, fill, leaves_of, reading
from jkeras.saving.legacy import fill_legacy, layers_of
from jkeras.saving.parsing import parse
from jkeras.saving.sharded import hdf5
from jkeras.saving.vocabularies import with_vocabularies
from jkeras.typing import Config, Key

SUFFIX = ".keras"
OLDER = (".h5", ".hdf5")
MODEL_CONFIG = "model_config"


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
        path: of the file, or of a folder with the same members; or of a whole model in Keras's older form, `.h5`.
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
    if path.endswith(OLDER):
        return _load_older(path, custom_objects, key)
    with opened(path) as archive:
        with archive.open(WEIGHTS) as file, arrays_of(file, f"{path}: {WEIGHTS}") as found:
            model = model_of(archive, found, custom_objects)
            variables = variables_of(model, found, f"{path}: {WEIGHTS}", key)
        load_assets(model, archive)
        return model, variables


def _load_older(path: str, custom_objects: Mapping[str, Any] | None, key: Key | None) -> tuple[Any, Variables]:
    """The model of a file of Keras's older form, whose config is an attribute."""
    with Source(path) as source:
        file, found = hdf5(path, source)
        layers = layers_of(file, found, path)
        text = file.attrs.get(MODEL_CONFIG)
        if layers is None or text is None:
            raise UnsafeFileError(
                f"the file must have the config of a model, as its attribute `{MODEL_CONFIG}`.",
                code="missing-member",
                path=path,
                expected="a file of `model.save('a.h5')` in Keras",
                received="weights alone",
                write="variables = model.load_weights(path, variables)",
            )
        config = parse(text.decode() if isinstance(text, bytes) else str(text), path)
        model = _checked(registry.deserialize(config, custom_objects), path)
        values = _missing(model)
        with reading(path):
            fill_legacy(values, model, layers, found, path, by_name=False, strict=True)
        return model, _drawn(model, values, key)


def model_of(archive: Archive, found: Mapping[str, Stored], custom_objects: Mapping[str, Any] | None) -> Any:
    """The built model of an archive's config; `found` are the arrays of its weights."""
    return _checked(registry.deserialize(with_vocabularies(archive, found), custom_objects), archive.path)


def _checked(model: Any, path: str) -> Any:
    """What a config made, if it is a model that is built."""
    if not isinstance(model, Layer) or not hasattr(model, "get_layer"):
        raise UnsafeFileError(
            f"the config must be that of a model, got {type(model).__name__}.",
            code="not-a-model",
            path=path,
            expected="the config of a model",
            received=type(model).__name__,
        )
    if not model.built:
        raise BuildError(
            "the model in the file is not built, because its config does not say for which inputs.",
            path=path,
            expected="a model that had been built when it was saved",
            write="variables = model.init(key, x)   # before model.save(path, variables)",
        )
    return model


def variables_of(model: Layer, found: Mapping[str, Stored], path: str, key: Key | None) -> Variables:
    """The values of a model in the arrays of a file; a key draws what the file does not have."""
    values = _missing(model)
    fill(values, model, found, path, strict=True)
    return _drawn(model, values, key)


MISSING = jax.ShapeDtypeStruct((), "float32")  # in place of a value that no file has given yet


def _missing(model: Layer) -> dict[Variable, Any]:
    return dict.fromkeys(model.structure().declarations, MISSING)


def _drawn(model: Layer, values: dict[Variable, Any], key: Key | None) -> Variables:
    """The two trees of a model, with drawn values for those that are missing."""
    structure = model.structure()
    draw = drawing(structure, jax.random.key(0) if key is None else as_key(key, "load_model"))
    for variable, value in values.items():
        if value is MISSING:
            values[variable] = draw(structure.declarations[variable])
    return as_trees(model, values)
