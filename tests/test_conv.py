"""Convolutions against torch's, loops by hand and gradients: who sees what, never the future."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import rnnnotes as rn

quick = settings(deadline=None, max_examples=25, derandomize=True)
sizes, seeds = st.integers(1, 5), st.integers(0, 2**32 - 1)
kernels, dilations = st.integers(1, 4), st.integers(1, 4)
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def causal(d: int, h: int, k: int, dilation: int = 1, seed: int = 0, **options):
    return rn.CausalConv1d(
        d, h, k, dilation, generator=seeded(seed), dtype=torch.float64, **options
    )


def tcn(d: int, channels: list[int], k: int = 2, seed: int = 0, **options) -> rn.TemporalConvNet:
    return rn.TemporalConvNet(
        d, channels, k, generator=seeded(seed), dtype=torch.float64, **options
    )


def text_cnn(d: int, channels: int, out: int, widths=(3, 4, 5), seed: int = 0, **options):
    return rn.TextCNN(
        d, channels, out, widths, generator=seeded(seed), dtype=torch.float64, **options
    )


def dependence(module, x: torch.Tensor) -> torch.Tensor:
    """Whether output t depends on input s, by gradients, (T, T)."""
    x = x.clone().requires_grad_()
    y = module(x)
    rows = [
        torch.autograd.grad(y[:, t].cos().sum(), x, retain_graph=True)[0].ne(0).any(2).any(0)
        for t in range(x.shape[1])
    ]
    return torch.stack(rows)


# --- one causal convolution --------------------------------------------------------------------


@quick
@given(b=sizes, t=sizes, d=sizes, h=sizes, k=kernels, dil=dilations, bias=st.booleans(), seed=seeds)
def test_equals_torchs_convolution_with_zeros_on_the_left(b, t, d, h, k, dil, bias, seed):
    ours = causal(d, h, k, dil, seed, bias=bias)
    left = nn.ZeroPad1d(((k - 1) * dil, 0))
    torchs = nn.Sequential(left, nn.Conv1d(d, h, k, dilation=dil, bias=bias, dtype=torch.float64))
    torchs[1].load_state_dict(ours.state_dict())
    x1, x2 = (draw(b, t, d, seed=seed).requires_grad_() for _ in range(2))
    y1, y2 = ours(x1), torchs(x2.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(y1, y2, **EXACT)
    for y in (y1, y2):
        (y * draw(*y.shape, seed=seed + 1)).sum().backward()
    torch.testing.assert_close(x1.grad, x2.grad, **EXACT)
    torch.testing.assert_close(ours.weight.grad, torchs[1].weight.grad, **EXACT)
    if bias:
        torch.testing.assert_close(ours.bias.grad, torchs[1].bias.grad, **EXACT)


@quick
@given(t=sizes, k=kernels, dil=dilations, seed=seeds)
def test_equals_the_equation_in_its_docstring(t, k, dil, seed):
    conv, x = causal(2, 3, k, dil, seed), draw(1, t, 2, seed=seed)
    for step in range(t):
        y = conv.bias.detach().clone()
        for j in range(k):
            if step - j * dil >= 0:
                y += conv.weight[:, :, k - 1 - j].detach() @ x[0, step - j * dil]
        torch.testing.assert_close(conv(x)[0, step].detach(), y, **EXACT)


def test_passes_gradcheck():
    assert torch.autograd.gradcheck(causal(2, 3, 3, 2), draw(2, 6, 2).requires_grad_())


def test_starts_as_torchs_convolution_does():
    ours = rn.CausalConv1d(6, 5, 3, generator=seeded(4))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        theirs = nn.Conv1d(6, 5, 3)
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


@quick
@given(t=st.integers(1, 12), k=kernels, dil=dilations, seed=seeds)
def test_an_output_depends_on_its_own_taps_and_on_no_other_input(t, k, dil, seed):
    seen = dependence(causal(2, 2, k, dil, seed), draw(2, t, 2, seed=seed))
    taps = [j * dil for j in range(k)]
    expected = [[(step - source) in taps for source in range(t)] for step in range(t)]
    assert seen.tolist() == expected


def test_same_generator_same_weights_and_global_seed_untouched():
    before = torch.get_rng_state()
    x = draw(1, 5, 2)
    for make in (
        lambda seed: causal(2, 2, 2, seed=seed),
        lambda seed: tcn(2, [2, 3], seed=seed),
        lambda seed: text_cnn(2, 2, 2, seed=seed),
    ):
        assert torch.equal(make(1)(x), make(1)(x))
        assert not torch.equal(make(1)(x), make(2)(x))
    assert torch.equal(before, torch.get_rng_state())


# --- the temporal convolutional net ------------------------------------------------------------


def tcn_by_hand(net: rn.TemporalConvNet, x: torch.Tensor, k: int) -> torch.Tensor:
    """Bai et al.'s figure 1b with torch's functions, (B, D, T) inside."""
    weights, x = net.state_dict(), x.transpose(1, 2)

    def conv(name: str, y: torch.Tensor, dilation: int) -> torch.Tensor:
        weight, bias = weights[name + ".weight"], weights[name + ".bias"]
        padding = (weight.shape[2] - 1) * dilation
        return F.conv1d(y, weight, bias, padding=padding, dilation=dilation)[..., : y.shape[2]]

    for number in range(len(net.blocks)):
        block = f"blocks.{number}."
        inner = F.relu(conv(block + "conv_1", x, 2**number))
        inner = F.relu(conv(block + "conv_2", inner, 2**number))
        around = conv(block + "skip", x, 1) if block + "skip.weight" in weights else x
        x = F.relu(around + inner)
    return x.transpose(1, 2)


@quick
@given(t=sizes, d=sizes, channels=st.lists(sizes, min_size=1, max_size=4), k=kernels, seed=seeds)
def test_the_net_is_the_papers(t, d, channels, k, seed):
    net, x = tcn(d, channels, k, seed), draw(2, t, d, seed=seed)
    expected = tcn_by_hand(net, x, k)
    torch.testing.assert_close(net(x).detach(), expected, **EXACT)
    normed = tcn(d, channels, k, seed, weight_norm=True)
    torch.testing.assert_close(normed(x).detach(), expected, **EXACT)


def test_weight_norm_keeps_direction_and_length_apart():
    net = tcn(2, [3, 3], 3, weight_norm=True)
    conv = net.blocks[1].conv_2
    names = [name for name, _ in conv.named_parameters()]
    g, v = conv.parametrizations.weight.original0, conv.parametrizations.weight.original1
    assert sorted(names) == [
        "bias",
        "parametrizations.weight.original0",
        "parametrizations.weight.original1",
    ]
    with torch.no_grad():
        v.mul_(7)
        g.copy_(torch.tensor([1.0, 2.0, 0.0]).reshape(g.shape))
    torch.testing.assert_close(
        conv.weight.flatten(1).norm(dim=1).detach(),
        torch.tensor([1, 2, 0], dtype=torch.float64),
        **EXACT,
    )


def test_the_net_passes_gradcheck():
    net = tcn(2, [2, 3], 2)
    assert torch.autograd.gradcheck(net, draw(2, 5, 2).requires_grad_())


@quick
@given(
    t=st.integers(1, 12), channels=st.lists(sizes, min_size=1, max_size=3), k=kernels, seed=seeds
)
def test_no_output_depends_on_a_later_input(t, channels, k, seed):
    seen = dependence(tcn(2, channels, k, seed), draw(4, t, 2, seed=seed))
    assert not seen.triu(1).any()


def test_lengths_silence_what_lies_beyond_and_change_nothing_before():
    net, x = tcn(2, [3, 3]), draw(3, 7, 2)
    lengths = torch.tensor([7, 1, 4])
    output = net(x, lengths)
    for row, end in enumerate(lengths.tolist()):
        torch.testing.assert_close(output[row, :end], net(x[row : row + 1, :end])[0], **EXACT)
        assert not output[row, end:].any()


def test_the_net_serves_as_a_layer_of_a_sequence_model():
    net, x = tcn(2, [3, 4]), draw(3, 7, 2)
    lengths = torch.tensor([7, 1, 4])
    model = rn.SequenceModel(net, 2, generator=seeded(1))
    ends = net(x)[torch.arange(3), lengths - 1]
    torch.testing.assert_close(model(x, lengths), model.head(ends), **EXACT)


def test_dropout_loses_whole_channels_and_keeps_the_mean():
    net = rn.TemporalBlock(1, 4000, 1, dropout=0.25, generator=seeded(0), dtype=torch.float64)
    with torch.no_grad():
        net.conv_1.weight.zero_()
        net.conv_1.bias.fill_(1.0)
        # The second convolution hands each channel on as it is.
        net.conv_2.weight.copy_(torch.eye(4000, dtype=torch.float64)[:, :, None])
        net.conv_2.bias.zero_()
        net.skip.weight.zero_()
        net.skip.bias.zero_()
    x = draw(1, 3, 1)
    torch.testing.assert_close(net.eval()(x), torch.ones(1, 3, 4000, dtype=torch.float64), **EXACT)
    y = net.train()(x)
    assert torch.equal(y[:, 0], y[:, 1])
    assert torch.equal(y[:, 0], y[:, 2])
    kept = y[0, 0].ne(0)
    # Both dropouts spare a channel with probability 9/16; 5 standard errors of 4000.
    assert abs(kept.double().mean().item() - 9 / 16) < 5 * math.sqrt(9 * 7) / 16 / math.sqrt(4000)
    torch.testing.assert_close(
        y[0, 0][kept], torch.full((int(kept.sum()),), 16 / 9, dtype=torch.float64), **EXACT
    )


# --- receptive fields --------------------------------------------------------------------------


@quick
@given(k=kernels, several=st.lists(dilations, min_size=1, max_size=4), seed=seeds)
def test_the_field_of_stacked_convolutions_is_as_computed(k, several, seed):
    stack = nn.Sequential(*(causal(2, 2, k, d, seed + n) for n, d in enumerate(several)))
    field = rn.receptive_field(k, several)
    x = draw(1, field + 3, 2, seed=seed)
    assert rn.measured_receptive_field(stack, x) == field
    assert rn.measured_receptive_field(stack, x, field - 1) == field
    # A step earlier, the first of them lies before the sequence.
    if field > 1:
        assert rn.measured_receptive_field(stack, x, field - 2) < field


@quick
@given(k=kernels, blocks=st.integers(1, 4), seed=seeds)
def test_the_field_of_the_net_is_as_computed(k, blocks, seed):
    net = tcn(2, [8] * blocks, k, seed)
    assert net.receptive_field == 1 + 2 * (k - 1) * (2**blocks - 1)
    x = draw(16, net.receptive_field + 2, 2, seed=seed)
    assert rn.measured_receptive_field(net, x) == net.receptive_field


def test_the_field_of_a_recurrent_layer_is_all_there_is():
    layer = rn.Recurrent(rn.ElmanCell(2, 3, generator=seeded(0), dtype=torch.float64))
    x = draw(1, 9, 2)
    assert rn.measured_receptive_field(layer, x) == 9
    assert rn.measured_receptive_field(layer, x, 4) == 5


class Around(nn.Module):
    """torch's convolution with zeros on both sides."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 2, 5, padding=2, dtype=torch.float64)

    def forward(self, x):
        return self.conv(x.transpose(1, 2)).transpose(1, 2)


