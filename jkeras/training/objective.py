"""What a network is trained towards and measured by: losses and metrics, output by output.

An `Objective` is the configuration. Bound to the outputs of a batch, or to their specs, it is a `BoundObjective`: there
each loss and each metric has been found, with its output, its labels and its key in the logs. Losses, weights, metrics
and labels are brought into dicts by the names of the outputs before that, see `jkeras.training.inputs_outputs`.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import jax
import jax.numpy as jnp

from jkeras import losses as losses_module
from jkeras import metrics as metrics_module
from jkeras.core import get_mask, origin_of
from jkeras.errors import ArgumentError, DataError, ShapeError
from jkeras.losses import LinearLogits, Loss
from jkeras.losses.arrays import divide_no_nan
from jkeras.losses.resolve import kind_of_labels
from jkeras.metrics import Metric, sums
from jkeras.training.inputs_outputs import Outputs, flat_list
from jkeras.typing import Array, ArrayTree, LossLike, Shape, SpecTree

LOSS, REST = "loss", "rest"
OBJECTIVE_ARGUMENTS = ("loss", "loss_weights", "metrics", "weighted_metrics")
BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")  # names whose meaning depends on the labels

T = TypeVar("T")
Terms: TypeAlias = Mapping[str, tuple[Any, Any]]  # the sum and the count of a loss, by its key in the logs


@dataclasses.dataclass(frozen=True)
class Objective:
    """The configured losses and metrics of a trainer; no arrays, no state.

    Attributes:
        loss, loss_weights, metrics, weighted_metrics: as the trainer was given them.
        output_names: the names of the layers that make the model's outputs.
    """

    loss: Any
    loss_weights: Any
    metrics: Any
    weighted_metrics: Any
    output_names: tuple[str, ...] | None
    _found: dict[Any, tuple[Any, Any]] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether there are no losses and no metrics."""
        return not any(flat_list(each) for each in (self.loss, self.metrics, self.weighted_metrics))

    @property
    def asks_for_origins(self) -> bool:
        """Whether a loss takes what an output is computed of, and not the output."""
        named = [each for each in flat_list(self.loss) if not (isinstance(each, str) and each.lower() in BY_SHAPE)]
        return any(isinstance(each, Loss) and each.takes_linear_logits for each in map(losses_module.get, named))

    def check_names(self) -> None:
        """Raises `UnknownNameError` for a name that no table has, `ArgumentError` for a layer as a loss and so on."""
        for family, argument in ((losses_module, self.loss), (metrics_module, (self.metrics, self.weighted_metrics))):
            for thing in flat_list(argument):
                if not (isinstance(thing, str) and thing.lower() in BY_SHAPE):
                    family.get(thing)

    def find(
        self,
        resolve: Callable[..., T],
        place: tuple[Any, ...],
        identifier: Any,
        label_shape: Shape,
        output_shape: Shape,
    ) -> T:
        """The loss or metric that `resolve` finds for an entry of the configuration, and the same one again later.

        Args:
            resolve: that of the losses or of the metrics.
            place: where the entry stands.
            identifier: the entry.
            label_shape, output_shape: of a batch.
        """
        by_shape = isinstance(identifier, str) and identifier.lower() in BY_SHAPE
        place = (*place, kind_of_labels(label_shape, output_shape) if by_shape else None)
        if place not in self._found or self._found[place][0] is not identifier:
            with jax.ensure_compile_time_eval():  # it outlives the trace in which it may be asked for
                self._found[place] = identifier, resolve(identifier, label_shape, output_shape)
        found: T = self._found[place][1]
        return found

    def bind(self, y_pred: ArrayTree | SpecTree) -> "BoundObjective":
        """The losses and metrics for outputs, or specs of them, whose labels are not known.

        What depends on the kind of the labels is of some kind; all kinds have the same state.
        """
        return BoundObjective(self, Outputs(y_pred, self.output_names))

    def bind_batch(self, y_pred: ArrayTree | SpecTree, y: ArrayTree | None) -> "BoundObjective":
        """The losses and metrics for the outputs of a batch and its labels."""
        outputs = Outputs(y_pred, self.output_names)
        return BoundObjective(self, outputs, outputs.labels(y, list(wanted_losses(self.loss, outputs))))


class BoundLoss(NamedTuple):
    """The loss of an output: the output's name, the key in the logs, and the factor in the total."""

    output: str
    key: str
    loss: Loss
    factor: Any


class BoundMetric(NamedTuple):
    """A metric of an output: the output's name, and whether sample weights apply."""

    output: str
    metric: Metric
    weighted: bool


