"""Files that somebody made to do harm, or that were harmed: refused with the reason, and nothing of them is done."""

import codecs
import contextlib
import json
import marshal
import os
import shutil
import sys
import time
import tracemalloc
import zipfile

import h5py
import jax
import numpy as np
import pytest

import jkeras
from jkeras import Input, layers
from jkeras.errors import ConfigError, DamagedFileError, JKerasError, LeafError, UnknownNameError, UnsafeFileError

KEY = jax.random.key(0)
WATCHED: list[str] = []
FORBIDDEN = ("marshal.loads", "pickle.find_class", "subprocess.Popen", "os.system", "socket.connect", "exec")
_watching = [False]


def _audit(event, arguments):
    if _watching[0] and event in FORBIDDEN:
        WATCHED.append(event)
    if _watching[0] and event == "import" and "canary" in str(arguments[0]):
        WATCHED.append(f"import {arguments[0]}")
    if _watching[0] and event == "open" and "canary" in str(arguments[0]):
        WATCHED.append(f"open {arguments[0]}")


sys.addaudithook(_audit)
codecs.lookup("cp437")  # Python imports the encoding of older zips when it first meets one


@pytest.fixture
def honest(tmp_path):
    """The members of an honest file, by name."""
    model = jkeras.Sequential([Input((5,)), layers.Dense(3), layers.Dense(2)])
    model.save(tmp_path / "honest.keras", model.init(KEY))
    with zipfile.ZipFile(tmp_path / "honest.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != "metadata.json"}


def zipped(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, content)
    return path


def changed(members, change):
    """The members with another config."""
    config = json.loads(members["config.json"])
    change(config["config"]["layers"][1])
    return {**members, "config.json": json.dumps(config)}


def weights(members, change, tmp_path):
    """The members with another file of weights."""
    path = tmp_path / "changed.h5"
    path.write_bytes(members["model.weights.h5"])
    with h5py.File(path, "r+") as file:
        change(file)
    return {**members, "model.weights.h5": path.read_bytes()}


SECONDS, MEBIBYTE = 2.0, 2**20


@contextlib.contextmanager
def watched(path):
    """A block that reads a file: nothing in the file runs, and it takes at most two seconds of the processor and three
    times its size and 64 MiB of memory."""
    WATCHED.clear()
    size = os.path.getsize(path) if os.path.isfile(path) else 0
    tracemalloc.start()
    began = time.process_time()
    _watching[0] = True
    try:
        yield
    finally:
        _watching[0] = False
        seconds, memory = time.process_time() - began, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert not WATCHED
    assert seconds < SECONDS
    assert memory < 3 * size + 64 * MEBIBYTE


def refused(path, error, match=None):
    """Opens a file by both doors, which must end in an error of ours, with nothing done; the error of the first."""
    errors = []
    for door in (jkeras.models.load_model, lambda path: jkeras.Trainer.load(path, loss="mse")):
        with watched(path), pytest.raises(error, match=match) as caught:
            door(path)
        assert isinstance(caught.value, JKerasError)
        errors.append(caught.value)
    return errors[0]


def into(name, value):
    return lambda layer: layer["config"].update({name: value})


def as_class(module, name, /, **config):
    return lambda layer: layer.update(module=module, class_name=name, registered_name=name, config=config)


LAMBDA = {"class_name": "__lambda__", "config": {"value": marshal.dumps((lambda: 0).__code__).hex()}}
CONFIGS = {
    "M01 bytecode": (as_class("keras.layers", "Lambda", function=LAMBDA), JKerasError),
    "M02 class of a module": (as_class("canary_module", "Evil"), UnknownNameError),
    "M03 function of a module": (
        into("activation", {"module": "canary_module", "class_name": "function", "config": "run"}),
        UnknownNameError,
    ),
    "M07 a setter as activation": (into("activation", "set_floatx"), UnknownNameError),
    "M08 an optimizer as layer": (as_class("keras.optimizers", "Adam"), JKerasError),
    "M10 a graph of another library": (as_class("keras.layers", "TFSMLayer", filepath="canary"), UnknownNameError),
    "M11 a module of another library": (
        as_class("keras.layers", "TorchModuleWrapper", module="canary"),
        UnknownNameError,
    ),
    "M21 a layer of terabytes": (into("units", 10**12), JKerasError),
    "M28 a name that leads out": (into("name", "../../x\n\0y"), JKerasError),
    "M34 an object as dtype": (into("dtype", "object"), JKerasError),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_config_that_asks_for_what_no_model_needs_is_refused(case, honest, tmp_path):
    change, error = CONFIGS[case]
    refused(zipped(tmp_path / "a.keras", changed(honest, change)), error)


def test_a_layer_of_terabytes_is_told_by_its_shape(honest, tmp_path):
    config = json.loads(honest["config.json"])
    config["config"]["layers"][2]["config"]["units"] = 10**12
    path = zipped(tmp_path / "a.keras", {**honest, "config.json": json.dumps(config)})
    refused(path, LeafError, match=r"shape \(3, 2\), expected \(3, 1000000000000\)")


def test_a_vocabulary_is_never_a_path(honest, tmp_path):
    secret = tmp_path / "canary.txt"
    secret.write_text("secret")
    change = as_class("keras.layers", "StringLookup", vocabulary=str(secret))
    refused(zipped(tmp_path / "a.keras", changed(honest, change)), JKerasError)


def test_the_root_must_be_a_model(honest, tmp_path):
    adam = {"module": "keras.optimizers", "class_name": "Adam", "config": {}, "registered_name": None}
    error = refused(zipped(tmp_path / "a.keras", {**honest, "config.json": json.dumps(adam)}), UnsafeFileError)
    assert error.code == "not-a-model"


def external(file):
    del file["layers/dense/vars/0"]
    kept = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    kept.set_external(b"canary_bytes", 0, 60)
    space = h5py.h5s.create_simple((5, 3))
    h5py.h5d.create(file["layers/dense/vars"].id, b"0", h5py.h5t.IEEE_F32LE, space, kept)


def virtual(file):
    del file["layers/dense/vars/0"]
    layout = h5py.VirtualLayout((5, 3), "float32")
    layout[:] = h5py.VirtualSource("canary.h5", "x", (5, 3))
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def replaced(**options):
    def change(file):
        del file["layers/dense/vars/0"]
        file.create_dataset("layers/dense/vars/0", **options)

    return change


def linked(link):
    def change(file):
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = link

    return change


def cyclic(file):
    file["layers/dense/again"] = file["layers"]


WEIGHTS = {
    "M12 external link": (linked(h5py.ExternalLink("canary.h5", "/x")), "external-link"),
    "M14 soft link": (linked(h5py.SoftLink("/layers/dense_1/vars/0")), "external-link"),
    "M15 external storage": (external, "external-storage"),
    "M16 virtual": (virtual, "virtual"),
    "M17 petabytes": (replaced(shape=(2**30, 2**20), dtype="float32", chunks=(1024, 1024)), "size"),
    "M18 a gigabyte": (replaced(shape=(2**14, 2**14), dtype="float32", chunks=(1024, 1024)), "size"),
    "M31 strings": (replaced(data=["a", "b"], dtype=h5py.string_dtype()), "dtype"),
    "M32 references": (replaced(shape=(5, 3), dtype=h5py.ref_dtype), "dtype"),
    "M33 a cycle": (cyclic, "cycle"),
    "M35 complex": (replaced(data=np.zeros((5, 3), complex)), "dtype"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_that_are_no_plain_arrays_are_refused(case, honest, tmp_path):
    change, code = WEIGHTS[case]
    path = zipped(tmp_path / "a.keras", weights(honest, change, tmp_path))
    assert refused(path, UnsafeFileError).code == code
    (tmp_path / "a.weights.h5").write_bytes(weights(honest, change, tmp_path)["model.weights.h5"])
    model = jkeras.Sequential([Input((5,)), layers.Dense(3), layers.Dense(2)])
    with pytest.raises(UnsafeFileError):
        model.load_weights(tmp_path / "a.weights.h5", model.init(KEY))


def link_member(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            if name == "config.json":
                info.external_attr = 0o120777 << 16
            archive.writestr(info, content)
    return path


ARCHIVES = {
    "M20 an asset that grows": (lambda p, m: zipped(p, {**m, "assets/x": b"\0" * 2**28}, compression=8), "size"),
    "M20 something else": (lambda p, m: zipped(p, {**m, "setup.py": "1"}), "undeclared-member"),
    "M26 a way out": (lambda p, m: zipped(p, {**m, "assets/../../x": "1"}), "bad-name"),
    "M26 backslashes": (lambda p, m: zipped(p, {**m, "assets/..\\x": "1"}), "bad-name"),
    "M36 no weights": (lambda p, m: zipped(p, {"config.json": m["config.json"]}), "missing-member"),
    "M40 another compression": (lambda p, m: zipped(p, m, compression=zipfile.ZIP_LZMA), "compression"),
    "M41 a link": (link_member, "link"),
    "M48 not UTF-8": (lambda p, m: zipped(p, {**m, "config.json": b"\xff\xfe"}), "encoding"),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_with_odd_members_is_refused(case, honest, tmp_path):
    make, code = ARCHIVES[case]
    assert refused(make(tmp_path / "a.keras", honest), UnsafeFileError).code == code


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(honest, tmp_path):
    path = zipped(tmp_path / "a.keras", [*honest.items(), ("config.json", honest["config.json"])])
    assert refused(path, UnsafeFileError).code == "duplicate-member"


JSON = {"deep": "[" * 100_000, "twice": '{"a": 1, "a": 2}', "half": "{", "long": '{"class_name": ' + "9" * 10_000 + "}"}


@pytest.mark.parametrize("text", JSON.values(), ids=JSON)
def test_json_that_no_config_is_made_of_is_refused(text, honest, tmp_path):
    refused(zipped(tmp_path / "a.keras", {**honest, "config.json": text}), (ConfigError, UnsafeFileError))


def test_a_config_that_is_too_large_is_refused(honest, tmp_path):
    path = zipped(tmp_path / "a.keras", {**honest, "config.json": os.urandom(2**20).hex() * 33})
    assert refused(path, UnsafeFileError).code == "config-too-large"


def test_a_file_that_was_cut_says_so(honest, tmp_path):
    whole = zipped(tmp_path / "a.keras", honest).read_bytes()
    for size in (0, 1, len(whole) // 10, len(whole) // 2, len(whole) * 9 // 10, len(whole) - 1):
        (tmp_path / "cut.keras").write_bytes(whole[:size])
        refused(tmp_path / "cut.keras", DamagedFileError)


def same(one, other):
    return all(
        np.array_equal(np.asarray(a), np.asarray(b))
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )


def test_attributes_that_nobody_wrote_are_noticed(tmp_path):
    model = jkeras.Sequential([Input((5,)), layers.Dense(3)])
    variables = model.init(KEY)
    for name, value in (("other", np.zeros(3)), ("other", b"x"), ("other", 1.5), ("sha256", "x"), ("sha256", 1.5)):
        model.save_weights(tmp_path / "a.weights.h5", variables)
        with h5py.File(tmp_path / "a.weights.h5", "a") as file:
            file["layers/dense/vars/0"].attrs[name] = value
        with pytest.raises(DamagedFileError, match="other values"):
            model.load_weights(tmp_path / "a.weights.h5", variables)


def test_a_flipped_bit_is_an_error_or_changes_nothing(tmp_path):
    model = jkeras.Sequential([Input((5,)), layers.Dense(3), layers.Dense(2)])
    variables = model.init(KEY)
    model.save(tmp_path / "a.keras", variables)
    whole, generator = (tmp_path / "a.keras").read_bytes(), np.random.default_rng(0)
    noticed = 0
    for position in generator.integers(0, 8 * len(whole), 200):
        broken = bytearray(whole)
        broken[position // 8] ^= 1 << position % 8
        (tmp_path / "b.keras").write_bytes(broken)
        try:
            again, values = jkeras.models.load_model(tmp_path / "b.keras")
        except JKerasError:
            noticed += 1
            continue
        assert same(values, variables) and again.to_json() == model.to_json(), position
    assert noticed > 100


def test_the_weights_of_another_model_are_noticed(honest, tmp_path):
    model = jkeras.Sequential([Input((5,)), layers.Dense(3), layers.Dense(2)])
    model.save(tmp_path / "a.keras", model.init(jax.random.key(1)))
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["model.weights.h5"] = honest["model.weights.h5"]
    refused(zipped(tmp_path / "b.keras", members), DamagedFileError, match="other contents")


def test_honest_files_load_in_any_packing(honest, tmp_path):
    zipped(tmp_path / "deflated.keras", honest, compression=zipfile.ZIP_DEFLATED)
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in honest.items():
        (folder / name).write_bytes(content)
    loaded = [jkeras.models.load_model(tmp_path / name)[1] for name in ("honest.keras", "deflated.keras", "folder")]
    assert same(loaded[0], loaded[1]) and same(loaded[0], loaded[2])
    shutil.rmtree(folder)


def test_a_loader_that_imported_would_be_seen():
    WATCHED.clear()
    _watching[0] = True
    try:
        with pytest.raises(ModuleNotFoundError):
            __import__("canary_module")
        marshal.loads(marshal.dumps(1))
    finally:
        _watching[0] = False
    assert "marshal.loads" in WATCHED and any("canary" in event for event in WATCHED)
