"""Recipe: what a trainer is made of, fixed when it is made.

A recipe has a model, an optimizer, an objective and flags. It holds no array and nothing that changes with time or
data: values are in a `TrainState`, compiled functions in a `Session`. So recipes can be compared, copied, pickled and
sent to other processes, and `replace` makes another. What `__init__` has set stays (`Frozen`), because compiled
functions are made from it.
"""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Self

from jkeras import optimizers, registry
from jkeras.core import Layer
from jkeras.errors import FrozenError, UnknownNameError, did_you_mean
from jkeras.losses import Loss
from jkeras.metrics import Metric
from jkeras.optimizers.lookup import OptimizerLike
from jkeras.placement import Placement
from jkeras.training.objective import OBJECTIVE_ARGUMENTS, Objective
from jkeras.training.options import check_placement, check_replicas, check_trainer
from jkeras.typing import Config, LossLike


class FrozenMeta(abc.ABCMeta):
    """Freezes an object when the `__init__` of its class is over, with whatever subclasses set in theirs.

    A metaclass, because only the call of a class knows when the outermost `__init__` ends.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        vars(made)["_frozen"] = True
        return made


class Frozen(metaclass=FrozenMeta):
    """The base of objects whose attributes cannot be set after `__init__`. `functools.cached_property` works.

    >>> class Recipe(Frozen):
    ...     def __init__(self, rate):
    ...         self.rate = rate
    >>> Recipe(0.1).rate = 0.2
    Traceback (most recent call last):
    ...
    jkeras.errors.FrozenError: Recipe.rate: a Recipe cannot be changed after `__init__`, ...
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if "_frozen" in vars(self):
            self._refuse(name)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if "_frozen" in vars(self):
            self._refuse(name)
        super().__delattr__(name)

    def _refuse(self, name: str) -> NoReturn:
        kind = type(self).__name__
        raise FrozenError(
            f"a {kind} cannot be changed after `__init__`, because its compiled functions were made for it as it was.",
            path=f"{kind}.{name}",
            expected="another object; a state goes with each, and values that change belong into the state",
            write=f"{kind}(..., {name}=...)",
        )


PLAIN = ("steps_per_execution", "run_eagerly", "auto_scale_loss")


