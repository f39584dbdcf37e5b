"""The variants against the paper, one unit at a time, against torch, and on bad input."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rnnnotes as rn

torch.set_num_threads(1)
quick = settings(deadline=None, max_examples=15, derandomize=True)
sizes, seeds = st.integers(1, 5), st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-12, "atol": 1e-12}
every_variant = pytest.mark.parametrize("variant", rn.VARIANTS)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def make(variant: str, d: int = 3, h: int = 4, seed: int = 0, bias: bool = True):
    cell = rn.LSTMVariantCell(d, h, variant, bias, generator=seeded(seed), dtype=torch.float64)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.mul_(3)
    return cell


def draw_state(cell, batch_size: int, seed: int = 1) -> tuple:
    return tuple(
        draw(batch_size, cell.hidden_size, seed=seed + k) for k in range(len(cell.state_names))
    )


def sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a))


def slow_step(cell, variant: str, x: list, state: list[list]) -> list[list]:
    """Greff et al., one unit at a time, with each variant's change written out."""
    size = cell.hidden_size
    rows = {"CIFG": "igo", "NIG": "fgo", "NFG": "igo", "NOG": "ifg"}.get(variant, "ifgo")
    weights = {name: p.tolist() for name, p in cell.named_parameters()}
    h, c = state[:2]

    def net(name, j):
        row = rows.index(name) * size + j
        total = sum(w * v for w, v in zip(weights["weight_ih"][row], x, strict=True))
        total += sum(w * v for w, v in zip(weights["weight_hh"][row], h, strict=True))
        if cell.bias:
            total += weights["bias_ih"][row] + weights["bias_hh"][row]
        if variant == "FGR" and name != "g":
            before = [*state[2], *state[3], *state[4]]
            row = "ifo".index(name) * size + j
            total += sum(w * v for w, v in zip(weights["weight_gg"][row], before, strict=True))
        return total

    def peephole(name, j, value):
        return 0.0 if variant == "NP" else weights[f"peephole_{name}"][j] * value

    new = {name: [] for name in ("h", "c", "i", "f", "o")}
    for j in range(size):
        i = 1.0 if variant == "NIG" else sigmoid(net("i", j) + peephole("i", j, c[j]))
        if variant == "NFG":
            f = 1.0
        elif variant == "CIFG":
            f = 1.0 - i
        else:
            f = sigmoid(net("f", j) + peephole("f", j, c[j]))
        g = net("g", j) if variant == "NIAF" else math.tanh(net("g", j))
        c_new = f * c[j] + i * g
        o = 1.0 if variant == "NOG" else sigmoid(net("o", j) + peephole("o", j, c_new))
        shown = c_new if variant == "NOAF" else math.tanh(c_new)
        for name, value in zip(new, (o * shown, c_new, i, f, o), strict=True):
            new[name].append(value)
    return [new[name] for name in cell.state_names]


@every_variant
def test_a_variant_is_made_on_the_device_asked_for(variant):
    """The device "meta" has no numbers, and every machine has it."""
    cell = rn.LSTMVariantCell(3, 4, variant, device="meta")
    assert {p.device.type for p in cell.parameters()} == {"meta"}


@every_variant
@pytest.mark.parametrize("bias", [True, False])
def test_step_is_the_papers_equation(variant, bias):
    cell = make(variant, bias=bias)
    x, state = draw(2, 3, seed=9), draw_state(cell, 2)
    after = cell(x, state)
    assert len(after) == len(state)
    for b in range(2):
        expected = slow_step(cell, variant, x[b].tolist(), [part[b].tolist() for part in state])
        for part, values in zip(after, expected, strict=True):
            assert part[b].tolist() == pytest.approx(values, abs=1e-13)


@every_variant
def test_no_weight_is_idle(variant):
    cell = make(variant)
    trajectory = rn.unroll(cell, draw(2, 3, 3))
    trajectory.hidden.sum().backward()
    for name, parameter in cell.named_parameters():
        assert (parameter.grad.abs().sum(dim=-1) > 0).all(), name


def test_parameters_are_what_each_variant_keeps():
    d, h = 3, 4
    block, peephole = h * d + h * h + 2 * h, h
    expected = {
        "V": 4 * block + 3 * peephole,
        "NP": 4 * block,
        "CIFG": 3 * block + 2 * peephole,
        "NIG": 3 * block + 2 * peephole,
        "NFG": 3 * block + 2 * peephole,
        "NOG": 3 * block + 2 * peephole,
        "NIAF": 4 * block + 3 * peephole,
        "NOAF": 4 * block + 3 * peephole,
        "FGR": 4 * block + 3 * peephole + 9 * h * h,
    }
    counted = {v: sum(p.numel() for p in make(v).parameters()) for v in rn.VARIANTS}
    assert counted == expected


@quick
@given(b=sizes, t=sizes, d=sizes, h=sizes, seed=seeds)
def test_np_is_torchs_lstm(b, t, d, h, seed):
    ours = make("NP", d, h, seed)
    torchs = nn.LSTM(d, h, batch_first=True, dtype=torch.float64)
    torchs.load_state_dict({f"{name}_l0": w for name, w in ours.state_dict().items()})
    x, weights = draw(b, t, d, seed=seed), draw(b, t, h, seed=seed + 1)
    mine, theirs = rn.unroll(ours, x).hidden, torchs(x)[0]
    torch.testing.assert_close(mine, theirs, **EXACT)
    (mine * weights).sum().backward()
    (theirs * weights).sum().backward()
    for name, parameter in ours.named_parameters():
        gradient = torchs.get_parameter(f"{name}_l0").grad
        torch.testing.assert_close(parameter.grad, gradient, **EXACT)


