"""Recorded experiments: one module each, a frozen configuration in, rows out."""
