"""The two-dimensional functions of Nesterov et al. (2022), Sec. 5.1."""

import math

import torch
from invex.data import synthetic
from scipy import optimize


def minimiser(function, start=(0.3, -0.2)):
    """The minimum of y^4, which is smooth where y is not."""
    found = optimize.minimize(
        lambda x: float(function(torch.tensor(x)) ** 4), start, method="Nelder-Mead", options={"xatol": 1e-9}
    )
    return found.x


def test_equation_8_as_computed_has_its_minimum_where_the_text_states_it():
    torch.testing.assert_close(torch.tensor(minimiser(synthetic.rosenbrock)), torch.full((2,), 0.1).double())
    assert synthetic.rosenbrock(torch.tensor([0.1, 0.1], dtype=torch.float64)) < 1e-7


def test_equation_8_as_printed_does_not():
    expected = torch.tensor([0.1, 0.01], dtype=torch.float64)
    torch.testing.assert_close(torch.tensor(minimiser(synthetic.rosenbrock_as_printed)), expected)
    at_stated = synthetic.rosenbrock_as_printed(torch.tensor([0.1, 0.1], dtype=torch.float64))
    assert math.isclose(at_stated, 3, rel_tol=1e-6)  # (100 x 0.9^2)^(1/4)


def test_rosenbrock_is_the_classical_function_at_ten_x():
    x = torch.randn(100, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = [optimize.rosen(10 * row) ** 0.25 for row in x.numpy()]
    torch.testing.assert_close(synthetic.rosenbrock(x), torch.tensor(expected, dtype=torch.float64))


def test_rosenbrock_has_no_other_stationary_point_and_none_it_could_be_differentiated_at():
    x = synthetic.grid(41, 0.41, dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(synthetic.rosenbrock(x).sum(), x)
    assert gradient.norm(dim=1).min() > 0.1
    steps = torch.tensor([1e-4, 1e-6, 1e-8], dtype=torch.float64)
    near = torch.stack((0.1 + steps, torch.full_like(steps, 0.1)), dim=1)
    slope = synthetic.rosenbrock(near) / steps
    torch.testing.assert_close(slope[1:] / slope[:-1], torch.full((2,), 10.0).double(), rtol=0.02, atol=0)


def test_grid_has_1600_points_and_the_square_as_its_hull():
    x = synthetic.grid()
    assert x.shape == (1600, 2)
    assert x.min().item() == -x.max().item()
    assert math.isclose(x.max(), 0.4, rel_tol=1e-6)
    torch.testing.assert_close(x[1] - x[0], torch.tensor([0.0, 0.8 / 39]))


def test_mixture_is_minus_two_normal_densities_with_two_minima():
    x = synthetic.grid(7, dtype=torch.float64)
    covariance = 0.03 * torch.eye(2, dtype=torch.float64)
    normals = [
        torch.distributions.MultivariateNormal(torch.tensor([m, 0.0], dtype=torch.float64), covariance)
        for m in (-0.2, 0.2)
    ]
    expected = 1 - sum(normal.log_prob(x).exp() for normal in normals)
    torch.testing.assert_close(synthetic.gaussian_mixture(x, variance=0.03, offset=1.0), expected)
    left, right = (minimiser_of_mixture(start) for start in (-0.3, 0.3))
    assert left[0] < -0.15
    assert right[0] > 0.15


def minimiser_of_mixture(start):
    return optimize.minimize(lambda x: float(synthetic.gaussian_mixture(torch.tensor(x))), (start, 0.1)).x
