"""Trees: nested dicts whose leaves are arrays, and the paths that address their leaves.

The path of `tree["encoder"]["dense"]["kernel"]` is `"encoder/dense/kernel"`. Empty subtrees are left out, so a tree
and its flat form `{path: leaf}` say the same thing.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax

from jkeras.errors import LeafError

SEPARATOR = "/"


def join(*parts: str) -> str:
    """One path out of several, empty ones skipped.

    >>> join("", "encoder", "dense/kernel")
    'encoder/dense/kernel'
    """
    return SEPARATOR.join(part for part in parts if part)


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """`{path: leaf}` in the order of the dicts. Anything other than a mapping is a leaf.

    >>> flatten({"dense": {"kernel": 1, "bias": 2}, "scale": 3})
    {'dense/kernel': 1, 'dense/bias': 2, 'scale': 3}
    """
    flat: dict[str, Any] = {}

    def visit(node: Mapping[str, Any], prefix: str) -> None:
        for name, child in node.items():
            if isinstance(child, Mapping):
                visit(child, f"{prefix}{name}{SEPARATOR}")
            else:
                flat[f"{prefix}{name}"] = child

    visit(tree, "")
    return flat


def unflatten(flat: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The nested dicts of a flat tree. Raises `LeafError` where one path is a prefix of another, or is given twice.

    >>> unflatten({"dense/kernel": 1, "dense/bias": 2})
    {'dense': {'kernel': 1, 'bias': 2}}
    """
    tree: dict[str, Any] = {}
    for path, leaf in flat.items() if isinstance(flat, Mapping) else flat:
        *parents, last = path.split(SEPARATOR)
        node = tree
        for name in parents:
            node = node.setdefault(name, {})
            if not isinstance(node, dict):
                raise LeafError(
                    "a path must not begin with the path of a leaf.",
                    path=path,
                    expected=f"no leaf at a part of {path!r}",
                    received=f"a leaf named {name!r}",
                )
        if last in node:
            raise LeafError("each path must be given once.", path=path, received="twice, or with paths below it")
        node[last] = leaf
    return tree


def subtree(tree: Mapping[str, Any], path: str) -> Any:
    """The part of a tree at a path, `{}` where the tree has nothing there.

    >>> subtree({"encoder": {"dense": {"kernel": 1}}}, "encoder/dense")
    {'kernel': 1}
    >>> subtree({"encoder": {}}, "decoder")
    {}
    """
    node: Any = tree
    for name in path.split(SEPARATOR) if path else ():
        if not isinstance(node, Mapping) or name not in node:
            return {}
        node = node[name]
    return node


def key_path(path: tuple[Any, ...]) -> str:
    """A JAX key path in our form; sequence indices and attributes become components.

    >>> import jax
    >>> [key_path(path) for path, _ in jax.tree_util.tree_leaves_with_path({"a": [1, {"b": 2}]})]
    ['a/0', 'a/1/b']
    """
    return jax.tree_util.keystr(path, simple=True, separator=SEPARATOR)


def map_with_path(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """`jax.tree.map` for functions whose first argument is the leaf's path.

    >>> map_with_path(lambda path, leaf: f"{path}={leaf}", {"a": {"b": 1}})
    {'a': {'b': 'a/b=1'}}
    """
    return jax.tree_util.tree_map_with_path(lambda path, *leaves: function(key_path(path), *leaves), tree, *rest)