def test_a_field_may_reach_to_both_sides_or_be_empty():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        around = Around()
    x = draw(1, 9, 2)
    assert rn.measured_receptive_field(around, x, 4) == 5
    assert rn.measured_receptive_field(around, x, 0) == 3
    assert rn.measured_receptive_field(around, x) == 3

    class Deaf(nn.Module):
        def forward(self, x):
            return torch.ones_like(x)

    assert rn.measured_receptive_field(Deaf(), x) == 0
    with torch.no_grad():
        around.conv.weight.zero_()
    assert rn.measured_receptive_field(around, x) == 0


def test_channels_whose_gradients_cancel_are_not_overlooked():
    class Both(nn.Module):
        def forward(self, x):
            return torch.cat([x, -x], dim=2)

    assert rn.measured_receptive_field(Both(), draw(1, 4, 1)) == 1


def test_measuring_leaves_no_gradient_behind():
    conv, x = causal(2, 2, 2), draw(1, 4, 2)
    with torch.no_grad():
        assert rn.measured_receptive_field(conv, x) == 2
    assert conv.weight.grad is None
    assert x.grad is None and not x.requires_grad


# --- the text CNN ------------------------------------------------------------------------------


def features_by_hand(net: rn.TextCNN, x: torch.Tensor) -> list[float]:
    """z of one sequence (T, D), window by window."""
    z = []
    for k, weight, bias in zip(net.kernel_sizes, net.weights, net.biases, strict=True):
        missing = max(k - len(x), 0)
        long = torch.cat([x, x.new_zeros(missing, x.shape[1])])
        for w, b in zip(weight.detach(), bias.detach(), strict=True):
            # torch keeps a kernel as (D, k), a window of x is (k, D).
            c = [
                max(((w.t() * long[i : i + k]).sum() + b).item(), 0.0)
                for i in range(len(long) - k + 1)
            ]
            z.append(max(c))
    return z


