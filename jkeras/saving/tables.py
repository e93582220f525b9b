"""Tables of what files hold, drawn by rich."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

UNITS = ("B", "KB", "MB", "GB", "TB")


def readable(size: float) -> str:
    """A number of bytes in words.

    >>> readable(1536), readable(12)
    ('1.5 KB', '12 B')
    """
    power = min(int(math.log(max(size, 1), 1024)), len(UNITS) - 1)
    return f"{size / 1024**power:.3g} {UNITS[power]}"


def size_of(array: Any) -> int:
    """The bytes of an array or an entry.

    >>> size_of(np.zeros((2, 3), "float32"))
    24
    """
    return int(math.prod(array.shape) * np.dtype(array.dtype).itemsize)


def show_arrays(title: str, arrays: Mapping[str, Any]) -> None:
    """Prints a table of arrays: names, shapes, dtypes and sizes.

    >>> show_arrays("a.npz", {"kernel": np.zeros((2, 3), "float32")})  # doctest: +ELLIPSIS
    a.npz: 1 array, 24 B
    ...
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    total = sum(map(size_of, arrays.values()))
    console.print(f"{title}: {len(arrays)} array{'' if len(arrays) == 1 else 's'}, {readable(total)}", markup=False)
    table = Table("name", "shape", "dtype", "size", box=None, pad_edge=False)
    for name, array in arrays.items():
        table.add_row(name, str(tuple(array.shape)), str(np.dtype(array.dtype)), readable(size_of(array)))
    console.print(table, markup=False)
