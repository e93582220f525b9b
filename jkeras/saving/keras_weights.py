"""Files of weights in Keras's form: `model.weights.h5`, by the order and the names of `walk`.

What Keras does not keep is in a group beside, which it passes over: states of random generators, and of an adapted
weight (LoRA) the weight itself and the pair, for Keras's file has the sum. So a file of ours comes back to the bit, and
every array in it has a digest.
"""

import collections
import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import tree
from jkeras.core import Layer, Variable, Variables
from jkeras.core.stateless import bind
from jkeras.errors import DamagedFileError, JKerasError, LeafError
from jkeras.representations import LowRank
from jkeras.saving.files import DIGEST, SHOWN, Encoded, check_length, digest_of, write_leaves
from jkeras.saving.hdf5 import Stored, datasets
from jkeras.saving.state import encoded
from jkeras.saving.walk import groups
from jkeras.typing import Array

BESIDE = "jkeras"  # the group of what Keras does not keep


def save_weights(layer: Layer, path: str | os.PathLike[str], variables: tuple[Any, Any]) -> None:
    """Writes the weights of a built layer or model into an HDF5 file that Keras's `load_weights` reads.

    The file appears complete or not at all. Arrays keep their dtypes.

    Args:
        layer: the layer or model.
        path: of the file, such as `"digits.weights.h5"`; one that exists is replaced.
        variables: the two trees.

    Raises:
        LeafError: the trees do not fit the layer.
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
    write_leaves(path, leaves_of(layer, variables))


def leaves_of(layer: Layer, variables: tuple[Any, Any]) -> dict[str, Encoded]:
    """What a file of weights holds, by name."""
    structure = layer.structure()
    values = bind(structure, *variables, layer.name).values
    declared = {variable.origin: variable for variable in values}
    leaves: dict[str, Encoded] = {}
    kept: set[Variable] = set()
    for group in groups(layer):
        for index, variable in enumerate(group.variables):
            value, form = values[declared[variable]], variable.representation
            if isinstance(form, LowRank):
                value = form.merged(value, values[declared[form.a]], values[declared[form.b]])
            else:
                kept.add(declared[variable])
            leaves[f"{group.path}/{index}"] = _opaque(value)
    for variable, value in values.items():
        if variable not in kept:
            leaves[f"{BESIDE}/{structure.declarations[variable].path}"] = encoded(value)
    return leaves


def _opaque(value: Array) -> Encoded:
    """An array as Keras keeps it: bfloat16 as two bytes without meaning, and an attribute that gives it."""
    array = np.asarray(value)
    return (array.view("V2"), {"dtype": "bfloat16"}) if array.dtype == jnp.bfloat16 else (array, {})


def load_weights(
    layer: Layer, path: str | os.PathLike[str], variables: tuple[Any, Any], *, skip_mismatch: bool = False
) -> Variables:
    """The trees with the weights of a file that `save_weights` wrote, here or in Keras.

    Values get the dtypes of the layer. What the file does not have stays as it is: states of random generators in a
    file of Keras's, and a pair of LoRA, whose product must be 0 then, as it is after `init`.

    Args:
        layer: a built layer or model.
        path: of the file.
        variables: the two trees.
        skip_mismatch: whether layers whose weights are missing, or others, keep theirs, with a warning.

    Raises:
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
    values = dict(bind(layer.structure(), *variables, layer.name).values)
    check_length(path)
    problems = fill(values, layer, path, path, strict=not skip_mismatch)
    if problems:
        warnings.warn(f"{path}: these layers keep their weights: {'; '.join(problems)}.", stacklevel=2)
    return as_trees(layer, values)


def as_trees(layer: Layer, values: Mapping[Variable, Array]) -> Variables:
    """The two trees of a layer from the values of its variables."""
    sides = layer.structure().split()
    return Variables(*(tree.unflatten({d.path: values[d.variable] for d in side}) for side in sides))


