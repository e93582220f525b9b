"""Plan: what the compiler says of one training step on a machine, as values and as a table for people."""

import dataclasses
import functools
import io
import pickle
from collections.abc import Sequence
from typing import Any

import jax
from jax.experimental import serialize_executable

from jkeras.errors import SerializationError
from jkeras.placement import Placement
from jkeras.plan.machines import Machine
from jkeras.plan.memory import Memory, readable
from jkeras.plan.program import Collective, Program, Wide

WIDEST = 8  # rows of the table
WIDTH = 110  # columns of a plan that is printed
EXECUTABLE = "the compiled program of this platform cannot be serialized"


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """A training step, compiled for a machine that need not be there. `print(plan)` shows all of it.

    Attributes:
        machine: what the name of the machine means.
        placement: over which of its devices values and batches are spread.
        memory: bytes on one device.
        program: the compiled program as it was read; empty where the compiler refused.
        flops: operations of the matrix products and convolutions of a step, on all devices together.
        lowering_seconds, compile_seconds: of wall time. `processor_seconds` are those of all threads while compiling.
        lowered: the step before the compiler, `jax.stages.Lowered`.
        compiled: the step after it, `jax.stages.Compiled`; `None` where it does not fit and the compiler refused.
        refusal: what the compiler said then.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((8,)), jkeras.layers.Dense(4)])
    >>> specs = jax.ShapeDtypeStruct((16, 8), "float32"), jax.ShapeDtypeStruct((16, 4), "float32")
    >>> plan = jkeras.Trainer(model, "sgd", "mse").plan("cpu:1", specs)
    >>> plan.fits, plan.collectives, plan.cycles
    (None, (), None)
    """

    machine: Machine
    placement: Placement
    memory: Memory
    program: Program
    flops: int
    lowering_seconds: float
    compile_seconds: float
    processor_seconds: float
    lowered: jax.stages.Lowered
    compiled: jax.stages.Compiled | None
    refusal: str = ""

    @property
    def fits(self) -> bool | None:
        """Whether a step fits into the memory of a device; `None` for a CPU."""
        return self.memory.fits

    @functools.cached_property
    def collectives(self) -> tuple[Collective, ...]:
        """The collective operations of a step on one device, by kind."""
        return self.program.collectives()

    @functools.cached_property
    def cycles(self) -> int | None:
        """The cycles of a step that XLA's TPU compiler estimates; `None` of other compilers. None of custom kernels."""
        return self.program.cycles()

    def widest(self, number: int = WIDEST) -> list[Wide]:
        """The largest values that the step makes, by layer."""
        return self.program.widest(number)

    def serialize(self) -> bytes:
        """The compiled program, for `jax.experimental.serialize_executable.deserialize_and_load(*pickle.loads(...))`.

        The machine that loads it must be of this kind and have the same versions of JAX and of its plug-in. Unpickle
        only what you trust.

        Raises:
            SerializationError: the platform does not serialize programs, or there is none.
        """
        if self.compiled is None:
            raise SerializationError(
                "there is no compiled program, because the step does not fit.", path="Plan.serialize"
            )
        try:
            return pickle.dumps(serialize_executable.serialize(self.compiled))
        except (jax.errors.JaxRuntimeError, NotImplementedError, ValueError, pickle.PicklingError) as error:
            raise SerializationError(
                f"{EXECUTABLE}: {str(error).splitlines()[0][:160]}",
                path="Plan.serialize",
                write="plan.lowered.compile()",
            ) from error

    # -- for people

    def verdict(self) -> str:
        """One sentence: whether a step fits, and with how much to spare."""
        excess = self.memory.excess
        if excess is None or self.memory.capacity is None:
            return f"takes {readable(self.memory.total)} on each device, which share this machine's memory"
        if excess <= 0:
            return f"fits, with {readable(-excess)} of {readable(self.memory.capacity)} to spare"
        return f"exceeds the {readable(self.memory.capacity)} of a device by {readable(excess)}"

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        head = Text(f"{self.machine.name}: {self.verdict()}", style="bold")
        parts = [head, Text(str(self.placement)), _memory_table(self.memory), self._work_table()]
        if self.collectives:
            parts.append(_collectives_table(self.collectives))
        if self.compiled is not None:
            parts.append(_widest_table(self.widest()))
        else:
            parts.append(Text(self.refusal.strip()[:1500]))
        return Group(*(piece for part in parts for piece in (part, Text(""))))

    def _work_table(self) -> Any:
        devices = self.placement.mesh.size
        rows = [
            ("FLOPs of matrix products", f"{self.flops:.4g}"),
            (f"on each of {devices} devices", f"{self.flops / devices:.4g}"),
        ]
        if self.cycles is not None:
            rows.append(("cycles that the compiler estimates", f"{self.cycles:.4g}"))
        if kernels := self.program.kernels():
            rows.append(("calls of custom kernels, not counted above", str(kernels)))
        if self.program.unknown_loops:
            rows.append(("loops of unknown length, counted once", str(self.program.unknown_loops)))
        rows.append(("seconds to trace and lower", f"{self.lowering_seconds:.1f}"))
        seconds = f"{self.compile_seconds:.1f} ({self.processor_seconds:.1f} of processors)"
        return _table(("work of a step", ""), [*rows, ("seconds to compile", seconds)])

    def __str__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=WIDTH, color_system=None, highlight=False).print(self)
        return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())

    def __repr__(self) -> str:
        return f"<Plan for {self.machine.name}: {self.verdict()}>"


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Any:
    from rich.table import Table

    made = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        made.add_column(column, justify="right" if number and column != "layer" else "left")
    for row in rows:
        made.add_row(*row)
    return made


def _memory_table(memory: Memory) -> Any:
    names = {
        "weights": "weights",
        "optimizer": "optimizer",
        "averages": "moving averages",
        "other": "metrics and counters",
        "batch": "batch",
    }
    rows = [(label, readable(getattr(memory, name))) for name, label in names.items() if getattr(memory, name)]
    rows += [
        ("these, as the compiler lays them out", readable(memory.arguments)),
        ("outputs beside the state", readable(memory.outputs)),
        ("temporaries", readable(memory.temporaries)),
        ("all", readable(memory.total)),
    ]
    return _table(("memory of a device", ""), rows)


def _collectives_table(collectives: tuple[Collective, ...]) -> Any:
    rows = [(each.kind, f"{each.count:,}", readable(each.nbytes)) for each in collectives]
    return _table(("collectives of a step", "number", "bytes on a device"), rows)


def _widest_table(widest: list[Wide]) -> Any:
    rows = [(readable(each.nbytes), f"{each.count}", each.shape, each.path, each.operation) for each in widest]
    return _table(("widest values", "places", "dtype and shape", "layer", "operation"), rows)
