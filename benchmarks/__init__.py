"""Measurements of jkeras against the same work written by hand: `python -m benchmarks NAME`."""
