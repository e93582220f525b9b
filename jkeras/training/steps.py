"""Steps: the pure functions of a trainer, composed of pieces that a subclass may override.

    train_step(state, batch)
        gradients, forward = compute_gradients(state, batch)        -- through compute_loss
        state, logs        = apply_gradients(state, gradients, forward, batch)
        metrics of the batch                                        -- and compute_metrics

An override of one piece keeps all others: metrics, accumulation, moving averages, loss scaling, constraints, norms,
replicas. They are functions of arrays, so `jit`, `vmap`, `scan` and `grad` apply to them as they are.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jkeras.core import Scope, stateless
from jkeras.data.arrays import Batch, batch_size_of, unpack_x_y_sample_weight
from jkeras.errors import ArgumentError
from jkeras.losses.entries import check_values
from jkeras.optimizers.transformations import widen
from jkeras.placement import Pins
from jkeras.training.accumulation import accumulated
from jkeras.training.forward import Data, Forward, Share
from jkeras.training.inputs_outputs import call_arguments
from jkeras.training.objective import BoundObjective, Terms
from jkeras.training.recipe import Recipe
from jkeras.training.state import TrainState, check_average
from jkeras.training.updates import all_finite, next_scale, offered, select, updates_of
from jkeras.typing import Array, ArrayLike, ArrayTree, PyTree, Tree

Logs = dict[str, Array]


class Steps(Recipe):
    """The steps of a `Trainer`; the loops know no more of it than this."""

    # -- pieces

    def compute_loss(
        self,
        x: PyTree,
        y: PyTree,
        y_pred: PyTree,
        sample_weight: PyTree,
        training: bool = True,
    ) -> Array:
        """The scalar that training minimises, before the model's own penalties are added.

        By default the weighted sum of the configured losses. `jkeras.get_mask(y_pred)` gives the outputs' mask.

        Of an override only this number is known: over several batches, and over the parts of an accumulated gradient,
        it is a mean weighed by examples. The configured losses are divided by what counts in all of them together.

        Args:
            x, y, sample_weight: the batch.
            y_pred: the outputs of the model.
            training: whether the pass belongs to a training step.
        """
        bound = self.objective.bind_batch(y_pred, y)
        return bound.total(bound.terms(sample_weight))

    def compute_gradients(self, state: TrainState, batch: PyTree) -> tuple[PyTree, Forward]:
        """The gradient of the loss of a batch with respect to `state.trainable`, and the pass through the model.

        With `gradient_accumulation_steps=n` the batch goes through in `n` parts; the gradient is that of the whole.
        A dynamic loss scale is taken out again. That of an optimizer with `loss_scale_factor` stays in: the optimizer
        divides by it.

        Args:
            state: before the update.
            batch: as `train_step` takes it.

        Returns:
            A tree like `state.trainable`, and a `Forward`: the outputs, the losses' sums, the model's new values.
            Of the passes on single examples or other parts, stacked by `jax.vmap`, `jkeras.training.joined` makes one.
        """
        data = unpack_x_y_sample_weight(batch)
        if self.gradient_accumulation_steps == 1:
            return self._gradient(state, state.non_trainable, data)
        return accumulated(
            self.gradient_accumulation_steps,
            lambda *part: self._gradient(state, *part),
            lambda non_trainable, part: self._forward(state.trainable, non_trainable, part, training=True),
            self._whole_loss,
            state,
            data,
        )

    def apply_gradients(
        self, state: TrainState, gradients: Tree, forward: Forward | None = None, batch: PyTree = None
    ) -> tuple[TrainState, Logs]:
        """The state after an update with these gradients, its metrics untouched, and the logs of the update.

        Args:
            state: before the update.
            gradients: a tree like `state.trainable`.
            forward: the pass that they come from. Its non-trainable values become the state's, and the optimizer may
                ask for its loss.
            batch: that of the pass, for optimizers that evaluate the loss at other parameters.

        Returns:
            The state, and what `log_norms` and `skip_nonfinite` add to the logs.

        Raises:
            ArgumentError: the trainer has no optimizer.
            StateError: one of the state and the trainer has a moving average, and the other none.
        """
        if self.optimizer is None:
            raise ArgumentError(
                "`optimizer` must not be None for a training step.",
                path="Trainer(optimizer=)",
                expected="an optimizer",
                received="None",
                write="Trainer(model, optimizer='adam', ...)",
            )
        extra = {} if forward is None else self._extra_arguments(state, gradients, forward, batch)
        with jax.named_scope("optimizer"):
            updates, opt_state = updates_of(self.optimizer, gradients, state.opt_state, state.trainable, extra)
            trainable = optax.apply_updates(state.trainable, updates)
            trainable = stateless.constrain(self.model.structure(), trainable)
        non_trainable = state.non_trainable if forward is None else forward.non_trainable
        new = state.replace(step=state.step + 1, trainable=trainable, non_trainable=non_trainable, opt_state=opt_state)
        check_average(state, self.ema, f"{type(self).__name__}.apply_gradients(state)")
        if self.ema is not None:
            new = new.replace(ema=optax.incremental_update(widen(trainable), state.ema, 1 - self.ema))
        logs: Logs = {}
        if self.log_norms:
            logs = {"gradient_norm": optax.tree.norm(gradients), "update_norm": optax.tree.norm(updates)}
        if self.skip_nonfinite or state.loss_scale is not None:
            finite = all_finite(gradients)
            new = select(finite, new, state)
            if self.skip_nonfinite:
                logs["skipped"] = 1.0 - finite.astype("float32")
            if state.loss_scale is not None:
                new = new.replace(loss_scale=next_scale(state.loss_scale, finite))
        return new, logs

    def compute_metrics(self, x: PyTree, y: PyTree, y_pred: PyTree, sample_weight: PyTree) -> Logs:
        """Further entries of a batch's logs, scalars; those of an epoch are their means. By default none.

        Runs in the scope of the model's call, so parts of the model can be called.

        Args:
            x, y, sample_weight: the batch.
            y_pred: the outputs of the model.
        """
        return {}

    # -- steps

    def train_step(self, state: TrainState, batch: PyTree) -> tuple[TrainState, Logs]:
        """One update: the next state, and the loss and metrics of the batch.

        Args:
            state: the state now.
            batch: `(x, y)`, `(x, y, sample_weight)`, or `x` for a model whose loss needs no labels.
        """
        gradients, forward = self.compute_gradients(state, batch)
        new, logs = self.apply_gradients(state, gradients, forward, batch)
        metrics, measured = self._measure(state, unpack_x_y_sample_weight(batch), forward, training=True)
        if self.skip_nonfinite:  # one NaN would spoil the sums of a whole epoch
            metrics = select(jnp.isfinite(forward.loss), metrics, state.metrics)
        return new.replace(metrics=metrics), {**measured, **logs}

    def test_step(self, state: TrainState, batch: PyTree) -> tuple[TrainState, Logs]:
        """One batch of evaluation: the state with its metrics updated, and the loss and metrics of the batch."""
        data = unpack_x_y_sample_weight(batch)
        forward = self._forward(state.trainable, state.non_trainable, data, training=False)
        metrics, logs = self._measure(state, data, forward, training=False)
        return state.replace(metrics=metrics), logs

    def predict_step(self, state: TrainState, batch: PyTree) -> PyTree:
        """The outputs for one batch."""
        x, _, _ = unpack_x_y_sample_weight(batch)
        inputs = call_arguments(self.model, x)
        return self.model.run(state.trainable, state.non_trainable, inputs, {}, training=False, pins=self._pins(x))[0]

    def overrides(self, method: str) -> bool:
        """Whether a subclass has a method of its own in place of one of these.

        Two things depend on it. Of an overridden `compute_loss` the sums and counts are not known. What the batches
        and the logs of an overridden `train_step` mean is known to it alone.
        """
        return getattr(type(self), method) is not getattr(Steps, method)

    # -- what the pieces are made of

    def _pins(self, x: PyTree) -> Pins | None:
        return None if self.placement is None else Pins(self.placement, batch_size_of(x))

    def _forward(
        self, trainable: Tree, non_trainable: Tree, data: Data, *, training: bool, share: Share | None = None
    ) -> Forward:
        """The model and the loss on a batch; the loss of a part is its summand of the whole batch's."""
        x, y, sample_weight = data
        y_pred, non_trainable, scope, structure = self.model.run(
            trainable,
            non_trainable,
            call_arguments(self.model, x),
            {},
            training=training,
            pins=self._pins(x),
            origins=self.objective.asks_for_origins,
        )
        terms: Terms = {}
        rest: list[Array] = []
        with scope.open(), jax.named_scope("loss"):
            bound, own = self.objective.bind_batch(y_pred, y), self.overrides("compute_loss")
            if own:
                value = self.compute_loss(x, y, y_pred, sample_weight, training=training)
                rest = [as_scalar(value, f"{type(self).__name__}.compute_loss")]
            if not own or len(bound.loss_keys) > 1:
                terms = bound.terms(sample_weight)
            rest += [*scope.losses.values(), *stateless.penalties(structure, scope.values).values()]
            others = sum(rest[1:], rest[0]) if rest else None
            loss = self._total(bound, terms, others, share)
        masks = [scope.mask_of(leaf) for leaf in jax.tree.leaves(y_pred)]
        return Forward(loss, y_pred, masks, non_trainable, terms, others)

    def _gradient(
        self, state: TrainState, non_trainable: Tree, data: Data, share: Share | None = None
    ) -> tuple[PyTree, Forward]:
        """The gradient of the loss on a batch or a part of one."""
        fixed = getattr(self.optimizer, "loss_scale_factor", None)  # the optimizer divides by this one itself
        dynamic = None if state.loss_scale is None else state.loss_scale["scale"]

        def objective(trainable: Tree) -> tuple[Array, Forward]:
            forward = self._forward(trainable, non_trainable, data, training=True, share=share)
            loss = forward.loss
            for scale in (fixed, dynamic):
                loss = loss if scale is None else loss * scale
            return loss, forward

        gradients, forward = jax.grad(objective, has_aux=True)(state.trainable)
        if dynamic is not None:
            inverse = 1 / dynamic
            gradients = jax.tree.map(lambda leaf: leaf * inverse.astype(leaf.dtype), gradients)
        return gradients, forward

    def _total(self, bound: BoundObjective, terms: Terms, rest: Array | None, share: Share | None = None) -> Array:
        """The loss of terms and of what is minimised beside them, or a part's summand of it."""
        loss = jnp.zeros((), "float32")
        if not self.overrides("compute_loss"):
            shared = terms if share is None else {key: (total, share.counts[key]) for key, (total, _) in terms.items()}
            loss = bound.total(shared)
        if rest is not None:
            loss = loss + (rest if share is None else rest * share.fraction)
        return jnp.asarray(loss, "float32")

    def _whole_loss(self, terms: Terms, rest: Array | None, y_pred: ArrayTree) -> Array:
        """The loss of a batch whose parts have been added up."""
        return self._total(self.objective.bind(y_pred), terms, rest)

    def _measure(self, state: TrainState, data: Data, forward: Forward, *, training: bool) -> tuple[PyTree, Logs]:
        """The metrics' states with the batch added, and the logs of the batch.

        `compute_metrics` runs in the scope of the model's call, as `compute_loss` does: with the values before the
        update.
        """
        x, y, sample_weight = data
        structure = self.model.structure()
        values = stateless.bind(structure, state.trainable, forward.non_trainable, self.model.name).values
        scope = Scope(values, structure.paths, context={"training": training})
        for leaf, mask in zip(jax.tree.leaves(forward.y_pred), forward.masks, strict=True):
            scope.set_mask(leaf, mask)
        with scope.open(), jax.named_scope("metrics"):
            bound, counted = self.objective.bind_batch(forward.y_pred, y), not self.overrides("compute_loss")
            batch = bound.measure(sample_weight, forward.terms, forward.rest, batch_size_of(x), counted=counted)
            extra = self.compute_metrics(x, y, forward.y_pred, sample_weight)
            return bound.merge(state.metrics, batch), {**bound.results(batch), **extra}

    def _extra_arguments(self, state: TrainState, gradients: Tree, forward: Forward, batch: Batch) -> dict[str, Any]:
        """What optimizers may ask of a step besides gradients and parameters."""

        def loss(params: Tree) -> Array:
            at = state.replace(trainable=params)
            if self.gradient_accumulation_steps > 1:  # in parts; XLA leaves the gradients out
                return Steps.compute_gradients(self, at, batch)[1].loss
            return self._forward(params, state.non_trainable, unpack_x_y_sample_weight(batch), training=True).loss

        def gradient(params: Tree) -> PyTree:
            return self.compute_gradients(state.replace(trainable=params), batch)[0]

        return offered(forward.loss, gradients, loss, gradient)


def as_scalar(loss: ArrayLike, path: str) -> Array:
    """The loss that a method returned, in float32.

    Raises:
        ArgumentError: it is not one number.
    """
    check_values(loss, path)
    loss = jnp.asarray(loss, "float32")
    if loss.ndim:
        raise ArgumentError(
            "the loss must be a scalar.",
            path=path,
            expected="a scalar",
            received=f"shape {loss.shape}",
            write="return jnp.mean(values)",
        )
    return loss


__all__ = ["Logs", "Steps"]