class Recipe(Frozen):
    """The arguments of a `Trainer`, which documents them, in the form in which its steps and loops use them."""

    def __init__(
        self,
        model: Layer,
        optimizer: OptimizerLike = "rmsprop",
        loss: LossLike | Sequence[LossLike] = None,
        metrics: Any = None,
        *,
        loss_weights: Sequence[float] | Mapping[str, float] | float | None = None,
        weighted_metrics: Any = None,
        steps_per_execution: int | str = "auto",
        jit_compile: bool | str = "auto",
        run_eagerly: bool = False,
        auto_scale_loss: bool = True,
        gradient_accumulation_steps: int = 1,
        ema: float | None = None,
        skip_nonfinite: bool = False,
        log_norms: bool = False,
        replicas: int | None = None,
        hyperparameters: Mapping[str, Any] | None = None,
        placement: Placement | None = None,
    ) -> None:
        self._given = {
            name: _copied(value) for name, value in locals().items() if name not in ("self", "model", "__class__")
        }
        self.steps_per_execution, self.gradient_accumulation_steps = check_trainer(
            model, steps_per_execution, run_eagerly, jit_compile, gradient_accumulation_steps, ema
        )
        self.model = model
        if isinstance(optimizer, Mapping) and "class_name" not in optimizer:
            self.optimizer: Any = optimizers.by_path(optimizer)
        else:
            self.optimizer = optimizers.get(optimizer)
        names = getattr(model, "output_names", None)
        given = {name: self._given[name] for name in OBJECTIVE_ARGUMENTS}
        self.objective = Objective(**given, output_names=tuple(names) if names else None)
        self.objective.check_names()
        self.jit_compile = jit_compile is not False and not run_eagerly
        self.run_eagerly = run_eagerly
        self.auto_scale_loss = auto_scale_loss
        self.ema = ema
        self.skip_nonfinite = skip_nonfinite
        self.log_norms = log_norms
        self.replicas, self.hyperparameters = check_replicas(replicas, hyperparameters)
        self.placement = check_placement(placement, self.replicas)

    def replace(self, **changes: Any) -> Self:
        """Another trainer, with some arguments of the constructor changed; attributes of a subclass are kept.

        Args:
            changes: arguments of `Trainer` by name.

        Raises:
            UnknownNameError: `Trainer` has no such argument.

        >>> import jkeras
        >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
        >>> trainer = jkeras.Trainer(model, "sgd", "mse")
        >>> trainer.replace(ema=0.99).ema, trainer.ema, trainer.replace(ema=None) == trainer
        (0.99, None, True)
        """
        arguments = {"model": self.model, **self._given}
        for name in changes:
            if name not in arguments:
                raise UnknownNameError(
                    f"`Trainer` has no argument {name!r}.",
                    path=f"{type(self).__name__}.replace",
                    expected=did_you_mean(name, list(arguments)),
                )
        plain = Recipe(**{**arguments, **changes})
        new = object.__new__(type(self))
        vars(new).update({**self.__getstate__(), **vars(plain)})
        return new

    def __getstate__(self) -> dict[str, Any]:
        """What is copied and pickled: all but the session, which a copy makes for itself."""
        return {name: value for name, value in vars(self).items() if name != "session"}

    def __eq__(self, other: object) -> bool:
        """Whether the other trainer has the same class, the same model, and arguments that are alike."""
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = (
            {name: value for name, value in each.__getstate__().items() if name != "_given"} for each in (self, other)
        )
        return mine.keys() == theirs.keys() and all(_alike(mine[name], theirs[name]) for name in mine)

    def __hash__(self) -> int:
        return hash((type(self), self.model))

    def get_compile_config(self) -> Config:
        """The arguments but the model, with Keras's keys; `from_compile_config` reads them.

        Raises `SerializationError` for a bare optax transformation, which has no config.
        """
        config = {name: registry.serialize(getattr(self.objective, name)) for name in OBJECTIVE_ARGUMENTS}
        plain = {name: getattr(self, name) for name in PLAIN}
        return {"optimizer": optimizers.serialize(self.optimizer), **config, **plain, "jit_compile": self.jit_compile}

    @classmethod
    def from_compile_config(cls, model: Layer, config: Config) -> Self:
        """The trainer of a config for a model.

        >>> import jkeras
        >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
        >>> config = jkeras.Trainer(model, "sgd", jkeras.losses.Huber(delta=2.0)).get_compile_config()
        >>> jkeras.Trainer.from_compile_config(model, config).objective.loss
        <Huber name=huber_loss>
        """
        options = dict(config)
        optimizer = optimizers.get(options.pop("optimizer", "rmsprop"))
        found = {name: registry.deserialize(options.pop(name, None)) for name in OBJECTIVE_ARGUMENTS}
        return cls(model, optimizer, **found, **options)


def _copied(value: Any) -> Any:
    """The value in lists and dicts of its own, so that changing the caller's changes nothing here."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return type(value)(map(_copied, value)) if type(value) in (list, tuple) else value


def _alike(a: object, b: object) -> bool:
    """Whether two arguments mean the same: losses and metrics by their attributes, containers thing by thing."""
    if a is b:
        return True
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_alike(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(_alike, a, b))
    if type(a) is type(b) and isinstance(a, Objective):
        names = [field.name for field in dataclasses.fields(a) if field.compare]
        return all(_alike(getattr(a, name), getattr(b, name)) for name in names)
    if type(a) is type(b) and isinstance(a, Loss | Metric):
        return _alike(vars(a), vars(b))
    return type(a) is type(b) and (a == b) is True
