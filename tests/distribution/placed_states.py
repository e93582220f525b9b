"""Where states lie on eight virtual devices: from the first moment on, after files, and what is refused."""

import pickle

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

import jkeras
from jkeras.callbacks import BackupAndRestore, ModelCheckpoint, read_orbax, write_orbax
from jkeras.distribution import FSDP, DataParallel, DeviceMesh, LayoutMap, ModelParallel, Placement, TensorLayout
from jkeras.errors import ArgumentError, PlacementError
from tests.distribution.networks import TENSOR_PARALLEL, assert_close, mesh_of, mlp, specs, transformer
from tests.training.networks import data, trainer


def wide():
    return jkeras.Sequential([jkeras.Input((64,)), *(jkeras.layers.Dense(512) for _ in range(3))])


def test_no_device_ever_holds_a_whole_leaf():
    t = jkeras.Trainer(wide(), "adam", "mse", placement=FSDP(mesh_of(8), min_size=32))
    program = jax.jit(t.init).lower(jax.random.key(0)).compile()
    whole = 512 * 512 * 4
    memory = program.memory_analysis()
    assert memory.output_size_in_bytes < 0.14 * 3 * sum(
        leaf.size * 4 for leaf in jax.tree.leaves(t.model.init(jax.random.key(0)))
    )
    assert memory.temp_size_in_bytes < whole


def test_arguments_of_a_step_are_a_share_of_the_state():
    t = jkeras.Trainer(wide(), "adam", "mse", placement=FSDP(mesh_of(8), min_size=32))
    state = jax.eval_shape(t.init, jax.random.key(0))
    x, y = (jax.ShapeDtypeStruct((64, size), "float32") for size in (64, 512))
    found = t.lower(x, y).compile().memory_analysis().argument_size_in_bytes
    expected = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves((state, x, y))) / 8
    assert abs(found / expected - 1) < 0.02


def test_stacked_weights_and_moments():
    t = trainer(transformer(), placement=Placement(mesh_of(2, 4), rules=TENSOR_PARALLEL["transformer"]))
    state = t.init(jax.random.key(0))
    block = specs(state.trainable)["blocks"]["block"]
    assert block["up"]["kernel"] == P(None, None, "model")
    assert block["attention"]["query"]["kernel"] == P(None, None, "model")
    moments = [leaf for leaf in jax.tree.leaves(state.opt_state) if leaf.shape == (2, 16, 32)]
    assert len(moments) == 2
    assert {leaf.sharding.spec for leaf in moments} == {P(None, None, "model")}


def fit(t, state, **options):
    x, y = data(64)
    return t.fit(state, x, y, batch_size=16, verbose=0, **options)[0]


def test_files(tmp_path):
    placed = trainer(mlp(), placement=FSDP(mesh_of(8), min_size=32))
    other = trainer(mlp(), placement=Placement(mesh_of(4, 2), rules={"dense/kernel": P(None, "model")}))
    state = fit(placed, placed.init(jax.random.key(0)))
    placed.save(tmp_path / "a.keras", state)
    write_orbax(tmp_path / "orbax", state)
    loaded, again = jkeras.Trainer.load(tmp_path / "a.keras", placement=other.placement)
    assert loaded.placement == other.placement
    for restored in (again, other.restore(tmp_path / "a.keras"), other.restore(tmp_path / "orbax")):
        assert specs(restored.trainable)["dense"]["kernel"] == P(None, "model")
        assert_close(restored, state, 0.0)
    alone = trainer(mlp())
    back = alone.restore(tmp_path / "orbax")
    assert {len(leaf.devices()) for leaf in jax.tree.leaves(back)} == {1}
    assert_close(fit(alone, back, epochs=2, initial_epoch=1), fit(placed, state, epochs=2, initial_epoch=1))
    like = jax.eval_shape(placed.init, jax.random.key(0))
    assert_close(read_orbax(tmp_path / "orbax", like), fit(placed, placed.init(jax.random.key(0))), 0.0)


