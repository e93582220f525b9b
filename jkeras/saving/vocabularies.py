"""Vocabularies that Keras keeps in files of their own: those that `adapt` found. A config has all others.

Here a vocabulary is an argument of its layer, so it is put into the config before anything is made of that. The layer's
place follows from the config alone.
"""

from collections.abc import Mapping
from typing import Any

from jkeras.registry import snake_case
from jkeras.saving.archive import ASSETS, Archive
from jkeras.saving.hdf5 import Stored
from jkeras.saving.keras_weights import read_array
from jkeras.saving.walk import LAYERS
from jkeras.typing import Config

KINDS = ("IntegerLookup", "StringLookup", "TextVectorization")
FILE, WEIGHTS = "vocabulary.txt", "idf_weights"


def with_vocabularies(archive: Archive, found: Mapping[str, Stored]) -> Any:
    """The config of an archive, with the vocabularies of its files.

    Args:
        archive: that is open.
        found: the arrays of its weights, among which those of `"tf_idf"` are.
    """
    return _visited(archive.config, "", archive, found)


def _visited(envelope: object, place: str, archive: Archive, found: Mapping[str, Stored]) -> Any:
    if not isinstance(envelope, Mapping) or not isinstance(envelope.get("config"), Mapping):
        return envelope
    config = envelope["config"]
    if envelope.get("class_name") in KINDS:
        return {**envelope, "config": _with_vocabulary(envelope["class_name"], config, place, archive, found)}
    if not isinstance(config.get(LAYERS), list):
        return envelope
    counts: dict[str, int] = {}
    layers = []
    for layer in config[LAYERS]:
        name = snake_case(str(layer.get("class_name"))) if isinstance(layer, Mapping) else ""
        if name == "input_layer" and envelope.get("class_name") == "Sequential":  # which is not among its layers
            layers.append(layer)
            continue
        number = counts[name] = counts.get(name, -1) + 1
        inner = f"{place}/{LAYERS}/{name}_{number}" if number else f"{place}/{LAYERS}/{name}"
        layers.append(_visited(layer, inner.lstrip("/"), archive, found))
    return {**envelope, "config": {**config, LAYERS: layers}}


def _with_vocabulary(
    kind: str, config: Mapping[str, Any], place: str, archive: Archive, found: Mapping[str, Stored]
) -> Config:
    name = f"{ASSETS}{place}/{FILE}"
    if config.get("vocabulary") is not None or name not in archive.members:
        return dict(config)
    with archive.open(name) as file:
        lines = file.read().decode().rstrip("\n").split("\n")
    tokens: list[Any] = [int(line) for line in lines] if kind == "IntegerLookup" else lines
    weights = f"{place}/vars/{WEIGHTS}"
    idf = read_array(found[weights], weights, archive.path)[: len(tokens)].tolist() if weights in found else None
    return {**config, "vocabulary": tokens, "idf_weights": idf}
