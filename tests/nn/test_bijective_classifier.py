"""Definitions 6.7 and 6.14 and Equation 6.13 of Behrmann (2019)."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.nn.bijective_classifier import (
    AdditiveCoupling,
    BijectiveClassifier,
    NuisanceLikelihood,
    Rotation,
    additive_network,
    independence_cross_entropy,
    nuisance_classifier,
    split_with_log_det,
    terms,
)
from invex.nn.coupling import dense_network
from torch import nn
from torch.nn import functional


def small(couplings: int = 3) -> BijectiveClassifier:
    torch.manual_seed(0)
    model = BijectiveClassifier(additive_network((1, 4, 4), couplings, (8,)), 3)
    for parameter in model.parameters():  # couplings start as the identity, which would test nothing
        nn.init.normal_(parameter, std=0.3)
    return model.double()


@settings(max_examples=10, deadline=None)
@given(couplings=st.integers(1, 4), seed=st.integers(0, 99))
def test_definition_6_7_merge_undoes_split(couplings: int, seed: int) -> None:
    model = small(couplings)
    model.eval()
    x = torch.randn(5, 1, 4, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    with torch.no_grad():
        semantic, nuisance = model.split(x)
        back = model.merge(semantic, nuisance)
    assert semantic.shape == (5, 3)
    assert nuisance.shape == (5, 13)
    torch.testing.assert_close(back, x, atol=1e-10, rtol=0)


def test_log_determinant_is_that_of_the_jacobian() -> None:
    model = small()
    x = torch.randn(4, 1, 4, 4, dtype=torch.float64)
    model(x)
    log_det = split_with_log_det(model, x)[2]
    jacobian = torch.autograd.functional.jacobian(lambda point: model.chain(point[None])[0], x[0])
    expected = torch.linalg.slogdet(jacobian.reshape(16, 16)).logabsdet
    torch.testing.assert_close(log_det[0], expected)


@pytest.mark.parametrize("flipped", [False, True])
def test_additive_coupling_keeps_what_it_looks_at(flipped: bool) -> None:
    coupling = AdditiveCoupling(nn.Linear(2, 2), 2, flipped=flipped)
    x = torch.randn(3, 4)
    y = coupling(x)
    kept, moved = (slice(2, 4), slice(0, 2)) if flipped else (slice(0, 2), slice(2, 4))
    assert torch.equal(y[:, kept], x[:, kept])
    assert not torch.equal(y[:, moved], x[:, moved])
    torch.testing.assert_close(coupling.inverse(y), x)


def test_rotation_keeps_distances_and_inverts() -> None:
    rotation, x = Rotation(6), torch.randn(4, 6)
    torch.testing.assert_close(rotation(x).norm(dim=1), x.norm(dim=1))
    torch.testing.assert_close(rotation.inverse(rotation(x)), x, atol=1e-5, rtol=1e-5)


def players(capped: bool, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor, nn.Module, torch.Tensor]:
    torch.manual_seed(1)
    nuisance = torch.randn(6, 4, requires_grad=True)
    labels = torch.arange(6) % 3
    classifier = dense_network(4, (5,), 3)
    for parameter in classifier.parameters():
        nn.init.normal_(parameter, std=scale)
    return nuisance, labels, classifier, torch.randn(6, 3)


def test_definition_6_14_encoder_climbs_and_adversary_descends() -> None:
    nuisance, labels, classifier, semantic = players(False)
    found = independence_cross_entropy(semantic, nuisance, labels, classifier, 0.5)
    found["loss"].backward()
    plain = nuisance.detach().clone().requires_grad_()
    expected = torch.autograd.grad(
        functional.cross_entropy(classifier(plain), labels), [plain, *classifier.parameters()]
    )
    torch.testing.assert_close(nuisance.grad, -0.5 * expected[0])
    for parameter, gradient in zip(classifier.parameters(), expected[1:], strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    value = functional.cross_entropy(semantic, labels) + found["nuisance"]
    torch.testing.assert_close(found["loss"], value)


def test_the_cap_stops_examples_that_the_adversary_gets_worse_than_a_guess() -> None:
    gradients = {}
    for capped in (False, True):
        nuisance, labels, classifier, semantic = players(capped, scale=2.0)
        independence_cross_entropy(semantic, nuisance, labels, classifier, capped=capped)["loss"].backward()
        each = functional.cross_entropy(classifier(nuisance.detach()), labels, reduction="none")
        gradients[capped] = nuisance.grad
    fooled = each > math.log(3)
    assert fooled.any()
    assert (~fooled).any()
    assert not gradients[True][fooled].any()
    assert gradients[False][fooled].any()  # as printed it is rewarded without end
    torch.testing.assert_close(gradients[True][~fooled], gradients[False][~fooled])


def test_equation_6_13_counts_the_determinant_once() -> None:
    part = NuisanceLikelihood(4)
    z, log_det = torch.randn(7, 4), torch.randn(7)
    expected = -(torch.distributions.Normal(0, 1).log_prob(z).sum(1) + log_det).mean() / 4
    torch.testing.assert_close(part(z, log_det), expected)


def test_terms_without_parts_are_cross_entropy() -> None:
    model = small()
    x, labels = torch.randn(6, 1, 4, 4, dtype=torch.float64), torch.arange(6) % 3
    found = terms(model, {}, x, labels)
    torch.testing.assert_close(found["loss"], functional.cross_entropy(model(x), labels))
    parts = {"nuisance": nuisance_classifier(13, 3).double(), "likelihood": NuisanceLikelihood(13).double()}
    more = terms(model, parts, x, labels, nuisance=1.0, likelihood=0.5)
    assert set(more) == {"loss", "semantic", "nuisance", "likelihood"}


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="even sides"):
        additive_network((1, 5, 4))
    with pytest.raises(ValueError, match="two classes"):
        BijectiveClassifier(nn.Identity(), 1)
    with pytest.raises(ValueError, match="more than 3 values"):
        BijectiveClassifier(nn.Identity(), 3)(torch.randn(2, 3))
