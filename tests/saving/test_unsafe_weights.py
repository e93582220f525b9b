"""Files of weights that somebody made to do harm: refused with the reason, and nothing of them is done."""

import contextlib
import io
import json
import os
import pickle
import struct
import zipfile

import h5py
import numpy as np
import pytest
import safetensors

import jkeras
from jkeras import Input, layers, saving
from jkeras.errors import DamagedFileError, JKerasError, UnsafeFileError
from tests.saving import test_unsafe_files as watch
from tests.saving.test_keras_files import KEY
from tests.saving.test_unsafe_files import WEIGHTS, watched


def refused(path, code=None):
    """Opens a file and reads everything in it, which must end in an error of ours, with nothing done."""
    with watched(path), pytest.raises(JKerasError) as caught, saving.open_weights(path) as weights:
        for entry in weights.values():
            entry.read()
    assert len(str(caught.value).splitlines()) <= 6
    if code is None:
        assert isinstance(caught.value, DamagedFileError)
    else:
        assert isinstance(caught.value, UnsafeFileError) and caught.value.code == code
    return caught.value


# -- safetensors


def with_header(path, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def array(begin=0, end=8, dtype="F32", shape=(2,)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


EIGHT = b"\0" * 8
HEADERS = {
    "a header of exabytes": ((b"{}", b"", 2**62), "header-too-large"),
    "a header that is longer than the file": ((b"{}", b"", 1000), None),
    "no JSON": ((b"[1", EIGHT), "json"),
    "a list": ((b"[]", EIGHT), "json"),
    "not UTF-8": ((b"\xff\xfe", EIGHT), "json"),
    "deep": ((b'{"a":' + b"[" * 100_000, EIGHT), "json"),
    "a long number": ((b'{"a":' + b"9" * 10_000 + b"}", EIGHT), "json"),
    "keys twice": ((b'{"a": 1, "a": 2}', EIGHT), "json"),
    "no array": (({"a": 3}, EIGHT), "header"),
    "more than an array": (({"a": {**array(), "path": "x"}}, EIGHT), "header"),
    "an unknown dtype": (({"a": array(dtype="OBJ")}, EIGHT), "dtype"),
    "a dtype that is a list": (({"a": {**array(), "dtype": []}}, EIGHT), "dtype"),
    "a negative shape": (({"a": array(shape=(-2,))}, EIGHT), "header"),
    "a shape of booleans": (({"a": array(shape=(True, 2))}, EIGHT), "header"),
    "petabytes": (({"a": array(shape=(2**50,))}, EIGHT), "size"),
    "a shape that overflows": (({"a": array(shape=(2**62, 4))}, EIGHT), "size"),
    "offsets that turn back": (({"a": array(8, 0, shape=())}, EIGHT), "size"),
    "three offsets": (({"a": {**array(), "data_offsets": [0, 8, 8]}}, EIGHT), "size"),
    "an overlap": (({"a": array(), "b": array(4, 12)}, EIGHT * 2), "overlap"),
    "a hole": (({"a": array(), "b": array(12, 20)}, EIGHT * 3), "hole"),
    "bytes behind": (({"a": array()}, EIGHT * 2), "undeclared-bytes"),
    "bytes that lack": (({"a": array()}, EIGHT[:4]), None),
    "metadata that is a list": (({"__metadata__": [], "a": array()}, EIGHT), "header"),
    "digests that are no JSON": (({"__metadata__": {"jkeras.sha256": "["}, "a": array()}, EIGHT), "json"),
    "other digests": (({"__metadata__": {"jkeras.sha256": '{"a": "00"}'}, "a": array()}, EIGHT), None),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_safetensors_header_that_cannot_be_is_refused(case, tmp_path):
    (header, data, *length), code = HEADERS[case]
    refused(with_header(tmp_path / "a.safetensors", header, data, *length), code)


@pytest.mark.parametrize("case", [case for case in HEADERS if "digests" not in case and case != "more than an array"])
def test_the_library_refuses_the_same_headers(case, tmp_path):
    (header, data, *length), _ = HEADERS[case]
    path = with_header(tmp_path / "a.safetensors", header, data, *length)
    with contextlib.suppress(OverflowError), pytest.raises(safetensors.SafetensorError):
        safetensors.safe_open(path, framework="np")


def test_honest_headers_open(tmp_path):
    path = with_header(
        tmp_path / "a.safetensors", {"b": array(8, 16), "a": array(), "e": array(16, 16, shape=(0,))}, EIGHT * 2
    )
    assert {name: entry.read().shape for name, entry in saving.open_weights(path).items()} == {
        "a": (2,),
        "b": (2,),
        "e": (0,),
    }
    assert not saving.open_weights(with_header(tmp_path / "none.safetensors", {}))


# -- npz


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


def npy(value=None, *, shape=(2,), descr="<f4", data=EIGHT):
    if value is not None:
        file = io.BytesIO()
        np.save(file, value)
        return file.getvalue()
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def zipped(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


MEMBERS = {
    "M42 objects": ({"a.npy": npy(descr="|O", data=pickle.dumps([Evil(), Evil()]))}, "pickle"),
    "a pickle": ({"a.npy": pickle.dumps(Evil())}, "header"),
    "M43 petabytes": ({"a.npy": npy(shape=(2**30, 2**20))}, "size"),
    "a shape that overflows": ({"a.npy": npy(shape=(2**62, 2**62))}, "size"),
    "a negative shape": ({"a.npy": npy(shape=(-1,))}, "header"),
    "a shape of booleans": ({"a.npy": npy(shape=(True, 2))}, "header"),
    "strings": ({"a.npy": npy(descr="<U1")}, "dtype"),
    "records": ({"a.npy": npy(descr=[("x", "<f4")])}, "dtype"),
    "code in a header": ({"a.npy": npy(descr="__import__('os')")}, "header"),
    "bytes that lack": ({"a.npy": npy(data=EIGHT[:4])}, "size"),
    "something else": ({"a.npy": npy(), "setup.py": "1"}, "undeclared-member"),
    "a way out": ({"../a.npy": npy()}, "bad-name"),
    "backslashes": ({"..\\a.npy": npy()}, "bad-name"),
    "a dtype that is no dtype": ({"a.npy": npy(), "jkeras.json": '{"dtypes": {"a": "ndarray"}}'}, "dtype"),
    "a dtype of another size": ({"a.npy": npy(), "jkeras.json": '{"dtypes": {"a": "bfloat16"}}'}, "dtype"),
    "notes that are a list": ({"a.npy": npy(), "jkeras.json": "[]"}, "json"),
}


@pytest.mark.parametrize("case", MEMBERS)
def test_an_npz_that_holds_other_things_than_arrays_is_refused(case, tmp_path):
    members, code = MEMBERS[case]
    refused(zipped(tmp_path / "a.npz", members), code)


def test_other_zips_are_refused(tmp_path):
    refused(zipped(tmp_path / "a.npz", {"a.npy": npy(np.zeros(2**25))}, compression=8), "size")
    refused(zipped(tmp_path / "b.npz", {"a.npy": npy(np.zeros(2))}, compression=zipfile.ZIP_LZMA), "compression")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        for _ in range(2):
            archive.writestr("a.npy", npy())
    refused(tmp_path / "c.npz", "duplicate-member")
    (tmp_path / "d.npz").write_bytes(pickle.dumps(Evil()))
    refused(tmp_path / "d.npz")


# -- indexes


@pytest.fixture
def shard(tmp_path):
    with h5py.File(tmp_path / "a_00000.weights.h5", "w") as file:
        file["vars/0"] = np.zeros(2, "float32")
    with_header(tmp_path / "a.safetensors", {"a": array()}, EIGHT)
    return tmp_path


BAD_NAMES = (
    "../secret",
    "/secret",
    "..\\secret",
    "C:secret",
    "sub/secret",
    "secret\0",
    "",
    ".",
    3,
    None,
    ["a", "../b"],
)


@pytest.mark.parametrize("form", [(".weights.json", ".weights.h5"), (".safetensors.index.json", ".safetensors")])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_m38_a_shard_that_is_not_beside_its_index(form, name, shard):
    names = [
        f"{each}{form[1]}" if isinstance(each, str) else each for each in (name if isinstance(name, list) else [name])
    ]
    if names[0] == f"a{form[1]}":
        names[0] = {".weights.h5": "a_00000.weights.h5"}.get(form[1], "a.safetensors")
    if name in ("", "."):
        names = [name]
    path = shard / f"a{form[0]}"
    path.write_text(json.dumps({"weight_map": {"/vars": names if len(names) > 1 else names[0]}}))
    error = refused(path, "bad-name")
    assert "weight_map//vars" in error.path


@pytest.mark.parametrize("form", (".weights.json", ".safetensors.index.json"))
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 100_000, "json"),
        ("[]", "json"),
        ("{}", "index"),
        ('{"weight_map": []}', "index"),
        ('{"weight_map": {}, "metadata": 3}', "index"),
        ('{"weight_map": {"a": "none.safetensors"}}', None),
        ('{"weight_map": {"/vars": "none.weights.h5"}}', None),
    ],
)
def test_a_file_that_is_no_index(form, text, code, shard):
    path = shard / f"a{form}"
    path.write_text(text)
    if code is None:
        with pytest.raises((DamagedFileError, UnsafeFileError)):
            saving.open_weights(path)
    else:
        refused(path, code)


def test_an_index_of_arrays_that_are_elsewhere(shard):
    path = shard / "a.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"b": "a.safetensors"}}))
    refused(path)
    path = shard / "a.weights.json"
    with h5py.File(shard / "a_00001.weights.h5", "w") as file:
        file["vars/0"] = np.zeros(2, "float32")
    path.write_text(json.dumps({"weight_map": {"/vars": ["a_00000.weights.h5", "a_00001.weights.h5"]}}))
    refused(path, "duplicate")


def test_a_pipe_is_never_opened(shard):
    os.mkfifo(shard / "pipe.safetensors")
    path = shard / "a.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"a": "pipe.safetensors"}}))
    refused(path)


# -- HDF5


@pytest.mark.parametrize("case", WEIGHTS)
@pytest.mark.parametrize("form", (".weights.h5", ".h5", ".weights.json"))
def test_hdf5_that_is_no_plain_array_is_refused(case, form, tmp_path):
    model = jkeras.Sequential([Input((5,)), layers.Dense(3), layers.Dense(2)])
    variables = model.init(KEY)
    change, code = WEIGHTS[case]
    model.save_weights(tmp_path / ("a.weights.json" if form == ".weights.json" else "a.weights.h5"), variables)
    path = tmp_path / ("a_00000.weights.h5" if form == ".weights.json" else "a.weights.h5")
    with h5py.File(path, "r+") as file:
        change(file)
    if form == ".h5":
        path = path.rename(tmp_path / "a.h5")
    refused(tmp_path / f"a{form}", code)
    with pytest.raises(UnsafeFileError):
        model.load_weights(tmp_path / f"a{form}", variables)


@pytest.mark.parametrize("name", ("object", "bfloat16", "float32,float32", "V2"))
def test_an_attribute_that_gives_another_dtype_is_refused(name, tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file["vars/0"] = np.zeros(4, "uint32")
        file["vars/0"].attrs["dtype"] = name
    refused(tmp_path / "a.weights.h5", "dtype")


def legacy(path, layer_names, weight_names=(b"kernel",), config=None):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = layer_names
        file.create_group("dense").attrs["weight_names"] = list(weight_names)
        file["dense/kernel"] = np.zeros((5, 3))
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
    return path


def test_m44_code_in_the_config_of_an_older_file_is_refused(tmp_path):
    layer = {"class_name": "Lambda", "config": {"name": "dense", "function": watch.LAMBDA}}
    config = {"class_name": "Sequential", "config": {"name": "a", "layers": [layer], "build_input_shape": [None, 5]}}
    path = legacy(tmp_path / "a.h5", [b"dense"], config=config)
    watch.refused(path, JKerasError)


def test_m44_weights_of_an_older_file_are_read_without_its_config(tmp_path):
    path = legacy(tmp_path / "a.h5", [b"dense"], config=watch.LAMBDA)
    model = jkeras.Sequential([Input((5,)), layers.Dense(3, use_bias=False)])
    with watched(path):
        loaded = model.load_weights(path, model.init(KEY))
    assert not loaded.trainable["dense"]["kernel"].any()


@pytest.mark.parametrize(
    ("layer_names", "weight_names", "code"),
    [
        ([b"../x"], [b"kernel"], "missing-array"),
        ([b"dense"], [b"../../x"], "missing-array"),
        ([b"dense"], [b"kernel", b"bias"], "missing-array"),
        ([1.0, 2.0], [b"kernel"], "dtype"),
    ],
)
def test_attributes_that_lead_elsewhere(layer_names, weight_names, code, tmp_path):
    refused(legacy(tmp_path / "a.h5", layer_names, weight_names), code)


def test_every_bit_of_the_directory_of_an_npz_file(tmp_path):
    """What zipfile reads before any checksum: each bit is an error of ours, or changes nothing."""
    path, arrays = tmp_path / "a.npz", {"kernel": np.arange(6.0, dtype="float32"), "bias": np.ones(2, "float32")}
    np.savez(path, **arrays)
    contents = path.read_bytes()
    start = contents.index(b"PK\x01\x02")
    for position in range(8 * start, 8 * len(contents)):
        broken = bytearray(contents)
        broken[position // 8] ^= 1 << position % 8
        path.write_bytes(broken)
        with contextlib.suppress(JKerasError), saving.open_weights(path) as weights:
            for name, values in arrays.items():
                np.testing.assert_array_equal(weights[name].read(), values)
