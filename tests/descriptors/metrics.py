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
        if self.name == "Accuracy" or (self.is_overlap and self.arguments.get("sparse_y_pred", self.sparse)):
            y_pred = np.argmax(y_pred, axis=-1).astype("int32")
        elif self.name == "BinaryIoU":  # labels of the shape of the weights, as Keras has it
            return y_true[..., 0], y_pred[..., 0]
        elif self.arguments.get("axis") == 0:
            return (y_true if y_true.ndim == 1 else y_true.T), y_pred.T
        return y_true, y_pred

    @property
    def is_built_late(self) -> bool:
        """Whether Keras has no result before the first update: how many classes there are, is not known."""
        late = self.arguments.get("multi_label") and "num_labels" not in self.arguments
        return bool(late) or self.name in ("F1Score", "FBetaScore", "R2Score")

    @property
    def is_overlap(self) -> bool:
        """Whether the metric is one of intersection over union."""
        return self.name.endswith("IoU")

    @property
    def sparse(self) -> bool:
        """Whether predictions are class indices by default."""
        return self.name in ("IoU", "MeanIoU")


MANY = [0.05 * step for step in range(1, 19)]
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
    Row("TruePositives", "binary probability"),
    Row("TruePositives", "binary probability", {"thresholds": 0.3, **NAMED}),
    Row("FalsePositives", "binary probability"),
    Row("FalsePositives", "binary probability", {"thresholds": [0.7, 0.2, 0.5], **NAMED}),
    Row("TrueNegatives", "binary probability"),
    Row("TrueNegatives", "binary probability", {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0], **NAMED}),
    Row("FalseNegatives", "binary probability"),
    Row("FalseNegatives", "binary probability", {"thresholds": MANY, **NAMED}),
    Row("Precision", "binary probability"),
    Row("Precision", "binary probability", {"thresholds": [0.6, 0.1], "class_id": 2, **NAMED}),
    Row("Precision", "class logit", {"top_k": 2}),
    Row("Recall", "binary probability"),
    Row("Recall", "binary probability", {"thresholds": 0.4, "top_k": 2, "class_id": 1, **NAMED}),
    *(
        Row(name, "binary probability", {bound: 0.6, **arguments})
        for name, bound in {
            "SensitivityAtSpecificity": "specificity",
            "SpecificityAtSensitivity": "sensitivity",
            "PrecisionAtRecall": "recall",
            "RecallAtPrecision": "precision",
        }.items()
        for arguments in ({}, {"num_thresholds": 4, "class_id": 1, **NAMED})
    ),
    Row("AUC", "binary probability"),
    Row("AUC", "binary probability", {"num_thresholds": 7, "curve": "PR", **NAMED}),
    Row("AUC", "binary probability", {"thresholds": [0.6, 0.2, 0.3], "curve": "PR", "summation_method": "majoring"}),
    Row("AUC", "binary probability", {"num_thresholds": 5, "curve": "PRGAIN", "summation_method": "minoring"}),
    Row("AUC", "binary logit", {"label_weights": [0.5, 1.0, 0.25], "from_logits": True}),
    Row("AUC", "binary probability", {"multi_label": True}),
    Row(
        "AUC",
        "binary probability",
        {"multi_label": True, "num_labels": 3, "label_weights": [0.5, 1.0, 0.25], "curve": "PR", "num_thresholds": 9},
    ),
    Row("IoU", "index probability", {"num_classes": 3, "target_class_ids": [0]}),
    Row(
        "IoU",
        "class probability",
        {
            "num_classes": 3,
            "target_class_ids": [0, 2],
            "ignore_class": 0,
            "sparse_y_true": False,
            "sparse_y_pred": False,
            "axis": 0,
            **NAMED,
        },
    ),
    Row("BinaryIoU", "binary probability"),
    Row("BinaryIoU", "binary probability", {"target_class_ids": [1], "threshold": 0.3, **NAMED}),
    Row("MeanIoU", "index probability", {"num_classes": 5}),
    Row("MeanIoU", "index probability", {"num_classes": 3, "ignore_class": 1, **NAMED}),
    Row(
        "MeanIoU",
        "class probability",
        {"num_classes": 3, "sparse_y_true": False, "sparse_y_pred": False, "axis": 0, "dtype": "float32"},
    ),
    Row("OneHotIoU", "class probability", {"num_classes": 3, "target_class_ids": [0, 2]}),
    Row(
        "OneHotIoU",
        "class probability",
        {"num_classes": 3, "target_class_ids": [1], "ignore_class": 0, "axis": 0, **NAMED},
    ),
    Row("OneHotIoU", "class probability", {"num_classes": 3, "target_class_ids": [0], "sparse_y_pred": True}),
    Row("OneHotMeanIoU", "class probability", {"num_classes": 3, "sparse_y_pred": True}),
    Row("OneHotMeanIoU", "class probability", {"num_classes": 3, "ignore_class": 0, "axis": 0, **NAMED}),
    Row("FBetaScore", "class probability"),
    Row("FBetaScore", "binary probability", {"average": "micro", "beta": 0.5, "threshold": 0.4, **NAMED}),
    Row("FBetaScore", "class probability", {"average": "weighted", "beta": 2.0}),
    Row("F1Score", "class probability"),
    Row("F1Score", "binary probability", {"average": "macro", "threshold": 0.6, **NAMED}),
    Row("R2Score", "real"),
    Row("R2Score", "real", {"class_aggregation": "variance_weighted_average", "num_regressors": 2, **NAMED}),
    Row("R2Score", "real", {"class_aggregation": None}),
    Row("PearsonCorrelation", "real"),
    Row("PearsonCorrelation", "real", {"axis": 1, **NAMED}),
    Row("ConcordanceCorrelation", "real"),
    Row("ConcordanceCorrelation", "real", {"axis": 1, **NAMED}),
]
