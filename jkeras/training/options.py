"""The arguments of trainers and loops, checked before any work is done."""

import dataclasses
import functools
import inspect
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import jax
import numpy as np

from jkeras import arguments
from jkeras.callbacks import Callback
from jkeras.core import Layer
from jkeras.errors import ArgumentError, PlacementError, UnknownNameError, did_you_mean
from jkeras.placement import Placement
from jkeras.typing import ArrayTree, PyTree

F = TypeVar("F", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True)
class FitOptions:
    """How `fit` goes over its data: the keyword arguments of `Trainer.fit`, which describes them.

    Raises:
        ArgumentError: an option is out of range.

    >>> FitOptions(validation_freq=2).validates(0), FitOptions(validation_freq=[1]).validates(0)
    (False, True)
    """

    batch_size: int | None = None
    epochs: int = 1
    verbose: int | str = "auto"
    callbacks: Callback | Sequence[Callback] | None = None
    validation_split: float = 0.0
    validation_data: Any = None
    shuffle: bool = True
    class_weight: Mapping[int, float] | None = None
    sample_weight: PyTree = None
    initial_epoch: int = 0
    steps_per_epoch: int | None = None
    validation_steps: int | None = None
    validation_batch_size: int | None = None
    validation_freq: int | Sequence[int] = 1
    seed: int = 0
    rare_gc: bool = True
    data: str = "whole"

    def __post_init__(self) -> None:
        check_data_kind(self.data, "fit")
        for name in ("batch_size", "steps_per_epoch", "validation_steps", "validation_batch_size"):
            _put(self, name, check_count(name, getattr(self, name), "fit", least=1, optional=True))
        for name in ("epochs", "initial_epoch"):
            _put(self, name, check_count(name, getattr(self, name), "fit", least=0))
        _put(self, "seed", check_count("seed", self.seed, "fit", least=None))
        check_verbose(self.verbose, "fit")
        split = self.validation_split
        if isinstance(split, bool) or not isinstance(split, int | float) or not 0 <= split < 1:
            raise ArgumentError(
                "`validation_split` must be a fraction of the examples.",
                path="Trainer.fit(validation_split=)",
                expected="a float in [0, 1)",
                received=repr(split),
                write="trainer.fit(state, x, y, validation_split=0.2)",
            )
        if isinstance(self.validation_freq, numbers.Integral):
            _put(self, "validation_freq", check_count("validation_freq", self.validation_freq, "fit", least=1))
        elif not isinstance(self.validation_freq, Sequence) or isinstance(self.validation_freq, str):
            raise ArgumentError(
                "`validation_freq` must be a positive integer or a list of epoch numbers.",
                path="Trainer.fit(validation_freq=)",
                expected="an int, or a list of epoch numbers",
                received=repr(self.validation_freq),
            )
        check_weights(self.sample_weight, self.class_weight, "Trainer.fit")

    def validates(self, epoch: int) -> bool:
        """Whether validation follows an epoch of this index."""
        if isinstance(self.validation_freq, int):
            return (epoch + 1) % self.validation_freq == 0
        return epoch + 1 in self.validation_freq


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """How `evaluate` and `predict` go over their data."""

    batch_size: int | None = None
    sample_weight: PyTree = None
    steps: int | None = None
    verbose: int | str = "auto"
    callbacks: Callback | Sequence[Callback] | None = None
    data: str = "whole"

    def __post_init__(self) -> None:
        check_data_kind(self.data, "evaluate")
        for name in ("batch_size", "steps"):
            _put(self, name, check_count(name, getattr(self, name), "evaluate", least=1, optional=True))
        check_verbose(self.verbose, "evaluate")


def _put(options: object, name: str, value: object) -> None:
    object.__setattr__(options, name, value)  # the dataclasses are frozen; their constructors may normalise


