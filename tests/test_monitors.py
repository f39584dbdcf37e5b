import math

import numpy as np
import pytest
import torch
from torch import nn

import rnnnotes as rn
from rnnnotes.training.monitors import GradientMonitor, NonFinite


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def deep_net(gain, depth=40, width=16):
    """A linear chain of orthogonal matrices: each layer multiplies the gradient by the gain."""
    layers = [nn.Linear(width, width, bias=False) for _ in range(depth)]
    for layer in layers:
        rn.orthogonal_(layer.weight, gain, generator=generator())
    return nn.Sequential(*layers)


def recurrent(gain, kind="ours", hidden=8):
    """A linear RNN with an orthogonal recurrent weight times the gain: dL/dx_t ~ gain^lag."""
    cell = rn.ElmanCell(2, hidden, "identity", generator=generator())
    rn.orthogonal_(cell.weight_hh, gain, generator=generator())
    return rn.SequenceModel(rn.Recurrent(cell), 1, generator=generator())


def backward(model, steps=40, batch=3, features=2):
    x = torch.randn(batch, steps, features, generator=generator(1))
    loss = model(x).square().mean()
    loss.backward()
    return x, loss


def reader_model():
    """A model as a reader has it: nothing of ours in it."""

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(5, 4)
            self.rnn = nn.LSTM(4, 6, batch_first=True)
            self.head = nn.Linear(6, 2)

        def forward(self, tokens):
            output, _ = self.rnn(self.embedding(tokens))
            return self.head(output[:, -1])

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Tagger()


TOKENS = torch.arange(20).reshape(2, 10) % 5
LABELS = torch.tensor([0, 1])


def reader_loss(model):
    return nn.functional.cross_entropy(model(TOKENS), LABELS)


# What is recorded


def test_the_records_are_what_they_are_called():
    model = reader_model().double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    monitor = GradientMonitor(model)
    expected_norms, expected_weights = [], []
    for _ in range(3):
        optimizer.zero_grad()
        reader_loss(model).backward()
        expected_norms.append([p.grad.double().norm().item() for p in model.parameters()])
        expected_weights.append([p.detach().double().norm().item() for p in model.parameters()])
        monitor.step(optimizer)
    history = monitor.history
    assert history.names == tuple(name for name, _ in model.named_parameters())
    assert np.allclose(history.grad_norm, expected_norms, rtol=1e-12, atol=0)
    assert np.allclose(history.weight_norm, expected_weights, rtol=1e-12, atol=0)
    assert np.allclose(history.total_norm, np.linalg.norm(expected_norms, axis=1), rtol=1e-12)
    # Of plain SGD the update is lr times the gradient.
    ratio = 0.1 * np.array(expected_norms) / np.array(expected_weights)
    assert np.allclose(history.update_ratio, ratio, rtol=1e-9, atol=0)
    assert not history.nonfinite.any()


def test_observing_alone_finds_the_same_updates_as_stepping_for_the_reader():
    histories = []
    for by_step in (True, False):
        model = reader_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        monitor = GradientMonitor(model)
        for _ in range(3):
            optimizer.zero_grad()
            reader_loss(model).backward()
            if by_step:
                monitor.step(optimizer)
            else:
                monitor.observe()
                optimizer.step()
        histories.append(monitor.history)
    assert np.array_equal(histories[0].update_ratio, histories[1].update_ratio)


def test_without_an_update_there_is_no_ratio():
    model = reader_model()
    monitor = GradientMonitor(model)
    reader_loss(model).backward()
    monitor.observe()
    assert np.isnan(monitor.history.update_ratio).all()


def test_the_context_manager_observes_every_step_of_its_own_model_only():
    model, other = reader_model(), nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    foreign = torch.optim.SGD(other.parameters(), lr=0.1)
    with GradientMonitor(model) as monitor:
        for _ in range(4):
            optimizer.zero_grad()
            reader_loss(model).backward()
            optimizer.step()
            other(torch.ones(1, 2)).sum().backward()
            foreign.step()
    optimizer.step()
    history = monitor.history
    assert len(history.total_norm) == 4
    assert np.isfinite(history.update_ratio).all()


