"""Metrics: four pure functions over a state that the caller holds.

    state = metric.init()                                  # nothing seen yet
    state = metric.update(state, y_true, y_pred, weight)   # one batch more
    value = metric.result(state)                           # what has been seen so far, as one number
    state = metric.merge(state, other)                     # what two workers have seen

A state is a flat dict of arrays whose shapes and dtypes never change, so it is a carry of `lax.scan`, it may be
vmapped, sharded, donated and saved like any tree. `init()` is the identity of `merge`. The metric itself holds its
configuration and nothing else.

Some states have an entry per class, and how many classes there are, only predictions say. `init_for(y_pred)` is the
state for predictions of that shape. The `init()` of such a metric has one entry in their place, which the first update
widens; every other metric gives the same for both.

The table of metrics has Keras's names: those of classes, in both spellings, and their short forms.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import jax.numpy as jnp

from jkeras import arguments, config, dtypes, families, registry
from jkeras.configurable import PlainArguments
from jkeras.dtypes import PolicyLike
from jkeras.errors import MissingCallError, elsewhere
from jkeras.typing import Array, Config, Identifier

State: TypeAlias = dict[str, Array]
HELD, UPDATE = "a state that the caller holds", "state = metric.update(state, y_true, y_pred)   # from metric.init() on"


@elsewhere("update_state", "stateless_update_state", expected=HELD, write=UPDATE)
@elsewhere(
    *("reset_state", "stateless_reset_state", "variables", "add_variable", "add_weight"),
    expected=HELD,
    write="state = metric.init()   # a dict of arrays",
)
@elsewhere("stateless_result", expected=HELD, write="value = metric.result(state)")
class Metric(PlainArguments):
    """The base of metrics: override `init`, `update`, `result` and `merge`.

    Args:
        dtype: of the result; by default `floatx`. A policy's compute dtype. States have it too, unless it is half
            precision: see `state_dtype`.
        name: by default the class's name in snake case; the key in a trainer's logs.

    >>> import jax.numpy as jnp
    >>> class Largest(Metric):
    ...     def init(self):
    ...         return {"largest": jnp.array(-jnp.inf, self.dtype)}
    ...     def update(self, state, values, sample_weight=None):
    ...         return self.merge(state, {"largest": jnp.max(values).astype(self.dtype)})
    ...     def result(self, state):
    ...         return state["largest"]
    ...     def merge(self, a, b):
    ...         return {"largest": jnp.maximum(a["largest"], b["largest"])}
    >>> metric = Largest()
    >>> state = metric.update(metric.init(), jnp.array([1.0, 3.0]))
    >>> float(metric.result(metric.update(state, jnp.array([2.0]))))
    3.0
    """

    direction: str | None = None
    """`"up"` where more is better, `"down"` where less is, `None` where it is not known."""

    def __init__(self, dtype: PolicyLike = None, name: str | None = None) -> None:
        owner = type(self).__name__
        if name is not None:
            arguments.string(name, "name", owner, write=f'{owner}(name="my_metric")')
        self.name = name or registry.snake_case(owner)
        self.dtype = dtypes.get(dtype or config.floatx()).compute_dtype

    @property
    def state_dtype(self) -> str:
        """The dtype of sums: `dtype`, float32 for half precision, int32 for integers. bfloat16 has no 257.

        Sums are kept in two words each, see `jkeras.metrics.sums`.

        >>> Metric("bfloat16").state_dtype, Metric("float64").state_dtype, Metric("int32").state_dtype
        ('float32', 'float64', 'int32')
        """
        return jnp.promote_types(self.dtype, "float32").name if dtypes.is_float(self.dtype) else "int32"

    def init(self) -> State:
        """The state of having seen nothing."""
        raise self._missing("init(self)")

    def init_for(self, y_pred: Any) -> State:
        """The state of having seen nothing, for predictions of this shape: an array or its spec.

        By default what `init()` returns.
        """
        return self.init()

    def update(self, state: State, *args: Any, **kwargs: Any) -> State:
        """The state after one batch more."""
        raise self._missing("update(self, state, y_true, y_pred, sample_weight=None)")

    def result(self, state: State) -> Array:
        """The metric's value."""
        raise self._missing("result(self, state)")

    def merge(self, a: State, b: State) -> State:
        """The state of having seen what `a` saw and what `b` saw."""
        raise self._missing("merge(self, a, b)")

    def __call__(self, *args: Any, **kwargs: Any) -> Array:
        """The value of one batch alone: `result(update(init(), ...))`."""
        return self.result(self.update(self.init(), *args, **kwargs))

    def _in_dtype(self, result: Array) -> Array:
        """A result in `dtype`; that of an integer state is a float nevertheless."""
        return result.astype(self.dtype) if dtypes.is_float(self.dtype) else result

    def _missing(self, signature: str) -> MissingCallError:
        name = signature.partition("(")[0]
        return MissingCallError(
            f"a metric must define `{name}`, and this one does not.",
            path=type(self).__name__,
            write=f"def {signature}: ...",
        )

    def get_config(self) -> Config:
        """`name` and `dtype`."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: Config) -> "Metric":
        """The metric of a config."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


FAMILY = families.Family("metric", "keras.metrics", Metric)
FAMILY.register()(Metric)


def get(identifier: Identifier) -> Any:
    """The metric of an identifier, as Keras understands it.

    Args:
        identifier: a class's name in either spelling or a short form of it (gives an instance), a config, a class, an
            instance, a callable; `None` gives `None`.

    Raises:
        UnknownNameError: no metric has the name.

    >>> from jkeras import metrics
    >>> metrics.get("BinaryAccuracy"), metrics.get("mse")
    (<BinaryAccuracy name=binary_accuracy>, <MeanSquaredError name=mean_squared_error>)
    """
    return FAMILY.get(identifier)


def serialize(metric: object) -> Any:
    """The config of a metric or of a function.

    Args:
        metric: a metric, or a function of labels and predictions.

    >>> from jkeras import metrics
    >>> metrics.serialize(metrics.Mean())["config"]
    {'name': 'mean', 'dtype': 'float32'}
    """
    return registry.serialize(metric)


def deserialize(config: str | Mapping[str, Any] | None, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The metric of a config or of a name.

    Args:
        config, custom_objects: as in `saving.deserialize_keras_object`; the config may be a name.

    >>> from jkeras import metrics
    >>> metrics.deserialize({"class_name": "BinaryAccuracy", "config": {"threshold": 0.25}}).arguments
    {'threshold': 0.25}
    """
    return FAMILY.deserialize(config, custom_objects)
