"""Bidirectional: a sequence read from both ends."""

from collections.abc import Callable, Sequence
from typing import Any, Self, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core import Layer, Variables, describe
from jkeras.core.options import LayerOptions
from jkeras.errors import ArgumentError, ShapeError, elsewhere
from jkeras.layers.recurrent.base import renamed
from jkeras.layers.recurrent.rnn import RNN
from jkeras.typing import Array, ArrayLike, ArrayTree, Config, PyTree

MERGES: dict[str, Callable[[Array, Array], Array]] = {
    "concat": lambda forward, backward: jnp.concatenate([forward, backward], axis=-1),
    "sum": jnp.add,
    "ave": lambda forward, backward: (forward + backward) / 2,
    "mul": jnp.multiply,
}


@elsewhere(
    "reset_states",
    expected="the states of stateful layers, in their values",
    write="variables = layer.reset_state(variables)",
)
@registry.export("keras.layers")
class Bidirectional(Layer):
    """Two recurrent layers over one sequence, one of them from the end: `merge(forward(x), backward(x))`.

    Both are made from the config of `layer`, the second with `go_backwards` turned around; `backward_layer` takes its
    place where it is given. With `return_sequences` the backward outputs are put in the order of the inputs, and those
    of masked steps are 0.

    Args:
        layer: an `RNN`, or a layer with its arguments `go_backwards`, `return_sequences`, `return_state`, `stateful`.
        merge_mode: `"concat"` along the last axis, `"sum"`, `"mul"`, `"ave"`, or `None` for both outputs, unmerged.
        weights: `None`; layers hold no values.
        backward_layer: the layer for the way back, with the other `go_backwards`.

    Call arguments:
        sequences, mask: as for the layers.
        initial_state: the forward layer's states, then the backward layer's.

    Shapes:
        `(b, t, i)` -> that of `layer`, its last axis twice as long with `"concat"`; with `return_state` a tuple of the
        output and the states of both.

    Raises:
        ArgumentError: no layers, layers that do not fit each other, an unknown merge mode, values given as `weights`.
        ShapeError: an odd number of initial states.

    >>> import jax, jax.numpy as jnp
    >>> from jkeras import layers
    >>> sums = layers.SimpleRNN(1, None, kernel_initializer="ones", recurrent_initializer="ones", return_sequences=True)
    >>> layer = Bidirectional(sums)
    >>> variables = layer.init(jax.random.key(0), (1, 3, 1))
    >>> layer.stateless_call(*variables, jnp.array([[[1.0], [2.0], [3.0]]]))[0].tolist()
    [[[1.0, 6.0], [3.0, 5.0], [6.0, 3.0]]]
    >>> list(variables.trainable)
    ['forward_simple_rnn', 'backward_simple_rnn']

    Source: M. Schuster and K. K. Paliwal, "Bidirectional recurrent neural networks", 1997.
    """

    def __init__(
        self,
        layer: Layer,
        merge_mode: str | None = "concat",
        weights: Sequence[ArrayLike] | None = None,
        backward_layer: Layer | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if weights is not None:
            raise ArgumentError(
                "`weights` must be None, because a layer holds no values.",
                path="Bidirectional",
                expected="weights=None",
                received="weights=...",
                write="variables = layer.set_weights(variables, arrays)   # after init",
            )
        line = "Bidirectional(layers.LSTM(32), merge_mode='concat')"
        arguments.one_of(merge_mode, "merge_mode", "Bidirectional", (*sorted(MERGES), None), line)
        self.merge_mode = merge_mode
        self.forward_layer = turned(layer, "forward_", {})
        if backward_layer is None:
            backward_layer = turned(layer, "backward_", {"go_backwards": not self.forward_layer.go_backwards})
        self.backward_layer: Any = check_layer(backward_layer)
        check_pair(self.forward_layer, self.backward_layer)
        for direction in (self.forward_layer, self.backward_layer):
            if isinstance(direction, RNN):
                direction.zero_output_for_mask = direction.return_sequences
        self.supports_masking = True

    @property
    def layer(self) -> Any:
        """The forward layer, under the name that the constructor and configs give it."""
        return self.forward_layer

    @property
    def return_sequences(self) -> bool:
        """Whether all outputs are returned."""
        return bool(self.forward_layer.return_sequences)

    @property
    def return_state(self) -> bool:
        """Whether states are returned too."""
        return bool(self.forward_layer.return_state)

    @property
    def stateful(self) -> bool:
        """Whether both layers carry their states from call to call."""
        return bool(self.forward_layer.stateful)

    def reset_state(self, variables: tuple[Any, Any]) -> Variables:
        """The layer's values with the states of both directions set to zero; arguments and errors as in `RNN`."""
        trainable, non_trainable = variables
        names = self.structure().components
        for direction in (self.forward_layer, self.backward_layer):
            name = names[direction]
            part = Variables(trainable.get(name, {}), non_trainable.get(name, {}))
            non_trainable = {**non_trainable, name: direction.reset_state(part).non_trainable}
        return Variables(trainable, non_trainable)

    def call(
        self,
        sequences: Array,
        initial_state: PyTree = None,
        mask: PyTree = None,
        training: bool | None = None,
    ) -> PyTree:
        """Both layers, merged."""
        halves: list[Any] = [None, None]
        if initial_state is not None:
            half, odd = divmod(len(initial_state), 2)
            if odd:
                rule, received = "the initial states must be those of two layers", len(initial_state)
                wanted = "an even number of states: the forward layer's, then the backward layer's"
                write = f"{self.name}(x, initial_state=[*forward_states, *backward_states])"
                raise ShapeError.must(rule, received, path=self._label, expected=wanted, write=write)
            halves = [initial_state[:half], initial_state[half:]]
        outputs: list[Array] = []
        states: list[Array] = []
        for layer, half_state in zip((self.forward_layer, self.backward_layer), halves, strict=True):
            returned = layer(sequences, initial_state=half_state, mask=mask)
            output, *state = returned if self.return_state else (returned,)
            outputs.append(jnp.flip(output, axis=1) if self.return_sequences and layer.go_backwards else output)
            states += state
        merged = tuple(outputs) if self.merge_mode is None else (MERGES[self.merge_mode](*outputs),)
        return (*merged, *states) if len(merged) + len(states) > 1 else merged[0]

    def compute_mask(self, inputs: ArrayTree, mask: PyTree = None) -> PyTree:
        mask = next(iter(jax.tree.leaves(mask)), None) if self.return_sequences else None
        return [mask, mask] if self.merge_mode is None else [mask]

    def get_config(self) -> Config:
        layers = {"layer": self.forward_layer, "backward_layer": self.backward_layer}
        inner = {name: registry.serialize(layer) for name, layer in layers.items()}
        return {**describe.base_config(self), "merge_mode": self.merge_mode, **inner}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The layer of a config, with the layers of the configs in it."""
        inner: Config = {
            name: registry.deserialize(config[name]) for name in ("layer", "backward_layer") if name in config
        }
        return super().from_config({**config, **inner})


def check_layer(layer: Layer) -> Any:
    """The layer, if it is one that knows a direction."""
    if not isinstance(layer, Layer) or not hasattr(layer, "go_backwards"):
        rule, wanted = "the layer must be recurrent", "a layer with `go_backwards`, such as an RNN"
        received, write = arguments.shown(layer), "Bidirectional(layers.LSTM(32))"
        raise ArgumentError.must(rule, received, path="Bidirectional", expected=wanted, write=write)
    return layer


def turned(layer: Layer, prefix: str, changes: Config) -> Any:
    """A new layer of the config of another, with a prefix to its name and other arguments."""
    envelope = registry.serialize(check_layer(layer))
    name = prefix + layer.name.removeprefix(prefix)
    return registry.deserialize(renamed({**envelope, "config": {**envelope["config"], **changes}}, name))


def check_pair(forward: Any, backward: Any) -> None:
    """Raises `ArgumentError` unless two layers go in opposite directions and return the same things."""
    wrong = [
        name
        for name in ("stateful", "return_sequences", "return_state")
        if getattr(forward, name) != getattr(backward, name)
    ]
    if forward.go_backwards == backward.go_backwards:
        wrong.append("go_backwards")
    if wrong:
        raise ArgumentError(
            "the backward layer must have the options of the forward layer and the other direction.",
            path="Bidirectional",
            expected="the same `stateful`, `return_sequences` and `return_state`, and opposite `go_backwards`",
            received=", ".join(f"{name}: {getattr(forward, name)} and {getattr(backward, name)}" for name in wrong),
            write="Bidirectional(layers.LSTM(32), backward_layer=layers.LSTM(32, go_backwards=True))",
        )
