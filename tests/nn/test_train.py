"""The trainer against the published recipe, alone and in company, with and without a diverging network."""

import copy
from dataclasses import replace
from itertools import count

import pytest
import torch
from invex.nn import precision
from invex.nn import stack as stack_module
from invex.nn import train as train_module
from invex.nn.classifier import METHODS, Classifier, classifier
from invex.nn.precision import flushed_denormals
from invex.nn.stack import Stack
from invex.nn.train import (
    ORDER,
    Adam,
    Examples,
    Settings,
    _epoch,
    cross_entropy,
    evaluate,
    networks_at_once,
    step,
    train,
)
from torch import Generator, Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

WIDTH, CLASSES = 24, 6
SIZES = (WIDTH, WIDTH, WIDTH, WIDTH, CLASSES)
SETTINGS = Settings(epochs=3, batch=32, precision="float32")


def examples(count: int = 400, dtype: torch.dtype = torch.float32) -> Examples:
    """Pixels 0-255 of noisy class prototypes."""
    generator = Generator().manual_seed(0)
    targets = torch.randint(0, CLASSES, (count,), generator=generator)
    centres = torch.randint(60, 190, (CLASSES, WIDTH), generator=generator)
    noise = torch.randint(-60, 60, (count, WIDTH), generator=generator)
    inputs = (centres[targets] + noise).to(torch.uint8)
    return Examples(
        inputs, targets, torch.full((WIDTH,), 1 / 64, dtype=dtype), torch.full((WIDTH,), -2.0).to(dtype)
    )


def network(method: str, seed: int = 0, **settings: str) -> Classifier:
    return classifier(SIZES, method, generator=Generator().manual_seed(seed), **settings)


class Published(nn.Module):
    """The recipe as published: weights clamped in every forward pass."""

    def __init__(self, start: Classifier) -> None:
        super().__init__()
        self.layers, self.skips = copy.deepcopy(start.layers), copy.deepcopy(start.skips)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.layers[0](x)
        for i, layer in enumerate(self.layers[1:]):
            layer.weight.data.clamp_(min=0)
            hidden = layer(hidden.relu())
            if self.skips:
                hidden = hidden + self.skips[i](x)
        return hidden


@pytest.mark.parametrize("method", METHODS[1:])
def test_200_steps_equal_the_published_recipe(method: str) -> None:
    """In float64: in float32 the rounding by which torch's own two Adams differ grows to a tenth of it."""
    start, data = network(method).double(), examples(dtype=torch.float64)
    peer, stack = Published(start), Stack([start])
    theirs, ours = torch.optim.Adam(peer.parameters(), lr=1e-3), Adam(stack)
    worst, generator = 0.0, Generator().manual_seed(1)
    for _ in range(200):
        x, y = data.batch(torch.randint(0, len(data), (1, 32), generator=generator), torch.float64)
        with torch.no_grad():
            loss = step(stack, ours, x, y).item()
        theirs.zero_grad()
        peer_loss = nn.functional.cross_entropy(peer(x[0]), y[0], reduction="sum")
        peer_loss.backward()
        theirs.step()
        worst = max(worst, abs(loss - peer_loss.item() / 32) / max(1, loss))
    assert worst < 1e-7
    assert loss < 1.7  # of ln 6 = 1.79 by chance


