"""Turned clothes: the pieces of the experiment on models whose answers are known, and a short run."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from invex.data import rotated
from invex.experiments import rotated_fashion as fashion
from invex.experiments import rotated_paths as paths
from invex.nn.heads import ScaledTanh, StronglyConvex
from invex.nn.vae import GenerativeModel
from torch import nn

TINY = replace(fashion.QUICK, epochs=1, batch=128, width=2, dense=8, latent=4, regressor_epochs=1, pairs=8)


@pytest.fixture(scope="module")
def test_images():
    return rotated.load("digits", "test")


def test_the_papers_runs_are_three_seeds_of_the_released_settings():
    runs = fashion.configs("paper")
    assert [(config.seed, config.curvature) for config in runs] == [(0, 0.1), (1, 0.1), (2, 0.1), (0, 1.0)]
    assert runs[0] == fashion.Config()
    assert (runs[0].epochs, runs[0].batch, runs[0].latent, runs[0].width) == (30, 32, 35, 64)
    assert runs[0].property_weight == pytest.approx(0.2 * 32**2)


def test_reduced_runs_say_what_they_have_less_of():
    said = [fashion.reduced(config) for config in fashion.configs("reduced")]
    assert said == [f"{epochs} of 30 epochs, 16 of 64 filters" for epochs in (2, 5) for _ in range(3)]
    assert {config.dataset for config in fashion.configs("reduced")} == {"fashion_mnist"}
    assert {config.dataset for config in fashion.configs("quick")} == {"digits"}


def test_architecture_of_appendix_a_4():
    model = fashion.build(fashion.Config())
    convex, monotone = model.head.children()
    assert isinstance(convex, StronglyConvex)
    assert isinstance(monotone, ScaledTanh)
    assert [tuple(weight.shape) for weight in convex.convex.weights()] == [(50, 50)] * 4 + [(1, 50)]
    assert monotone.bound == pytest.approx(math.pi / 4)
    assert model.posterior(torch.rand(2, 36, 36)).lower.shape == (2, 35, 35)


def test_building_is_deterministic_and_leaves_the_readers_generator_alone():
    state = torch.get_rng_state()
    first, second = (fashion.build(TINY).state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_beta_cools_by_095_every_20_updates_to_its_floor(monkeypatch):
    seen = []

    def noted(terms, beta, gamma, **weights):
        seen.append((float(beta), weights))
        return terms.input + 0 * beta

    monkeypatch.setattr(fashion, "objective", noted)
    config = replace(TINY, epochs=2, batch=64, cooled_every=3, floor=0.7)
    fashion.train(config, rotated.load("digits"))
    expected = [max(0.95 ** (update // 3), 0.7) for update in range(2 * 23)]
    assert [beta for beta, _ in seen] == pytest.approx(expected)
    assert seen[0][1] == {"input_weight": 0.5, "property_weight": pytest.approx(0.1 * 1024)}


def test_the_regressor_never_sees_the_images_that_are_measured(test_images):
    others, kept = paths.split(test_images)
    assert set(others.tolist()) | set(kept.tolist()) == set(range(len(test_images.images)))
    assert not set(others.tolist()) & set(kept.tolist())
    ends = {row for pair in paths.pairs(test_images, kept, 30) for row in (pair.first, pair.second)}
    assert ends <= set(kept.tolist())


def test_pairs_are_of_two_classes_the_first_is_the_papers_and_more_of_them_begin_alike(test_images):
    _, kept = paths.split(test_images)
    chosen = paths.pairs(test_images, kept, 30)
    label = test_images.labels.tolist()
    assert (label[chosen[0].first], label[chosen[0].second], chosen[0].angle) == paths.HEADLINE
    assert all(label[pair.first] != label[pair.second] for pair in chosen)
    assert all(abs(pair.angle) <= paths.EXTREME for pair in chosen)
    assert len({pair.angle for pair in chosen}) > 10
    assert paths.pairs(test_images, kept, 6) == chosen[:6]


class Moments(nn.Module):
    """An encoder of known meaning: the code of an image is four of its pixels, and the covariance small."""

    def forward(self, x):
        mean = x.flatten(1)[:, 60:64] - 0.4
        return torch.cat([mean, mean.new_full((len(x), 4 + 6), -9.0)], 1)


class Flat(nn.Module):
    def forward(self, z):
        return z.mean(1)[:, None, None].expand(-1, 12, 12).sigmoid()


class Convex(nn.Module):
    def forward(self, z):
        slope, bowl = torch.tensor([[0.3, 0.5, 0.1, 0.2], [1.0, 4.0, 9.0, 2.0]], dtype=z.dtype)
        return z @ slope + z.square() @ bowl


class Still(nn.Module):
    """A regressor that reads 10 degrees everywhere."""

    def forward(self, x):
        return x.new_full((len(x),), math.radians(10))


def known():
    head = nn.Sequential(StronglyConvex(Convex(), 0.1), ScaledTanh(math.pi / 4))
    return GenerativeModel(Moments(), Flat(), head, covariance="full").eval()


def test_paths_keep_to_the_angle_on_the_level_set_and_not_on_a_straight_line(test_images):
    _, kept = paths.split(test_images)
    chosen = paths.pairs(test_images, kept, 10)
    found = paths.paths(known(), Still(), test_images, chosen)
    rows = found.tables["paths"]
    off = {name: [] for name in paths.METHODS}
    for method, step, angle, predicted in zip(
        rows["method"], rows["step"], rows["angle"], rows["predicted"], strict=True
    ):
        if 0 < step < paths.STEPS - 1:
            off[method].append(predicted - angle)
    assert max(map(abs, off["level set"])) < 1e-4
    assert max(off["straight line"]) <= 1e-4
    assert min(off["straight line"]) < -0.1
    assert max(map(abs, off["angles alone"])) > 0.01
    assert rows["read"] == pytest.approx([10] * len(rows["read"]))
    lowest = found.metrics["minimum_angle"]
    assert found.metrics["pairs_below_minimum"] == sum(pair.angle < lowest for pair in chosen)
    shown = min(paths.SHOWN, sum(pair.angle > lowest for pair in chosen[: paths.SHOWN]))
    assert found.tensors["paths"].shape == (shown, 3, paths.STEPS, 12, 12)
    assert found.tensors["ends"].shape == (shown, 2, 2, 12, 12)
    assert found.tensors["paths"].dtype == torch.uint8


def test_errors_are_those_of_the_network_that_errs(test_images):
    _, kept = paths.split(test_images)
    metrics, examples = paths.accuracy(known(), Still(), test_images, kept)
    true = rotated.angles(len(test_images.images), paths.TEST_ANGLES)[kept] * paths.DEGREES
    assert metrics["reader_mae"] == pytest.approx((true - 10).abs().mean().item(), rel=1e-4)
    assert metrics["reader_bias_reconstructed"] == pytest.approx((10 - true).mean().item(), rel=1e-4)
    torch.testing.assert_close(examples["angles"][:, 0].float(), true, atol=0.05, rtol=0)
    assert metrics["cycle_mae"] > 0
    assert metrics["test_images"] == len(kept)


def test_a_short_run_from_end_to_end():
    ((config, outcome),) = fashion.run([TINY], device="cpu", folder=None, progress=lambda text: None)
    assert config is TINY
    assert outcome.failed is None
    assert outcome.tables["curve"]["epoch"] == [1]
    assert all(math.isfinite(v) for v in outcome.metrics.values())
    assert set(outcome.data) == {"digits train", "digits test"}
    assert outcome.tensors["ends"].shape[1:] == (2, 2, 12, 12)
    level = [
        abs(predicted - angle)
        for method, angle, predicted in zip(
            *(outcome.tables["paths"][name] for name in ("method", "angle", "predicted")), strict=True
        )
        if method == "level set"
    ]
    assert max(level) < 1e-3


def test_centring_takes_out_what_noise_put_in():
    """A head that is too high by a constant everywhere comes back, and its shape stays."""
    data = rotated.load("digits")
    trained = fashion.train(TINY, data)
    angles = rotated.angles(len(data.images), fashion.TRAINING_ANGLES)
    pictures, z = data.turned(angles), torch.randn(5, 4)
    before = trained.model.head(z)
    assert fashion.centre(trained.model, pictures, angles) == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        trained.model.head[0].offset += 0.3
    assert fashion.centre(trained.model, pictures, angles) == pytest.approx(-0.3, abs=1e-5)
    torch.testing.assert_close(trained.model.head(z), before)


def test_a_run_that_is_interrupted_goes_on_to_the_same_numbers():
    class Kept:
        state = None

        def load(self):
            return self.state

        def save(self, state, *, now=False):
            if now:
                self.state = state()

    class Interrupted(Exception):  # noqa: N818
        pass

    def stop(text):
        if "epoch 1/2" in text:
            raise Interrupted

    data, config = rotated.load("digits"), replace(TINY, epochs=2)
    whole = fashion.train(config, data).model.state_dict()
    keeper = Kept()
    with pytest.raises(Interrupted):
        fashion.train(config, data, stop, keeper)
    resumed = fashion.train(config, data, keeper=keeper)
    assert resumed.stretches == 2
    assert all(torch.equal(whole[name], tensor) for name, tensor in resumed.model.state_dict().items())


def test_a_loss_that_is_not_finite_ends_the_run_with_its_update(monkeypatch):
    monkeypatch.setattr(fashion, "objective", lambda terms, *rest, **more: terms.input * math.nan)
    ((_, outcome),) = fashion.run([TINY], device="cpu", folder=None, progress=lambda text: None)
    assert outcome.failed == "loss not finite at update 0"


def test_the_snippet_of_the_chapter_runs_on_the_readers_own_data():
    chapter = Path(__file__).parents[2] / "book/invariances/rotated-fashion.md"
    text = chapter.read_text(encoding="utf-8")
    (snippet,) = re.findall(r":tags: \[use-it\]\n(.*?)```", text, re.DOTALL)
    torch.manual_seed(0)
    names = {}
    exec(snippet, names)
    assert names["loss"].isfinite()
