"""Files of weights in Keras's form: `model.weights.h5`, by the order and the names of `walk`.

What Keras does not keep is in a group beside, which it passes over: states of random generators, and of an adapted
weight (LoRA) the weight itself and the pair, for Keras's file has the sum. So a file of ours comes back to the bit, and
every array in it has a digest.
"""

import collections
import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import IO, Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import tree
from jkeras.core import Layer, Variable, Variables
from jkeras.core.stateless import bind
from jkeras.errors import DamagedFileError, JKerasError, LeafError, ShapeError
from jkeras.representations import LowRank
from jkeras.saving.files import DIGEST, SHOWN, Encoded, ahead, digest_of
from jkeras.saving.hdf5 import Stored, datasets, read
from jkeras.saving.hooks import loaded, overrides, own_arrays
from jkeras.saving.state import encoded
from jkeras.saving.walk import groups
from jkeras.typing import Array

BESIDE = "jkeras"  # the group of what Keras does not keep


def leaves_of(layer: Layer, variables: tuple[Any, Any]) -> dict[str, Encoded]:
    """What a file of weights holds, by name."""
    structure = layer.structure()
    values = bind(structure, *variables, layer.name).values
    declared = {variable.origin: variable for variable in values}
    leaves: dict[str, Encoded] = {}
    kept: set[Variable] = set()
    for group in groups(layer):
        if overrides(group.layer, "save_own_variables"):
            kept.update(declared[variable] for variable in group.variables)
            arrays = own_arrays(group.layer, values, structure.paths)
            leaves |= {f"{group.path}/{name}": opaque(array) for name, array in arrays.items()}
            continue
        for index, variable in enumerate(group.variables):
            value, form = values[declared[variable]], variable.representation
            if isinstance(form, LowRank):
                value = form.merged(value, values[declared[form.a]], values[declared[form.b]])
            else:
                kept.add(declared[variable])
            leaves[f"{group.path}/{index}"] = opaque(value)
    for variable, value in values.items():
        if variable not in kept:
            leaves[f"{BESIDE}/{structure.declarations[variable].path}"] = encoded(value)
    return leaves


def opaque(value: Array | np.ndarray) -> Encoded:
    """An array as Keras keeps it: bfloat16 as two bytes without meaning, and an attribute that gives it."""
    array = np.asarray(value)
    return (array.view("V2"), {"dtype": "bfloat16"}) if array.dtype == jnp.bfloat16 else (array, {})


def as_trees(layer: Layer, values: Mapping[Variable, Array]) -> Variables:
    """The two trees of a layer from the values of its variables."""
    sides = layer.structure().split()
    return Variables(*(tree.unflatten({d.path: values[d.variable] for d in side}) for side in sides))


@contextlib.contextmanager
def arrays_of(source: str | IO[bytes], path: str) -> Iterator[dict[str, Stored]]:
    """The arrays of a file of weights by name, which are not read yet; the file is open in the block.

    Args:
        source: the path of the file, or an open binary file.
        path: what errors name.

    Raises:
        UnsafeFileError: the file holds what does not belong into a file of weights.
        DamagedFileError: it is not whole.
    """
    import h5py

    with reading(path), h5py.File(source, "r") as file:
        yield datasets(file, path)


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
        if isinstance(error, JKerasError | FileNotFoundError):
            raise
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def fill(
    values: dict[Variable, Any], layer: Layer, found: Mapping[str, Stored], path: str, *, strict: bool
) -> list[str]:
    """Puts the weights of a file into the values of a layer's variables.

    Args:
        values: by variable; those that the file does not have stay.
        layer: the layer.
        found: the arrays of the file.
        path: what errors name.
        strict: whether it is an error that a layer's weights are missing, or others.

    Returns:
        What is wrong with the layers that keep their weights.
    """
    fitting, problems = _paired(layer, found)
    if problems and strict:
        raise misfits(layer, path, problems)
    take(values, fitting, found, path)
    problems += _load_own(values, layer, found, path, strict)
    for variable, place in layer.structure().paths.items():
        name = f"{BESIDE}/{place}"
        if variable in values and name in found and found[name].shape == tuple(variable.shape):
            values[variable] = _placed(read_array(found[name], name, path), variable, values[variable])
    return problems


