"""Layers against torch.nn in float64: depth, directions, padded batches, carried states."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import rnnnotes as rn
from rnnnotes.layers import last_of, steps_inside

torch.set_num_threads(1)
quick = settings(deadline=None, max_examples=20, derandomize=True)
sizes, seeds = st.integers(1, 5), st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-12, "atol": 1e-12}

TORCH = {
    "tanh": lambda *a, **k: nn.RNN(*a, nonlinearity="tanh", **k),
    "relu": lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}
every_kind = pytest.mark.parametrize("kind", TORCH)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def make_torch(kind: str, *args, seed: int = 0, **options) -> nn.RNNBase:
    module = TORCH[kind](*args, dtype=torch.float64, batch_first=True, **options)
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            parameter.copy_(0.5 * draw(*parameter.shape, seed=seed + number))
    return module


def lstm(d: int, h: int, seed: int = 0) -> rn.LSTMCell:
    return rn.LSTMCell(d, h, generator=seeded(seed), dtype=torch.float64)


def parts(state) -> tuple:
    return state if isinstance(state, tuple) else (state,)


def one_or_pair(tensors: tuple):
    return tensors if len(tensors) > 1 else tensors[0]


def cells_with_names(layer) -> dict[str, rn.Cell]:
    """Our cells by the suffix of torch's parameters."""
    layers = layer.layers if isinstance(layer, rn.Stacked) else [layer]
    named = {}
    for number, part in enumerate(layers):
        if isinstance(part, rn.Bidirectional):
            named[f"_l{number}"] = part.forward_cell
            named[f"_l{number}_reverse"] = part.backward_cell
        else:
            named[f"_l{number}"] = part.cell
    return named


@every_kind
@quick
@given(
    b=sizes,
    t=sizes,
    d=sizes,
    h=sizes,
    depth=st.integers(1, 3),
    both=st.booleans(),
    bias=st.booleans(),
    ragged=st.booleans(),
    carried=st.booleans(),
    seed=seeds,
)
def test_forward_and_gradients_equal_torchs(
    kind, b, t, d, h, depth, both, bias, ragged, carried, seed
):
    torchs = make_torch(kind, d, h, depth, bias=bias, bidirectional=both, seed=seed)
    ours = rn.from_torch(torchs)
    directions = 2 if both else 1
    lengths = torch.randint(1, t + 1, (b,), generator=seeded(seed)) if ragged else None
    x1, x2 = (draw(b, t, d, seed=seed).requires_grad_() for _ in range(2))
    starts = [
        tuple(
            draw(depth * directions, b, h, seed=seed + k).requires_grad_()
            for k in range(2 if kind == "lstm" else 1)
        )
        for _ in range(2)
    ]
    mine, state = ours(
        x1, rn.state_from_torch(torchs, one_or_pair(starts[0])) if carried else None, lengths
    )
    first = one_or_pair(starts[1]) if carried else None
    if ragged:
        packed = pack_padded_sequence(x2, lengths, batch_first=True, enforce_sorted=False)
        packed, theirs_last = torchs(packed, first)
        theirs, _ = pad_packed_sequence(packed, batch_first=True, total_length=t)
    else:
        theirs, theirs_last = torchs(x2, first)
    mine_last = parts(rn.state_to_torch(torchs, state))
    theirs_last = parts(theirs_last)
    torch.testing.assert_close(mine, theirs, **EXACT)
    for m, o in zip(mine_last, theirs_last, strict=True):
        torch.testing.assert_close(m, o, **EXACT)

    for output, last in ((mine, mine_last), (theirs, theirs_last)):
        loss = (output * draw(*output.shape, seed=seed + 1)).sum()
        (loss + sum((p * draw(*p.shape, seed=seed + 2)).sum() for p in last)).backward()
    torch.testing.assert_close(x1.grad, x2.grad, **EXACT)
    if carried:
        for m, o in zip(*starts, strict=True):
            torch.testing.assert_close(m.grad, o.grad, **EXACT)
    for suffix, cell in cells_with_names(ours).items():
        for name, parameter in cell.named_parameters():
            expected = torchs.get_parameter(name + suffix).grad
            torch.testing.assert_close(parameter.grad, expected, **EXACT)


