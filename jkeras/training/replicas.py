"""Replicas: many networks trained by one program, on the same batches, each with its own values.

A trainer with `replicas=n` maps its steps over a first axis of the state. Small networks leave most of a device idle,
so `n` of them take little longer than one.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jkeras.errors import ArgumentError
from jkeras.training.options import check_count

Hyperparameters = dict[str, tuple[float, ...]]


def check_replicas(replicas: object, hyperparameters: Mapping[str, Any] | None) -> tuple[int | None, Hyperparameters]:
    """The number of replicas and a tuple of values for each hyper-parameter, one a replica.

    Raises `ArgumentError` where they do not fit each other.

    >>> check_replicas(2, {"learning_rate": np.array([0.5, 0.25])})
    (2, {'learning_rate': (0.5, 0.25)})
    """
    if replicas is None:
        if hyperparameters:
            raise ArgumentError(
                "`replicas` must be given with `hyperparameters`.",
                path="Trainer(hyperparameters=)",
                expected="`replicas` too",
                write="Trainer(..., replicas=2, hyperparameters={'learning_rate': [0.1, 0.01]})",
            )
        return None, {}
    replicas = check_count("replicas", replicas, "__init__", least=1)
    found: Hyperparameters = {}
    for name, values in (hyperparameters or {}).items():
        shape = np.shape(values)
        if shape != (replicas,):
            raise ArgumentError(
                f"`{name}` must have one value for each replica.",
                path="Trainer(hyperparameters=)",
                expected=f"shape ({replicas},)",
                received=f"shape {shape}",
            )
        found[name] = tuple(float(value) for value in np.asarray(values))
    return replicas, found
