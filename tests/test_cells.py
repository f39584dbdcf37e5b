"""One step of each cell: torch's cells, slow loops over single units, and closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rnnnotes as rn

torch.set_num_threads(1)
quick = settings(deadline=None, max_examples=25, derandomize=True)
sizes, seeds = st.integers(1, 6), st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-12, "atol": 1e-12}

CELLS = {
    "tanh": lambda d, h, **k: rn.ElmanCell(d, h, "tanh", **k),
    "relu": lambda d, h, **k: rn.ElmanCell(d, h, "relu", **k),
    "leaky_relu": lambda d, h, **k: rn.ElmanCell(d, h, "leaky_relu", **k),
    "identity": lambda d, h, **k: rn.ElmanCell(d, h, "identity", **k),
    "lstm": lambda d, h, **k: rn.LSTMCell(d, h, **k),
    "gru": lambda d, h, **k: rn.GRUCell(d, h, **k),
    "gru_before": lambda d, h, **k: rn.GRUCell(d, h, reset="before", **k),
}
TORCH_CELLS = {
    "tanh": lambda d, h, **k: nn.RNNCell(d, h, nonlinearity="tanh", **k),
    "relu": lambda d, h, **k: nn.RNNCell(d, h, nonlinearity="relu", **k),
    "lstm": nn.LSTMCell,
    "gru": nn.GRUCell,
}
every_cell = pytest.mark.parametrize("kind", CELLS)
every_torch_cell = pytest.mark.parametrize("kind", TORCH_CELLS)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def make(kind: str, d: int = 3, h: int = 4, seed: int = 0, **options) -> rn.Cell:
    return CELLS[kind](d, h, generator=seeded(seed), dtype=torch.float64, **options)


def draw_state(cell: rn.Cell, batch_size: int, seed: int = 1):
    parts = tuple(
        draw(batch_size, cell.hidden_size, seed=seed + k) for k in range(len(cell.state_names))
    )
    return parts if len(parts) > 1 else parts[0]


def sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a))


def slow_step(cell: rn.Cell, kind: str, x: list, h: list, c: list | None) -> tuple[list, list]:
    """The docstrings' equations, one unit at a time, without torch."""
    size = cell.hidden_size
    zeros = [0.0] * len(cell.weight_ih)
    b_ih = cell.bias_ih.tolist() if cell.bias else zeros
    b_hh = cell.bias_hh.tolist() if cell.bias else zeros
    w_ih, w_hh = cell.weight_ih.tolist(), cell.weight_hh.tolist()

    def from_x(block, j):
        row = block * size + j
        return sum(w * v for w, v in zip(w_ih[row], x, strict=True)) + b_ih[row]

    def from_h(block, j, h):
        row = block * size + j
        return sum(w * v for w, v in zip(w_hh[row], h, strict=True)) + b_hh[row]

    def both(block, j):
        return from_x(block, j) + from_h(block, j, h)

    units = range(size)
    if kind == "lstm":
        new_c = [
            sigmoid(both(1, j)) * c[j] + sigmoid(both(0, j)) * math.tanh(both(2, j)) for j in units
        ]
        return [sigmoid(both(3, j)) * math.tanh(new_c[j]) for j in units], new_c
    if kind.startswith("gru"):
        r = [sigmoid(both(0, j)) for j in units]
        z = [sigmoid(both(1, j)) for j in units]
        if kind == "gru":
            n = [math.tanh(from_x(2, j) + r[j] * from_h(2, j, h)) for j in units]
        else:
            reset = [r[j] * h[j] for j in units]
            n = [math.tanh(from_x(2, j) + from_h(2, j, reset)) for j in units]
        return [(1 - z[j]) * n[j] + z[j] * h[j] for j in units], None
    phi = {
        "tanh": math.tanh,
        "relu": lambda a: max(a, 0.0),
        "leaky_relu": lambda a: a if a > 0 else 0.01 * a,
        "identity": lambda a: a,
    }[kind]
    return [phi(both(0, j)) for j in units], None


