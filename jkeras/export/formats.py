"""Formats: how `model.export(path, variables, format=...)` writes a model for others to run.

| format | is | runs in | extra |
|---|---|---|---|
| `"jax"` | a file `.jaxexport` | JAX, on all platforms that it was made for | `jkeras[export]` |
| `"tf_saved_model"` | a folder | TensorFlow and its servers | `jkeras[tensorflow]` |
| `"onnx"` | a file `.onnx` | ONNX runtimes | `jkeras[onnx]` |
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

from jkeras.errors import UnknownNameError, did_you_mean
from jkeras.export.exporting import export, signature
from jkeras.export.onnx import write_onnx
from jkeras.export.saved_model import write_saved_model
from jkeras.models import Model
from jkeras.typing import PyTree


def write_jax(
    model: Model,
    path: str | os.PathLike[str],
    variables: tuple[Any, Any],
    input_signature: Sequence[PyTree] | None = None,
    **options: Any,
) -> None:
    """Writes a model as `export(model, variables, ...).save(path)` does.

    Args:
        model: a built model.
        path: of the file, which ends in `.jaxexport`.
        variables: the two trees.
        input_signature: a spec for each argument of `call`; by default those that the model declares.
        options: keywords of `jkeras.export.export`.

    >>> import jax, os, tempfile, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.export(f"{folder}/a.jaxexport", model.init(jax.random.key(0)))
    ...     jkeras.export.load(f"{folder}/a.jaxexport").in_specs
    (ShapeDtypeStruct(shape=(b, 3), dtype=float32),)
    """
    export(model, variables, *signature(model, input_signature), **options).save(path)


FORMATS: dict[str, Callable[..., None]] = {
    "jax": write_jax,
    "tf_saved_model": write_saved_model,
    "onnx": write_onnx,
}


def write_model(
    model: Model, path: str | os.PathLike[str], variables: tuple[Any, Any], format: str, **options: Any
) -> None:
    """Writes a model in a format: `model.export(path, variables, format=...)`.

    Args:
        model: a built model.
        path: of the file or folder.
        variables: the two trees.
        format: the name of the format.
        options: those of its function.

    Raises:
        UnknownNameError: there is no such format.

    >>> import jkeras
    >>> write_model(jkeras.Sequential(), "model", ({}, {}), "onxx")
    Traceback (most recent call last):
    jkeras.errors.UnknownNameError: sequential.export: unknown format 'onxx'.
      expected: 'onnx' (did you mean it?)
      received: 'onxx'
    """
    if format not in FORMATS:
        raise UnknownNameError(
            f"unknown format {format!r}.",
            path=f"{model.name}.export",
            expected=did_you_mean(str(format), FORMATS),
            received=repr(format),
        )
    FORMATS[format](model, path, variables, **options)