@pytest.mark.parametrize("make", (BackupAndRestore, lambda path: ModelCheckpoint(path / "{epoch}.keras")))
def test_resuming(tmp_path, make):
    placed = trainer(mlp(), placement=FSDP(mesh_of(8), min_size=32))
    whole = fit(placed, placed.init(jax.random.key(0)), epochs=3)
    stopped = jkeras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: 1 / (1 - epoch))
    with pytest.raises(ZeroDivisionError):
        fit(placed, placed.init(jax.random.key(0)), epochs=3, callbacks=[make(tmp_path), stopped])
    backup = make is BackupAndRestore
    state = placed.init(jax.random.key(0)) if backup else placed.restore(tmp_path)
    options = {"callbacks": [make(tmp_path)]} if backup else {"initial_epoch": int(state.step) // 4}
    assert_close(fit(placed, state, epochs=3, **options), whole, 0.0)


@pytest.mark.parametrize("sizes", ((4, 2), (8, 1), (1, 8)))
def test_one_form_of_the_step_on_every_mesh(sizes):
    """The compiler gives specs back in a form of its own, which must be that of the state that went in."""
    t = trainer(mlp(), placement=FSDP(mesh_of(*sizes), min_size=32))
    state = t.init(jax.random.key(0))
    began = jax.tree.map(lambda leaf: leaf.sharding, state)
    x, y = data(64)
    state, _ = t.fit(state, x, y, batch_size=16, epochs=3, verbose=0)
    assert jax.tree.map(lambda leaf: leaf.sharding, state) == began
    assert t.session.programs.many._cache_size() == 1


@pytest.mark.parametrize("devices", (1, 8))
def test_moments_in_the_memory_of_the_host(devices):
    mesh = jax.make_mesh((devices,), ("data",), devices=jax.devices()[:devices])
    x, y = data(70)

    def run(**options):
        t = trainer(mlp(), ema=0.9, **options)
        state, history = t.fit(t.init(jax.random.key(0)), x, y, batch_size=16, epochs=2, verbose=0)
        state, logs = t.train_on_batch(state, x[:16], y[:16])
        return t, state, (history.history, logs, t.evaluate(state, x, y, verbose=0))

    t, state, found = run(placement=FSDP(mesh, min_size=32, offload=("opt_state", "ema")))
    _, alone, expected = run()
    assert_close((found, state), (expected, alone))
    assert {leaf.sharding.memory_kind for leaf in jax.tree.leaves(state.ema)} == {"pinned_host"}
    moments = {leaf.sharding.memory_kind for leaf in jax.tree.leaves(state.opt_state) if leaf.shape == (64, 16)}
    assert moments == {"pinned_host"}
    assert {leaf.sharding.memory_kind for leaf in jax.tree.leaves((state.trainable, state.step))} == {"device"}
    assert t.session.programs.many._cache_size() == t.session.programs.many.__wrapped__.times == 2


def test_a_state_of_one_device_is_placed():
    alone, placed = trainer(mlp()), trainer(mlp(), placement=FSDP(mesh_of(8), min_size=32))
    state = fit(placed, alone.init(jax.random.key(0)))
    assert specs(state.trainable)["dense"]["kernel"] == P("data")
    variables = placed.model.init(jax.random.key(0))
    assert specs(placed.state_of(variables)) == specs(placed.init(jax.random.key(0)))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(variables))


def test_models_alone():
    placement, model = FSDP(mesh_of(8), min_size=32), mlp()
    variables = jax.jit(model.init, out_shardings=placement.shardings(model))(jax.random.key(0))
    assert specs(variables.trainable)["dense"]["kernel"] == P("data")
    assert_close(variables, model.init(jax.random.key(0)), 0.0)


def test_arrays_that_are_spread_already():
    x, y = data(64)
    mesh = mesh_of(8)  # with the explicit axes that JAX makes by default
    rows = jax.sharding.NamedSharding(mesh, P("data"))
    placed, alone = trainer(mlp(), placement=DataParallel(mesh)), trainer(mlp())
    spread = [jax.device_put(array, rows) for array in (x, y)]
    found = placed.fit(placed.init(jax.random.key(0)), *spread, batch_size=16, verbose=0)[1].history
    assert_close(found, alone.fit(alone.init(jax.random.key(0)), x, y, batch_size=16, verbose=0)[1].history)