@every_kind
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_there_and_back_again(kind, depth, both, bias):
    torchs = make_torch(kind, 3, 4, depth, bias=bias, bidirectional=both, dropout=0.1 * (depth > 1))
    before = torch.get_rng_state()
    back = rn.to_torch(rn.from_torch(torchs.eval()))
    assert torch.equal(before, torch.get_rng_state())
    assert repr(back) == repr(torchs)
    assert not back.training
    assert list(back.state_dict()) == list(torchs.state_dict())
    for name, weight in torchs.state_dict().items():
        assert torch.equal(back.state_dict()[name], weight), name
    x = draw(2, 5, 3)
    torch.testing.assert_close(back(x)[0], torchs(x)[0], rtol=0, atol=0)


@every_kind
def test_cells_there_and_back_again(kind):
    torch_cell = {"lstm": nn.LSTMCell, "gru": nn.GRUCell}.get(kind, nn.RNNCell)
    options = {"nonlinearity": kind} if torch_cell is nn.RNNCell else {}
    torchs = torch_cell(3, 4, bias=False, **options)
    ours = rn.from_torch(torchs)
    back = rn.to_torch(ours)
    x = torch.randn(2, 3, generator=seeded(0))
    assert repr(back) == repr(torchs)
    for mine, theirs, again in zip(parts(ours(x)), parts(torchs(x)), parts(back(x)), strict=True):
        torch.testing.assert_close(mine, theirs)
        assert torch.equal(theirs, again)


@every_kind
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
def test_a_time_first_module_loads_as_a_batch_first_layer(kind, depth, both, ragged):
    torchs = TORCH[kind](3, 4, depth, bidirectional=both, dtype=torch.float64)
    ours = rn.from_torch(torchs)
    x, lengths = draw(3, 5, 3), torch.tensor([2, 5, 1]) if ragged else None
    states = 2 * depth if both else depth
    first = tuple(draw(states, 3, 4, seed=k) for k in range(2 if kind == "lstm" else 1))
    given = x.transpose(0, 1)
    if ragged:
        given = pack_padded_sequence(given, lengths, enforce_sorted=False)
    theirs, theirs_last = torchs(given, one_or_pair(first))
    if ragged:
        theirs, _ = pad_packed_sequence(theirs)
    mine, last = ours(x, rn.state_from_torch(torchs, one_or_pair(first)), lengths)
    torch.testing.assert_close(mine, theirs.transpose(0, 1), **EXACT)
    pairs = zip(parts(rn.state_to_torch(torchs, last)), parts(theirs_last), strict=True)
    for m, o in pairs:
        torch.testing.assert_close(m, o, **EXACT)
    assert rn.to_torch(ours).batch_first


def test_loaded_weights_are_copies():
    torchs = make_torch("lstm", 3, 4)
    ours = rn.from_torch(torchs)
    before = ours.cell.weight_hh.detach().clone()
    with torch.no_grad():
        torchs.weight_hh_l0.zero_()
    assert torch.equal(ours.cell.weight_hh, before)


@pytest.mark.parametrize("make", [rn.LSTMCell, rn.GRUCell])
def test_trajectory_keeps_every_state(make):
    cell, x = make(3, 4, generator=seeded(0), dtype=torch.float64), draw(2, 6, 3)
    trajectory = rn.unroll(cell, x)
    assert len(trajectory.states) == 7
    assert trajectory.inputs is x
    state = cell.initial_state(2)
    for t in range(6):
        for kept, expected in zip(parts(trajectory.states[t]), parts(state), strict=True):
            torch.testing.assert_close(kept, expected, **EXACT)
        for name, gate in trajectory.gates().items():
            torch.testing.assert_close(gate[:, t], cell.gates(x[:, t], state)[name], **EXACT)
        state = cell(x[:, t], state)
        torch.testing.assert_close(trajectory.hidden[:, t], parts(state)[0], **EXACT)
    for kept, expected in zip(parts(trajectory.last), parts(state), strict=True):
        torch.testing.assert_close(kept, expected, **EXACT)
    again = rn.Trajectory(cell, x, trajectory.states)  # of sequences of one length
    assert torch.equal(again.hidden, trajectory.hidden)


