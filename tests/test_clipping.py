import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnnotes as rn
from rnnnotes.training.clipping import (
    clip_norm_,
    clip_scalar,
    clip_value_,
    first_nonfinite,
    gradient_norm,
)

torch.set_num_threads(1)
finite = st.floats(-1e30, 1e30, allow_nan=False)
thresholds = st.floats(1e-6, 1e6)
gradients = st.lists(st.lists(finite, min_size=1, max_size=5), min_size=1, max_size=4)


def parameters_with(gradients, dtype=torch.float64):
    parameters = []
    for values in gradients:
        parameter = torch.nn.Parameter(torch.zeros(len(values), dtype=dtype))
        parameter.grad = torch.tensor(values, dtype=dtype)
        parameters.append(parameter)
    return parameters


def flat(parameters):
    return torch.cat([p.grad for p in parameters])


@settings(deadline=None)
@given(finite, thresholds)
def test_scalar_is_the_pseudo_code(g, threshold):
    expected = threshold / abs(g) * g if abs(g) >= threshold else g
    assert clip_scalar(g, threshold) == pytest.approx(expected, rel=1e-15, abs=0)


@settings(deadline=None)
@given(finite, thresholds)
def test_scalar_never_grows_keeps_its_sign_and_is_idempotent(g, threshold):
    clipped = clip_scalar(g, threshold)
    assert abs(clipped) <= min(abs(g), threshold)
    assert math.copysign(1, clipped) == math.copysign(1, g)
    assert clip_scalar(clipped, threshold) == clipped


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_scalar_zero_stays_zero(zero):
    assert math.copysign(1, clip_scalar(zero, 1.0)) == math.copysign(1, zero)
    assert clip_scalar(zero, 1.0) == 0


def test_scalar_infinity_becomes_the_threshold_where_the_quotient_is_nan():
    assert math.isnan(2.0 / math.inf * math.inf)
    assert clip_scalar(math.inf, 2.0) == 2.0
    assert clip_scalar(-math.inf, 2.0) == -2.0


def test_scalar_nan_stays_nan():
    assert math.isnan(clip_scalar(math.nan, 1.0))
    assert clip_scalar(torch.tensor([math.nan, 3.0]), 1.0)[0].isnan()


def test_scalar_of_a_vector_is_value_clipping():
    g = torch.tensor([-3.0, -0.5, 0.0, 0.5, 3.0, math.inf])
    (parameter,) = parameters_with([g.tolist()], torch.float32)
    clip_value_([parameter], 0.75)
    assert torch.equal(clip_scalar(g, 0.75), parameter.grad)


@settings(deadline=None)
@given(gradients, thresholds)
def test_norm_follows_its_equation_and_equals_torch_but_for_its_epsilon(values, max_norm):
    ours, theirs = parameters_with(values), parameters_with(values)
    before = flat(ours).clone()
    norm = clip_norm_(ours, max_norm)
    expected = math.sqrt(sum(g * g for row in values for g in row))
    assert norm == pytest.approx(expected, rel=1e-12)
    assert torch.allclose(
        flat(ours), before * (min(1.0, max_norm / norm) if norm else 1.0), rtol=1e-12, atol=0
    )

    torch_norm = torch.nn.utils.clip_grad_norm_(theirs, max_norm).item()
    assert norm == pytest.approx(torch_norm, rel=1e-12)
    # torch divides by norm + 1e-6 and then takes the minimum with 1.
    torch_factor = min(1.0, max_norm / (torch_norm + 1e-6))
    assert torch.allclose(flat(theirs), before * torch_factor, rtol=1e-12, atol=0)


def test_torch_shrinks_more_by_its_epsilon_and_ours_does_not():
    ours, theirs = parameters_with([[3e-6, 4e-6]]), parameters_with([[3e-6, 4e-6]])
    clip_norm_(ours, 1e-6)
    torch.nn.utils.clip_grad_norm_(theirs, 1e-6)
    assert flat(ours).norm().item() == pytest.approx(1e-6, rel=1e-12)
    assert flat(theirs).norm().item() == pytest.approx(1e-6 * 5 / 6, rel=1e-12)


@settings(deadline=None)
@given(gradients, thresholds)
def test_norm_keeps_direction_never_grows_and_is_idempotent(values, max_norm):
    parameters = parameters_with(values)
    before = flat(parameters).clone()
    clip_norm_(parameters, max_norm)
    once = flat(parameters).clone()
    assert (once.abs() <= before.abs()).all()
    assert torch.equal(once.sign() * (once != 0), before.sign() * (once != 0))
    assert gradient_norm(parameters) <= max_norm * (1 + 1e-12)
    if before.norm() > 0:
        direction = torch.nn.functional.cosine_similarity(
            once / once.abs().max(), before / before.abs().max(), 0
        )
        assert direction.item() == pytest.approx(1.0, abs=1e-12)
    clip_norm_(parameters, max_norm)
    assert torch.allclose(flat(parameters), once, rtol=1e-12, atol=0)