@dataclasses.dataclass(frozen=True, eq=False)
class BoundObjective:
    """The losses and metrics of a batch, or of batches of a form.

    Attributes:
        objective: the configuration.
        outputs: the outputs or their specs, by name.
        labels: the labels by output; `None` where they are not known.
    """

    objective: Objective
    outputs: Outputs
    labels: Mapping[str, Any] | None = None

    def _label_shape(self, name: str) -> tuple[int, ...]:
        """The shape of an output's labels; that of class indices where they are not known."""
        label = None if self.labels is None else self.labels[name]
        return _shape(self.outputs.values[name])[:-1] if label is None else _shape(label)

    # -- losses

    @functools.cached_property
    def losses(self) -> dict[str, BoundLoss]:
        """The losses by their keys in the logs."""
        factors = self.outputs.spread("loss_weights", self.objective.loss_weights)
        found = {}
        for name, identifier in wanted_losses(self.objective.loss, self.outputs).items():
            shapes = self._label_shape(name), _shape(self.outputs.values[name])
            loss = self.objective.find(losses_module.resolve, (LOSS, name), identifier, *shapes)
            key, factor = self.outputs.key(name, LOSS), factors[name]
            found[key] = BoundLoss(name, key, loss, 1.0 if factor is None else factor)
        return found

    @property
    def loss_keys(self) -> list[str]:
        """The keys in the logs of the total loss and, where there are several, of each."""
        return [LOSS, *self.losses] if len(self.losses) > 1 else [LOSS]

    def terms(self, sample_weight: ArrayTree | None) -> Terms:
        """The sum and the count of each output's loss, see `Loss.sum_and_count`. Masks come from the current scope."""
        weights = self.outputs.weights(sample_weight)
        found = {}
        for name, key, loss, _ in self.losses.values():
            output = self.outputs.values[name]
            given: Any = self._linear(name, loss) if loss.takes_linear_logits else output
            found[key] = loss.sum_and_count(self._labels_of(name), given, weights[name], mask=get_mask(output))
        return found

    def _linear(self, name: str, loss: Loss) -> LinearLogits:
        """What a linear layer computed an output of. It comes from the current scope."""
        found = origin_of(self.outputs.values[name])
        if not isinstance(found, LinearLogits):
            raise ArgumentError(
                f"`{type(loss).__name__}` must have an output that a linear layer returns as it is.",
                path=f"Trainer(loss=), output {name!r}" if name else "Trainer(loss=)",
                expected="the output of Dense without an activation, or of ReversibleEmbedding(...)(x, reverse=True)",
                received="an output that something else computed, a cast or `jkeras.remat` included",
                write="loss=jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)   # of any output",
            )
        return found

    def total(self, terms: Terms) -> Array:
        """The weighted sum of the outputs' losses, each its sum divided by its count."""
        reduced = [each.loss.divide(*terms[key]) * each.factor for key, each in self.losses.items()]
        return sum(reduced, jnp.zeros((), "float32"))

    def validate(self) -> None:
        """Looks at all labels on the host, before any work."""
        for name, _, loss, _ in self.losses.values():
            several = self.labels is not None and len(self.labels) > 1
            loss.validate(
                self._labels_of(name), _shape(self.outputs.values[name]), path=f"y[{name!r}]" if several else "y"
            )

    def _labels_of(self, name: str) -> Any:
        label = None if self.labels is None else self.labels[name]
        if label is None:
            raise DataError(
                "an output with a loss must have labels.",
                path=name or "y",
                expected="labels for every output that has a loss",
                received="None",
                write="trainer.fit(state, x, y)",
            )
        return label

    # -- metrics

    @functools.cached_property
    def metrics(self) -> dict[str, BoundMetric]:
        """The metrics by their keys in the logs."""
        found: dict[str, BoundMetric] = {}
        for argument, weighted in (("metrics", False), ("weighted_metrics", True)):
            given_by_output = self.outputs.spread(argument, getattr(self.objective, argument), lists=True)
            for name, given in given_by_output.items():
                shapes = self._label_shape(name), _shape(self.outputs.values[name])
                for index, identifier in enumerate(flat_list(given)):
                    place = argument, name, index
                    metric = self.objective.find(metrics_module.resolve, place, identifier, *shapes)
                    key = self.outputs.key(name, metric.name)
                    if weighted and key in found:
                        key = self.outputs.key(name, f"weighted_{metric.name}")
                    found[_free(key, found)] = BoundMetric(name, metric, weighted)
        return found

    @property
    def keys(self) -> list[str]:
        """The keys of the state."""
        return [*self.loss_keys, *self.metrics]

    def empty(self) -> dict[str, Any]:
        """The state of having seen nothing: every metric's, the loss's, and where several outputs have a loss, that of
        each."""
        rows = len(self._rows)
        state = {key: metric.init_for(self.outputs.values[name]) for key, (name, metric, _) in self.metrics.items()}
        return {**{key: _no_sums(rows if key == LOSS else 1) for key in self.loss_keys}, **state}

    @property
    def _rows(self) -> list[str]:
        """What the rows of the total loss's state are of: each output's loss, and what is minimised beside them."""
        return [*self.losses, REST]

    def directions(self) -> dict[str, str | None]:
        """Whether more or less is better, by key in the logs: `"up"`, `"down"`, `None` where it is not known."""
        measured = {key: metric.direction for key, (_, metric, _) in self.metrics.items()}
        return {**dict.fromkeys(self.loss_keys, "down"), **measured}

    def measure(
        self, sample_weight: ArrayTree | None, terms: Terms, rest: Array | None, size: int, *, counted: bool = True
    ) -> dict[str, Any]:
        """The metrics' states of one batch. Masks come from the current scope.

        Args:
            sample_weight: of the batch.
            terms: the sum and the count of each output's loss.
            rest: what is minimised beside them, such as penalties: a mean over examples, or `None`.
            size: the number of examples, the weight of `rest`.
            counted: whether the terms are what is minimised; otherwise `rest` is all of it.
        """
        weights = self.outputs.weights(sample_weight)
        minimised: dict[str, tuple[Any, Any]] = dict(terms) if counted else {}
        if rest is not None:
            minimised[REST] = rest * size, size
        state: dict[str, Any] = {LOSS: _sums_of([minimised.get(row, (0.0, 0.0)) for row in self._rows])}
        for key in self.loss_keys[1:]:
            state[key] = _sums_of([terms.get(key, (0.0, 0.0))])
        for key, (name, metric, weighted) in self.metrics.items():
            label, output = (self.labels or {}).get(name), self.outputs.values[name]
            if label is None:
                raise DataError("an output with metrics must have labels.", path=key, write="trainer.fit(state, x, y)")
            given = weights[name] if weighted else None
            dtype = "float32" if given is not None else metric.dtype  # a mask is 0 or 1 in any
            weight = losses_module.apply_mask(given, get_mask(output), dtype=dtype)
            empty = sums.nothing(metric.init_for(output))
            state[key] = metric.update(empty, label, output, weight)
            _check_state(key, metric, empty, state[key])
        return state

    def merge(self, a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
        """What both states have seen."""
        return {
            key: self.metrics[key].metric.merge(a[key], b[key]) if key in self.metrics else sums.add(a[key], b[key])
            for key in b
        }

    def results(self, state: Mapping[str, Any]) -> dict[str, Array]:
        """The value of each metric; those of a metric whose result is a dict, under their own names."""
        terms = dict(zip(self._rows, _terms_of(state[LOSS]), strict=True)) if LOSS in state else {}
        found: dict[str, Array] = {}
        for key in state:
            if key in self.metrics:
                value = self.metrics[key].metric.result(state[key])
                found.update(value if isinstance(value, Mapping) else {key: value})
            elif key == LOSS:
                found[key] = self.total(terms) + divide_no_nan(*terms[REST])
            else:
                ((total, count),) = _terms_of(state[key])
                found[key] = self.losses[key].loss.divide(total, count)
        return found


def wanted_losses(loss: LossLike | Sequence[LossLike], outputs: Outputs) -> dict[str, Any]:
    """The losses of the outputs that have one, as they were given."""
    found = {name: flat_list(each) for name, each in outputs.spread("loss", loss).items()}
    for name, each in found.items():
        if len(each) > 1:
            raise ArgumentError(
                "each output must have at most one loss.",
                path="Trainer(loss=)",
                expected=f"one loss for the output {name!r}",
                received=f"a list of {len(each)}",
                write="loss=lambda y_true, y_pred: first(y_true, y_pred) + second(y_true, y_pred)",
            )
    return {name: each[0] for name, each in found.items() if each and each[0] is not None}


def _no_sums(rows: int) -> dict[str, Array]:
    """The state of losses: in a row for each its sum and its count. One array is one leaf, and is added at once."""
    return sums.zeros(("terms",), (rows, 2), "float32")


def _sums_of(rows: Sequence[tuple[Any, Any]]) -> dict[str, Array]:
    return sums.single(
        {"terms": jnp.stack([jnp.asarray(each, "float32") for row in rows for each in row]).reshape(-1, 2)}
    )


def _terms_of(state: Mapping[str, Array]) -> list[tuple[Array, Array]]:
    table = sums.value(state, "terms")
    return [(table[row, 0], table[row, 1]) for row in range(table.shape[0])]


def _check_state(key: str, metric: Metric, before: ArrayTree, after: ArrayTree) -> None:
    """Raises `ShapeError` where `update` returned a state of another form than it was given."""
    structures: list[Any] = [jax.tree.structure(state) for state in (before, after)]
    if structures[0] == structures[1]:
        wrong = [a for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True) if jnp.shape(a) != jnp.shape(b)]
        if not wrong:
            return
    forms = [str(jax.tree.map(jnp.shape, state))[:120] for state in (before, after)]
    raise ShapeError(
        f"`{type(metric).__name__}.update` must return a state of the structure and shapes that `init` returns.",
        path=key,
        expected=forms[0],
        received=forms[1],
        write="return {'total': state['total'] + jnp.sum(values)}   # sums over the batch",
    )


def _free(key: str, taken: Mapping[str, Any]) -> str:
    candidate, count = key, 0
    while candidate in taken:
        count += 1
        candidate = f"{key}_{count}"
    return candidate


def _shape(value: Any) -> tuple[int, ...]:
    if value is None:  # a step of the user's own returns no outputs
        return ()
    return tuple(value.shape) if hasattr(value, "shape") else jnp.shape(value)


__all__ = ["LOSS", "OBJECTIVE_ARGUMENTS", "BoundObjective", "Objective", "Terms"]
