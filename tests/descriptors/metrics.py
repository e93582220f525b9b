"""One row per public metric and way to configure it. `Mean` and `Sum` take values, all others labels as well."""

import dataclasses
from typing import Any

import numpy as np

from jkeras import metrics
from tests.descriptors import losses


@dataclasses.dataclass(frozen=True)
class Row(losses.Row):
    """One configuration of one public metric."""

    def make(self, library: Any = metrics, **overrides: Any) -> Any:
        return super().make(library, **overrides)

    def sample(self, batch: tuple[int, ...] = (4,), seed: int = 0) -> tuple[np.ndarray, ...]:
        """What `update` takes after the state, weights aside."""
        if self.kind == "values":
            return (losses.sample("real", batch, seed)[1],)
        y_true, y_pred = losses.sample(self.kind, batch, seed)
        if self.kind == "index logit" and self.arguments.get("from_sorted_ids"):
            return y_true, np.argsort(-y_pred, axis=-1).astype("float32")
        if self.name == "Accuracy":
            return y_true, np.argmax(y_pred, axis=-1).astype("int32")
        return y_true, y_pred


NAMED = {"name": "other", "dtype": "float32"}
ROWS = [
    Row("Mean", "values"),
    Row("Mean", "values", NAMED),
    Row("Sum", "values"),
    Row("Sum", "values", NAMED),
    *(
        Row(name, kind, arguments)
        for arguments in ({}, NAMED)
        for name, kind in {
            "Accuracy": "index logit",
            "CategoricalAccuracy": "class logit",
            "SparseCategoricalAccuracy": "index probability",
            "MeanSquaredError": "real",
            "RootMeanSquaredError": "real",
            "MeanAbsoluteError": "real",
            "MeanAbsolutePercentageError": "positive",
            "MeanSquaredLogarithmicError": "positive",
            "LogCoshError": "real",
            "KLDivergence": "distribution",
            "Poisson": "positive",
            "Hinge": "sign",
            "SquaredHinge": "sign",
            "CategoricalHinge": "class logit",
        }.items()
    ),
    Row("BinaryAccuracy", "binary probability"),
    Row("BinaryAccuracy", "binary logit", {"threshold": 0.1, **NAMED}),
    Row("TopKCategoricalAccuracy", "class logit", {"k": 2}),
    Row("TopKCategoricalAccuracy", "class probability", {"k": 1, **NAMED}),
    Row("SparseTopKCategoricalAccuracy", "index logit", {"k": 2}),
    Row("SparseTopKCategoricalAccuracy", "index logit", {"k": 2, "from_sorted_ids": True, **NAMED}),
    Row("CosineSimilarity", "real"),
    Row("CosineSimilarity", "real", {"axis": 1, **NAMED}),
    Row("BinaryCrossentropy", "binary probability"),
    Row("BinaryCrossentropy", "binary logit", {"from_logits": True, "label_smoothing": 0.2, **NAMED}),
    Row("CategoricalCrossentropy", "class probability"),
    Row("CategoricalCrossentropy", "class logit", {"from_logits": True, "label_smoothing": 0.2, **NAMED}),
    Row("CategoricalCrossentropy", "distribution", {"axis": 1}),
    Row("SparseCategoricalCrossentropy", "index probability"),
    Row("SparseCategoricalCrossentropy", "index logit", {"from_logits": True, "axis": -1, **NAMED}),
    Row("SparseCategoricalCrossentropy", "index logit", {"from_logits": True, "ignore_class": 1}),
    Row("MeanMetricWrapper", "real", {"fn": "huber", "delta": 0.5, **NAMED}),
]
