"""The state of an optimizer in Keras's files: a list of arrays, of which only the order says what they are.

    0                   iteration: how often the optimizer was called
    1                   learning_rate, unless a schedule gives it
    then                the moving averages of the weights                 use_ema
                        the sums of their gradients                        gradient_accumulation_steps
                        the slots of the method, in rounds over the weights

`LAYOUTS` gives the rounds of each method: the fields of optax's states, under which there is an array for each weight.
What a weight does not have is left out, so Muon's matrices have a momentum and its other weights two moments. A file of
Keras's has no other arrays; the counters that optax keeps follow from the iteration.

Source: the files of Keras 3.15, with which the tests go on training in either direction.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import tree
from jkeras.optimizers import Optimizer
from jkeras.typing import PyTree

Field = tuple[str, str]  # the last attribute on the way to a leaf, and the path from there
Rounds = list[tuple[str, ...]]

LAYOUTS: dict[str, Callable[[Any], Rounds]] = {
    "SGD": lambda optimizer: [("trace",)] if optimizer.momentum else [],
    "Adadelta": lambda optimizer: [("e_g", "e_x")],
    "Adafactor": lambda optimizer: [("factored",)],
    "Adagrad": lambda optimizer: [("sum_of_squares",)],
    "Adam": lambda optimizer: [("mu", "nu"), *([("nu_max",)] if optimizer.amsgrad else [])],
    "Adamax": lambda optimizer: [("mu", "nu")],
    "Ftrl": lambda optimizer: [("accumulator", "linear")],
    "Lamb": lambda optimizer: [("mu", "nu")],
    "Lion": lambda optimizer: [("mu",)],
    "Muon": lambda optimizer: [("trace", "mu", "nu")],
    "Nadam": lambda optimizer: [("mu", "nu"), ("product",)],
    "RMSprop": lambda optimizer: [
        ("nu",),
        *([("-trace",)] if optimizer.momentum else []),  # Keras subtracts its momentum, optax adds it
        *([("mu",)] if optimizer.centered else []),
    ],
    "ScheduleFreeAdamW": lambda optimizer: [("z", "nu")],
}
ONCE = ("product",)  # fields with one array for all weights
ITERATION, RATE, SLOT, SUM, ZERO, OUTER = "iteration", "rate", "slot", "sum", "zero", "outer"
RATE_LEAF = ("hyperparams", "learning_rate")


class Item(NamedTuple):
    """One array of Keras's list.

    Attributes:
        kind: how it is made of our leaves.
        leaves: their names.
        sign: a factor.
    """

    kind: str
    leaves: tuple[str, ...] = ()
    sign: float = 1.0


def fields(state: PyTree) -> dict[Field, str]:
    """The names of the leaves of a state by the last attribute on the way to them, and the path from there.

    >>> import optax
    >>> sorted(fields(optax.trace(0.9).init({"dense": {"kernel": 0.0}})))
    [('trace', 'dense/kernel')]
    """
    found: dict[Field, str] = {}
    for keys, _ in jax.tree_util.tree_leaves_with_path(state):
        last = max((i for i, key in enumerate(keys) if isinstance(key, jax.tree_util.GetAttrKey)), default=None)
        if last is not None:
            found[keys[last].name, tree.key_path(keys[last + 1 :])] = tree.key_path(keys)
    return found


def layout(optimizer: object) -> Rounds | None:
    """The rounds of an optimizer, or `None` where Keras has no form for its state."""
    for cls in type(optimizer).__mro__ if isinstance(optimizer, Optimizer) else ():
        if cls.__name__ in LAYOUTS and cls.__module__.startswith("jkeras."):
            return LAYOUTS[cls.__name__](optimizer)
    return None


def plan(
    optimizer: object, found: Mapping[Field, str], weights: Sequence[tuple[str, int]], average: str | None
) -> list[Item] | None:
    """Keras's list of arrays for the state of an optimizer.

    Args:
        optimizer: of `jkeras.optimizers`.
        found: the `fields` of the state.
        weights: the paths of the trainable weights and their ranks, in Keras's order.
        average: the field of the moving averages, where there are any.

    Returns:
        The items, or `None` where Keras has no form for the state.
    """
    rounds = layout(optimizer)
    if rounds is None or not isinstance(optimizer, Optimizer):
        return None
    items = [Item(ITERATION)]
    if not callable(optimizer.learning_rate):
        items.append(Item(RATE, (found[RATE_LEAF],)))
    if average is not None:
        items += [Item(SLOT, (found[average, path],)) for path, _ in weights]
    if (optimizer.gradient_accumulation_steps or 1) > 1:
        items += [Item(SUM, (found["acc_grads", path], found["mini_step", ""])) for path, _ in weights]
    for names in rounds:
        if names[0] in ONCE:
            items += [Item(SLOT, (found[name, ""],)) for name in names]
            continue
        for path, rank in weights:
            if names == ("factored",):
                items += _factored(found, path, rank)
                continue
            for name in names:
                place = found.get((name.removeprefix("-"), path))
                if place is not None:
                    items.append(Item(SLOT, (place,), -1.0 if name.startswith("-") else 1.0))
    return items


def _factored(found: Mapping[Field, str], path: str, rank: int) -> list[Item]:
    """Adafactor's three arrays of a weight: a row, a column, and the second moment that they make."""
    rows, columns = found["rows", path], found["columns", path]
    if rank < 2:
        return [Item(ZERO), Item(ZERO), Item(SLOT, (rows,))]
    return [Item(SLOT, (rows,)), Item(SLOT, (columns,)), Item(OUTER, (rows, columns))]


