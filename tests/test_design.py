"""The examples of the design's first section run as written; only the data is made here."""

import jax
import numpy as np

from tests.repository import ROOT, blocks


def data():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 28, 28, 1)).astype("float32"), rng.integers(0, 10, 64)
    return {
        "x": x,
        "y": y,
        "x_test": x[:8],
        "y_test": y[:8],
        "keys": jax.random.split(jax.random.key(1), 2),
        "spec": jax.ShapeDtypeStruct((64, 28, 28, 1), "float32"),
        "batches": (x.reshape(4, 16, 28, 28, 1), y.reshape(4, 16)),
    }


def test_what_users_write():
    network, layer = blocks(ROOT / "docs" / "design.md", "python")[:2]
    namespace = data()
    network.run(namespace)
    assert namespace["logits"].shape == (64, 10)
    assert namespace["predictions"].shape == (8, 10)
    assert len(namespace["history"].history["val_loss"]) == 5
    assert namespace["logs"]["loss"].shape == (4,)  # of the scan, the last to set it
    assert int(namespace["state"].step) == 5 * 2 + 1 + 4  # fit on 57 in batches of 32, one step, the scan
    assert namespace["ensemble"].step.tolist() == [1, 1]

    layer.run(namespace)
    center, inputs = namespace["RunningCenter"](3), np.ones((2, 4), "float32")
    variables = center.init(jax.random.key(0), inputs)
    outputs, non_trainable = center.stateless_call(*variables, inputs, training=True)
    np.testing.assert_allclose(outputs, inputs @ variables.trainable["kernel"], rtol=1e-6)
    assert float(non_trainable["total"]) == 8.0
