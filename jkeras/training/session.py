"""Session: what a trainer finds out and compiles while it works. The trainer keeps one, and copies make their own.

Everything here can be found again from the trainer's arguments, so nothing here is part of what a trainer is. What
belongs to a single `fit` is in its `StepCalls`.

The first call on data of some form runs the model for shapes, finds its losses and metrics and the embeddings that
inputs go into. Later calls find all that here, until a state of another form comes, or the model has other layers.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core import Layer
from jkeras.core.tensor import is_shape
from jkeras.data.arrays import Batch
from jkeras.data.prefetch import to_device
from jkeras.errors import ArgumentError, NeverCalledError
from jkeras.placement import Layout
from jkeras.placement.local import Uneven, brought_together, joined
from jkeras.training.calls import Pace, StepCalls
from jkeras.training.checks import Checks, InputFacts
from jkeras.training.inputs_outputs import call_arguments, spread
from jkeras.training.objective import BoundObjective
from jkeras.training.programs import Programs
from jkeras.training.state import TrainState, check_alive
from jkeras.training.stats import Stats, summarize
from jkeras.training.steps import Steps
from jkeras.training.trainer_states import check_optimizer, check_replicas, refusal
from jkeras.typing import Array, Key, PyTree, SpecTree

Tree = TypeVar("Tree")
HostLogs: TypeAlias = dict[str, Any]  # values by name: floats, and an array where replicas have a value each
STEPS_OF_SEVERAL_PROCESSES = 8  # that a call runs where nobody says how many
KEPT_FORMS = 64  # of data, beyond which all are forgotten: data of a new shape in every batch would fill the memory


class Session:
    """The state of a trainer's work.

    Attributes:
        steps: the trainer, as far as loops know it.
        calls: those of the last `fit`.
        batch_checks: of batches that are given one by one.
    """

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.calls: StepCalls | None = None
        self._spec: tuple[Any, PyTree] | None = None
        self._state_form: tuple[Any, bool] = None, False  # and whether states of this form may be trained
        self._forget()
        self._initial: tuple[str, Any] = "", None
        self._paces: dict[Any, Pace] = {}

    def _forget(self) -> None:
        """Leaves what was found out of a model that had other layers, or of its data, to be found again."""
        self.batch_checks: Checks | None = None
        self._layout: Layout | None = None
        self._facts: InputFacts | None = None
        self._checks: dict[Any, Checks] = {}  # by the form of the inputs
        self._bound: dict[int, tuple[PyTree, BoundObjective]] = {}  # by the identity of the specs

    # -- states

    def check_state(self, state: Any, method: str, *, trains: bool = False) -> None:
        """Raises `StateError` unless a state is one of this trainer's, and `ConsumedStateError` if it is used up.

        The trees of the model are compared where the model is called, leaf by leaf. For an evaluation the state of
        another optimizer is as good as its own.
        """
        path, steps = f"Trainer.{method}(state)", self.steps
        if not isinstance(state, TrainState):
            raise refusal(state, method, path)
        check_alive(state, path)
        form, (known, trainable) = _form_of(state), self._state_form
        if form != known:
            check_replicas(steps, state, path)
            self._forget()
            self._state_form, trainable = (form, False), False
        if not trains or trainable:
            return
        if not steps.overrides("train_step") and steps.optimizer is not None:  # a custom step knows its own state
            check_optimizer(steps, state, path)
        self._state_form = form, True

    @functools.cached_property
    def programs(self) -> Programs:
        """The compiled forms of the steps; made when they are first needed."""
        return Programs(self.steps, lambda: self.layout)

    # -- places

    @property
    def layout(self) -> Layout | None:
        """Where the leaves of states and batches lie; `None` for the device that JAX computes on by default."""
        placement = self.steps.placement
        if placement is not None and self._layout is None:
            self._layout = Layout(placement, placement.weights(self.steps.model), self.steps.replicas)
        return self._layout

    def placed(self, state: Tree) -> Tree:
        """The state, each leaf where it belongs."""
        return state if self.layout is None else self.layout.place(state)

    def specified(self, state: Tree) -> Tree:
        """The specs of a state, with the places of its leaves."""
        if self.layout is not None:
            return self.layout.specified(state)
        (device,) = jnp.zeros(()).devices()
        alone = jax.sharding.SingleDeviceSharding(device)
        specs: Tree = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=alone), state)
        return specs

    @property
    def spans(self) -> bool:
        """Whether the devices are those of several processes."""
        placement = self.steps.placement
        return placement is not None and placement.spans_processes

    def put(self, batch: PyTree) -> PyTree:
        """A batch of the host's on the devices."""
        return to_device(batch) if self.layout is None else self.layout.put(batch)

    def put_part(self, part: tuple[PyTree, list[int]]) -> Any:
        """A batch of which this process has a part, and the sizes of all parts."""
        assert self.layout is not None
        return joined(self.layout, *part)

    def whole(self, batch: Any) -> PyTree:
        """A batch that `put_part` made. Called by all processes at the same moment, in the main thread."""
        return brought_together(self.layout, batch) if isinstance(batch, Uneven) and self.layout is not None else batch

    def placed_batch(self, batch: Tree) -> Tree:
        """A batch where it belongs; for one device the call of a program brings it there."""
        return batch if self.layout is None else self.layout.put(batch)

    def everywhere(self, values: Tree) -> Tree:
        """Values on the device, with a copy on each where there are several."""
        on_device: Tree = jax.tree.map(jnp.asarray, values) if self.layout is None else self.layout.everywhere(values)
        return on_device

    # -- outputs

    def output_spec(self, inputs: tuple[PyTree, ...] = ()) -> PyTree:
        """`Trainer.output_spec`."""
        model = self.steps.model
        inputs = spread(model, inputs) or _known_inputs(model)
        leaves, treedef = jax.tree.flatten(inputs, is_leaf=is_shape)
        described = tuple((tuple(leaf.shape), str(leaf.dtype)) if hasattr(leaf, "shape") else leaf for leaf in leaves)
        key = treedef, described, tuple(map(id, model.structure().components))
        if self._spec is None or self._spec[0] != key:  # the last one is enough
            if self._spec is not None and self._spec[0][2] != key[2]:
                self._forget()
            self._spec = key, model.infer_build(*inputs)
        return self._spec[1]

    def known_output_spec(self) -> PyTree:
        """The specs of the outputs that were found last, or of the model's own inputs; `None` where nobody asks."""
        if self.steps.objective.is_empty:
            return None
        return self.output_spec() if self._spec is None else self._spec[1]

    def bound(self, spec: SpecTree) -> BoundObjective:
        """The objective for outputs of these specs."""
        if id(spec) not in self._bound:
            if len(self._bound) == KEPT_FORMS:
                self._bound = {}
            self._bound[id(spec)] = spec, self.steps.objective.bind(spec)
        return self._bound[id(spec)][1]

    @property
    def facts(self) -> InputFacts:
        """What the model says of its inputs."""
        if self._facts is not None:
            return self._facts
        facts = InputFacts.of(self.steps.model)
        self._facts = facts if self.steps.model.built else None  # a model that is not built may not know them yet
        return facts

    def checks_for(self, batch: PyTree) -> Checks:
        """The checks of data whose batches have these inputs, with the specs of the model's outputs for them."""
        leaves, structure = jax.tree.flatten(batch)
        form = structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        if form not in self._checks:
            spec = self.output_spec(call_arguments(self.steps.model, batch))
            checks = Checks(self.steps, spec)
            if len(self._checks) == KEPT_FORMS:
                self._checks = {}
            self._checks[form] = checks
        return self._checks[form]

    def empty_metrics(self, spec: SpecTree) -> dict[str, Any]:
        """The states of metrics that have seen nothing, for outputs of these specs; of all replicas."""
        empty, replicas = self.bound(spec).empty(), self.steps.replicas
        if replicas is not None:
            empty = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], replicas, axis=0), empty)
        return self.placed(empty)

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
        if self.spans:  # each process computes with its own copies, when it likes
            metrics, sums = jax.tree.map(lambda leaf: leaf.addressable_data(0), (metrics, dict(sums)))
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

    def trace(self, state: TrainState, batch: Batch) -> jax.stages.Traced:
        """The traced training step, for the specs of a state; `Trainer.lower` and `Trainer.plan` go on from it."""
        if (layout := self.layout) is None:
            return jax.jit(self.steps.train_step, donate_argnums=0).trace(state, batch)

        def train_step(state: TrainState, batch: Batch) -> Any:
            return layout.hold(self.steps.train_step(layout.fetched(state), batch))

        return jax.jit(train_step, donate_argnums=0).trace(layout.specified(state), layout.specified_batch(batch))

    def begin(self, state: TrainState, batch: Batch) -> StepCalls:
        """The calls of a `fit` that begins with this state and a batch of this form."""
        calls = StepCalls(self.programs, state, batch)
        if self.calls is not None and self.calls.spec != calls.spec:
            self._paces = {}
        self.calls = calls
        return calls

    def pace(self, kind: type) -> Pace:
        """The pace for a kind of feed, with which the next `fit` on the same shapes goes on."""
        steps = self.steps.steps_per_execution
        if steps == "auto" and self.spans:  # what is measured differs, and all must make the same calls
            steps = STEPS_OF_SEVERAL_PROCESSES
        return self._paces.setdefault(kind, Pace(steps))

    def stats(self) -> Stats:
        """`Trainer.stats`."""
        if self.calls is None or not self.calls.timed:
            raise ArgumentError(
                "`stats` needs a `fit` with calls that did not compile.",
                path="Trainer.stats",
                write="trainer.fit(state, x, y)",
            )
        return summarize(self.calls.timed, self.programs.flops_per_step(*self.calls.spec))


