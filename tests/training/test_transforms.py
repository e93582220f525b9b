"""A step is a function: every JAX transform applies to it as it is."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.training.networks import convnet, data, images, mlp, trainer

X, Y = data()
BATCH = (X[:32], Y[:32])


@pytest.fixture(scope="module")
def setup():
    t = trainer()
    return t, t.init(jax.random.key(0))


def test_whole_training_is_a_scan(setup):
    t, state = setup
    batches = (X.reshape(8, 32, 64), Y.reshape(8, 32))
    scanned, logs = jax.jit(lambda state: jax.lax.scan(t.train_step, state, batches))(state)
    assert int(scanned.step) == 8
    assert logs["loss"].shape == (8,)
    step, looped = jax.jit(t.train_step), state
    for index in range(8):
        looped, one = step(looped, (batches[0][index], batches[1][index]))
    # the same operations in another program: agreement to a few rounding errors over 8 steps
    np.testing.assert_allclose(logs["loss"][-1], one["loss"], rtol=1e-5)
    chex.assert_trees_all_close(scanned, looped, rtol=1e-3, atol=1e-5)


def test_an_ensemble_is_a_vmap(setup):
    t, _ = setup
    spec = jax.ShapeDtypeStruct((1, 64), "float32")
    keys = jax.random.split(jax.random.key(1), 3)
    ensemble = jax.vmap(t.init, (0, None))(keys, spec)
    ensemble, logs = jax.jit(jax.vmap(t.train_step, (0, None)))(ensemble, BATCH)
    assert logs["loss"].shape == (3,)
    assert len(np.unique(np.asarray(logs["loss"]))) == 3
    for member in range(3):
        _, log = jax.jit(t.train_step)(t.init(keys[member]), BATCH)
        np.testing.assert_allclose(logs["loss"][member], log["loss"], rtol=1e-5)


def test_gradient_through_two_training_steps():
    t = trainer(optimizer=optax.sgd(0.1))
    state = t.init(jax.random.key(0))

    def loss_after_two_steps(kernel_scale):
        scaled = state.replace(trainable=jax.tree.map(lambda leaf: leaf * kernel_scale, state.trainable))
        after, _ = t.train_step(scaled, BATCH)
        after, _ = t.train_step(after, BATCH)
        return t.test_step(after, BATCH)[1]["loss"]

    slope = jax.jit(jax.grad(loss_after_two_steps))(1.0)
    step = 1e-2
    numerical = (loss_after_two_steps(1.0 + step) - loss_after_two_steps(1.0 - step)) / (2 * step)
    # central differences of a float32 loss near 2.3: error about eps * 2.3 / step = 3e-5, and step**2 of curvature
    np.testing.assert_allclose(slope, numerical, atol=2e-3)


def test_per_example_gradients():
    model = mlp()
    t = trainer(model)
    variables = model.init(jax.random.key(0))

    def loss(trainable, x, y):
        outputs, _ = model.stateless_call(trainable, variables.non_trainable, x)
        return t.compute_loss(x, y, outputs, None)

    examples = (jnp.asarray(X[:8, None]), jnp.asarray(Y[:8, None]))
    each = jax.jit(jax.vmap(jax.grad(loss), (None, 0, 0)))(variables.trainable, *examples)
    mean = jax.jit(jax.grad(loss))(variables.trainable, X[:8], Y[:8])
    for one, whole in zip(jax.tree.leaves(each), jax.tree.leaves(mean), strict=True):
        assert one.shape == (8, *whole.shape)
        np.testing.assert_allclose(one.mean(0), whole, atol=1e-6)


def test_hessian_vector_product():
    model = mlp(4)
    variables = model.init(jax.random.key(0))
    t = trainer(model)

    def loss(trainable):
        return t.compute_loss(X[:16], Y[:16], model.stateless_call(trainable, {}, X[:16])[0], None)

    direction = jax.tree.map(jnp.ones_like, variables.trainable)
    _, product = jax.jit(lambda p: jax.jvp(jax.grad(loss), (p,), (direction,)))(variables.trainable)
    other = jax.jit(
        lambda p: jax.grad(lambda p: sum(jax.tree.leaves(jax.tree.map(jnp.vdot, jax.grad(loss)(p), direction))))(p)
    )(variables.trainable)
    # forward over reverse equals reverse over reverse, to float32 rounding of sums over 16 examples
    chex.assert_trees_all_close(product, other, rtol=1e-4, atol=1e-5)


def test_state_of_a_stateful_network_is_a_scan_carry():
    x, y = images(64)
    t = trainer(convnet())
    state = t.init(jax.random.key(0))
    after = jax.eval_shape(t.train_step, state, (x, y))[0]
    before = jax.eval_shape(lambda s: s, state)
    assert jax.tree.structure(before) == jax.tree.structure(after)
    for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        assert (a.shape, a.dtype, a.weak_type) == (b.shape, b.dtype, b.weak_type)
