"""Files of programs: whole or refused, read without the class of the model."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.errors import ArgumentError, DamagedFileError, FileVersionError, MissingExtraError, SerializationError
from jkeras.export import export, files, load
from tests.export.models import MODELS, assert_same, dense, normal, outputs_of, recurrent, several, trained
from tests.repository import ROOT


@pytest.mark.parametrize("values", ["inside", "outside"])
@pytest.mark.parametrize("make", MODELS)
def test_a_file_holds_the_program(make, values, tmp_path):
    model, inputs = make()
    variables = trained(model)
    exported = export(model, variables, values=values)
    exported.save(tmp_path / "model.jaxexport")
    loaded = load(tmp_path / "model.jaxexport")
    assert repr(loaded) == repr(exported)
    assert jax.tree.structure(loaded.in_specs) == jax.tree.structure(exported.in_specs)
    given = (variables,) if values == "outside" else ()
    assert_same(loaded(*given, inputs), outputs_of(model, variables, inputs), ulps=64)
    assert os.listdir(tmp_path) == ["model.jaxexport"]


class Custom(jkeras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return {"scores": self.dense(inputs["x"]), "labels": jnp.argmax(inputs["x"], -1)}


SERVER = """
import sys
import numpy as np
sys.modules["tests"] = None  # the class cannot be imported
{read}
x = np.load("x.npy")
found = call({{"x": x}})
np.savez("found.npz", **found)
assert not any(name.startswith("jkeras") for name in sys.modules) or {uses_jkeras}
"""
READERS = {
    "jkeras": 'import jkeras\ncall = jkeras.export.load("custom.jaxexport")',
    "jax": 'import jax.export\ncall = jax.export.deserialize(bytearray(open("custom.jaxexport", "rb").read())).call',
}


@pytest.mark.parametrize("reader", READERS)
def test_another_process_runs_it_without_the_class_and_with_jax_alone(reader, tmp_path):
    model, x = Custom(), normal(5, 3)
    variables = model.init(jax.random.key(0), {"x": x})
    export(model, variables, {"x": (None, 3)}).save(tmp_path / "custom.jaxexport")
    np.save(tmp_path / "x.npy", x)
    program = SERVER.format(read=READERS[reader], uses_jkeras=reader == "jkeras")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    with np.load(tmp_path / "found.npz") as found:
        assert_same(dict(found), outputs_of(model, variables, {"x": x}))


def test_gradients_of_a_file_have_the_order_that_was_asked_for(tmp_path):
    model, x = recurrent()
    variables = trained(model)
    for order in (0, 1, 2):
        export(model, variables, vjp_order=order).save(tmp_path / f"{order}.jaxexport")
    once, twice = load(tmp_path / "1.jaxexport"), load(tmp_path / "2.jaxexport")
    assert (once.vjp_order, twice.vjp_order) == (1, 2)

    def slope(call):
        return jax.grad(lambda x: jnp.sum(jnp.sin(call(x))))

    def curvature(call):
        return jax.grad(lambda x: jnp.sum(slope(call)(x) ** 2))

    assert_same(slope(once)(x), slope(lambda x: outputs_of(model, variables, x))(x), ulps=256)
    assert_same(curvature(twice)(x), curvature(lambda x: outputs_of(model, variables, x))(x), ulps=256)
    with pytest.raises(ValueError, match="No VJP"):
        slope(load(tmp_path / "0.jaxexport"))(x)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.jaxexport"
    model, _ = several()
    export(model, trained(model)).save(path)
    return path


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved, fraction):
    contents = saved.read_bytes()
    saved.write_bytes(contents[: int(fraction * len(contents))])
    with pytest.raises(DamagedFileError, match="truncated"):
        load(saved)


def test_a_changed_byte_is_noticed_before_jax_reads_the_program(saved, monkeypatch):
    def unread(blob):
        raise KeyboardInterrupt("JAX read the program")

    monkeypatch.setattr(jax.export, "deserialize", unread)
    contents = saved.read_bytes()
    places = np.random.default_rng(0).integers(0, len(contents) - len(files.MAGIC), 40)
    for place in [0, len(contents) - files.END_BYTES, len(contents) - files.END_BYTES + 9, *places.tolist()]:
        changed = bytearray(contents)
        changed[place] ^= 1 << (place % 8)
        saved.write_bytes(changed)
        with pytest.raises(DamagedFileError, match="damaged"):
            load(saved)
    saved.write_bytes(contents)
    with pytest.raises(KeyboardInterrupt):
        load(saved)


def test_other_files_are_refused(tmp_path):
    exported = jax.export.export(jax.jit(jnp.sin))(np.ones(2, "float32"))
    (tmp_path / "raw").write_bytes(exported.serialize())
    with pytest.raises(DamagedFileError, match="not an exported program of jkeras"):
        load(tmp_path / "raw")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")


def test_a_newer_version_says_so(saved, monkeypatch):
    monkeypatch.setattr(files, "VERSION", 2)
    model, _ = dense()
    export(model, trained(model)).save(saved)
    monkeypatch.undo()
    with pytest.raises(FileVersionError, match="must be of version 1 or older, got version 2"):
        load(saved)


def test_a_program_that_this_jax_does_not_read_names_the_versions(tmp_path):
    files.write(
        tmp_path / "a", b"\x10\x00\x00\x00 a table of JAX 9", {"jax": "9.0.0", "values": "inside", "vjp_order": 0}
    )
    with pytest.raises(FileVersionError, match=r"expected: JAX 9.0.0, which wrote it, or"):
        load(tmp_path / "a")


def test_the_facts_are_at_the_end(saved):
    program, facts = files.read(saved)
    assert facts == {"version": 1, "jax": jax.__version__, "values": "inside", "vjp_order": 0}
    text = json.dumps(facts).encode()
    assert saved.read_bytes() == program + text + saved.read_bytes()[len(program) + len(text) :]


def test_a_write_that_fails_leaves_the_file_before(saved, monkeypatch):
    before = saved.read_bytes()

    def full(source, target):
        raise OSError("no space")

    model, _ = dense()
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="cannot be written"):
        export(model, trained(model)).save(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_the_suffix_is_checked(tmp_path):
    with pytest.raises(ArgumentError, match=r"`path` must end in '\.jaxexport'"):
        export(jnp.sin, None, (2,)).save(tmp_path / "a.keras")


class Pair(NamedTuple):
    one: jax.Array
    other: jax.Array


def test_containers_that_jax_cannot_write_are_told(tmp_path):
    exported = export(lambda x: Pair(x, x), None, (2,))
    assert isinstance(exported(np.ones(2, "float32")), Pair)
    with pytest.raises(SerializationError, match="register_namedtuple_serialization"):
        exported.save(tmp_path / "a.jaxexport")
    jax.export.register_namedtuple_serialization(Pair, serialized_name="tests.export.Pair")
    exported.save(tmp_path / "a.jaxexport")
    assert isinstance(load(tmp_path / "a.jaxexport")(np.ones(2, "float32")), Pair)


def test_without_flatbuffers_the_extra_is_named(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax._src.export.serialization", None)
    with pytest.raises(MissingExtraError, match=r"jkeras\[export\]"):
        load(saved)
    with pytest.raises(MissingExtraError, match=r"jkeras\[export\]"):
        export(jnp.sin, None, (2,)).save(saved)


def test_values_of_another_model_do_not_fit_a_file(tmp_path):
    model, x = dense()
    export(model, trained(model), values="outside").save(tmp_path / "a.jaxexport")
    loaded = load(tmp_path / "a.jaxexport")
    other, _ = recurrent()
    with pytest.raises(ArgumentError, match="structure"):
        loaded(trained(other), x)
