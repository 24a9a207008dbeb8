"""Convex, invertible and invariant neural networks: the library behind the executable companion."""

__version__ = "0.1.0"
