"""Weights alone in files: the end of the path says in which form.

.weights.h5      Keras's; arrays by the place of their layer
.weights.json    the same in shards of a largest size
.safetensors     arrays by the paths of the weights, with dots
.npz             the same with slashes
.h5, .hdf5       Keras's older form, read only
"""

import os
import warnings
from typing import Any

import numpy as np

from jkeras.core import Layer, Variables
from jkeras.core.stateless import bind
from jkeras.errors import ArgumentError
from jkeras.saving.assigning import assign
from jkeras.saving.entries import Source
from jkeras.saving.files import write_leaves
from jkeras.saving.keras_weights import as_trees, fill, leaves_of, misfits, reading
from jkeras.saving.legacy import fill_legacy, layers_of
from jkeras.saving.npz_files import write_npz
from jkeras.saving.opening import open_weights
from jkeras.saving.safetensors_files import write_safetensors
from jkeras.saving.sharded import hdf5, open_shards, write_shards

WRITTEN = (".weights.h5", ".weights.json", ".safetensors", ".npz")
NAMED = (".safetensors", ".safetensors.index.json", ".npz")  # whose arrays have the paths of the weights
OLDER = (".h5", ".hdf5")
READ = (*WRITTEN, ".safetensors.index.json", *OLDER)
SHARD_SIZE = 5.0  # gigabytes, as in Keras


def save_weights(
    layer: Layer, path: str | os.PathLike[str], variables: tuple[Any, Any], *, max_shard_size: float | None = None
) -> None:
    """Writes the weights of a built layer or model into a file. It appears complete or not at all.

    Arrays keep their dtypes. Keras's `load_weights` reads `.weights.h5` and `.weights.json`.

    Args:
        layer: the layer or model.
        path: of the file, which ends in `.weights.h5`, `.weights.json`, `.safetensors` or `.npz`; one that exists is
            replaced.
        variables: the two trees.
        max_shard_size: of `.weights.json`: the largest size of a shard, in gigabytes of 2**30 bytes; 5 by default.

    Raises:
        ArgumentError: the path ends otherwise; or an array does not fit into a shard, or its dtype into the format.
        LeafError: the trees do not fit the layer.
        MissingExtraError: `.safetensors` needs the extra `jkeras[safetensors]`.
        FileWriteError: the file cannot be written.

    >>> import jax, tempfile
    >>> from jkeras import layers
    >>> layer = layers.Dense(2)
    >>> variables = layer.init(jax.random.key(0), (1, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(layer, f"{folder}/a.weights.h5", variables)
    ...     again = load_weights(layer, f"{folder}/a.weights.h5", layer.init(jax.random.key(1), (1, 3)))
    >>> bool((again.trainable["kernel"] == variables.trainable["kernel"]).all())
    True
    """
    path = os.fspath(path)
    _check_suffix(path, WRITTEN, f"{layer.name}.save_weights")
    if max_shard_size is not None and not path.endswith(".weights.json"):
        raise ArgumentError(
            f"`max_shard_size` must be given for a path that ends in '.weights.json' only, got {path!r}.",
            path=f"{layer.name}.save_weights",
            expected="a path that ends in '.weights.json'",
            received=repr(path),
            write=f"{layer.name}.save_weights('a.weights.json', variables, max_shard_size=2)",
        )
    if path.endswith(".weights.h5"):
        write_leaves(path, leaves_of(layer, variables))
    elif path.endswith(".weights.json"):
        size = SHARD_SIZE if max_shard_size is None else max_shard_size
        write_shards(path, leaves_of(layer, variables), size)
    elif path.endswith(".npz"):
        write_npz(path, _by_path(layer, variables))
    else:
        write_safetensors(path, _dotted(_by_path(layer, variables), path))


def _by_path(layer: Layer, variables: tuple[Any, Any]) -> dict[str, np.ndarray]:
    structure = layer.structure()
    values = bind(structure, *variables, layer.name).values
    return {structure.declarations[variable].path: np.asarray(value) for variable, value in values.items()}