@quick
@given(t=st.integers(2, 8), cut=st.integers(1, 7), seed=seeds)
def test_a_carried_state_continues_the_sequence(t, cut, seed):
    cut = min(cut, t - 1)
    layer = rn.Stacked([lstm(3, 4), lstm(4, 4, seed=1)])
    x = draw(2, t, 3, seed=seed)
    whole, last = layer(x)
    first, state = layer(x[:, :cut])
    second, final = layer(x[:, cut:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, **EXACT)
    torch.testing.assert_close(final, last, **EXACT)


@quick
@given(t=st.integers(1, 6), seed=seeds, cell=st.sampled_from(["lstm", "gru_before", "leaky"]))
def test_padding_is_never_read(t, seed, cell):
    makers = {
        "lstm": lambda s: lstm(3, 4, s),
        "gru_before": lambda s: rn.GRUCell(3, 4, reset="before", generator=seeded(s)).double(),
        "leaky": lambda s: rn.ElmanCell(3, 4, "leaky_relu", generator=seeded(s)).double(),
    }
    layer = rn.Stacked([rn.Bidirectional(makers[cell](0), makers[cell](1)), rn.LSTMCell(8, 2)])
    layer = layer.double()
    lengths = torch.randint(1, t + 1, (5,), generator=seeded(seed))
    x = draw(5, t, 3, seed=seed)
    output, (sides, top) = layer(x, lengths=lengths)
    for b, length in enumerate(lengths.tolist()):
        alone, (alone_sides, alone_top) = layer(x[b : b + 1, :length])
        torch.testing.assert_close(output[b, :length], alone[0], **EXACT)
        assert not output[b, length:].any()
        for mine, expected in zip((*sides, top), (*alone_sides, alone_top), strict=True):
            for m, e in zip(parts(mine), parts(expected), strict=True):
                torch.testing.assert_close(m[b], e[0], **EXACT)


def test_only_the_last_states_have_seen_both_ends():
    layer = rn.Bidirectional(lstm(3, 4), lstm(3, 4, seed=1))
    x = draw(1, 6, 3).requires_grad_()
    output, ((left, _), (right, _)) = layer(x)

    def seen(value):
        (gradient,) = torch.autograd.grad(value.sum(), x, retain_graph=True)
        return gradient.abs().sum(dim=2)[0] > 0

    assert seen(left).all()
    assert seen(right).all()
    assert seen(output[:, -1, 4:]).tolist() == [False] * 5 + [True]
    torch.testing.assert_close(right, output[:, 0, 4:], **EXACT)


def test_directions_may_differ_in_kind_and_width():
    layer = rn.Bidirectional(lstm(3, 4), rn.GRUCell(3, 2, generator=seeded(1)).double())
    output, (left, right) = layer(draw(2, 5, 3))
    torch.testing.assert_close(output[:, -1, :4], left[0], **EXACT)
    torch.testing.assert_close(output[:, 0, 4:], right, **EXACT)
    assert (layer.input_size, layer.output_size) == (3, 6)


def test_residual_adds_the_layer_below():
    cells = [lstm(3, 4), lstm(4, 4, seed=1), lstm(4, 4, seed=2)]
    x = draw(2, 5, 3)
    expected = rn.Recurrent(cells[0])(x)[0]
    for cell in cells[1:]:
        expected = rn.Recurrent(cell)(expected)[0] + expected
    torch.testing.assert_close(rn.Stacked(cells, residual=True)(x)[0], expected, **EXACT)


def test_dropout_acts_between_layers_only_while_training():
    class Probe(rn.ElmanCell):
        """Passes on its input, so that what a layer was given can be seen."""

        def step(self, projected, state):
            return projected

    def passing():
        cell = Probe(8, 8, "identity", bias=False).double()
        rn.identity_(cell.weight_ih)
        return cell

    layers = rn.Stacked([passing(), passing(), passing()], dropout=0.25, generator=seeded(0))
    x = torch.ones(40, 50, 8, dtype=torch.float64)
    output, states = layers(x)
    assert torch.equal(states[0], torch.ones_like(states[0]))
    assert output.unique().tolist() == pytest.approx([0.0, 16 / 9])
    assert (output > 0).double().mean().item() == pytest.approx(0.75**2, abs=0.02)
    assert torch.equal(layers.eval()(x)[0], x)


def test_one_layer_has_no_dropout_for_torch_which_would_warn():
    assert rn.to_torch(rn.Stacked([lstm(3, 4)], dropout=0.5)).dropout == 0.0


def test_dropout_follows_its_generator():
    def run(seed):
        layer = rn.Stacked([lstm(3, 4), lstm(4, 4)], dropout=0.5, generator=seeded(seed))
        return layer(draw(2, 5, 3))[0]

    before = torch.get_rng_state()
    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    assert torch.equal(before, torch.get_rng_state())


def test_a_stack_tells_the_width_of_its_output():
    assert rn.Stacked([lstm(3, 4), lstm(4, 5)]).output_size == 5
    assert rn.Stacked([rn.Bidirectional(lstm(3, 4), lstm(3, 6))]).output_size == 10


def test_the_last_state_is_that_at_the_sequences_end():
    states = draw(3, 5, 2)
    expected = torch.stack([states[0, 1], states[1, 4], states[2, 0]])
    assert torch.equal(last_of(states, torch.tensor([2, 5, 1])), expected)
    assert torch.equal(last_of(states), states[:, 4])


def test_lengths_may_lie_on_another_device_than_the_inputs():
    """The device "meta" has no numbers, and every machine has it."""
    x, lengths = torch.empty(2, 5, 3, device="meta"), torch.tensor([5, 2])
    left, right = (rn.LSTMCell(3, 4, device="meta") for _ in range(2))
    outputs, _ = rn.Bidirectional(left, right)(x, lengths=lengths)
    assert outputs.device.type == "meta" and outputs.shape == (2, 5, 8)
    hidden = rn.unroll(left, x, None, lengths).hidden
    assert last_of(hidden, lengths).device.type == "meta"
    assert steps_inside(torch.empty(2, dtype=torch.long, device="meta"), 5).device.type == "meta"


def test_float32_stays_float32():
    layer = rn.Stacked([rn.Bidirectional(rn.GRUCell(3, 4), rn.GRUCell(3, 4)), rn.LSTMCell(8, 2)])
    output, (sides, top) = layer(torch.zeros(2, 5, 3), lengths=torch.tensor([5, 2]))
    assert {output.dtype, sides[0].dtype, sides[1].dtype, top[1].dtype} == {torch.float32}


def test_layers_can_be_copied_and_saved():
    layer = rn.Stacked([rn.Bidirectional(lstm(3, 4), lstm(3, 4)), lstm(8, 2)])
    other = copy.deepcopy(layer)
    rn.forget_bias_(other, 3.0)
    x = draw(2, 5, 3)
    assert not torch.equal(layer(x)[0], other(x)[0])
    other.load_state_dict(layer.state_dict())
    assert torch.equal(layer(x)[0], other(x)[0])


def cannot(layer, error, message):
    return pytest.param(lambda: rn.to_torch(layer), error, message)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        cannot(rn.ElmanCell(2, 3, "leaky_relu"), ValueError, "for torch: .*got 'leaky_relu'"),
        cannot(rn.GRUCell(2, 3, reset="before"), ValueError, "for torch: .*got 'before'"),
        cannot(rn.Stacked([lstm(3, 3), lstm(3, 3)], residual=True), ValueError, "no residual sum"),
        cannot(rn.Stacked([lstm(3, 4), lstm(4, 5)]), ValueError, "cells of one form"),
        cannot(rn.Bidirectional(lstm(3, 4), rn.GRUCell(3, 4)), ValueError, "cells of one form"),
        cannot(nn.Linear(2, 2), TypeError, "layer: expected Cell, .* or Stacked, got Linear"),
        (lambda: rn.from_torch(nn.Linear(2, 2)), TypeError, "torch.nn.RNN, .*got Linear"),
        (
            lambda: rn.state_from_torch(nn.LSTMCell(3, 4), draw(2, 4)),
            TypeError,
            "^module: expected torch.nn.RNN, LSTM or GRU, got LSTMCell$",
        ),
        (
            lambda: rn.state_to_torch(nn.LSTMCell(3, 4), draw(2, 4)),
            TypeError,
            "^module: expected torch.nn.RNN, LSTM or GRU, got LSTMCell$",
        ),
        (
            lambda: rn.state_to_torch(nn.LSTM(3, 4), draw(2, 4)),
            TypeError,
            r"^state: expected a tuple \(h, c\), got Tensor$",
        ),
        (
            lambda: rn.state_to_torch(nn.LSTM(3, 4), (draw(2, 4), draw(2, 4), draw(2, 4))),
            TypeError,
            r"^state: expected a tuple \(h, c\), got tuple of 3$",
        ),
        (
            lambda: rn.state_to_torch(nn.GRU(3, 4), draw(2, 5)),
            ValueError,
            r"^state: expected shape \(B, 4\), got \(2, 5\)$",
        ),
        (
            lambda: rn.from_torch(nn.LSTM(2, 3, proj_size=1)),
            ValueError,
            "proj_size 0, got 1",
        ),
        (
            lambda: rn.state_from_torch(nn.GRU(3, 4, 2), draw(1, 2, 4)),
            ValueError,
            r"state: expected shape \(2, B, 4\), got \(1, 2, 4\)",
        ),
        (lambda: rn.unroll(lstm(3, 4), draw(2, 3)), ValueError, r"\(B, T, 3\), got \(2, 3\)"),
        (lambda: rn.unroll(lstm(3, 4), draw(2, 0, 3)), ValueError, r"empty size, got \(2, 0, 3\)"),
        (lambda: rn.unroll(lstm(3, 4), draw(2, 5, 4)), ValueError, r"got \(2, 5, 4\)"),
        (lambda: rn.unroll(lstm(3, 4), draw(2, 5, 3).float()), TypeError, "torch.float64, got"),
        (
            lambda: rn.unroll(lstm(3, 4), draw(2, 5, 3), draw(2, 4)),
            TypeError,
            r"tuple \(h, c\), got Tensor",
        ),
        (
            lambda: rn.unroll(lstm(3, 4), draw(2, 5, 3), lengths=torch.tensor([5, 0])),
            ValueError,
            "lengths: expected lengths from 1 to 5, got 0 for sequence 1",
        ),
        (
            lambda: rn.unroll(lstm(3, 4), draw(2, 5, 3), lengths=torch.tensor([6, 1])),
            ValueError,
            "lengths: expected lengths from 1 to 5, got 6 for sequence 0",
        ),
        (
            lambda: rn.unroll(lstm(3, 4), draw(2, 5, 3), lengths=torch.tensor([1, 1, 1])),
            ValueError,
            r"lengths: expected shape \(2,\), got \(3,\)",
        ),
        (
            lambda: rn.unroll(lstm(3, 4), draw(2, 5, 3), lengths=torch.tensor([1.0, 2.0])),
            TypeError,
            "lengths: expected an integer type, got dtype torch.float32",
        ),
        (
            lambda: rn.unroll(lstm(3, 4), draw(2, 5, 3), lengths=[5, 5]),
            TypeError,
            "lengths: expected a torch.Tensor, got list",
        ),
        (lambda: rn.Recurrent(nn.LSTMCell(2, 3)), TypeError, "cell: expected Cell, got LSTMCell"),
        (lambda: rn.Bidirectional(lstm(3, 4), lstm(2, 4)), ValueError, "input_size 3 .*got 2"),
        (
            lambda: rn.Bidirectional(lstm(3, 4), lstm(3, 4))(draw(2, 5, 3), draw(2, 4)),
            TypeError,
            r"tuple \(forward state, backward state\), got Tensor$",
        ),
        (lambda: rn.Stacked([]), ValueError, "layers: expected at least one layer, got none"),
        (lambda: rn.Stacked(1), TypeError, "^layers: expected cells or layers, got int$"),
        (lambda: rn.Stacked([nn.Linear(2, 2)]), TypeError, r"layers\[0\]: .*got Linear"),
        (
            lambda: rn.Stacked([lstm(3, 4), lstm(3, 4)]),
            ValueError,
            r"layers\[1\]: expected input_size 4, .*got 3",
        ),
        (
            lambda: rn.Stacked([lstm(3, 4), lstm(4, 5)], residual=True),
            ValueError,
            r"layers\[1\]: expected output size 4, .*got 5",
        ),
        (lambda: rn.Stacked([lstm(3, 4)], dropout=1.0), ValueError, "dropout: .*below 1, got 1.0"),
        (
            lambda: rn.Stacked([lstm(3, 4)])(draw(2, 5, 3), (draw(2, 4), draw(2, 4))),
            TypeError,
            "a tuple of 1 layer states, got tuple of 2$",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