def packed(items: Sequence[Item], leaves: Mapping[str, Any], calls: int) -> list[np.ndarray]:
    """The arrays of Keras's list.

    Args:
        items: of the list.
        leaves: the leaves of the state by name.
        calls: how often the optimizer was called.
    """
    return [_packed(item, [np.asarray(leaves[name]) for name in item.leaves], calls) for item in items]


def _packed(item: Item, values: list[np.ndarray], calls: int) -> np.ndarray:
    if item.kind in (ITERATION, ZERO):
        return np.asarray(calls if item.kind == ITERATION else 0, "int32")
    if item.kind == SUM:  # optax keeps the mean of the gradients so far
        return np.asarray(values[0] * values[1].astype(values[0].dtype))
    if item.kind == OUTER:
        rows, columns = values
        mean = rows.mean(-1, keepdims=True)
        of_rows = np.divide(rows, mean, out=np.zeros_like(rows), where=mean > 0)
        return np.asarray(of_rows[..., None] * columns[..., None, :])
    return values[0] if item.sign == 1 else np.asarray(-values[0])


def unpacked(items: Sequence[Item], arrays: Sequence[np.ndarray], summed: int) -> dict[str, np.ndarray]:
    """Our leaves by name, of the arrays of Keras's list; `summed` is the number of gradients in a sum of them."""
    found: dict[str, np.ndarray] = {}
    for item, values in zip(items, arrays, strict=True):
        if item.kind == SUM:
            found[item.leaves[0]] = values / np.asarray(max(summed, 1), values.dtype)
        elif item.kind in (SLOT, RATE):
            found[item.leaves[0]] = values if item.sign == 1 else -values
    return found


def exact(items: Sequence[Item]) -> set[str]:
    """The names of the leaves that the list has to the bit, and that are large."""
    return {item.leaves[0] for item in items if item.kind == SLOT}


def calls_of(optimizer: Optimizer, leaves: Mapping[str, Any], found: Mapping[Field, str]) -> int:
    """How often an optimizer was called, from the counters of its state."""
    every = optimizer.gradient_accumulation_steps or 1
    if every > 1:
        updates, further = found["gradient_step", ""], found["mini_step", ""]
        return int(leaves[updates]) * every + int(leaves[further])
    return int(leaves[found["hyperparams", "learning_rate"].rsplit("/", 2)[0] + "/count"])


def counters(optimizer: Optimizer, initial: Mapping[str, Any], calls: int) -> dict[str, np.ndarray]:
    """The counters that optax keeps, after so many calls of an optimizer.

    Args:
        optimizer: of `jkeras.optimizers`.
        initial: the leaves of its first state by name, which begin with `opt_state/`.
        calls: how often it was called.
    """
    every = optimizer.gradient_accumulation_steps or 1
    updates = calls // every
    found: dict[str, Any] = {}
    for name, leaf in initial.items():
        last = name.rpartition("/")[2]
        if name == "opt_state/count" and optimizer.use_ema:
            found[name] = calls
        elif last in ("count", "step_count", "gradient_step") and np.shape(leaf) == ():
            found[name] = int(leaf) + updates
        elif last == "mini_step":
            found[name] = calls % every
        elif name.endswith("hyperparams/step"):
            found[name] = max(updates, 1)
        elif last == "weight_sum":
            found[name] = updates
        elif name.endswith("hyperparams/learning_rate") and callable(optimizer.learning_rate):
            found[name] = optimizer.learning_rate(jnp.int32(max(updates - 1, 0) * every + every - 1))
        else:
            continue
        found[name] = np.asarray(found[name], np.asarray(leaf).dtype)
    return found
