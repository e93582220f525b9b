"""Golden files: what each released version wrote, with the outputs that its model had.

`python -m tests.saving.golden` writes those of this version; they are never changed afterwards.
"""

from pathlib import Path

import jax
import numpy as np

import jkeras
from jkeras import Input, layers

FOLDER = Path(__file__).parent / "golden_files"
X = np.linspace(-1, 1, 12, dtype="float32").reshape(2, 6)


def trainer():
    inputs = Input((6,), name="x")
    x = layers.Dense(4, activation="gelu", kernel_regularizer="l2")(inputs)
    x = layers.Dropout(0.5)(layers.BatchNormalization()(x))
    model = jkeras.Model(inputs, {"a": layers.Dense(2, name="a")(x), "b": layers.Dense(1, name="b")(x)})
    optimizer = jkeras.optimizers.AdamW(jkeras.optimizers.schedules.CosineDecay(0.01, 100), clipnorm=1.0)
    return jkeras.Trainer(model, optimizer, {"a": "mse", "b": jkeras.losses.Huber()}, {"a": ["mae"]}, ema=0.9)


def main():
    made = trainer()
    state = made.init(jax.random.key(0))
    state, _ = made.fit(state, X, {"a": X[:, :2], "b": X[:, :1]}, epochs=3, batch_size=2, shuffle=False, verbose=0)
    FOLDER.mkdir(exist_ok=True)
    version = jkeras.__version__
    made.save(FOLDER / f"{version}.keras", state)
    made.model.save_weights(FOLDER / f"{version}.weights.h5", state.variables)
    np.savez(FOLDER / f"{version}.outputs.npz", **made.predict(state, X, verbose=0))


if __name__ == "__main__":
    main()
