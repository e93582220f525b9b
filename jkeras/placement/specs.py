"""Specs: which axis of a mesh splits which axis of an array, in one form."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

import jax

from jkeras.errors import PlacementError

Spec: TypeAlias = jax.sharding.PartitionSpec
SpecLike: TypeAlias = Spec | Sequence[str | Sequence[str] | None]
Rules: TypeAlias = Mapping[str, SpecLike] | tuple[tuple[str, Spec], ...]
Axes: TypeAlias = str | tuple[str, ...]
FREE = Spec.UNCONSTRAINED


def as_spec(given: Any, mesh: jax.sharding.Mesh, path: str) -> Spec:
    """A spec in its shortest form, in which equal specs are equal: no `None` at the end, no tuples of one name.

    Raises:
        PlacementError: it is no spec, names an axis twice, or one that the mesh does not have.

    >>> mesh = jax.sharding.Mesh(jax.devices()[:1], ("data",))
    >>> as_spec((None, ("data",), None), mesh, "rules")
    P(None, 'data')
    """
    if isinstance(given, str) or not isinstance(given, Spec | Sequence):
        raise PlacementError.must(
            "a spec must be a `PartitionSpec`", repr(given), path=path, write="PartitionSpec(None, 'model')"
        )
    entries = [_entry(entry) for entry in given]
    while entries and entries[-1] is None:
        entries.pop()
    names = [name for entry in entries if entry is not None and entry is not FREE for name in as_axes(entry)]
    unknown = [name for name in names if name not in mesh.axis_names]
    if unknown or len(set(names)) < len(names):
        problem = f"the unknown axis {unknown[0]!r}" if unknown else f"an axis twice: {names}"
        raise PlacementError.must(
            "a spec must name axes of the mesh, each at most once",
            problem,
            path=path,
            expected=f"some of {mesh.axis_names}",
            write=f"PartitionSpec(None, {mesh.axis_names[0]!r})",
        )
    return Spec(*entries)


def _entry(entry: Any) -> Any:
    if isinstance(entry, Sequence) and not isinstance(entry, str):
        return None if not entry else entry[0] if len(entry) == 1 else tuple(entry)
    return entry


def shortest(entries: Sequence[Any], mesh: jax.sharding.Mesh) -> Spec:
    """A spec in the form in which the compiler gives it back: without axes of one device, which split nothing.

    >>> shortest([None, "data", ("data", "model")], jax.make_mesh((1, 1), ("data", "model")))
    P()
    """
    kept: list[Any] = []
    for entry in entries:
        if entry is not None and entry is not FREE:
            entry = _entry([name for name in as_axes(entry) if mesh.shape[name] > 1])
        kept.append(entry)
    while kept and kept[-1] is None:
        kept.pop()
    return Spec(*kept)


def as_axes(axes: str | Sequence[str]) -> tuple[str, ...]:
    """One name, or several, as a tuple.

    >>> as_axes("data"), as_axes(["data", "model"])
    (('data',), ('data', 'model'))
    """
    return (axes,) if isinstance(axes, str) else tuple(axes)


def parts_along(mesh: jax.sharding.Mesh, entry: Any) -> int:
    """Into how many parts an entry of a spec splits an axis.

    >>> mesh = jax.sharding.Mesh(jax.devices()[:1], ("data",))
    >>> parts_along(mesh, "data"), parts_along(mesh, None)
    (1, 1)
    """
    return 1 if entry is None or entry is FREE else math.prod(mesh.shape[name] for name in as_axes(entry))


def as_rules(given: Any, mesh: jax.sharding.Mesh, name: str) -> tuple[tuple[str, Spec], ...]:
    """Rules as pairs of a pattern and a spec.

    Raises:
        PlacementError: there is no mapping from patterns to specs.

    >>> mesh = jax.sharding.Mesh(jax.devices()[:1], ("data",))
    >>> as_rules({"kernel": ("data",)}, mesh, "rules")
    (('kernel', P('data',)),)
    """
    pairs = given.items() if isinstance(given, Mapping) else given
    try:
        rules = [(pattern, spec) for pattern, spec in pairs]
        for pattern, _ in rules:
            re.compile(pattern)
    except (TypeError, ValueError, re.error) as error:
        raise PlacementError.must(
            f"`{name}` must be a dict from patterns of paths to specs",
            f"{given!r}"[:80],
            path=f"Placement({name}=)",
            write=f"Placement(mesh, {name}={{r'kernel$': PartitionSpec(None, 'model')}})",
        ) from error
    return tuple((pattern, as_spec(spec, mesh, f"Placement({name}=)[{pattern!r}]")) for pattern, spec in rules)


def pairs(rules: Rules) -> tuple[tuple[str, Spec], ...]:
    """The rules of a placement, which keeps them in this form.

    >>> pairs((("kernel", Spec("data")),))
    (('kernel', P('data',)),)
    """
    return cast(tuple[tuple[str, Spec], ...], rules)


def check_fits(mesh: jax.sharding.Mesh, spec: Spec, shape: tuple[int, ...], path: str) -> None:
    """Raises `PlacementError` where a spec has more axes than an array, or splits one into unequal parts.

    >>> mesh = jax.sharding.Mesh(jax.devices()[:1], ("data",))
    >>> check_fits(mesh, Spec("data"), (3,), "dense/bias")
    """
    if len(spec) > len(shape):
        raise PlacementError.must(
            f"the spec of an array of rank {len(shape)} must have at most {len(shape)} entries",
            str(spec),
            path=path,
            expected=f"a spec for the shape {shape}",
            write=f"rules={{r'{re.escape(path)}$': PartitionSpec({', '.join(['None'] * len(shape))})}}",
        )
    for axis, entry in enumerate(spec):
        parts = parts_along(mesh, entry)
        if shape[axis] % parts:
            raise PlacementError.must(
                f"axis {axis} of the shape {shape} must be divisible by the {parts} parts of {entry!r}",
                f"{shape[axis]}",
                path=path,
                expected=f"a multiple of {parts}",
                write="another spec for this path, or a size that divides",
            )