def test_rate_and_weight_decay_are_adams_and_every_epoch_is_told() -> None:
    """Batches of all examples, whose order plays no part."""
    start, data, said = network("non-convex").double(), examples(dtype=torch.float64), []
    peer = copy.deepcopy(start)
    settings = Settings(epochs=3, batch=400, rate=3e-3, weight_decay=10.0, validation=0.0)
    run = train([start], [0], data, settings, said.append)[0]
    optimiser = torch.optim.Adam(peer.parameters(), lr=3e-3, weight_decay=10.0)
    for _ in range(3):
        optimiser.zero_grad()
        x, y = data.batch(torch.arange(400)[None], torch.float64)
        nn.functional.cross_entropy(peer(x[0]), y[0], reduction="sum").backward()
        optimiser.step()
    for ours, theirs in zip(run.network.parameters(), peer.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
    assert [text.partition(",")[0] for text in said] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


def test_weights_are_not_negative_after_any_step() -> None:
    stack = Stack([network(method) for method in METHODS])
    optimiser, data = Adam(stack), examples()
    for i in range(30):
        with torch.no_grad():
            step(stack, optimiser, *data.batch(torch.arange(i, i + 32).expand(4, -1), torch.float32))
        for weight, *_ in stack.groups[1:]:
            assert (weight[:3] >= 0).all()
    assert (stack.groups[1][0][3] < 0).any()


def test_without_projection_weights_go_negative_and_convexity_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Stack, "settle", lambda self, layer: None)
    trained = train([network("ICNN + init")], [0], examples(), SETTINGS)[0].network.double()
    assert any((layer.weight < 0).any() for layer in trained.layers[1:])
    a, b = torch.randn(2, 2000, WIDTH, generator=Generator().manual_seed(2), dtype=torch.float64)
    with torch.no_grad():
        excess = trained((a + b) / 2) - (trained(a) + trained(b)) / 2
    assert excess.max() > 1e-3


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("positivity", ["projection", "exponential"])
def test_a_network_in_a_stack_equals_its_single_run(
    monkeypatch: pytest.MonkeyPatch, positivity: str, batched: bool
) -> None:
    if batched:  # the products of a GPU
        monkeypatch.setattr(stack_module, "_batched", lambda x: len(x) > 1)
    cases = [(method, seed) for seed in (0, 1) for method in METHODS]
    together = [network(*case, positivity=positivity) for case in cases]
    runs = train(together, [seed for _, seed in cases], examples(), SETTINGS)
    for (method, seed), run in zip(cases, runs, strict=True):
        alone = train([network(method, seed, positivity=positivity)], [seed], examples(), SETTINGS)[0]
        torch.testing.assert_close(run.losses, alone.losses, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(run.validation, alone.validation, rtol=1e-4, atol=1e-4)


def test_a_diverging_network_fails_alone_with_its_step() -> None:
    good, bad, other = network("ICNN + skip", 0), network("ICNN", 1), network("non-convex", 2)
    with torch.no_grad():
        bad.layers[-1].bias[0] = float("inf")
    runs = train([good, bad, other], [0, 1, 2], examples(), SETTINGS)
    assert [run.failed for run in runs] == [None, 0, None]
    for run, start in ((runs[0], network("ICNN + skip", 0)), (runs[2], network("non-convex", 2))):
        seed = 0 if run is runs[0] else 2
        torch.testing.assert_close(run.losses, train([start], [seed], examples(), SETTINGS)[0].losses)
    assert len(runs[1].losses) < len(runs[0].losses)


@pytest.mark.parametrize(("place", "failed", "epochs"), [(14, 15, 1), (23, 24, 1), (35, 36, 2)])
def test_a_network_is_frozen_as_it_was_before_the_epoch_in_which_it_fails(
    monkeypatch: pytest.MonkeyPatch, place: int, failed: int, epochs: int
) -> None:
    """An update, of twelve an epoch, makes its weights infinite; with 23 and 35 the last one of an epoch."""
    before = train([network("ICNN")], [1], examples(), replace(SETTINGS, epochs=epochs))[0].network
    after, steps = train([network("non-convex")], [2], examples(), SETTINGS)[0], count()

    def breaking(stack: Stack, *rest: Tensor | Adam) -> Tensor:
        loss = step(stack, *rest)
        if next(steps) == place:
            stack.groups[0][0][0] = torch.inf
        return loss

    monkeypatch.setattr(train_module, "step", breaking)
    bad, good = train([network("ICNN"), network("non-convex")], [1, 2], examples(), SETTINGS)
    assert (bad.failed, good.failed) == (failed, None)
    assert torch.equal(good.losses, after.losses)
    assert all(map(torch.equal, bad.network.parameters(), before.parameters()))


def test_the_step_of_a_failure_is_that_of_its_first_bad_batch() -> None:
    """One example is infinite: training fails in the batch that the seed's order puts it into."""
    data, seed = examples(), 3
    order = Generator().manual_seed(ORDER + seed)
    fitted = torch.randperm(400, generator=order)[40:]
    place = 200
    inputs = data.inputs.float()
    inputs[fitted[torch.randperm(360, generator=order)[place]], 0] = torch.inf
    bad = Examples(inputs, data.targets, data.scale, data.shift)
    run = train([network("non-convex")], [seed], bad, SETTINGS)[0]
    assert run.failed == place // 32 == 6
    assert run.losses[:6].isfinite().all()


def test_no_step_waits_for_the_device() -> None:
    """Reading a number of a tensor is what makes the host wait."""

    class Reads(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.count += func is torch.ops.aten._local_scalar_dense.default
            return func(*args, **(kwargs or {}))

    stack, data = Stack([network(method) for method in METHODS]), examples()
    optimiser, order = Adam(stack), torch.arange(320).expand(4, -1)
    with torch.no_grad(), Reads() as reads:
        losses = _epoch(stack, optimiser, data, order, 32)
    assert reads.count == 0
    with Reads() as reads:
        losses[-1, 0].item()
    assert reads.count == 1


def test_when_all_diverge_training_ends() -> None:
    bad = network("ICNN")
    with torch.no_grad():
        bad.layers[0].weight[0, 0] = float("nan")
    run = train([bad], [0], examples(), SETTINGS)[0]
    assert (run.failed, len(run.losses)) == (0, 12)


def test_seeds_decide_split_and_order_and_nothing_else_does() -> None:
    runs = train([network("ICNN", 5) for _ in range(3)], [1, 1, 2], examples(), SETTINGS)
    assert torch.equal(runs[0].losses, runs[1].losses)
    assert not torch.equal(runs[0].losses, runs[2].losses)
    for run in runs:
        both = torch.cat([run.fitted, run.held_out])
        assert len(run.held_out) == 40
        assert torch.equal(both.sort().values, torch.arange(400))


def test_without_held_out_examples_all_are_fitted() -> None:
    run = train([network("ICNN")], [0], examples(), Settings(epochs=1, validation=0.0))[0]
    assert (len(run.fitted), len(run.losses)) == (400, 7)
    assert run.failed is None
    assert run.validation.isnan().all()


def test_training_draws_nothing_from_the_global_generator() -> None:
    before = torch.random.get_rng_state().clone()
    train([network("ICNN")], [0], examples(), Settings(epochs=1))
    assert torch.equal(before, torch.random.get_rng_state())


def test_cross_entropy_is_the_sum_over_the_batch() -> None:
    logits = torch.randn(
        3, 5, 4, generator=Generator().manual_seed(0), dtype=torch.float64, requires_grad=True
    )
    targets = torch.tensor([0, 1, 2, 3, 0]).expand(3, -1)
    loss, delta = cross_entropy(logits, targets)
    expected = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    torch.testing.assert_close(loss, expected.view(3, 5).sum(1))
    torch.testing.assert_close(delta, torch.autograd.grad(expected.sum(), logits)[0])


def test_cross_entropy_of_bfloat16_logits_is_computed_in_float32() -> None:
    logits = torch.randn(2, 9, 4, generator=Generator().manual_seed(0)).bfloat16()
    targets = torch.arange(9).remainder(4).expand(2, -1)
    (loss, delta), (exact, _) = (cross_entropy(each, targets) for each in (logits, logits.double()))
    assert (loss.dtype, delta.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(loss.double(), exact, rtol=1e-6, atol=0)


def test_evaluate_equals_the_ordinary_module() -> None:
    net, data = network("ICNN + skip"), examples()
    loss, accuracy = evaluate(Stack([net]), data, torch.arange(400)[None], chunk=150)[0].tolist()
    logits = net((data.inputs.float() / 64) - 2).detach()
    assert loss == pytest.approx(nn.functional.cross_entropy(logits, data.targets).item(), rel=1e-5)
    assert accuracy == pytest.approx((logits.argmax(1) == data.targets).float().mean().item())


def test_bfloat16_products_train_as_well() -> None:
    runs = [
        train([network("non-convex")], [0], examples(), Settings(epochs=8, batch=32, precision=p))[0]
        for p in ("float32", "bfloat16")
    ]
    assert [run.precision for run in runs] == [torch.float32, torch.bfloat16]
    assert not torch.equal(runs[0].losses, runs[1].losses)
    ends = [run.losses[-10:].mean() for run in runs]
    assert max(ends) < 0.5 * runs[0].losses[0]
    assert abs(ends[0] - ends[1]) < 0.1


def test_denormals_are_flushed_by_all_threads_inside_and_kept_outside() -> None:
    tiny = torch.full((1 << 20,), 1e-40)  # large enough to be shared among torch's threads

    def survives() -> Tensor:
        return (tiny * 1.5).view(torch.int32) != 0

    assert bool(survives().all())  # and torch's workers are there already
    with flushed_denormals():
        assert not bool(survives().any())
        with flushed_denormals():
            pass
        assert not bool(survives().any())
    assert bool(survives().all())


@pytest.mark.parametrize(("seconds", "faster"), [(0.79, torch.bfloat16), (0.81, torch.float32)])
def test_bfloat16_must_save_a_fifth_in_the_best_of_its_turns(
    monkeypatch: pytest.MonkeyPatch, seconds: float, faster: torch.dtype
) -> None:
    now, slow = 0.0, iter([9.0, *[5.0] * 6, seconds, 9.0])
    monkeypatch.setattr(precision.time, "perf_counter", lambda: now)

    def pass_by(time: float) -> None:
        nonlocal now
        now += time

    assert precision.faster_precision(lambda: pass_by(1.0), lambda: pass_by(next(slow)), "cpu") == faster


def test_auto_precision_measures_steps_and_leaves_the_networks_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nets, data = [network("ICNN", seed) for seed in range(5)], examples(50)
    before = copy.deepcopy([net.state_dict() for net in nets])
    run = train(nets, range(5), data, Settings(epochs=0))[0]
    assert run.precision in (torch.float32, torch.bfloat16)
    assert all(torch.equal(a[k], b.state_dict()[k]) for a, b in zip(before, nets, strict=True) for k in a)
    monkeypatch.setattr(precision, "_seconds", lambda call, device: call() or 1.0)
    assert train(nets, range(5), data, Settings(epochs=0))[0].precision == torch.float32


def test_on_a_cpu_a_stack_has_room_for_small_networks_or_one_wide_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert networks_at_once(Classifier((784,) * 6 + (10,)), "cpu") == 1
    assert networks_at_once(network("ICNN"), "cpu") > 10
    cases, sizes = [(method, seed) for seed in (0, 1) for method in METHODS], []
    whole = train([network(*case) for case in cases], [seed for _, seed in cases], examples(), SETTINGS)
    monkeypatch.setattr(train_module, "networks_at_once", lambda *_: 3)
    monkeypatch.setattr(train_module, "Adam", lambda stack, *rest: (sizes.append(len(stack)), Adam(stack))[1])
    parts = train([network(*case) for case in cases], [seed for _, seed in cases], examples(), SETTINGS)
    assert sizes == [3, 3, 2]
    assert all(torch.equal(a.losses, b.losses) for a, b in zip(whole, parts, strict=True))


def test_evaluate_computes_in_the_type_of_the_parameters() -> None:
    net, data = network("ICNN + skip").double(), examples(dtype=torch.float64)
    loss = evaluate(Stack([net]), data, torch.arange(400)[None], chunk=150)[0, 0]
    logits = net((data.inputs.double() / 64) - 2).detach()
    assert loss.item() == pytest.approx(nn.functional.cross_entropy(logits, data.targets).item(), rel=1e-13)
