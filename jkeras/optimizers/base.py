"""What an optimizer is: a frozen configuration that builds an optax transformation.

The configuration holds numbers, names and functions, never an array. Everything that changes lives in the state that
`init` returns: moments, counters, and the hyper-parameters themselves as float32 scalars. From the outside in, the
built transformation is

    the average of the parameters       use_ema
    arithmetic and state in float32     parameters of half precision
    accumulation over calls             gradient_accumulation_steps     (optax.MultiSteps)
    hyper-parameters from the state     learning_rate, beta_1, ...      (optax.inject_hyperparams)
    weight decay                        weight_decay
    unscaling and clipping              loss_scale_factor, clipnorm, clipvalue, global_clipnorm
    the method itself                   `transformation`
"""

import abc
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self, TypeAlias

import jax.numpy as jnp
import optax

from jkeras import registry
from jkeras.errors import ArgumentError, Elsewhere, HoldsNoValuesError, elsewhere
from jkeras.optimizers.averaging import track_average
from jkeras.optimizers.checks import check_integer, check_number, check_patterns, optional_fields
from jkeras.optimizers.transformations import clip_by_norm, compute_in_float32, decay_weights
from jkeras.typing import Array, ArrayLike, ArrayTree, Config, PyTree

LearningRate: TypeAlias = float | Callable[[Array], ArrayLike]
HELD = "a state and parameters that the caller holds"
UPDATE = (
    "updates, opt_state = optimizer.update(grads, opt_state, params)\n"
    "            params = optax.apply_updates(params, updates)"
)
CLIPPINGS = ("clipnorm", "clipvalue", "global_clipnorm")


class Rate(float):
    """A learning rate: a number that is not assigned, since its value in training is in the state.

    >>> Rate(0.5) * 2
    1.0
    """

    assign = Elsewhere(
        "a hyper-parameter in the optimizer's state",
        "state = state.replace(opt_state=jkeras.optimizers.set_learning_rate(state.opt_state, 0.1))",
    )


