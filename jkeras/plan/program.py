"""What the text of a compiled program says of itself: collectives, cycles, the widest values.

The text is XLA's, for one of the devices. It is a list of computations; an instruction of one may call others. Two
kinds are told apart: the *steps* are what runs one after the other (the entry, the bodies of loops, branches), and the
rest is what single instructions are made of (fusions, the function of a reduction). A step inside a loop counts as
often as the loop runs: as XLA says, or else by the constants that its counter is compared with and grows by. Where
there is neither, once.
"""

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{$")
INSTRUCTION = re.compile(r"^\s+(ROOT )?%?([\w.\-]+) = (.*?) ([a-z][\w\-]*)\((.*)$")
ARRAY = re.compile(r"\b([a-z]\w*)\[([\d,]*)\](?:\{([^}]*)\})?")
CALLED = re.compile(r"\b(?:calls|body|condition|to_apply|true_computation|false_computation)=%?([\w.\-]+)")
BRANCHES = re.compile(r"\bbranch_computations=\{([^}]*)\}")
TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
NAME = re.compile(r'op_name="([^"]*)"')
KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "ragged-all-to-all", "collective-permute")
CONTROL = frozenset({"while", "conditional", "call", "async-start"})
# What makes no array of its own: names for others, and loops, whose results are those of their bodies.
NAMES = frozenset({"parameter", "tuple", "get-tuple-element", "bitcast", "constant", "optimization-barrier", *CONTROL})
ELSEWHERE = re.compile(r"S\([1-9]\d*\)")  # a memory space other than the device's main memory


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a computation: its name, type, operation, and the rest of the line."""

    name: str
    type: str
    operation: str
    rest: str
    is_root: bool = False

    @property
    def constant(self) -> int | None:
        """The value of an integer constant."""
        found = re.match(r"(\d+)\)", self.rest) if self.operation == "constant" else None
        return int(found[1]) if found else None

    @property
    def operands(self) -> list[str]:
        """The names of what it takes."""
        return re.findall(r"%([\w.\-]+)", self.rest.split("), ", 1)[0])

    @property
    def called(self) -> list[str]:
        """The computations that it is made of, or runs."""
        branches = [name.strip(" %") for found in BRANCHES.findall(self.rest) for name in found.split(",")]
        return CALLED.findall(self.rest) + branches


@dataclasses.dataclass(frozen=True)
class Collective:
    """Collective operations of one kind: how many a step runs, and the bytes of the whole arrays on one device.

    >>> Collective("all-gather", 2, 1024).nbytes
    1024
    """

    kind: str
    count: int
    nbytes: int


@dataclasses.dataclass(frozen=True)
class Wide:
    """Large values of one shape that a part of the model makes.

    Attributes:
        path: of the layer, and `backward` where a gradient is computed.
        operation: what makes them, in JAX's words.
        shape: dtype and shape on one device.
        nbytes: of one of them.
        count: how many places of the program make one.

    >>> Wide("lm/head, backward", "dot_general", "bfloat16[4096,128256]", 2 * 4096 * 128256, 2).count
    2
    """

    path: str
    operation: str
    shape: str
    nbytes: int
    count: int


class Program:
    """A compiled program, read from its text.

    Args:
        text: what `jax.stages.Compiled.as_text()` gives.

    Attributes:
        unknown_loops: the number of loops of which XLA does not know how often they run.

    >>> import jax, jax.numpy as jnp
    >>> text = jax.jit(lambda x: jnp.sin(x) @ x).lower(jax.ShapeDtypeStruct((8, 8), "float32")).compile().as_text()
    >>> program = Program(text)
    >>> program.collectives(), program.cycles(), [each.shape for each in program.widest(1)]
    ((), None, ['float32[8,8]'])
    """

    def __init__(self, text: str) -> None:
        self.computations: dict[str, list[Instruction]] = {}
        entry = ""
        body: list[Instruction] = []
        for line in text.splitlines():
            if (found := INSTRUCTION.match(line)) is not None:
                body.append(Instruction(found[2], found[3], found[4], found[5], is_root=bool(found[1])))
            elif (found := COMPUTATION.match(line)) is not None:
                body = self.computations[found[2]] = []
                entry = found[2] if found[1] else entry
        self.unknown_loops = 0
        self.steps: Counter[str] = Counter()  # how often each computation that is a step runs
        if entry:
            self._visit(entry, 1)

    def _visit(self, name: str, times: int) -> None:
        self.steps[name] += times
        for instruction in self.computations.get(name, ()):
            if instruction.operation not in CONTROL:
                continue
            trips = self._trips(instruction) if instruction.operation == "while" else 1
            self.unknown_loops += trips is None
            for called in instruction.called:
                self._visit(called, times * (1 if trips is None else trips))

    def _trips(self, loop: Instruction) -> int | None:
        """How often a loop runs its body, which counts from 0; `None` where the text does not say."""
        if (found := TRIPS.search(loop.rest)) is not None:
            return int(found[1])
        parts: dict[str, str] = dict(re.findall(r"\b(condition|body)=%?([\w.\-]+)", loop.rest))
        condition, body = (
            {each.name: each for each in self.computations.get(parts.get(kind, ""), ())}
            for kind in ("condition", "body")
        )
        last = next((each for each in condition.values() if each.operation == "compare" and each.is_root), None)
        if last is None or "direction=LT" not in last.rest or not body:
            return None
        counter, bound = (condition.get(name) for name in last.operands[:2])
        index = None if counter is None else re.search(r"\bindex=(\d+)", counter.rest)
        if index is None or bound is None or (limit := bound.constant) is None:
            return None
        made = next(each for each in body.values() if each.is_root).operands
        grown = body.get(made[int(index[1])]) if int(index[1]) < len(made) else None
        grows = [body[name].constant for name in grown.operands if name in body] if grown else []
        return -(-limit // next((each for each in grows if each), 1))

    def running(self) -> Iterator[tuple[Instruction, int]]:
        """The instructions that run one after the other, and how often a call of the program runs each."""
        for name, times in self.steps.items():
            for instruction in self.computations.get(name, ()):
                yield instruction, times

    def collectives(self) -> tuple[Collective, ...]:
        """The collective operations by kind, the most bytes first; those inside of fusions included."""
        counts: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for name, times in self.steps.items():
            for kind, nbytes in self._communicated(name):
                counts[kind] += times
                sizes[kind] += times * nbytes
        made = (Collective(kind, counts[kind], sizes[kind]) for kind in counts)
        return tuple(sorted(made, key=lambda each: -each.nbytes))

    def _communicated(self, name: str) -> Iterator[tuple[str, int]]:
        """The kind and bytes of each collective in a computation, and in what its instructions are made of."""
        computation = self.computations.get(name, ())
        types = {instruction.name: instruction.type for instruction in computation}
        for instruction in computation:
            kind = instruction.operation.removesuffix("-start")
            if kind in KINDS:
                given = sum(nbytes_of(types.get(operand, "")) for operand in instruction.operands)
                # the type of what begins an asynchronous one is that of its operands and results together
                pair = instruction.operation.endswith("-start") and kind != "all-reduce"
                made = max(nbytes_of(instruction.type) - (given if pair else 0), 0)
                scattered = name.startswith("all-reduce-scatter")  # how XLA's TPU compiler writes a reduce-scatter
                yield "reduce-scatter" if scattered else kind, max(given, made)
            elif instruction.operation == "fusion":
                for called in instruction.called:
                    yield from self._communicated(called)

    def cycles(self) -> int | None:
        """The sum of the cycles that the compiler estimates for what it estimates; `None` where it does so nowhere."""
        found = [(match, times) for each, times in self.running() if (match := CYCLES.search(each.rest))]
        return sum(int(match[1]) * times for match, times in found) if found else None

    def kernels(self) -> int:
        """How many calls of custom kernels there are, such as those of attention, in which nothing is counted."""
        wanted = re.compile(r'custom_call_target="(tpu_custom_call|__cudnn\$fmha|triton|__gpu\$xla.gpu.triton)')
        return sum(times for each, times in self.running() if wanted.search(each.rest))

    def widest(self, number: int) -> list[Wide]:
        """The largest values that the program makes in the device's memory, by layer and shape."""
        counts: Counter[tuple[str, str, str, int]] = Counter()
        for name in self.steps:
            for each in self.computations.get(name, ()):
                if each.operation in NAMES or each.operation.endswith(("-start", "-update")):
                    continue
                for dtype, shape, layout in ARRAY.findall(each.type):
                    if not ELSEWHERE.search(layout):
                        path, operation = source_of(each)
                        label = f"{DTYPES.get(dtype, dtype)}[{shape}]"
                        counts[path, operation, label, _nbytes(dtype, shape)] += 1
        largest = sorted(counts.items(), key=lambda item: (-item[0][3], item[0]))[:number]
        return [Wide(path, operation, label, nbytes, count) for (path, operation, label, nbytes), count in largest]