@quick
@given(
    b=sizes,
    t=st.integers(1, 8),
    d=sizes,
    channels=sizes,
    widths=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    ragged=st.booleans(),
    seed=seeds,
)
def test_features_are_the_papers(b, t, d, channels, widths, ragged, seed):
    net, x = text_cnn(d, channels, 2, widths, seed), draw(b, t, d, seed=seed)
    lengths = torch.randint(1, t + 1, (b,), generator=seeded(seed)) if ragged else None
    ends = [t] * b if lengths is None else lengths.tolist()
    expected = [features_by_hand(net, x[row, :end]) for row, end in enumerate(ends)]
    z = net.features(x, lengths)
    torch.testing.assert_close(z.detach(), torch.tensor(expected, dtype=torch.float64), **EXACT)
    y = z @ net.head.weight.t() + net.head.bias
    torch.testing.assert_close(net(x, lengths), y, **EXACT)


def test_padding_counts_for_nothing_whatever_it_holds():
    net, x = text_cnn(2, 4, 3), draw(3, 9, 2)
    lengths = torch.tensor([2, 5, 9])
    expected = net(x, lengths)
    for junk in (1e9, math.nan, -math.inf):
        dirty = x.clone()
        for row, end in enumerate(lengths.tolist()):
            dirty[row, end:] = junk
        torch.testing.assert_close(net(dirty, lengths), expected, rtol=0, atol=0)
    longer = torch.cat([x, draw(3, 4, 2, seed=1)], dim=1)
    torch.testing.assert_close(net(longer, lengths), expected, **EXACT)


