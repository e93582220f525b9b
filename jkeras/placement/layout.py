"""Layout: a placement applied to one model: the spec of each weight, and with it of each leaf of a training's state.

A leaf of a state whose path ends with the path of a weight, and which has the weight's shape, lies as the weight does:
the moments of an optimizer, a moving average. All others (counters, sums of metrics, factored moments) have a copy on
each device. Rejected: `optax.tree_utils.tree_map_params`, which calls the optimizer's `init` on placeholders, which
transformations by path and those that look at shapes do not survive.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding

from jkeras import tree
from jkeras.errors import StateError
from jkeras.jax_compat import is_traced
from jkeras.placement.placement import Placement
from jkeras.placement.specs import Spec, shortest
from jkeras.placement.table import PlacedWeight
from jkeras.typing import PyTree

Tree = TypeVar("Tree")
HOST = "pinned_host"  # JAX's name of the host's memory that a device reads by itself


class Layout:
    """Where the leaves of one model's states lie.

    Args:
        placement: the rules.
        weights: what `placement.weights(model)` gives.
        replicas: how many networks a state holds; `None` for one without an axis for them.

    >>> mesh = jax.make_mesh((1,), ("data",))
    >>> weights = {"dense/kernel": PlacedWeight((4, 2), "float32", Spec("data"))}
    >>> layout = Layout(Placement(mesh), weights)
    >>> state = {"moments": {"dense": {"kernel": np.zeros((4, 2))}}, "count": np.zeros(())}
    >>> jax.tree.map(lambda sharding: sharding.spec, layout.shardings(state))  # an axis of one device splits nothing
    {'count': P(), 'moments': {'dense': {'kernel': P()}}}
    """

    def __init__(self, placement: Placement, weights: Mapping[str, PlacedWeight], replicas: int | None = None) -> None:
        self.placement, self.weights, self.replicas = placement, weights, replicas
        self._known: dict[Any, list[NamedSharding]] = {}

    # -- values

    def shardings(self, state: PyTree) -> PyTree:
        """The sharding of each leaf of a state, or of a part of one: of arrays, specs or traced values."""
        leaves, structure = jax.tree.flatten(state)
        key = structure, tuple(jnp.shape(leaf) for leaf in leaves)
        if key not in self._known:
            found = jax.tree_util.tree_leaves_with_path(state)
            self._known[key] = [self._sharding(tree.key_path(path), jnp.shape(leaf)) for path, leaf in found]
        return jax.tree.unflatten(structure, self._known[key])

    def _sharding(self, path: str, shape: tuple[int, ...]) -> NamedSharding:
        mesh, front = self.placement.mesh, list[str | None]()
        if self.replicas is not None and shape[:1] == (self.replicas,):
            front = [self.placement.replicas]
            shape = shape[1:]
        names = path.split(tree.SEPARATOR)
        tails = (tree.SEPARATOR.join(names[start:]) for start in range(len(names)))
        weights = (self.weights[tail] for tail in tails if tail in self.weights)
        found = next((weight.spec for weight in weights if weight.shape == shape), None)
        spec = shortest([*front, *(found or ())], mesh)
        is_far = found is not None and not set(names[:2]).isdisjoint(self.placement.offload)
        return NamedSharding(mesh, spec, memory_kind=HOST if is_far else None)

    def hold(self, state: Tree) -> Tree:
        """The same traced state, of which the compiler is told where its leaves lie."""
        held: Tree = jax.tree.map(told, state, self.shardings(state))
        return held

    def fetched(self, state: Tree) -> Tree:
        """The same traced state, of which what lies in the host's memory is brought to the device."""

        def fetched(leaf: Any, sharding: NamedSharding) -> Any:
            return leaf if sharding.memory_kind != HOST else told(leaf, NamedSharding(sharding.mesh, sharding.spec))

        near: Tree = jax.tree.map(fetched, state, self.shardings(state)) if self.placement.offload else state
        return near

    def place(self, state: Tree) -> Tree:
        """The same state, each leaf where it belongs; leaves that lie there already are not copied."""
        placed: Tree = jax.tree.map(put, state, self.shardings(state))
        return placed

    def specified(self, state: Tree) -> Tree:
        """The specs of a state with the shardings of its leaves, for what reads a state right into its places."""
        result: Tree = jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
            state,
            self.shardings(state),
        )
        return result

    # -- batches

    def everywhere(self, values: Tree) -> Tree:
        """The values with a copy on each device; those that are spread over these devices stay so."""
        mesh = self.placement.mesh
        devices = set(mesh.devices.flat)

        def copied(leaf: Any) -> Any:
            spread = isinstance(leaf, jax.Array) and not is_traced(leaf) and leaf.sharding.device_set == devices
            return leaf if spread else put(leaf, NamedSharding(mesh, Spec()))

        copies: Tree = jax.tree.map(copied, values)
        return copies

    def split(self, batch: Tree) -> Tree:
        """A traced batch, split along its first axis; one that does not divide has a copy on each device."""
        divided: Tree = jax.lax.with_sharding_constraint(batch, jax.tree.map(self.of_batch, batch))
        return divided

    def put(self, batch: Tree) -> Tree:
        """A batch of the host's on the devices, split along its first axis; see `split`."""
        placed: Tree = jax.tree.map(lambda leaf: put(leaf, self.of_batch(leaf)), batch)
        return placed

    def specified_batch(self, batch: Tree, *, whole: bool = False) -> Tree:
        """The specs of a batch, with the shardings of its arrays; those of `everywhere` where each device has all."""
        copy = NamedSharding(self.placement.mesh, Spec())

        def spec(leaf: Any) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=copy if whole else self.of_batch(leaf))

        result: Tree = jax.tree.map(spec, batch)
        return result

    def of_batch(self, leaf: Any) -> NamedSharding:
        """The sharding of an array of a batch."""
        shape = jnp.shape(leaf)
        divides = bool(shape) and shape[0] > 0 and shape[0] % self.placement.parts == 0
        mesh = self.placement.mesh
        return NamedSharding(mesh, shortest([self.placement.batch], mesh) if divides else Spec())