@settings(deadline=None)
@given(gradients, thresholds)
def test_value_equals_torch_and_its_equation(values, clip_value):
    ours, theirs = parameters_with(values), parameters_with(values)
    clip_value_(ours, clip_value)
    torch.nn.utils.clip_grad_value_(theirs, clip_value)
    assert torch.equal(flat(ours), flat(theirs))
    expected = [min(max(g, -clip_value), clip_value) for row in values for g in row]
    assert flat(ours).tolist() == expected
    once = flat(ours).clone()
    clip_value_(ours, clip_value)
    assert torch.equal(flat(ours), once)


def test_value_turns_the_direction_and_norm_does_not():
    by_value, by_norm = parameters_with([[10.0, 0.1]]), parameters_with([[10.0, 0.1]])
    clip_value_(by_value, 0.1)
    clip_norm_(by_norm, 0.1)
    g = torch.tensor([10.0, 0.1], dtype=torch.float64)
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(flat(by_value), g, 0).item() == pytest.approx(10.1 / math.sqrt(2 * 100.01))
    assert cosine(flat(by_norm), g, 0).item() == pytest.approx(1.0, abs=1e-12)


def test_the_norm_is_over_all_parameters_not_over_each():
    parameters = parameters_with([[3.0], [4.0]])
    assert clip_norm_(parameters, 1.0) == pytest.approx(5.0)
    assert flat(parameters).tolist() == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("size", [1e25, 1e-30])
def test_float32_gradients_beyond_the_range_of_their_squares_are_clipped_not_lost(size):
    parameters = parameters_with([[3 * size, 4 * size]], torch.float32)
    assert gradient_norm(parameters) == pytest.approx(5 * size, rel=1e-6)
    clip_norm_(parameters, size)
    assert flat(parameters).double().norm().item() == pytest.approx(size, rel=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nonfinite_error_names_the_parameter(bad):
    model = torch.nn.Linear(2, 3)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model.bias.grad[1] = bad
    with pytest.raises(FloatingPointError, match=r"1 of 3 entries NaN or Inf in bias\.grad"):
        clip_norm_(model.named_parameters(), 1.0)
    with pytest.raises(FloatingPointError, match=r"parameters\[1\]\.grad"):
        clip_norm_(model.parameters(), 1.0)
    assert torch.equal(model.weight.grad, torch.ones(3, 2))


def test_nonfinite_skip_makes_the_step_change_nothing():
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()  # Adam now has momentum, which zero gradients would not hold back
    before = [p.detach().clone() for p in model.parameters()]
    model.weight.grad[0, 0] = math.nan
    assert math.isnan(clip_norm_(model.parameters(), 1.0, nonfinite="skip"))
    optimizer.step()
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))


def test_nonfinite_pass_leaves_the_gradients():
    parameters = parameters_with([[math.inf, 1.0], [2.0]])
    assert clip_norm_(parameters, 1.0, nonfinite="pass") == math.inf
    assert flat(parameters).tolist() == [math.inf, 1.0, 2.0]


def test_without_gradients_the_norm_is_zero():
    parameters = [torch.nn.Parameter(torch.ones(2))]
    assert gradient_norm(parameters) == 0.0
    assert clip_norm_(parameters, 1.0) == 0.0
    assert clip_norm_([], 1.0) == 0.0
    clip_value_(parameters, 1.0)
    assert parameters[0].grad is None


def test_a_single_tensor_is_taken_as_one_parameter():
    (parameter,) = parameters_with([[3.0, 4.0]])
    assert rn.clip_norm_(parameter, 1.0) == pytest.approx(5.0)
    assert parameter.grad.tolist() == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize(
    ("function", "name"),
    [(clip_scalar, "threshold"), (clip_norm_, "max_norm"), (clip_value_, "clip_value")],
)
def test_bad_thresholds_are_named(function, name, bad):
    with pytest.raises(ValueError, match=f"{name}: expected a number above 0, got"):
        function(torch.ones(1), bad)


def test_other_bad_input():
    with pytest.raises(ValueError, match="nonfinite: expected one of 'error', 'skip', 'pass'"):
        clip_norm_([], 1.0, nonfinite="ignore")
    with pytest.raises(TypeError, match=r"^g: expected a number or a tensor, got str$"):
        clip_scalar("1", 1.0)
    with pytest.raises(TypeError, match=r"^parameters: expected tensors, got int$"):
        clip_norm_(1, 1.0)
    with pytest.raises(TypeError, match=r"parameters\[0\]: expected a tensor, got float"):
        clip_norm_([1.0], 1.0)


def test_the_first_gradient_that_is_not_finite_is_told():
    good, none, bad = (torch.nn.Parameter(torch.ones(3)) for _ in range(3))
    good.grad, bad.grad = torch.ones(3), torch.tensor([1.0, math.nan, math.inf])
    named = [("none", none), ("good", good), ("bad", bad)]
    assert first_nonfinite(named) == "2 of 3 entries NaN or Inf in bad.grad"
    assert first_nonfinite(named[:2]) == ""