@elsewhere(
    *("apply", "apply_gradients", "stateless_apply", "update_step", "scale_loss"),
    expected=HELD,
    write=UPDATE,
)
@elsewhere(
    *("variables", "iterations", "add_variable", "add_variable_from_reference", "add_optimizer_variables"),
    *("assign", "assign_add", "assign_sub", "set_weights", "finalize_variable_values"),
    *("save_own_variables", "load_own_variables"),
    expected="the optimizer's state, a tree that the caller holds",
    write="opt_state = optimizer.init(params)   # state.opt_state of a TrainState; state.step counts",
)
@dataclasses.dataclass(frozen=True)
class Optimizer(abc.ABC):
    """The base of the optimizers: the arguments that all of them have, and the way from a config to a transformation.

    A subclass is a frozen dataclass that adds its own arguments, names those that live in the state
    (`hyperparameters`), and says what it does to gradients (`transformation`).

    Args:
        learning_rate: a number, a `LearningRateSchedule`, or a function of the step such as an optax schedule. The
            step of a schedule counts calls of `update` from 0, those that only accumulate included.
        weight_decay: before each update, `params -= learning_rate * weight_decay * params`.
        clipnorm: each gradient is scaled down to this L2 norm. At most one of the three clippings may be given.
        clipvalue: each component of a gradient is clipped to `[-clipvalue, clipvalue]`.
        global_clipnorm: all gradients together are scaled down to this L2 norm.
        use_ema: the state follows a moving average of the parameters; read it with `ema_params`.
        ema_momentum: weight of the old average; 0 at the first step.
        ema_overwrite_frequency: every so many steps the parameters become their average.
        loss_scale_factor: the gradients are those of the loss times this factor, and are divided by it. Whoever takes
            the gradient multiplies the loss: a training step does, with `optimizer.loss_scale_factor`.
        gradient_accumulation_steps: the mean gradient of so many calls makes one update; the calls between return
            zeros.
        name: defaults to the class name in snake case.
        weight_decay_exclusions: patterns (`re.search`) of paths that do not decay; see `exclude_from_weight_decay`.

    For variables of half precision the state is float32, and updates are computed in float32 and rounded last. The sum
    of a bfloat16 weight and an update below 1/512 of it may still be that weight: to train with small steps, keep the
    weights in float32, as the policy `"mixed_bfloat16"` does.

    Raises:
        ArgumentError: an argument is out of range, or two clippings are given.

    >>> import dataclasses, jax.numpy as jnp, optax
    >>> @dataclasses.dataclass(frozen=True)
    ... class SignDescent(Optimizer):
    ...     def transformation(self, hyper):
    ...         return optax.chain(optax.scale_by_sign(), optax.scale_by_learning_rate(hyper["learning_rate"]))
    >>> optimizer = SignDescent(0.5, clipvalue=1.0)
    >>> updates, _ = optimizer.update(jnp.array([3.0, -4.0]), optimizer.init(jnp.zeros(2)))
    >>> print(updates)
    [-0.5  0.5]
    """

    learning_rate: LearningRate
    _: dataclasses.KW_ONLY
    weight_decay: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: int | None = None
    loss_scale_factor: float | None = None
    gradient_accumulation_steps: int | None = None
    name: str | None = None
    weight_decay_exclusions: tuple[str, ...] = ()

    intervals: ClassVar[Mapping[str, str]] = {
        "learning_rate": "[0, inf)",
        "weight_decay": "[0, inf)",
        "clipnorm": "(0, inf)",
        "clipvalue": "(0, inf)",
        "global_clipnorm": "(0, inf)",
        "ema_momentum": "[0, 1]",
        "loss_scale_factor": "(0, inf)",
    }
    """Where each real argument lies, in the notation of intervals."""
    minima: ClassVar[Mapping[str, int]] = {"ema_overwrite_frequency": 1, "gradient_accumulation_steps": 2}
    """The least value of each integer argument."""

    def __post_init__(self) -> None:
        self._put("name", self.name or registry.snake_case(type(self).__name__))
        self._put(
            "weight_decay_exclusions",
            check_patterns(self.weight_decay_exclusions, "weight_decay_exclusions", type(self).__name__),
        )
        optional = optional_fields(self)
        for name in (*self.intervals, *self.minima):
            value = getattr(self, name)
            if value is None and name in optional:
                continue
            if name in self.minima:
                self._put(name, check_integer(value, name, type(self).__name__, self.minima[name]))
            elif name == "learning_rate" and callable(value):
                _check_schedule(self._path(name), value)
            else:
                default = getattr(type(self), name, None)  # a dataclass keeps it there
                number = check_number(value, name, type(self).__name__, self.intervals[name], default)
                self._put(name, Rate(number) if name == "learning_rate" else number)
        given = [name for name in CLIPPINGS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ArgumentError(
                f"at most one of {', '.join(f'`{name}`' for name in CLIPPINGS)} can be given.",
                path=type(self).__name__,
                expected="one of them",
                received=", ".join(f"{name}={getattr(self, name)}" for name in given),
                write=f"{type(self).__name__}(..., global_clipnorm=1.0)",
            )

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # the dataclass is frozen; its constructor may normalise

    def _path(self, argument: str) -> str:
        return f"{type(self).__name__}({argument}=)"

    @abc.abstractmethod
    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        """The method itself: from gradients to what is added to the parameters.

        Args:
            hyper: `learning_rate` and the names in `hyperparameters()`, as float32 scalars (`step` as int32). Called
                inside the trace of an update, so they are the values at that step.
        """

    def hyperparameters(self) -> tuple[str, ...]:
        """Which arguments of this class, besides the common ones, live in the state; `"step"` counts updates from 1."""
        return ()

    def decay_name(self, path: str, leaf: Array) -> str:
        """The hyper-parameter with which a leaf decays, empty where it does not."""
        return "" if any(re.search(pattern, path) for pattern in self.weight_decay_exclusions) else "weight_decay"

    def exclude_from_weight_decay(
        self, var_list: Iterable[Any] | None = None, var_names: Iterable[str] | None = None
    ) -> Self:
        """A copy that decays less: `optimizer = optimizer.exclude_from_weight_decay(var_names=["bias", "scale"])`.

        Args:
            var_list: declarations (their `path` counts) or paths, excluded exactly.
            var_names: patterns, searched with `re.search` in the path of each leaf, such as `"encoder/dense/bias"`.
        """
        exact = (f"^{re.escape(getattr(variable, 'path', variable))}$" for variable in var_list or ())
        added = (*exact, *check_patterns(var_names or (), "var_names", "exclude_from_weight_decay"))
        return dataclasses.replace(self, weight_decay_exclusions=(*self.weight_decay_exclusions, *added))

    def build(self, variables: ArrayTree | None = None) -> optax.GradientTransformationExtraArgs:
        """The optax transformation that this config describes.

        Args:
            variables: not given: the state for parameters is `init(params)`.

        Raises:
            HoldsNoValuesError: variables are given, as to an optimizer of Keras.
        """
        if variables is not None:
            raise HoldsNoValuesError(
                "`build` takes no variables, because an optimizer holds no values.",
                path=type(self).__name__,
                expected=HELD,
                received=f"{type(self).__name__}.build(variables)",
                write="opt_state = optimizer.init(params)",
            )
        transformation = self._injected()
        calls = self.gradient_accumulation_steps or 1
        if calls > 1:
            accumulated = optax.MultiSteps(transformation, calls)
            transformation = optax.GradientTransformationExtraArgs(accumulated.init, accumulated.update)
        transformation = compute_in_float32(transformation)  # sums of gradients, too
        if self.use_ema:
            transformation = track_average(transformation, self.ema_momentum, self.ema_overwrite_frequency, calls)
        return transformation

    def init(self, params: ArrayTree) -> PyTree:
        """The state for a tree of parameters."""
        return self.build().init(params)

    def update(
        self, updates: ArrayTree, state: PyTree, params: ArrayTree | None = None, **extra_args: Any
    ) -> tuple[PyTree, PyTree]:
        """From gradients and state to what `optax.apply_updates` adds to the parameters, and the next state."""
        result: tuple[PyTree, PyTree] = self.build().update(updates, state, params, **extra_args)
        return result

    def get_config(self) -> Config:
        """The arguments by name, with Keras's keys."""
        fields = {field.name: registry.serialize(getattr(self, field.name)) for field in dataclasses.fields(self)}
        if not self.weight_decay_exclusions:  # no argument of Keras's, so it appears only where it says something
            del fields["weight_decay_exclusions"]
        return fields

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The optimizer of a config."""
        return cls(**{name: registry.deserialize(value) for name, value in config.items()})

    def _injected(self) -> optax.GradientTransformationExtraArgs:
        """The transformation whose hyper-parameters are arrays in its state."""
        common = ("weight_decay", *CLIPPINGS)
        names = ("learning_rate", *self.hyperparameters(), *(n for n in common if getattr(self, n) is not None))
        values = {name: (lambda count: count + 1) if name == "step" else getattr(self, name) for name in names}
        rate = self.learning_rate
        values["learning_rate"] = (
            self._schedule(rate) if callable(rate) else float(rate)
        )  # JAX knows plain floats alone

        def factory(**hyper: Array) -> optax.GradientTransformation:
            return self._whole(hyper)

        # optax.inject_hyperparams reads the names of the hyper-parameters off the signature.
        keyword = inspect.Parameter.KEYWORD_ONLY
        factory.__signature__ = inspect.Signature([inspect.Parameter(name, keyword) for name in names])  # type: ignore[attr-defined]
        return optax.inject_hyperparams(factory, hyperparam_dtype=jnp.float32)(**values)

    def _schedule(self, schedule: Callable[[Array], ArrayLike]) -> Callable[[Array], Array]:
        """A schedule of calls as a schedule of updates: the nth update happens at the last of its calls."""
        calls = self.gradient_accumulation_steps or 1
        return lambda count: jnp.asarray(schedule(count * calls + (calls - 1) if calls > 1 else count), jnp.float32)

    def _whole(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        steps = [self.transformation(hyper)]
        if self.clipnorm is not None:
            steps.insert(0, clip_by_norm(hyper["clipnorm"]))
        if self.clipvalue is not None:
            steps.insert(0, optax.clip(hyper["clipvalue"]))
        if self.global_clipnorm is not None:
            steps.insert(0, optax.clip_by_global_norm(hyper["global_clipnorm"]))
        if self.loss_scale_factor is not None:
            steps.insert(0, optax.scale(1.0 / self.loss_scale_factor))
        whole = optax.chain(*steps)
        rates = {name: hyper["learning_rate"] * hyper[name] for name in hyper if name.endswith("weight_decay")}
        if rates:
            whole = decay_weights(whole, lambda path, leaf: rates.get(self.decay_name(path, leaf)))
        return whole


def _check_schedule(path: str, function: Callable[..., Any]) -> None:
    """Refuses a function without arguments: a compiled step would keep the value of its first call for ever."""
    try:
        inspect.signature(function).bind(0)
    except TypeError:
        raise ArgumentError(
            "a learning rate schedule must take the step as its only argument.",
            path=path,
            expected="a function of the step",
            received=f"{getattr(function, '__name__', function)}{inspect.signature(function)}",
            write="optimizers.SGD(lambda step: 0.1 / (step + 1))",
        ) from None
    except ValueError:  # a builtin without a signature
        return
