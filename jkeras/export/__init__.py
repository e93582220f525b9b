"""Exporting: models and functions as programs that need neither the class nor jkeras, and the files that keep them."""

from jkeras.export.exported import Exported, load
from jkeras.export.exporting import export
from jkeras.export.formats import write_jax, write_model
from jkeras.export.onnx import write_onnx
from jkeras.export.saved_model import write_saved_model

__all__ = ["Exported", "export", "load", "write_jax", "write_model", "write_onnx", "write_saved_model"]
