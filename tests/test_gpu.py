"""The hot paths on a GPU give what they give on the CPU; skipped where torch sees no GPU."""

from collections.abc import Iterator

import pytest
import torch
from invex.analysis.level_sets import LevelSet, minimum, radius
from invex.nn.classifier import METHODS, Classifier, classifier
from invex.nn.convex import ConvexNetwork
from invex.nn.fit import Moment, cosine, fit
from invex.nn.stack import Stack
from invex.nn.train import Adam, Examples, Settings, networks_at_once, step, train
from torch import Generator, Tensor, nn

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch sees")

SIZES, CLASSES = (48, 48, 48, 48, 6), 6
SETTINGS = Settings(epochs=3, batch=32, precision="float32")
CASES = [(method, seed) for seed in (0, 1) for method in METHODS]


@pytest.fixture(autouse=True)
def _memory_is_given_back() -> Iterator[None]:
    yield
    torch.cuda.empty_cache()


def examples(device: str, dtype: torch.dtype = torch.float32) -> Examples:
    """Pixels 0-255 of noisy class prototypes."""
    generator = Generator().manual_seed(0)
    targets = torch.randint(0, CLASSES, (400,), generator=generator)
    centres = torch.randint(60, 190, (CLASSES, SIZES[0]), generator=generator)
    noise = torch.randint(-60, 60, (400, SIZES[0]), generator=generator)
    inputs = (centres[targets] + noise).to(torch.uint8)
    scale, shift = torch.full((SIZES[0],), 1 / 64, dtype=dtype), torch.full((SIZES[0],), -2.0).to(dtype)
    return Examples(*(t.to(device) for t in (inputs, targets, scale, shift)))


def network(method: str, seed: int = 0, **settings: str) -> Classifier:
    return classifier(SIZES, method, generator=Generator().manual_seed(seed), **settings)


@torch.no_grad()
def losses(device: str, positivity: str, steps: int = 60) -> Tensor:
    """Of a stack of all methods in float64, on the same batches whatever the device."""
    nets = [network(*case, positivity=positivity).double().to(device) for case in CASES]
    stack, data, generator = Stack(nets), examples(device, torch.float64), Generator().manual_seed(1)
    optimiser = Adam(stack)
    index = torch.randint(0, 400, (steps, len(nets), 32), generator=generator).to(device)
    return torch.stack([step(stack, optimiser, *data.batch(i, torch.float64)) for i in index]).cpu()


@pytest.mark.parametrize("positivity", ["projection", "exponential"])
def test_training_steps_equal_those_of_the_cpu(positivity: str) -> None:
    torch.testing.assert_close(losses("cuda", positivity), losses("cpu", positivity), rtol=1e-8, atol=1e-8)


