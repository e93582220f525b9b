"""Trainer: a frozen configuration over a model, an optimizer, losses and metrics, and the pure steps that it means.

    train_step(state, batch) -> (state, logs)      one update
    test_step(state, batch) -> (state, logs)       one batch of evaluation; only `state.metrics` changes
    predict_step(state, batch) -> outputs

The arguments are in `jkeras.training.recipe`, the steps in `jkeras.training.steps`. `fit`, `evaluate` and `predict` (in
`jkeras.training.loop` and `evaluation`) run the steps fast over data. A subclass may override a step, or a piece of it.

The logs of a step are those of its batch. What has been seen since the last reset is in `state.metrics`;
`results(state)` gives its values.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp

from jkeras import late, optimizers
from jkeras.callbacks import Callback, History
from jkeras.core import stateless
from jkeras.data.arrays import pack_x_y_sample_weight
from jkeras.data.source import SourceLike
from jkeras.jax_compat import is_traced
from jkeras.training import evaluation, files, loop, restoring
from jkeras.training.inputs_outputs import spread
from jkeras.training.options import EvaluateOptions, FitOptions, check_return_dict, known_keywords
from jkeras.training.session import Session
from jkeras.training.state import TrainState
from jkeras.training.stats import Stats
from jkeras.training.steps import Steps
from jkeras.training.trainer_states import state_around
from jkeras.typing import Array, ArrayTree, Key, PyTree


class Trainer(Steps):
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
        placement: over which devices values and batches are spread; see `jkeras.distribution`. What n devices compute
            is what one computes, to float rounding.

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

    # -- state

    def init(self, key: Key, *inputs: PyTree) -> TrainState:
        """The state before the first step.

        Args:
            key: draws the model's initial values, exactly as `model.init(key, *inputs)` does.
            inputs: an example batch of inputs or its specs; none for a model that knows its inputs.
        """
        inputs = spread(self.model, inputs)

        def one(key: Key, hyperparameters: dict[str, Array]) -> TrainState:
            state = self.state_of(self.model.init(key, *inputs), *inputs)
            if not hyperparameters:
                return state
            return state.replace(opt_state=optimizers.set_hyperparameters(state.opt_state, **hyperparameters))

        def initial(key: Key) -> TrainState:
            if self.replicas is None:
                return one(key, {})
            values = {name: jnp.asarray(each, "float32") for name, each in self.hyperparameters.items()}
            return jax.vmap(one)(jax.random.split(key, self.replicas), values)

        def placed(key: Key) -> TrainState:
            return self.session.placed(initial(key))

        stateless.as_key(key, "trainer")
        knows_shapes = bool(inputs) or self.model.built
        if is_traced(key) or not self.jit_compile or not knows_shapes:
            return placed(key)
        self.output_spec(*inputs)  # builds the model outside of a trace
        return self.session.initial_state(placed, key)

    def state_of(self, variables: tuple[PyTree, PyTree], *inputs: PyTree) -> TrainState:
        """A state around a copy of given values, such as pretrained ones: step 0, a fresh optimizer, empty metrics.

        A copy, because `fit` reuses the memory of its state.

        Args:
            variables: the trainable and the non-trainable values.
            inputs: as `init` takes them.
        """
        state = state_around(self, variables, self.objective.bind(self.output_spec(*inputs)).empty())
        return state if self.replicas is not None else self.session.placed(state)

    def output_spec(self, *inputs: PyTree) -> PyTree:
        """The shapes and dtypes of the model's outputs, as symbolic tensors.

        Found by running the model for shapes alone, once for inputs of the same shapes and the same layers.
        """
        return self.session.output_spec(inputs)

    def reset_metrics(self, state: TrainState, *inputs: PyTree) -> TrainState:
        """The state with metrics that have seen nothing."""
        return state.replace(metrics=self.session.empty_metrics(self.output_spec(*inputs)))

    def results(self, state: TrainState, *inputs: PyTree) -> dict[str, Array]:
        """The values of the metrics since the last reset."""
        return self.session.metric_values(state.metrics, self.output_spec(*inputs))

    @functools.cached_property
    def session(self) -> Session:
        """What the trainer found out and compiled so far; it is no part of what a trainer is."""
        return Session(self)

    # -- loops

    @known_keywords
    def fit(
        self,
        state: TrainState,
        x: SourceLike | None = None,
        y: ArrayTree | None = None,
        *,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Callback | Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: SourceLike | None = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: ArrayTree | None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        seed: int = 0,
        rare_gc: bool = True,
        data: str = "whole",
    ) -> tuple[TrainState, History]:
        """Trains on arrays, or on what yields batches.

        Args:
            state: consumed: its memory is reused, and only the returned state is valid afterwards.
            x, y: arrays, or structures of arrays with one length. A model whose `call` must be given several arguments
                takes them from `x`: a tuple or list in their order, or a dict by their names.
            batch_size: examples per update; 32 by default. The last batch of an epoch may be smaller.
            epochs: the final epoch index, exclusive.
            verbose: 0 for silence, 1 for a live bar, 2 for a line per epoch, `"auto"` for what suits the output.
            callbacks: functions of the state, see `jkeras.callbacks`.
            validation_split: the fraction of the last examples that is set aside for validation, before shuffling.
            validation_data: `(x, y)` or `(x, y, sample_weight)`, or what yields batches; it replaces
                `validation_split`. It is looked at, and its evaluation is traced, before the first step.
            shuffle: whether each epoch has an order of its own.
            class_weight: `{class: weight}`, for training only.
            sample_weight: a weight per example.
            initial_epoch: the index of the first epoch.
            steps_per_epoch: batches per epoch; all by default.
            validation_steps, validation_batch_size: the same for validation. Each evaluation begins again, so that
                all see the same batches; a generator, which is read once, goes on where the last evaluation ended.
            validation_freq: validate every so many epochs, or after the epochs whose numbers (from 1) are listed.
            seed: of the orders; the order of an epoch depends on it and the epoch's index alone.
            rare_gc: whether Python's garbage collector runs more rarely while training: after 50,000 allocations,
                every 5 s and after each epoch. `False` leaves it alone.
            data: with a placement over several processes, whether arrays are the `"whole"` data, the same on all, or
                `"local"`: each process has a part, and brings its share of each batch. What yields batches always
                yields the part of its process.

        Returns:
            The trained state, and a `History` whose `history` has a list per logged value.

        Raises:
            ConsumedStateError: the state was consumed before.
            DataError: data that cannot be batched, or labels that are not valid for the loss. Before any work is done.
            ArgumentError: an option out of range.
            ProcessesError: the processes of a placement differ in what they give, or another one has failed.
            Exception: of the data, a callback, a worker. Whatever is raised has the attributes `state`, the state after
                the last finished step, and `history`, the epochs until then.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "state", "x", "y")}
        return loop.fit(self.session, state, x, y, FitOptions(**given))

    @known_keywords
    def evaluate(
        self,
        state: TrainState,
        x: SourceLike | None = None,
        y: ArrayTree | None = None,
        *,
        batch_size: int | None = None,
        sample_weight: ArrayTree | None = None,
        steps: int | None = None,
        verbose: int | str = "auto",
        callbacks: Callback | Sequence[Callback] | None = None,
        return_dict: bool = True,
        data: str = "whole",
    ) -> dict[str, float]:
        """The loss and metrics over arrays, with `training=False`. The state is not consumed. `data` as in `fit`.

        >>> import numpy as np, jax, jkeras
        >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, kernel_initializer="ones")])
        >>> trainer = Trainer(model, loss="mse")
        >>> trainer.evaluate(trainer.init(jax.random.key(0)), np.ones((4, 2), "float32"), np.ones((4, 1), "float32"))
        {'loss': 1.0}
        """
        check_return_dict(return_dict, "evaluate")
        options = EvaluateOptions(batch_size, sample_weight, steps, verbose, callbacks, data)
        return evaluation.evaluate(self.session, state, x, y, options)

    @known_keywords
    def predict(
        self,
        state: TrainState,
        x: SourceLike,
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
        return evaluation.predict(self.session, state, x, EvaluateOptions(batch_size, None, steps, verbose, callbacks))

    def train_on_batch(
        self,
        state: TrainState,
        x: ArrayTree,
        y: ArrayTree | None = None,
        sample_weight: ArrayTree | None = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = True,
    ) -> tuple[TrainState, dict[str, float]]:
        """One compiled update on one batch; the state is consumed, the logs are those of the batch."""
        check_return_dict(return_dict, "train_on_batch")
        return evaluation.train_on_batch(self.session, state, x, y, sample_weight, class_weight)

    def test_on_batch(
        self,
        state: TrainState,
        x: ArrayTree,
        y: ArrayTree | None = None,
        sample_weight: ArrayTree | None = None,
        return_dict: bool = True,
    ) -> dict[str, float]:
        """The logs of one batch."""
        check_return_dict(return_dict, "test_on_batch")
        return evaluation.test_on_batch(self.session, state, x, y, sample_weight)

    def predict_on_batch(self, state: TrainState, x: ArrayTree) -> PyTree:
        """The outputs for one batch, as NumPy arrays."""
        return evaluation.predict_on_batch(self.session, state, x)

    def save(self, path: str | os.PathLike[str], state: TrainState) -> None:
        """Writes the model, how it is trained, and the state of the training into a `.keras` file.

        `load` reads it to the bit. In Keras, `keras.models.load_model(path)` has a compiled model that trains on: with
        the same losses, metrics, optimizer and the optimizer's state, `ema` and dynamic loss scaling included. Of an
        optax transformation Keras has nothing, and loads the model alone.

        Args:
            path: of the file, which ends in `.keras`; one that exists is replaced, in one step.
            state: of one network; it is not consumed.

        Raises:
            ArgumentError: the path ends otherwise.
            StateError: the state is not a state of this trainer, or has replicas.
            SerializationError: a part has no config, such as a lambda.
            FileWriteError: the file cannot be written.

        >>> import tempfile, jax, jkeras
        >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
        >>> trainer = Trainer(model, "adam", "mse")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trainer.save(f"{folder}/a.keras", trainer.init(jax.random.key(0)))
        ...     again, state = Trainer.load(f"{folder}/a.keras")
        >>> again.objective.loss, int(state.step)
        ('mse', 0)
        """
        files.save(self, path, state)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        custom_objects: Mapping[str, Any] | None = None,
        *,
        key: Key | None = None,
        **changes: Any,
    ) -> tuple[Self, TrainState]:
        """The trainer of a `.keras` file and its state, of ours or of Keras's.

        A file of Keras's has neither the states of metrics nor those of random generators: metrics begin empty.

        Args:
            path: of the file, or of a folder with the same members.
            custom_objects: classes and functions by name.
            key: draws the states of random generators that the file does not have.
            changes: arguments of the trainer in place of the file's; an optax transformation must be given again.

        Returns:
            `(trainer, state)`.

        Raises:
            FileNotFoundError: there is no file.
            UnsafeFileError: the file holds what does not belong there.
            DamagedFileError: it is not whole.
            UnknownNameError: a class or function is not known.
            ConfigError: the model in the file was never compiled.
            LeafError: the weights or the optimizer's state are not those of the model.
        """
        return files.load(cls, path, custom_objects, key, changes)

    def restore(self, path: str | os.PathLike[str], *inputs: PyTree) -> TrainState:
        """The state in a file of a training, or in the newest good file of a folder of such files.

        Args:
            path: what `save`, `ModelCheckpoint`, `BackupAndRestore`, `write_state` or `write_orbax` wrote, or a folder
                of such files. The newest is the one with the most steps. Files that cannot be read are renamed to
                `*.damaged`, with a warning, when another can be.
            inputs: as `init` takes them.

        Raises:
            FileNotFoundError: there is no such file.
            DamagedFileError: no file can be read; all stay as they are.
            LeafError: the file has the state of another network or optimizer.
        """
        return self.session.placed(restoring.restore(self, path, inputs))

    def lower(self, *batch: PyTree) -> jax.stages.Lowered:
        """The lowered training step for a batch `x[, y[, sample_weight]]` of arrays or specs, without compiling it.

        Returns:
            What `jax.jit(trainer.train_step).lower(state, batch)` gives: its `as_text()`, its `cost_analysis()`, and
            `compile()`, which gives the program with its `memory_analysis()`. So the times of tracing and lowering, and
            of compiling, can be read apart. With a placement it is the program for all of its devices.
        """
        state = jax.eval_shape(lambda: self.init(jax.random.key(0), batch[0]))
        lowered: jax.stages.Lowered = self.session.trace(state, pack_x_y_sample_weight(*batch)).lower()
        return lowered

    def plan(self, topology: str, batch: PyTree, placement: Any = None, *, mesh_shape: Any = None) -> Any:
        """A step compiled for a machine that need not be there, `"v5p:4x4x8"` or `"h100:8"`: `jkeras.plan.Plan`.

        Args:
            topology: the machine; see `jkeras.plan.machines`.
            batch: `(x, y)` of arrays or specs, or the shape of a batch of tokens.
            placement: a function from a mesh to a placement, or one whose rules are taken; by default the trainer's.
            mesh_shape: sizes by axis, such as `{"data": 16, "model": 4}`; by default one axis over all devices.

        Raises:
            UnknownNameError, PlacementError: no such machine, too few devices.
            MissingExtraError: JAX's plug-in is not installed, which compiles for such machines without having one.
        """
        return late.plan.plan_training(self, topology, batch, placement, mesh_shape=mesh_shape)

    @property
    def stats(self) -> Stats:
        """The speed of the last `fit`. Raises `ArgumentError` where every call compiled."""
        return self.session.stats()
