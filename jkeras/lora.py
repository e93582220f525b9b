"""Low-rank adaptation of whole models (LoRA): enable it, train the pairs, merge them back.

    variables = lora.enable(model, 8, variables, jax.random.key(1))      # kernels frozen, pairs declared and drawn
    ...                                                                 # train: only pairs, biases, ... change
    variables = lora.merge(model, variables)                            # W + alpha / rank * A @ B is the kernel again

Both change the declarations of the layers, and return values for the new split; the outputs of the model stay. Layers
know how to adapt one weight of theirs (`Dense`, `Embedding`); this module only walks the model.

E. J. Hu et al., "LoRA: Low-rank adaptation of large language models", arXiv:2106.09685.
"""

import re
from collections.abc import Iterator

from jkeras import tree
from jkeras.core import Layer, Variables
from jkeras.core.stateless import bind
from jkeras.errors import ArgumentError
from jkeras.layers.core.low_rank import LowRankAdaptable
from jkeras.typing import Key


def adaptable(layer: Layer, pattern: str | None = None) -> Iterator[tuple[str, LowRankAdaptable]]:
    """The layers below a layer, and itself, whose weight can be adapted, with their paths.

    Args:
        layer: a built layer or model.
        pattern: a regular expression that is searched in the paths; `None` for all.

    >>> from jkeras import layers
    >>> [path for path, _ in adaptable(layers.Dense(3))]
    ['']
    """
    for component, path in layer.structure().components.items():
        if isinstance(component, LowRankAdaptable) and (pattern is None or re.search(pattern, path)):
            yield path, component


def enable(
    layer: Layer,
    rank: int,
    variables: tuple[object, object],
    key: Key,
    *,
    pattern: str | None = None,
    alpha: float | None = None,
) -> Variables:
    """Freezes the weights of all adaptable layers and declares a pair for each. The outputs stay as they are.

    Args:
        layer: a built layer or model.
        rank: the rank of the pairs, a positive int.
        variables: the two trees.
        key: draws the pairs.
        pattern: a regular expression that is searched in the paths of the layers; by default all are adapted.
        alpha: the scale; by default the rank.

    Returns:
        The trees for the new split: weights in `non_trainable`, pairs in `trainable`.

    Raises:
        ArgumentError: there is no layer to adapt, the rank is no positive int, or a weight has a constraint.
        BuildError: a layer has LoRA already.

    >>> import jax
    >>> from jkeras import layers
    >>> layer = layers.Dense(3)
    >>> variables = layer.init(jax.random.key(0), (1, 4))
    >>> variables = enable(layer, 2, variables, jax.random.key(1))
    >>> {name: leaf.shape for name, leaf in variables.trainable.items()}
    {'bias': (3,), 'lora_kernel_a': (4, 2), 'lora_kernel_b': (2, 3)}

    Source: arXiv:2106.09685, section 4.1.
    """
    bind(layer.structure(), *variables, layer.name)  # wrong trees are found before anything changes
    chosen = dict(adaptable(layer, pattern))
    if not chosen:
        known = [path for path, _ in adaptable(layer)]
        raise ArgumentError(
            "there is no layer to adapt.",
            path=layer.name,
            expected=f"a pattern that is found in one of {known[:8]}" if known else "a Dense or an Embedding somewhere",
            received=f"pattern={pattern!r}",
        )
    for part in chosen.values():
        part.check_adaptable(rank)  # all of them, before the first one changes
    for part in chosen.values():
        part.enable_lora(rank, alpha)
    return layer.repartition(variables, key)


def merge(layer: Layer, variables: tuple[object, object]) -> Variables:
    """Adds every pair below a layer to its weight, and removes it. The outputs stay, to rounding.

    Args:
        layer: a built layer or model.
        variables: the two trees.

    Returns:
        The trees for the new split: the weights are trainable again where their layers are. Without any pair, the same
        values.

    Raises:
        LeafError: the trees do not fit the layer.

    >>> import jax, jax.numpy as jnp
    >>> from jkeras import layers
    >>> layer = layers.Dense(1, use_bias=False, kernel_initializer="ones", lora_rank=1)
    >>> variables = layer.init(jax.random.key(0), (1, 1))
    >>> variables.trainable.update(lora_kernel_a=jnp.full((1, 1), 2.0), lora_kernel_b=jnp.full((1, 1), 3.0))
    >>> merge(layer, variables)
    Variables(trainable={'kernel': Array([[7.]], dtype=float32)}, non_trainable={})

    Source: arXiv:2106.09685, section 4.1.
    """
    values = dict(bind(layer.structure(), *variables, layer.name).values)
    for _, part in list(adaptable(layer)):
        if part.lora_enabled:
            values[part.adapted_weight] = part.merged_value(values)
            part.disable_lora()
    return Variables(
        *(tree.unflatten({d.path: values[d.variable] for d in side}) for side in layer.structure().split())
    )