@every_cell
@pytest.mark.parametrize("bias", [True, False])
def test_step_is_the_docstrings_equation(kind, bias):
    cell = make(kind, bias=bias)
    x, state = draw(2, 3, seed=9), draw_state(cell, 2)
    after = cell.parts(cell(x, state))
    for b in range(2):
        before = [part[b].tolist() for part in cell.parts(state)]
        c0 = before[1] if len(before) > 1 else None
        h, c = slow_step(cell, kind, x[b].tolist(), before[0], c0)
        assert after[0][b].tolist() == pytest.approx(h, abs=1e-13)
        if c is not None:
            assert after[1][b].tolist() == pytest.approx(c, abs=1e-13)


@every_torch_cell
@quick
@given(b=sizes, d=sizes, h=sizes, bias=st.booleans(), seed=seeds)
def test_step_and_gradients_equal_torchs(kind, b, d, h, bias, seed):
    ours = make(kind, d, h, seed, bias=bias)
    torchs = TORCH_CELLS[kind](d, h, bias=bias, dtype=torch.float64)
    torchs.load_state_dict(ours.state_dict())
    x = draw(b, d, seed=seed + 1)
    results = []
    for cell in (ours, torchs):
        x_in = x.clone().requires_grad_()
        start = draw_state(ours, b, seed=seed + 2)
        start_parts = [p.requires_grad_() for p in ours.parts(start)]
        after = ours.parts(cell(x_in, start))
        loss = sum((part * draw(b, h, seed=seed + 5)).sum() for part in after)
        loss.backward()
        weights = dict(cell.named_parameters())
        results.append(
            [*after, x_in.grad, *(p.grad for p in start_parts)]
            + [weights[name].grad for name in sorted(weights)]
        )
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, **EXACT)


@every_torch_cell
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_same_generator_gives_torchs_start(kind, dtype):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        torchs = TORCH_CELLS[kind](3, 5, dtype=dtype)
    ours = CELLS[kind](3, 5, generator=seeded(3), dtype=dtype)
    assert list(dict(ours.named_parameters())) == list(dict(torchs.named_parameters()))
    for name, parameter in ours.named_parameters():
        assert torch.equal(parameter, torchs.get_parameter(name)), name
        assert parameter.dtype == dtype


@every_cell
def test_without_a_state_it_starts_from_zeros(kind):
    for dtype in (torch.float32, torch.float64):
        cell = make(kind).to(dtype)
        x = draw(2, 3).to(dtype)
        zeros = tuple(torch.zeros(2, 4, dtype=dtype) for _ in cell.state_names)
        given = cell(x, zeros if len(zeros) > 1 else zeros[0])
        for mine, expected in zip(cell.parts(cell(x)), cell.parts(given), strict=True):
            assert torch.equal(mine, expected)
            assert mine.dtype == dtype
    like = torch.empty(0, dtype=torch.float16)
    assert all(part.dtype == like.dtype for part in cell.parts(cell.initial_state(3, like=like)))


@every_cell
def test_gradcheck(kind):
    cell = make(kind, 2, 3)
    state = tuple(part.requires_grad_() for part in cell.parts(draw_state(cell, 2)))
    names, weights = zip(*cell.named_parameters(), strict=True)

    def run(x, *tensors):
        state, given = tensors[: len(cell.state_names)], tensors[len(cell.state_names) :]
        after = torch.func.functional_call(
            cell,
            dict(zip(names, given, strict=True)),
            (x, state if len(state) > 1 else state[0]),
        )
        return after

    x = draw(2, 2, seed=4).requires_grad_()
    assert torch.autograd.gradcheck(run, (x, *state, *weights))


