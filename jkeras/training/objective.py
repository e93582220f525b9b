"""What a network is trained towards and measured by: losses and metrics, output by output.

A model may have one output or several, in a dict or a list. Each output has a name (the only one of a model has the
empty name), and losses, weights, metrics and labels are brought into dicts by these names before anything else.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import losses as losses_module
from jkeras import metrics as metrics_module
from jkeras import tree
from jkeras.core import get_mask
from jkeras.errors import ArgumentError, DataError, did_you_mean
from jkeras.losses import Loss
from jkeras.losses.resolve import name_of
from jkeras.metrics import Mean, Metric
from jkeras.typing import Array, PyTree

LOSS = "loss"
OBJECTIVE_ARGUMENTS = ("loss", "loss_weights", "metrics", "weighted_metrics")
BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")  # names whose meaning depends on the labels


def by_output(value: PyTree, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The parts of a model's outputs (or of labels in their form) by output name.

    >>> by_output(1.0), by_output({"a": 1, "b": {"c": 2}}), by_output([1, 2])
    ({'': 1.0}, {'a': 1, 'b/c': 2}, {'output_0': 1, 'output_1': 2})
    """
    if isinstance(value, Mapping):
        return tree.flatten(value)
    if isinstance(value, list | tuple):
        if len(value) == 1:
            return by_output(value[0])
        names = names if names is not None and len(names) == len(value) else [f"output_{i}" for i in range(len(value))]
        return dict(zip(names, value, strict=True))
    return {"": value}


def spread(argument: str, value: Any, names: Sequence[str], *, lists: bool = False) -> dict[str, Any]:
    """An argument given once for all outputs, by position, or by name, as a dict by output name.

    Args:
        argument: what it is called, for messages.
        value: the argument.
        names: the outputs.
        lists: whether one output's own value is a list (metrics), so that a flat list belongs to a single output.
    """
    if isinstance(value, Mapping):
        flat = tree.flatten(value)
        for name in flat:
            if name not in names:
                raise ArgumentError(
                    f"`{argument}` names an output that the model does not have.",
                    path=f"Trainer({argument}=)",
                    expected=did_you_mean(name, names),
                    received=repr(name),
                )
        return {name: flat.get(name) for name in names}
    if isinstance(value, list | tuple) and len(names) > 1:
        if len(value) != len(names):
            raise ArgumentError(
                f"`{argument}` has another length than the model has outputs.",
                path=f"Trainer({argument}=)",
                expected=f"{len(names)} entries, for {', '.join(names)}",
                received=f"{len(value)} entries",
            )
        return dict(zip(names, value, strict=True))
    if isinstance(value, list | tuple) and not lists and len(value) == 1:
        value = value[0]
    return dict.fromkeys(names, value)


