"""What tests know about the repository as a whole."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

# Packages that jkeras uses where a caller asks for them, and never at import; pictures, readers, other frameworks.
OPTIONAL = frozenset(
    {
        "equinox",
        "flax",
        "grain",
        "graphviz",
        "jax2onnx",
        "keras",
        "matplotlib",
        "onnx",
        "onnxruntime",
        "orbax",
        "pandas",
        "PIL",
        "pydot",
        "safetensors",
        "sklearn",
        "tensorboard",
        "tensorboardX",
        "tensorflow",
        "torch",
        "treescope",
    }
)


def tracked_files() -> list[Path]:
    """The files under version control; all of them, build products apart, where there is no version control."""
    if not (ROOT / ".git").exists():
        hidden = (".venv", "__pycache__", ".egg-info", "_cache")
        return [file for file in ROOT.rglob("*") if file.is_file() and not any(h in str(file) for h in hidden)]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page: its language, its text, the line on which the text begins."""

    page: Path
    language: str
    text: str
    line: int

    def run(self, namespace: dict[str, Any]) -> None:
        """Runs Python text. Padding puts it on its own lines of the page, so that a traceback points into the page."""
        exec(compile("\n" * (self.line - 1) + self.text, str(self.page), "exec"), namespace)


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page in some languages, in their order."""
    text = page.read_text()
    found = [Block(page, m[1], m[2], text.count("\n", 0, m.start(2)) + 1) for m in FENCE.finditer(text)]
    return [block for block in found if block.language in languages]


# Dependencies that are imported when something is drawn or written: a quarter of what `import jkeras` would take.
LATE = frozenset({"h5py", "rich"})
# Kernels of accelerators, as large; and what needs TensorFlow.
LATE_OF_JAX = ("jax.experimental.pallas", "jax.experimental.jax2tf")