def fill(values: dict[Variable, Any], layer: Layer, source: Any, path: str, *, strict: bool) -> list[str]:
    """Puts the weights of a file into the values of a layer's variables.

    Args:
        values: by variable; those that the file does not have stay.
        layer: the layer.
        source: the path of the file, or an open binary file.
        path: what errors name.
        strict: whether it is an error that a layer's weights are missing, or others.

    Returns:
        What is wrong with the layers that keep their weights.
    """
    import h5py

    with reading(path), h5py.File(source, "r") as file:
        return fill_from(values, layer, datasets(file, path), path, strict=strict)


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """In the block, what HDF5 and the system say of a broken file is a `DamagedFileError`.

    >>> with reading("a.h5"):
    ...     raise RuntimeError("wrong B-tree signature")
    Traceback (most recent call last):
    jkeras.errors.DamagedFileError: a.h5: the file is damaged.
      ...
    """
    try:
        yield
    except (OSError, RuntimeError, KeyError) as error:  # HDF5 has many words for damage
        if isinstance(error, JKerasError):
            raise
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def fill_from(
    values: dict[Variable, Any], layer: Layer, found: Mapping[str, Stored], path: str, *, strict: bool
) -> list[str]:
    """`fill` from the arrays of one or several open files, by their names."""
    fitting, problems = _paired(layer, found)
    if problems and strict:
        raise misfits(layer, path, problems)
    take(values, fitting, found, path)
    for variable, place in layer.structure().paths.items():
        name = f"{BESIDE}/{place}"
        if variable in values and name in found and found[name].shape == tuple(variable.shape):
            values[variable] = _read(found[name], name, path, variable, values[variable])
    return problems


def take(
    values: dict[Variable, Any], pairs: list[tuple[Variable, str]], found: Mapping[str, Stored], path: str
) -> None:
    """Puts arrays of a file into the values of variables, given the name of each variable's array."""
    declared = {variable.origin: variable for variable in values}
    for variable, name in pairs:
        target = declared[variable.origin]
        values[target] = _read(found[name], name, path, variable, values[target])
        if isinstance(variable.representation, LowRank):  # the sum is the weight, until the pair comes
            b = declared[variable.representation.b]
            values[b] = jnp.zeros(b.shape, b.declared_dtype)


def _paired(layer: Layer, found: Mapping[str, Stored]) -> tuple[list[tuple[Variable, str]], list[str]]:
    """The variables and the names of their arrays; and what is wrong with the groups of all others."""
    declared = {variable.origin: variable for variable in layer.structure().declarations}
    sizes = collections.Counter(name.rpartition("/")[0] for name in found)
    problems: list[str] = []
    fitting: list[tuple[Variable, str]] = []
    for group in groups(layer):
        names = [f"{group.path}/{index}" for index in range(len(group.variables))]
        targets = [declared[variable] for variable in group.variables]
        problem = _misfit(group.path, names, targets, found, sizes[group.path])
        if problem is None:
            fitting += zip(group.variables, names, strict=True)
        else:
            problems.append(problem)
    return fitting, problems


def misfits(layer: Layer, path: str, problems: list[str]) -> LeafError:
    """The error of a file whose weights are others than those of a layer."""
    shown = problems if len(problems) <= SHOWN + 1 else [*problems[:SHOWN], f"and {len(problems) - SHOWN} more"]
    return LeafError(
        "the file does not have the weights of the layer:\n    " + "\n    ".join(shown),
        path=path,
        write=f"variables = {layer.name}.load_weights(path, variables, skip_mismatch=True)",
    )


def _misfit(
    group: str, names: list[str], targets: list[Variable], found: Mapping[str, Stored], size: int
) -> str | None:
    """What is wrong with the arrays of a group, or `None`."""
    if size != len(names) or not all(name in found for name in names):
        return f"'{group}' has {size} arrays, expected {len(names)}: {[v.shape for v in targets]}"
    for name, target in zip(names, targets, strict=True):
        if found[name].shape != tuple(target.shape):
            return f"'{name}' has shape {found[name].shape}, expected {target.shape}"
    return None


def _read(stored: Stored, name: str, path: str, target: Variable, leaf: Any) -> Array:
    """An array in the dtype of its variable, and in the place of a leaf that has one."""
    value = jnp.asarray(read_array(stored, name, path), target.declared_dtype)
    return jax.device_put(value, leaf.sharding) if isinstance(leaf, jax.Array) and leaf.committed else value


def read_array(stored: Stored, name: str, path: str) -> np.ndarray:
    """An array of a file, in its own dtype. Its digest is compared, where it has one."""
    values = np.asarray(stored.dataset[()])
    attributes = {key: value for key, value in stored.dataset.attrs.items() if key != DIGEST}
    digest = stored.dataset.attrs.get(DIGEST)
    if digest is not None and bytes(digest) != digest_of(name, values, attributes):
        raise damaged(path, f"other values in {name!r}")
    if values.dtype.kind == "V" or "dtype" in attributes:
        values = values.view(jnp.bfloat16 if "dtype" not in attributes else np.dtype(attributes["dtype"]))
    return values


def damaged(path: str, received: str) -> DamagedFileError:
    """The error of a file of weights that is not whole."""
    return DamagedFileError(
        "the file is damaged.",
        path=path,
        expected="the contents that were written, by their SHA-256 digests",
        received=received,
        write="model.load_weights(earlier_path, variables)   # another file, from before",
    )
