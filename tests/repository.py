"""What tests know about the repository as a whole."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Packages that jkeras uses where a caller asks for them, and never at import; pictures, readers, other frameworks.
OPTIONAL = frozenset(
    {
        "equinox",
        "flax",
        "grain",
        "graphviz",
        "keras",
        "matplotlib",
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
