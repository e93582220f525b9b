"""What a network is trained towards and measured by: losses and metrics, output by output.

Losses, weights, metrics and labels are brought into dicts by the names of the outputs before anything else, see
`jkeras.training.outputs`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jkeras import losses as losses_module
from jkeras import metrics as metrics_module
from jkeras.core import get_mask
from jkeras.errors import DataError
from jkeras.losses import Loss
from jkeras.metrics import Mean, Metric
from jkeras.training.outputs import Outputs, flat_list
from jkeras.typing import Array, PyTree

LOSS = "loss"
OBJECTIVE_ARGUMENTS = ("loss", "loss_weights", "metrics", "weighted_metrics")
BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")  # names whose meaning depends on the labels


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

    def check_names(self) -> None:
        """Raises `UnknownNameError` for a name that no table has."""
        for family, argument in ((losses_module, self.loss), (metrics_module, (self.metrics, self.weighted_metrics))):
            for thing in flat_list(argument):
                if isinstance(thing, str) and thing.lower() not in BY_SHAPE:
                    family.get(thing)

    # -- losses

    def losses(self, y: PyTree, y_pred: PyTree, sample_weight: PyTree) -> dict[str, tuple[Array, float]]:
        """The loss of each output that has one, and its weight. Masks come from the current scope."""
        outputs = self.outputs(y_pred)
        labels, weights = self._labels(y, outputs), outputs.weights(sample_weight)
        factors = outputs.spread("loss_weights", self.loss_weights)
        found = {}
        for name, identifier in self._wanted(outputs).items():
            output = outputs.values[name]
            loss = self._loss(identifier, labels[name], output, name)
            value = loss(labels[name], output, weights[name], mask=get_mask(output))
            found[name] = (value, 1.0 if factors[name] is None else factors[name])
        return found

    def each_loss(self, y: PyTree, y_pred: PyTree, sample_weight: PyTree) -> dict[str, Array]:
        """Where several outputs have a loss, that of each by its key in the logs; otherwise nothing."""
        outputs = self.outputs(y_pred)
        if len(self._loss_keys(outputs)) == 1:
            return {}
        found = self.losses(y, y_pred, sample_weight)
        return {outputs.key(name, LOSS): value for name, (value, _) in found.items()}

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
        return {name: each for name, each in outputs.spread("loss", self.loss).items() if each is not None}

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
        return {**{key: Mean().init() for key in self._loss_keys(outputs)}, **state}

    def directions(self, y_pred: PyTree) -> dict[str, str | None]:
        """Whether more or less is better, by key in the logs: `"up"`, `"down"`, `None` where it is not known."""
        outputs = self.outputs(y_pred)
        measured = {key: metric.direction for key, (_, metric, _) in self.entries(outputs).items()}
        return {**dict.fromkeys(self._loss_keys(outputs), "down"), **measured}

    def measure(
        self, y: PyTree, y_pred: PyTree, sample_weight: PyTree, losses: Mapping[str, Array], size: int
    ) -> dict[str, Any]:
        """The metrics' states of one batch.

        Args:
            y, y_pred, sample_weight: the batch and the outputs. Masks come from the current scope.
            losses: the total under `"loss"`, and each output's under its name.
            size: the number of examples, the weight of the batch's loss.
        """
        outputs = self.outputs(y_pred)
        labels, weights = self._labels(y, outputs), outputs.weights(sample_weight)
        state = {}
        for key in self._loss_keys(outputs):
            state[key] = Mean().update(Mean().init(), losses[key], jnp.asarray(size, "float32"))
        for key, (name, metric, weighted) in self.entries(outputs, labels).items():
            if labels[name] is None:
                raise DataError("the output has metrics and no labels.", path=key, write="trainer.fit(state, x, y)")
            output = outputs.values[name]
            given = weights[name] if weighted else None
            dtype = "float32" if given is not None else metric.dtype  # a mask is 0 or 1 in any
            weight = losses_module.apply_mask(given, get_mask(output), dtype=dtype)
            state[key] = metric.update(metric.init_for(output), labels[name], output, weight)
        return state

    def merge(self, a: Mapping[str, Any], b: Mapping[str, Any], y_pred: PyTree) -> dict[str, Any]:
        """What both states have seen."""
        entries = self.entries(self.outputs(y_pred))
        return {key: (entries[key][1] if key in entries else Mean()).merge(a[key], b[key]) for key in b}

    def results(self, state: Mapping[str, Any], y_pred: PyTree) -> dict[str, Array]:
        """The value of each metric; those of a metric whose result is a dict, under their own names."""
        entries = self.entries(self.outputs(y_pred))
        found: dict[str, Array] = {}
        for key in state:
            value = (entries[key][1] if key in entries else Mean()).result(state[key])
            found.update(value if isinstance(value, Mapping) else {key: value})
        return found


def _free(key: str, taken: Mapping[str, Any]) -> str:
    candidate, count = key, 0
    while candidate in taken:
        count += 1
        candidate = f"{key}_{count}"
    return candidate


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if hasattr(value, "shape") else jnp.shape(value)


__all__ = ["LOSS", "Objective"]
