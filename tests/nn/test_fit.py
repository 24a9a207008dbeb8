"""The training loop: what it computes, how it is interrupted and continued, what it says of a failure."""

import math

import pytest
import torch
from invex.nn import fit
from torch import nn


class Kept:
    """A keeper in memory that ends the run at one of its saves."""

    def __init__(self):
        self.state = None

    def load(self):
        return self.state

    def save(self, state, *, now=False):
        self.state = state() if now else self.state


class Ended(Exception):  # noqa: N818 - no error of the run
    pass


def problem(seed=0):
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))
    x = torch.randn(50, 3)
    return module, (x, x.square().sum(1))


def noisy(module):
    def loss(batch, moment):
        x, y = batch
        noise = torch.randn(len(x), generator=moment.generator)
        return {"loss": (module(x)[:, 0] - y + 0.1 * noise).square().mean(), "share": moment.share.clone()}

    return loss


def trained(keeper=None, progress=lambda text: None, epochs=4):
    module, data = problem()
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    fitted = fit.fit(
        module, noisy(module), data, optimiser, epochs=epochs, batch=8, seed=3,
        schedule=fit.cosine(0.1), clip=1.0, progress=progress, keeper=keeper,
    )  # fmt: skip
    return module, fitted


def test_against_a_loop_written_out():
    module, data = problem()
    generator = torch.Generator().manual_seed(3)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    curve = []
    for epoch in range(4):
        order, total = torch.randperm(50, generator=generator), 0.0
        for k in range(7):
            optimiser.param_groups[0]["lr"] = 0.01 * fit.cosine(0.1)((7 * epoch + k) / 28)
            x, y = (tensor[order[8 * k : 8 * k + 8]] for tensor in data)
            noise = torch.randn(len(x), generator=generator)
            loss = (module(x)[:, 0] - y + 0.1 * noise).square().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            total += loss.item()
        curve.append(total / 7)
    other, fitted = trained()
    assert fitted.curve["loss"] == pytest.approx(curve, rel=1e-6)
    assert fitted.curve["share"] == pytest.approx([(7 * epoch + 3) / 28 for epoch in range(4)])
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("word", [1, 2, 3])
def test_an_interrupted_run_continues_to_the_same_numbers(word, monkeypatch):
    monkeypatch.setattr(fit, "TOLD_EVERY", 3)
    whole, expected = trained()
    keeper, told = Kept(), []

    def ending(text):
        told.append(text)
        if len(told) % (word + 1) == 0:
            raise Ended

    for _ in range(20):
        try:
            module, fitted = trained(keeper, ending)
            break
        except Ended:
            continue
    assert fitted.stretches > 2
    assert fitted.curve == expected.curve
    pairs = zip(module.state_dict().values(), whole.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_lost_state_would_be_noticed(monkeypatch):
    """Negative control: the same interruption with a keeper that forgets the optimiser differs."""
    monkeypatch.setattr(fit, "TOLD_EVERY", 3)
    keeper, told = Kept(), []

    def ending(text):
        told.append(text)
        if len(told) == 2:
            raise Ended

    with pytest.raises(Ended):
        trained(keeper, ending)
    keeper.state = {name: t for name, t in keeper.state.items() if not name.startswith("optimiser.")}
    assert trained(keeper)[1].curve != trained()[1].curve


def test_a_loss_that_is_not_finite_is_named_with_its_update():
    module, data = problem()

    def loss(batch, moment):
        value = module(batch[0]).square().mean()
        return value * math.nan if moment.step == 9 else value

    optimiser = torch.optim.SGD(module.parameters(), lr=0.01)
    fitted = fit.fit(module, loss, data, optimiser, epochs=4, batch=8)
    assert fitted.failed == 9
    assert len(fitted.curve["loss"]) == 2


def test_after_step_and_after_epoch_are_called():
    module, data = problem()
    calls, optimiser = [], torch.optim.SGD(module.parameters(), lr=0.01)
    fitted = fit.fit(
        module, lambda batch, moment: module(batch[0]).square().mean(), data, optimiser, epochs=2, batch=25,
        after_step=lambda: calls.append("step"), after_epoch=lambda epoch: {"epoch": epoch},
    )  # fmt: skip
    assert calls == ["step"] * 4
    assert fitted.curve["epoch"] == [0.0, 1.0]


def test_a_number_of_examples_gives_their_numbers():
    module, seen = nn.Linear(1, 1), []

    def loss(batch, moment):
        seen.extend(batch[0].tolist())
        return module.weight.square().sum()

    fit.fit(module, loss, 10, torch.optim.SGD(module.parameters(), lr=0.1), epochs=1, batch=4)
    assert sorted(seen) == list(range(10))


@pytest.mark.parametrize("data", [(), (torch.ones(0, 2),), (torch.ones(3), torch.ones(4))])
def test_data_that_do_not_fit_together_are_refused(data):
    module = nn.Linear(1, 1)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="one row an example"):
        fit.fit(module, lambda batch, moment: batch[0].sum(), data, optimiser, epochs=1, batch=2)


def test_schedules():
    assert fit.cosine(0.1)(0.0) == pytest.approx(1.0)
    assert fit.cosine(0.1)(1.0) == pytest.approx(0.1)
    assert fit.geometric(0.01)(0.5) == pytest.approx(0.1)
    assert fit.one_cycle(0.3)(0.3) == pytest.approx(1.0)
    assert fit.one_cycle(0.3, start=0.04)(0.0) == pytest.approx(0.04)
    assert fit.steps({0.3: 0.2, 0.6: 0.2})(0.7) == pytest.approx(0.04)
    assert fit.constant(0.5) == 1.0
