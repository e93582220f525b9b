"""Train a small convolutional network on handwritten digits, and show which it confuses. `make train` runs this."""

import math

import jax
import numpy as np
import optax
from rich.console import Console
from rich.table import Table

import jkeras
from jkeras import layers
from jkeras.datasets import digits

EPOCHS, BATCH = 30, 32
GOAL = 0.98


def images(pixels: np.ndarray) -> np.ndarray:
    """Counts of ink, 0 to 16, as values from 0 to 1 with a channel axis: (b, 8, 8, 1)."""
    return pixels[..., np.newaxis] / np.float32(16)


def network() -> jkeras.Sequential:
    return jkeras.Sequential(
        [
            jkeras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.BatchNormalization(momentum=0.9),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.BatchNormalization(momentum=0.9),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )


def confusion_table(truth: np.ndarray, answer: np.ndarray) -> Table:
    """Rows are digits as they are, columns what the network took them for."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (truth, answer), 1)
    table = Table(title=f"{len(truth)} digits that the network had not seen", caption="rows: truth, columns: answer")
    table.add_column("", justify="right", style="bold")
    for digit in range(10):
        table.add_column(str(digit), justify="right")
    for digit, row in enumerate(counts):
        cells = [
            "[dim]·[/]" if n == 0 else f"[green]{n}[/]" if digit == i else f"[red]{n}[/]" for i, n in enumerate(row)
        ]
        table.add_row(str(digit), *cells)
    return table


def main() -> None:
    (x, y), (x_test, y_test) = digits.load_data()
    x, x_test = images(x), images(x_test)

    model = network()
    steps = EPOCHS * math.ceil(len(x) / BATCH)
    trainer = jkeras.Trainer(
        model,
        optimizer=optax.adam(optax.cosine_decay_schedule(2e-3, steps)),
        loss=jkeras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.summary()
    state = trainer.init(jax.random.key(0), x[:1])
    state, _ = trainer.fit(state, x, y, batch_size=BATCH, epochs=EPOCHS)

    accuracy = float(trainer.evaluate(state, x_test, y_test, verbose=0)["accuracy"])
    answers = np.argmax(trainer.predict(state, x_test, verbose=0), axis=-1)
    console = Console()
    console.print(confusion_table(y_test, answers))
    console.print(f"test accuracy [bold]{accuracy:.2%}[/]")
    if accuracy < GOAL:
        raise SystemExit(f"expected at least {GOAL:.0%}")


if __name__ == "__main__":
    main()