@pytest.mark.parametrize("variant", ["V", "FGR"])
def test_without_its_peepholes_and_recurrent_gates_a_full_variant_is_np(variant):
    cell, plain = make(variant), make("NP")
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            if name in dict(plain.named_parameters()):
                parameter.copy_(plain.get_parameter(name))
            else:
                parameter.zero_()
    x = draw(2, 6, 3)
    torch.testing.assert_close(rn.unroll(cell, x).hidden, rn.unroll(plain, x).hidden, **EXACT)


@every_variant
def test_gradcheck(variant):
    cell = make(variant, 2, 2)
    names, weights = zip(*cell.named_parameters(), strict=True)
    state = [part.requires_grad_() for part in draw_state(cell, 1)]

    def run(x, *tensors):
        given = dict(zip(names, tensors[len(state) :], strict=True))
        return torch.func.functional_call(cell, given, (x, tuple(tensors[: len(state)])))

    assert torch.autograd.gradcheck(run, (draw(1, 2).requires_grad_(), *state, *weights))


@every_variant
def test_gates_are_all_shown_and_rebuild_the_cell_state(variant):
    cell, x = make(variant), draw(2, 5, 3)
    trajectory = rn.unroll(cell, x)
    gates = trajectory.gates()
    assert list(gates) == ["i", "f", "g", "o"]
    c = torch.stack([state[1] for state in trajectory.states], dim=1)
    torch.testing.assert_close(c[:, 1:], gates["f"] * c[:, :-1] + gates["i"] * gates["g"], **EXACT)
    missing = {"NIG": "i", "NFG": "f", "NOG": "o"}.get(variant)
    for name in "ifo":
        assert (gates[name] == 1).all() == (name == missing)
    if variant == "CIFG":
        torch.testing.assert_close(gates["f"], 1 - gates["i"], **EXACT)


@every_variant
def test_gradients_through_time_hold_for_every_variant(variant):
    cell, x = make(variant), draw(2, 5, 3)
    jacobians = rn.step_jacobians(cell, x)
    at_end = torch.zeros(2, jacobians.shape[-1], dtype=torch.float64)
    at_end[:, :4] = 0.5
    norms = rn.gradient_norms_by_lag(cell, x, reduce="none")
    for lag in range(5):
        product = rn.jacobian_product(jacobians, 5 - lag)
        expected = torch.einsum("bij,bi->bj", product, at_end).norm(dim=1)
        torch.testing.assert_close(norms[lag], expected, **EXACT)
    assert norms.measured == f"dL/d({', '.join(cell.state_names)})"
    rn.last_step_sum(rn.unroll(cell, x).hidden).backward()
    for name, parameter in cell.named_parameters():
        contributions = rn.untied_contributions(cell, x, parameter=name)
        torch.testing.assert_close(contributions.sum(0), parameter.grad, **EXACT)


def test_without_forget_gate_the_direct_path_is_a_constant_carousel():
    cell = make("NFG")
    with torch.no_grad():
        for name in "io":
            cell.get_parameter(f"peephole_{name}").zero_()
    direct = rn.direct_path(cell, draw(2, 50, 3)).direct
    assert torch.equal(direct, direct[0].expand_as(direct))


@every_variant
def test_start_follows_its_generator_and_layers_take_it(variant):
    before = torch.get_rng_state()
    first, again, other = (
        rn.LSTMVariantCell(3, 9, variant, generator=seeded(s)) for s in (1, 1, 2)
    )
    assert torch.equal(before, torch.get_rng_state())
    for name, parameter in first.named_parameters():
        assert torch.equal(parameter, again.get_parameter(name))
        assert not torch.equal(parameter, other.get_parameter(name))
        assert parameter.abs().max() <= 1 / 3
    first.reset_parameters(seeded(2))
    for name, parameter in first.named_parameters():
        assert torch.equal(parameter, other.get_parameter(name))
    lengths = torch.tensor([4, 2])
    x = torch.randn(2, 4, 3, generator=seeded(0))
    output, _ = rn.Recurrent(first)(x, lengths=lengths)
    alone, _ = rn.Recurrent(first)(x[1:, :2])
    torch.testing.assert_close(output[1, :2], alone[0])


def test_forget_bias_goes_to_the_forget_gate_where_there_is_one():
    cell = rn.forget_bias_(make("NIG"), 2.0)
    assert torch.equal(cell.bias_ih[:4] + cell.bias_hh[:4], torch.full((4,), 2.0).double())
    for variant in ("NFG", "CIFG"):
        with pytest.raises(ValueError, match="with a forget gate 'f', got LSTMVariantCell"):
            rn.forget_bias_(make(variant))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: rn.LSTMVariantCell(3, 4, "XYZ"), ValueError, "variant: .*'FGR', got 'XYZ'"),
        (
            lambda: make("FGR")(draw(2, 3), (draw(2, 4), draw(2, 4))),
            TypeError,
            r"a tuple \(h, c, i, f, o\), got tuple of 2",
        ),
        (lambda: rn.to_torch(rn.Recurrent(make("V"))), ValueError, "got LSTMVariantCell"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_table_of_variants_cannot_be_changed():
    assert list(rn.VARIANTS) == ["V", "NP", "CIFG", "NIG", "NFG", "NOG", "NIAF", "NOAF", "FGR"]
    with pytest.raises(TypeError):
        rn.VARIANTS["X"] = "new"
    assert repr(make("NOG")) == "LSTMVariantCell(3, 4, variant='NOG')"