def test_in_a_context_an_observation_before_clipping_is_not_doubled():
    model = reader_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with GradientMonitor(model) as monitor:
        for _ in range(3):
            optimizer.zero_grad()
            reader_loss(model).backward()
            monitor.observe()
            rn.clip_norm_(model.parameters(), 1e-3)
            optimizer.step()
    assert len(monitor.history.total_norm) == 3
    assert (monitor.history.total_norm > 1e-3).all()
    assert np.isfinite(monitor.history.update_ratio).all()


def test_exact_zeros_are_counted_as_a_share():
    model = reader_model()
    tokens = TOKENS.clamp(max=1)  # words 2, 3 and 4 of 5 never come
    monitor = GradientMonitor(model)
    model(tokens).sum().backward()
    monitor.observe()
    zeros = dict(zip(monitor.names, monitor.history.zero_fraction[0], strict=True))
    assert zeros["embedding.weight"] == pytest.approx(3 / 5)
    assert zeros["head.weight"] == 0
    # Without any gradient all of it counts as zero.
    model.zero_grad()
    monitor.observe()
    assert (monitor.history.zero_fraction[1] == 1).all()


def test_watching_changes_neither_gradients_nor_outputs():
    plain, watched = reader_model(), reader_model()
    monitor = GradientMonitor(watched, profile_every=1)
    losses = [reader_loss(model) for model in (plain, watched)]
    for loss in losses:
        loss.backward()
    monitor.observe()
    assert losses[0].item() == losses[1].item()
    for p, q in zip(plain.parameters(), watched.parameters(), strict=True):
        assert torch.equal(p.grad, q.grad)


def test_closing_takes_the_hooks_away():
    model = reader_model()
    with GradientMonitor(model, profile_every=1) as monitor:
        assert model.rnn._forward_pre_hooks
    assert not model.rnn._forward_pre_hooks
    reader_loss(model).backward()
    monitor.observe()
    assert monitor.history.by_lag == {}


# By lag


@pytest.mark.parametrize("kind", ["ours", "torch", "torch, time first", "torch, one sequence"])
def test_the_profile_by_lag_is_the_gradient_of_the_inputs(kind):
    if kind == "ours":
        layer = rn.Recurrent(rn.GRUCell(2, 4, generator=generator()))
    else:
        layer = rn.to_torch(rn.Recurrent(rn.GRUCell(2, 4, generator=generator())))
    layer.batch_first = kind != "torch, time first"
    x = torch.randn(*((3, 7) if "one" not in kind else (7,)), 2, generator=generator())
    if kind == "torch, time first":
        x = x.transpose(0, 1)
    time = 0 if kind != "ours" and kind != "torch" else 1
    x.requires_grad_()
    monitor = GradientMonitor(layer)
    output, _ = layer(x)
    output.select(time, -1).square().sum().backward()
    monitor.observe()
    (profile,) = monitor.history.by_lag.values()
    steps = x.grad.movedim(time, 0).flatten(1)
    expected = steps.double().norm(dim=1).flip(0).numpy()
    assert np.allclose(profile, expected[None], rtol=1e-6, atol=0)


def test_inputs_that_need_no_gradient_are_followed_too():
    model = recurrent(0.5)
    monitor = GradientMonitor(model)
    x, _ = backward(model)
    assert not x.requires_grad
    monitor.observe()
    profile = monitor.history.by_lag["layer"][0]
    assert profile.shape == (40,)
    # Of an orthogonal matrix times 0.5, the state's gradient halves at every step.
    assert profile[20] / profile[0] < 0.5**20 * 100


def test_a_state_profile_is_a_matrix_power():
    """A linear RNN with W = gain Q: the gradient of h_t is exactly gain^lag of the last one's."""
    cell = rn.ElmanCell(2, 6, "identity", generator=generator(), dtype=torch.float64)
    rn.orthogonal_(cell.weight_hh, 0.9, generator=generator())
    layer = rn.Recurrent(cell)
    monitor = GradientMonitor(layer)
    trajectory = rn.unroll(cell, torch.randn(3, 12, 2, generator=generator(), dtype=torch.float64))
    monitor.watch(trajectory.states)
    trajectory.last.square().sum().backward()
    monitor.observe()
    profile = monitor.history.by_lag["states"][0]
    last = 2 * trajectory.last.norm().item()
    assert np.allclose(profile, last * 0.9 ** np.arange(12), rtol=1e-10, atol=0)


