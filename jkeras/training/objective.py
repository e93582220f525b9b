"""What a network is trained towards and measured by: losses and metrics, output by output.

Losses, weights, metrics and labels are brought into dicts by the names of the outputs before anything else, see
`jkeras.training.outputs`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from jkeras import losses as losses_module
from jkeras import metrics as metrics_module
from jkeras.core import get_mask
from jkeras.errors import ArgumentError, DataError, ShapeError
from jkeras.losses import Loss
from jkeras.losses.arrays import divide_no_nan
from jkeras.metrics import Metric, sums
from jkeras.training.outputs import Outputs, flat_list
from jkeras.typing import Array, PyTree

LOSS, REST = "loss", "rest"
OBJECTIVE_ARGUMENTS = ("loss", "loss_weights", "metrics", "weighted_metrics")
BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")  # names whose meaning depends on the labels

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

    def outputs(self, y_pred: PyTree) -> Outputs:
        """The outputs, or their specs, by name."""
        return Outputs(y_pred, self.output_names)

    @property
    def is_empty(self) -> bool:
        """Whether there are no losses and no metrics."""
        return not any(flat_list(each) for each in (self.loss, self.metrics, self.weighted_metrics))

    def check_names(self) -> None:
        """Raises `UnknownNameError` for a name that no table has, `ArgumentError` for a layer as a loss and so on."""
        for family, argument in ((losses_module, self.loss), (metrics_module, (self.metrics, self.weighted_metrics))):
            for thing in flat_list(argument):
                if not (isinstance(thing, str) and thing.lower() in BY_SHAPE):
                    family.get(thing)

    # -- losses

    def terms(self, y: PyTree, y_pred: PyTree, sample_weight: PyTree) -> Terms:
        """The sum and the count of each output's loss, see `Loss.sum_and_count`. Masks come from the current scope."""
        outputs = self.outputs(y_pred)
        labels, weights = self._labels(y, outputs), outputs.weights(sample_weight)
        found = {}
        for name, identifier in self._wanted(outputs).items():
            output = outputs.values[name]
            loss = self._loss(identifier, labels[name], output, name)
            found[outputs.key(name, LOSS)] = loss.sum_and_count(
                labels[name], output, weights[name], mask=get_mask(output)
            )
        return found

    def total(self, terms: Terms, y_pred: PyTree) -> Array:
        """The weighted sum of the outputs' losses, each its sum divided by its count."""
        reduced = self._reduced(terms, self.outputs(y_pred))
        return sum((value * factor for value, factor in reduced.values()), jnp.zeros((), "float32"))

    def has_terms_logged(self, y_pred: PyTree) -> bool:
        """Whether the logs have each output's loss beside the total."""
        return len(self._loss_keys(self.outputs(y_pred))) > 1

    def _reduced(self, terms: Terms, outputs: Outputs) -> dict[str, tuple[Array, Any]]:
        """The loss of each output and its factor. How sums are divided does not depend on the labels."""
        factors = outputs.spread("loss_weights", self.loss_weights)
        found = {}
        for name, identifier in self._wanted(outputs).items():
            shape, key = _shape(outputs.values[name]), outputs.key(name, LOSS)
            loss = losses_module.resolve(identifier, shape[:-1], shape)
            found[key] = loss.divide(*terms[key]), 1.0 if factors[name] is None else factors[name]
        return found

    def validate(self, y: PyTree, y_pred: PyTree) -> None:
        """Looks at all labels on the host, before any work; `y_pred` gives the outputs' shapes."""
        outputs = self.outputs(y_pred)
        labels = self._labels(y, outputs)
        for name, identifier in self._wanted(outputs).items():
            output = outputs.values[name]
            loss = self._loss(identifier, labels[name], output, name)
            loss.validate(labels[name], _shape(output), path=f"y[{name!r}]" if len(labels) > 1 else "y")

    def _loss(self, identifier: Any, label: Any, output: Any, name: str) -> Loss:
        if label is None:
            raise DataError(
                "the output has a loss and no labels.",
                path=name or "y",
                expected="labels for every output that has a loss",
                received="None",
                write="trainer.fit(state, x, y)",
            )
        return losses_module.resolve(identifier, _shape(label), _shape(output))

    def _wanted(self, outputs: Outputs) -> dict[str, Any]:
        """The losses of the outputs that have one."""
        found = {name: flat_list(each) for name, each in outputs.spread("loss", self.loss).items()}
        for name, each in found.items():
            if len(each) > 1:
                raise ArgumentError(
                    "an output can have one loss.",
                    path="Trainer(loss=)",
                    expected=f"one loss for the output {name!r}",
                    received=f"a list of {len(each)}",
                    write="loss=lambda y_true, y_pred: first(y_true, y_pred) + second(y_true, y_pred)",
                )
        return {name: each[0] for name, each in found.items() if each and each[0] is not None}

    def _labels(self, y: PyTree, outputs: Outputs) -> dict[str, Any]:
        return outputs.labels(y, list(self._wanted(outputs)))

    def _loss_keys(self, outputs: Outputs) -> list[str]:
        """The keys in the logs of the total loss and, where there are several, of each."""
        names = list(self._wanted(outputs))
        return [LOSS, *(outputs.key(name, LOSS) for name in names)] if len(names) > 1 else [LOSS]

    # -- metrics

    def entries(self, outputs: Outputs, labels: dict[str, Any] | None = None) -> dict[str, tuple[str, Metric, bool]]:
        """The metrics by their key in the logs: the output, the metric, and whether it is weighted.

        Without labels the metrics whose kind depends on them are of some kind; all kinds have the same state.
        """
        found: dict[str, tuple[str, Metric, bool]] = {}
        for argument, weighted in (("metrics", False), ("weighted_metrics", True)):
            for name, given in outputs.spread(argument, getattr(self, argument), lists=True).items():
                output = outputs.values[name]
                for identifier in flat_list(given):
                    label = labels[name] if labels is not None else None
                    shape = _shape(label) if label is not None else _shape(output)[:-1]
                    metric = metrics_module.resolve(identifier, shape, _shape(output))
                    key = outputs.key(name, metric.name)
                    if weighted and key in found:
                        key = outputs.key(name, f"weighted_{metric.name}")
                    found[_free(key, found)] = (name, metric, weighted)
        return found

    def init(self, y_pred: PyTree) -> dict[str, Any]:
        """The state of having seen nothing, for outputs of these shapes: every metric's, the loss's, and where several
        outputs have a loss, that of each."""
        outputs = self.outputs(y_pred)
        outputs.spread("loss_weights", self.loss_weights)  # whether they fit is known now
        state = {key: metric.init_for(outputs.values[name]) for key, (name, metric, _) in self.entries(outputs).items()}
        return {**self._no_losses(outputs), **state}

    def _no_losses(self, outputs: Outputs) -> dict[str, Any]:
        """The losses' states of nothing: the total's has a row for each output's, and for what is minimised beside."""
        rows = len(self._rows(outputs))
        return {key: _no_sums(rows if key == LOSS else 1) for key in self._loss_keys(outputs)}

    def _rows(self, outputs: Outputs) -> list[str]:
        """What the rows of the total loss's state are of."""
        return [*(outputs.key(name, LOSS) for name in self._wanted(outputs)), REST]

    def directions(self, y_pred: PyTree) -> dict[str, str | None]:
        """Whether more or less is better, by key in the logs: `"up"`, `"down"`, `None` where it is not known."""
        outputs = self.outputs(y_pred)
        measured = {key: metric.direction for key, (_, metric, _) in self.entries(outputs).items()}
        return {**dict.fromkeys(self._loss_keys(outputs), "down"), **measured}

    def measure(
        self,
        y: PyTree,
        y_pred: PyTree,
        sample_weight: PyTree,
        terms: Terms,
        rest: Array | None,
        size: int,
        *,
        counted: bool = True,
    ) -> dict[str, Any]:
        """The metrics' states of one batch.

        Args:
            y, y_pred, sample_weight: the batch and the outputs. Masks come from the current scope.
            terms: the sum and the count of each output's loss.
            rest: what is minimised beside them, such as penalties: a mean over examples, or `None`.
            size: the number of examples, the weight of `rest`.
            counted: whether the terms are what is minimised; otherwise `rest` is all of it.
        """
        outputs = self.outputs(y_pred)
        labels, weights = self._labels(y, outputs), outputs.weights(sample_weight)
        minimised: dict[str, tuple[Any, Any]] = dict(terms) if counted else {}
        if rest is not None:
            minimised[REST] = rest * size, size
        state: dict[str, Any] = {LOSS: _sums_of([minimised.get(row, (0.0, 0.0)) for row in self._rows(outputs)])}
        for key in self._loss_keys(outputs)[1:]:
            state[key] = _sums_of([terms.get(key, (0.0, 0.0))])
        for key, (name, metric, weighted) in self.entries(outputs, labels).items():
            if labels[name] is None:
                raise DataError("the output has metrics and no labels.", path=key, write="trainer.fit(state, x, y)")
            output = outputs.values[name]
            given = weights[name] if weighted else None
            dtype = "float32" if given is not None else metric.dtype  # a mask is 0 or 1 in any
            weight = losses_module.apply_mask(given, get_mask(output), dtype=dtype)
            empty = sums.nothing(metric.init_for(output))
            state[key] = metric.update(empty, labels[name], output, weight)
            _check_state(key, metric, empty, state[key])
        return state

    def merge(self, a: Mapping[str, Any], b: Mapping[str, Any], y_pred: PyTree) -> dict[str, Any]:
        """What both states have seen."""
        entries = self.entries(self.outputs(y_pred))
        return {key: entries[key][1].merge(a[key], b[key]) if key in entries else sums.add(a[key], b[key]) for key in b}

    def results(self, state: Mapping[str, Any], y_pred: PyTree) -> dict[str, Array]:
        """The value of each metric; those of a metric whose result is a dict, under their own names."""
        outputs = self.outputs(y_pred)
        entries = self.entries(outputs)
        terms = dict(zip(self._rows(outputs), _terms_of(state[LOSS]), strict=True)) if LOSS in state else {}
        found: dict[str, Array] = {}
        for key in state:
            if key in entries:
                value = entries[key][1].result(state[key])
                found.update(value if isinstance(value, Mapping) else {key: value})
            elif key == LOSS:
                found[key] = self.total(terms, y_pred) + divide_no_nan(*terms[REST])
            else:
                (own,) = _terms_of(state[key])
                found[key] = self._reduced({**terms, key: own}, outputs)[key][0]
        return found


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


def _check_state(key: str, metric: Metric, before: PyTree, after: PyTree) -> None:
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
    return tuple(value.shape) if hasattr(value, "shape") else jnp.shape(value)


__all__ = ["LOSS", "Objective", "Terms"]
