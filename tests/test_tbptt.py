import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rnnnotes as rn
from rnnnotes.training.tbptt import Window, detach_state, truncated_backward, truncation_windows


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def layer_of(kind):
    options = {"generator": generator(), "dtype": torch.float64}
    if kind == "torch LSTM":
        return rn.to_torch(rn.Recurrent(rn.LSTMCell(2, 3, **options)))
    if kind == "stacked":
        return rn.Stacked([rn.LSTMCell(2, 3, **options), rn.GRUCell(3, 3, **options)])
    cell = {"LSTM": rn.LSTMCell, "GRU": rn.GRUCell, "Elman": rn.ElmanCell}[kind]
    return rn.Recurrent(cell(2, 3, **options))


every_layer = pytest.mark.parametrize("kind", ["Elman", "GRU", "LSTM", "torch LSTM", "stacked"])


def inputs_of(steps, batch=2):
    return torch.randn(batch, steps, 2, generator=generator(1), dtype=torch.float64)


def loss_of(output, first, end):
    """A loss that tells the steps apart, so that a shifted window would show."""
    weights = torch.arange(first, end, dtype=output.dtype) + 1
    return (output.square().sum(2) * weights).sum()


def gradients(layer):
    return torch.cat([p.grad.flatten() for p in layer.parameters()])


# Windows


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 12))
@settings(deadline=None)
def test_windows_cover_every_loss_once_and_reach_k2_steps_back(length, k1, more):
    k2 = k1 + more
    windows = truncation_windows(length, k1, k2)
    lossy = [t for window in windows for t in range(window.first, window.end)]
    assert lossy == list(range(length))
    for window in windows:
        assert window.end - window.first <= k1
        assert window.end - window.start == min(k2, window.end)
        assert window.start <= window.first


def test_windows_by_hand():
    assert truncation_windows(7, 3, 3) == [Window(0, 0, 3), Window(3, 3, 6), Window(4, 6, 7)]
    assert truncation_windows(4, 1, 3) == [(0, 0, 1), (0, 1, 2), (0, 2, 3), (1, 3, 4)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, 1), "length: expected a whole number of at least 1, got 0"),
        ((5, 0, 1), "k1: expected a whole number of at least 1, got 0"),
        ((5, 3, 2), "k2: expected a whole number of at least 3, got 2"),
    ],
)
def test_bad_windows_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        truncation_windows(*arguments)


# Gradients


@every_layer
@pytest.mark.parametrize("k1", [7, 10])
def test_a_window_as_long_as_the_sequence_is_full_backpropagation(kind, k1):
    layer, x = layer_of(kind), inputs_of(7)
    loss, _ = truncated_backward(layer, x, loss_of, k1=k1, k2=10)
    truncated = gradients(layer)
    layer.zero_grad()
    full = loss_of(layer(x)[0], 0, 7)
    full.backward()
    assert loss == pytest.approx(full.item(), rel=1e-12)
    assert torch.allclose(truncated, gradients(layer), rtol=1e-10, atol=1e-12)


def plain_truncation(layer, x, k1, k2):
    """The definition: for each window, run to its start without gradient, then on with it."""
    steps = x.shape[1]
    for first in range(0, steps, k1):
        end = min(steps, first + k1)
        start = max(0, end - k2)
        state = None
        with torch.no_grad():
            for t in range(start):
                _, state = layer(x[:, t : t + 1], state)
        outputs = []
        for t in range(start, end):
            output, state = layer(x[:, t : t + 1], state)
            outputs.append(output)
        loss_of(torch.cat(outputs[first - start :], 1), first, end).backward()


@every_layer
@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (1, 4), (3, 3), (2, 5), (3, 4), (4, 6)])
def test_the_gradient_is_that_of_the_definition(kind, k1, k2):
    layer, x = layer_of(kind), inputs_of(8)
    truncated_backward(layer, x, loss_of, k1=k1, k2=k2)
    ours = gradients(layer)
    layer.zero_grad()
    plain_truncation(layer, x, k1, k2)
    assert torch.allclose(ours, gradients(layer), rtol=1e-10, atol=1e-12)


