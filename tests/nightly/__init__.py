"""Longer runs of what the suite tries briefly. Each is a command of its own; `docs/design.md` says when they ran."""
