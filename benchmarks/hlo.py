"""Which operations a compiled network consists of, beside the same network written by hand."""

import re
from collections import Counter
from typing import Any

import jax

from benchmarks import pairs
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


def optimized(function: Any, *args: Any) -> Counter[str]:
    return operations(jax.jit(function).lower(*args).compile().as_text() or "")


def difference(ours: Counter[str], theirs: Counter[str]) -> str:
    """`+2 add, -1 multiply`: what jkeras has more and less of."""
    names = sorted(set(ours) | set(theirs))
    return ", ".join(f"{ours[n] - theirs[n]:+d} {n}" for n in names if ours[n] != theirs[n]) or "none"


def run() -> Report:
    """Operation counts of optimized HLO, forward and training step, against the same network by hand."""
    report = Report(
        "hlo",
        "Operations of the optimized programs",
        ("network", "program", "by hand", "jkeras", "difference"),
    )
    for pair in (pairs.mlp(3), pairs.mlp(50), pairs.convnet(), pairs.transformer()):
        x, _ = pair.batch
        programs = {
            "inference": (pairs.forwards(pair, training=False), x),
            "forward, training": (pairs.forwards(pair, training=True), x),
            "training step": (pairs.train_steps(pair), pair.batch),
        }
        for name, (sides, data) in programs.items():
            hand, ours = (optimized(step, state, data) for state, step in (sides.hand, sides.jkeras))
            cells = (pair.name, name, str(hand.total()), str(ours.total()), difference(ours, hand))
            report.add(cells, network=pair.name, program=name, hand=hand, jkeras=ours)
    return report
