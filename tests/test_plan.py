"""Plans: what a step takes on a machine that is not there."""

import importlib.util
import os
import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.distribution import FSDP, Placement
from jkeras.errors import ArgumentError, MissingExtraError, PlacementError, SerializationError, UnknownNameError
from jkeras.plan import Memory, Plan, Program, machine_of
from jkeras.plan.__main__ import main
from jkeras.plan.flops import matmul_flops
from jkeras.plan.machines import GIB, GPUS, TPUS
from jkeras.plan.memory import shortage
from jkeras.plan.planning import specs_of
from tests.repository import ROOT

SPECS = jax.ShapeDtypeStruct((16, 512), "float32"), jax.ShapeDtypeStruct((16,), "int32")
SCRIPT = """
import jax
import jkeras
from jkeras import layers

def make():
    block = layers.Residual(jkeras.Sequential([layers.Dense(512, "relu"), layers.Dense(512)]))
    model = jkeras.Sequential([jkeras.Input((512,)), layers.Stack(block, 4), layers.Dense(8)])
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    specs = jax.ShapeDtypeStruct((64, 512), "float32"), jax.ShapeDtypeStruct((64,), "int32")
    return jkeras.Trainer(model, "adam", loss), specs

nothing = 3
"""


def trainer(**options):
    model = jkeras.Sequential([jkeras.Input((512,)), layers.Dense(512, "relu", name="wide"), layers.Dense(8)])
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return jkeras.Trainer(model, "adam", loss, metrics=["accuracy"], **options)


@pytest.fixture(scope="module")
def plan():
    return trainer().plan("cpu:1", SPECS)


def test_a_plan_has_the_bytes_of_each_part(plan):
    weights = 4 * (512 * 512 + 512 + 512 * 8 + 8)
    assert plan.memory.weights == weights
    assert 2 * weights < plan.memory.optimizer < 2 * weights + 100
    assert plan.memory.batch == 16 * 512 * 4 + 16 * 4
    parts = sum(getattr(plan.memory, name) for name in ("weights", "optimizer", "averages", "other", "batch"))
    assert abs(plan.memory.arguments - parts) < 64
    assert plan.memory.total == plan.memory.arguments + plan.memory.outputs + plan.memory.temporaries
    assert plan.memory.excess is plan.fits is plan.memory.capacity is None


def test_the_flops_are_those_of_forward_and_backward(plan):
    first, second = 2 * 16 * 512 * 512, 2 * 16 * 512 * 8
    assert plan.flops == 2 * first + 3 * second  # no gradient of the inputs


def test_the_plan_is_of_the_step_that_fit_runs(plan):
    assert isinstance(plan, Plan)
    assert (
        plan.compiled.as_text() == trainer(placement=Placement(plan.placement.mesh)).lower(*SPECS).compile().as_text()
    )


def test_nothing_is_allocated():
    jax.block_until_ready(jnp.zeros(1))
    before = {id(array) for array in jax.live_arrays()}
    trainer().plan("cpu:1", SPECS)
    assert [array.shape for array in jax.live_arrays() if id(array) not in before and array.size > 512] == []


def test_a_plan_prints_what_it_knows(plan):
    text = str(plan)
    for each in (
        "weights",
        "optimizer",
        "temporaries",
        "FLOPs",
        "seconds to compile",
        "widest values",
        "sequential/wide",
    ):
        assert each in text
    assert max(map(len, text.splitlines())) <= 110
    assert repr(plan).startswith("<Plan for cpu:1: takes ")


def test_a_plan_can_be_serialized(plan):
    from jax.experimental.serialize_executable import deserialize_and_load

    loaded = deserialize_and_load(*pickle.loads(plan.serialize()))
    state = trainer(placement=plan.placement).init(jax.random.key(0))
    x, y = np.ones((16, 512), "float32"), np.zeros(16, "int32")
    state, logs = loaded(state, (x, y))
    assert int(state.step) == 1 and np.isfinite(float(logs["loss"]))


def test_placements_come_from_a_function_or_another_placement():
    mesh = jax.make_mesh((1,), ("chips",))
    rules = Placement(mesh, rules={"kernel": (None, "chips")})
    assert trainer().plan("cpu:1", SPECS, rules).placement == rules
    assert trainer().plan("cpu:1", SPECS, FSDP).placement.fsdp == "data"
    shape = {"data": 1, "model": 1}
    assert dict(trainer().plan("cpu:1", SPECS, mesh_shape=shape).placement.mesh.shape) == shape


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (UnknownNameError, {"topology": "v5x:4x4"}),
        (UnknownNameError, {"topology": "v5e"}),
        (UnknownNameError, {"topology": "v5e:4x"}),
        (PlacementError, {"topology": f"cpu:{jax.device_count() + 1}"}),
        (PlacementError, {"mesh_shape": {"data": 2}}),
        (PlacementError, {"placement": lambda mesh: None}),
        (ArgumentError, {"placement": "fsdp"}),
        (ArgumentError, {"batch": 64}),
        (ArgumentError, {"batch": ("x", "y")}),
    ],
)
def test_mistakes_raise_before_any_work(error, options, monkeypatch):
    monkeypatch.setattr(jkeras.Trainer, "init", lambda *args: pytest.fail("the work began"))
    with pytest.raises(error) as caught:
        trainer().plan(**{"topology": "cpu:1", "batch": SPECS, **options})
    assert "Trainer.plan" in str(caught.value)


