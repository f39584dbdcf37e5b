"""Initialisations against their laws, against torch's own, and on bad input."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import rnnnotes as rn

torch.set_num_threads(1)
quick = settings(deadline=None, max_examples=25, derandomize=True)
sizes, blocks, seeds = st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32 - 1)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_uniform_fills_its_interval_evenly():
    weight = rn.uniform_(torch.empty(200, 200, dtype=torch.float64), 0.25, generator=seeded(0))
    assert weight.abs().max() <= 0.25
    # Mean 0 and variance bound^2 / 3, within 5 standard errors of 40,000 draws.
    assert abs(weight.mean().item()) < 5 * 0.25 / math.sqrt(3 * weight.numel())
    assert weight.var().item() == pytest.approx(0.25**2 / 3, rel=0.03)


def test_uniform_at_torchs_bound_has_the_radius_that_its_docstring_says():
    radii = [
        rn.spectral_radius(
            rn.uniform_(torch.empty(size, size), 1 / math.sqrt(size), generator=seeded(seed))
        ).item()
        for size in (200, 400)
        for seed in range(3)
    ]
    assert all(radius == pytest.approx(1 / math.sqrt(3), rel=0.1) for radius in radii)


def test_same_generator_same_weights_and_global_seed_untouched():
    before = torch.get_rng_state()
    makers = [
        lambda w, g: rn.uniform_(w, 0.1, generator=g),
        lambda w, g: rn.xavier_(w, blocks=2, generator=g),
        lambda w, g: rn.orthogonal_(w, blocks=2, generator=g),
    ]
    for make in makers:
        first, again, other = (make(torch.empty(6, 3), seeded(seed)) for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


@quick
@given(sizes, sizes, blocks, seeds)
def test_xavier_keeps_each_blocks_bound(rows, columns, k, seed):
    weight = rn.xavier_(torch.empty(k * rows, columns), 2.0, blocks=k, generator=seeded(seed))
    assert weight.abs().max() <= 2.0 * math.sqrt(6 / (rows + columns)) * (1 + 1e-6)


def test_xavier_variance_counts_one_block():
    weight = rn.xavier_(torch.empty(4 * 100, 50), blocks=4, generator=seeded(0))
    assert weight.var().item() == pytest.approx(2 / (100 + 50), rel=0.03)


@quick
@given(sizes, blocks, seeds)
def test_orthogonal_blocks_are_orthogonal(size, k, seed):
    weight = torch.empty(k * size, size, dtype=torch.float64)
    rn.orthogonal_(weight, 1.5, blocks=k, generator=seeded(seed))
    for block in weight.chunk(k):
        gram = block.T @ block
        torch.testing.assert_close(
            gram, 2.25 * torch.eye(size, dtype=torch.float64), rtol=0, atol=1e-12
        )


@quick
@given(sizes, blocks, st.floats(-3, 3))
def test_identity_blocks(size, k, scale):
    weight = rn.identity_(torch.full((k * size, size), 7.0), scale, blocks=k)
    assert torch.equal(weight, scale * torch.eye(size).repeat(k, 1))


@quick
@given(st.integers(2, 9), blocks, st.floats(0.01, 5), seeds)
def test_scaled_radius_is_exact_in_every_block_and_keeps_the_direction(size, k, radius, seed):
    weight = torch.randn(k * size, size, dtype=torch.float64, generator=seeded(seed))
    before = weight.clone()
    rn.scale_spectral_radius_(weight, radius, blocks=k)
    for block, old in zip(weight.chunk(k), before.chunk(k), strict=True):
        assert rn.spectral_radius(block).item() == pytest.approx(radius, rel=1e-12)
        cosine = nn.functional.cosine_similarity(block.flatten(), old.flatten(), dim=0)
        assert cosine.item() == pytest.approx(1, abs=1e-12)


def test_scaling_a_nilpotent_block_is_refused_and_changes_nothing():
    weight = torch.cat([torch.eye(2), torch.tensor([[0.0, 1.0], [0.0, 0.0]])])
    before = weight.clone()
    with pytest.raises(ValueError, match="a spectral radius above 0, got 0 in block 1"):
        rn.scale_spectral_radius_(weight, 0.9, blocks=2)
    assert torch.equal(weight, before)


def test_parameters_are_filled_in_place_and_still_learn():
    cell = rn.LSTMCell(2, 3)
    weight = cell.weight_hh
    for change in (
        lambda: rn.uniform_(weight, 0.1),
        lambda: rn.xavier_(weight, blocks=4),
        lambda: rn.orthogonal_(weight, blocks=4),
        lambda: rn.identity_(weight, blocks=4),
        lambda: rn.scale_spectral_radius_(weight, 0.5, blocks=4),
    ):
        before = weight.detach().clone()
        assert change() is weight
        assert not torch.equal(weight, before)
        assert weight.requires_grad
        assert weight.is_leaf


def forget_gate_of(module: nn.LSTM, x: torch.Tensor) -> torch.Tensor:
    """The first forget gate of a torch LSTM, measured from outside: c_1 = f c_0 + i g."""
    state = torch.zeros(1, 1, module.hidden_size)
    c = [module(x, (state, torch.full_like(state, start)))[1][1] for start in (0.0, 1.0)]
    return c[1] - c[0]


@pytest.mark.parametrize("value", [0.0, 1.0, 2.5, -1.0])
def test_forget_bias_is_what_torchs_gate_really_gets(value):
    module = rn.forget_bias_(nn.LSTM(2, 3), value)
    measured = forget_gate_of(module, torch.zeros(1, 1, 2))
    torch.testing.assert_close(measured[0, 0], torch.tensor(value).sigmoid().expand(3))


def test_forget_bias_reaches_every_layer_direction_and_submodule_and_nothing_else():
    model = nn.ModuleDict(
        {
            "fused": nn.LSTM(2, 3, num_layers=2, bidirectional=True),
            "cell": nn.LSTMCell(2, 3),
            "ours": rn.Stacked([rn.LSTMCell(2, 3), rn.Recurrent(rn.LSTMCell(3, 3))]),
            "head": nn.Linear(3, 12),
            "gru": nn.GRU(2, 4),
        }
    )
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    rn.forget_bias_(model, 1.5)
    changed = 0
    for name, parameter in model.named_parameters():
        expected = before[name]
        if "bias" in name and not name.startswith(("head", "gru")):
            expected[3:6] = 1.5 if "bias_ih" in name else 0.0
            changed += 1
        assert torch.equal(parameter, expected), name
    assert changed == 2 * (4 + 1 + 2)


def test_forget_bias_names_what_is_missing():
    with pytest.raises(ValueError, match="a forget gate 'f', got GRUCell"):
        rn.forget_bias_(rn.GRUCell(2, 3))
    with pytest.raises(ValueError, match="a forget gate with a bias, got LSTM without"):
        rn.forget_bias_(nn.LSTM(2, 3, bias=False))
    with pytest.raises(ValueError, match="value: expected a finite number, got nan"):
        rn.forget_bias_(rn.LSTMCell(2, 3), float("nan"))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: rn.uniform_(torch.empty(2, 2), 0), ValueError, "bound: .* above 0, got 0"),
        (lambda: rn.uniform_(torch.empty(2, 2), "1"), TypeError, "bound: .* above 0, got '1'"),
        (lambda: rn.uniform_([1.0], 1), TypeError, "weight: expected a torch.Tensor, got list"),
        (lambda: rn.xavier_(torch.empty(4)), ValueError, r"weight: .*\(M, N\), got \(4,\)"),
        (lambda: rn.xavier_(torch.empty(5, 2), blocks=2), ValueError, r"2 rows .*got \(5, 2\)"),
        (lambda: rn.xavier_(torch.empty(5, 2), blocks=0), ValueError, "blocks: .*got 0"),
        (lambda: rn.xavier_(torch.empty(5, 2), blocks=True), TypeError, "blocks: .*got True"),
        (lambda: rn.orthogonal_(torch.empty(2, 2), -1.0), ValueError, "gain: .*got -1.0"),
        (lambda: rn.identity_(torch.empty(8, 2)), ValueError, r"\(2, 2\) for blocks=1, got \(8"),
        (lambda: rn.identity_(torch.empty(2, 2), math.inf), ValueError, "scale: .*got inf"),
        (
            lambda: rn.scale_spectral_radius_(torch.eye(2), -0.1),
            ValueError,
            "radius: .*at least 0, got -0.1",
        ),
        (
            lambda: rn.scale_spectral_radius_(torch.eye(2, dtype=torch.int64), 1),
            TypeError,
            "weight: expected a floating type",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
