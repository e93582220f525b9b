"""Errors: one class per mistake, each message a lesson.

A message states the mistake, then, where they are known, the path of the object, what was expected, what was received,
and the line of code to write. It has at most six lines. Every class also derives from the builtin exception that Keras
raises for the same mistake, so `except ValueError` keeps working. Where a rule does not hold, `SomeError.must` makes
the sentence of the rule and of what came; an argument with a wrong value has `jkeras.arguments.refusal`.

    Dense 'encoder/head': the last axis of the input does not fit the kernel.
      expected: shape (..., 16)
      received: shape (32, 8)
      write:    model.init(key, jax.ShapeDtypeStruct((32, 8), "float32"))   # weights for this input
"""

import contextlib
import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self, TypeVar


class JKerasError(Exception):
    """The base of every error that jkeras raises on purpose.

    Args:
        problem: one sentence: what must be, and what was received; or what cannot be done, and why.
        path: address of the layer, variable or argument that it concerns.
        expected, received: a correct value, and the actual one. Anything that prints on one line.
        write: the line of code that corrects it.

    >>> print(JKerasError("`units` must be positive.", path="out", expected="int >= 1", received=0, write="Dense(1)"))
    out: `units` must be positive.
      expected: int >= 1
      received: 0
      write:    Dense(1)
    """

    def __init__(
        self,
        problem: str,
        *,
        path: str | None = None,
        expected: object = None,
        received: object = None,
        write: str | None = None,
    ) -> None:
        self.problem, self.path, self.expected, self.received, self.write = problem, path, expected, received, write
        super().__init__(self._message())

    @classmethod
    def must(
        cls, rule: str, received: object, *, path: str | None = None, expected: object = None, write: str | None = None
    ) -> Self:
        """The error of a rule that does not hold: its sentence is the rule, and what came.

        Args:
            rule: what must be, with the word "must" and without a period.
            received: what came, in words.
            path, write: as above.
            expected: by default, what follows "must be" or "must have" in the rule.

        >>> print(ShapeError.must("`images` must have rank 4", "rank 3", write="sobel_edges(images[None])"))
        `images` must have rank 4, got rank 3.
          expected: rank 4
          received: rank 3
          write:    sobel_edges(images[None])
        """
        wanted = rule.partition(" must ")[2].removeprefix("be ").removeprefix("have ")
        return cls(f"{rule}, got {received}.", path=path, expected=expected or wanted, received=received, write=write)

    def _message(self) -> str:
        lines = [f"{self.path}: {self.problem}" if self.path else self.problem]
        for label, value in (("expected:", self.expected), ("received:", self.received), ("write:", self.write)):
            if value is not None:
                lines.append(f"  {label:<9} {value}")
        return "\n".join(lines)

    def move_into(self, owner: str) -> None:
        """Puts the name of the owner before the path of the error, once.

        >>> error = DataError("the array must not be empty.", path="y")
        >>> error.move_into("validation_data")
        >>> print(error)
        validation_data: y: the array must not be empty.
        """
        if self.path is None or not self.path.startswith(owner):
            self.path = f"{owner}: {self.path}" if self.path else owner
            self.args = (self._message(),)


class ArgumentError(JKerasError, ValueError):
    """An argument has an invalid value."""


class UnknownNameError(ArgumentError):
    """An unknown name; the message proposes the nearest known one."""


class ConfigError(JKerasError, TypeError, ValueError):
    """A config from which no object can be made."""


class SerializationError(JKerasError, NotImplementedError):
    """An object that has no config."""


class MissingCallError(JKerasError, NotImplementedError):
    """A class that lacks the method which describes its computation."""


class NotInitializedError(JKerasError, RuntimeError):
    """A subclass whose `__init__` did not call `super().__init__()`."""


class OutsideScopeError(JKerasError, RuntimeError):
    """A layer was called, or a variable read, where no scope holds values."""


class AssignmentError(JKerasError, RuntimeError):
    """A variable was assigned that may not be assigned."""


class TraceLevelError(AssignmentError):
    """A variable was assigned inside a JAX transform that its scope does not surround."""


class LeafError(JKerasError, ValueError):
    """Leaves of a tree of values are missing, unknown, given twice or mis-shaped."""


class ShapeError(JKerasError, ValueError):
    """An input whose rank, axes or dtype do not fit."""


class BuildError(JKerasError, ValueError):
    """A layer that is not built, cannot be built, or was built for another input."""


class GraphError(JKerasError, ValueError):
    """A graph that is disconnected, cyclic, or called with inputs that do not fit it."""


class DuplicateNameError(GraphError):
    """Two things that share one address."""


class NeverCalledError(JKerasError, AttributeError):
    """A property that exists only after the operation has been called on a symbolic tensor."""


class HoldsNoValuesError(JKerasError, AttributeError):
    """A method that changes values was used on an object that holds none: see `Elsewhere`."""


class FrozenError(JKerasError, AttributeError):
    """An attribute was set on an object that cannot be changed."""


class DataError(JKerasError, ValueError):
    """Data from which no batch can be made: empty, of different lengths, out of range."""