def test_a_mesh_of_several_axes_needs_sizes():
    rules = Placement(jax.make_mesh((1, 1), ("data", "model")))
    several = type("Several", (), {"placement": rules})
    with pytest.raises(PlacementError, match="how the 8 devices are divided among the axes 'data', 'model'"):
        jkeras.plan.planning._axes(several, None, None, 8)


@pytest.mark.parametrize(("topology", "extra"), [("v5p:2x2x1", "tpu"), ("h100:8", "cuda")])
def test_a_missing_plug_in_names_the_extra(topology, extra, monkeypatch):
    plugin = {"tpu": "libtpu", "cuda": "jax_plugins.xla_cuda12"}[extra]
    monkeypatch.setitem(sys.modules, plugin, None)
    with pytest.raises(MissingExtraError) as caught:
        trainer().plan(topology, SPECS)
    assert f"pip install 'jkeras[{extra}]'" in str(caught.value)


def test_a_shape_means_tokens():
    x, y = specs_of((8, 16))
    assert (x.shape, x.dtype) == (y.shape, y.dtype) == ((8, 16), "int32")


def test_every_kind_has_its_memory():
    assert machine_of("v5e:4x4").memory == 15.75 * GIB
    assert all(machine_of(f"{kind}:8").memory > 8 * GIB for kind in (*TPUS, *GPUS))
    assert machine_of("cpu:8").memory is None


# -- the compiler's words


def test_a_step_that_the_compiler_refuses_says_how_much_is_missing():
    parts = {"weights": 2 * GIB, "optimizer": 4 * GIB, "averages": 0, "other": 0, "batch": GIB}
    used = Memory.of(parts, None, "Ran out of memory. Used 20.75G of 15.75G hbm.", 15.75 * GIB)
    assert (used.arguments, used.total, used.excess, used.fits) == (7 * GIB, 20.75 * GIB, 5 * GIB, False)
    message = "the total memory required for HLO temporaries (512.00G) exceeds available HBM (15.75G)."
    assert Memory.of(parts, None, message, 15.75 * GIB).temporaries == 505 * GIB  # but for the arguments
    assert shortage("INTERNAL: another error") is None


LOOP = """
HloModule jit_step

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%scattered (p: f32[8,4]) -> f32[2,4] {
  %p = f32[8,4]{1,0} parameter(0)
  ROOT %rs = f32[2,4]{1,0} reduce-scatter(%p), dimensions={0}, to_apply=%add
}

%cond (c: (s32[], f32[2,4])) -> pred[] {
  %c = (s32[], f32[2,4]{1,0}) parameter(0)
  %bound = s32[] constant(6)
  %i = s32[] get-tuple-element(%c), index=0
  ROOT %lt = pred[] compare(%i, %bound), direction=LT
}

%body (c: (s32[], f32[2,4])) -> (s32[], f32[2,4]) {
  %c = (s32[], f32[2,4]{1,0}) parameter(0)
  %two = s32[] constant(2)
  %i = s32[] get-tuple-element(%c), index=0
  %x = f32[2,4]{1,0:T(8,128)} get-tuple-element(%c), index=1
  %ag-start = (f32[2,4]{1,0}, f32[8,4]{1,0}) all-gather-start(%x), dimensions={0}
  %ag-done = f32[8,4]{1,0:T(8,128)S(1)} all-gather-done(%ag-start)
  %f = f32[2,4]{1,0} fusion(%ag-done), kind=kCustom, calls=%scattered, backend_config={"estimated_cycles":"100"}
  %next = s32[] add(%i, %two)
  ROOT %t = (s32[], f32[2,4]{1,0}) tuple(%next, %f)
}

ENTRY %main (x: f32[2,4]) -> f32[2,4] {
  %x = f32[2,4]{1,0} parameter(0)
  %zero = s32[] constant(0)
  %init = (s32[], f32[2,4]{1,0}) tuple(%zero, %x)
  %loop = (s32[], f32[2,4]{1,0}) while(%init), condition=%cond, body=%body
  %out = f32[2,4]{1,0} get-tuple-element(%loop), index=1
  ROOT %ar = f32[2,4]{1,0} all-reduce(%out), to_apply=%add, METADATA, backend_config={"estimated_cycles":"7"}
}
""".replace("METADATA", 'metadata={op_name="jit(step)/transpose(jvp(m))/norm/jit(f)/mul"}')


