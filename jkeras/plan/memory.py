"""The memory of one device that a planned step takes, by what it is for."""

import dataclasses
import re
from typing import Any

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
SHORT = (  # what XLA's compilers say; the first group is what is needed, the second what there is
    re.compile(r"Used ([\d.]+)([KMGT]?) of ([\d.]+)([KMGT]?) hbm", re.IGNORECASE),
    re.compile(r"required for HLO temporaries \(([\d.]+)([KMGT]?)\) exceeds available HBM \(([\d.]+)([KMGT]?)\)"),
)


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes on one device.

    Attributes:
        weights, optimizer, averages, other, batch: of the state and the batch as they are declared; `averages` is
            `state.ema`, and `other` the states of metrics, the step and the loss scale.
        arguments: of all of these as the compiler lays them out.
        outputs: of what the step returns beside the state, which takes the memory of the old one.
        temporaries: at the worst moment, beside the arguments and outputs. Of a program that does not fit it is what
            the compiler says it needs, without the arguments.
        capacity: what a program may use; `None` where there is no such number.

    >>> memory = Memory(4, 8, 0, 1, 3, arguments=16, outputs=4, temporaries=20, capacity=32)
    >>> memory.total, memory.excess, memory.fits
    (40, 8, False)
    """

    weights: int
    optimizer: int
    averages: int
    other: int
    batch: int
    arguments: int
    outputs: int
    temporaries: int
    capacity: float | None

    @classmethod
    def of(cls, parts: dict[str, int], compiled: Any, refusal: str, capacity: float | None) -> "Memory":
        """The memory of a compiled step, or of one that the compiler refused.

        >>> parts = dict(weights=4, optimizer=8, averages=0, other=2, batch=2)
        >>> Memory.of(parts, None, "Used 20.5G of 15.75G hbm.", 15.75 * 2**30).excess / 2**30
        4.75
        """
        if compiled is not None:
            found = compiled.memory_analysis()
            arguments, temporaries = found.argument_size_in_bytes, found.temp_size_in_bytes
            outputs = found.output_size_in_bytes - found.alias_size_in_bytes
            return cls(**parts, arguments=arguments, outputs=outputs, temporaries=temporaries, capacity=capacity)
        arguments = sum(parts.values())
        temporaries = max((shortage(refusal) or 0) - arguments, 0)
        return cls(**parts, arguments=arguments, outputs=0, temporaries=temporaries, capacity=capacity)

    @property
    def total(self) -> int:
        """All bytes at the worst moment."""
        return self.arguments + self.outputs + self.temporaries

    @property
    def excess(self) -> float | None:
        """The bytes that are missing; 0 or less where the step fits, `None` where nothing says what there is."""
        return None if self.capacity is None else self.total - self.capacity

    @property
    def fits(self) -> bool | None:
        """Whether the step fits; `None` where nothing says what there is."""
        return None if self.excess is None else self.excess <= 0


def shortage(message: str) -> int | None:
    """The bytes that a compiler says a program needs, its arguments among them; `None` of other errors.

    >>> shortage("memory required for HLO temporaries (2.00K) exceeds available HBM (1.00K)."), shortage("a bug")
    (2048, None)
    """
    found = next((match for pattern in SHORT if (match := pattern.search(message))), None)
    return None if found is None else int(float(found[1]) * UNITS[found[2].upper()])


def readable(nbytes: float) -> str:
    """A number of bytes for people.

    >>> readable(3 * 2**30), readable(1536)
    ('3.00 GiB', '1.50 KiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if abs(nbytes) < 1024:
            return f"{nbytes:.0f} B" if unit == "B" else f"{nbytes:.2f} {unit}"
        nbytes /= 1024
    return f"{nbytes:,.2f} GiB"