@every_cell
def test_projected_input_is_all_that_a_step_needs_of_x(kind):
    cell = make(kind)
    x, state = draw(2, 5, 3), draw_state(cell, 2)
    projected = cell.project_input(x)
    assert projected.shape == (2, 5, cell.blocks * 4)
    for t in range(5):
        stepped = cell.step(projected[:, t], state)
        for mine, expected in zip(
            cell.parts(stepped), cell.parts(cell(x[:, t], state)), strict=True
        ):
            torch.testing.assert_close(mine, expected, **EXACT)


def test_gates_rebuild_the_lstms_state():
    cell = make("lstm")
    x, (h, c) = draw(2, 3), draw_state(make("lstm"), 2)
    gates = cell.gates(x, (h, c))
    assert list(gates) == ["i", "f", "g", "o"]
    new_h, new_c = cell(x, (h, c))
    torch.testing.assert_close(new_c, gates["f"] * c + gates["i"] * gates["g"], **EXACT)
    torch.testing.assert_close(new_h, gates["o"] * new_c.tanh(), **EXACT)


@pytest.mark.parametrize("kind", ["gru", "gru_before"])
def test_gates_rebuild_the_grus_state(kind):
    cell = make(kind)
    x, h = draw(2, 3), draw(2, 4, seed=1)
    gates = cell.gates(x, h)
    assert list(gates) == ["r", "z", "n"]
    mixed = (1 - gates["z"]) * gates["n"] + gates["z"] * h
    torch.testing.assert_close(cell(x, h), mixed, **EXACT)


@pytest.mark.parametrize("kind", ["lstm", "gru", "gru_before", "tanh"])
def test_gates_take_any_leading_shape(kind):
    cell = make(kind)
    x = draw(2, 5, 3)
    states = [tuple(draw(2, 5, 4, seed=s) for s in range(len(cell.state_names)))]
    state = states[0] if len(states[0]) > 1 else states[0][0]
    whole = cell.gates(x, state)
    assert set(whole) == set(cell.gate_names)
    for b, t in ((0, 0), (1, 4)):
        one = tuple(part[b, t][None] for part in states[0])
        single = cell.gates(x[b, t][None], one if len(one) > 1 else one[0])
        for name in cell.gate_names:
            torch.testing.assert_close(whole[name][b, t], single[name][0], **EXACT)


def test_a_cell_must_give_as_many_gates_as_it_names():
    class Nameless(rn.ElmanCell):
        gate_names = ("a", "b")

        def activations(self, projected, state):
            return (state,)

    cell = Nameless(3, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match="shorter"):
        cell.gates(draw(2, 3), draw(2, 4))


def test_open_gates_carry_and_closed_gates_wipe():
    cell = make("lstm", bias=True)
    c = draw(2, 4)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        i, f = cell.bias_ih[0:4], cell.bias_ih[4:8]
        i.fill_(-1000)
        f.fill_(1000)
        _, kept = cell(draw(2, 3), (draw(2, 4), c))
        f.fill_(-1000)
        _, wiped = cell(draw(2, 3), (draw(2, 4), c))
    assert torch.equal(kept, c)
    assert torch.equal(wiped, torch.zeros_like(c))


@quick
@given(st.integers(1, 8), st.integers(1, 20), seeds)
def test_irnn_adds_up_what_is_not_negative(size, steps, seed):
    cell = rn.irnn(3, size, input_std=0.5, generator=seeded(seed), dtype=torch.float64)
    with torch.no_grad():
        cell.weight_ih.abs_()
    x = draw(2, steps, 3, seed=seed).abs()
    state = torch.zeros(2, size, dtype=torch.float64)
    for t in range(steps):
        state = cell(x[:, t], state)
    torch.testing.assert_close(state, x.sum(dim=1) @ cell.weight_ih.T, **EXACT)


def test_irnn_start():
    cell = rn.irnn(50, 400, scale=0.5, generator=seeded(0))
    assert torch.equal(cell.weight_hh, 0.5 * torch.eye(400))
    assert not cell.bias_ih.any()
    assert not cell.bias_hh.any()
    assert cell.weight_ih.std().item() == pytest.approx(0.001, rel=0.03)
    assert cell.nonlinearity == "relu"
    assert torch.equal(cell.weight_ih, rn.irnn(50, 400, generator=seeded(0)).weight_ih)
    assert not rn.irnn(2, 3, input_std=0).weight_ih.any()


