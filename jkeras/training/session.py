"""Session: what a trainer finds out and compiles while it works. The trainer keeps one, and copies make their own.

Everything here can be found again from the trainer's arguments, so nothing here is part of what a trainer is. What
belongs to a single `fit` is in its `Calls`.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core import Layer
from jkeras.core.tensor import is_shape
from jkeras.data.batch import Batch
from jkeras.errors import ArgumentError, NeverCalledError
from jkeras.training.calls import Calls, Pace
from jkeras.training.checks import Checks
from jkeras.training.inputs_outputs import spread
from jkeras.training.objective import BoundObjective
from jkeras.training.programs import Programs
from jkeras.training.state import TrainState
from jkeras.training.stats import Stats, summarize
from jkeras.training.steps import Steps
from jkeras.typing import Array, Key, PyTree, SpecTree


class Session:
    """The state of a trainer's work.

    Attributes:
        steps: the trainer, as far as loops know it.
        calls: those of the last `fit`.
        checks: of batches that are given one by one.
        checked: the structure of the last state whose optimizer's part was looked at.
    """

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.calls: Calls | None = None
        self.checks: Checks | None = None
        self.checked: Any = None
        self._spec: tuple[Any, PyTree] | None = None
        self._bound: tuple[PyTree, BoundObjective] | None = None
        self._initial: tuple[str, Any] = "", None
        self._paces: dict[Any, Pace] = {}

    @functools.cached_property
    def programs(self) -> Programs:
        """The compiled forms of the steps; made when they are first needed."""
        return Programs(self.steps)

    # -- outputs

    def output_spec(self, inputs: tuple[PyTree, ...] = ()) -> PyTree:
        """`Trainer.output_spec`."""
        model = self.steps.model
        inputs = spread(model, inputs) or _known_inputs(model)
        leaves, treedef = jax.tree.flatten(inputs, is_leaf=is_shape)
        described = tuple((tuple(leaf.shape), str(leaf.dtype)) if hasattr(leaf, "shape") else leaf for leaf in leaves)
        key = treedef, described, tuple(map(id, model.structure().components))
        if self._spec is None or self._spec[0] != key:  # the last one is enough
            self._spec = key, model.infer_build(*inputs)
        return self._spec[1]

    def known_output_spec(self) -> PyTree:
        """The specs of the outputs that were found last, or of the model's own inputs; `None` where nobody asks."""
        if self.steps.objective.is_empty:
            return None
        return self.output_spec() if self._spec is None else self._spec[1]

    def bound(self, spec: SpecTree) -> BoundObjective:
        """The objective for outputs of these specs."""
        if self._bound is None or self._bound[0] is not spec:
            self._bound = spec, self.steps.objective.bind(spec)
        return self._bound[1]

    def empty_metrics(self, spec: SpecTree) -> dict[str, Any]:
        """The states of metrics that have seen nothing, for outputs of these specs; of all replicas."""
        empty, replicas = self.bound(spec).empty(), self.steps.replicas
        if replicas is None:
            return empty
        result: dict[str, Any] = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], replicas, axis=0), empty)
        return result

    def metric_values(self, metrics: dict[str, Any], spec: SpecTree) -> dict[str, Array]:
        """The values of metrics, for outputs of these specs; of all replicas."""
        values = self.bound(spec).results
        return values(metrics) if self.steps.replicas is None else jax.vmap(values)(metrics)

    def logs(
        self, step: str, spec: SpecTree, metrics: dict[str, Any], sums: Mapping[str, Array], done: int
    ) -> dict[str, Array]:
        """The logs of several batches: the values of the metrics, and the means of what no metric keeps.

        Args:
            step: `"train_step"` or `"test_step"`.
            spec: the specs of the outputs.
            metrics: the states of the metrics.
            sums: of the other logs.
            done: the number of batches.
        """
        if self.steps.overrides(step):  # it may leave metrics untouched
            untouched = self.empty_metrics(spec)
            metrics = {key: value for key, value in metrics.items() if not _equal(value, untouched[key])}
        found = self.metric_values(metrics, spec)
        return {**found, **{name: value / done for name, value in sums.items() if name not in found}}

    # -- programs

    def initial_state(self, function: Callable[[Key], TrainState], key: Key) -> TrainState:
        """`function(key)`, compiled as one program.

        It is traced for every call, since what is trainable may have changed, and compiled only where it differs from
        that of the call before.
        """
        lowered = jax.jit(function).lower(key)
        text = f"{jax.tree.structure(lowered.out_info)}\n{lowered.as_text()}"
        if text != self._initial[0]:
            self._initial = text, lowered.compile()
        result: TrainState = self._initial[1](key)
        return result

    def begin(self, state: TrainState, batch: Batch) -> Calls:
        """The calls of a `fit` that begins with this state and a batch of this form."""
        calls = Calls(self.programs, state, batch)
        if self.calls is not None and self.calls.spec != calls.spec:
            self._paces = {}
        self.calls = calls
        return calls

    def pace(self, kind: type) -> Pace:
        """The pace for a kind of feed, with which the next `fit` on the same shapes goes on."""
        return self._paces.setdefault(kind, Pace(self.steps.steps_per_execution))

    def stats(self) -> Stats:
        """`Trainer.stats`."""
        if self.calls is None or not self.calls.timed:
            raise ArgumentError(
                "`stats` needs a `fit` with calls that did not compile.",
                path="Trainer.stats",
                write="trainer.fit(state, x, y)",
            )
        return summarize(self.calls.timed, self.programs.flops_per_step(*self.calls.spec))


def _known_inputs(model: Layer) -> tuple[PyTree, ...]:
    """Symbolic inputs of a model that knows its own, or the shapes for which it was built."""
    try:
        return (model.input,)
    except NeverCalledError:
        shapes = model.get_build_config() or {}
        return tuple(shapes.get("shapes_dict", shapes).values())


def _equal(a: object, b: object) -> bool:
    return all(np.array_equal(one, two) for one, two in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
