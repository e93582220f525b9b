"""Batches of which each process has a part: arrays over the devices of all of them."""

from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding

from jkeras.placement.layout import Layout, put
from jkeras.typing import PyTree


class Uneven:
    """A batch whose parts do not lie as the devices do, to be brought together by a call that all processes make."""

    def __init__(self, batch: PyTree, sizes: list[int]) -> None:
        self.batch, self.sizes = batch, sizes


def joined(layout: Layout, batch: PyTree, sizes: list[int]) -> Any:
    """The batch of all processes from the part of this one, without a word between them; else an `Uneven`.

    Args:
        layout: where batches lie.
        batch: the part of this process.
        sizes: how many examples each process has.
    """
    if any(isinstance(leaf, jax.Array) and not leaf.is_fully_addressable for leaf in jax.tree.leaves(batch)):
        return batch  # it is the whole already
    rows = jax.ShapeDtypeStruct((sum(sizes),), "float32")
    if not _lies_so(layout.of_batch(rows), sizes):
        return Uneven(batch, sizes)

    def whole(leaf: Any) -> jax.Array:
        shape = (sum(sizes), *leaf.shape[1:])
        sharding = layout.of_batch(jax.ShapeDtypeStruct(shape, leaf.dtype))
        made: jax.Array = jax.make_array_from_process_local_data(sharding, np.asarray(leaf), shape)
        return made

    return jax.tree.map(whole, batch)


def _lies_so(sharding: NamedSharding, sizes: list[int]) -> bool:
    """Whether the devices of each process have just the rows that it brings; the answer is the same on all."""
    total, ends = sum(sizes), np.cumsum(sizes)
    places: dict[int, set[tuple[int, int]]] = {}
    device: Any
    for device, (rows,) in sharding.devices_indices_map((total,)).items():
        start, stop, _ = rows.indices(total)
        places.setdefault(device.process_index, set()).add((start, stop))
    for rank, size in enumerate(sizes):
        found = sorted(places.get(rank, {(0, 0)}))
        covered = found[0][0], found[-1][1]
        if covered != (int(ends[rank]) - size, int(ends[rank])) or sum(b - a for a, b in found) != size:
            return False
    return True


def brought_together(layout: Layout, uneven: Uneven) -> PyTree:
    """The batch of all processes, read by each from the others. All call it at the same moment, in the main thread."""
    longest = max(uneven.sizes)

    def whole(leaf: Any) -> Any:
        leaf = np.asarray(leaf)
        padded = np.concatenate([leaf, np.zeros((longest - len(leaf), *leaf.shape[1:]), leaf.dtype)])
        gathered = np.asarray(multihost_utils.process_allgather(padded))  # (processes, longest, ...)
        rows = np.concatenate([part[:size] for part, size in zip(gathered, uneven.sizes, strict=True)])
        return put(rows, layout.of_batch(rows))

    return jax.tree.map(whole, uneven.batch)