class LateLogs(Mapping[str, Any]):
    """Logs that are computed when somebody reads them, and read from the device then.

    >>> LateLogs(lambda value: {"loss": value}, 2.0)["loss"]
    2.0
    """

    def __init__(self, compute: Callable[..., dict[str, Any]], *args: Any) -> None:
        self._compute = functools.cache(lambda: on_host(compute(*args)))

    def __getitem__(self, name: str) -> Any:
        return self._compute()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._compute())

    def __len__(self) -> int:
        return len(self._compute())


def on_host(logs: Mapping[str, Any]) -> HostLogs:
    """The values, read from the device.

    >>> on_host({"loss": np.float32(0.5), "of replicas": np.ones(2)})
    {'loss': 0.5, 'of replicas': array([1., 1.])}
    """
    return {name: float(value) if np.ndim(value) == 0 else np.asarray(value) for name, value in logs.items()}


def _form_of(state: TrainState) -> Any:
    """What tells the states of one model and one optimizer from those of others: structures and shapes, no values."""
    leaves, structure = jax.tree.flatten((state.step, state.trainable, state.non_trainable))
    shapes = tuple(getattr(leaf, "shape", ()) for leaf in leaves)
    return structure, shapes, jax.tree.structure(state.opt_state)


def _known_inputs(model: Layer) -> tuple[PyTree, ...]:
    """Symbolic inputs of a model that knows its own, or the shapes for which it was built."""
    try:
        return (model.input,)
    except NeverCalledError:
        shapes = model.get_build_config() or {}
        return tuple(shapes.get("shapes_dict", shapes).values())


def _equal(a: object, b: object) -> bool:
    return all(np.array_equal(one, two) for one, two in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
