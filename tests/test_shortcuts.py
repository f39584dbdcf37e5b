"""Deep nets and attention against loops by hand, torch's attention, and closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import rnnnotes as rn

torch.set_num_threads(1)
quick = settings(deadline=None, max_examples=20, derandomize=True)
sizes, depths, seeds = st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-12, "atol": 1e-12}

SHORTCUTS = ("none", "residual", "highway", "dense")
every_shortcut = pytest.mark.parametrize("shortcut", SHORTCUTS)
every_score = pytest.mark.parametrize("score", ["additive", "dot"])
PHI = {
    "tanh": math.tanh,
    "relu": lambda a: max(a, 0.0),
    "leaky_relu": lambda a: a if a > 0 else 0.01 * a,
    "identity": lambda a: a,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def net(width: int, depth: int, nonlinearity: str = "tanh", *, seed: int = 0, **options):
    """A deep net in float64 whose biases are not zero."""
    made = rn.DeepNet(
        width, depth, nonlinearity, generator=seeded(seed), dtype=torch.float64, **options
    )
    with torch.no_grad():
        for number, (name, parameter) in enumerate(made.named_parameters()):
            if name.endswith("bias"):
                parameter.add_(draw(*parameter.shape, seed=seed + number))
    return made


def affine(weight: list, bias: list, x: list) -> list:
    """``W x + b`` of lists, number by number."""
    return [
        sum(w * value for w, value in zip(row, x, strict=True)) + b
        for row, b in zip(weight, bias, strict=True)
    ]


def by_hand(made: rn.DeepNet, x: list, nonlinearity: str) -> list[list]:
    """x_0 to x_L as the docstring's equations say, in plain Python."""
    weights = {name: value.tolist() for name, value in made.state_dict().items()}
    values = [x]
    for number in range(made.depth):
        inner = f"layers.{number}." + ("inner." if made.shortcut in ("residual", "highway") else "")
        before = values[-1]
        read = (
            [number for value in values for number in value] if made.shortcut == "dense" else before
        )
        a = affine(weights[inner + "weight"], weights[inner + "bias"], read)
        y = [PHI[nonlinearity](value) for value in a]
        if made.shortcut == "residual":
            y = [old + new for old, new in zip(before, y, strict=True)]
        if made.shortcut == "highway":
            gate = f"layers.{number}.gate."
            b = affine(weights[gate + "weight"], weights[gate + "bias"], before)
            t = [PHI["sigmoid"](value) for value in b]
            y = [s * new + (1 - s) * old for s, new, old in zip(t, y, before, strict=True)]
        values.append(y)
    return values


def jacobian(module, x: torch.Tensor) -> torch.Tensor:
    return torch.autograd.functional.jacobian(module, x)


# --- the deep net ------------------------------------------------------------------------------


@every_shortcut
@quick
@given(width=sizes, depth=depths, phi=st.sampled_from(sorted(PHI)), tied=st.booleans(), seed=seeds)
def test_every_layer_is_what_its_equation_says(shortcut, width, depth, phi, tied, seed):
    tied = tied and shortcut != "dense"
    made = net(width, depth, phi, shortcut=shortcut, tied=tied, gate_bias=-1, seed=seed)
    x = draw(3, width, seed=seed)
    activations = made.activations(x)
    assert len(activations) == depth + 1
    expected = [by_hand(made, row, phi) for row in x.tolist()]
    for number, values in enumerate(activations):
        wanted = torch.tensor([rows[number] for rows in expected], dtype=torch.float64)
        torch.testing.assert_close(values, wanted, **EXACT)
    torch.testing.assert_close(made(x), activations[-1], rtol=0, atol=0)


@every_shortcut
def test_leading_sizes_are_free(shortcut):
    made, x = net(3, 4, shortcut=shortcut), draw(2, 5, 3)
    torch.testing.assert_close(made(x).flatten(0, 1), made(x.flatten(0, 1)), **EXACT)
    torch.testing.assert_close(made(x)[1, 2], made(x[1, 2]), **EXACT)


@every_shortcut
def test_gradcheck(shortcut):
    made = net(3, 3, shortcut=shortcut, gate_bias=0.0)
    assert torch.autograd.gradcheck(made, draw(2, 3).requires_grad_())


