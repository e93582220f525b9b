"""Plans: a training step compiled for a machine that is not there: whether it fits, and what it communicates."""

from jkeras.plan.machines import Machine, machine_of
from jkeras.plan.memory import Memory
from jkeras.plan.planning import plan_training
from jkeras.plan.program import Collective, Program, Wide
from jkeras.plan.report import Plan

__all__ = ["Collective", "Machine", "Memory", "Plan", "Program", "Wide", "machine_of", "plan_training"]