class WorkerError(JKerasError, RuntimeError):
    """A data worker that raised, died or hung.

    Attributes:
        index: which batch it was making; `None` before the first.
        pid: its process.
        exit_code: of the process, negative for a signal; `None` while it lives.
        worker_traceback: the traceback, or the stack, of the worker.
    """

    def __init__(
        self,
        problem: str,
        *,
        index: int | None = None,
        pid: int | None = None,
        exit_code: int | None = None,
        worker_traceback: str = "",
        **lesson: Any,
    ) -> None:
        super().__init__(problem, **lesson)
        self.index, self.pid, self.exit_code, self.worker_traceback = index, pid, exit_code, worker_traceback
        if worker_traceback:
            self.add_note(f"In the worker:\n{worker_traceback.rstrip()}")


class DamagedFileError(JKerasError, OSError):
    """A file that is truncated, or whose contents are not those that were written."""


class FileVersionError(JKerasError, ValueError):
    """A file of a newer version than this one reads."""


class UnsafeFileError(JKerasError, ValueError):
    """A file that is refused before anything is made of it: what it holds does not belong there.

    Attributes:
        code: the kind of the fault, such as `"external-link"`, which stays the same from version to version.
    """

    def __init__(self, problem: str, *, code: str, **lesson: Any) -> None:
        super().__init__(problem, **lesson)
        self.code = code


class FileWriteError(JKerasError, OSError):
    """A file that cannot be written."""


class PlacementError(JKerasError, ValueError):
    """A mesh, a spec or a rule that does not fit the devices, the weights or the batch."""


class ProcessesError(JKerasError, RuntimeError):
    """The processes of one training differ, or one of them has failed."""


class StateError(JKerasError, ValueError, TypeError):
    """A value that is not a trainer's state, or the state of another trainer."""


class ConsumedStateError(JKerasError, RuntimeError):
    """A state whose buffers were donated to an earlier call."""


class NonFiniteError(JKerasError, RuntimeError):
    """A loss that is NaN or infinite."""


class MissingExtraError(JKerasError, ImportError):
    """An optional package that is not installed; the message names the extra that brings it."""

    @classmethod
    def of(cls, what: str, package: str, extra: str, path: str) -> Self:
        """The error of something that needs a package.

        >>> print(MissingExtraError.of("writing `.safetensors`", "safetensors", "safetensors", "save_weights"))
        save_weights: writing `.safetensors` needs the package safetensors, which is not installed.
          expected: the extra `jkeras[safetensors]`
          write:    pip install 'jkeras[safetensors]'
        """
        problem = f"{what} needs the package {package}, which is not installed."
        return cls(problem, path=path, expected=f"the extra `jkeras[{extra}]`", write=f"pip install 'jkeras[{extra}]'")


@contextlib.contextmanager
def within(owner: str) -> Iterator[None]:
    """Errors in the block name their owner: those of jkeras in their path, all others in a note. `""` names nothing.

    >>> with within("validation_data"):
    ...     raise DataError("the array must not be empty.", path="y")
    Traceback (most recent call last):
    jkeras.errors.DataError: validation_data: y: the array must not be empty.
    """
    try:
        yield
    except JKerasError as error:
        if owner:
            error.move_into(owner)
        raise
    except Exception as error:
        if owner and f"in {owner}" not in getattr(error, "__notes__", ()):
            error.add_note(f"in {owner}")
        raise


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The `expected` text for an unknown name: the nearest known one, or a sample of the table.

    >>> did_you_mean("rellu", ["relu", "selu", "tanh"])
    "'relu' (did you mean it?)"
    """
    names = sorted(set(known))
    folded = {candidate.lower(): candidate for candidate in names}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.5)
    if near:
        return f"{folded[near[0]]!r} (did you mean it?)"
    shown = ", ".join(repr(n) for n in names[:12])
    return f"one of {shown}{', ...' if len(names) > 12 else ''}"


class Elsewhere:
    """A method that Keras has on objects that hold values; here they hold none, and another function does the same.

    Asking an instance for it raises `HoldsNoValuesError`, so that `hasattr` is false.

    Args:
        expected: the replacement here.
        write: the lines that use it.

    >>> class Counter:
    ...     increment = Elsewhere("a function of the count", "count = counter.next(count)")
    >>> Counter().increment()
    Traceback (most recent call last):
    jkeras.errors.HoldsNoValuesError: Counter: cannot use `increment`, because Counter objects hold no values.
      expected: a function of the count
      received: Counter.increment
      write:    count = counter.next(count)
    """

    def __init__(self, expected: str, write: str) -> None:
        self.expected, self.write = expected, write

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        holder = type(instance).__name__
        raise HoldsNoValuesError(
            f"cannot use `{self.name}`, because {holder} objects hold no values.",
            path=holder,
            expected=self.expected,
            received=f"{holder}.{self.name}",
            write=self.write,
        )


Class = TypeVar("Class", bound=type)


def elsewhere(*names: str, expected: str, write: str) -> Callable[[Class], Class]:
    """A class decorator that declares methods of Keras as `Elsewhere`.

    Args:
        names: the names of the methods.
        expected: the replacement here.
        write: the lines that use it.

    >>> @elsewhere("save", "load", expected="a file of values", write="write_state(path, values)")
    ... class Holder:
    ...     pass
    >>> hasattr(Holder(), "save"), isinstance(Holder.save, Elsewhere)
    (False, True)
    """

    def declare(cls: Class) -> Class:
        for name in names:
            setattr(cls, name, Elsewhere(expected, write))
            getattr(cls, name).__set_name__(cls, name)
        return cls

    return declare
