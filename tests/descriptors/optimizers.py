"""A row per configuration of an optimizer or a schedule; each is made in both libraries from the same arguments.

Together the rows of a class move each of its own arguments off its default, together all rows move each common one.
"""

from dataclasses import dataclass, field
from typing import Any

# 1 - 0.999 is off by 4.7e-5 of itself in float32, Keras's Adam uses it both rounded and exact, and the step has its
# square root. Rows whose beta_2 is a binary fraction have no such difference.
BETA_2_IN_FLOAT32 = 2.4e-5


@dataclass(frozen=True)
class Row:
    """One configuration.

    Args:
        name: of the class.
        case: of the configuration.
        arguments: keyword arguments; a `Row` among them is a schedule.
        slack: how much of itself a step may differ from Keras's, besides float32 rounding.
    """

    name: str
    case: str
    arguments: dict[str, Any] = field(default_factory=dict)
    slack: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}-{self.case}"

    def make(self, module: Any) -> Any:
        """The object, of `jkeras.optimizers` or `keras.optimizers`."""
        schedules = module.schedules
        made = {k: v.make(schedules) if isinstance(v, Row) else v for k, v in self.arguments.items()}
        return getattr(module, self.name)(**made)


class ScheduleRow(Row):
    """One configuration of a schedule."""

    def make(self, module: Any) -> Any:
        """The schedule, of a `schedules` module."""
        return getattr(module, self.name)(**self.arguments)


EXACT = {"beta_1": 0.75, "beta_2": 0.875}
EXPONENTIAL = ScheduleRow(
    "ExponentialDecay", "short", {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5}
)
RISING = ScheduleRow("PiecewiseConstantDecay", "short", {"boundaries": [3], "values": [0.05, 0.1]})

OPTIMIZERS = (
    Row("SGD", "defaults"),
    Row("SGD", "momentum", {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.1}),
    Row("SGD", "nesterov", {"learning_rate": EXPONENTIAL, "momentum": 0.5, "nesterov": True}),
    Row("SGD", "clipnorm", {"learning_rate": 0.5, "clipnorm": 0.75}),
    Row("SGD", "clipvalue", {"learning_rate": 0.5, "clipvalue": 0.25}),
    Row("SGD", "global_clipnorm", {"learning_rate": 0.5, "global_clipnorm": 0.75}),
    Row("SGD", "loss_scale_factor", {"learning_rate": 0.5, "loss_scale_factor": 10.0}),
    Row("SGD", "average", {"learning_rate": 0.5, "use_ema": True, "ema_momentum": 0.75, "name": "averaged"}),
    Row("Adam", "defaults", {}, BETA_2_IN_FLOAT32),
    Row("Adam", "moved", {"learning_rate": 0.05, **EXACT, "epsilon": 0.01, "amsgrad": True}),
    Row("Adam", "decayed", {"learning_rate": 0.05, **EXACT, "epsilon": 0.5, "weight_decay": 0.25}),
    Row(
        "Adam",
        "accumulated",
        {"learning_rate": EXPONENTIAL, **EXACT, "gradient_accumulation_steps": 3, "global_clipnorm": 0.5},
    ),
    Row(
        "Adam",
        "overwritten",
        {
            "learning_rate": 0.1,
            **EXACT,
            "gradient_accumulation_steps": 2,
            "use_ema": True,
            "ema_momentum": 0.5,
            "ema_overwrite_frequency": 2,
        },
    ),
    Row("AdamW", "defaults", {}, BETA_2_IN_FLOAT32),
    Row("AdamW", "moved", {"learning_rate": 0.05, "weight_decay": 0.5, **EXACT, "epsilon": 0.01, "amsgrad": True}),
    Row("RMSprop", "defaults"),
    Row("RMSprop", "moved", {"learning_rate": 0.05, "rho": 0.75, "momentum": 0.5, "epsilon": 0.01, "centered": True}),
    Row("RMSprop", "scheduled", {"learning_rate": EXPONENTIAL, "momentum": 0.5, "weight_decay": 0.1}),
    Row("Adagrad", "defaults"),
    Row("Adagrad", "moved", {"learning_rate": 0.05, "initial_accumulator_value": 0.0, "epsilon": 0.01}),
    Row("Adadelta", "defaults"),
    Row("Adadelta", "moved", {"learning_rate": 1.0, "rho": 0.75, "epsilon": 0.01}),
    Row("Adamax", "defaults"),
    Row("Adamax", "moved", {"learning_rate": 0.05, **EXACT, "epsilon": 0.5}),
    Row("Nadam", "defaults", {}, BETA_2_IN_FLOAT32),
    Row("Nadam", "moved", {"learning_rate": 0.05, **EXACT, "epsilon": 0.01}),
    Row("Lion", "defaults"),
    Row("Lion", "moved", {"learning_rate": 0.05, **EXACT}),
    Row("Lamb", "defaults", {}, BETA_2_IN_FLOAT32),
    Row("Lamb", "moved", {"learning_rate": 0.05, **EXACT, "epsilon": 0.01, "weight_decay": 0.5}),
    Row("Adafactor", "defaults"),
    Row(
        "Adafactor",
        "moved",
        {
            "learning_rate": 0.5,
            "beta_2_decay": -0.5,
            "epsilon_1": 0.01,
            "epsilon_2": 0.5,
            "clip_threshold": 0.5,
            "relative_step": False,
            "weight_decay": 0.1,
        },
    ),
    Row("Ftrl", "defaults"),
    Row(
        "Ftrl",
        "moved",
        {
            "learning_rate": 0.25,
            "learning_rate_power": -0.75,
            "initial_accumulator_value": 0.5,
            "l1_regularization_strength": 0.5,
            "l2_regularization_strength": 0.25,
            "l2_shrinkage_regularization_strength": 0.125,
            "beta": 0.5,
            "weight_decay": 0.1,
        },
    ),
    Row("Muon", "defaults", {}, BETA_2_IN_FLOAT32),
    Row(
        "Muon",
        "moved",
        {
            "learning_rate": 0.05,
            "adam_beta_1": 0.75,
            "adam_beta_2": 0.875,
            "adam_weight_decay": 0.5,
            "epsilon": 0.01,
            "weight_decay": 0.25,
            "exclude_layers": ["den.e"],
            "exclude_embeddings": False,
            "muon_a": 3.0,
            "muon_b": -3.5,
            "muon_c": 1.5,
            "adam_lr_ratio": 0.5,
            "momentum": 0.5,
            "ns_steps": 3,
            "nesterov": False,
            "rms_rate": None,
        },
    ),
    Row("ScheduleFreeAdamW", "defaults", {}, BETA_2_IN_FLOAT32),
    Row(
        "ScheduleFreeAdamW",
        "moved",
        {"learning_rate": RISING, **EXACT, "epsilon": 0.01, "warmup_steps": 4, "weight_decay": 0.5},
    ),
)

