"""TrainState: everything that changes while a network trains, as one tree of arrays.

A compiled step reuses the memory of its state: a state that was given to `fit` is consumed, and no two leaves of a
state may share memory.
"""

import dataclasses
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from jkeras.core import Variables
from jkeras.errors import ConsumedStateError, StateError
from jkeras.jax_compat import is_traced
from jkeras.typing import Array, PyTree


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """The values of a training run. A valid carry of `jax.lax.scan`; `vmap` over it makes an ensemble.

    Attributes:
        step: how many updates have been made, int32 scalar.
        trainable, non_trainable: the model's trees.
        opt_state: the optimizer's state.
        metrics: the state of each metric by name, `"loss"` included: sums since the last reset.
        ema: the moving average of `trainable`, where the trainer keeps one; that of half-precision values in float32.
        loss_scale: the state of dynamic loss scaling, where the policy needs it.

    >>> import jax.numpy as jnp
    >>> state = TrainState(jnp.int32(0), {"kernel": jnp.ones(2)}, {}, (), {})
    >>> jax.tree.map(lambda leaf: leaf + 1, state).trainable["kernel"].tolist()
    [2.0, 2.0]
    """

    step: Array
    trainable: dict[str, Any]
    non_trainable: dict[str, Any]
    opt_state: PyTree
    metrics: dict[str, Any]
    ema: PyTree = None
    loss_scale: PyTree = None

    @property
    def variables(self) -> Variables:
        """The model's two trees, as `stateless_call` and `repartition` take them."""
        return Variables(self.trainable, self.non_trainable)

    @property
    def averaged(self) -> "TrainState":
        """The state with the moving average, in their dtypes, for the trainable values; itself where none is kept."""
        if self.ema is None:
            return self
        return self.replace(trainable=jax.tree.map(lambda a, b: a.astype(b.dtype), self.ema, self.trainable))

    def replace(self, **changes: Any) -> "TrainState":
        """A state with some fields replaced."""
        return dataclasses.replace(self, **changes)


def check_alive(state: TrainState, where: str) -> None:
    """Raises `ConsumedStateError` if the buffers of a state were donated to an earlier call."""
    path = _consumed(state)
    if path is not None:
        raise ConsumedStateError(
            "`state` must not be used again: an earlier call consumed it and reused its memory.",
            path=where,
            expected="the state that the earlier call returned",
            received=f"a state whose {path} is deleted",
            write="state, history = trainer.fit(state, x, y)   # keep the state that comes back",
        )


def check_average(state: TrainState, momentum: float | None, path: str) -> None:
    """Raises `StateError` where a state has a moving average and the trainer has no momentum for it, or the reverse.

    >>> check_average(TrainState(0, {}, {}, (), {}), None, "Trainer.apply_gradients(state)")
    """
    if (state.ema is None) == (momentum is None):
        return
    if momentum is None:
        raise StateError(
            "`state.ema` must be None for a trainer without `ema`, which would leave the average as it is.",
            path=path,
            expected="a trainer with `ema`, or a state without",
            received="a state with a moving average",
            write="trainer = trainer.replace(ema=0.99)   # or: state = state.replace(ema=None)",
        )
    half = any(leaf.dtype in ("float16", "bfloat16") for leaf in jax.tree.leaves(state.trainable))
    start = "jax.tree.map(lambda x: x.astype('float32'), state.trainable)" if half else "state.trainable"
    raise StateError(
        f"`state.ema` must not be None for a trainer with `ema={momentum}`, which would keep no average.",
        path=path,
        expected="a state with a moving average, or a trainer without `ema`",
        received="a state without a moving average",
        write=f"state = state.replace(ema={start})   # the average begins as these weights",
    )


def is_alive(state: TrainState) -> bool:
    """Whether no call has reused the memory of a state.

    >>> is_alive(TrainState(0, {}, {}, (), {}))
    True
    """
    return _consumed(state) is None


def save_state(error: BaseException, state: TrainState, **others: Any) -> None:
    """Makes a state and other things attributes of an exception, where it has none of these names yet.

    A state that was consumed is not saved.

    >>> error = ValueError("no more data")
    >>> save_state(error, TrainState(0, {}, {}, (), {}), history="one epoch")
    >>> error.state.step, error.history
    (0, 'one epoch')
    """
    saved = others if _consumed(state) is not None else {"state": state, **others}
    vars(error).update({name: value for name, value in saved.items() if name not in vars(error)})


def _consumed(state: TrainState) -> str | None:
    """The path of the first leaf whose memory was reused."""
    if not any(map(_is_consumed, jax.tree.leaves(state))):  # paths take much longer to write down
        return None
    paths_and_leaves = jax.tree_util.tree_leaves_with_path(state)
    return next(jax.tree_util.keystr(path) for path, leaf in paths_and_leaves if _is_consumed(leaf))


def _is_consumed(leaf: object) -> bool:
    return isinstance(leaf, jax.Array) and not is_traced(leaf) and leaf.is_deleted()


Tree = TypeVar("Tree")


def distinct(tree: Tree) -> Tree:
    """The same tree, where each array has memory of its own: an array that shares another's is copied.

    The state of some optimizers begins as the parameters themselves (schedule-free methods, Prodigy, DoG, SAM), and
    a hook may put one array into two places. JAX refuses to donate such a state.

    Args:
        tree: arrays; other leaves and traced values stay as they are.

    >>> twice = jnp.ones(2)
    >>> one, other = distinct((twice, twice))
    >>> one is twice, other is twice, other.tolist()
    (True, False, [1.0, 1.0])
    """
    seen: set[int] = set()

    def own(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array) or is_traced(leaf) or not leaf.size or leaf.is_deleted():
            return leaf
        addresses = _addresses(leaf)
        if not seen.isdisjoint(addresses):
            return jnp.copy(leaf)
        seen.update(addresses)
        return leaf

    whole: Tree = jax.tree.map(own, tree)
    return whole


def _addresses(array: jax.Array) -> list[int]:
    """Where the pieces of an array lie in memory."""
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    if len(array.devices()) == 1:
        return [array.unsafe_buffer_pointer()]
    return [shard.data.unsafe_buffer_pointer() for shard in array.addressable_shards]


def copied(tree: Tree) -> Tree:
    """The same values in memory of their own, so that both may be donated."""
    result: Tree = jax.tree.map(jnp.copy, tree)
    return result
