"""Parsing of untrusted JSON: duplicate keys and excessive nesting raise an error at once."""

import json
import re
from typing import Any

from jkeras.errors import ConfigError

MAX_DEPTH = 200  # of objects and lists inside one another; the networks of keras.applications have 15
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')


def parse(text: str, path: str = "model_from_json") -> Any:
    """The value of a JSON string.

    Args:
        text: the string.
        path: what errors name.

    Raises:
        ConfigError: the string is not JSON, gives a key twice, or is nested deeper than `MAX_DEPTH`.

    >>> parse('{"units": 3}')
    {'units': 3}
    """
    depth = deepest = 0
    for character in STRINGS.sub("", text):
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise ConfigError(
            f"the config must not be nested more than {MAX_DEPTH} levels deep, got {deepest}.",
            path=path,
            expected=f"at most {MAX_DEPTH} levels",
            received=f"{deepest} levels",
        )
    try:
        return json.loads(text, object_pairs_hook=_object)
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"the config must be JSON: {error}.",
            path=path,
            expected="a JSON string, as of to_json",
            received=repr(text[:60]),
            write="model_from_json(model.to_json())",
        ) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, whose keys differ."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ConfigError(
            "the keys of a JSON object must be distinct.",
            path="model_from_json",
            expected="distinct keys",
            received=next(name for name in names if names.count(name) > 1),
        )
    return found