_DECAY = {"initial_learning_rate": 0.5, "decay_steps": 8}

SCHEDULES = (
    ScheduleRow("ExponentialDecay", "smooth", {**_DECAY, "decay_rate": 0.75}),
    ScheduleRow("ExponentialDecay", "stairs", {**_DECAY, "decay_rate": 0.75, "staircase": True, "name": "stairs"}),
    ScheduleRow("InverseTimeDecay", "smooth", {**_DECAY, "decay_rate": 2.0}),
    ScheduleRow("InverseTimeDecay", "stairs", {**_DECAY, "decay_rate": 2.0, "staircase": True, "name": "stairs"}),
    ScheduleRow("PiecewiseConstantDecay", "two", {"boundaries": [3], "values": [0.5, 0.25]}),
    ScheduleRow(
        "PiecewiseConstantDecay", "four", {"boundaries": [3, 9, 11], "values": [0.5, 0.75, 0.25, 0.1], "name": "four"}
    ),
    ScheduleRow("PolynomialDecay", "line", _DECAY),
    ScheduleRow("PolynomialDecay", "curve", {**_DECAY, "end_learning_rate": 0.25, "power": 2.5, "name": "curve"}),
    ScheduleRow("PolynomialDecay", "cycles", {**_DECAY, "end_learning_rate": 0.1, "power": 0.5, "cycle": True}),
    ScheduleRow("CosineDecay", "plain", _DECAY),
    ScheduleRow(
        "CosineDecay", "warm", {**_DECAY, "alpha": 0.25, "warmup_target": 0.75, "warmup_steps": 5, "name": "warm"}
    ),
    ScheduleRow("CosineDecay", "target", {**_DECAY, "warmup_target": 0.75}),
    ScheduleRow("CosineDecayRestarts", "doubling", {"initial_learning_rate": 0.5, "first_decay_steps": 3}),
    ScheduleRow(
        "CosineDecayRestarts",
        "growing",
        {
            "initial_learning_rate": 0.5,
            "first_decay_steps": 4,
            "t_mul": 1.5,
            "m_mul": 0.75,
            "alpha": 0.1,
            "name": "growing",
        },
    ),
    ScheduleRow("CosineDecayRestarts", "even", {"initial_learning_rate": 0.5, "first_decay_steps": 5, "t_mul": 1.0}),
)