def test_a_pattern_is_found_anywhere():
    net, pattern = text_cnn(2, 3, 2, (3,)), 5 * draw(3, 2)
    outputs = []
    for place in (3, 5, 8):
        x = torch.zeros(1, 15, 2, dtype=torch.float64)
        x[0, place : place + 3] = pattern
        outputs.append(net(x))
    torch.testing.assert_close(outputs[0], outputs[1], **EXACT)
    torch.testing.assert_close(outputs[0], outputs[2], **EXACT)
    silent = net(torch.zeros(1, 15, 2, dtype=torch.float64))
    assert not torch.allclose(outputs[0], silent)


def test_text_cnn_passes_gradcheck():
    net, lengths = text_cnn(2, 3, 2, (2, 3)), torch.tensor([2, 5])
    assert torch.autograd.gradcheck(lambda x: net(x, lengths), draw(2, 5, 2).requires_grad_())


def test_text_cnns_dropout_is_of_z_while_training():
    net = text_cnn(2, 2000, 1, (1,), dropout=0.5)
    with torch.no_grad():
        net.biases[0].fill_(1.0)
        net.weights[0].zero_()
        net.head.weight.fill_(1 / 2000)
        net.head.bias.zero_()
    x = draw(1, 4, 2)
    assert net.eval()(x).item() == pytest.approx(1)
    first, second = net.train()(x).item(), net(x).item()
    assert first != second
    # A mean of 2000 numbers that are 0 or 2: 5 standard errors.
    assert abs(first - 1) < 5 / math.sqrt(2000)
    # A number of survivors that is whole.
    assert first * 1000 == pytest.approx(round(first * 1000))


# --- bad input ---------------------------------------------------------------------------------


