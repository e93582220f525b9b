"""Statistics of a batch that is in pieces.

Under `jax.jit` an array is whole, however it is sharded, and its mean is that of the whole batch. Under `jax.vmap` and
`jax.shard_map` a layer sees one piece. The mean over all pieces is a collective over the name of the mapped axis.
"""

from collections.abc import Sequence

import jax
from jax import lax

from jkeras.core.scope import in_building_scope
from jkeras.errors import ArgumentError

DEFAULT_AXIS = "batch"

Synchronized = bool | str | tuple[str, ...]


def check_synchronized(value: object, owner: str) -> Synchronized:
    """A bool, a name, or a tuple of names.

    >>> check_synchronized(["data", "model"], "BatchNormalization")
    ('data', 'model')
    """
    if isinstance(value, bool) or (isinstance(value, str) and value):
        return value
    if isinstance(value, Sequence) and value and all(isinstance(name, str) and name for name in value):
        return tuple(value)
    raise ArgumentError(
        "`synchronized` must be a bool or the names of mapped axes.",
        path=owner,
        expected="True, False, the name of a mapped axis, or several",
        received=repr(value),
        write=f'{owner}(..., synchronized="batch")   # jax.vmap(step, axis_name="batch")',
    )


def named_axes(synchronized: Synchronized, path: str) -> tuple[str, ...]:
    """The mapped axes over which statistics are taken, here and now.

    A name that was given has to be one of a mapped axis. `True` asks for `"batch"` where there is such an axis; where
    there is none the batch is whole, unless a `shard_map` has other axes, which is an error.

    >>> named_axes(False, "norm"), named_axes(True, "norm")
    ((), ())
    >>> jax.vmap(lambda x: x + len(named_axes(True, "norm")), axis_name="batch")(jax.numpy.zeros(2)).tolist()
    [1.0, 1.0]
    """
    if synchronized is False or in_building_scope():
        return ()
    names = (synchronized,) if isinstance(synchronized, str) else synchronized
    unknown = [name for name in ((DEFAULT_AXIS,) if names is True else names) if not _is_mapped(name)]
    others = jax.sharding.get_abstract_mesh().manual_axes
    if names is True:
        if not unknown:
            return (DEFAULT_AXIS,)
        if not others:
            return ()
    elif not unknown:
        return names
    raise ArgumentError(
        f"`synchronized` must name mapped axes, and none is named {' or '.join(map(repr, unknown))}.",
        path=path,
        expected=f"one of {others}" if others else "the axis_name of a vmap, or a manual axis of a mesh",
        received=f"synchronized={synchronized!r}",
        write='jax.vmap(step, axis_name="batch")',
    )


def _is_mapped(name: str) -> bool:
    try:
        lax.axis_size(name)
    except NameError:  # what JAX raises for a name that is not bound
        return False
    return True
