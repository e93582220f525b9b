"""ONNX: a file that ONNX runtimes run, without Python and without JAX. The package `jax2onnx` translates.

It gets the operations of JAX and not our functions, whose values it would trace as something else. So the layers do not
matter, only the operations: one that it does not know is its error, which names it.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.extend.core

from jkeras.config import lowering_for
from jkeras.errors import ArgumentError, MissingExtraError, SerializationError
from jkeras.export.exporting import prepared, signature, with_values
from jkeras.export.inference import warning_of_lost_updates
from jkeras.export.names import input_names, output_names
from jkeras.export.onnx_check import check
from jkeras.export.onnx_graph import with_outputs, with_plain_pooling
from jkeras.export.specs import is_free
from jkeras.models import Model
from jkeras.saving.files import replacing, writing
from jkeras.typing import PyTree

SUFFIX = ".onnx"


def write_onnx(
    model: Model,
    path: str | os.PathLike[str],
    variables: tuple[Any, Any],
    input_signature: Sequence[PyTree] | None = None,
    *,
    constraints: Sequence[str] = (),
    opset_version: int | None = None,
) -> None:
    """Writes a model as an ONNX file: `model.export(path, variables, format="onnx")`.

    Inputs and outputs are flat and have names: those that the model gives them, or their keys. ONNX Runtime must
    compute what the model computes, for inputs that are drawn, before the file appears, complete or not at all.

    Args:
        model: a built model.
        path: of the file, which ends in `.onnx`; one that exists is replaced.
        variables: the two trees.
        input_signature: a spec for each argument of `call`; by default those that the model declares.
        constraints: as of `jkeras.export.export`.
        opset_version: the version of ONNX's operators; by default that of jax2onnx.

    Raises:
        ArgumentError: the path ends otherwise.
        MissingExtraError: jax2onnx or ONNX Runtime is not installed.
        SerializationError: jax2onnx does not translate an operation, or does not for sizes that are free; or the
            translation computes something else.
        FileWriteError: the file cannot be written.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> model.export("model.pb", model.init(jax.random.key(0)), format="onnx")
    Traceback (most recent call last):
    jkeras.errors.ArgumentError: sequential.export: `path` must end in '.onnx', got 'model.pb'.
      ...
    """
    path = os.fspath(path)
    if not path.endswith(SUFFIX):
        raise ArgumentError(
            f"`path` must end in '{SUFFIX}', got {path!r}.",
            path=f"{model.name}.export",
            expected=f"a path that ends in '{SUFFIX}'",
            received=repr(path),
            write=f"{model.name}.export('model{SUFFIX}', variables, format='onnx')",
        )
    try:
        import jax2onnx
        import onnxruntime  # noqa: F401 - of `check`
    except ImportError as error:
        path = f"{model.name}.export"
        raise MissingExtraError.of(
            "the format 'onnx'", getattr(error, "name", None) or "jax2onnx", "onnx", path
        ) from error

    run, given, specs = prepared(model, variables, signature(model, input_signature), constraints=constraints)
    call, inputs = with_values(run, given, model.name), input_names(model, specs)
    with warning_of_lost_updates(run), lowering_for("cpu"):
        traced, outputs = jax.make_jaxpr(call, return_shape=True)(*specs)
    options: dict[str, Any] = {} if opset_version is None else {"opset": opset_version}
    with _explained(model.name, specs):
        translated = jax2onnx.to_onnx(
            jax.extend.core.jaxpr_as_fun(traced),
            jax.tree.leaves(specs),
            model_name=model.name,
            input_names=inputs,
            **options,
        )
        contents = with_outputs(with_plain_pooling(translated), output_names(model, outputs)).SerializeToString()
        check(contents, call, specs, inputs, model.name)
    with writing(path, {}), replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(contents)


@contextlib.contextmanager
def _explained(owner: str, specs: tuple[PyTree, ...]) -> Iterator[None]:
    """Errors of jax2onnx and ONNX Runtime say what they mean for the model."""
    try:
        yield
    except SerializationError:
        raise
    except Exception as error:  # they have no classes of their own
        fixed = [tuple(1 if is_free(size) else size for size in spec.shape) for spec in jax.tree.leaves(specs)]
        raise SerializationError(
            "jax2onnx must have a translation of every operation of the model, and ONNX Runtime must run it.",
            path=f"{owner}.export",
            expected="operations that jax2onnx translates, for sizes that are free too",
            received=f"{type(error).__name__}: {str(error).splitlines()[0][:100]}",
            write=f"{owner}.export(path, variables, format='onnx', input_signature={fixed})   # fixed sizes",
        ) from error
