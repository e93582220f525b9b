"""Longer runs of what the suite tries briefly. Each is a command: `python -m tests.nightly.NAME`."""
