"""Which operations a compiled network or layer consists of, beside the same one written by hand."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from benchmarks import layer_pairs, pairs, scaling
from benchmarks.harness import Report

INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?[\w.\-]+ = (?:\([^=]*\)|\S+) ([\w\-]+)\(", re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/")
# How values are handed around; no arithmetic, and nothing that runs.
PLUMBING = frozenset({"parameter", "tuple", "get-tuple-element", "constant", "bitcast"})


def operations(text: str) -> Counter[str]:
    """How often each operation occurs in the text of a compiled program, fused computations included.

    >>> operations('''
    ...   %p = f32[2]{0} parameter(0)
    ...   ROOT %t = (f32[2]{0}, /*index=1*/f32[2]{0}) tuple(%p, %p)
    ...   add.1 = f32[2]{0} add(%p, %p), metadata={op_name="a = b add("}
    ... ''')
    Counter({'add': 1})
    """
    counts = Counter(INSTRUCTION.findall(COMMENT.sub("", text)))
    return Counter({name: count for name, count in counts.items() if name not in PLUMBING})


def optimized(function: Any, *args: Any, options: dict[str, Any] | None = None) -> Counter[str]:
    return operations(jax.jit(function, compiler_options=options).lower(*args).compile().as_text() or "")


def difference(ours: Counter[str], theirs: Counter[str]) -> str:
    """`+2 add, -1 multiply`: what jkeras has more and less of."""
    names = sorted(set(ours) | set(theirs))
    return ", ".join(f"{ours[n] - theirs[n]:+d} {n}" for n in names if ours[n] != theirs[n]) or "none"


def compare(sides: pairs.Sides, data: Any) -> tuple[Counter[str], Counter[str]]:
    """The operations of both sides, by hand and with jkeras."""
    hand, ours = (optimized(function, values, data) for values, function in (sides.hand, sides.jkeras))
    return hand, ours


def add(report: Report, name: str, program: str, hand: Counter[str], ours: Counter[str]) -> None:
    cells = (name, program, str(hand.total()), str(ours.total()), difference(ours, hand))
    report.add(cells, name=name, program=program, hand=hand, jkeras=ours)


def add_networks(report: Report) -> None:
    """Whole networks: inference, the forward pass of training, a training step."""
    for pair in (pairs.mlp(3), pairs.mlp(50), pairs.convnet(), pairs.transformer()):
        x, _ = pair.batch
        programs = {
            "inference": (pairs.forwards(pair, training=False), x),
            "forward, training": (pairs.forwards(pair, training=True), x),
            "training step": (pairs.train_steps(pair), pair.batch),
        }
        for program, (sides, data) in programs.items():
            add(report, pair.name, program, *compare(sides, data))


def add_layers(report: Report) -> None:
    """Single layers, forward and with gradients; and why jkeras has more operations, where it has."""
    longer: dict[str, list[str]] = {}
    for case in layer_pairs.CASES:
        sides, inputs = layer_pairs.forwards(case)
        programs = {"forward": sides}
        if case.gradients:
            programs["forward and backward"] = layer_pairs.with_gradients(case, sides)
        counts = {program: compare(both, inputs) for program, both in programs.items()}
        for program, (hand, ours) in counts.items():
            add(report, case.layer, program, hand, ours)
        if any(ours.total() > hand.total() for hand, ours in counts.values()):
            longer.setdefault(layer_pairs.REASONS.get(case.layer, "not known"), []).append(case.layer)
    report.notes += [f"Why more in {', '.join(names)}: {reason}." for reason, names in longer.items()]


def communicated(counts: Mapping[str, Sequence[int]]) -> str:
    """`16 all-gather 16.00 MiB`: what a step communicates.

    >>> communicated({"all-reduce": [2, 3145728]})
    '2 all-reduce 3.00 MiB'
    """
    return ", ".join(f"{number} {kind} {size / 2**20:.2f} MiB" for kind, (number, size) in sorted(counts.items()))


def add_placements(report: Report) -> None:
    """Collectives of steps over eight virtual devices, whose bytes are to be those of the steps by hand."""
    for row in scaling.measured("collectives"):
        hand, ours = row["hand"], row["jkeras"]
        kinds = sorted({*hand, *ours})
        nothing = (0, 0)
        changed = [
            f"{ours.get(k, nothing)[0] - hand.get(k, nothing)[0]:+d} {k}" for k in kinds if ours.get(k) != hand.get(k)
        ]
        more = sum(ours.get(k, nothing)[1] - hand.get(k, nothing)[1] for k in kinds)
        shown = ", ".join(changed) + f" ({more:+d} bytes)" if changed else "none"
        name = f"{row['network']}, split: {row['placement']}"
        report.add((name, "collectives", communicated(hand), communicated(ours), shown), **row)


def run() -> Report:
    """Operation counts of optimized HLO, of networks and of single layers, against the same written by hand."""
    columns = ("network or layer", "program", "by hand", "jkeras", "difference")
    report = Report("hlo", "Operations of the optimized programs", columns)
    add_networks(report)
    report.divide()
    add_placements(report)
    report.divide()
    add_layers(report)
    return report