def test_watch_takes_pairs_of_an_lstm():
    cell = rn.LSTMCell(2, 3, generator=generator())
    monitor = GradientMonitor(cell)
    trajectory = rn.unroll(cell, torch.randn(2, 5, 2, generator=generator()))
    monitor.watch(trajectory.states, "lstm")
    hidden = [h for h, _ in trajectory.states[1:]]
    expected = torch.autograd.grad(hidden[-1].sum(), hidden, retain_graph=True)
    hidden[-1].sum().backward()
    monitor.observe()
    norms = [g.double().norm().item() for g in reversed(expected)]
    assert np.allclose(monitor.history.by_lag["lstm"][0], norms, rtol=1e-6)


def test_profiles_come_at_every_nth_observation_and_line_up_at_lag_zero():
    model = recurrent(1.0)
    monitor = GradientMonitor(model, profile_every=3)
    for step in range(7):
        backward(model, steps=5 + step)
        monitor.observe()
    history = monitor.history
    assert history.lag_observed_at["layer"].tolist() == [0, 3, 6]
    profile = history.by_lag["layer"]
    assert profile.shape == (3, 11)
    assert np.isnan(profile[0]).tolist() == [False] * 5 + [True] * 6
    assert not np.isnan(profile[2]).any()


def test_evaluation_and_two_directions_leave_no_profile():
    model = recurrent(1.0)
    monitor = GradientMonitor(model, profile_every=1)
    with torch.no_grad():
        model(torch.zeros(2, 5, 2))
    backward(model, steps=9)
    monitor.observe()
    assert monitor.history.by_lag["layer"].shape == (1, 9)
    both = rn.SequenceModel(nn.GRU(2, 3, batch_first=True, bidirectional=True), 1)
    monitor = GradientMonitor(both)
    backward(both)
    monitor.observe()
    assert monitor.history.by_lag == {}


# Diagnosis


@pytest.mark.parametrize(
    ("gain", "verdict"), [(0.5, "vanishing"), (1.0, "healthy"), (2.0, "exploding")]
)
def test_a_recurrent_model_is_judged_by_lag(gain, verdict):
    model = recurrent(gain)
    monitor = GradientMonitor(model)
    backward(model)
    monitor.observe()
    diagnosis = monitor.diagnosis()
    assert diagnosis.verdict == verdict
    assert "far over near gradient of the steps of layer" in str(diagnosis)


@pytest.mark.parametrize(
    ("gain", "verdict"), [(0.5, "vanishing"), (1.0, "healthy"), (2.0, "exploding")]
)
def test_a_deep_model_is_judged_by_its_first_and_last_layer(gain, verdict):
    model = deep_net(gain)
    monitor = GradientMonitor(model)
    model(torch.randn(4, 16, generator=generator())).sum().backward()
    monitor.observe()
    history = monitor.history
    assert history.layers == tuple(str(depth) for depth in range(40))
    decay = history.by_layer[0] / history.by_layer[0, -1]
    assert np.allclose(decay, gain ** np.arange(39.0, -1, -1), rtol=1e-4)
    # The weights' own gradients do not show it: small errors meet large inputs.
    assert history.grad_norm[0, 0] / history.grad_norm[0, -1] == pytest.approx(1, rel=0.5)
    diagnosis = monitor.diagnosis()
    assert diagnosis.verdict == verdict
    assert "gradient at the first layer called, 0, over the last, 39, is" in str(diagnosis)