def _load_own(
    values: dict[Variable, Any], layer: Layer, found: Mapping[str, Stored], path: str, strict: bool
) -> list[str]:
    """Runs the hooks of layers that read their own arrays; what is wrong with those that keep their weights."""
    problems = []
    for group in groups(layer):
        if not overrides(group.layer, "load_own_variables"):
            continue
        prefix = f"{group.path}/"
        arrays = {
            name.removeprefix(prefix): read_array(stored, name, path)
            for name, stored in found.items()
            if name.startswith(prefix)
        }
        try:
            values |= loaded(group.layer, arrays, values, layer.structure().paths)
        except (KeyError, ShapeError) as error:
            problems.append(f"'{group.path}' has {sorted(arrays)}, and `load_own_variables` raises: {error!r}"[:200])
    if problems and strict:
        raise misfits(layer, path, problems)
    return problems


def take(
    values: dict[Variable, Any], pairs: list[tuple[Variable, str]], found: Mapping[str, Stored], path: str
) -> None:
    """Puts arrays of a file into the values of variables, given the name of each variable's array."""
    declared = {variable.origin: variable for variable in values}
    arrays = ahead(lambda pair: read(found[pair[1]]), pairs)  # one is read while another is checked
    odd = []
    for (variable, name), array in zip(pairs, arrays, strict=True):
        target = declared[variable.origin]
        array = checked(array, found[name], name, path)
        if jnp.issubdtype(array.dtype, jnp.floating) and not is_finite(array):
            odd.append(variable.path or name)
        values[target] = _placed(array, variable, values[target])
        if isinstance(variable.representation, LowRank):  # the sum is the weight, until the pair comes
            b = declared[variable.representation.b]
            values[b] = jnp.zeros(b.shape, b.declared_dtype)
    if odd:
        more = f" and {len(odd) - SHOWN} more" if len(odd) > SHOWN else ""
        warnings.warn(f"{path}: these weights have NaN or infinity: {', '.join(odd[:SHOWN])}{more}.", stacklevel=4)


def is_finite(array: np.ndarray) -> bool:
    """Whether no entry of an array of floats is NaN or infinite.

    >>> is_finite(np.array([1.0, np.nan])), is_finite(np.array([1e308, 1e308]))
    (False, True)
    """
    with np.errstate(all="ignore"):
        if np.isfinite(array.sum(dtype="float32" if array.dtype.itemsize < 8 else None)):  # one pass, without a copy
            return True
        return bool(np.isfinite(array).all())


def _paired(layer: Layer, found: Mapping[str, Stored]) -> tuple[list[tuple[Variable, str]], list[str]]:
    """The variables and the names of their arrays; and what is wrong with the groups of all others."""
    declared = {variable.origin: variable for variable in layer.structure().declarations}
    sizes = collections.Counter(name.rpartition("/")[0] for name in found)
    problems: list[str] = []
    fitting: list[tuple[Variable, str]] = []
    for group in groups(layer):
        if overrides(group.layer, "load_own_variables"):
            continue
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


def _placed(array: np.ndarray, target: Variable, leaf: object) -> Array:
    """An array in the dtype of its variable, and in the place of a leaf that has one."""
    value = jnp.asarray(array, target.declared_dtype)
    return jax.device_put(value, leaf.sharding) if isinstance(leaf, jax.Array) and leaf.committed else value


def read_array(stored: Stored, name: str, path: str) -> np.ndarray:
    """An array of a file, in its own dtype. Its digest is compared, where it has one."""
    return checked(read(stored), stored, name, path)


def checked(values: np.ndarray, stored: Stored, name: str, path: str) -> np.ndarray:
    """What was read of an array, in its own dtype, if its digest is that of the values."""
    attributes = {key: value for key, value in stored.dataset.attrs.items() if key != DIGEST}
    digest = stored.dataset.attrs.get(DIGEST)
    if digest is not None and np.asarray(digest).tobytes() != digest_of(name, values, attributes):
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
