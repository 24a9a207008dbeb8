"""The parts of the model over graphs: Nesterov et al. (2022), Sec. 5.3 and App. A.5, Eq. 5-7."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.level_sets import MinimumNotFound, minimum
from invex.nn.convex import ConvexNetwork, softplus
from invex.nn.molecules import (
    Bowl,
    Categorical,
    Dropout,
    draw_dropout_from,
    molecule_model,
    molecule_terms,
    most_likely,
    perceptron,
)
from invex.nn.vae import GenerativeModel, objective
from torch import Generator, nn
from torch.nn import functional

GROUPS = (5, 4, 2)
Z = torch.randn(6, 3, generator=Generator().manual_seed(0))


@pytest.fixture
def logits():
    return torch.randn(7, sum(GROUPS), generator=Generator().manual_seed(1), requires_grad=True)


@pytest.fixture
def choices():
    draw = Generator().manual_seed(2)
    return torch.stack([torch.randint(n, (7,), generator=draw) for n in GROUPS], 1)


def small(dropout=0.0):
    torch.manual_seed(0)
    return molecule_model(GROUPS, latent=3, hidden=(16, 16), widths=(8, 8), dropout=dropout)


def test_the_likelihood_is_a_sum_of_cross_entropies(logits, choices):
    observation = Categorical(GROUPS)
    found = observation.loss(logits, observation.one_hot(choices), torch.zeros(()))
    parts = zip(logits.split(GROUPS, 1), choices.T, strict=True)
    expected = sum(functional.cross_entropy(part, right, reduction="none") for part, right in parts)
    torch.testing.assert_close(found, expected)


def test_one_hot_and_choices_undo_each_other(choices):
    observation = Categorical(GROUPS)
    hot = observation.one_hot(choices)
    assert hot.shape == (7, sum(GROUPS))
    assert (hot.sum(1) == len(GROUPS)).all()
    torch.testing.assert_close(observation.choices(20 * hot), choices)


def test_the_straight_through_graph_is_hard_and_its_gradient_soft(logits):
    observation = Categorical(GROUPS)
    weights = torch.randn(sum(GROUPS), generator=Generator().manual_seed(3))
    graph = observation.observed(logits)
    torch.testing.assert_close(graph, observation.one_hot(observation.choices(logits)))
    (graph * weights).sum().backward()
    soft = torch.cat([part.softmax(1) for part in logits.split(GROUPS, 1)], 1)
    (expected,) = torch.autograd.grad((soft * weights).sum(), logits)
    torch.testing.assert_close(logits.grad, expected)


def test_a_group_without_a_choice_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Categorical((3, 0))


class Slope(nn.Module):
    """log(1 + e^z1): convex, positive, and nowhere at its infimum."""

    def forward(self, z):
        return softplus(z[:, 0]) + softplus(2 * z[:, 0] + z[:, 1])


def test_a_bowl_gives_a_softplus_network_the_minimum_that_it_lacks():
    start = torch.zeros(2, dtype=torch.float64)
    with pytest.raises(MinimumNotFound):
        minimum(Bowl(Slope(), 0.0), start)
    assert minimum(Bowl(Slope(), 0.05), start).gradient_norm < 1e-6


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 1.0), st.floats(0.05, 0.95))
def test_a_bowl_is_strongly_convex(curvature, share):
    """f(sa + (1 - s)b) <= s f(a) + (1 - s) f(b) - c s (1 - s) |a - b|^2."""
    torch.manual_seed(0)
    head = Bowl(ConvexNetwork(3, (16, 16)), curvature).double()
    a, b = Z[:3].double(), Z[3:].double()
    chord = share * head(a) + (1 - share) * head(b)
    dip = curvature * share * (1 - share) * (a - b).square().sum(1)
    assert (head(share * a + (1 - share) * b) <= chord - dip + 1e-9).all()


def test_a_negative_curvature_is_refused():
    with pytest.raises(ValueError, match="concave"):
        Bowl(nn.Identity(), -0.1)


def test_dropout_draws_from_its_generator_and_keeps_the_mean():
    layer = Dropout(0.3)
    x = torch.ones(20_000)
    assert torch.equal(layer.eval()(x), x)
    layer.train()
    layer.generator = Generator().manual_seed(5)
    first = layer(x)
    layer.generator = Generator().manual_seed(5)
    assert torch.equal(layer(x), first)
    assert abs(first.mean().item() - 1) < 0.02
    assert abs((first == 0).double().mean().item() - 0.3) < 0.02


def test_a_perceptron_ends_in_a_linear_layer_with_or_without_dropout():
    assert isinstance(perceptron([4, 3, 2])[-1], nn.Linear)
    assert isinstance(perceptron([4, 3, 2], 0.1)[-1], nn.Linear)
    assert sum(isinstance(m, Dropout) for m in perceptron([4, 3, 3, 2], 0.1)) == 2


def test_the_terms_are_those_of_the_general_model_where_it_is_shown_the_canonical_graph(choices):
    model = small()
    graphs, y = model.observation.one_hot(choices), torch.linspace(-1, 1, 7)
    y[2] = float("nan")
    ours = molecule_terms(model, graphs, graphs, y, 7, Generator().manual_seed(4))
    noise = torch.randn(7, 3, generator=Generator().manual_seed(4))
    general = model.terms(graphs, y, cycle=False, noise=noise)
    for name in ("input", "property", "divergence"):
        torch.testing.assert_close(getattr(ours, name), getattr(general, name))
    assert ours.cycle > 0


def test_what_is_shown_decides_the_code_and_what_is_decoded_the_loss(choices):
    model = small()
    graphs = model.observation.one_hot(choices)
    other = model.observation.one_hot(choices.flip(0))
    y = torch.zeros(7)
    same = molecule_terms(model, graphs, graphs, y, 1, Generator().manual_seed(4))
    shown = molecule_terms(model, other, graphs, y, 1, Generator().manual_seed(4))
    assert not torch.allclose(same.input, shown.input)


def test_every_parameter_has_a_gradient(choices):
    model = small(0.1)
    draw = Generator().manual_seed(0)
    draw_dropout_from(model, draw)
    graphs = model.observation.one_hot(choices)
    terms = molecule_terms(model, graphs, graphs, torch.zeros(7), 3, draw)
    objective(terms, 0.1, 0.01).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_most_likely_asks_for_choices():
    assert most_likely(small(), Z).shape == (6, 3)
    gaussian = GenerativeModel(nn.Identity(), nn.Identity(), Slope())
    with pytest.raises(TypeError, match="Categorical observation, not Gaussian"):
        most_likely(gaussian, Z)