def test_what_is_in_loops_counts_as_often_as_they_run():
    program = Program(LOOP)
    found = {each.kind: (each.count, each.nbytes) for each in program.collectives()}
    assert found == {"all-gather": (3, 3 * 128), "reduce-scatter": (3, 3 * 128), "all-reduce": (1, 32)}
    assert program.cycles() == 3 * 100 + 7
    assert program.unknown_loops == 0
    told = LOOP.replace("body=%body", 'body=%body, backend_config={"known_trip_count":{"n":"5"}}')
    assert Program(told).cycles() == 5 * 100 + 7
    unknown = Program(LOOP.replace("direction=LT", "direction=NE"))
    assert (unknown.unknown_loops, unknown.cycles()) == (1, 107)


def test_wide_values_have_the_paths_of_layers():
    rows = {(each.path, each.operation): each for each in Program(LOOP).widest(9)}
    assert rows["m/norm, backward", "mul"].shape == "float32[2,4]"
    assert all(each.nbytes <= 32 for each in rows.values())  # what was gathered is not in the main memory


def test_flops_of_convolutions_loops_and_branches():
    def count(function, *shapes):
        return matmul_flops(jax.jit(function).trace(*(jnp.ones(shape) for shape in shapes)))

    def convolution(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    assert count(convolution, (2, 8, 8, 3), (3, 3, 3, 5)) == 2 * (2 * 8 * 8 * 5) * (3 * 3 * 3)
    assert count(lambda x: jax.lax.cond(x.sum() > 0, lambda x: x @ x @ x, lambda x: x @ x, x), (4, 4)) == 2 * 2 * 4**3
    assert count(lambda x: jax.checkpoint(lambda x: x @ x)(x), (4, 4)) == 2 * 4**3


# -- other machines, each in a process of its own


@pytest.fixture
def script(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    return f"{tmp_path / 'train.py'}:make"


def planned(*arguments):
    environment = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_PLATFORMS")}
    command = [sys.executable, "-W", "error", "-m", "jkeras.plan", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)


def test_the_command_plans_for_eight_devices(script):
    found = planned(script, "cpu:8", "--placement", "fsdp")
    assert found.returncode == 0, found.stderr[-2000:]
    assert "Placement(mesh(data=8), batch='data', fsdp='data')" in found.stdout
    rows = {line.split()[0]: line.split()[1:] for line in found.stdout.splitlines() if line.startswith("all-")}
    # two kernels of 1 MiB in each of four blocks, gathered forward and backward
    assert rows["all-gather"] == ["16", "16.00", "MiB"]
    assert rows["all-reduce"][1:] > ["8.00", "MiB"]


def test_the_command_explains_mistakes(script, capsys):
    assert main([script, "v5x:4x4"]) == 1
    assert main([script.replace(":make", ":nothing"), "cpu:1"]) == 1
    assert main([script, "cpu:1", "--batch", "64y3"]) == 1
    assert main([script, "cpu:1", "--mesh", "data"]) == 1
    said = capsys.readouterr().err
    for each in ("`topology` must begin with one of", "`nothing` in", "`--batch` must be", "`--mesh` must be"):
        assert each in said


PLUGINS = {"v5e:2x4": ("tpu", "libtpu"), "h100:8": ("cuda", "jax_plugins.xla_cuda12")}


@pytest.mark.parametrize("topology", PLUGINS)
def test_a_machine_that_is_not_there(topology, script):
    extra, plugin = PLUGINS[topology]
    try:
        installed = importlib.util.find_spec(plugin) is not None
    except ModuleNotFoundError:  # of a package above it
        installed = False
    if not installed:
        pytest.skip(f"needs JAX's plug-in: pip install 'jkeras[{extra}]'")
    found = planned(script, topology, "--placement", "fsdp")
    assert found.returncode == 0, found.stderr[-2000:]
    assert f"{topology}: fits, with " in found.stdout
    assert "collectives of a step" in found.stdout
    assert ("cycles that the compiler estimates" in found.stdout) == (extra == "tpu")


def test_a_refused_step_has_no_program_to_serialize(plan):
    refused = Plan(
        **{**vars_of(plan), "compiled": None, "refusal": "Used 20.75G of 15.75G hbm.", "program": Program("")}
    )
    with pytest.raises(SerializationError):
        refused.serialize()
    assert "Used 20.75G" in str(refused)


def vars_of(plan):
    return {name: getattr(plan, name) for name in Plan.__dataclass_fields__}
