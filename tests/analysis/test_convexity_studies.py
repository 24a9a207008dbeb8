"""Proposition 1 before and after training, and the choices left open."""

from invex.analysis import convexity_studies as studies


def test_before_and_after_finds_no_violation_but_in_the_controls():
    found = studies.before_and_after(300, steps=25)
    kinds = {key: checks.violations for key, checks in found.items()}
    own = {key: count for key, count in kinds.items() if key[2] == "constrained"}
    assert len(own) == 2 * 2 * 4
    assert not any(own.values())
    assert kinds["a negative weight", studies.START, "control"] > 0
    assert kinds["tanh", studies.START, "control"] > 0


def test_negative_control_a_network_trained_without_its_projection_is_not_convex():
    assert studies._controls(300, 220, 0)["projection left out", studies.TRAINED, "control"].violations > 0


def test_a_tilted_cone_is_convex_and_nearly_affine():
    y, values = studies.tilted_cone(200, 3)
    assert y.shape == (200, 3)
    assert values.shape == (200,)


def test_choices_have_a_row_each_and_the_pass_through_matters():
    names = ("projection after each step", "no pass-through")
    found = studies.choices([0], steps=80, names=names).set_index("choice")["error"]
    assert found["no pass-through"] > found["projection after each step"] > 0
