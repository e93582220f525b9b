"""The formats in which `model.export` writes. `jkeras.export`, a floor above, fills the table."""

from collections.abc import Callable

from jkeras.errors import UnknownNameError, did_you_mean

FORMATS: dict[str, Callable[..., None]] = {}  # name -> function of the model, the path, the variables and the options


def writer_of(format: str, owner: str) -> Callable[..., None]:
    """The function that writes a format.

    Raises:
        UnknownNameError: there is no such format.

    >>> writer_of("jax", "model").__name__
    'write_jax'
    """
    if format not in FORMATS:
        raise UnknownNameError(
            f"unknown format {format!r}.",
            path=f"{owner}.export",
            expected=did_you_mean(str(format), FORMATS),
            received=repr(format),
        )
    return FORMATS[format]
