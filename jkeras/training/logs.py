"""Logs: values by name, on the host: floats, and an array where replicas have a value each."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

Logs: TypeAlias = dict[str, Any]


def on_host(logs: Mapping[str, Any]) -> Logs:
    """The values, read from the device.

    >>> on_host({"loss": np.float32(0.5), "of replicas": np.ones(2)})
    {'loss': 0.5, 'of replicas': array([1., 1.])}
    """
    return {name: float(value) if np.ndim(value) == 0 else np.asarray(value) for name, value in logs.items()}


class LateLogs(Mapping[str, Any]):
    """Logs that are computed when somebody reads them, and read from the device then.

    >>> LateLogs(lambda value: {"loss": value}, 2.0)["loss"]
    2.0
    """

    def __init__(self, compute: Callable[..., dict[str, Any]], *args: Any) -> None:
        self._compute = functools.cache(lambda: on_host(compute(*args)))

    def __getitem__(self, name: str) -> Any:
        return self._compute()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._compute())

    def __len__(self) -> int:
        return len(self._compute())