@pytest.mark.parametrize("shortcut", SHORTCUTS[:3])
@pytest.mark.parametrize("phi", ["tanh", "relu", "sigmoid"])
def test_a_tied_nets_gradient_is_the_sum_of_its_layers(shortcut, phi):
    tied = net(4, 5, phi, shortcut=shortcut, tied=True)
    untied = net(4, 5, phi, shortcut=shortcut)
    untied.load_state_dict(tied.state_dict())
    x = draw(3, 4)
    torch.testing.assert_close(tied(x), untied(x), **EXACT)
    for module in (tied, untied):
        module(x).square().sum().backward()
    layers = list(untied.layers)
    names = [name for name, _ in layers[0].named_parameters()]
    assert len(list(tied.parameters())) == len(names)
    for name in names:
        parts = sum(layer.get_parameter(name).grad for layer in layers)
        torch.testing.assert_close(tied.layers[0].get_parameter(name).grad, parts, **EXACT)


def test_a_tied_net_is_a_recurrent_cell_without_inputs():
    made = net(4, 6, tied=True)
    cell = rn.ElmanCell(1, 4, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_hh.copy_(made.layers[0].weight)
        cell.bias_hh.copy_(made.layers[0].bias)
        cell.bias_ih.zero_()
    x = draw(2, 4)
    steps = rn.unroll(cell, torch.zeros(2, 6, 1, dtype=torch.float64), x)
    for ours, state in zip(made.activations(x), steps.states, strict=True):
        torch.testing.assert_close(ours, state, **EXACT)


@quick
@given(width=sizes, depth=depths, shortcut=st.sampled_from(SHORTCUTS), seed=seeds)
def test_the_linear_nets_jacobian_is_a_product(width, depth, shortcut, seed):
    made = net(width, depth, "identity", shortcut=shortcut, seed=seed)
    x, eye = draw(width, seed=seed), torch.eye(width, dtype=torch.float64)
    if shortcut == "highway":
        # Gates that do not depend on x.
        with torch.no_grad():
            for layer in made.layers:
                layer.gate.weight.zero_()
    products = [eye]
    for layer in made.layers:
        inner = getattr(layer, "inner", layer).weight
        if shortcut == "dense":
            step = sum(
                block @ product
                for block, product in zip(inner.split(width, 1), products, strict=True)
            )
        elif shortcut == "residual":
            step = (eye + inner) @ products[-1]
        elif shortcut == "highway":
            t = layer.gate.bias.sigmoid()[:, None]
            step = (t * inner + (1 - t) * eye) @ products[-1]
        else:
            step = inner @ products[-1]
        products.append(step)
    torch.testing.assert_close(jacobian(made, x), products[-1], rtol=1e-10, atol=1e-10)


def test_the_tied_linear_nets_jacobian_is_a_power():
    made = net(5, 9, "identity", tied=True)
    power = torch.linalg.matrix_power(made.layers[0].weight, 9)
    torch.testing.assert_close(jacobian(made, draw(5)), power, rtol=1e-11, atol=1e-11)


def test_one_call_gives_the_gradient_at_every_depth():
    made, x = net(3, 4, shortcut="dense"), draw(2, 3).requires_grad_()
    activations = made.activations(x)
    gradients = torch.autograd.grad(activations[-1].sum(), activations)
    # Layer 4 reads all before it; what comes to x_3 comes through its last block alone.
    slope = 1 - activations[-1].square()
    last_block = made.layers[-1].weight[:, -3:]
    torch.testing.assert_close(gradients[3], slope @ last_block, **EXACT)
    torch.testing.assert_close(gradients[0], torch.autograd.grad(made(x).sum(), x)[0], **EXACT)


@pytest.mark.parametrize("gate_bias", [-800.0, 800.0])
def test_a_shut_or_open_transform_gate_is_equation_4_of_the_paper(gate_bias):
    inner = rn.FeedForward(4, 4, generator=seeded(0), dtype=torch.float64)
    gate = rn.FeedForward(4, 4, "sigmoid", generator=seeded(1), dtype=torch.float64)
    layer, x = rn.Highway(inner, gate, gate_bias), draw(3, 4)
    expected = x if gate_bias < 0 else inner(x)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=0)
    slope = jacobian(layer, x[0])
    wanted = torch.eye(4, dtype=torch.float64) if gate_bias < 0 else jacobian(inner, x[0])
    torch.testing.assert_close(slope, wanted, rtol=0, atol=0)


