"""One row per public metric and way to configure it. `Mean` and `Sum` take values, all others labels as well."""

import dataclasses
from typing import Any

import numpy as np

from jkeras import metrics
from tests.descriptors import losses


@dataclasses.dataclass(frozen=True)
class Row(losses.Row):
    """One configuration of one public metric.

    Attributes:
        full: whether it is vmapped and given half-precision predictions too. Another row runs the same code where not.
    """

    full: bool = True

    def make(self, library: Any = metrics, **overrides: Any) -> Any:
        return super().make(library, **overrides)

    def sample(self, batch: tuple[int, ...] = (4,), seed: int = 0) -> tuple[np.ndarray, ...]:
        """What `update` takes after the state, weights aside."""
        if self.kind == "values":
            return (losses.sample("real", batch, seed)[1],)
        y_true, y_pred = losses.sample(self.kind, batch, seed)
        if self.kind == "index logit" and self.arguments.get("from_sorted_ids"):
            return y_true, np.argsort(-y_pred, axis=-1).astype("float32")
        if self.name == "BinaryIoU":  # labels of the shape of the weights, as Keras has it
            return y_true[..., 0], y_pred[..., 0]
        if self.name == "Accuracy" or self.arguments.get("sparse_y_pred", self.name in ("IoU", "MeanIoU")):
            y_pred = np.argmax(y_pred, axis=-1).astype("int32")
        return (y_true.T, y_pred.T) if self.arguments.get("axis") == 0 else (y_true, y_pred)

    @property
    def is_built_late(self) -> bool:
        """Whether Keras has no result before the first update: how many classes there are, is not known."""
        late = self.arguments.get("multi_label") and "num_labels" not in self.arguments
        return bool(late) or self.name in ("F1Score", "FBetaScore", "R2Score")


NAMED = {"name": "other", "dtype": "float32"}
SCORES = {"ignore_class": 0, "sparse_y_true": False, "sparse_y_pred": False, "axis": 0, **NAMED}
INDICES = {"ignore_class": 0, "sparse_y_pred": True, "axis": 0, **NAMED}
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
    *(
        Row(name, "binary probability", {"thresholds": thresholds, **NAMED}, full=False)
        for name, thresholds in {
            "TruePositives": 0.3,
            "FalsePositives": [0.7, 0.2, 0.5],
            "TrueNegatives": [0.0, 0.25, 0.5, 0.75, 1.0],
            "FalseNegatives": [0.05 * step for step in range(1, 19)],
        }.items()
    ),
    Row("Precision", "binary probability"),
    Row("Precision", "binary probability", {"thresholds": [0.6, 0.1], "top_k": 2, "class_id": 2, **NAMED}, full=False),
    Row("Recall", "class logit", {"top_k": 2}),
    Row("Recall", "binary probability", {"thresholds": 0.4, "class_id": 1, **NAMED}, full=False),
    Row("SensitivityAtSpecificity", "binary probability", {"specificity": 0.6}),
    *(
        Row(name, "binary probability", {bound: 0.6, "num_thresholds": 20, "class_id": 1, **NAMED}, full=False)
        for name, bound in {
            "SensitivityAtSpecificity": "specificity",
            "SpecificityAtSensitivity": "sensitivity",
            "PrecisionAtRecall": "recall",
            "RecallAtPrecision": "precision",
        }.items()
    ),
    Row("AUC", "binary probability"),
    Row("AUC", "binary probability", {"num_thresholds": 7, "curve": "PR", **NAMED}, full=False),
    Row(
        "AUC",
        "binary logit",
        {
            "thresholds": [0.6, 0.2, 0.3],
            "curve": "PR",
            "summation_method": "majoring",
            "label_weights": [0.5, 1.0, 0.25],
            "from_logits": True,
        },
    ),
    Row(
        "AUC",
        "binary probability",
        {"num_thresholds": 5, "curve": "PRGAIN", "summation_method": "minoring", "multi_label": True},
        full=False,
    ),
    Row(
        "AUC",
        "binary probability",
        {"num_thresholds": 9, "multi_label": True, "num_labels": 3, "label_weights": [0.5, 1.0, 0.25]},
        full=False,
    ),
    Row("IoU", "index probability", {"num_classes": 3, "target_class_ids": [0]}),
    Row("IoU", "class probability", {"num_classes": 3, "target_class_ids": [0, 2], **SCORES}),
    Row("MeanIoU", "index probability", {"num_classes": 5}),
    Row("MeanIoU", "class probability", {"num_classes": 3, **SCORES}, full=False),
    Row("OneHotIoU", "class probability", {"num_classes": 3, "target_class_ids": [0, 2]}, full=False),
    Row("OneHotIoU", "class probability", {"num_classes": 3, "target_class_ids": [1], **INDICES}),
    Row("OneHotMeanIoU", "class probability", {"num_classes": 3}, full=False),
    Row("OneHotMeanIoU", "class probability", {"num_classes": 3, **INDICES}),
    Row("BinaryIoU", "binary probability"),
    Row("BinaryIoU", "binary probability", {"target_class_ids": [1], "threshold": 0.3, **NAMED}, full=False),
    Row("FBetaScore", "binary probability", {"average": "micro", "beta": 0.5, "threshold": 0.4, **NAMED}),
    Row("FBetaScore", "class probability", {"average": "weighted", "beta": 2.0}, full=False),
    Row("F1Score", "class probability"),
    Row("F1Score", "binary probability", {"average": "macro", "threshold": 0.6, **NAMED}, full=False),
    Row("R2Score", "real"),
    Row("R2Score", "real", {"class_aggregation": "variance_weighted_average", "num_regressors": 2, **NAMED}),
    Row("PearsonCorrelation", "real"),
    Row("PearsonCorrelation", "real", {"axis": 1, **NAMED}),
    Row("ConcordanceCorrelation", "real", {"axis": 1, **NAMED}),
]
