"""Low-rank adaptation of whole models (LoRA): enable it, train the pairs, merge them back.

    variables = lora.enable(model, 8, variables, jax.random.key(1))      # kernels frozen, pairs declared and drawn
    ...                                                                 # train: only pairs, biases, ... change
    variables = lora.merge(model, variables)                            # W + alpha / rank * A @ B is the kernel again

Both change the declarations of the layers, and return values for the new split; the outputs of the model stay. Layers
know how to adapt one weight of theirs (`Dense`, `Embedding`); this module only walks the model.

E. J. Hu et al., "LoRA: Low-rank adaptation of large language models", arXiv:2106.09685.
"""

import re
import warnings
from collections.abc import Iterator

from jkeras import tree
from jkeras.core import Layer, Variable, Variables
from jkeras.core.stateless import bind
from jkeras.errors import ArgumentError
from jkeras.layers import SpectralNormalization
from jkeras.layers.core.low_rank import LowRankAdaptable
from jkeras.representations import LowRank
from jkeras.typing import Key

SHOWN = 4  # paths in a warning


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
        part = component.origin
        if isinstance(part, LowRankAdaptable) and (pattern is None or re.search(pattern, path)):
            yield path, part


def enable(
    layer: Layer,
    rank: int,
    variables: tuple[object, object],
    key: Key,
    *,
    pattern: str | None = None,
    alpha: float | None = None,
    train_others: bool = False,
) -> Variables:
    """Freezes the weights of all adaptable layers and declares a pair for each. The outputs stay as they are.

    Layers inside of `Stack`, wrappers and nested models are adapted too: a stacked layer has a stacked pair. A layer
    inside `SpectralNormalization` is left out, with a warning.

    Args:
        layer: a built layer or model.
        rank: the rank of the pairs, a positive int.
        variables: the two trees.
        key: draws the pairs.
        pattern: a regular expression that is searched in the paths of the layers; by default all are adapted. Every
            variable of a layer that is not adapted is frozen then, until `merge`.
        alpha: the scale; by default the rank.
        train_others: whether variables of layers that are not adapted stay trainable. Without a pattern they do, and a
            warning names the matrices among them, such as kernels of convolutions; `True` silences the warning.

    Returns:
        The trees for the new split: weights in `non_trainable`, pairs in `trainable`.

    Raises:
        ArgumentError: no layer can be adapted, `rank` is not a positive int, or a weight has a constraint.
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
    normalized = _normalized(layer)
    chosen = {path: part for path, part in adaptable(layer, pattern) if part not in normalized}
    if not chosen:
        known = [path for path, _ in adaptable(layer)]
        raise ArgumentError(
            "`pattern` must match a layer that LoRA can adapt.",
            path=layer.name,
            expected=f"a pattern that is found in one of {known[:8]}" if known else "a Dense or an Embedding somewhere",
            received=f"pattern={pattern!r}",
            write=f"lora.enable(layer, rank, variables, key, pattern={re.escape(known[0])!r})" if known else None,
        )
    for part in chosen.values():
        part.check_adaptable(rank)  # all of them, before the first one changes
    _release(layer)
    for part in chosen.values():
        part.enable_lora(rank, alpha)
    if pattern is not None and not train_others:
        for variable in _others(layer).values():
            variable.trainable, variable.set_aside = False, True
    elif not train_others:
        _warn_of_matrices(layer, normalized)
    return layer.repartition(variables, key)


def _normalized(layer: Layer) -> set[Layer]:
    """The layers whose kernel a wrapper normalizes, which LoRA leaves out; warns of each."""
    found: set[Layer] = set()
    for component, path in layer.structure().components.items():
        if isinstance(component.origin, SpectralNormalization) and isinstance(component.origin.layer, LowRankAdaptable):
            found.add(component.origin.layer)
            warnings.warn(f"{path}: LoRA does not adapt this layer, because its kernel is normalized.", stacklevel=3)
    return found


def _others(layer: Layer) -> dict[str, Variable]:
    """The trainable variables of layers that are not adapted, by path."""
    adapted = {variable for _, part in adaptable(layer) if part.lora_enabled for variable in part.own_variables}
    return {d.path: d.variable for d in layer.structure().split()[0] if d.variable.origin not in adapted}


def _release(layer: Layer) -> None:
    """Unfreezes the variables that `enable` has frozen in layers that were not adapted."""
    for variable in layer.structure().declarations:
        if variable.set_aside:
            variable.trainable, variable.set_aside = True, False


def _warn_of_matrices(layer: Layer, named: set[Layer]) -> None:
    """Warns of matrices that are trained in full, since their layers cannot be adapted; but of layers named before."""
    known = {variable for part in named for variable in part.own_variables}
    others = {path: variable.origin for path, variable in _others(layer).items()}
    matrices = [path for path, variable in others.items() if len(variable.shape) > 1 and variable not in known]
    if matrices:
        more = f" and {len(matrices) - SHOWN} more" if len(matrices) > SHOWN else ""
        warnings.warn(
            f"{layer.name}: LoRA cannot adapt the layers of {', '.join(matrices[:SHOWN])}{more}: these weights are "
            "trained in full. Write lora.enable(..., pattern='.') to freeze them, or train_others=True to train them.",
            stacklevel=3,
        )


def merge(layer: Layer, variables: tuple[object, object]) -> Variables:
    """Adds every pair below a layer to its weight, and removes it. The outputs stay, to rounding.

    Args:
        layer: a built layer or model.
        variables: the two trees.

    Returns:
        The trees for the new split: the weights are trainable again where their layers are, and so are those that
        `enable` froze. Without any pair, the same values.

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
    declared = {variable.origin: variable for variable in values}
    for _, part in list(adaptable(layer)):
        if part.lora_enabled:
            form = part.adapted_weight.representation
            assert isinstance(form, LowRank)
            weight, a, b = (declared[variable] for variable in (part.adapted_weight, form.a, form.b))
            values[weight] = form.merged(values[weight], values[a], values[b])
            part.disable_lora()
    _release(layer)
    return Variables(
        *(tree.unflatten({d.path: values[d.variable] for d in side}) for side in layer.structure().split())
    )