def check_whole(state: PyTree, path: str, write: str) -> None:
    """Raises `StateError` for a state of which this process has a part only.

    >>> check_whole({"kernel": np.ones(2)}, "ModelCheckpoint", "ModelCheckpoint(writer=write_orbax)")
    """
    for place, leaf in jax.tree_util.tree_leaves_with_path(state):
        if isinstance(leaf, jax.Array) and not (leaf.is_fully_addressable or leaf.is_fully_replicated):
            raise StateError.must(
                "one process must have the whole state to write it",
                f"a part of {tree.key_path(place)}",
                path=path,
                expected="a writer that all processes call",
                write=write,
            )


def told(leaf: Any, sharding: NamedSharding) -> Any:
    """A traced array, of which the compiler is told where it lies, and in which memory.

    >>> sharding = NamedSharding(jax.make_mesh((1,), ("data",)), Spec())
    >>> jax.jit(lambda x: told(x, sharding))(np.ones(2)).tolist()
    [1.0, 1.0]
    """
    moves = sharding.memory_kind == HOST or jax.typeof(leaf).memory_space == jax.memory.Space.Host
    return jax.device_put(leaf, sharding) if moves else jax.lax.with_sharding_constraint(leaf, sharding)


def put(leaf: Any, sharding: NamedSharding) -> Any:
    """An array where a sharding says, without a copy where it lies there already. Several processes give the same.

    >>> sharding = NamedSharding(jax.make_mesh((1,), ("data",)), Spec())
    >>> array = put(np.ones(2), sharding)
    >>> array.sharding == sharding, put(array, sharding) is array
    (True, True)
    """
    if is_traced(leaf):
        return told(leaf, sharding)
    if isinstance(leaf, jax.Array) and leaf.sharding == sharding:
        return leaf
    if sharding.is_fully_addressable:
        return jax.device_put(leaf, sharding)
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        data = put(jax.random.key_data(leaf), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable and not leaf.is_fully_replicated:
        return jax.jit(lambda x: x, out_shardings=sharding)(leaf)
    host = np.asarray(leaf)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])