class Shorter(nn.Module):
    def forward(self, x):
        return x[:, 1:]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: rn.CausalConv1d(0, 1, 1), ValueError, "input_size: expected a whole number"),
        (lambda: rn.CausalConv1d(1, 0, 1), ValueError, "output_size: expected a whole number"),
        (lambda: rn.CausalConv1d(1, 1, 0), ValueError, "kernel_size: expected .*, got 0"),
        (lambda: rn.CausalConv1d(1, 1, 2, 0), ValueError, "dilation: expected .*, got 0"),
        (lambda: rn.CausalConv1d(1, 1, 2, 1.5), TypeError, "dilation: expected .*, got 1.5"),
        (
            lambda: rn.CausalConv1d(3, 1, 2)(torch.ones(2, 3, 4)),
            ValueError,
            r"x: expected shape \(B, T, 3\), got \(2, 3, 4\)",
        ),
        (
            lambda: rn.CausalConv1d(3, 1, 2)(torch.ones(2, 0, 3)),
            ValueError,
            r"x: expected shape \(B, T, 3\) without an empty size, got \(2, 0, 3\)",
        ),
        (
            lambda: rn.CausalConv1d(3, 1, 2)(torch.ones(2, 4, 3, dtype=torch.float64)),
            TypeError,
            "x: expected dtype torch.float32, got dtype torch.float64",
        ),
        (lambda: rn.TemporalConvNet(1, []), ValueError, "channels: expected at least one, got"),
        (lambda: rn.TemporalConvNet(1, 8), TypeError, "channels: expected a sequence .*, got 8"),
        (
            lambda: rn.TemporalConvNet(1, [4, 0]),
            ValueError,
            r"channels\[1\]: expected a whole number of at least 1, got 0",
        ),
        (
            lambda: rn.TemporalConvNet(1, [4], dropout=1.0),
            ValueError,
            "dropout: expected a number at least 0 and below 1, got 1.0",
        ),
        (
            lambda: rn.TemporalConvNet(2, [4])(torch.ones(1, 3, 2), torch.tensor([4])),
            ValueError,
            "lengths: expected lengths from 1 to 3, got 4 for sequence 0",
        ),
        (
            lambda: rn.TemporalConvNet(2, [4])(torch.ones(3, 2)),
            ValueError,
            r"x: expected shape \(B, T, 2\), got \(3, 2\)",
        ),
        (lambda: rn.TextCNN(1, 0, 2), ValueError, "channels: expected a whole number"),
        (lambda: rn.TextCNN(1, 4, 2, ()), ValueError, "kernel_sizes: expected at least one"),
        (lambda: rn.TextCNN(1, 4, 2, (3, 0)), ValueError, r"kernel_sizes\[1\]: expected .*, got 0"),
        (lambda: rn.TextCNN(1, 4, 2, dropout=-0.1), ValueError, "dropout: expected .*, got -0.1"),
        (
            lambda: rn.TextCNN(1, 4, 2)(torch.ones(2, 3, 1), torch.tensor([3, 0])),
            ValueError,
            "lengths: expected lengths from 1 to 3, got 0 for sequence 1",
        ),
        (
            lambda: rn.TextCNN(2, 4, 2)(torch.ones(2, 3, 1)),
            ValueError,
            r"x: expected shape \(B, T, 2\), got \(2, 3, 1\)",
        ),
        (lambda: rn.receptive_field(0, [1]), ValueError, "kernel_size: expected .*, got 0"),
        (lambda: rn.receptive_field(2, [1, 0]), ValueError, r"dilations\[1\]: expected .*, got 0"),
        (lambda: rn.receptive_field(2, []), ValueError, "dilations: expected at least one"),
        (
            lambda: rn.measured_receptive_field(Shorter(), torch.ones(1, 4, 2)),
            ValueError,
            r"output of the module: expected shape \(1, 4, H\), got \(1, 3, 2\)",
        ),
        (
            lambda: rn.measured_receptive_field(nn.Identity(), torch.ones(1, 4, 2), 4),
            ValueError,
            "position: expected a whole number of at least -4 and at most 3, got 4",
        ),
        (
            lambda: rn.measured_receptive_field(nn.Identity(), torch.ones(4, 2)),
            ValueError,
            r"x: expected shape \(B, T, D\), got \(4, 2\)",
        ),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