def known_keywords(method: F) -> F:
    """A method of `Trainer` that raises `UnknownNameError`, with the nearest name, for a keyword that it does not have.

    >>> @known_keywords
    ... def fit(self, *, epochs=1):
    ...     return epochs
    >>> fit(None, epoch=3)
    Traceback (most recent call last):
    ...
    jkeras.errors.UnknownNameError: Trainer.fit: `fit` has no argument 'epoch'.
      expected:  'epochs' (did you mean it?)
    """
    known = list(inspect.signature(method).parameters)[1:]

    @functools.wraps(method)
    def checked(*args: Any, **keywords: Any) -> Any:
        for name in keywords:
            if name not in known:
                raise UnknownNameError(
                    f"`{method.__name__}` has no argument {name!r}.",
                    path=f"Trainer.{method.__name__}",
                    expected=did_you_mean(name, known),
                )
        return method(*args, **keywords)

    return cast(F, checked)


def check_count(name: str, value: Any, method: str, *, least: int | None, optional: bool = False) -> int | None:
    """The value as an int, `None` where that is allowed; integers of NumPy are integers.

    Raises `ArgumentError` for anything else, and below `least`.

    >>> import numpy as np
    >>> check_count("batch_size", np.int64(8), "fit", least=1)
    8
    """
    if value is None and optional:
        return None
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_integer or (least is not None and value < least):
        raise ArgumentError(
            f"`{name}` must be an integer{'' if least is None else f' of at least {least}'}, got {value!r}.",
            path=f"Trainer({name}=)" if method == "__init__" else f"Trainer.{method}({name}=)",
            expected="an int" + ("" if least is None else f" >= {least}") + (" or None" if optional else ""),
            received=repr(value),
            write=f"Trainer(model, ..., {name}=2)"
            if method == "__init__"
            else f"trainer.{method}(state, x, y, {name}={max(least or 0, 32 if 'batch' in name else 1)})",
        )
    return int(value)


def check_return_dict(value: object, method: str) -> None:
    """Raises `ArgumentError` unless a dict is asked for, which is what is always returned."""
    if value is not True:
        raise ArgumentError(
            "`return_dict` must be True: the results always come as a dict, by name.",
            path=f"Trainer.{method}(return_dict=)",
            expected="True",
            received=repr(value),
            write=f"list(trainer.{method}(state, x, y).values())   # for a list",
        )


def check_weights(sample_weight: ArrayTree | None, class_weight: Mapping[int, float] | None, path: str) -> None:
    """Raises `ArgumentError` where both kinds of weights are given, or class weights are not `{class: weight}`."""
    if sample_weight is not None and class_weight is not None:
        raise ArgumentError(
            "`class_weight` and `sample_weight` exclude each other.",
            path=path,
            expected="one of them",
            received="both",
            write="sample_weight=sample_weight * np.array([class_weight[label] for label in y])",
        )
    if class_weight is None:
        return
    is_dict = isinstance(class_weight, Mapping)
    pairs = class_weight.items() if is_dict else ()
    wrong = [(key, value) for key, value in pairs if not (_is_class(key) and _is_weight(value))]
    if not is_dict or wrong:
        raise ArgumentError(
            "`class_weight` must be a dict from class indices to finite weights of at least 0.",
            path=f"{path}(class_weight=)",
            expected="{class: weight}",
            received=f"{wrong[0][0]!r}: {wrong[0][1]!r}" if is_dict else f"a {type(class_weight).__name__}",
            write="class_weight={0: 1.0, 1: 5.0}" if is_dict else "class_weight=dict(enumerate(weights))",
        )


def _is_class(key: object) -> bool:
    return isinstance(key, numbers.Integral) or (isinstance(key, float) and key.is_integer())


def _is_weight(value: object) -> bool:
    return isinstance(value, numbers.Real) and 0 <= float(value) < math.inf


def check_data_kind(value: object, method: str) -> None:
    """Raises `ArgumentError` unless a value says what arrays are to a process."""
    if value not in ("whole", "local"):
        raise ArgumentError(
            f'`data` must be "whole" or "local", got {value!r}.',
            path=f"Trainer.{method}(data=)",
            expected="'whole', or 'local' where each process has a part of the examples",
            received=repr(value),
        )


def check_verbose(value: object, method: str) -> None:
    """Raises `ArgumentError` unless a value is a verbosity."""
    if isinstance(value, bool) or value not in ("auto", 0, 1, 2):
        raise ArgumentError(
            f'`verbose` must be 0, 1, 2 or "auto", got {value!r}.',
            path=f"Trainer.{method}(verbose=)",
            expected="'auto', 0, 1 or 2",
            received=repr(value),
        )


