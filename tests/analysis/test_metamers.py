"""Definition 6.8 of Behrmann (2019), and the two views of Figure 6.2."""

import pytest
import torch
from invex.analysis.metamers import metamers, neighbours, pixels, references
from invex.analysis.two_views import Linear, arc, fitted, reachable, same_logit, two_views
from invex.nn.bijective_classifier import BijectiveClassifier, additive_network
from torch import nn


def model() -> BijectiveClassifier:
    torch.manual_seed(0)
    found = BijectiveClassifier(additive_network((1, 4, 4), 3, (8,)), 3)
    for parameter in found.parameters():
        nn.init.normal_(parameter, std=0.3)
    found(torch.randn(20, 1, 4, 4))
    return found.double().eval()


def test_definition_6_8_logits_of_one_and_nuisances_of_the_other() -> None:
    network = model()
    x, other = torch.randn(2, 6, 1, 4, 4, dtype=torch.float64)
    found = metamers(network, x, other)
    semantic, nuisance = network.split(found.images)
    assert float(found.error.max()) < 1e-10
    torch.testing.assert_close(semantic, network(x))
    torch.testing.assert_close(nuisance, network.split(other)[1])
    assert float((found.images - x).abs().max()) > 0.1


def test_no_way_gives_the_image_back_and_own_nuisances_are_no_metamer() -> None:
    network = model()
    x, other = torch.randn(2, 6, 1, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(metamers(network, x, other, share=0.0).images, x)
    torch.testing.assert_close(metamers(network, x, x).images, x)


def test_pixels_change_the_logits_that_metamers_share() -> None:
    network = model()
    x, other = torch.rand(2, 6, 1, 4, 4, dtype=torch.float64)
    found = metamers(network, x, other)
    shown = pixels(found.images, 0.0, 1.0).double() / 255
    assert float((network(shown) - found.logits).detach().abs().max()) > 1e-4


def test_references_are_of_another_class() -> None:
    labels = torch.arange(30) % 4
    found = references(labels, torch.Generator().manual_seed(0))
    assert (labels[found] != labels).all()
    with pytest.raises(ValueError, match="one class"):
        references(torch.zeros(4, dtype=torch.int64), torch.Generator())


def test_neighbours_vote_and_measure() -> None:
    bank = torch.tensor([[0.0, 0], [0, 1], [10, 0], [10, 1]])
    found = neighbours(torch.tensor([[0.0, 0.1], [9, 0]]), bank, torch.tensor([3, 3, 5, 5]), k=2)
    assert found.vote.tolist() == [3, 5]
    torch.testing.assert_close(found.distance, torch.tensor([0.1, 1.0]))


def test_shapes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match="one for each"):
        metamers(model(), torch.zeros(2, 1, 4, 4).double(), torch.zeros(3, 1, 4, 4).double())


def test_equations_6_1_and_6_2_two_views_of_one_point() -> None:
    classifier, _, _ = fitted(200)
    found = two_views(classifier)
    assert classifier.logit(found.adversarial) > 0 > classifier.logit(found.perturbed)  # both of class 0
    torch.testing.assert_close(classifier.logit(found.invariant), classifier.logit(found.adversarial))
    centre = torch.tensor([1.0, 0.5], dtype=torch.float64)
    assert float((found.invariant - centre).norm()) == pytest.approx(1)  # of class 1


def test_a_logit_beyond_the_other_class_has_no_partner() -> None:
    upright = Linear(torch.tensor([0.0, 1.0], dtype=torch.float64), 0.0)
    assert same_logit(upright, torch.tensor([0.0, 0.9], dtype=torch.float64)) is None
    assert same_logit(upright, torch.tensor([0.0, 0.2], dtype=torch.float64)) is not None
    assert reachable(upright, 20)[0] < 1


def test_a_classifier_without_mistakes_is_named() -> None:
    never = Linear(torch.tensor([0.0, 0.0], dtype=torch.float64), -1.0)
    with pytest.raises(ValueError, match="no adversarial example"):
        two_views(never)
    assert arc(0, torch.zeros(1)).tolist() == [[1.0, 0.0]]
