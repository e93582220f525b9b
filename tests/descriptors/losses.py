"""One row per public loss and way to configure it: how to make it, and labels and predictions that suit it.

Between them the rows of a class move each of its arguments off the default.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from jkeras import losses

CLASSES = 3


def _softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def sample(kind: str, batch: tuple[int, ...] = (4,), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions of a kind: mostly `(*batch, 3)`, class indices `batch`; no prediction sits on a kink."""
    random, shape = np.random.default_rng(seed), (*batch, CLASSES)
    real = random.normal(size=shape).astype("float32") * 1.5
    indices = random.integers(0, CLASSES, batch).astype("int32")
    one_hot = np.eye(CLASSES, dtype="float32")[indices]
    probability = random.uniform(0.05, 0.95, shape).astype("float32")
    match kind:
        case "real":
            return random.normal(size=shape).astype("float32"), real
        case "positive":
            return random.uniform(0.5, 3, shape).astype("float32"), random.uniform(0.5, 3, shape).astype("float32")
        case "distribution":
            return _softmax(random.normal(size=shape)).astype("float32"), _softmax(real).astype("float32")
        case "sign":
            return np.sign(random.normal(size=shape)).astype("float32"), real
        case "binary probability":
            return random.integers(0, 2, shape).astype("float32"), probability
        case "binary logit":
            return random.integers(0, 2, shape).astype("float32"), real
        case "class probability":
            return one_hot, probability
        case "class logit":
            return one_hot, real
        case "index probability":
            return indices, probability
        case "index logit":
            return indices, real
        case "embedding":
            return indices.ravel()[: batch[0]] % 2, real.reshape(-1, CLASSES)[: batch[0]] / 4
        case "sequence":
            labels = np.array([[1, 2], [2, 0], [1, 1], [2, 1]], "int32")
            return labels, random.normal(size=(4, 5, CLASSES)).astype("float32")
    raise KeyError(kind)


@dataclasses.dataclass(frozen=True)
class Row:
    """One configuration of one public class.

    Attributes:
        name: of the class.
        kind: of its labels and predictions, for `sample`.
        arguments: of its constructor.
    """

    name: str
    kind: str
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def make(self, library: Any = losses, **overrides: Any) -> Any:
        """The loss, or the one of that name in another library. `fn` is given as the name of a function there."""
        arguments = {**self.arguments, **overrides}
        if "fn" in arguments:
            arguments["fn"] = getattr(library, arguments["fn"])
        return getattr(library, self.name)(**arguments)

    def __str__(self) -> str:
        return "-".join([self.name, *(f"{key}={value}" for key, value in self.arguments.items())]).replace(" ", "")


BESIDE_KERAS = {"FusedLinearCrossentropy"}  # it has no rows, but a file of its own: tests/test_fused_losses.py
NAMED = {"name": "other", "reduction": "sum", "dtype": "float32"}
IGNORING = {"fn": "sparse_categorical_crossentropy", "from_logits": True, "ignore_class": 1, "name": "ignoring"}
ROWS = [
    Row("LossFunctionWrapper", "index logit", IGNORING),
    Row("LossFunctionWrapper", "real", {"fn": "huber", "delta": 0.5, **NAMED}),
    Row("MeanSquaredError", "real"),
    Row("MeanSquaredError", "real", NAMED),
    Row("MeanAbsoluteError", "real"),
    Row("MeanAbsoluteError", "real", NAMED),
    Row("MeanAbsolutePercentageError", "positive"),
    Row("MeanAbsolutePercentageError", "positive", NAMED),
    Row("MeanSquaredLogarithmicError", "positive"),
    Row("MeanSquaredLogarithmicError", "positive", NAMED),
    Row("CosineSimilarity", "real"),
    Row("CosineSimilarity", "real", {"axis": 0, **NAMED}),
    Row("Huber", "real"),
    Row("Huber", "real", {"delta": 0.3, **NAMED}),
    Row("LogCosh", "real"),
    Row("LogCosh", "real", NAMED),
    Row("KLDivergence", "distribution"),
    Row("KLDivergence", "distribution", NAMED),
    Row("Poisson", "positive"),
    Row("Poisson", "positive", NAMED),
    Row("Hinge", "sign"),
    Row("Hinge", "binary logit", NAMED),
    Row("SquaredHinge", "sign"),
    Row("SquaredHinge", "binary logit", NAMED),
    Row("CategoricalHinge", "class logit"),
    Row("CategoricalHinge", "class probability", NAMED),
    Row("BinaryCrossentropy", "binary probability"),
    Row("BinaryCrossentropy", "binary logit", {"from_logits": True}),
    Row("BinaryCrossentropy", "binary probability", {"label_smoothing": 0.2, "axis": 0, **NAMED}),
    Row("BinaryCrossentropy", "binary logit", {"from_logits": True, "label_smoothing": 0.2}),
    Row("BinaryFocalCrossentropy", "binary probability"),
    Row("BinaryFocalCrossentropy", "binary logit", {"from_logits": True, "gamma": 1.5}),
    Row(
        "BinaryFocalCrossentropy",
        "binary probability",
        {"apply_class_balancing": True, "alpha": 0.6, "gamma": 3.0, "label_smoothing": 0.1, "axis": 0, **NAMED},
    ),
    Row("CategoricalCrossentropy", "class probability"),
    Row("CategoricalCrossentropy", "class logit", {"from_logits": True}),
    Row("CategoricalCrossentropy", "class logit", {"from_logits": True, "label_smoothing": 0.3}),
    Row("CategoricalCrossentropy", "distribution", {"label_smoothing": 0.3, **NAMED}),
    Row("CategoricalCrossentropy", "distribution", {"axis": 1, "from_logits": True}),
    Row("CategoricalFocalCrossentropy", "class probability"),
    Row("CategoricalFocalCrossentropy", "class logit", {"from_logits": True, "alpha": 0.7, "gamma": 1.5}),
    Row("CategoricalFocalCrossentropy", "distribution", {"label_smoothing": 0.3, **NAMED}),
    Row("CategoricalFocalCrossentropy", "distribution", {"axis": 1}),
    Row("SparseCategoricalCrossentropy", "index probability"),
    Row("SparseCategoricalCrossentropy", "index logit", {"from_logits": True}),
    Row("SparseCategoricalCrossentropy", "index logit", {"from_logits": True, "ignore_class": 1}),
    Row("SparseCategoricalCrossentropy", "index probability", {"ignore_class": 2, "axis": -1, **NAMED}),
    Row("CategoricalGeneralizedCrossEntropy", "index probability"),
    Row("CategoricalGeneralizedCrossEntropy", "index probability", {"q": 0.8, **NAMED}),
    Row("Dice", "binary probability"),
    Row("Dice", "binary probability", {"axis": [1], **NAMED}),
    Row("Tversky", "binary probability"),
    Row("Tversky", "binary probability", {"alpha": 0.3, "beta": 0.8, "axis": [1], **NAMED}),
    Row("Circle", "embedding"),
    Row("Circle", "embedding", {"gamma": 4.0, "margin": 0.2, "remove_diagonal": False, **NAMED}),
    Row("CTC", "sequence"),
    Row("CTC", "sequence", NAMED),
]