def test_placements_compare_and_travel():
    one, other = (Placement(mesh_of(4, 2), rules={"kernel": (None, "model", None)}) for _ in range(2))
    assert one == other == pickle.loads(pickle.dumps(one)) == Placement.from_config(one.get_config())
    assert one.rules == (("kernel", P(None, "model")),)
    assert trainer(mlp(), placement=one).replace(ema=0.9).placement == one
    assert pickle.loads(pickle.dumps(trainer(mlp(), placement=one))).placement == one


def test_keras_names():
    mesh = DeviceMesh((4, 2), ["batch", "model"], jkeras.distribution.list_devices())
    layouts = LayoutMap(mesh)
    layouts["dense/kernel"] = TensorLayout([None, "model"], mesh)
    layouts["dense.*output"] = ("batch", "model")
    placement = ModelParallel(layout_map=layouts)
    assert (placement.batch, placement.rules) == ("batch", (("dense/kernel", P(None, "model")),))
    assert placement.outputs == (("dense.*output", P("batch", "model")),)
    x, y = data(64)
    placed, alone = trainer(mlp(), placement=placement), trainer(mlp())
    assert_close(*(t.fit(t.init(jax.random.key(0)), x, y, verbose=0)[1].history for t in (placed, alone)))
    spread = jkeras.distribution.distribute_tensor(np.ones((8, 2)), TensorLayout(["batch"], mesh))
    assert spread.sharding.spec == P("batch")
    assert jkeras.distribution.get_device_count() == 8


def refused(make):
    with pytest.raises(PlacementError) as caught:
        make()
    return str(caught.value)


def test_what_is_refused():
    mesh = mesh_of(4, 2)
    x, y = data(64)

    def training(**options):
        t = trainer(mlp(), placement=Placement(mesh, **options))
        t.init(jax.random.key(0))

    assert "axes of the mesh" in refused(lambda: Placement(mesh, rules={"kernel": P("models")}))
    assert "at most once" in refused(lambda: Placement(mesh, rules={"kernel": P("data", "data")}))
    assert "must match a weight" in refused(lambda: training(rules={"kernels": P("data")}))
    assert refused(lambda: training(rules={"dense_1/bias": P("data")})).startswith("dense_1/bias: axis 0")
    assert refused(lambda: training(rules={"bias": P(None, "data")})).startswith("dense/bias: the spec of")
    assert "different axes" in refused(lambda: Placement(mesh, batch="data", replicas="data"))
    with pytest.raises(PlacementError, match="divisible by the 4 devices"):
        trainer(mlp(), replicas=2, placement=Placement(mesh, batch="model", replicas="data"))
    with pytest.raises(ArgumentError, match="must be a Placement"):
        trainer(mlp(), placement=mesh)
    with jax.threefry_partitionable(False), pytest.raises(PlacementError, match="random numbers"):
        trainer(mlp(), placement=DataParallel())
    assert "`offload` must name" in refused(lambda: Placement(mesh, offload="trainable"))
    t = trainer(mlp(), placement=Placement(mesh, outputs={"dense_1": P("data", None, "model")}))
    with pytest.raises(PlacementError, match=r"dense_1: the spec of an array of rank 2"):
        t.fit(t.init(jax.random.key(0)), x, y, verbose=0)


def test_one_device_is_no_placement():
    """Of the device that JAX computes on anyway nothing is said: the program is the same to the letter."""
    x, y = data(32)
    alone, placed = trainer(mlp()), trainer(mlp(), placement=DataParallel(devices=jax.devices()[:1]))
    assert placed.placement is None
    assert placed.lower(x, y).as_text() == alone.lower(x, y).as_text()
    other = trainer(mlp(), placement=DataParallel(devices=jax.devices()[1:2]))
    state = fit(other, other.init(jax.random.key(0)))
    assert {device.id for leaf in jax.tree.leaves(state) for device in leaf.devices()} == {1}
    assert_close(state, fit(alone, alone.init(jax.random.key(0))))
