"""Experiments of plain Python for the tests of lab: deterministic, fast, and able to go wrong on request."""