def test_a_cell_called_in_a_loop_is_followed_call_by_call():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(2, 3)
            self.head = nn.Linear(3, 1)

        def forward(self, x):
            self.kept, state = [], None
            for x_t in x.unbind(1):
                state = self.cell(x_t, state)
                self.kept.append(state[0])
            return self.head(state[0])

    model = Loop()
    monitor = GradientMonitor(model)
    x = torch.randn(2, 4, 2, generator=generator())
    model(x)  # a forward pass without a backward one is forgotten
    output = model(x)
    grads = torch.autograd.grad(output.sum(), [*model.kept, output], retain_graph=True)
    output.sum().backward()
    monitor.observe()
    assert monitor.history.layers == ("cell",) * 4 + ("head",)
    expected = [g.double().norm().item() for g in grads]
    assert np.allclose(monitor.history.by_layer, [expected], rtol=1e-6)


@pytest.mark.parametrize("packed", [False, True])
def test_a_healthy_model_whose_layers_are_not_followed_by_lag_is_told_so(packed):
    gru = nn.GRU(2, 3, batch_first=True, bidirectional=not packed)
    model = rn.SequenceModel(gru, 1, generator=generator())
    monitor = GradientMonitor(model)
    x = torch.randn(2, 6, 2, generator=generator())
    model(x, torch.tensor([6, 4]) if packed else None).square().sum().backward()
    monitor.observe()
    assert monitor.history.by_lag == {}
    assert "no recurrent layer was followed by lag" in str(monitor.diagnosis())


@pytest.mark.parametrize("model", [recurrent(1.0), nn.Sequential(nn.Flatten(), nn.Linear(80, 1))])
def test_others_are_not(model):
    monitor = GradientMonitor(model)
    backward(model)
    monitor.observe()
    assert monitor.diagnosis().verdict == "healthy"
    assert "followed by lag" not in str(monitor.diagnosis())


def test_padding_beyond_every_end_is_not_taken_for_near_steps():
    model = recurrent(1.0)
    monitor = GradientMonitor(model)
    x = torch.randn(2, 40, 2, generator=generator())
    model(x, torch.tensor([25, 30])).square().sum().backward()
    monitor.observe()
    assert monitor.diagnosis().verdict == "healthy"
    assert (monitor.history.by_lag["layer"][0, :10] == 0).all()


@pytest.mark.parametrize(
    ("bad", "kind"),
    [([math.nan], "NaN"), ([-math.inf], "Inf"), ([math.inf, math.nan], "NaN and Inf")],
)
def test_the_first_nonfinite_gradient_is_named_with_its_step(bad, kind):
    model = reader_model()
    monitor = GradientMonitor(model)
    for step in range(4):
        model.zero_grad()
        reader_loss(model).backward()
        if step >= 2:
            model.rnn.weight_hh_l0.grad[0, :2] = torch.tensor(bad)
            model.head.bias.grad[:] = bad[0]
        monitor.observe()
    assert monitor.first_nonfinite == NonFinite(2, "rnn.weight_hh_l0.grad", 2, kind)
    assert monitor.history.nonfinite[2].sum() == 4
    assert str(monitor.diagnosis()) == (
        f"non-finite: rnn.weight_hh_l0.grad has 2 entries {kind} at step 2"
    )


def test_a_weight_that_is_not_finite_is_named_before_the_gradient_it_gives():
    model = nn.Linear(2, 1)
    monitor = GradientMonitor(model)
    with torch.no_grad():
        model.bias[0] = math.nan
    model(torch.ones(1, 2)).square().sum().backward()
    monitor.observe()
    assert monitor.first_nonfinite == NonFinite(0, "bias", 1, "NaN")
    assert monitor.diagnosis().verdict == "non-finite"


def test_a_spike_is_an_explosion_only_where_it_is_larger_than_the_weights():
    for size, verdict in ((1e3, "exploding"), (1.0, "healthy")):
        model = nn.Linear(4, 1)
        nn.init.ones_(model.weight)
        monitor = GradientMonitor(model)
        for step in range(5):
            model.weight.grad = torch.full_like(model.weight, size if step == 3 else 1e-3 * size)
            model.bias.grad = torch.zeros_like(model.bias)
            monitor.observe()
        assert monitor.diagnosis().verdict == verdict
    assert len(monitor.history.total_norm) == 5


