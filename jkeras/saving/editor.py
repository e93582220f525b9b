"""KerasFileEditor: a file of weights looked into, compared with a model, changed, and written again."""

import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from jkeras import arguments
from jkeras.core import Layer
from jkeras.errors import ArgumentError, UnknownNameError, did_you_mean
from jkeras.registry import export
from jkeras.saving.entries import Entry
from jkeras.saving.files import Encoded, write_leaves
from jkeras.saving.keras_weights import opaque
from jkeras.saving.opening import open_weights
from jkeras.saving.tables import show_arrays
from jkeras.saving.walk import groups
from jkeras.typing import ArrayLike

VARS = "vars"
SUFFIX = ".weights.h5"


@export("keras.saving")
class KerasFileEditor:
    """Looks into a file of weights, and writes it again with other contents. The file itself stays as it is.

    An object is what has weights: a layer, by its path such as `"layers/dense"`, or by the last part of it where no
    other object has the same. Its weights are called `"0"`, `"1"`, ...

    Args:
        filepath: of the file: `.weights.h5`, `.weights.json` or `.keras`, of ours or of Keras's.

    Attributes:
        weights: the arrays by their paths, such as `"layers/dense/vars/0"`; those of the file are read when they are
            used.

    Raises:
        FileNotFoundError: there is no file.
        UnsafeFileError: the file holds what does not belong into a file of weights.
        DamagedFileError: it is not whole.
        UnknownNameError: by the methods: the file has no such object, or several.

    >>> import jax, tempfile, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save_weights(f"{folder}/a.weights.h5", model.init(jax.random.key(0)))
    ...     editor = KerasFileEditor(f"{folder}/a.weights.h5")
    ...     editor.rename_object("dense", "projection")
    ...     editor.save(f"{folder}/b.weights.h5")
    ...     sorted(KerasFileEditor(f"{folder}/b.weights.h5").weights)
    ['layers/projection/vars/0', 'layers/projection/vars/1']
    """

    def __init__(self, filepath: str | os.PathLike[str]) -> None:
        self.path = os.fspath(filepath)
        self.weights: dict[str, Entry | np.ndarray] = dict(open_weights(self.path))

    def summary(self) -> None:
        """Prints the arrays: paths, shapes, dtypes and sizes."""
        show_arrays(self.path, self.weights)

    def compare(self, reference_model: Layer) -> dict[str, Any]:
        """Compares the file with what a model would have in it, and prints what differs.

        Args:
            reference_model: a built model.

        Returns:
            `status`, `"success"` or `"error"`; `error_count` and `match_count`, the numbers of arrays that differ and
            that have the place and shape of a weight.
        """
        expected = {
            f"{group.path}/{index}": tuple(variable.shape)
            for group in groups(reference_model)
            for index, variable in enumerate(group.variables)
        }
        found = {name: tuple(array.shape) for name, array in self.weights.items()}
        found = {name: shape for name, shape in found.items() if re.fullmatch(rf"(.*/)?{VARS}/\d+", name)}
        lines = [f"{name}: missing, expected {shape}" for name, shape in expected.items() if name not in found]
        lines += [f"{name}: not in the model, shape {found[name]}" for name in found if name not in expected]
        wrong = [name for name in expected if name in found and expected[name] != found[name]]
        lines += [f"{name}: shape {found[name]}, expected {expected[name]}" for name in wrong]
        for line in lines:
            print(line)
        matches = sum(found.get(name) == shape for name, shape in expected.items())
        return {"status": "error" if lines else "success", "error_count": len(lines), "match_count": matches}

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Gives an object another name, or another path."""
        arguments.string(new_name, "new_name", "KerasFileEditor.rename_object")
        place = self._place(object_name)
        new = new_name if "/" in new_name else "/".join([*place.split("/")[:-1], new_name])
        self._check_free(new)
        self.weights = {
            f"{new}{name.removeprefix(place)}" if _is_below(name, place) else name: array
            for name, array in self.weights.items()
        }

    def delete_object(self, object_name: str) -> None:
        """Removes an object and all objects inside it."""
        place = self._place(object_name)
        self.weights = {name: array for name, array in self.weights.items() if not _is_below(name, place)}

    def add_object(self, object_path: str, weights: Mapping[str, ArrayLike]) -> None:
        """Adds an object with weights, at a path that the file does not have."""
        self._check_free(object_path)
        self._put(object_path, weights)

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Removes one weight of an object."""
        name = f"{self._place(object_name)}/{VARS}/{weight_name}"
        if name not in self.weights:
            raise UnknownNameError(
                f"the object has no weight {weight_name!r}.", path=self.path, expected=did_you_mean(name, self.weights)
            )
        del self.weights[name]

    def add_weights(self, object_name: str, weights: Mapping[str, ArrayLike]) -> None:
        """Adds weights to an object, or replaces those of the same names."""
        self._put(self._place(object_name), weights)

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Writes the arrays into a file, complete or not at all.

        Args:
            filepath: ends in `.weights.h5`.
        """
        path = os.fspath(filepath)
        if not path.endswith(SUFFIX):
            raise ArgumentError(
                f"`filepath` must end in '{SUFFIX}', got {path!r}.",
                path="KerasFileEditor.save",
                expected=f"a path that ends in '{SUFFIX}'",
                received=repr(path),
                write=f"editor.save('edited{SUFFIX}')",
            )
        leaves: dict[str, Encoded] = {name: opaque(_values(array)) for name, array in self.weights.items()}
        write_leaves(path, leaves)

    resave_weights = save

    def _put(self, place: str, weights: Mapping[str, ArrayLike]) -> None:
        self.weights |= {f"{place}/{VARS}/{name}": np.asarray(values) for name, values in weights.items()}

    def _place(self, name: str) -> str:
        """The path of an object by its path or its name."""
        places = {place for weight in self.weights for place in _above(weight)}
        found = [name] if name in places else sorted(place for place in places if place.split("/")[-1] == name)
        if len(found) == 1:
            return found[0]
        problem = f"the file has several objects {name!r}" if found else f"the file has no object {name!r}"
        raise UnknownNameError(
            f"{problem}.", path=self.path, expected=", ".join(found[:4]) or did_you_mean(name, sorted(places))
        )

    def _check_free(self, place: str) -> None:
        if any(_is_below(name, place) for name in self.weights):
            raise ArgumentError(
                f"the path of a new object must be free, and {place!r} is not.",
                path=self.path,
                expected="a path without weights",
                received=repr(place),
                write=f"editor.add_weights({place!r}, weights)   # to an object that is there",
            )


def _above(name: str) -> list[str]:
    """The paths of the objects that a weight is in: all that its name begins with, but for `vars`."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1) if parts[end - 1] != VARS]


def _is_below(name: str, place: str) -> bool:
    return name.startswith(f"{place}/")


def _values(array: Entry | np.ndarray) -> np.ndarray:
    return array.read() if isinstance(array, Entry) else array
