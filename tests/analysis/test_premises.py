"""Each premise holds, and is seen to fail where the library is made wrong as no page showed."""

from collections.abc import Callable

import pytest
import torch
from invex.analysis import premises
from invex.nn import stack, train, vae
from invex.nn.bijections import Chain, autoregressive_flow
from invex.nn.classifier import Classifier
from invex.nn.convex import ConvexNetwork
from invex.nn.train import Examples
from torch import Tensor


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    torch.manual_seed(0)


@pytest.fixture
def examples() -> Examples:
    x = torch.randn(200, 6, generator=seeded())
    return Examples(x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long(), torch.ones(6), torch.zeros(6))


@pytest.fixture
def classifier() -> Classifier:
    network = Classifier([6, 12, 3], convex=True)
    network.project_()
    return network


def clamped_too_low(tensor: Tensor, min: float | None = None, **more: float) -> Tensor:
    return tensor.data.copy_(tensor.detach().clamp(min=-1e-3 if min == 0 else min, **more))


def test_projected_weights_are_not_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    network = ConvexNetwork(2, [8, 8], positivity="projection")
    assert premises.least_projected_weight(network) == 0.0
    monkeypatch.setattr(Tensor, "clamp_", clamped_too_low)
    assert premises.least_projected_weight(network) == pytest.approx(-1e-3)


def test_other_positivities_are_refused() -> None:
    with pytest.raises(ValueError, match="by 'square', not by projection"):
        premises.least_projected_weight(ConvexNetwork(2, [4], positivity="square"))


def test_trained_weights_are_not_negative(
    classifier: Classifier, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert premises.least_trained_weight(classifier, examples) == 0.0
    monkeypatch.setattr(stack.Stack, "settle", settled(stack.Stack.settle))
    assert premises.least_trained_weight(classifier, examples) < 0


def settled(own: Callable[[stack.Stack, int], None]) -> Callable[[stack.Stack, int], None]:
    """`settle` with a clamp at -1e-3."""

    def settle(self: stack.Stack, layer: int) -> None:
        own(self, layer)
        weight = self.groups[layer][0]
        if layer:
            weight[self.convex] = torch.where(weight[self.convex] == 0, -1e-3, weight[self.convex])

    return settle


def test_reported_losses_are_means(
    classifier: Classifier, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert premises.reported_loss_error(classifier, examples) < 1e-5
    whole = train.evaluate
    monkeypatch.setattr(train, "evaluate", lambda s, e, index: whole(s, e, index) * index.shape[1])
    assert premises.reported_loss_error(classifier, examples) > 1


def test_log_determinants_are_those_of_the_jacobian(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = autoregressive_flow(2, 4, (16,)).double()
    x = torch.randn(10, 2, dtype=torch.float64, generator=seeded(1))
    assert premises.log_det_error(flow, x) < 1e-12

    def last_alone(self: Chain, x: Tensor) -> tuple[Tensor, Tensor]:
        for bijection in self:
            x, total = bijection.forward_and_log_det(x)
        return x, total

    monkeypatch.setattr(Chain, "forward_and_log_det", last_alone)
    assert premises.log_det_error(flow, x) > 1e-3


def test_terms_of_the_objective_are_means(monkeypatch: pytest.MonkeyPatch) -> None:
    flow, head = autoregressive_flow(2, 2, (8,)).double(), ConvexNetwork(2, [8]).double()
    model = vae.GenerativeModel.bijective(flow, head).double()
    x = torch.randn(20, 2, dtype=torch.float64, generator=seeded(1))
    assert premises.repeated_batch_error(model, x, x.square().sum(1)) < 1e-12

    def summed(y: Tensor, found: Tensor, log_sigma: Tensor) -> Tensor:
        return ((y - found) * torch.exp(-log_sigma)).square().sum()

    monkeypatch.setattr(vae, "_known_mean", summed)
    assert premises.repeated_batch_error(model, x, x.square().sum(1)) > 0.1