def moved_by(monitor, model, shares):
    """Observe updates that move the weight of ones by these shares of its size."""
    for share in shares:
        model.weight.grad = torch.full_like(model.weight, 1e-3)
        monitor.observe()
        with torch.no_grad():
            model.weight *= 1 + share


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ([0.01, 0.01, 0.01, 0.2, 0.01], "exploding"),  # one update out of line
        ([0.2, 0.2, 0.2, 0.2, 0.2], "healthy"),  # large steps, but all alike
        ([0.01, 0.01, 0.01, 0.09, 0.01], "healthy"),  # out of line, and small
        ([0.2, 0.01, 0.01, 0.01, 0.01], "healthy"),  # the first has none before it
    ],
)
def test_one_update_that_moves_a_weight_far_more_than_those_before_is_an_explosion(shares, verdict):
    model = nn.Linear(4, 3, bias=False)
    nn.init.ones_(model.weight)
    monitor = GradientMonitor(model)
    moved_by(monitor, model, shares)
    diagnosis = monitor.diagnosis()
    assert diagnosis.verdict == verdict
    told = "an update moved weight by 20% of its size at step 3, above 10%"
    assert (told in diagnosis.reasons) == (verdict == "exploding")


def test_an_explosion_before_the_window_is_still_told():
    model = nn.Linear(4, 3, bias=False)
    nn.init.ones_(model.weight)
    monitor = GradientMonitor(model, window=3)
    moved_by(monitor, model, [0.01, 0.3, 0.01])
    assert monitor.diagnosis().verdict == "exploding"
    moved_by(monitor, model, [0.01, 0.01])
    diagnosis = monitor.diagnosis()
    assert diagnosis.verdict == "healthy"
    assert diagnosis.reasons[-1].startswith(
        "it exploded before that: an update moved weight by 30%"
    )


def test_a_weight_whose_updates_are_lost_in_rounding_stands_still():
    model = nn.Linear(4, 1, bias=False)
    nn.init.ones_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
    monitor = GradientMonitor(model)
    for _ in range(3):
        model.weight.grad = torch.ones_like(model.weight)
        monitor.step(optimizer)
    assert (monitor.history.update_ratio == 0).all()
    diagnosis = monitor.diagnosis()
    assert diagnosis.verdict == "vanishing"
    assert "weight stands still" in str(diagnosis)


def test_old_trouble_leaves_the_window():
    model = recurrent(0.5)
    monitor = GradientMonitor(model, window=4, profile_every=1)
    backward(model)
    monitor.observe()
    assert monitor.diagnosis().verdict == "vanishing"
    rn.orthogonal_(model.layer.cell.weight_hh, 1.0, generator=generator())
    for _ in range(4):
        model.zero_grad()
        backward(model)
        monitor.observe()
    assert monitor.diagnosis().verdict == "healthy"


def test_thresholds_are_the_readers():
    model = recurrent(0.9)
    monitor = GradientMonitor(model, vanishing_below=0.5)
    strict = GradientMonitor(model)
    backward(model)
    for each in (monitor, strict):
        each.observe()
    assert monitor.diagnosis().verdict == "vanishing"
    assert "below 0.5" in str(monitor.diagnosis())
    assert strict.diagnosis().verdict == "healthy"


def test_gradients_below_the_square_root_of_float32_are_seen():
    model = nn.Linear(2, 1, bias=False)
    monitor = GradientMonitor(model)
    model.weight.grad = torch.tensor([[3e-30, 4e-30]])
    monitor.observe()
    assert monitor.history.total_norm[0] == pytest.approx(5e-30, rel=1e-6)


def test_bad_input_is_named():
    with pytest.raises(TypeError, match=r"model: expected a torch\.nn\.Module, got int"):
        GradientMonitor(3)
    with pytest.raises(ValueError, match="expected at least one parameter that is trained"):
        GradientMonitor(nn.Tanh())
    with pytest.raises(ValueError, match="vanishing_below: expected a number above 0, got 0"):
        GradientMonitor(nn.Linear(1, 1), vanishing_below=0)
    with pytest.raises(ValueError, match="profile_every: expected a whole number of at least 1"):
        GradientMonitor(nn.Linear(1, 1), profile_every=0)
    with pytest.raises(ValueError, match="history: expected at least one observation, got none"):
        GradientMonitor(nn.Linear(1, 1)).diagnosis()
