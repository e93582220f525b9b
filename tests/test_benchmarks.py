"""The benchmarks compare like with like: both sides of a pair have the same leaves and compute the same numbers.

What they measure is not tested; a test that waits for a clock proves nothing.
"""

import jax
import numpy as np
import pytest

from benchmarks import hlo, layer_pairs, memory, pairs, placed_steps, plan_hands, plan_sizes, plan_steps
from benchmarks.harness import interleaved, ratio
from jkeras import tree
from tests.compilation import AS_USERS_DO

PAIRS = (pairs.mlp(2), pairs.convnet(), pairs.transformer())
# Those of most models. The other layers are compared by the benchmark itself.
CORE = (
    *("Dense", "Embedding", "Conv2D", "MaxPooling2D", "AveragePooling2D", "BatchNormalization", "LayerNormalization"),
    *("RMSNormalization", "Dropout", "MultiHeadAttention", "RotaryEmbedding", "SwiGLU", "SimpleRNN", "TimeDistributed"),
)
LAYERS = [case for case in layer_pairs.CASES if case.layer in CORE]


def shapes(values):
    return {path: (leaf.shape, str(leaf.dtype)) for path, leaf in tree.flatten(values).items()}


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_both_sides_have_the_same_variables(pair):
    model, example = pair.model(), pair.inputs[:1]
    ours = jax.eval_shape(lambda key: model.init(key, example), jax.random.key(0))
    for by_hand, declared in zip(pair.values, ours, strict=True):
        assert shapes(declared) == shapes(by_hand)


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_both_sides_compute_the_same(pair, training):
    sides, x = pairs.forwards(pair, training), pair.batch[0]
    by_hand, ours = (jax.jit(forward)(values, x) for values, forward in (sides.hand, sides.jkeras))
    # One formula, evaluated twice in another order: tens of float32 rounding errors of values of order 1.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), ours, by_hand)


def test_both_training_steps_have_the_same_leaves_but_for_sums_of_two_words():
    leaves = pairs.train_steps(PAIRS[1]).leaves()
    # The accuracy has two sums, whose second words keep what float32 rounds away. The sums of losses are one array here
    # and two by hand, and their second words another.
    assert leaves["jkeras"] == leaves["hand"] + 2


def test_the_order_of_a_round_alternates():
    calls = []
    interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, calls=2, warm_up=0)
    assert "".join(calls) == "aabbbbaaaabb"


def test_ratio_compares_rounds_not_medians():
    # The second round is slow for both: the ratio of the medians would be 3.
    assert ratio([2.0, 20.0, 3.0], [1.0, 10.0, 1.0]).median == 2.0


def test_operations_of_a_compiled_program():
    counts = hlo.optimized(lambda x: jax.numpy.sin(x) @ x, np.ones((3, 3), "float32"))
    assert counts["dot"] == counts["sine"] == 1
    assert "parameter" not in counts


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.layer)
def test_a_layer_computes_what_an_expert_writes_with_no_more_operations(case):
    sides, inputs = layer_pairs.forwards(case)
    programs = [
        jax.jit(f, compiler_options=AS_USERS_DO).lower(values, inputs).compile()
        for values, f in (sides.hand, sides.jkeras)
    ]
    by_hand, ours = (program(sides.hand[0], inputs) for program in programs)
    # One formula in two orders: sums of hundreds of float32 products of order 1, some near zero.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), ours, by_hand)
    most, count = (hlo.operations(program.as_text()) for program in programs)
    assert count.total() <= most.total(), hlo.difference(count, most)


def test_every_layer_by_hand_has_a_case():
    assert {case.layer for case in layer_pairs.CASES} == set(layer_pairs.HANDS)
    assert set(CORE) == {case.layer for case in LAYERS}


@pytest.mark.parametrize("network", placed_steps.NETWORKS)
def test_both_sides_of_a_placed_step_compute_the_same(network):
    placed = placed_steps.NETWORKS[network]
    model = placed.model()
    values = model.init(jax.random.key(0))
    by_hand = placed.apply(values.trainable, placed.x[:2], lambda x: x)
    ours, _ = model.stateless_call(*values, placed.x[:2])
    np.testing.assert_allclose(ours, by_hand, rtol=1e-4, atol=1e-4)  # hundreds of float32 products of order 1


@pytest.mark.parametrize("network", plan_sizes.SIZES)
def test_both_sides_of_a_plan_have_as_many_weights(network):
    size = plan_sizes.SIZES[network]
    by_hand = jax.tree.leaves(plan_hands.weights(size), is_leaf=plan_hands.is_shape)
    model = plan_steps.Language(size)
    ids = jax.ShapeDtypeStruct((1, size.time), "int32")
    ours = jax.eval_shape(lambda key: model.init(key, ids), jax.random.key(0)).trainable
    assert sum(leaf.size for leaf in jax.tree.leaves(ours)) == sum(int(np.prod(shape)) for shape in by_hand)


def test_growth_is_the_slope_after_the_warm_up():
    assert memory.growth([50.0, 10.0, 12.0, 14.0, 16.0], 1) == 2.0
    assert memory.growth([0.0, 5.0, 5.0, 5.0], 1) == 0.0


def test_what_models_leave_is_measured_in_processes_of_their_own():
    assert len(memory.resident("by hand", models=2, threads=2, widths=1)) == 2
