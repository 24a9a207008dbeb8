"""Many models as one: the same values and the same training as one after another."""

import torch
from invex.nn.bijections import autoregressive_flow
from invex.nn.together import Together


def flows(n=3):
    torch.manual_seed(0)
    return [autoregressive_flow(2, 2, (8,)) for _ in range(n)]


def test_values_are_those_of_each_module_on_its_own_rows():
    own, x = flows(), torch.randn(3, 5, 2)
    together = Together(own)(x)
    for module, rows, found in zip(own, x, together, strict=True):
        torch.testing.assert_close(found, module(rows))


def test_training_together_is_training_each():
    own, x = flows(), torch.randn(3, 5, 2)
    many = Together(own)
    optimiser = torch.optim.Adam(many.parameters(), lr=1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        many(x).square().mean((1, 2)).sum().backward()
        optimiser.step()
    for i, module in enumerate(own):
        alone = torch.optim.Adam(module.parameters(), lr=1e-2)
        for _ in range(3):
            alone.zero_grad()
            module(x[i]).square().mean().backward()
            alone.step()
        torch.testing.assert_close(many(x)[i], module(x[i]), rtol=1e-4, atol=1e-5)


def test_the_modules_themselves_stay_as_they_were():
    own = flows()
    before = [p.clone() for p in own[0].parameters()]
    many = Together(own)
    with torch.no_grad():
        for parameter in many.parameters():
            parameter.add_(1)
    assert all(torch.equal(p, q) for p, q in zip(before, own[0].parameters(), strict=True))
    assert sum(p.numel() for p in many.parameters()) == 3 * sum(p.numel() for p in own[0].parameters())