def _dotted(arrays: dict[str, np.ndarray], path: str) -> dict[str, np.ndarray]:
    """The arrays by their paths with dots, which must stay distinct where names of layers have dots."""
    dotted: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if dotted.setdefault(name.replace("/", "."), array) is array:
            continue
        raise ArgumentError(
            f"the paths of the weights must stay distinct with dots in place of slashes, got {name!r} twice.",
            path=path,
            expected="names of layers without dots",
            received=repr(name),
            write="save_weights('a.npz', variables)   # keeps slashes",
        )
    return dotted


def load_weights(
    layer: Layer,
    path: str | os.PathLike[str],
    variables: tuple[Any, Any],
    *,
    skip_mismatch: bool = False,
    by_name: bool = False,
) -> Variables:
    """The trees with the weights of a file that `save_weights` wrote, here or in Keras.

    Values get the dtypes of the layer. What the file does not have stays as it is: states of random generators in a
    file of Keras's, and a pair of LoRA, whose product must be 0 then, as it is after `init`.

    Args:
        layer: a built layer or model.
        path: of the file: `.weights.h5`, `.weights.json`, `.safetensors`, `.safetensors.index.json`, `.npz`; or `.h5`
            and `.hdf5`, Keras's older form. Weights of other names and shapes: `jkeras.saving.assign`.
        variables: the two trees.
        skip_mismatch: whether layers whose weights are missing, or others, keep theirs, with a warning.
        by_name: of the older form: whether layers are found by their names in place of their order. Layers that the
            file does not have keep their weights.

    Raises:
        ArgumentError: the path ends otherwise.
        LeafError: weights are missing or have other shapes; names every such layer. Or the trees do not fit the layer.
        DamagedFileError: the file is truncated, or its contents are not those that were written.
        UnsafeFileError: the file holds what does not belong into a file of weights.
        FileNotFoundError: there is no file.

    >>> import jax, tempfile
    >>> from jkeras import layers
    >>> layer, other = layers.Dense(2), layers.Dense(3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(layer, f"{folder}/a.weights.h5", layer.init(jax.random.key(0), (1, 3)))
    ...     load_weights(other, f"{folder}/a.weights.h5", other.init(jax.random.key(1), (1, 3)))
    Traceback (most recent call last):
    jkeras.errors.LeafError: ...a.weights.h5: the file does not have the weights of the layer:
        'vars/0' has shape (3, 2), expected (3, 3)
    ...
    """
    path = os.fspath(path)
    _check_suffix(path, READ, f"{layer.name}.load_weights")
    is_older = path.endswith(OLDER) and not path.endswith(".weights.h5")
    if by_name and not is_older:
        raise ArgumentError(
            f"`by_name` must be False, but for files that end in '.h5' or '.hdf5', got {path!r}.",
            path=f"{layer.name}.load_weights",
            expected="by_name=False",
            received="by_name=True",
            write="jkeras.saving.assign(model, variables, jkeras.saving.open_weights(path), skip_mismatch=True)",
        )
    if path.endswith(NAMED):
        with open_weights(path) as weights:
            return assign(layer, variables, weights, skip_mismatch=skip_mismatch)
    values = dict(bind(layer.structure(), *variables, layer.name).values)
    strict = not skip_mismatch
    with Source(path) as source, reading(path):
        if path.endswith(".weights.h5"):
            problems = fill(values, layer, hdf5(path, source)[1], path, strict=strict)
        elif is_older:
            file, found = hdf5(path, source)
            layers = layers_of(file, found, path)
            if layers is None:
                raise misfits(layer, path, [f"'{path}' does not name its layers, so it is not of Keras's older form"])
            problems = fill_legacy(values, layer, layers, found, path, by_name=by_name, strict=strict)
        else:
            problems = fill(values, layer, open_shards(path, source), path, strict=strict)
    if problems:
        warnings.warn(f"{path}: these layers keep their weights: {'; '.join(problems)}.", stacklevel=3)
    return as_trees(layer, values)


def _check_suffix(path: str, suffixes: tuple[str, ...], owner: str) -> None:
    if not path.endswith(suffixes):
        raise ArgumentError(
            f"`path` must end in {', '.join(map(repr, suffixes[:-1]))} or {suffixes[-1]!r}, got {path!r}.",
            path=owner,
            expected="a path whose end says the form of the file",
            received=repr(path),
            write=f"{owner}('a.weights.h5', variables)",
        )
