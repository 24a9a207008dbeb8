"""Singular values of the true linearisation (Behrmann, 2019, Sec. 3.4): against autograd and a plain SVD."""

import pytest
import torch
from invex.analysis.singular_values import (
    Spectrum,
    linearisations,
    median_values,
    singular_values,
    spectra,
)
from invex.nn.rectifier import convolutional
from torch import Generator, Tensor, nn


def network(*, seed: int = 0) -> nn.Sequential:
    made = convolutional(
        (6, 5, 4, 3, 3, 2), shape=(2, 8, 8), classes=4, dense=9, generator=Generator().manual_seed(seed)
    ).double()
    for layer in made:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.bias, std=0.1, generator=Generator().manual_seed(seed + 1))
    return made


def point(seed: int = 3) -> Tensor:
    return torch.rand(2, 8, 8, dtype=torch.float64, generator=Generator().manual_seed(seed))


def test_linearisation_is_autograds_jacobian() -> None:
    made, x = network(), point()
    for number, (_, tangent) in enumerate(linearisations(made, x)):
        part = made[: number + 1]
        expected = torch.autograd.functional.jacobian(lambda x, part=part: part(x[None])[0], x)
        torch.testing.assert_close(tangent, expected.flatten(-3).movedim(-1, 0))


def test_linearisation_is_exact_within_the_polytope() -> None:
    made, x = network(), point()
    *_, (_, tangent) = linearisations(made, x)
    step = 1e-6 * torch.randn(2, 8, 8, dtype=torch.float64, generator=Generator().manual_seed(5))
    change = made((x + step)[None]) - made(x[None])
    torch.testing.assert_close(change[0], step.flatten() @ tangent, rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_spectra_are_those_of_a_plain_svd_of_autograds_jacobian(seed: int) -> None:
    made, x = network(seed=seed), point(seed)
    (found,) = spectra(made, x[None])
    ends = [n for n, layer in enumerate(made) if not isinstance(layer, nn.Flatten)]
    assert len(found) == len(ends) == 15
    for end, spectrum in zip(ends, found, strict=True):
        part = made[: end + 1]
        matrix = torch.autograd.functional.jacobian(lambda x, part=part: part(x[None])[0], x).reshape(-1, 128)
        expected = torch.linalg.svdvals(matrix)
        assert spectrum.outputs == len(matrix)
        torch.testing.assert_close(spectrum.values, expected, rtol=1e-3, atol=1e-12 * expected[0].item())
        assert spectrum.rank() == torch.linalg.matrix_rank(matrix).item()


def test_first_matrix_is_taken_over_and_right_at_every_point() -> None:
    made, points = network(), torch.stack([point(1), point(2)])
    both = list(spectra(made, points))
    (alone,) = spectra(made, points[1:])
    for one, other in zip(both[1], alone, strict=True):
        torch.testing.assert_close(one.values, other.values)


def test_small_singular_values_are_not_lost_to_the_gram_matrix() -> None:
    left, right = (torch.linalg.qr(torch.randn(n, 6, dtype=torch.float64))[0] for n in (9, 6))
    values = torch.tensor([1.0, 0.1, 1e-4, 1e-7, 1e-9, 1e-10], dtype=torch.float64)
    torch.testing.assert_close(singular_values(left * values @ right.mT), values, rtol=1e-4, atol=0)
    assert singular_values(torch.zeros(0, 3, dtype=torch.float64)).numel() == 0


def test_rank_and_condition_depend_on_where_a_value_counts_as_zero() -> None:
    spectrum = Spectrum(1, True, 4, torch.tensor([2.0, 1.0, 1e-5, 0.0], dtype=torch.float64))
    assert (spectrum.rank(), spectrum.rank(1e-3), spectrum.rank(0.7)) == (3, 2, 1)
    assert spectrum.condition(1e-3) == 2.0
    nothing = Spectrum(1, True, 2, torch.zeros(2))
    assert (nothing.rank(), nothing.condition()) == (0, 0.0)


def test_point_on_a_kink_is_named_or_taken_as_off() -> None:
    made = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU())
    x = torch.zeros(2)
    with pytest.raises(ValueError, match="3 units before layer 1"):
        list(linearisations(made, x))
    *_, (_, tangent) = linearisations(made, x, at_kinks="zero")
    assert not tangent.any()


@pytest.mark.parametrize("layer", [nn.MaxPool2d(2), nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect")])
def test_other_layers_are_named(layer: nn.Module) -> None:
    with pytest.raises(TypeError, match=type(layer).__name__):
        list(linearisations(nn.Sequential(layer.double()), point()))


def test_median_is_taken_rank_by_rank() -> None:
    values = [torch.tensor([3.0, 0.0]), torch.tensor([5.0, 1.0]), torch.tensor([4.0, 2.0])]
    assert median_values(values).tolist() == [4.0, 1.0]