def test_residual_goes_round_any_module():
    conv = rn.CausalConv1d(3, 3, 2, generator=seeded(0), dtype=torch.float64)
    x = draw(2, 5, 3)
    torch.testing.assert_close(rn.Residual(conv)(x), x + conv(x), rtol=0, atol=0)


# --- the start ---------------------------------------------------------------------------------


@pytest.mark.parametrize("init", ["normal", "uniform", "orthogonal"])
@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_the_weights_have_the_mean_and_variance_of_their_law(init, gain):
    d, h = 300, 200
    layer = rn.FeedForward(d, h, init=init, gain=gain, generator=seeded(0), dtype=torch.float64)
    assert not layer.bias.any()
    variance = gain**2 / d
    # 60,000 numbers: the mean within 5 standard errors, the variance within 4 %.
    assert abs(layer.weight.mean().item()) < 5 * math.sqrt(variance / (d * h))
    assert layer.weight.square().mean().item() == pytest.approx(variance, rel=0.04)
    if init == "uniform":
        assert layer.weight.abs().max() <= gain * math.sqrt(3 / d)
    if init == "orthogonal":
        gram = layer.weight @ layer.weight.t()
        torch.testing.assert_close(
            gram, gain**2 * torch.eye(h, dtype=torch.float64), rtol=0, atol=1e-10
        )


def test_torchs_own_start_is_uniform_of_gain_one_over_root_three():
    ours = rn.FeedForward(6, 4, init="uniform", gain=1 / math.sqrt(3), generator=seeded(3))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        theirs = nn.Linear(6, 4)
    torch.testing.assert_close(ours.weight, theirs.weight)


@pytest.mark.parametrize(
    ("shortcut", "phi", "gain"),
    [("none", "identity", 1.0), ("dense", "identity", 1.0), ("none", "relu", math.sqrt(2))],
)
def test_the_gain_that_keeps_the_mean_square_keeps_it(shortcut, phi, gain):
    made = rn.DeepNet(
        500, 8, phi, shortcut=shortcut, gain=gain, generator=seeded(0), dtype=torch.float64
    )
    activations = made.activations(draw(50, 500, seed=1))
    # A finite width lets it wander, with a standard deviation below sqrt(5 L / width) = 0.28.
    for values in activations[1:]:
        assert values.detach().square().mean().item() == pytest.approx(1, rel=0.4)


def test_independent_layers_differ_and_seeds_decide():
    before = torch.get_rng_state()
    for shortcut in SHORTCUTS:
        first, again, other = (
            rn.DeepNet(4, 3, shortcut=shortcut, generator=seeded(seed)) for seed in (1, 1, 2)
        )
        x = torch.ones(4)
        assert torch.equal(first(x), again(x))
        assert not torch.equal(first(x), other(x))
        weights = [p for p in first.parameters() if p.dim() == 2]
        assert len({round(w.flatten()[0].item(), 7) for w in weights}) == len(weights)
    rn.AttentionReadout(
        rn.Recurrent(rn.LSTMCell(2, 3, generator=seeded(0))), 2, generator=seeded(0)
    )
    assert torch.equal(before, torch.get_rng_state())


# --- attention ---------------------------------------------------------------------------------


def attention(score: str, h: int, a: int, seed: int = 0) -> rn.Attention:
    made = rn.Attention(h, score, a, generator=seeded(seed), dtype=torch.float64)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(3)
    return made


def random_lengths(b: int, t: int, seed: int) -> torch.Tensor:
    return torch.randint(1, t + 1, (b,), generator=seeded(seed))


@quick
@given(b=sizes, t=sizes, h=sizes, a=sizes, ragged=st.booleans(), asked=st.booleans(), seed=seeds)
def test_dot_attention_is_torchs(b, t, h, a, ragged, asked, seed):
    made, states = attention("dot", h, a, seed), draw(b, t, h, seed=seed)
    lengths = random_lengths(b, t, seed) if ragged else None
    ends = torch.full((b,), t) if lengths is None else lengths
    query = draw(b, h, seed=seed + 1) if asked else states[torch.arange(b), ends - 1]
    context, weights = made(states, lengths, query if asked else None)
    inside = torch.arange(t) < ends[:, None]
    expected = F.scaled_dot_product_attention(
        (query @ made.weight_query.t())[:, None],
        states @ made.weight_key.t(),
        states,
        attn_mask=inside[:, None],
    )[:, 0]
    torch.testing.assert_close(context, expected, **EXACT)
    torch.testing.assert_close((weights[:, :, None] * states).sum(1), context, **EXACT)


