"""Data sets as plain arrays."""