def check_trainer(
    model: object,
    steps_per_execution: Any,
    run_eagerly: bool,
    jit_compile: object,
    accumulation_steps: Any,
    ema: Any,
) -> tuple[int | str, int]:
    """`steps_per_execution` and `gradient_accumulation_steps` as ints.

    Raises `ArgumentError` unless these are arguments that a trainer can have.
    """
    if not isinstance(model, Layer):
        raise ArgumentError(
            "`model` must be a Layer or Model.",
            path="Trainer",
            expected="a Layer or Model",
            received=type(model).__name__,
            write="Trainer(jkeras.Sequential([...]), 'adam', 'mse')",
        )
    if not isinstance(steps_per_execution, str) or steps_per_execution != "auto":
        steps_per_execution = check_count("steps_per_execution", steps_per_execution, "__init__", least=1)
    if run_eagerly and jit_compile is True:
        raise ArgumentError("`run_eagerly` and `jit_compile` exclude each other.", path="Trainer", expected="one")
    if ema is not None:
        arguments.number(ema, "ema", "Trainer", "Trainer(model, ..., ema=0.999)", interval="[0, 1)")
    return steps_per_execution, check_count("gradient_accumulation_steps", accumulation_steps, "__init__", least=1) or 1


def check_placement(placement: object, replicas: int | None) -> Placement | None:
    """The placement, `None` where it says nothing that JAX does not do by itself.

    Raises:
        ArgumentError: it is no placement.
        PlacementError: its axis for replicas does not fit them, or random numbers would depend on the devices.

    >>> check_placement(None, 2) is None
    True
    """
    if placement is None:
        return None
    if not isinstance(placement, Placement):
        raise ArgumentError(
            "`placement` must be a Placement.",
            path="Trainer(placement=)",
            expected="a Placement",
            received=type(placement).__name__,
            write="Trainer(..., placement=jkeras.distribution.Placement(mesh, batch='data'))",
        )
    parts = 1 if placement.replicas is None else placement.mesh.shape[placement.replicas]
    if placement.replicas is not None and (replicas is None or replicas % parts):
        raise PlacementError.must(
            f"the number of replicas must be divisible by the {parts} devices of the axis {placement.replicas!r}",
            f"replicas={replicas}",
            path="Trainer(placement=, replicas=)",
            write=f"Trainer(..., replicas={parts}, placement=placement)",
        )
    if not jax.config.jax_threefry_partitionable:  # type: ignore[attr-defined]
        raise PlacementError(
            "random numbers must not depend on the number of devices, and do with this setting of JAX's.",
            path="Trainer(placement=)",
            expected="jax_threefry_partitionable=True, which is JAX's default",
            received="False",
            write="jax.config.update('jax_threefry_partitionable', True)",
        )
    return None if placement.is_plain else placement


Hyperparameters = dict[str, tuple[float, ...]]


def check_replicas(replicas: object, hyperparameters: Mapping[str, Any] | None) -> tuple[int | None, Hyperparameters]:
    """The number of replicas and a tuple of values for each hyper-parameter, one a replica.

    Raises `ArgumentError` where they do not fit each other.

    >>> check_replicas(2, {"learning_rate": np.array([0.5, 0.25])})
    (2, {'learning_rate': (0.5, 0.25)})
    """
    if replicas is None:
        if hyperparameters:
            raise ArgumentError(
                "`replicas` must be given with `hyperparameters`.",
                path="Trainer(hyperparameters=)",
                expected="`replicas` too",
                write="Trainer(..., replicas=2, hyperparameters={'learning_rate': [0.1, 0.01]})",
            )
        return None, {}
    replicas = check_count("replicas", replicas, "__init__", least=1)
    found: Hyperparameters = {}
    for name, values in (hyperparameters or {}).items():
        shape = np.shape(values)
        if shape != (replicas,):
            raise ArgumentError(
                f"`{name}` must have one value for each replica.",
                path="Trainer(hyperparameters=)",
                expected=f"shape ({replicas},)",
                received=f"shape {shape}",
            )
        found[name] = tuple(float(value) for value in np.asarray(values))
    return replicas, found
