"""Exported: a function as a compiled language has it, with the shapes of its arguments, for some platforms.

It needs no class of a model and no layer: it holds StableHLO, and calls it. `save` and `load` keep it in a file.
"""

import os
from collections.abc import Sequence
from typing import Any

import jax
import jax.export

from jkeras import jax_compat
from jkeras.config import lowering_for
from jkeras.core import Variables
from jkeras.errors import ArgumentError, FileVersionError, MissingExtraError, SerializationError, ShapeError
from jkeras.export import files
from jkeras.export.specs import described, is_free
from jkeras.typing import PyTree

SUFFIX = ".jaxexport"
INSIDE, OUTSIDE = "inside", "outside"


class Exported:
    """An exported program: a function of arrays, to call, to differentiate and to keep in a file.

    `jkeras.export.export` and `jkeras.export.load` make it. A call compiles once for each set of sizes. `jax.jit` and
    `jax.grad` apply; `jax.vmap` and forward mode do not, for JAX has no rules for them.

    Attributes:
        program: the `jax.export.Exported`.
        values: `"inside"`, or `"outside"` where the first argument of a call is the variables.
        vjp_order: how often the program in a file can be differentiated.

    Raises:
        ArgumentError: a call has inputs of another structure, or runs on a platform that the program is not for.
        ShapeError: an input has another dtype or shape.

    >>> import jax.numpy as jnp, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> exported = jkeras.export.export(model, model.init(jax.random.key(0)))
    >>> exported
    <Exported sequential(float32(b, 3)) -> float32(b, 2), for 'cpu', values inside>
    >>> exported(jnp.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(self, program: jax.export.Exported, *, values: str = INSIDE, vjp_order: int = 0) -> None:
        self.program, self.values, self.vjp_order = program, values, vjp_order
        self._call = jax.jit(program.call)

    def __call__(self, *args: PyTree) -> PyTree:
        """What the function returns for arguments of the structure of `in_specs`."""
        plain = [tuple(arg) if isinstance(arg, Variables) else arg for arg in args]
        try:
            return self._call(*plain)
        except (TypeError, ValueError) as error:
            self._check(plain, error)
            raise

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.program.fun_name

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms that the program runs on."""
        return self.program.platforms

    @property
    def in_specs(self) -> tuple[PyTree, ...]:
        """The shapes and dtypes of the arguments, with symbols for the sizes that are free."""
        args, _ = jax.tree.unflatten(self.program.in_tree, _specs(self.program.in_avals))
        return tuple(args)

    @property
    def out_specs(self) -> PyTree:
        """The shapes and dtypes of what a call returns."""
        return jax.tree.unflatten(self.program.out_tree, _specs(self.program.out_avals))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the program into a file, which `jkeras.export.load` reads, and `jax.export.deserialize` too.

        The file appears complete or not at all.

        Args:
            path: of the file, which ends in `.jaxexport`; one that exists is replaced.

        Raises:
            ArgumentError: the path ends otherwise.
            SerializationError: the arguments or results have containers that JAX cannot write.
            FileWriteError: the file cannot be written.
            MissingExtraError: the package `flatbuffers` is not installed.
        """
        path = os.fspath(path)
        if not path.endswith(SUFFIX):
            raise ArgumentError(
                f"`path` must end in '{SUFFIX}', got {path!r}.",
                path=f"{self.name}.save",
                expected=f"a path that ends in '{SUFFIX}'",
                received=repr(path),
                write=f"exported.save('{self.name}{SUFFIX}')",
            )
        facts = {"jax": jax.__version__, "values": self.values, "vjp_order": self.vjp_order}
        files.write(path, bytes(self._serialized()), facts)

    def _serialized(self) -> bytearray:
        try:
            with lowering_for(*self.platforms):  # derivatives are traced here
                return self.program.serialize(vjp_order=self.vjp_order)
        except ImportError as error:
            raise _missing() from error
        except ValueError as error:
            if not jax_compat.is_of_other_containers(error):
                raise
            raise SerializationError(
                "the arguments and results must be dicts, lists, tuples and arrays, or containers that JAX can write.",
                path=f"{self.name}.save",
                expected="builtin containers",
                received=str(error).splitlines()[0][:120],
                write="jax.export.register_namedtuple_serialization(Outputs, serialized_name='Outputs')",
            ) from error

    def _check(self, args: Sequence[PyTree], error: Exception) -> None:
        """Raises the error of ours for arguments that do not fit; nothing where they do."""
        expected, received = self.in_specs, tuple(args)
        if not _same_structure(expected, received):
            raise ArgumentError(
                "the arguments must have the structure of `in_specs`.",
                path=self.name,
                expected=_shown(expected),
                received=_shown(received),
                write="exported(*jax.tree.map(jnp.asarray, inputs))   # in the structure that is expected",
            ) from error
        for (path, spec), leaf in zip(
            jax.tree_util.tree_leaves_with_path(expected), jax.tree.leaves(received), strict=True
        ):
            found = jax.typeof(leaf)
            if found.dtype != spec.dtype or not _fits(found.shape, spec.shape):
                raise ShapeError(
                    "the argument must have the dtype and shape of `in_specs`.",
                    path=f"{self.name}: args{jax.tree_util.keystr(path)}",
                    expected=described(spec),
                    received=described(found),
                    write=f'exported(x.astype("{spec.dtype.name}"))' if found.dtype != spec.dtype else None,
                ) from error
        if jax_compat.is_of_other_platform(error):
            here = jax_compat.target_platforms()[0]
            raise ArgumentError(
                f"the program must run on one of the platforms that it is for, got {here!r}.",
                path=self.name,
                expected=", ".join(map(repr, self.platforms)),
                received=repr(here),
                write="jkeras.export.export(model, variables, platforms=('cpu', 'cuda', 'tpu'))",
            ) from error

    def __repr__(self) -> str:
        inputs = self.in_specs if self.values == INSIDE else ("variables", *self.in_specs[1:])
        places = ", ".join(map(repr, self.platforms))
        arguments = ", ".join(map(_shown, inputs))
        return f"<Exported {self.name}({arguments}) -> {_shown(self.out_specs)}, for {places}, values {self.values}>"


def load(path: str | os.PathLike[str]) -> Exported:
    """The program in a file that `Exported.save` wrote. The class of the model need not be there.

    The digest says that the file is whole, not who wrote it: a program computes what its author wanted.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: there is no file.
        DamagedFileError: it is truncated, or not what was written.
        FileVersionError: a newer version of jkeras or JAX wrote it, or one that JAX reads no longer.
        MissingExtraError: the package `flatbuffers` is not installed.

    >>> import tempfile, jax.numpy as jnp, jkeras
    >>> exported = jkeras.export.export(lambda x: {"twice": 2 * x}, None, (None,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     exported.save(f"{folder}/twice.jaxexport")
    ...     load(f"{folder}/twice.jaxexport")(jnp.arange(3.0))
    {'twice': Array([0., 2., 4.], dtype=float32)}
    """
    contents, facts = files.read(path)
    try:
        program = jax.export.deserialize(bytearray(contents))
    except ImportError as error:
        raise _missing() from error
    except Exception as error:  # JAX has no word of its own for a format that it does not know
        raise FileVersionError(
            "the program must be one that this version of JAX reads.",
            path=os.fspath(path),
            expected=f"JAX {facts['jax']}, which wrote it, or one at most six months newer; registered containers",
            received=f"JAX {jax.__version__}: {type(error).__name__}: {str(error)[:80]}",
            write=f"pip install 'jax=={facts['jax']}'",
        ) from error
    return Exported(program, values=facts["values"], vjp_order=facts["vjp_order"])


def _missing() -> MissingExtraError:
    return MissingExtraError.of("a file of an exported program", "flatbuffers", "export", "jkeras.export")


def _specs(avals: Sequence[Any]) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals]


def _same_structure(one: PyTree, other: PyTree) -> bool:
    return bool(jax.tree.structure(one) == jax.tree.structure(other))  # type: ignore[operator]


def _fits(shape: Sequence[Any], expected: Sequence[Any]) -> bool:
    return len(shape) == len(expected) and all(
        is_free(wanted) or size == wanted for size, wanted in zip(shape, expected, strict=True)
    )


def _shown(values: PyTree) -> str:
    """The structure with the dtype and shape of each leaf, on one line."""
    if values == "variables":
        return "variables"
    shown = str(jax.tree.map(lambda leaf: described(jax.typeof(leaf) if not hasattr(leaf, "dtype") else leaf), values))
    return shown.replace("'float", "float").replace(")'", ")").replace("'int", "int")[:200]