@quick
@given(b=sizes, t=sizes, h=sizes, a=sizes, seed=seeds)
def test_additive_attention_is_the_papers(b, t, h, a, seed):
    made, states = attention("additive", h, a, seed), draw(b, t, h, seed=seed)
    lengths = random_lengths(b, t, seed)
    made.requires_grad_(False)
    context, weights = made(states, lengths)
    w_q, w_k, v = made.weight_query, made.weight_key, made.weight_score
    for row in range(b):
        end = int(lengths[row])
        q = states[row, end - 1]
        e = [(v @ torch.tanh(w_q @ q + w_k @ states[row, j])).item() for j in range(end)]
        total = sum(math.exp(score) for score in e)
        alpha = [math.exp(score) / total for score in e]
        expected = sum(alpha[j] * states[row, j] for j in range(end))
        torch.testing.assert_close(context[row], expected, **EXACT)
        torch.testing.assert_close(
            weights[row], torch.tensor(alpha + [0.0] * (t - end), dtype=torch.float64), **EXACT
        )


@every_score
def test_weights_are_a_distribution_over_the_steps_inside(score):
    lengths = torch.tensor([1, 3, 6])
    states = draw(3, 6, 4)
    _, weights = attention(score, 4, 5)(states, lengths)
    torch.testing.assert_close(weights.sum(1), torch.ones(3, dtype=torch.float64), **EXACT)
    assert not weights[torch.arange(6) >= lengths[:, None]].any()
    assert (weights[torch.arange(6) < lengths[:, None]] > 0).all()
    states[0, 1:] = 1e9
    torch.testing.assert_close(attention(score, 4, 5)(states, lengths)[1], weights, rtol=0, atol=0)


@every_score
def test_attention_passes_gradcheck(score):
    made, lengths = attention(score, 3, 2), torch.tensor([2, 4])
    states = draw(2, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: tuple(made(s, lengths)), states)


@every_score
def test_equal_scores_give_every_state_the_same_gradient(score):
    made, states = attention(score, 3, 2), draw(1, 7, 3).requires_grad_()
    with torch.no_grad():
        made.weight_key.zero_()
    context, weights = made(states)
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / 7), **EXACT)
    for unit in range(3):
        (gradient,) = torch.autograd.grad(context[0, unit], states, retain_graph=True)
        expected = torch.zeros(1, 7, 3, dtype=torch.float64)
        expected[:, :, unit] = 1 / 7
        torch.testing.assert_close(gradient, expected, **EXACT)


@every_score
@pytest.mark.parametrize("both", [False, True])
def test_the_readout_joins_context_and_last_output(score, both):
    cells = [rn.GRUCell(2, 3, generator=seeded(k), dtype=torch.float64) for k in range(2)]
    layer = rn.Bidirectional(*cells) if both else rn.Recurrent(cells[0])
    model = rn.AttentionReadout(layer, 4, score, generator=seeded(2))
    x, lengths = draw(3, 6, 2), torch.tensor([6, 1, 4])
    outputs, seen = model(x, lengths), model.attend(x, lengths)
    for row, end in enumerate(lengths.tolist()):
        alone = x[row : row + 1, :end]
        torch.testing.assert_close(model(alone), outputs[row : row + 1], **EXACT)
        context, weights = model.attend(alone)
        torch.testing.assert_close(weights[0], seen.weights[row, :end], **EXACT)
        last = layer(alone)[0][:, -1]
        by_hand = torch.cat([context, last], 1) @ model.head.weight.t() + model.head.bias
        torch.testing.assert_close(outputs[row : row + 1], by_hand, **EXACT)


def test_attention_brings_the_gradient_back_where_the_recurrence_does_not():
    cell = rn.ElmanCell(2, 3, generator=seeded(0), dtype=torch.float64)
    model = rn.AttentionReadout(rn.Recurrent(cell), 1, "dot", generator=seeded(1))
    with torch.no_grad():
        cell.weight_hh.zero_()
        model.attention.weight_key.zero_()
    norms = rn.gradient_norms_by_lag(model, draw(1, 9, 2), lambda y: y.sum())
    through_context = model.head.weight[0, :3] / 9
    torch.testing.assert_close(norms[1:], through_context.norm().expand(8).detach(), **EXACT)
    torch.testing.assert_close(
        norms[0], (through_context + model.head.weight[0, 3:]).norm().detach(), **EXACT
    )