@dataclasses.dataclass(frozen=True)
class Objective:
    """The configured losses and metrics of a trainer; no arrays, no state.

    Attributes:
        loss, loss_weights, metrics, weighted_metrics: as the trainer was given them.
        output_names: the names of a model's outputs where they come as a list.
    """

    loss: Any
    loss_weights: Any
    metrics: Any
    weighted_metrics: Any
    output_names: tuple[str, ...] | None

    def by_output(self, value: PyTree) -> dict[str, Any]:
        """The parts of outputs or labels by output name."""
        return by_output(value, self.output_names)

    def check_names(self) -> None:
        """Raises `UnknownNameError` for a name that no table has."""
        for family, argument in ((losses_module, self.loss), (metrics_module, (self.metrics, self.weighted_metrics))):
            for leaf in jax.tree.leaves(argument):
                if isinstance(leaf, str) and leaf.lower() not in BY_SHAPE:
                    family.get(leaf)

    # -- losses

    def losses(self, y: PyTree, y_pred: PyTree, sample_weight: PyTree) -> dict[str, tuple[Array, float]]:
        """The loss of each output that has one, and its weight. Masks come from the current scope."""
        outputs = self.by_output(y_pred)
        labels = self._labels(y, outputs)
        weights = self._weights(sample_weight, outputs)
        factors = spread("loss_weights", self.loss_weights, list(outputs))
        found = {}
        for name, identifier in spread("loss", self.loss, list(outputs)).items():
            if identifier is None:
                continue
            loss = self._loss(identifier, labels[name], outputs[name], name)
            value = loss(labels[name], outputs[name], weights[name], mask=get_mask(outputs[name]))
            factor = factors[name]
            found[name] = (value, 1.0 if factor is None else factor)
        return found

    def each_loss(self, y: PyTree, y_pred: PyTree, sample_weight: PyTree) -> dict[str, Array]:
        """With several outputs the loss of each by its key in the logs; nothing with one output."""
        if len(self.by_output(y_pred)) == 1:
            return {}
        return {_loss_key(name): value for name, (value, _) in self.losses(y, y_pred, sample_weight).items()}

    def _loss(self, identifier: Any, label: Any, output: Any, name: str) -> Loss:
        if label is None:
            raise DataError(
                "the output has a loss and no labels.",
                path=name or "y",
                expected="labels for every output that has a loss",
                write="trainer.fit(state, x, y)",
            )
        return losses_module.resolve(identifier, _shape(label), _shape(output))

    def validate(self, y: PyTree, y_pred: PyTree) -> None:
        """Looks at all labels on the host, before any work; `y_pred` gives the outputs' shapes."""
        outputs = self.by_output(y_pred)
        labels = self._labels(y, outputs)
        for name, identifier in spread("loss", self.loss, list(outputs)).items():
            if identifier is not None:
                loss = self._loss(identifier, labels[name], outputs[name], name)
                loss.validate(labels[name], _shape(outputs[name]), path=f"y[{name!r}]" if name else "y")

    def _labels(self, y: PyTree, outputs: dict[str, Any]) -> dict[str, Any]:
        labels = self.by_output(y)
        if list(labels) == [""] and list(outputs) != [""]:
            labels = dict.fromkeys(outputs, y) if y is None else labels
        elif list(outputs) == [""] and len(labels) == 1:
            labels = {"": next(iter(labels.values()))}
        unknown = [name for name in labels if name not in outputs]
        if unknown:
            raise DataError(
                "the labels are not structured like the model's outputs.",
                path="y",
                expected=f"labels for {', '.join(repr(name) for name in outputs)}",
                received=f"labels for {', '.join(repr(name) for name in labels)}",
            )
        return {name: labels.get(name) for name in outputs}

    def _weights(self, sample_weight: PyTree, outputs: dict[str, Any]) -> dict[str, Any]:
        weights = self.by_output(sample_weight)
        if list(weights) == [""]:
            return dict.fromkeys(outputs, sample_weight)
        return {name: weights.get(name) for name in outputs}

    # -- metrics

    def entries(
        self, outputs: dict[str, Any], labels: dict[str, Any] | None = None
    ) -> dict[str, tuple[str, Metric, bool]]:
        """The metrics by their key in the logs: the output, the metric, and whether it is weighted.

        Without labels the metrics whose kind depends on them are of some kind; all kinds have the same state.
        """
        found: dict[str, tuple[str, Metric, bool]] = {}
        for argument, weighted in (("metrics", False), ("weighted_metrics", True)):
            for name, given in spread(argument, getattr(self, argument), list(outputs), lists=True).items():
                for identifier in [] if given is None else given if isinstance(given, list | tuple) else [given]:
                    label = labels[name] if labels is not None else None
                    shape = _shape(label) if label is not None else _shape(outputs[name])[:-1]
                    metric = metrics_module.resolve(identifier, shape, _shape(outputs[name]))
                    key = f"{name.replace('/', '_')}_{metric.name}" if name else metric.name
                    found[_free(key, found, weighted)] = (name, metric, weighted)
        return found

    def init(self, y_pred: PyTree) -> dict[str, Any]:
        """The state of having seen nothing, for outputs of these shapes: every metric's, the loss's, and with several
        outputs each one's loss."""
        outputs = self.by_output(y_pred)
        state = {key: metric.init() for key, (_, metric, _) in self.entries(outputs).items()}
        return {**{key: Mean().init() for key in self._loss_keys(outputs)}, **state}

    def directions(self, y_pred: PyTree) -> dict[str, str | None]:
        """Whether more or less is better, by key in the logs: `"up"`, `"down"`, `None` where it is not known."""
        outputs = self.by_output(y_pred)
        measured = {key: metric.direction for key, (_, metric, _) in self.entries(outputs).items()}
        return {**dict.fromkeys(self._loss_keys(outputs), "down"), **measured}

    def _loss_keys(self, outputs: dict[str, Any]) -> list[str]:
        given = spread("loss", self.loss, list(outputs))
        several = [name for name, identifier in given.items() if identifier is not None] if len(outputs) > 1 else []
        return [LOSS, *(_loss_key(name) for name in several)]

    def measure(
        self, y: PyTree, y_pred: PyTree, sample_weight: PyTree, losses: Mapping[str, Array], size: int
    ) -> dict[str, Any]:
        """The metrics' states of one batch.

        Args:
            y, y_pred, sample_weight: the batch and the outputs. Masks come from the current scope.
            losses: the total under `"loss"`, and each output's under its name.
            size: the number of examples, the weight of the batch's loss.
        """
        outputs = self.by_output(y_pred)
        labels, weights = self._labels(y, outputs), self._weights(sample_weight, outputs)
        state = {}
        for key in self._loss_keys(outputs):
            state[key] = Mean().update(Mean().init(), losses[key], jnp.asarray(size, "float32"))
        for key, (name, metric, weighted) in self.entries(outputs, labels).items():
            if labels[name] is None:
                raise DataError("the output has metrics and no labels.", path=key, write="trainer.fit(state, x, y)")
            weight = losses_module.apply_mask(weights[name] if weighted else None, get_mask(outputs[name]))
            state[key] = metric.update(metric.init(), labels[name], outputs[name], weight)
        return state

    def merge(self, a: Mapping[str, Any], b: Mapping[str, Any], y_pred: PyTree) -> dict[str, Any]:
        """What both states have seen."""
        entries = self.entries(self.by_output(y_pred))
        return {key: (entries[key][1] if key in entries else Mean()).merge(a[key], b[key]) for key in b}

    def results(self, state: Mapping[str, Any], y_pred: PyTree) -> dict[str, Array]:
        """The value of each metric."""
        entries = self.entries(self.by_output(y_pred))
        return {key: (entries[key][1] if key in entries else Mean()).result(state[key]) for key in state}


def _loss_key(name: str) -> str:
    return f"{name.replace('/', '_')}_{LOSS}"


def _free(key: str, taken: Mapping[str, Any], weighted: bool) -> str:
    if key in taken and weighted:
        key = f"weighted_{key}"
    candidate, count = key, 0
    while candidate in taken:
        count += 1
        candidate = f"{key}_{count}"
    return candidate


def _shape(value: Any) -> tuple[int, ...]:
    return jnp.shape(value)


__all__ = ["LOSS", "Objective", "by_output", "name_of", "spread"]
