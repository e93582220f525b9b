"""Muon."""

import dataclasses
import re
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from jkeras import tree
from jkeras.optimizers.base import LearningRate, Optimizer
from jkeras.optimizers.checks import check_patterns
from jkeras.optimizers.lookup import register
from jkeras.typing import Array, ArrayTree, PyTree


@register
@dataclasses.dataclass(frozen=True)
class Muon(Optimizer):
    """Orthogonalized momentum for matrices, AdamW for everything else.

        m = momentum * m + g                                     nesterov: o = g + momentum * m, else o = m
        w -= learning_rate * rms_rate * sqrt(max(rows, columns)) * orthogonalize(o)

    `orthogonalize` scales to Frobenius norm 1 and does `ns_steps` of the Newton-Schulz iteration
    `x = a x + b (x x') x + c (x x')**2 x`. Matrices are the arrays of rank 2, except embeddings and excluded
    layers.

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have.
        adam_beta_1, adam_beta_2, epsilon: those of `Adam`.
        adam_weight_decay: weight decay of what `Adam` updates, `None` for none.
        weight_decay: weight decay of the matrices, `None` for none.
        exclude_layers: patterns (`re.search`) of paths that `Adam` updates.
        exclude_embeddings: whether paths with `embedding` in them are left to `Adam`.
        muon_a, muon_b, muon_c: coefficients of the iteration.
        adam_lr_ratio: learning rate of `Adam` over that of the matrices.
        momentum: share of the momentum that is kept, in [0, 1).
        ns_steps: number of iterations.
        nesterov: whether to look ahead along the momentum.
        rms_rate: root mean square of a step in units of the learning rate; `None` leaves the matrices as
            they are.

    Shapes: the state holds one array per matrix and two per other parameter.

    >>> import jax.numpy as jnp
    >>> optimizer = Muon(0.1, weight_decay=0.0, adam_weight_decay=0.0)
    >>> params = {"kernel": jnp.zeros((4, 4)), "bias": jnp.zeros(4)}
    >>> grads = {"kernel": jnp.eye(4), "bias": jnp.ones(4)}
    >>> updates, _ = optimizer.update(grads, optimizer.init(params), params)
    >>> print(f"{updates['bias'][0]:.3f} {updates['kernel'][0, 0]:.3f} {updates['kernel'][0, 1]:.3f}")
    -0.100 -0.031 -0.000

    The sources are Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), and Liu et al.,
    "Muon is Scalable for LLM Training" (2025), arXiv:2502.16982.
    """

    learning_rate: LearningRate = 0.001
    adam_beta_1: float = 0.9
    adam_beta_2: float = 0.999
    adam_weight_decay: float | None = 0.004
    epsilon: float = 1e-7
    _: dataclasses.KW_ONLY
    weight_decay: float | None = 0.004
    exclude_layers: tuple[str, ...] = ()
    exclude_embeddings: bool = True
    muon_a: float = 3.4445
    muon_b: float = -4.775
    muon_c: float = 2.0315
    adam_lr_ratio: float = 1.0
    momentum: float = 0.95
    ns_steps: int = 5
    nesterov: bool = True
    rms_rate: float | None = 0.2

    intervals: ClassVar[Mapping[str, str]] = {
        **Optimizer.intervals,
        "adam_beta_1": "[0, 1)",
        "adam_beta_2": "[0, 1)",
        "adam_weight_decay": "[0, inf)",
        "epsilon": "[0, inf)",
        "muon_a": "(-inf, inf)",
        "muon_b": "(-inf, inf)",
        "muon_c": "(-inf, inf)",
        "adam_lr_ratio": "[0, inf)",
        "momentum": "[0, 1)",
        "rms_rate": "(0, inf)",
    }
    minima: ClassVar[Mapping[str, int]] = {**Optimizer.minima, "ns_steps": 1}

    def __post_init__(self) -> None:
        self._put("exclude_layers", check_patterns(self.exclude_layers or (), "exclude_layers", type(self).__name__))
        super().__post_init__()

    def hyperparameters(self) -> tuple[str, ...]:
        decay = () if self.adam_weight_decay is None else ("adam_weight_decay",)
        return ("step", "adam_beta_1", "adam_beta_2", "epsilon", "momentum", "adam_lr_ratio", *decay)

    def is_matrix(self, path: str, leaf: Array) -> bool:
        """Whether Muon updates a parameter, and not Adam."""
        is_embedding = self.exclude_embeddings and "embedding" in path.lower()
        return leaf.ndim == 2 and not is_embedding and not any(re.search(p, path) for p in self.exclude_layers)

    def decay_name(self, path: str, leaf: Array) -> str:
        name = super().decay_name(path, leaf)
        return name if self.is_matrix(path, leaf) or not name else "adam_weight_decay"

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        correction = jnp.sqrt(1 - hyper["adam_beta_2"] ** hyper["step"])
        adam = optax.chain(
            optax.scale_by_adam(hyper["adam_beta_1"], hyper["adam_beta_2"], hyper["epsilon"] / correction),
            optax.scale_by_learning_rate(hyper["learning_rate"] * hyper["adam_lr_ratio"]),
        )
        muon = optax.chain(
            optax.trace(hyper["momentum"], self.nesterov),
            optax.stateless(self._orthogonalize),
            optax.scale_by_learning_rate(hyper["learning_rate"]),
        )

        def labels(params: ArrayTree) -> PyTree:
            return tree.map_with_path(lambda path, p: "muon" if self.is_matrix(path, p) else "adam", params)

        return optax.partition({"muon": muon, "adam": adam}, labels)

    def _orthogonalize(self, updates: ArrayTree, params: ArrayTree) -> PyTree:
        # optax's momentum is corrected for its bias. Ours is not, so optax's is switched off and its state dropped.
        muon = optax.contrib.scale_by_muon(
            (self.muon_a, self.muon_b, self.muon_c),
            self.ns_steps,
            beta=0.0,
            eps=1e-7,
            nesterov=False,
            weight_dimension_numbers=lambda x: jax.tree.map(lambda _: optax.contrib.MuonDimensionNumbers(), x),
        )
        orthogonal, _ = muon.update(updates, muon.init(updates), params)
        rate = self.rms_rate
        if rate is None:
            return orthogonal
        return jax.tree.map(lambda x: x * (rate * max(x.shape) ** 0.5), orthogonal)