def test_a_network_in_a_stack_equals_its_single_run() -> None:
    data = examples("cuda")
    runs = train([network(*c).cuda() for c in CASES], [seed for _, seed in CASES], data, SETTINGS)
    for (method, seed), run in zip(CASES, runs, strict=True):
        alone = train([network(method, seed).cuda()], [seed], data, SETTINGS)[0]
        torch.testing.assert_close(run.losses, alone.losses, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(run.validation, alone.validation, rtol=1e-4, atol=1e-4)


def test_a_diverging_network_fails_alone_with_its_step() -> None:
    nets = [network(method).cuda() for method in METHODS[:3]]
    with torch.no_grad():
        nets[1].layers[-1].bias[0] = float("inf")
    runs = train(nets, [0, 1, 2], examples("cuda"), SETTINGS)
    assert [run.failed for run in runs] == [None, 0, None]
    assert runs[0].losses.isfinite().all()
    assert runs[2].losses.device.type == "cpu"


def test_bfloat16_products_train_as_well() -> None:
    ends = []
    for products in ("float32", "bfloat16"):
        run = train(
            [network("non-convex").cuda()], [0], examples("cuda"),
            Settings(epochs=8, batch=32, precision=products),
        )[0]  # fmt: skip
        ends.append(run.losses[-10:].mean())
    assert abs(ends[0] - ends[1]) < 0.1


def test_many_networks_fit_a_gpu() -> None:
    assert networks_at_once(network("ICNN"), "cuda") > 1000


@pytest.mark.parametrize(("dimension", "widths"), [(2, (64, 64)), (300, (64,))])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_level_sets_equal_those_of_the_cpu(
    dimension: int, widths: tuple[int, ...], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    f = ConvexNetwork(dimension, widths).double().requires_grad_(False)
    rays = torch.nn.functional.normalize(torch.randn(200, dimension, dtype=torch.float64))
    centre = torch.zeros(dimension, dtype=torch.float64)
    level = float(f(centre[None])) + 1.0
    here = radius(f, centre, rays, level, tolerance=1e-9)
    f, centre, rays = f.to("cuda", dtype), centre.to("cuda", dtype), rays.to("cuda", dtype)
    there = radius(f, centre, rays, level, tolerance=1e-4 if dtype == torch.float32 else 1e-9)
    assert there.radius.device.type == "cuda"
    assert torch.equal(there.reached.cpu(), here.reached)
    both = here.reached
    close = {"rtol": 1e-3, "atol": 0.0} if dtype == torch.float32 else {"rtol": 1e-6, "atol": 0.0}
    assert both.any()
    torch.testing.assert_close(there.radius.cpu().double()[both], here.radius[both], **close)


def test_sampling_grids_and_the_minimum_stay_on_the_gpu() -> None:
    torch.manual_seed(0)
    f = ConvexNetwork(3, (32, 32)).double().requires_grad_(False).cuda()

    def bowl(z: Tensor) -> Tensor:
        return f(z).flatten() + z.square().sum(1)

    centre = minimum(bowl, torch.zeros(3, dtype=torch.float64, device="cuda"))
    here = LevelSet(bowl, centre.value + 1.0, centre.point, tolerance=1e-9)
    drawn = here.sample(100, generator=Generator("cuda").manual_seed(0))
    path, walk = here.geodesic(drawn[0], drawn[1], 9), here.walk(drawn[0], 5, 0.1, direction=drawn[1])
    for points in (drawn, here.grid(5, 8).flatten(0, 1), path, walk):
        assert points.device.type == "cuda"
        assert (bowl(points) - here.level).abs().max() <= 1e-6


def test_long_sets_and_kinks_stay_on_the_gpu() -> None:
    stretch = torch.tensor([100.0, 10.0, 1.0], dtype=torch.float64, device="cuda")
    long = LevelSet(lambda z: (z / stretch).square().sum(1), 1.0, torch.zeros_like(stretch))
    drawn = long.sample(300, generator=Generator("cuda").manual_seed(0))
    assert drawn.device.type == "cuda"
    assert (long.f(drawn) - 1).abs().max() <= 1e-6
    lowest = minimum(lambda z: (z - 1).abs().sum(1), torch.zeros_like(stretch))
    assert lowest.point.device.type == "cuda"
    assert (lowest.point - 1).abs().max() <= 1e-6


def test_a_captured_step_trains_as_one_launched_kernel_by_kernel() -> None:
    def curve(capture: bool) -> list[float]:
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(12, 64), nn.Tanh(), nn.Linear(64, 1)).cuda()
        x = torch.randn(320, 12, generator=Generator().manual_seed(1)).cuda()

        def loss(batch: tuple[Tensor, ...], moment: Moment) -> Tensor:
            noise = torch.randn(len(batch[0]), generator=moment.generator, device="cuda")
            target = batch[0].square().sum(1) * (1 + moment.share) + 0.1 * noise
            return (module(batch[0])[:, 0] - target).square().mean()

        optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
        fitted = fit(
            module, loss, (x,), optimiser, epochs=20, batch=31, schedule=cosine(), clip=10.0, capture=capture
        )
        return fitted.curve["loss"]

    assert curve(True) == pytest.approx(curve(False), rel=1e-5)
