"""Files with random damage: every one loads, or is refused by an error of ours.

The suite tries some hundred examples; `JKERAS_FUZZING=5000` says how many a longer run tries.
"""

import copy
import io
import json
import os
import zipfile

import h5py
import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jkeras
from jkeras import Input, layers
from jkeras.errors import JKerasError

EXAMPLES = int(os.environ.get("JKERAS_FUZZING", "60"))
FUZZED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=EXAMPLES <= 100,
    database=None,
)
ODD = (
    None, True, -1, 0, 2**40, 1.5, "", "../x", "relu", "Dense", "Adam", [], [None], {}, {"class_name": "Dense"},
    {"class_name": "function", "config": "relu", "module": "builtins"}, {"class_name": "__lambda__", "config": "x"},
    [[1]],
)  # fmt: skip


class Files(tuple):
    """Honest files, their model and its values; with a short name, for hypothesis writes down what a test was given."""

    __slots__ = ()

    def __repr__(self):
        return "files"


def model():
    return jkeras.Sequential(
        [Input((3,)), layers.Dense(4, "relu", kernel_regularizer="l2"), layers.BatchNormalization(), layers.Dense(2)]
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Honest files by the end of their names, and the model of all."""
    folder = tmp_path_factory.mktemp("honest")
    made = model()
    variables = made.init(jax.random.key(0))
    trainer = jkeras.Trainer(made, "adam", "mse", ["mae"])
    trainer.save(folder / "a.keras", trainer.state_of(variables))
    for suffix in (".weights.h5", ".safetensors", ".npz"):
        made.save_weights(folder / f"a{suffix}", variables)
    return Files(({path.name[1:]: path.read_bytes() for path in folder.iterdir()}, made, variables))


def load(path, made, variables):
    """Opens a file by every door that takes it."""
    if path.suffix == ".keras":
        doors = [lambda: jkeras.models.load_model(path), lambda: jkeras.Trainer.load(path)]
    else:
        doors = [lambda: made.load_weights(path, variables)]
    for door in doors:
        try:
            door()
        except JKerasError as error:
            assert len(str(error).splitlines()) <= 12
        except FileNotFoundError:
            assert not path.exists()


def damaged(data, start, length, new):
    start %= max(len(data), 1)
    return data[:start] + new + data[start + length :]


@FUZZED
@given(
    suffix=st.sampled_from([".keras", ".weights.h5", ".safetensors", ".npz"]),
    damage=st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=8)), min_size=1, max_size=3
    ),
    kept=st.integers(0, 10**6) | st.none(),
)
def test_bytes(suffix, damage, kept, files, tmp_path_factory):
    data = files[0][suffix]
    for start, length, new in damage:
        data = damaged(data, start, length, new)
    path = tmp_path_factory.getbasetemp() / f"bytes{suffix}"
    path.write_bytes(data if kept is None else data[: kept % (len(data) + 1)])
    load(path, *files[1:])


def places(node, path=()):
    """The paths to all values of a JSON tree."""
    yield path
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(child, (*path, key))


def replaced(tree, path, value):
    if not path:
        return value
    tree = copy.deepcopy(tree)
    node = tree
    for key in path[:-1]:
        node = node[key]
    if value is DELETED:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return tree


DELETED = object()


@FUZZED
@given(place=st.integers(0, 10**4), value=st.sampled_from([*ODD, DELETED]))
def test_configs(place, value, files, tmp_path_factory):
    with zipfile.ZipFile(io.BytesIO(files[0][".keras"])) as file:
        members = {name: file.read(name) for name in file.namelist()}
    del members["metadata.json"]
    config = json.loads(members["config.json"])
    paths = sorted(places(config), key=repr)
    path = paths[place % len(paths)]
    config = replaced(config, path, None if value is DELETED and not path else value)
    target = tmp_path_factory.getbasetemp() / "config.keras"
    with zipfile.ZipFile(target, "w") as file:
        for name, content in {**members, "config.json": json.dumps(config)}.items():
            file.writestr(name, content)
    load(target, *files[1:])


@FUZZED
@given(
    name=st.sampled_from(
        ["metadata.json", "config.json", "model.weights.h5", "assets/x", "../x", "/x", "other", "a/b\\c"]
    ),
    content=st.sampled_from([b"", b"{}", b"[]", b"null", b"\xff\xfe", b"{" * 9999, b'{"a": NaN}', b"x" * 2**16]),
    drop=st.booleans(),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zips(name, content, drop, method, files, tmp_path_factory):
    with zipfile.ZipFile(io.BytesIO(files[0][".keras"])) as file:
        members = {member: file.read(member) for member in file.namelist()}
    target = tmp_path_factory.getbasetemp() / "zip.keras"
    with zipfile.ZipFile(target, "w", method) as file:
        for member, kept in members.items():
            if not (drop and member == name):
                file.writestr(member, kept)
        file.writestr(name, content)
    load(target, *files[1:])


ACTIONS = ("delete", "attribute", "string", "soft", "hard", "external", "group", "dtype", "scalar")


@FUZZED
@given(
    place=st.integers(0, 10**4),
    action=st.sampled_from(ACTIONS),
    key=st.sampled_from(["sha256", "dtype", "name", "other"]),
    value=st.sampled_from([b"x", "bfloat16", "object", 1.5, np.zeros(3), np.zeros(32, "uint8")]),
    dtype=st.sampled_from(["complex64", "int8", "float64", "S3", "bool"]),
)
def test_hdf5(place, action, key, value, dtype, files, tmp_path_factory):
    target = tmp_path_factory.getbasetemp() / "changed.weights.h5"
    target.write_bytes(files[0][".weights.h5"])
    with h5py.File(target, "a") as file:
        names = []
        file.visit(names.append)
        name = sorted(names)[place % len(names)]
        if action == "attribute":
            file[name].attrs[key] = value
        else:
            del file[name]
            put = {
                "string": b"text", "soft": h5py.SoftLink("/"), "external": h5py.ExternalLink("x.h5", "/"),
                "dtype": np.zeros((3, 4), dtype), "scalar": 1.5, "hard": file[name.rpartition("/")[0] or "/"],
            }  # fmt: skip
            if action == "group":
                file.create_group(name)
            elif action in put:
                file[name] = put[action]
    load(target, *files[1:])
