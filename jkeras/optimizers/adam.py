"""Adam and AdamW."""

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
import optax

from jkeras.errors import ArgumentError
from jkeras.optimizers.lookup import register
from jkeras.optimizers.moments import TwoMoments
from jkeras.typing import Array


@register
@dataclasses.dataclass(frozen=True)
class Adam(TwoMoments):
    """Adaptive moments.

        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2                     amsgrad: v is the largest v so far, from here on
        w -= learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)

    `epsilon` is the paper's "epsilon hat", added before the bias correction; that of `optax.adam` is added after it, so
    here it is divided by `sqrt(1 - beta_2**t)` before optax gets it. As float32, 0.999 makes 1 - beta_2 = 0.00100005 in
    every place. Keras takes 0.001 in one place and 0.00100005 in the other, so its first steps are 2.3e-5 longer.

    Args:
        learning_rate: see `Optimizer` for it and for the arguments that all optimizers have.
        beta_1, beta_2: decay of the first and of the second moment, in [0, 1).
        epsilon: keeps the quotient finite.
        amsgrad: whether the second moment never shrinks.

    Shapes: the state holds two arrays per parameter, three with `amsgrad`.

    >>> import jax.numpy as jnp
    >>> optimizer = Adam(0.1)
    >>> updates, _ = optimizer.update(jnp.array([3.0, -0.2]), optimizer.init(jnp.zeros(2)))
    >>> print(f"{updates[0]:.4f} {updates[1]:.4f}")
    -0.1000 0.1000

    The sources are Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), end of section 2, and
    Reddi et al., "On the Convergence of Adam and Beyond" (2018).
    """

    amsgrad: bool = False

    def hyperparameters(self) -> tuple[str, ...]:
        return ("step", "beta_1", "beta_2", "epsilon")

    def transformation(self, hyper: Mapping[str, Array]) -> optax.GradientTransformation:
        correction = jnp.sqrt(1 - hyper["beta_2"] ** hyper["step"])
        betas = hyper["beta_1"], hyper["beta_2"]
        if self.amsgrad:
            # The maximum is over uncorrected second moments, and the correction belongs to the learning rate.
            moments = optax.scale_by_amsgrad(*betas, hyper["epsilon"], bias_correction_nu=False)
            return optax.chain(moments, optax.scale_by_learning_rate(hyper["learning_rate"] * correction))
        moments = optax.scale_by_adam(*betas, hyper["epsilon"] / correction)
        return optax.chain(moments, optax.scale_by_learning_rate(hyper["learning_rate"]))


@register
@dataclasses.dataclass(frozen=True)
class AdamW(Adam):
    """`Adam` with decoupled weight decay, `params -= learning_rate * weight_decay * params` before each update.

    Args:
        learning_rate, beta_1, beta_2, epsilon, amsgrad: those of `Adam`.
        weight_decay: a number; leave parameters out with `exclude_from_weight_decay`.

    >>> import jax.numpy as jnp, optax
    >>> optimizer = AdamW(0.1, weight_decay=0.5).exclude_from_weight_decay(var_names=["bias"])
    >>> params = {"bias": jnp.array([2.0]), "kernel": jnp.array([2.0])}
    >>> grads = {"bias": jnp.array([0.0]), "kernel": jnp.array([0.0])}
    >>> updates, _ = optimizer.update(grads, optimizer.init(params), params)
    >>> print(optax.apply_updates(params, updates))
    {'bias': Array([2.], dtype=float32), 'kernel': Array([1.9], dtype=float32)}

    The source is Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019), arXiv:1711.05101.
    """

    weight_decay: float | None = 0.004

    def __post_init__(self) -> None:
        if self.weight_decay is None:
            problem, path = "AdamW requires `weight_decay`, got None; use Adam for none.", "AdamW(weight_decay=)"
            raise ArgumentError(problem, path=path, expected="a number", received="None", write="optimizers.Adam()")
        super().__post_init__()
