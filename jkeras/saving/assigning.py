"""`assign`: weights of any source into the trees of a layer, by name.

    names of the source     model.layers.0.self_attn.q_proj.weight     (a file of others: dots)
    `prefix`, `rename`      blocks/0/attention/query/kernel            (a path of the layer)
    `transform`             (out, in) -> (in, heads, head_dim)         (the shape of the leaf)
    the leaf                its dtype, its place on devices

Everything is compared first, by names and shapes alone; then one array after the other is read and put into its place.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np

from jkeras import arguments, tree
from jkeras.core import Layer, Variable, Variables
from jkeras.core.stateless import bind
from jkeras.core.structure import Structure
from jkeras.errors import ArgumentError, LeafError, did_you_mean
from jkeras.representations import LowRank
from jkeras.saving.entries import Entry, Source
from jkeras.saving.keras_weights import as_trees
from jkeras.saving.state import placed, shortened

Targets: TypeAlias = str | Iterable[str] | None
Replacement: TypeAlias = Targets | Callable[[re.Match[str]], Targets]
Rename: TypeAlias = Mapping[str, Replacement] | Callable[[str], Targets]
Transform: TypeAlias = Mapping[str, Callable[[np.ndarray], Any]]


class Move(NamedTuple):
    """One array and one leaf that it goes to.

    Attributes:
        entry: the array.
        path: of the leaf.
        transform: what is made of the array, or `None`.
    """

    entry: Entry
    path: str
    transform: Callable[[np.ndarray], Any] | None


def assign(
    layer: Layer,
    variables: tuple[Any, Any],
    weights: Mapping[str, Any],
    *,
    rename: Rename | None = None,
    transform: Transform | None = None,
    prefix: str = "",
    skip_mismatch: bool = False,
) -> Variables:
    """The trees of a layer with weights that have other names, and maybe other shapes.

    Names that are paths of the layer, with dots or slashes, need no `rename`. States of random generators and pairs of
    LoRA may be missing, and stay as they are then; every other weight must be there, and nothing else.

    Args:
        layer: a built layer or model.
        variables: its two trees. Leaves keep their dtypes and their places on devices; specs with a sharding will do.
        weights: arrays or entries by name: `open_weights(path)`, or a dict, which may be nested.
        rename: the path of the weight with a name. A dict of patterns, of which the first that matches the whole name
            counts: `{r"h\\.(\\d+)\\.ln_1\\.weight": r"blocks/\\1/norm/gamma"}`. In place of a template there may be a
            function of the match, several templates, as one array may go to several weights, or `None`: left out. Or
            one function of the name, that returns a path, several, or `None`. A name without a rule stays.
        transform: what becomes of an array: a dict from patterns of paths to functions of a NumPy array, of which the
            first that matches counts. They must not change their argument, and are called with zeros too, for shapes.
        prefix: only names that begin with it are taken, without it, so that a part of a file goes into a layer.
        skip_mismatch: whether weights that are missing or have other shapes stay as they are, and others are left
            out, with a warning.

    Raises:
        LeafError: weights are missing, unexpected, given twice or of other shapes; names each one, and nothing has
            been read. Or the trees do not fit the layer.
        DamagedFileError: the contents of the file are not those that were written.

    >>> import jax
    >>> from jkeras import layers
    >>> layer = layers.Dense(2)
    >>> variables = layer.init(jax.random.key(0), (1, 3))
    >>> theirs = {"linear.weight": np.ones((2, 3)), "linear.bias": np.zeros(2)}  # (out, in), as in PyTorch
    >>> loaded = assign(
    ...     layer, variables, theirs, prefix="linear.", rename={"weight": "kernel"}, transform={"kernel": np.transpose}
    ... )
    >>> loaded.trainable["kernel"].shape, str(loaded.trainable["kernel"].dtype)
    ((3, 2), 'float32')
    """
    structure = layer.structure()
    values: dict[Variable, Any] = dict(bind(structure, *variables, layer.name).values)
    paths = {declaration.path: variable for variable, declaration in structure.declarations.items()}
    entries = {name: _entry(name, value) for name, value in _flat(weights, layer).items()}
    planned, unexpected = _planned(entries, paths, rename, transform, prefix)
    moves, misfits = _fitting(planned, {path: values[variable] for path, variable in paths.items()})
    given = {move.path for move in planned}
    missing = [f"'{path}' is missing" for path in _needed(structure) if path not in given]
    kinds = (misfits, missing, unexpected)
    problems = [line for kind in kinds for line in kind[:1]] + [line for kind in kinds for line in kind[1:]]
    if problems and not skip_mismatch:
        raise _misfit(layer, problems, entries, planned)
    if problems:
        text = "; ".join(shortened(problems))
        warnings.warn(f"{layer.name}: weights of other names or shapes are left out: {text}.", stacklevel=2)
    by_entry: dict[int, list[Move]] = {}
    for move in moves:
        by_entry.setdefault(id(move.entry), []).append(move)
    for group in by_entry.values():
        array = group[0].entry.read()
        for move in group:
            variable = paths[move.path]
            values[variable] = _value(array if move.transform is None else move.transform(array), values[variable])
    return as_trees(layer, values)


def _flat(weights: Any, layer: Layer) -> Mapping[str, Any]:
    if not isinstance(weights, Mapping):
        raise arguments.refusal(
            weights,
            "weights",
            f"assign to {layer.name}",
            "a mapping of names to arrays",
            write="jkeras.saving.assign(layer, variables, jkeras.saving.open_weights(path))",
        )
    return tree.flatten(weights)


def _entry(name: str, value: Any) -> Entry:
    if isinstance(value, Entry):
        return value
    array = value if isinstance(getattr(value, "dtype", None), np.dtype) else np.asarray(value)
    return Entry(name, tuple(array.shape), array.dtype, Source(name), lambda: np.asarray(array))


def _planned(
    entries: Mapping[str, Entry],
    paths: Mapping[str, Variable],
    rename: Rename | None,
    transform: Transform | None,
    prefix: str,
) -> tuple[list[Move], list[str]]:
    """Which array goes where; and what is wrong with the names."""
    renamed = _renaming(rename)
    patterns = [(re.compile(pattern), function) for pattern, function in (transform or {}).items()]
    dotted = {path.replace("/", "."): path for path in paths}
    moves: dict[str, Move] = {}
    problems: list[str] = []
    for name, entry in entries.items():
        if not name.startswith(prefix):
            continue
        for target in renamed(name.removeprefix(prefix)):
            path = target if target in paths else dotted.get(target.replace("/", "."), target)
            if path not in paths:
                near = did_you_mean(path, paths) if not problems else ""  # of those that are shown
                hint = f", but {near}" if "did you mean" in near else ""
                problems.append(f"'{name}' is unexpected: the layer has no weight {path!r}{hint}")
            elif path in moves:
                problems.append(f"'{path}' is given twice, by {moves[path].entry.name!r} and {name!r}")
            else:
                function = next((function for pattern, function in patterns if pattern.fullmatch(path)), None)
                moves[path] = Move(entry, path, function)
    return list(moves.values()), problems


def _renaming(rename: Rename | None) -> Callable[[str], tuple[str, ...]]:
    """A function from a name to the paths of its weights."""
    if rename is None:
        return lambda name: (name,)
    if not isinstance(rename, Mapping):
        function = arguments.function(rename, "rename", "assign", write="assign(..., rename={r'(.*)': r'\\1'})")
        return lambda name: _several(function(name))
    rules = [(re.compile(pattern), replacement) for pattern, replacement in rename.items()]

    def renamed(name: str) -> tuple[str, ...]:
        for pattern, replacement in rules:
            if match := pattern.fullmatch(name):
                if callable(replacement):
                    return _several(replacement(match))
                return tuple(match.expand(template) for template in _several(replacement))
        return (name,)

    return renamed


def _several(targets: Targets) -> tuple[str, ...]:
    if targets is None or isinstance(targets, str):
        return () if targets is None else (targets,)
    found = tuple(targets) if isinstance(targets, Iterable) else (None,)
    if not all(isinstance(target, str) for target in found):
        raise ArgumentError(
            f"`rename` must give a path, several, or None, got {arguments.shown(targets)}.",
            path="assign",
            expected="a str, a tuple of them, or None",
            received=arguments.shown(targets),
        )
    return found


def _fitting(moves: list[Move], leaves: Mapping[str, Any]) -> tuple[list[Move], list[str]]:
    """The moves whose arrays have the shape and the kind of their leaves; and what is wrong with the others."""
    fitting: list[Move] = []
    problems: list[str] = []
    for move in moves:
        entry, leaf = move.entry, leaves[move.path]
        leaf = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
        source = f"from '{entry.name}' {entry.shape}" if move.transform else f"from '{entry.name}'"
        try:
            shape = entry.shape if move.transform is None else _shape_after(move.transform, entry)
        except Exception as error:  # of a function of the user's, for a shape that it was not written for
            problems.append(f"'{move.path}': its transform raises {type(error).__name__}, {source}: {error}")
            continue
        if shape != leaf.shape:
            problems.append(f"'{move.path}' has shape {shape}, expected {leaf.shape}, {source}")
        elif not _is_of_kind(entry.dtype, leaf.dtype):
            problems.append(f"'{move.path}' has dtype {entry.dtype}, expected {leaf.dtype}, {source}")
        else:
            fitting.append(move)
    return fitting, problems


def _shape_after(transform: Callable[[np.ndarray], Any], entry: Entry) -> tuple[int, ...]:
    """The shape that a transform gives, found with an array of zeros that takes no memory."""
    return tuple(np.shape(transform(np.broadcast_to(np.zeros((), entry.dtype), entry.shape))))


def _is_of_kind(dtype: np.dtype, leaf: Any) -> bool:
    """Whether the values of a dtype mean the same in a leaf: floats stay floats, integers fit into anything."""
    kinds = (jnp.bool_, jnp.integer, jnp.floating, jnp.complexfloating)
    ranks = [next((rank for rank, kind in enumerate(kinds) if jnp.issubdtype(each, kind)), 4) for each in (dtype, leaf)]
    return ranks[0] <= ranks[1] < len(kinds)


def _needed(structure: Structure) -> list[str]:
    """The paths of the weights that a file of others has: no states of random generators, no pairs of LoRA."""
    forms = [variable.origin.representation for variable in structure.declarations]
    pairs = {id(part) for form in forms if isinstance(form, LowRank) for part in (form.a, form.b)}
    return [d.path for v, d in structure.declarations.items() if not d.stream and id(v.origin) not in pairs]


def _misfit(layer: Layer, problems: list[str], entries: Mapping[str, Entry], moves: list[Move]) -> LeafError:
    names = "" if moves else f" None of its names is known, such as {next(iter(entries), '')!r}."
    counted = "1 weight does" if len(problems) == 1 else f"{len(problems)} weights do"
    return LeafError(
        f"{counted} not fit the layer.{names}\n    " + "\n    ".join(shortened(problems)),
        path=layer.name,
        write="jkeras.saving.assign(..., rename={r'name in the file': 'path in the layer'}, skip_mismatch=True)",
    )


def _value(array: Any, leaf: Any) -> Any:
    """An array in the dtype of a leaf, and in its place."""
    if not hasattr(leaf, "dtype"):  # a number
        return jnp.asarray(array)
    return placed(np.asarray(array).astype(leaf.dtype), leaf)
