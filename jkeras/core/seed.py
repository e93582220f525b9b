"""SeedGenerator: randomness as an ordinary leaf of the non-trainable tree.

The state is what Keras stores: one `uint32[2]` variable `[seed, counter]`. `next()` uses it as a raw threefry key and
counts up. So `stateless_call` needs no extra argument, a resumed run continues the stream exactly, and `vmap(init)`
gives every member its own stream.
"""

import jax
import jax.numpy as jnp

from jkeras import keys, registry
from jkeras.core.structure import Component
from jkeras.core.variable import Variable, check_name
from jkeras.typing import Array, Config, DTypeLike, Key


class SeedState:
    """Initial `[seed, 0]`: the given seed, or 32 bits drawn from the variable's own key."""

    def __init__(self, seed: int | None) -> None:
        self.seed = seed

    def __call__(self, shape: tuple[int, ...], dtype: DTypeLike | None = None, *, key: Key) -> Array:
        drawn = jax.random.bits(key, (), "uint32") if self.seed is None else jnp.uint32(self.seed & 0xFFFFFFFF)
        return jnp.stack([drawn, jnp.uint32(0)])


@registry.export("keras.random")
class SeedGenerator(Component):
    """A stream of keys, as one non-trainable variable `seed_generator_state` of shape `(2,)` and dtype uint32.

    Args:
        seed: an int, for the same stream after every `init`; by default it is drawn from the key given to `init`.
        name: its address within the layer; by default the attribute's name.

    Raises:
        ArgumentError: the seed is no int.

    >>> import jax
    >>> SeedGenerator(seed=3).state.initialize(jax.random.key(0)).tolist()
    [3, 0]
    """

    is_random_stream = True

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self.seed = keys.check_seed(seed, "SeedGenerator")
        self.explicit_name = check_name(name, "SeedGenerator") if name is not None else None
        self.state = Variable(
            SeedState(self.seed),
            shape=(2,),
            dtype="uint32",
            trainable=False,
            autocast=False,
            name="seed_generator_state",
        )

    @property
    def name(self) -> str:
        """The explicit name, or `"seed_generator"`."""
        return self.explicit_name or "seed_generator"

    def next(self, ordered: bool = True) -> Key:
        """The next key of the stream; needs a scope.

        Args:
            ordered: count up by one. With `False` the state is scrambled instead.
        """
        state = self.state.value
        if ordered:
            self.state.assign(state + jnp.array([0, 1], "uint32"))
        else:
            self.state.assign(jax.random.bits(keys.from_state(state), (2,), "uint32"))
        return keys.from_state(state)

    def get_config(self) -> Config:
        """`{"seed": seed, "name": name}`."""
        return {"seed": self.seed, "name": self.name}

    @classmethod
    def from_config(cls, config: Config) -> "SeedGenerator":
        """The generator of a config."""
        name = config.get("name")
        return cls(seed=config.get("seed"), name=None if name == "seed_generator" else name)

    def __repr__(self) -> str:
        return f"<SeedGenerator seed={self.seed}>"