@every_cell
def test_a_cell_survives_saving_and_copying(kind, tmp_path):
    cell, other = make(kind), make(kind, seed=1)
    torch.save(cell.state_dict(), tmp_path / "cell.pt")
    other.load_state_dict(torch.load(tmp_path / "cell.pt"))
    x = draw(2, 3)
    for mine, loaded in zip(cell.parts(cell(x)), cell.parts(other(x)), strict=True):
        assert torch.equal(mine, loaded)


def test_reset_parameters_is_the_start_again():
    cell = make("gru", seed=7)
    start = {name: p.detach().clone() for name, p in cell.named_parameters()}
    cell.reset_parameters(seeded(8))
    assert not torch.equal(cell.weight_hh, start["weight_hh"])
    cell.reset_parameters(seeded(7))
    assert all(torch.equal(p, start[name]) for name, p in cell.named_parameters())


@every_cell
def test_a_cell_is_made_on_the_device_asked_for(kind):
    """The device "meta" has no numbers, and every machine has it."""
    cell = CELLS[kind](3, 4, device="meta")
    assert {p.device.type for p in cell.parameters()} == {"meta"}
    assert {p.device.type for p in rn.irnn(3, 4, device="meta").parameters()} == {"meta"}


def test_repr_tells_cells_apart():
    assert repr(make("relu")) == "ElmanCell(3, 4, nonlinearity='relu')"
    assert repr(make("gru_before", bias=False)) == "GRUCell(3, 4, bias=False, reset='before')"
    assert repr(make("lstm")) == "LSTMCell(3, 4)"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: rn.ElmanCell(0, 3), ValueError, "input_size: .*at least 1, got 0"),
        (lambda: rn.ElmanCell(3, 2.0), TypeError, "hidden_size: .*got 2.0"),
        (lambda: rn.ElmanCell(3, 2, "sine"), ValueError, "nonlinearity: .*'tanh', .*got 'sine'"),
        (lambda: rn.GRUCell(3, 2, reset="never"), ValueError, "reset: .*'after', 'before', got"),
        (lambda: rn.irnn(3, 2, input_std=-1), ValueError, "input_std: .*at least 0, got -1"),
        (lambda: make("tanh")(draw(2, 5)), ValueError, r"x: expected shape \(B, 3\), got \(2, 5\)"),
        (lambda: make("tanh")(draw(3)), ValueError, r"x: expected shape \(B, 3\), got \(3,\)"),
        (lambda: make("tanh")(draw(0, 3)), ValueError, r"empty size, got \(0, 3\)"),
        (lambda: make("tanh")([1.0]), TypeError, "x: expected a torch.Tensor, got list"),
        (
            lambda: make("tanh")(draw(2, 3).float()),
            TypeError,
            "x: expected dtype torch.float64, got dtype torch.float32",
        ),
        (
            lambda: make("tanh")(draw(2, 3), draw(5, 4)),
            ValueError,
            r"state h: expected shape \(2, 4\), got \(5, 4\)",
        ),
        (
            lambda: make("tanh")(draw(2, 3), (draw(2, 4),)),
            TypeError,
            "state: expected a tensor h, got tuple of 1$",
        ),
        (
            lambda: make("lstm")(draw(2, 3), draw(2, 4)),
            TypeError,
            r"state: expected a tuple \(h, c\), got Tensor$",
        ),
        (
            lambda: make("lstm")(draw(2, 3), (draw(2, 4), draw(2, 5))),
            ValueError,
            r"state c: expected shape \(2, 4\), got \(2, 5\)",
        ),
        (lambda: make("lstm").initial_state(0), ValueError, "batch_size: .*at least 1, got 0"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
