"""What is global in Keras and is not here: errors with the line to write."""

from typing import Any, NoReturn

from jkeras.errors import PlacementError

WRITE = "trainer = jkeras.Trainer(model, ..., placement=jkeras.distribution.DataParallel())"


def set_distribution(value: Any) -> NoReturn:
    """Raises `PlacementError`: a placement is an argument of the trainer.

    >>> set_distribution(None)
    Traceback (most recent call last):
    ...
    jkeras.errors.PlacementError: set_distribution: a distribution cannot be set for all models, ...
    """
    raise PlacementError(
        "a distribution cannot be set for all models, because nothing here is global.",
        path="set_distribution",
        expected="a placement for each trainer",
        write=WRITE,
    )


def distribution() -> NoReturn:
    """Raises `PlacementError`: the placement of a trainer is `trainer.placement`.

    >>> distribution()
    Traceback (most recent call last):
    ...
    jkeras.errors.PlacementError: distribution: there is no distribution of all models, because nothing is global.
    ...
    """
    raise PlacementError(
        "there is no distribution of all models, because nothing is global.",
        path="distribution",
        expected="`trainer.placement`",
        write=WRITE,
    )
