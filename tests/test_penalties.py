import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnnotes as rn

torch.set_num_threads(1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def trajectory_of(nonlinearity="tanh", gain=0.8, steps=5, hidden=4, state=None, seed=0):
    cell = rn.ElmanCell(2, hidden, nonlinearity, generator=generator(seed), dtype=torch.float64)
    rn.orthogonal_(cell.weight_hh, gain, generator=generator(seed))
    x = torch.randn(3, steps, 2, generator=generator(seed + 1), dtype=torch.float64)
    return rn.unroll(cell, x, state)


numbers = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=6)


@given(st.lists(numbers, min_size=1, max_size=3))
@settings(deadline=None)
def test_l1_and_l2_are_their_sums(values):
    weights = [torch.tensor(row, dtype=torch.float64) for row in values]
    l1 = math.fsum(abs(w) for row in values for w in row)
    l2 = math.fsum(w * w for row in values for w in row) / 2
    assert rn.l1_penalty(weights).item() == pytest.approx(l1, rel=1e-12)
    assert rn.l2_penalty(weights).item() == pytest.approx(l2, rel=1e-12)
    assert rn.l1_penalty(weights[0]).item() == rn.l1_penalty(weights[:1]).item()


def test_l2_is_the_weight_decay_of_sgd():
    def step(penalised):
        weight = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64))
        decay = 0.0 if penalised else 0.3
        optimizer = torch.optim.SGD([weight], lr=0.1, weight_decay=decay)
        loss = (weight**3).sum()
        if penalised:
            loss = loss + 0.3 * rn.l2_penalty(weight)
        loss.backward()
        optimizer.step()
        return weight.detach()

    assert torch.allclose(step(True), step(False), rtol=1e-14)


def test_l1_pulls_with_the_sign():
    weight = torch.tensor([2.0, -0.1, 0.0], requires_grad=True)
    rn.l1_penalty(weight).backward()
    assert weight.grad.tolist() == [1.0, -1.0, 0.0]


@pytest.mark.parametrize("penalty", [rn.l1_penalty, rn.l2_penalty])
def test_no_weights_is_an_error(penalty):
    with pytest.raises(ValueError, match="weights: expected at least one tensor, got none"):
        penalty([])


# Omega


def plain_omega(trajectory, loss, weight, slopes=None):
    """Equations 9 and 10 written out, step by step and sequence by sequence."""
    states = trajectory.states
    gradients = torch.autograd.grad(loss, states[1:], retain_graph=True)
    total, count = 0.0, 0
    for k, v in enumerate(gradients, 1):
        for b in range(v.shape[0]):
            if not v[b].any():
                continue
            slope = slopes(states[k][b]).detach()
            back = (v[b] * slope) @ weight
            total = total + (back.norm() / v[b].norm() - 1) ** 2
            count += 1
    return total / count


SLOPES = {
    "tanh": lambda h: 1 - h**2,
    "relu": lambda h: (h > 0).to(h.dtype),
    "identity": torch.ones_like,
}


@pytest.mark.parametrize("nonlinearity", SLOPES)
@pytest.mark.parametrize("loss_of", ["last", "all", "middle"])
def test_omega_and_its_gradient_are_those_of_the_equation(nonlinearity, loss_of):
    trajectory = trajectory_of(nonlinearity)
    where = {"last": slice(-1, None), "all": slice(None), "middle": slice(2, 3)}[loss_of]
    loss = trajectory.hidden[:, where].square().sum()
    cell = trajectory.cell
    omega = rn.omega_penalty(loss, trajectory)
    expected = plain_omega(trajectory, loss, cell.weight_hh, SLOPES[nonlinearity])
    assert omega.item() == pytest.approx(expected.item(), rel=1e-12)
    (ours,) = torch.autograd.grad(omega, cell.weight_hh)
    (theirs,) = torch.autograd.grad(expected, cell.weight_hh)
    assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-14)


def test_the_gradient_goes_to_the_recurrent_weight_alone():
    trajectory = trajectory_of()
    rn.omega_penalty(trajectory.last.sum(), trajectory).backward()
    gradients = {name: p.grad for name, p in trajectory.cell.named_parameters()}
    assert gradients.pop("weight_hh").abs().max() > 0
    assert all(gradient is None for gradient in gradients.values())


@pytest.mark.parametrize("gain", [0.3, 1.0, 1.7])
def test_omega_of_a_linear_orthogonal_net_is_the_squared_distance_of_its_gain_from_one(gain):
    trajectory = trajectory_of("identity", gain)
    omega = rn.omega_penalty(trajectory.last.square().sum(), trajectory)
    assert omega.item() == pytest.approx((gain - 1) ** 2, rel=1e-10, abs=1e-20)


def test_descending_omega_brings_the_gain_to_one():
    gains = []
    for start in (0.5, 1.6):
        trajectory = trajectory_of("identity", start)
        cell = trajectory.cell
        for _ in range(200):
            trajectory = rn.unroll(cell, trajectory.inputs)
            omega = rn.omega_penalty(trajectory.last.sum(), trajectory)
            (gradient,) = torch.autograd.grad(omega, cell.weight_hh)
            with torch.no_grad():
                cell.weight_hh -= 0.3 * gradient
        gains.append(omega.item())
    assert max(gains) < 1e-4


def test_omega_leaves_the_loss_differentiable_and_its_gradient_alone():
    first, second = trajectory_of(), trajectory_of()
    loss = first.last.square().sum()
    rn.omega_penalty(loss, first)
    loss.backward()
    second.last.square().sum().backward()
    for p, q in zip(first.cell.parameters(), second.cell.parameters(), strict=True):
        assert torch.equal(p.grad, q.grad)


def test_gradients_too_small_to_be_squared_still_count():
    cell = rn.ElmanCell(2, 4, "identity", generator=generator())
    rn.orthogonal_(cell.weight_hh, 0.5, generator=generator())
    trajectory = rn.unroll(cell, torch.randn(2, 3, 2, generator=generator()))
    omega = rn.omega_penalty(trajectory.last.sum() * 1e-30, trajectory)
    assert omega.item() == pytest.approx(0.25, rel=1e-5)


def test_a_loss_that_reaches_no_state_has_no_omega():
    trajectory = trajectory_of()
    loss = (trajectory.last * 0).sum()
    assert rn.omega_penalty(loss, trajectory).item() == 0.0


def test_bad_trajectories_are_named():
    gru = rn.unroll(rn.GRUCell(2, 3, generator=generator()), torch.zeros(1, 2, 2))
    with pytest.raises(TypeError, match="trajectory: expected one of an ElmanCell, got GRUCell"):
        rn.omega_penalty(gru.last.sum(), gru)
    cell = rn.ElmanCell(2, 3, generator=generator())
    padded = rn.unroll(cell, torch.zeros(2, 3, 2), lengths=torch.tensor([1, 3]))
    with pytest.raises(ValueError, match="expected sequences of equal length, got padded ones"):
        rn.omega_penalty(padded.last.sum(), padded)
