"""Log-determinants against whole Jacobians, autograd and normflows: Lemmas 5.4 to 5.6, Theorem 5.8."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.nn import logdet, probes
from invex.nn.lipschitz import ContractiveConv2d, ContractiveLinear, LipSwish, certificate
from invex.nn.logdet import Exact, PowerSeries, RandomTruncation, ToTolerance
from normflows.flows.residual import iResBlock
from torch import nn
from torch.nn import functional

seeds = st.integers(0, 999)
constants = st.sampled_from([0.5, 0.9, 0.97])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def dense(seed=0, c=0.9, d=2, width=16, activation=nn.ELU):
    torch.manual_seed(seed)
    layers = [ContractiveLinear(d, width, c=c), activation(), ContractiveLinear(width, d, c=c)]
    for layer in layers[::2]:
        nn.init.orthogonal_(layer.weight)
    return nn.Sequential(*layers).double().eval()


def convolutions(seed=0, c=0.9, channels=2, size=4, activation=nn.ELU):
    torch.manual_seed(seed)
    make = lambda a, b, k: ContractiveConv2d(a, b, k, size=size, c=c)  # noqa: E731
    layers = [make(channels, 6, 3), activation(), make(6, 6, 1), activation(), make(6, channels, 3)]
    return nn.Sequential(activation(), *layers).double().eval()


def points(n, *shape, seed=0):
    return torch.randn(n, *shape, generator=generator(seed), dtype=torch.float64)


def whole_jacobian(branch, x):
    branch(x)  # the exact norms, which are kept, are no computation for vmap
    rows = torch.func.vmap(torch.func.jacrev(lambda one: branch(one[None])[0]))(x)
    return rows.reshape(len(x), x[0].numel(), x[0].numel())


def traces(J, terms):
    powers = [torch.linalg.matrix_power(J, k) for k in range(1, terms + 1)]
    return torch.stack([power.diagonal(dim1=1, dim2=2).sum(1) for power in powers])


def true_log_det(branch, x):
    J = whole_jacobian(branch, x)
    return (J + torch.eye(J.shape[-1]).to(J)).det().abs().log()


# --- exact -----------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seeds, constants, st.integers(1, 4), st.sampled_from([nn.ELU, nn.Tanh, LipSwish, nn.Softplus]))
def test_lemma_5_4_and_the_exact_log_determinant_is_autograds(seed, c, d, activation):
    branch, x = dense(seed, c, d, activation=activation), points(20, d, seed=seed)
    value, log_det = Exact()(branch, x)
    torch.testing.assert_close(value, branch(x))
    torch.testing.assert_close(log_det, true_log_det(branch, x), rtol=1e-8, atol=1e-10)
    assert bool((torch.linalg.det(whole_jacobian(branch, x) + torch.eye(d).double()) > 0).all())


def test_lemma_5_4_fails_without_the_constraint():
    branch = nn.Linear(2, 2, bias=False).double()
    with torch.no_grad():
        branch.weight.copy_(torch.tensor([[-2.0, 0.0], [0.0, 0.5]]))
    assert bool(Exact()(branch, points(3, 2))[1].isnan().all())


def test_exact_log_determinant_of_images_and_its_gradient():
    branch, x = convolutions(), points(3, 2, 4, 4)
    log_det = Exact()(branch, x)[1]
    torch.testing.assert_close(log_det, true_log_det(branch, x))
    parameters = list(branch.parameters())
    J = whole_jacobian(branch, x) + torch.eye(32, dtype=torch.float64)
    ours = torch.autograd.grad(log_det.sum(), parameters, allow_unused=True, materialize_grads=True)
    theirs = torch.autograd.grad(J.logdet().sum(), parameters, allow_unused=True, materialize_grads=True)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-10)


def test_agrees_with_normflows_in_two_dimensions():
    branch, x = dense(), points(50, 2)
    theirs = iResBlock(branch, brute_force=True)(x, torch.zeros(50, 1).double())[1]
    torch.testing.assert_close(Exact()(branch, x)[1], -theirs[:, 0])


# --- the series ------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seeds, constants, st.sampled_from([dense, convolutions]))
def test_theorem_5_8_the_truncation_error_is_below_its_bound_for_every_number_of_terms(seed, c, make):
    branch = make(seed, c)
    x = points(5, 2, seed=seed) if make is dense else points(3, 2, 4, 4, seed=seed)
    J, d, lipschitz = whole_jacobian(branch, x), x[0].numel(), certificate(branch)
    error = (logdet.partial_sums(traces(J, 30)) - true_log_det(branch, x)).abs().amax(1)
    for n, each in enumerate(error.tolist(), start=1):
        assert each <= logdet.truncation_bound(lipschitz, n, d) + 1e-12


def test_theorem_5_8_is_attained_by_minus_c_times_the_identity_and_broken_above():
    c, d = 0.8, 3
    J = -c * torch.eye(d, dtype=torch.float64)[None]
    error = (logdet.partial_sums(traces(J, 8))[:, 0] - d * math.log1p(-c)).abs()
    bounds = torch.tensor([logdet.truncation_bound(c, n, d) for n in range(1, 9)])
    torch.testing.assert_close(error, bounds.double(), rtol=1e-6, atol=1e-12)
    too_small = torch.tensor([logdet.truncation_bound(0.7, n, d) for n in range(1, 9)])
    assert bool((error > too_small).all())  # the control: with a wrong constant it does not hold


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 0.99), st.integers(1, 40), st.integers(1, 3072))
def test_bound_is_the_printed_difference_and_terms_for_inverts_it(lipschitz, n, d):
    printed = -d * (math.log1p(-lipschitz) + math.fsum(lipschitz**k / k for k in range(1, n + 1)))
    bound = logdet.truncation_bound(lipschitz, n, d)
    assert bound == pytest.approx(printed, rel=1e-9, abs=1e-11 * d)
    if bound > 1e-12:
        least = logdet.terms_for(bound, lipschitz, d)
        assert least <= n
        assert logdet.truncation_bound(lipschitz, least, d) <= bound


@settings(max_examples=10, deadline=None)
@given(seeds, constants)
def test_lemma_5_5_the_log_determinant_of_a_chain_lies_within_its_limits(seed, c):
    x, total, constants = points(50, 3, seed=seed), 0.0, []
    for place in range(3):
        branch = dense(seed + place, c, 3)
        value, log_det = Exact()(branch, x)
        x, total = x + value, total + log_det
        constants.append(certificate(branch))
    low, high = logdet.log_det_limits(constants, 3)
    assert low <= total.min()
    assert total.max() <= high
    assert not bool((total < 0.01 * high).all() and (total > 0.01 * low).all())  # the limits are not vacuous


@pytest.mark.parametrize(
    ("m", "draw"),
    [(1, probes.rademacher), (1, probes.gaussian), (2, probes.orthogonal), (4, probes.coloured)],
)
def test_lemma_5_6_probes_estimate_the_trace_of_any_matrix(m, draw):
    x = torch.zeros(4000, 2, 4, 4, dtype=torch.float64)
    A = points(32, 32) + torch.eye(32).double()
    v = draw(m, x, generator()).flatten(2)
    found = torch.einsum("mni,ij,mnj->mn", v, A, v).mean(0)
    assert abs(found.mean() - A.trace()) < 4 * found.std() / math.sqrt(len(found))


def test_lemma_5_6_needs_unit_covariance():
    x, A = torch.zeros(4000, 8, dtype=torch.float64), torch.eye(8).double()
    v = 1.2 * probes.rademacher(1, x, generator())
    assert abs(torch.einsum("mni,ij,mnj->mn", v, A, v).mean() - A.trace()) > 1


def test_rademacher_probes_have_the_least_variance_and_all_orthogonal_ones_none():
    x, A = torch.zeros(3000, 6, dtype=torch.float64), points(6, 6)

    def variance(m, draw):
        v = draw(m, x, generator())
        return torch.einsum("mni,ij,mnj->mn", v, A, v).mean(0).var()

    assert variance(1, probes.rademacher) < variance(1, probes.gaussian)
    assert variance(6, probes.orthogonal) < 1e-20


def test_coloured_probes_do_not_see_neighbours():
    x = torch.zeros(2000, 1, 4, 4, dtype=torch.float64)
    kernel = torch.tensor([[[[0.0, 1, 0], [1, 2, 1], [0, 1, 0]]]]).double()

    def each(v):
        product = functional.conv2d(v.flatten(0, 1), kernel, padding=1).unflatten(0, v.shape[:2])
        return (product * v).flatten(2).sum(2).mean(0)

    exact = each(probes.coloured(4, x, generator()))
    torch.testing.assert_close(exact, torch.full_like(exact, 32.0))  # the trace, without any noise
    assert each(probes.rademacher(4, x, generator())).std() > 1


@pytest.mark.parametrize("make", [dense, convolutions])
@pytest.mark.parametrize("wrap", [lambda branch: branch, lambda branch: lambda x: branch(x)])
def test_long_series_and_random_truncation_estimate_the_log_determinant(make, wrap):
    branch = make()
    x = points(1, 2) if make is dense else points(1, 2, 4, 4)
    truth, many = true_log_det(branch, x), x.expand(4000, *x.shape[1:])
    with torch.no_grad():
        long = PowerSeries(40)(wrap(branch), many, generator())[1]
        short = PowerSeries(1, probes=20)(wrap(branch), many, generator())[1]
        short_bias = abs(short.mean() - truth) / (short.std() / math.sqrt(4000))
        assert abs(long.mean() - truth) < 4 * long.std() / math.sqrt(4000)
        assert make is convolutions or short_bias > 5  # the control: one term is seen to be biased
        for law, parameter in (("geometric", 0.5), ("poisson", 2.0)):
            estimator = RandomTruncation(1, law=law, parameter=parameter, probes=20)
            some = x.expand(40, *x.shape[1:])
            found = torch.stack([estimator(wrap(branch), some, generator(i))[1].mean() for i in range(200)])
            assert abs(found.mean() - truth) < 4 * found.std() / math.sqrt(200)


@pytest.mark.parametrize(("law", "parameter"), [("geometric", 0.5), ("poisson", 2.0)])
def test_factors_are_the_inverse_probability_that_a_term_is_reached(law, parameter):
    estimator, g = RandomTruncation(2, law=law, parameter=parameter), generator()
    drawn = [estimator.factors(g) for _ in range(4000)]
    for k in range(8):
        mean = sum(each[k] for each in drawn if len(each) > k) / len(drawn)
        assert mean == pytest.approx(1, abs=0.35 if k > 4 else 0.1)


# --- gradients -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [dense, convolutions])
def test_neumann_gradient_has_the_expectation_of_the_series_gradient(make):
    """With all d orthogonal probes both are exact: the gradients of the truncated series."""
    branch = make()
    x = points(4, 2) if make is dense else points(2, 2, 4, 4)
    d, parameters = x[0].numel(), list(branch.parameters())
    found = []
    for gradient in ("neumann", "series"):
        for wrapped in (branch, lambda x: branch(x)):
            at = x.clone().requires_grad_()
            estimator = PowerSeries(4, d, gradient, probes.orthogonal)
            log_det = estimator(wrapped, at, generator())[1].sum()
            found.append((log_det, *torch.autograd.grad(
                log_det, [at, *parameters], allow_unused=True, materialize_grads=True)))  # fmt: skip
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)


def test_gradients_with_a_wrong_sign_would_be_seen():
    branch, x = dense(), points(4, 2)
    right, wrong = (
        PowerSeries(n, 2, probe=probes.orthogonal)(branch, x, generator())[1].sum() for n in (20, 1)
    )
    a, b = (torch.autograd.grad(each, branch[0].weight)[0] for each in (right, wrong))
    assert (a - b).norm() > 0.05 * a.norm()


def test_gradient_flows_through_the_value_too():
    branch, x = dense(), points(4, 2).requires_grad_()
    value, _ = PowerSeries(3)(branch, x, generator())
    torch.testing.assert_close(
        torch.autograd.grad(value.square().sum(), x)[0], torch.autograd.grad(branch(x).square().sum(), x)[0]
    )


# --- to a tolerance, and bad input -----------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(seeds, constants, st.sampled_from([1e-2, 1e-5]))
def test_series_to_a_tolerance_keeps_it_by_its_own_bound(seed, c, tolerance):
    branch, x = convolutions(seed, c), points(6, 2, 4, 4, seed=seed)
    lipschitz = certificate(branch)
    short = ToTolerance(lipschitz, tolerance, probes=2).with_bound(branch, x, generator(seed))
    with torch.no_grad():
        endless = PowerSeries(logdet.terms_for(1e-10, lipschitz, 32), probes=2)(branch, x, generator(seed))[1]
    assert (short[1] - endless).abs().mean() <= short[2] <= tolerance
    assert short[3] <= logdet.terms_for(tolerance, lipschitz, 32)


@pytest.mark.parametrize("wrong", [1.0, 1.3, -0.1, math.nan])
def test_bound_refuses_what_is_no_contraction(wrong):
    with pytest.raises(ValueError, match="Lipschitz constant in"):
        logdet.truncation_bound(wrong, 3)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: PowerSeries(0), "at least 1"),
        (lambda: PowerSeries(3, gradient="exact"), "neumann, series"),
        (lambda: RandomTruncation(law="normal"), "geometric"),
        (lambda: RandomTruncation(parameter=1.5), "geometric"),
        (lambda: logdet.terms_for(0.0, 0.5), "positive"),
        (lambda: probes.orthogonal(3, torch.zeros(1, 2)), "at most 2"),
    ],
)
def test_mistakes_are_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()