# --- bad input ---------------------------------------------------------------------------------


def cell_layer() -> rn.Recurrent:
    return rn.Recurrent(rn.ElmanCell(2, 3, generator=seeded(0)))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: rn.DeepNet(0, 2), ValueError, "width: expected a whole number of at least 1"),
        (lambda: rn.DeepNet(2, 0), ValueError, "depth: expected a whole number .*, got 0"),
        (lambda: rn.DeepNet(2, 1.5), TypeError, "depth: expected a whole number .*, got 1.5"),
        (lambda: rn.DeepNet(2, 2, "cube"), ValueError, "nonlinearity: expected one of 'tanh'"),
        (lambda: rn.DeepNet(2, 2, shortcut="x"), ValueError, "shortcut: expected one of 'none'"),
        (lambda: rn.DeepNet(2, 2, init="he"), ValueError, "init: expected one of 'normal'"),
        (lambda: rn.DeepNet(2, 2, gain=0), ValueError, "gain: expected a number above 0, got 0"),
        (
            lambda: rn.DeepNet(2, 2, shortcut="dense", tied=True),
            ValueError,
            "tied: expected False with shortcut='dense', got True",
        ),
        (
            lambda: rn.DeepNet(2, 2, shortcut="highway", gate_bias=math.nan),
            ValueError,
            "gate_bias: expected a finite number, got nan",
        ),
        (
            lambda: rn.DeepNet(3, 2)(torch.ones(4, 2)),
            ValueError,
            r"x: expected shape \(\.\.\., 3\), got \(4, 2\)",
        ),
        (
            lambda: rn.DeepNet(3, 2)(torch.ones(4, 3, dtype=torch.float64)),
            TypeError,
            "x: expected dtype torch.float32, got dtype torch.float64",
        ),
        (
            lambda: rn.Residual(nn.Linear(3, 1))(torch.ones(2, 3)),
            ValueError,
            r"output of the inner module: expected shape \(2, 3\), got \(2, 1\)",
        ),
        (
            lambda: rn.Highway(nn.Linear(3, 1), rn.FeedForward(3, 3, "sigmoid"))(torch.ones(2, 3)),
            ValueError,
            r"output of the inner module: expected shape \(2, 3\), got \(2, 1\)",
        ),
        (
            lambda: rn.Highway(nn.Linear(3, 3), rn.FeedForward(3, 3, "tanh")),
            TypeError,
            "gate: expected a sigmoid FeedForward with a bias, got FeedForward.*tanh",
        ),
        (lambda: rn.Attention(3, "sum"), ValueError, "score: expected one of 'additive', 'dot'"),
        (lambda: rn.Attention(3, attention_size=0), ValueError, "attention_size: expected a whole"),
        (
            lambda: rn.Attention(3)(torch.ones(2, 4, 5)),
            ValueError,
            r"states: expected shape \(B, T, 3\), got \(2, 4, 5\)",
        ),
        (
            lambda: rn.Attention(3)(torch.ones(2, 0, 3)),
            ValueError,
            r"states: expected shape \(B, T, 3\) without an empty size, got \(2, 0, 3\)",
        ),
        (
            lambda: rn.Attention(3)(torch.ones(2, 4, 3), torch.tensor([4, 0])),
            ValueError,
            "lengths: expected lengths from 1 to 4, got 0 for sequence 1",
        ),
        (
            lambda: rn.Attention(3)(torch.ones(2, 4, 3), query=torch.ones(1, 3)),
            ValueError,
            r"query: expected shape \(2, 3\), got \(1, 3\)",
        ),
        (
            lambda: rn.AttentionReadout(nn.LSTM(2, 3), 2),
            TypeError,
            "layer: expected Recurrent, Bidirectional or Stacked, got LSTM",
        ),
        (
            lambda: rn.AttentionReadout(cell_layer(), 0),
            ValueError,
            "output_size: expected a whole number of at least 1, got 0",
        ),
        (
            lambda: rn.AttentionReadout(cell_layer(), 1)(torch.ones(2, 4, 5)),
            ValueError,
            r"x: expected shape \(B, T, 2\), got \(2, 4, 5\)",
        ),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
