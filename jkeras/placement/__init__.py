"""Placement: where the values of a training live, and how its batches are split. The only room that knows devices."""

from jkeras.placement.layout import Layout
from jkeras.placement.pins import Pins
from jkeras.placement.placement import Placement
from jkeras.placement.specs import Spec, SpecLike
from jkeras.placement.table import PlacedWeight

__all__ = ["Layout", "Pins", "PlacedWeight", "Placement", "Spec", "SpecLike"]