@given(st.integers(1, 10), st.integers(1, 10), st.integers(0, 5))
@settings(deadline=None, max_examples=30)
def test_a_scalar_linear_net_has_the_closed_form(steps, k1, more):
    """h_t = w h_{t-1} + x_t from h_0 = 0 with the loss sum_t h_t.

    Full BPTT gives dh_t/dw = sum_k w^(t-k) h_{k-1} over k = 1 ... t; truncated, k starts in the
    window of t.
    """
    w, k2 = 0.7, k1 + more
    cell = rn.ElmanCell(1, 1, "identity", bias=False, dtype=torch.float64, generator=generator())
    nn.init.constant_(cell.weight_hh, w)
    nn.init.ones_(cell.weight_ih)
    x = torch.randn(1, steps, 1, generator=generator(), dtype=torch.float64)
    h = [0.0]
    for value in x.flatten().tolist():
        h.append(w * h[-1] + value)
    expected = sum(
        w ** (t - k) * h[k - 1]
        for start, first, end in truncation_windows(steps, k1, k2)
        for t in range(first + 1, end + 1)
        for k in range(start + 1, t + 1)
    )
    layer = rn.Recurrent(cell)
    truncated_backward(layer, x, lambda output, first, end: output.sum(), k1=k1, k2=k2)
    assert cell.weight_hh.grad.item() == pytest.approx(expected, rel=1e-10, abs=1e-12)


# State


@every_layer
def test_the_state_is_carried_from_call_to_call(kind):
    x = inputs_of(8)
    once, twice = layer_of(kind), layer_of(kind)
    total, last = truncated_backward(once, x, loss_of, k1=2, k2=2)
    first, state = truncated_backward(twice, x[:, :4], loss_of, k1=2, k2=2)
    second, state = truncated_backward(
        twice,
        x[:, 4:],
        lambda output, first, end: loss_of(output, first + 4, end + 4),
        k1=2,
        k2=2,
        state=state,
    )
    assert first + second == pytest.approx(total, rel=1e-12)
    assert torch.allclose(gradients(once), gradients(twice), rtol=1e-12, atol=1e-14)
    for ours, expected in zip(flat(state), flat(last), strict=True):
        assert torch.allclose(ours, expected, rtol=0, atol=1e-14)
        assert not ours.requires_grad


def flat(state):
    if isinstance(state, tuple):
        return [tensor for part in state for tensor in flat(part)]
    return [state]


def test_no_gradient_flows_into_the_carried_state():
    layer = layer_of("LSTM")
    state = tuple(torch.ones(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    truncated_backward(layer, inputs_of(3), loss_of, k1=3, k2=3, state=state)
    assert all(part.grad is None for part in state)


def test_detaching_keeps_the_form_and_the_values():
    h = torch.ones(2, requires_grad=True) * 2
    state = (h, (h + 1, None))
    detached = detach_state(state)
    assert torch.equal(detached[0], h.detach())
    assert torch.equal(detached[1][0], (h + 1).detach())
    assert detached[1][1] is None
    assert not detached[0].requires_grad
    assert not detached[1][0].requires_grad
    with pytest.raises(
        TypeError, match=r"^state: expected a tensor, or a tuple of tensors, got list$"
    ):
        detach_state([h])


def test_after_window_may_update_the_weights_between_windows():
    """The same as windows of a loop written out, with SGD between them and the state carried."""
    ours, plain = layer_of("GRU"), layer_of("GRU")
    x = inputs_of(6)
    optimizer = torch.optim.SGD(ours.parameters(), lr=0.01)

    def update():
        optimizer.step()
        optimizer.zero_grad()

    truncated_backward(ours, x, loss_of, k1=2, k2=2, after_window=update)
    optimizer, state = torch.optim.SGD(plain.parameters(), lr=0.01), None
    for first in (0, 2, 4):
        output, state = plain(x[:, first : first + 2], state)
        loss_of(output, first, first + 2).backward()
        optimizer.step()
        optimizer.zero_grad()
        state = state.detach()
    for p, q in zip(ours.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(p, q, rtol=1e-12, atol=1e-14)


def test_what_lies_further_back_than_k2_leaves_no_trace():
    """Only the first input counts, and the loss is at the last step: shorter windows miss it."""
    x = torch.zeros(2, 6, 2, dtype=torch.float64)
    x[:, 0] = 1.0
    for k2, seen in ((5, False), (6, True)):
        layer = layer_of("Elman")
        truncated_backward(
            layer,
            x,
            lambda output, first, end: output[:, -1].sum() * (end == 6),
            k1=1,
            k2=k2,
        )
        assert bool(layer.cell.weight_ih.grad.any()) is seen


def test_bad_inputs_are_named():
    with pytest.raises(ValueError, match=r"inputs: expected shape \(B, T, D\), got \(3, 2\)"):
        truncated_backward(layer_of("GRU"), torch.zeros(3, 2), loss_of, k1=1, k2=1)

    def whole(output, first, end):
        return output.sum().long()

    with pytest.raises(TypeError, match=r"^window_loss: expected a floating type, got .*int64$"):
        truncated_backward(layer_of("GRU"), torch.zeros(3, 2, 2).double(), whole, k1=1, k2=1)