DTYPES: Mapping[str, str] = {
    **{f"f{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"s{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"u{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "bf16": "bfloat16",
    "pred": "bool",
    "c64": "complex64",
    "c128": "complex128",
}


def nbytes_of(type: str) -> int:
    """The bytes of all arrays in a type of XLA's, tiles not filled up.

    >>> nbytes_of("(f32[4,2]{1,0:T(8,128)}, /*index=1*/bf16[3]{0}, s32[])")
    42
    """
    return sum(_nbytes(dtype, shape) for dtype, shape, _ in ARRAY.findall(type))


def _nbytes(dtype: str, shape: str) -> int:
    entries = math.prod(int(size) for size in shape.split(",") if size)
    if dtype in DTYPES:
        size = 2 if dtype == "bf16" else np.dtype(DTYPES[dtype]).itemsize
        return entries * size
    bits = re.search(r"\d+", dtype)  # such as f8e4m3fn and u4
    return -(-entries * int(bits[0]) // 8) if bits else 0


WRAPPERS = re.compile(r"^(?:transpose|jvp|vmap|rematted_computation|remat|checkpoint)\((.*)\)$")
PLUMBING = frozenset({"while", "body", "closed_call", "cond", "branch", "checkpoint", "rematted_computation", "remat"})


def source_of(instruction: Instruction) -> tuple[str, str]:
    """The path of the layer that an instruction comes from, and the operation in JAX's words.

    >>> name = 'op_name="jit(train_step)/transpose(jvp(lm))/blocks/while/body/closed_call/norm/mul"'
    >>> source_of(Instruction("a", "f32[]", "fusion", f"metadata={{{name}}}"))
    ('lm/blocks/norm, backward', 'mul')
    """
    found = NAME.search(instruction.rest)
    if found is None:
        return "", instruction.operation
    parts = found[1].strip("()").split(":")[0].split("/")
    backward = any("transpose(" in part for part in parts)
    *path, operation = [part for part in parts[1:] if part not in PLUMBING] or [instruction.operation]
    names = [name for part in path if (name := _unwrapped(part))]
    return "/".join(names) + (", backward" if backward else ""), operation


def _unwrapped(part: str) -> str:
    """The name of a layer inside of JAX's transforms; empty for what is no layer, such as a jitted function."""
    while (found := WRAPPERS.match(part)) is not None:
        part = found[1]
    return part if re.fullmatch(r"[\w.\-]+", part) and part not in PLUMBING else ""
