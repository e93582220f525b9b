"""Trainer: a frozen configuration over a model, an optimizer, losses and metrics, and the pure steps that it means.

    train_step(state, batch) -> (state, logs)      one update
    test_step(state, batch) -> (state, logs)       one batch of evaluation; only `state.metrics` changes
    predict_step(state, batch) -> outputs

They are plain functions of arrays: `jit`, `vmap`, `scan` and `grad` apply to them as they are. `fit`, `evaluate` and
`predict` (in `jkeras.training.loop`) run them fast over data. A subclass may override `compute_loss`,
`compute_metrics` or a step.

The logs of a step are those of its batch. What has been seen since the last reset is in `state.metrics`;
`results(state)` gives its values.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import optimizers, registry
from jkeras.callbacks import Callback, History
from jkeras.core import Layer
from jkeras.data.batch import pack_x_y_sample_weight, unpack_x_y_sample_weight
from jkeras.errors import ArgumentError
from jkeras.training import evaluation, initial, loop
from jkeras.training.frozen import Frozen
from jkeras.training.initial import Found
from jkeras.training.inputs import call_arguments
from jkeras.training.objective import OBJECTIVE_ARGUMENTS, Objective
from jkeras.training.options import EvaluateOptions, FitOptions, check_return_dict, check_trainer
from jkeras.training.programs import Programs
from jkeras.training.replicas import check_replicas
from jkeras.training.scaling import select
from jkeras.training.state import TrainState
from jkeras.training.stats import Stats, summarize
from jkeras.training.step import run_forward, run_metrics
from jkeras.training.update import update
from jkeras.typing import Array, Config, Key, PyTree


class Trainer(Frozen):
    """How a model is trained. Holds no arrays; every value is in a `TrainState`.

    Args:
        model: a `Layer` or `Model`.
        optimizer: an optax transformation, an optimizer of `jkeras.optimizers`, its name or its config; or a dict from
            patterns of paths to these, see `jkeras.optimizers.by_path`; `None` to evaluate and predict only.
        loss: a name, a function `(y_true, y_pred)` or a `Loss`; for several outputs a list or a dict by output.
        metrics: names, functions or `Metric`s; for several outputs a list of lists or a dict by output.
        loss_weights: a factor for each output's loss, as a list or dict.
        weighted_metrics: metrics that sample weights and class weights apply to.
        steps_per_execution: how many batches one call of a compiled program runs; `"auto"` aims at calls of about
            20 ms. Hooks for batches run once a call.
        jit_compile: whether `fit`, `evaluate` and `predict` compile; `"auto"` means yes.
        run_eagerly: run without compiling, one operation at a time, for debugging.
        auto_scale_loss: whether a model with layers of the policy `"mixed_float16"` gets dynamic loss scaling.
        gradient_accumulation_steps: in how many parts a batch goes through the model before its one update.
        ema: the momentum of a moving average of the trainable values, kept in `state.ema`, in float32 for weights
            of half precision; `state.averaged` is the state to evaluate and predict with.
        skip_nonfinite: whether an update is left out whose gradient has an infinity or a NaN; `skipped` in the logs
            is the share of such steps.
        log_norms: whether the logs have `gradient_norm` and `update_norm`.
        replicas: how many networks `fit`, `evaluate` and `predict` run side by side in one program. `init` draws each
            from a key of its own; every leaf of the state, every log and every output has a first axis for them. The
            steps of this class stay those of one network.
        hyperparameters: values for each replica, such as `{"learning_rate": [0.1, 0.01]}`, of hyper-parameters that
            the optimizer keeps in its state.

    Raises:
        UnknownNameError: no optimizer has the name.
        ArgumentError: an argument has the wrong type.

    >>> import numpy as np, jax, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
    >>> trainer = Trainer(model, optimizer="sgd", loss="mse")
    >>> state = trainer.init(jax.random.key(0))
    >>> x = np.ones((8, 2), "float32")
    >>> state, history = trainer.fit(state, x, x[:, :1], epochs=2, verbose=0)
    >>> int(state.step), len(history.history["loss"])
    (2, 2)
    """

    def __init__(
        self,
        model: Layer,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        *,
        loss_weights: Any = None,
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
    ) -> None:
        self.steps_per_execution, self.gradient_accumulation_steps = check_trainer(
            model, steps_per_execution, run_eagerly, jit_compile, gradient_accumulation_steps, ema
        )
        self.model = model
        is_grouped = isinstance(optimizer, Mapping) and "class_name" not in optimizer
        self.optimizer = optimizers.by_path(optimizer) if is_grouped else optimizers.get(optimizer)
        names = getattr(model, "output_names", None)
        self.objective = Objective(loss, loss_weights, metrics, weighted_metrics, tuple(names) if names else None)
        self.objective.check_names()
        self.jit_compile = jit_compile is not False and not run_eagerly
        self.run_eagerly = run_eagerly
        self.auto_scale_loss = auto_scale_loss
        self.ema = ema
        self.skip_nonfinite = skip_nonfinite
        self.log_norms = log_norms
        self.replicas, self.hyperparameters = check_replicas(replicas, hyperparameters)

    def __getstate__(self) -> dict[str, Any]:
        """What is copied and pickled: all but compiled functions and what they know, which a copy makes for itself."""
        return {name: value for name, value in vars(self).items() if name not in ("found", "programs")}

    def get_compile_config(self) -> Config:
        """The arguments but the model, with Keras's keys; `from_compile_config` reads them.

        Raises `SerializationError` for a bare optax transformation, which has no config.
        """
        objective = self.objective
        config = {name: registry.serialize(getattr(objective, name)) for name in OBJECTIVE_ARGUMENTS}
        plain = {name: getattr(self, name) for name in ("steps_per_execution", "run_eagerly", "auto_scale_loss")}
        return {"optimizer": optimizers.serialize(self.optimizer), **config, **plain, "jit_compile": self.jit_compile}

    @classmethod
    def from_compile_config(cls, model: Layer, config: Config) -> "Trainer":
        """The trainer of a config for a model.

        >>> import jkeras
        >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
        >>> config = Trainer(model, "sgd", jkeras.losses.Huber(delta=2.0)).get_compile_config()
        >>> Trainer.from_compile_config(model, config).objective.loss
        <Huber name=huber_loss>
        """
        options = dict(config)
        optimizer = optimizers.get(options.pop("optimizer", "rmsprop"))
        found = {name: registry.deserialize(options.pop(name, None)) for name in OBJECTIVE_ARGUMENTS}
        return cls(model, optimizer, **found, **options)

    # -- state

    def init(self, key: Key, *inputs: PyTree) -> TrainState:
        """The state before the first step.

        Args:
            key: draws the model's initial values, exactly as `model.init(key, *inputs)` does.
            inputs: an example batch of inputs or its specs; none for a model that knows its inputs.
        """
        return initial.init(self, key, inputs)

    def state_of(self, variables: tuple[PyTree, PyTree], *inputs: PyTree) -> TrainState:
        """A state around a copy of given values, such as pretrained ones: step 0, a fresh optimizer, empty metrics.

        A copy, because `fit` reuses the memory of its state.
        """
        return initial.state_of(self, variables, inputs)

    def output_spec(self, *inputs: PyTree) -> PyTree:
        """The shapes and dtypes of the model's outputs, as symbolic tensors.

        Found by running the model for shapes alone, once for inputs of the same shapes and the same layers.
        """
        return initial.output_spec(self, inputs)

    def known_output_spec(self) -> PyTree:
        """The specs of the outputs that were found last, or of the model's own inputs; `None` where nobody asks."""
        if self.objective.is_empty:
            return None
        return self.output_spec() if self.found.output_spec is None else self.found.output_spec[1]

    def reset_metrics(self, state: TrainState, *inputs: PyTree) -> TrainState:
        """The state with metrics that have seen nothing."""
        return state.replace(metrics=self.empty_metrics(self.output_spec(*inputs)))

    def results(self, state: TrainState, *inputs: PyTree) -> dict[str, Array]:
        """The values of the metrics since the last reset."""
        return self.metric_values(state.metrics, self.output_spec(*inputs))

    def empty_metrics(self, spec: PyTree) -> dict[str, Any]:
        """The states of metrics that have seen nothing, for outputs of these specs; of all replicas."""
        empty, replicas = self.objective.init(spec), self.replicas
        if replicas is None:
            return empty
        return jax.tree.map(lambda leaf: jnp.repeat(leaf[None], replicas, axis=0), empty)

    def metric_values(self, metrics: dict[str, Any], spec: PyTree) -> dict[str, Array]:
        """The values of metrics, for outputs of these specs; of all replicas."""
        values = functools.partial(self.objective.results, y_pred=spec)
        return values(metrics) if self.replicas is None else jax.vmap(values)(metrics)

    # -- override points

    def compute_loss(self, x: PyTree, y: PyTree, y_pred: PyTree, sample_weight: PyTree, training: bool = True) -> Array:
        """The scalar that training minimises, before the model's own penalties are added.

        By default the weighted sum of the configured losses. `jkeras.get_mask(y_pred)` gives the outputs' mask.

        Of an override only this number is known: over several batches, and over the parts of an accumulated gradient,
        it is a mean weighed by examples. The configured losses are divided by what counts in all of them together.
        """
        terms = self.objective.terms(y, y_pred, sample_weight)
        return self.objective.total(terms, y_pred)

    def compute_metrics(self, x: PyTree, y: PyTree, y_pred: PyTree, sample_weight: PyTree) -> dict[str, Array]:
        """Further entries of a batch's logs, scalars; those of an epoch are their means. By default none.

        Runs in the scope of the model's call, so parts of the model can be called.
        """
        return {}

    @property
    def has_own_loss(self) -> bool:
        """Whether a subclass overrides `compute_loss`."""
        return type(self).compute_loss is not Trainer.compute_loss

    @property
    def has_own_step(self) -> bool:
        """Whether a subclass overrides `train_step`."""
        return type(self).train_step is not Trainer.train_step

    @property
    def has_own_logs(self) -> bool:
        """Whether steps log more than the metrics."""
        own = self.has_own_step or type(self).compute_metrics is not Trainer.compute_metrics
        return own or self.log_norms or self.skip_nonfinite

    def is_own_log(self, name: str, state: TrainState) -> bool:
        """Whether the loop averages a log itself, because no metric keeps it."""
        return self.has_own_step or name not in state.metrics

    # -- steps

    def train_step(self, state: TrainState, batch: PyTree) -> tuple[TrainState, dict[str, Array]]:
        """One update: the next state, and the loss and metrics of the batch.

        Args:
            state: the state now.
            batch: `(x, y)`, `(x, y, sample_weight)`, or `x` for a model whose loss needs no labels.
        """
        data = unpack_x_y_sample_weight(batch)
        new, forward, own = update(self, state, data)
        metrics, logs = run_metrics(self, state, data, forward, training=True)
        if self.skip_nonfinite:  # one NaN would spoil the sums of a whole epoch
            metrics = select(jnp.isfinite(forward.loss), metrics, state.metrics)
        return new.replace(metrics=metrics), {**logs, **own}

    def test_step(self, state: TrainState, batch: PyTree) -> tuple[TrainState, dict[str, Array]]:
        """One batch of evaluation: the state with its metrics updated, and the loss and metrics of the batch."""
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        forward = run_forward(self, state.variables, (x, y, sample_weight), training=False)
        metrics, logs = run_metrics(self, state, (x, y, sample_weight), forward, training=False)
        return state.replace(metrics=metrics), logs

    def predict_step(self, state: TrainState, batch: PyTree) -> PyTree:
        """The outputs for one batch."""
        x, _, _ = unpack_x_y_sample_weight(batch)
        inputs = call_arguments(self.model, x)
        outputs, _ = self.model.stateless_call(state.trainable, state.non_trainable, *inputs, training=False)
        return outputs

    # -- loops

    def fit(self, state: TrainState, x: PyTree = None, y: PyTree = None, **options: Any) -> tuple[TrainState, History]:
        """Trains on arrays.

        Args:
            state: consumed: its memory is reused, and only the returned state is valid afterwards.
            x, y: arrays, or structures of arrays with one length. A model whose `call` must be given several arguments
                takes them from `x`: a tuple or list in their order, or a dict by their names.
            options: see `jkeras.training.FitOptions`: `batch_size=32`, `epochs=1`, `verbose="auto"`,
                `callbacks`, `validation_split=0.0`, `validation_data`, `shuffle=True`, `class_weight`,
                `sample_weight`, `initial_epoch=0`, `steps_per_epoch`, `validation_steps`, `validation_batch_size`,
                `validation_freq=1`, `seed=0`, `rare_gc=True`.

        Returns:
            The trained state, and a `History` whose `history` has a list per log.

        Raises:
            ConsumedStateError: the state was consumed before.
            DataError: data that cannot be batched, or labels that the loss cannot mean. Before any work is done.
            ArgumentError: an option out of range.
            Exception: of the data, a callback, a worker. Whatever is raised has the attributes `state`, the state after
                the last finished step, and `history`, the epochs until then.
        """
        return loop.fit(self, state, x, y, FitOptions.of(options))

    def evaluate(
        self,
        state: TrainState,
        x: PyTree = None,
        y: PyTree = None,
        *,
        batch_size: int | None = None,
        sample_weight: PyTree = None,
        steps: int | None = None,
        verbose: int | str = "auto",
        callbacks: Callback | Sequence[Callback] | None = None,
        return_dict: bool = True,
    ) -> dict[str, float]:
        """The loss and metrics over arrays, with `training=False`. The state is not consumed.

        >>> import numpy as np, jax, jkeras
        >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, kernel_initializer="ones")])
        >>> trainer = Trainer(model, loss="mse")
        >>> trainer.evaluate(trainer.init(jax.random.key(0)), np.ones((4, 2), "float32"), np.ones((4, 1), "float32"))
        {'loss': 1.0}
        """
        check_return_dict(return_dict, "evaluate")
        options = EvaluateOptions(batch_size, sample_weight, steps, verbose, callbacks)
        return evaluation.evaluate(self, state, x, y, options)

    def predict(
        self,
        state: TrainState,
        x: PyTree,
        *,
        batch_size: int | None = None,
        steps: int | None = None,
        verbose: int | str = "auto",
        callbacks: Callback | Sequence[Callback] | None = None,
    ) -> PyTree:
        """The outputs over arrays, as NumPy arrays of all examples. The state is not consumed.

        >>> import numpy as np, jax, jkeras
        >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, kernel_initializer="ones")])
        >>> trainer = Trainer(model)
        >>> trainer.predict(trainer.init(jax.random.key(0)), np.ones((3, 2), "float32")).tolist()
        [[2.0], [2.0], [2.0]]
        """
        return evaluation.predict(self, state, x, EvaluateOptions(batch_size, None, steps, verbose, callbacks))

    def train_on_batch(
        self,
        state: TrainState,
        x: PyTree,
        y: PyTree = None,
        sample_weight: PyTree = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = True,
    ) -> tuple[TrainState, dict[str, float]]:
        """One compiled update on one batch; the state is consumed, the logs are those of the batch."""
        check_return_dict(return_dict, "train_on_batch")
        return evaluation.train_on_batch(self, state, x, y, sample_weight, class_weight)

    def test_on_batch(
        self,
        state: TrainState,
        x: PyTree,
        y: PyTree = None,
        sample_weight: PyTree = None,
        return_dict: bool = True,
    ) -> dict[str, float]:
        """The logs of one batch."""
        check_return_dict(return_dict, "test_on_batch")
        return evaluation.test_on_batch(self, state, x, y, sample_weight)

    def predict_on_batch(self, state: TrainState, x: PyTree) -> PyTree:
        """The outputs for one batch, as NumPy arrays."""
        return evaluation.predict_on_batch(self, state, x)

    def lower(self, *batch: PyTree) -> jax.stages.Compiled:
        """The compiled training step for a batch `x[, y[, sample_weight]]` of arrays or specs, without running it.

        Returns:
            What `jax.jit(trainer.train_step).lower(state, batch).compile()` gives: call it, or ask for its
            `cost_analysis()` and `memory_analysis()`.
        """
        state = jax.eval_shape(lambda: self.init(jax.random.key(0), batch[0]))
        return jax.jit(self.train_step, donate_argnums=0).lower(state, pack_x_y_sample_weight(*batch)).compile()

    @property
    def stats(self) -> Stats:
        """The speed of the last `fit`. Raises `ArgumentError` where every call compiled."""
        if not self.programs.calls:
            raise ArgumentError("nothing has been timed yet.", path="Trainer.stats", write="trainer.fit(state, x, y)")
        return summarize(self.programs.calls, self.programs.flops_per_step())

    @functools.cached_property
    def programs(self) -> Programs:
        """The compiled forms of the steps; made when they are first needed."""
        return Programs(self)

    @functools.cached_property
    def found(self) -> Found:
        """What was found for the inputs that were asked for last."""
        return Found()
