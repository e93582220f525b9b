"""Stack: n copies of one block, run as a loop over stacked weights.

The block is traced and compiled once, whatever the depth. Its variables are declared once more with a leading axis of
length n; the block itself declares only what one copy has.
"""

import functools
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, registry, tree
from jkeras.core import Layer, Variable, Variables
from jkeras.core.options import LayerOptions
from jkeras.core.scope import Scope, require
from jkeras.core.structure import Component
from jkeras.errors import ShapeError
from jkeras.layers.composition.checkpoint_policy import Policy, checkpoint_policy
from jkeras.layers.core.wrapper import check_wrapped
from jkeras.typing import Array, ArrayTree, Config, DType, Key, PyTree

BLOCK = "block"


class StackedInitializer:
    """The initial values of n copies of a variable, each drawn with a key of its own."""

    def __init__(self, variable: Variable, n: int) -> None:
        self.variable, self.n = variable, n

    def __call__(self, shape: tuple[int, ...], dtype: DType | None = None, *, key: Key) -> Array:
        return jax.vmap(self.variable.initialize)(jax.random.split(key, self.n))


class Mirror(Component):
    """A component of the block, with stacked variables in place of its own."""

    def __init__(self, source: Component, n: int, made: dict[Any, Any]) -> None:
        self.source, self.n, self.made = source, n, made
        self.is_random_stream, self.draws_together = source.is_random_stream, source.draws_together
        made[source] = self

    @property
    def origin(self) -> Component:
        """The block's component."""
        return self.source.origin

    @property
    def trainable(self) -> bool:  # type: ignore[override]
        """Whether the block's component is."""
        return self.source.trainable

    def components(self) -> Iterator[tuple[str, Component | Variable]]:
        """The stacked parts, under the names that the block gives them."""
        yield from ((name, _mirrored(part, self.n, self.made)) for name, part in self.source.components())

    def draw_together(self, key: Key) -> dict[Variable, Array]:
        """The initial values that the block's component draws together, each copy with a key of its own."""
        variables = [part for _, part in self.source.components() if isinstance(part, Variable)]

        def draw(key: Key) -> list[Array]:
            drawn = self.source.draw_together(key)
            return [drawn[variable] for variable in variables]

        values = jax.vmap(draw)(jax.random.split(key, self.n))
        return {self.made[variable]: value for variable, value in zip(variables, values, strict=True)}


def _mirrored(part: Component | Variable, n: int, made: dict[Any, Component | Variable]) -> Component | Variable:
    if part not in made:
        made[part] = StackedVariable(part, n) if isinstance(part, Variable) else Mirror(part, n, made)
    return made[part]


class StackedVariable(Variable):
    """The declaration of n copies of a variable. Penalties are summed over them, constraints hold for each."""

    def __init__(self, variable: Variable, n: int) -> None:
        self.source = variable
        regularizer, constraint = variable.regularizer, variable.constraint
        super().__init__(
            StackedInitializer(variable, n),
            (n, *variable.shape),
            variable.declared_dtype,
            trainable=not variable.assignable,
            autocast=variable.autocast,
            regularizer=None if regularizer is None else functools.partial(_summed, regularizer),
            constraint=None if constraint is None else functools.partial(_each, constraint),
        )

    @property
    def origin(self) -> Variable:
        """The block's variable."""
        return self.source.origin

    @property
    def trainable(self) -> bool:
        """Whether the block's variable is."""
        return self.source.trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self.source.trainable = value


def _summed(penalty: Callable[[Array], Array], values: Array) -> Array:
    return jnp.sum(jax.vmap(penalty)(values))


def _each(projection: Callable[[Array], Array], values: Array) -> Array:
    return jax.vmap(projection)(values)


