"""The LSTM's sequence in one node against its steps, which autograd follows one by one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, vmap

import rnnnotes as rn
from rnnnotes.cells.lstm_sequence import LSTMSequence

torch.set_num_threads(1)
EXACT = {"rtol": 1e-12, "atol": 1e-12}
sizes = st.integers(1, 5)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def make(d: int = 2, h: int = 3, bias: bool = True) -> rn.LSTMCell:
    cell = rn.LSTMCell(d, h, bias, generator=seeded(), dtype=torch.float64)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.mul_(2)
    return cell


def by_steps(cell: rn.LSTMCell, x: torch.Tensor, state=None):
    trajectory = rn.unroll(cell, x, state)
    return trajectory.hidden, trajectory.last


def at_once(cell: rn.LSTMCell, x: torch.Tensor, state=None):
    output, last = rn.Recurrent(cell)(x, state)
    assert "LSTMSequence" in output.grad_fn.name()
    return output, last


# What a loss may read: the outputs, the last h, the last c, and some of them together.
READ = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 2, 3)]


@settings(deadline=None, max_examples=30)
@given(b=sizes, t=sizes, d=sizes, h=sizes, bias=st.booleans(), read=st.sampled_from(READ))
def test_states_and_gradients_are_those_of_the_steps(b, t, d, h, bias, read):
    cell = make(d, h, bias)
    found = []
    for run in (at_once, by_steps):
        x = draw(b, t, d).requires_grad_()
        state = tuple(draw(b, h, seed=s).requires_grad_() for s in (1, 2))
        output, last = run(cell, x, state)
        parts = (output, *last)
        loss = sum(
            share * (part * draw(*part.shape, seed=7)).sin().sum()
            for share, part in zip(read, parts, strict=True)
            if share
        )
        by = (x, *state, *cell.parameters())
        found.append((*parts, *torch.autograd.grad(loss, by)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def test_gradcheck_of_first_and_second_order():
    inputs = (draw(3, 2, 8), draw(8, 2, seed=1), draw(2, 2, seed=2), draw(2, 2, seed=3))
    inputs = tuple(x.requires_grad_() for x in inputs)

    def outputs(*inputs):
        return LSTMSequence.apply(*inputs)[:3]

    assert torch.autograd.gradcheck(outputs, inputs)
    assert torch.autograd.gradgradcheck(outputs, inputs)


def test_a_gradient_can_be_asked_for_again_and_of_one_input_alone():
    cell, x = make(), draw(2, 4, 2).requires_grad_()
    loss = at_once(cell, x)[0].square().sum()
    (first,) = torch.autograd.grad(loss, cell.weight_hh, retain_graph=True)
    again, by_x = torch.autograd.grad(loss, (cell.weight_hh, x))
    expected = torch.autograd.grad(by_steps(cell, x)[0].square().sum(), (cell.weight_hh, x))
    assert torch.equal(first, again)
    torch.testing.assert_close((again, by_x), expected, **EXACT)


def test_its_answers_may_be_written_on():
    """Neither the output nor the last state is needed unchanged on the way back."""
    cell, x = make(), draw(2, 4, 2)
    output, (h, c) = at_once(cell, x)
    expected = output.detach().clone().mul(3).sum() + h.detach().sum() * 2 + c.detach().sum() * 5
    total = output.mul_(3).sum() + h.mul_(2).sum() + c.mul_(5).sum()
    torch.testing.assert_close(total.detach(), expected)
    total.backward()
    found = cell.weight_hh.grad.clone()
    cell.zero_grad()
    output, (h, c) = by_steps(cell, x)
    (3 * output.sum() + 2 * h.sum() + 5 * c.sum()).backward()
    torch.testing.assert_close(found, cell.weight_hh.grad, **EXACT)


TRANSFORMS = {
    "grad": lambda loss: grad(loss),
    "vmap over inputs": lambda loss: vmap(lambda p, x: loss(p, x[None]), (None, 0)),
    "vmap of grad": lambda loss: vmap(grad(lambda p, x: loss(p, x[None])), (None, 0)),
    "jacrev": lambda loss: jacrev(loss, argnums=1),
    "jacfwd": lambda loss: jacfwd(loss, argnums=1),
    "hessian": lambda loss: hessian(loss, argnums=1),
}


# torch's forward mode loads a part of torch that complains of itself.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", TRANSFORMS)
def test_torchs_function_transforms_go_through(name):
    layer, x = rn.Recurrent(make()), draw(2, 3, 2)

    class Steps(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = layer.cell

        def forward(self, x):
            return by_steps(self.cell, x)

    def loss_of(module):
        return lambda p, x: functional_call(module, p, (x,))[0].square().sum()

    found, expected = (
        TRANSFORMS[name](loss_of(module))(dict(layer.named_parameters()), x)
        for module in (layer, Steps())
    )
    torch.testing.assert_close(found, expected, **EXACT)


def test_many_gradients_in_one_backward_pass():
    cell, x = make(), draw(1, 3, 2)
    jacobian = torch.autograd.functional.jacobian
    found, expected = (
        jacobian(lambda x, run=run: run(cell, x)[0], x, vectorize=True)
        for run in (at_once, by_steps)
    )
    torch.testing.assert_close(found, expected, **EXACT)


def test_without_gradients_it_keeps_nothing():
    cell, x = make(), draw(2, 3, 2)
    with torch.no_grad():
        output, last = rn.Recurrent(cell)(x)
        expected, expected_last = by_steps(cell, x)
    assert output.grad_fn is None
    torch.testing.assert_close((output, *last), (expected, *expected_last), **EXACT)


@pytest.mark.parametrize("method", ["step", "activations"])
@pytest.mark.parametrize("how", ["subclass", "instance"])
def test_a_method_that_somebody_changed_is_taken(method, how):
    """Gates held open: what the reader wrote runs, not the sequence in one piece."""
    plain = getattr(rn.LSTMCell, method)

    def changed(self, projected, state):
        return tuple(0.5 * part for part in plain(self, projected, state))

    cell, x = make(), draw(2, 3, 2)
    before = rn.Recurrent(cell)(x)[0]
    if how == "subclass":
        cell.__class__ = type("Changed", (rn.LSTMCell,), {method: changed})
    else:
        setattr(cell, method, changed.__get__(cell))
    after = rn.Recurrent(cell)(x)[0]
    torch.testing.assert_close(after, by_steps(cell, x)[0], **EXACT)
    assert (after - before).abs().max() > 0.01


@pytest.mark.parametrize("part", ["state", "hidden", "cell"])
def test_norms_by_lag_of_a_layer_are_those_of_its_steps_and_take_none(part, monkeypatch):
    cell, x = make(), draw(3, 6, 2)

    def loss(output):
        return (output * draw(*output.shape, seed=4)).sin().sum()

    options = {"part": part, "reduce": "none"}
    expected = rn.gradient_norms_by_lag(cell, x, loss, **options)
    monkeypatch.setattr(rn.LSTMCell, "step", None)
    found = rn.gradient_norms_by_lag(rn.Recurrent(cell), x, loss, **options)
    torch.testing.assert_close(found.values, expected.values, **EXACT)
    assert found.measured == expected.measured + " of cell"


def test_a_cell_that_is_run_twice_is_measured_in_both_runs():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = rn.Recurrent(make())

        def forward(self, x):
            first, state = self.layer(x[:, :2])
            return torch.cat([first, self.layer(x[:, 2:], state)[0]], 1)

    model, x = Twice(), draw(2, 5, 2)
    found = rn.gradient_norms_by_lag(model, x)
    expected = rn.gradient_norms_by_lag(model.layer.cell, x)
    torch.testing.assert_close(found.values, expected.values, **EXACT)
