"""Signal propagation with weights that are not centred (Hoedt & Klambauer, 2023): the front door.

Read `recursion` first: the moments of pre-activations from layer to layer, in theory. `samples` measures them
in random networks, `convolution` has the same for convolutions, `stability` how deviations from the fixed
point grow; `studies` and `explorer` are the rows and the interactive of the book's chapter.
"""

from invex.analysis.signal.recursion import (
    Moments,
    activation_covariance,
    activation_mean,
    activation_moments,
    activation_variance,
    correlation_map,
    eigenvalues,
    full_map,
    jacobian,
    moments,
    propagate,
    published_map,
    stability_bound,
    trajectory,
)

__all__ = [
    "Moments",
    "activation_covariance",
    "activation_mean",
    "activation_moments",
    "activation_variance",
    "correlation_map",
    "eigenvalues",
    "full_map",
    "jacobian",
    "moments",
    "propagate",
    "published_map",
    "stability_bound",
    "trajectory",
]