@registry.export("jkeras.layers")
class Stack(Layer):
    """`outputs = block_n(... block_2(block_1(inputs)))`: n copies of a block with weights of their own.

    One `jax.lax.scan` over weights with a leading axis of length n, so depth costs no compile time. The leaf
    `block/dense/kernel` of n copies has the shape `(n, *kernel.shape)`; each copy draws its own initial values and has
    its own random numbers. Weights that are only read are never copied by the loop.

    Args:
        block: a layer that returns what it is given: the same shape and dtype.
        n: how many copies, at least 1.
        remat: whether what happens inside a copy is computed again for gradients: `True`, or a policy of `Remat`, which
            says what is kept nevertheless, on the device or on the host.
        unroll: how many copies one turn of the loop runs.

    Shapes:
        That of the block's input -> the same. Further arguments are those of the block, the same for each copy; a mask
        passes through all of them.

    Raises:
        ArgumentError: `n` or `unroll` is not a positive int, `block` is no layer, or the policy takes other arguments.
        ShapeError: the block returns another shape or dtype.
        UnknownNameError: there is no such policy.

    >>> import jax, jax.numpy as jnp
    >>> from jkeras import layers
    >>> layer = Stack(layers.Dense(2, use_bias=False, kernel_initializer="ones"), n=3)
    >>> variables = layer.init(jax.random.key(0), (1, 2))
    >>> variables.trainable["block"]["kernel"].shape
    (3, 2, 2)
    >>> layer.stateless_call(*variables, jnp.array([[1.0, 2.0]]))[0].tolist()
    [[12.0, 12.0]]

    Source: `jax.lax.scan` over layers; the definition.
    """

    allows_python_arguments = True
    _hidden = Layer._hidden | {"_mirror", "_made"}

    def __init__(
        self, block: Layer, n: int, remat: bool | Policy = False, unroll: int = 1, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("n", n), ("unroll", unroll)):
            arguments.positive_int(
                value, name, f"Stack({name}=)", f"Stack(block, n=4, {name}=1)" if name != "n" else "Stack(block, n=4)"
            )
        checkpoint_policy(None if isinstance(remat, bool) else remat, "Stack(remat=)")
        self.block, self.n, self.remat, self.unroll = check_wrapped(block, "Stack"), n, remat, unroll
        self.autocast = False  # the block casts its own inputs
        self.supports_masking = block.supports_masking
        self._mirror: Mirror | None = None
        self._made: dict[Any, Any] = {}

    def _parts_are_built(self) -> bool:
        return False  # those of the block are not the stacked ones

    def components(self) -> Iterator[tuple[str, Component | Variable]]:
        """The block's parts, stacked."""
        if self._mirror is not None:
            yield BLOCK, self._mirror
        yield from ((name, part) for name, part in super().components() if part is not self.block)

    # -- running

    def call(self, inputs: Array, *shared: PyTree, mask: PyTree = None, **kwargs: Any) -> Array:
        scope = require("Stack", "stack.stateless_call(*variables, x)")
        kwargs = kwargs if mask is None else {**kwargs, "mask": mask}
        own = scope.path_of(self)
        if scope.building:
            scope.paths.setdefault(self.block, tree.join(own, BLOCK))
            outputs = self.block(inputs, *shared, **kwargs)
            if self._mirror is None:
                self._mirror = Mirror(self.block, self.n, self._made)
            return self._checked(inputs, outputs)
        return self._scan(scope, own, inputs, shared, kwargs)

    def _scan(self, outer: Scope, own: str, inputs: Array, shared: tuple[Any, ...], kwargs: dict[str, Any]) -> Array:
        structure = self.block.structure()
        variables = list(structure.declarations)
        assignable = [variable for variable in variables if variable.assignable]
        block = tree.join(own, BLOCK)
        paths = {part: tree.join(block, path) if path else block for part, path in structure.paths.items()}

        def copy(x: Array, turn: tuple[list[Array], Any, dict[str, PyTree]]) -> tuple[Array, Any]:
            values, index, replaced = turn
            inner = outer.inside(dict(zip(variables, values, strict=True)))
            inner.paths.update(paths)
            if outer.probe is not None:
                inner.probe = outer.probe.turn(block, index, replaced)
            with inner.open():
                inner.set_mask(x, outer.mask_of(inputs))
                outputs = self._checked(x, self.block(x, *shared, **kwargs))
            return outputs, ([inner.values[variable] for variable in assignable], inner.losses, inner.captured)

        if self.remat:
            policy = checkpoint_policy(None if isinstance(self.remat, bool) else self.remat, own)
            copy = jax.checkpoint(copy, policy=policy, prevent_cse=False)
        stored = [outer.stored(self._made[variable]) for variable in variables]  # (n, ...) each
        turns = (None, {}) if outer.probe is None else (jnp.arange(self.n), outer.probe.stacked(block))
        outputs, (updates, losses, captured) = jax.lax.scan(
            copy, inputs, (stored, *turns), length=self.n, unroll=self.unroll
        )
        for variable, value in zip(assignable, updates, strict=True):
            outer.write(self._made[variable], value)
        for path, loss in losses.items():
            outer.add_loss(path, jnp.sum(loss, axis=0))
        outer.capture(captured)
        return outputs

    def _checked(self, inputs: Array, outputs: Array) -> Array:
        same = hasattr(outputs, "shape") and (outputs.shape, outputs.dtype) == (inputs.shape, inputs.dtype)
        if not same:
            raise ShapeError(
                "the block must keep the shape and dtype of its input, because it is applied to its own output.",
                path=self._label,
                expected=f"{inputs.dtype}{list(inputs.shape)}",
                received=f"{outputs.dtype}{list(outputs.shape)}"
                if hasattr(outputs, "shape")
                else type(outputs).__name__,
                write="Stack(Residual(block), n=4)   # keeps shape and dtype",
            )
        return outputs

    def compute_mask(self, inputs: ArrayTree, previous_mask: PyTree = None) -> PyTree:
        return self.block.compute_mask(inputs, previous_mask)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The stack of a config, with the block of the config in it."""
        return super().from_config({**config, BLOCK: registry.deserialize(config[BLOCK])})

    # -- trees

    def unstack(self, variables: Variables) -> list[Variables]:
        """The trees of each copy, as `block.stateless_call` takes them.

        Args:
            variables: the trees of this layer.
        """
        sides = [dict(side.get(BLOCK, {})) for side in variables]
        return [Variables(*jax.tree.map(operator.itemgetter(index), sides)) for index in range(self.n)]

    def stack(self, copies: Sequence[Variables]) -> Variables:
        """The trees of this layer from those of each copy: the inverse of `unstack`."""
        sides = (jax.tree.map(lambda *leaves: jnp.stack(leaves), *side) for side in zip(*copies, strict=True))
        return Variables(*({BLOCK: side} if side else {} for side in sides))
