"""What callbacks know of the state that they are given, and of the trainer: both stand a room further."""

import os
from typing import Any, Protocol, Self

from jkeras.core import Layer
from jkeras.typing import Array, PyTree


class Saver(Protocol):
    """A trainer, as far as callbacks know it."""

    @property
    def model(self) -> Layer:
        """What is trained."""

    def save(self, path: str | os.PathLike[str], state: Any) -> None:
        """Writes a `.keras` file."""


class State(Protocol):
    """The state of a training: what the hooks read, and `replace`."""

    @property
    def step(self) -> Array:
        """How many steps were taken."""

    @property
    def trainable(self) -> dict[str, Any]:
        """What is trained."""

    @property
    def non_trainable(self) -> dict[str, Any]:
        """What is not."""

    @property
    def opt_state(self) -> PyTree:
        """The optimizer's own."""

    @property
    def variables(self) -> tuple[Any, Any]:
        """Both trees of the model."""

    def replace(self, **changes: Any) -> Self:
        """The state with other values in some fields."""
