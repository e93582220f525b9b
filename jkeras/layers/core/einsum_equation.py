"""Equations of EinsumDense: what `"...ab,bcd->...acd"` says of the shapes of kernel and bias.

A letter is an axis; it has one size wherever it occurs. Axes of the kernel that the output has are outputs, the others
are summed over. The letters of the output get the sizes that the layer was told, but for the batch axis, which nobody
tells: it is the first letter, or hidden in an ellipsis on the left.
"""

import dataclasses
import re
from collections.abc import Sequence

from jkeras.errors import ArgumentError, BuildError

FORM = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


@dataclasses.dataclass(frozen=True)
class Equation:
    """The letters of inputs, kernel and outputs, and on which side of inputs and outputs there are further axes.

    >>> Equation.parse("...ab,bc->...ac")
    Equation(inputs='ab', kernel='bc', outputs='ac', left='...', right='')
    """

    inputs: str
    kernel: str
    outputs: str
    left: str = ""
    right: str = ""

    @classmethod
    def parse(cls, equation: str) -> "Equation":
        """The parts of an equation. Raises `ArgumentError` where it has another form."""
        found = FORM.fullmatch(equation.replace(" ", "")) if isinstance(equation, str) else None
        parts = [part or "" for part in found.groups()] if found is not None else []
        if not parts or (parts[0], parts[2]) != (parts[4], parts[6]) or (parts[0] and parts[2]):
            raise _unusable(f"`equation` must be of inputs, a kernel and outputs, got {equation!r}.", equation)
        parsed = cls(parts[1], parts[3], parts[5], parts[0], parts[2])
        for letters in (parsed.inputs, parsed.kernel, parsed.outputs):
            if len({*letters}) < len(letters):
                raise _unusable("`equation` must not repeat a letter in one operand.", equation)
        if odd := {*parsed.kernel} - {*parsed.inputs, *parsed.outputs}:
            raise _unusable(f"the axes {sorted(odd)} of the kernel must be in the inputs or in the outputs.", equation)
        if odd := {*parsed.outputs} - {*parsed.inputs, *parsed.kernel}:
            raise _unusable(f"the axes {sorted(odd)} of the outputs must be in the inputs or in the kernel.", equation)
        return parsed

    def hidden(self, input_shape: Sequence[int | None], path: str) -> int:
        """How many axes of the inputs an ellipsis stands for."""
        hidden = len(input_shape) - len(self.inputs)
        if hidden < 0 or (hidden and not self.left + self.right):
            raise BuildError(
                f"the inputs must have the axes of the equation, got rank {len(input_shape)}.",
                path=path,
                expected=f"{self.left}{self.inputs}{self.right}, {len(self.inputs)} axes"
                + (" or more" if self.left + self.right else ""),
                received=f"shape {tuple(input_shape)}",
                write=f"jkeras.Input({(None,) + (8,) * (len(self.inputs) - 2)})" if len(self.inputs) > 1 else None,
            )
        return hidden

    def sizes(
        self, input_shape: Sequence[int | None], output_shape: Sequence[int | None], path: str
    ) -> dict[str, int | None]:
        """The size of each letter, `None` where it is not known."""
        hidden = self.hidden(input_shape, path)
        visible = input_shape[hidden:] if self.left else input_shape[: len(self.inputs)]
        sizes = dict(zip(self.inputs, visible, strict=True))
        told = self.outputs if self.left and hidden else self.outputs[1:]
        if len(told) != len(output_shape):
            example = tuple(None if each in self.inputs else 64 for each in told)
            rule = f"`output_shape` must have a size, or None, for each of the axes '{told}'"
            received = tuple(output_shape)
            wanted, write = f"{len(told)} entries", f"EinsumDense(..., output_shape={example})"
            raise BuildError.must(rule, received, path=path, expected=wanted, write=write)
        for letter, size in zip(told, output_shape, strict=True):
            if sizes.get(letter) is None:
                sizes[letter] = size
            elif size is not None and sizes[letter] != size:
                pairs = zip(told, output_shape, strict=True)
                new = tuple(None if each in self.inputs else entry for each, entry in pairs)
                rule = f"`output_shape` must have the size of the inputs along the axis '{letter}'"
                wanted = f"size {sizes[letter]}, as in inputs of shape {tuple(input_shape)}"
                write = f"EinsumDense(..., output_shape={new})   # None: as in the inputs"
                raise BuildError.must(rule, size, path=path, expected=wanted, write=write)
        return sizes

    def bias_axes(self, letters: str) -> str:
        """The axes of outputs from the first one that has a bias."""
        return self.outputs[min(map(self.outputs.index, letters)) :]


def known(letters: str, sizes: dict[str, int | None], what: str, path: str) -> tuple[int, ...]:
    """The sizes of some letters. Raises `BuildError` where one is not known.

    >>> known("ac", {"a": 2, "b": None, "c": 3}, "kernel", "einsum_dense")
    (2, 3)
    """
    found = [size for letter in letters if (size := sizes.get(letter)) is not None]
    if len(found) < len(letters):
        unknown = [letter for letter in letters if sizes.get(letter) is None]
        raise BuildError(
            f"the sizes of the axes {unknown} must be known, because they are in the shape of the {what}.",
            path=path,
            expected="ints in `output_shape` or in the shape of the inputs",
            received=f"{sizes}",
            write="EinsumDense('abc,cd->abd', output_shape=(None, 64))   # d is 64",
        )
    return tuple(found)


def _unusable(problem: str, equation: object) -> ArgumentError:
    return ArgumentError(
        problem,
        path="EinsumDense",
        expected="one of the forms ab,bc->ac  ...ab,bc->...ac  ab...,bc->ac...",
        received=repr(equation),
        write='EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")',
    )
