"""The options of the loops, checked before any work is done."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from jkeras.callbacks import Callback
from jkeras.core import Layer
from jkeras.errors import ArgumentError, UnknownNameError, did_you_mean
from jkeras.typing import PyTree


@dataclasses.dataclass(frozen=True)
class FitOptions:
    """How `fit` goes over its data.

    Attributes:
        batch_size: examples per update; 32 by default. The last batch of an epoch may be smaller.
        epochs: the index after that of the last epoch.
        verbose: 0 for silence, 1 for a live bar, 2 for a line per epoch, `"auto"` for what suits the output.
        callbacks: functions of the state, see `jkeras.callbacks`.
        validation_split: the share of the last examples that is set aside for validation, before shuffling.
        validation_data: `(x, y)` or `(x, y, sample_weight)`, or what yields batches; it replaces
            `validation_split`. It is looked at, and its evaluation is traced, before the first step.
        shuffle: whether each epoch has an order of its own.
        class_weight: `{class: weight}`, for training only.
        sample_weight: a weight per example.
        initial_epoch: the index of the first epoch.
        steps_per_epoch: batches per epoch; all by default.
        validation_steps, validation_batch_size: the same for validation. Each evaluation begins anew, so that all
            see the same batches; a generator, which is read once, goes on where the last evaluation ended.
        validation_freq: validate every so many epochs, or after the epochs whose numbers (from 1) are listed.
        seed: of the orders; the order of an epoch depends on it and the epoch's index alone.

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

    def __post_init__(self) -> None:
        for name in ("batch_size", "steps_per_epoch", "validation_steps", "validation_batch_size"):
            check_count(name, getattr(self, name), "fit", least=1, optional=True)
        check_count("epochs", self.epochs, "fit", least=0)
        check_count("initial_epoch", self.initial_epoch, "fit", least=0)
        check_verbose(self.verbose, "fit")
        split = self.validation_split
        if isinstance(split, bool) or not isinstance(split, int | float) or not 0 <= split < 1:
            raise ArgumentError(
                "`validation_split` is a share of the examples.",
                path="Trainer.fit(validation_split=)",
                expected="a float in [0, 1)",
                received=repr(split),
                write="trainer.fit(state, x, y, validation_split=0.2)",
            )
        if isinstance(self.validation_freq, int):
            check_count("validation_freq", self.validation_freq, "fit", least=1)
        elif not isinstance(self.validation_freq, Sequence) or isinstance(self.validation_freq, str):
            raise ArgumentError(
                "`validation_freq` is no frequency.",
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

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "FitOptions":
        """The options of keyword arguments; an unknown one raises `UnknownNameError`."""
        known = [field.name for field in dataclasses.fields(cls)]
        for name in options:
            if name not in known:
                raise UnknownNameError(
                    f"`fit` has no argument {name!r}.", path="Trainer.fit", expected=did_you_mean(name, known)
                )
        return cls(**options)


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """How `evaluate` and `predict` go over their data."""

    batch_size: int | None = None
    sample_weight: PyTree = None
    steps: int | None = None
    verbose: int | str = "auto"
    callbacks: Callback | Sequence[Callback] | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "steps"):
            check_count(name, getattr(self, name), "evaluate", least=1, optional=True)
        check_verbose(self.verbose, "evaluate")


def check_count(name: str, value: Any, method: str, *, least: int, optional: bool = False) -> None:
    """Raises `ArgumentError` unless a value is an int of at least `least`, or `None` where that is allowed."""
    if value is None and optional:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ArgumentError(
            f"`{name}` is no valid count.",
            path=f"Trainer.{method}({name}=)",
            expected=f"an int >= {least}" + (" or None" if optional else ""),
            received=repr(value),
            write=f"trainer.{method}(state, x, y, {name}={max(least, 32 if 'batch' in name else 1)})",
        )


def check_weights(sample_weight: Any, class_weight: Any, path: str) -> None:
    """Raises `ArgumentError` where both kinds of weights are given."""
    if sample_weight is not None and class_weight is not None:
        raise ArgumentError(
            "`class_weight` and `sample_weight` exclude each other.",
            path=path,
            expected="one of them",
            received="both",
            write="sample_weight=sample_weight * np.array([class_weight[label] for label in y])",
        )


def check_verbose(value: Any, method: str) -> None:
    """Raises `ArgumentError` unless a value is a verbosity."""
    if isinstance(value, bool) or value not in ("auto", 0, 1, 2):
        raise ArgumentError(
            "unknown verbosity.", path=f"Trainer.{method}(verbose=)", expected="'auto', 0, 1 or 2", received=repr(value)
        )


def check_trainer(
    model: Any, steps_per_execution: Any, run_eagerly: bool, jit_compile: Any, accumulation_steps: Any, ema: Any
) -> None:
    """Raises `ArgumentError` unless these are arguments that a trainer can have."""
    if not isinstance(model, Layer):
        raise ArgumentError(
            "there is no model to train.", path="Trainer", expected="a Layer or Model", received=type(model).__name__
        )
    if steps_per_execution != "auto" and (not isinstance(steps_per_execution, int) or steps_per_execution < 1):
        raise ArgumentError(
            "invalid `steps_per_execution`.",
            path="Trainer",
            expected="an int >= 1 or 'auto'",
            received=repr(steps_per_execution),
        )
    if run_eagerly and jit_compile is True:
        raise ArgumentError("`run_eagerly` and `jit_compile` exclude each other.", path="Trainer", expected="one")
    check_count("gradient_accumulation_steps", accumulation_steps, "__init__", least=1)
    if ema is not None and not 0 <= ema < 1:
        raise ArgumentError("`ema` is a momentum.", path="Trainer(ema=)", expected="[0, 1)", received=repr(ema))
