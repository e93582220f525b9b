"""TensorFlow's SavedModel: a folder that TensorFlow and its servers run without Python and without JAX.

The program is StableHLO, as in `jax.export`; `jax2tf` puts it into a graph. The values are variables of the SavedModel.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any

import jax

from jkeras.config import lowering_for
from jkeras.errors import ArgumentError, MissingExtraError
from jkeras.export.exporting import prepared, signature, targets_of, traced_for
from jkeras.export.inference import constants, warning_of_lost_updates
from jkeras.export.names import input_names, output_names
from jkeras.export.specs import each_size, is_free
from jkeras.models import Model
from jkeras.typing import PyTree


def write_saved_model(
    model: Model,
    path: str | os.PathLike[str],
    variables: tuple[Any, Any],
    input_signature: Sequence[PyTree] | None = None,
    *,
    platforms: Sequence[str] | None = None,
    constraints: Sequence[str] = (),
) -> None:
    """Writes a model as a SavedModel: `model.export(path, variables, format="tf_saved_model")`.

    The folder appears complete or not at all. `tf.saved_model.load(path).serve(x)` takes and returns the structures of
    the model; the signature `serving_default` takes and returns tensors by name.

    Args:
        model: a built model.
        path: of the folder, which must not exist.
        variables: the two trees.
        input_signature: a spec for each argument of `call`; by default those that the model declares.
        platforms: as of `jkeras.export.export`.
        constraints: as of `jkeras.export.export`.

    Raises:
        ArgumentError: the folder exists.
        MissingExtraError: TensorFlow is not installed.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> model.export("/", model.init(jax.random.key(0)), format="tf_saved_model")
    Traceback (most recent call last):
    jkeras.errors.ArgumentError: sequential.export: the folder of a SavedModel must not exist, got '/'.
      ...
    """
    path = os.path.abspath(os.fspath(path))
    if os.path.exists(path):
        raise ArgumentError(
            f"the folder of a SavedModel must not exist, got {path!r}.",
            path=f"{model.name}.export",
            expected="a new folder",
            received=path,
            write=f"shutil.rmtree({path!r})",
        )
    try:
        import jax.experimental.jax2tf as jax2tf
        import tensorflow as tf
    except ImportError as error:
        path = f"{model.name}.export"
        raise MissingExtraError.of("the format 'tf_saved_model'", "tensorflow", "tensorflow", path) from error

    run, given, specs = prepared(model, variables, signature(model, input_signature), constraints=constraints)
    targets = targets_of(platforms)
    leaves, structure = jax.tree.flatten(constants(tuple(given), model.name))
    tensors = jax.tree.map(lambda spec: _tensor_spec(tf, spec), specs)
    program = jax2tf.convert(
        lambda values, *inputs: run(jax.tree.unflatten(structure, values), *inputs),
        polymorphic_shapes=each_size((leaves, *specs), _shape_as_text),
        polymorphic_constraints=constraints,
        with_gradient=False,
        native_serialization_platforms=targets,
    )
    module = tf.Module()
    module.values = [tf.Variable(leaf, trainable=False) for leaf in leaves]
    module.serve = tf.function(lambda *x: program(module.values, *x), input_signature=tensors, autograph=False)
    with warning_of_lost_updates(run), lowering_for(*traced_for(targets)):
        outputs = jax.eval_shape(run, given, *specs)
        named = _by_name(tf, module.serve, input_names(model, specs), output_names(model, outputs), tensors)
        _save(tf, module, path, {"serving_default": named})


def _shape_as_text(shape: tuple[Any, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


def _tensor_spec(tf: Any, spec: jax.ShapeDtypeStruct) -> Any:
    return tf.TensorSpec([None if is_free(size) else size for size in spec.shape], spec.dtype)


def _by_name(tf: Any, serve: Any, inputs: list[str], outputs: list[str], tensors: PyTree) -> Any:
    """The same function of tensors by name, as signatures of a SavedModel must be."""
    structure = jax.tree.structure(tensors)

    def named(**given: Any) -> dict[str, Any]:
        results = serve(*jax.tree.unflatten(structure, [given[name] for name in inputs]))
        return dict(zip(outputs, jax.tree.leaves(results), strict=True))

    specs = {
        name: tf.TensorSpec(spec.shape, spec.dtype, name=name)
        for name, spec in zip(inputs, jax.tree.leaves(tensors), strict=True)
    }
    return tf.function(named, autograph=False).get_concrete_function(**specs)


def _save(tf: Any, module: Any, path: str, signatures: dict[str, Any]) -> None:
    """Writes beside the path, and renames."""
    parent = os.path.dirname(path)
    os.makedirs(parent, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=f"{os.path.basename(path)}.", suffix=".tmp", dir=parent)
    try:
        tf.saved_model.save(module, temporary, signatures=signatures)
        os.chmod(temporary, 0o777 & ~_umask())
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _umask() -> int:
    """The bits that new files lack; there is no way to ask but to set them."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
