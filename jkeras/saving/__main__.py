"""What files hold: `python -m jkeras.saving FILE` lists and verifies a file, `... FILE OTHER` compares two.

The exit status is 0 where a file is whole, and where two files are equal; else 1.
"""

import argparse
import sys
from collections.abc import Mapping

import numpy as np

from jkeras.errors import JKerasError
from jkeras.saving.archive import METADATA, opened
from jkeras.saving.entries import Weights
from jkeras.saving.opening import open_weights
from jkeras.saving.tables import show_arrays

VERSIONS = ("keras_version", "jkeras_version", "date_saved")


def main(given: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        given: its arguments; by default those of the process.
    """
    parser = argparse.ArgumentParser(prog="python -m jkeras.saving", description=__doc__)
    parser.add_argument("file", help=".keras, .weights.h5, .weights.json, .safetensors, .npz or .h5")
    parser.add_argument("other", nargs="?", help="a file to compare with")
    options = parser.parse_args(given)
    try:
        if options.other is None:
            return _show(options.file)
        with open_weights(options.file) as one, open_weights(options.other) as other:
            return _compare(one, other)
    except (JKerasError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def _show(path: str) -> int:
    """Prints what a file holds, and reads all of it."""
    if path.endswith(".keras"):
        with opened(path) as archive:
            for name in VERSIONS:
                if name in archive.metadata:
                    print(f"{name}: {archive.metadata[name]}")
            _show_config(archive.config, 0)
            for name in archive.members:
                with archive.open(name):  # compares its digest
                    print(
                        f"{name}: {'sha256 ' + str(archive.digests[name]) if name in archive.digests else 'no digest'}"
                    )
            if not archive.digests:
                print(f"{METADATA} has no digests: the file is one of Keras's, or an older one")
    with open_weights(path) as weights:
        show_arrays(path, weights)
        for entry in weights.values():
            entry.read()
    print("all arrays can be read")
    return 0


def _show_config(envelope: object, depth: int) -> None:
    """Prints the tree of a config: classes and names."""
    if not isinstance(envelope, Mapping) or not isinstance(envelope.get("config"), Mapping):
        return
    config = envelope["config"]
    name = config.get("name")
    print(f"{'  ' * depth}{envelope.get('class_name')}{f' {name!r}' if name else ''}")
    inner = config.get("layers")
    for layer in inner if isinstance(inner, list) else [config.get("layer")]:
        _show_config(layer, depth + 1)


def _compare(one: Weights, other: Weights) -> int:
    """Prints how two files differ."""
    lines = [f"only in the first: {name}" for name in one if name not in other]
    lines += [f"only in the second: {name}" for name in other if name not in one]
    equal = 0
    for name in one:
        if name not in other:
            continue
        a, b = one[name].read(), other[name].read()
        if a.shape != b.shape or a.dtype != b.dtype:
            lines.append(f"{name}: {a.shape} {a.dtype}, and {b.shape} {b.dtype}")
        elif a.tobytes() != b.tobytes():
            difference = np.abs(np.asarray(a, "float64") - np.asarray(b, "float64"))
            lines.append(f"{name}: differs by at most {np.nanmax(difference, initial=0.0):.3g}")
        else:
            equal += 1
    for line in lines:
        print(line)
    print(f"{equal} equal, {len(lines)} different")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
