"""Costs against torch's FLOP counter, a count of every operation that runs, and counts by hand."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import rnnnotes as rn

torch.set_num_threads(1)
quick = settings(deadline=None, max_examples=12, derandomize=True)
sizes = st.integers(1, 7)

CELLS = {
    "tanh": lambda d, h, **k: rn.ElmanCell(d, h, "tanh", **k),
    "relu": lambda d, h, **k: rn.ElmanCell(d, h, "relu", **k),
    "leaky_relu": lambda d, h, **k: rn.ElmanCell(d, h, "leaky_relu", **k),
    "identity": lambda d, h, **k: rn.ElmanCell(d, h, "identity", **k),
    "lstm": rn.LSTMCell,
    "gru": rn.GRUCell,
    "gru_before": lambda d, h, **k: rn.GRUCell(d, h, reset="before", **k),
    **{
        variant: lambda d, h, variant=variant, **k: rn.LSTMVariantCell(d, h, variant, **k)
        for variant in rn.VARIANTS
    },
}
every_cell = pytest.mark.parametrize("kind", CELLS)


def make(kind: str, d: int, h: int, **options) -> rn.Cell:
    return CELLS[kind](d, h, generator=torch.Generator().manual_seed(0), **options)


def product_flops(run) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops()


class Elementwise(TorchDispatchMode):
    """Counts a FLOP for each number that an elementwise operation, or addmm's sum, gives out."""

    counted = (
        "add",
        "sub",
        "rsub",
        "mul",
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
        "addmm",
    )
    without = ("mm", "t", "transpose", "view", "_unsafe_view", "split", "split_with_sizes", "slice")
    without += ("unbind", "select", "ones_like", "clone", "cat", "expand", "detach", "new_zeros")
    without += ("unsqueeze", "zeros", "reshape", "constant_pad_nd", "_reshape_alias", "stack")
    without += (
        "alias",
        "lift_fresh",
        "empty",
        "chunk",
        "squeeze",
        "as_strided",
        "permute",
        "copy_",
    )

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in self.counted:
            self.flops += out.numel()
        elif name == "convolution":
            # Its bias.
            self.flops += out.numel() if args[2] is not None else 0
        else:
            assert name in self.without, name
        return out


def elementwise_flops(run) -> int:
    with Elementwise() as counter, torch.no_grad():
        run()
    return counter.flops


# --- cells -------------------------------------------------------------------------------------


@every_cell
@quick
@given(b=sizes, t=sizes, d=sizes, h=sizes, bias=st.booleans())
def test_product_flops_are_torchs_count(kind, b, t, d, h, bias):
    cell, x = make(kind, d, h, bias=bias), torch.zeros(b, t, d)
    step, whole = rn.step_cost(cell, b), rn.sequence_cost(cell, b, t)
    assert step.product_flops == product_flops(lambda: cell(x[:, 0]))
    assert whole.product_flops == product_flops(lambda: rn.unroll(cell, x))
    assert whole.product_flops == t * step.product_flops


@every_cell
@quick
@given(b=sizes, t=sizes, d=sizes, h=sizes, bias=st.booleans())
def test_elementwise_flops_are_those_that_run(kind, b, t, d, h, bias):
    cell, x = make(kind, d, h, bias=bias), torch.zeros(b, t, d)
    # The code multiplies by the gate that is not there, and by 1; the equations do not.
    spared = b * h * (kind in ("NIG", "NFG", "NOG"))
    # b_ih + b_hh is added up once for all sequences and steps.
    biases = cell.blocks * h * (bias and not isinstance(cell, rn.GRUCell))
    ran = elementwise_flops(lambda: cell(x[:, 0]))
    assert rn.step_cost(cell, b).elementwise_flops == ran - biases - spared
    ran = elementwise_flops(lambda: rn.unroll(cell, x))
    assert rn.sequence_cost(cell, b, t).elementwise_flops == ran - biases - t * spared


@every_cell
@pytest.mark.parametrize("bias", [False, True])
def test_a_step_reads_every_weight_once(kind, bias):
    for dtype in (torch.float32, torch.float64):
        cell = make(kind, 3, 5, bias=bias, dtype=dtype)
        weights = sum(p.nbytes for p in cell.parameters())
        x, state = torch.zeros(4, 3, dtype=dtype), cell.initial_state(4)
        states = sum(part.nbytes for part in cell.parts(state))
        cost = rn.step_cost(cell, 4)
        assert cost.bytes_read == weights + x.nbytes + states
        assert cost.bytes_written == states


@every_cell
@pytest.mark.parametrize("bias", [False, True])
def test_hoisting_spares_the_weights_and_moves_the_products_twice(kind, bias):
    b, t, d, h = 4, 9, 3, 5
    cell = make(kind, d, h, bias=bias)
    hoisted = rn.sequence_cost(cell, b, t)
    step_by_step = rn.sequence_cost(cell, b, t, hoisted=False)
    assert step_by_step == rn.step_cost(cell, b) * t
    assert hoisted.flops == step_by_step.flops
    products = 4 * b * t * cell.blocks * h
    again = {"weight_ih", "bias_ih"} | (set() if kind.startswith("gru") else {"bias_hh"})
    spared = sum(p.nbytes for name, p in cell.named_parameters() if name in again)
    assert hoisted.bytes_written - step_by_step.bytes_written == products
    assert step_by_step.bytes_read - hoisted.bytes_read == (t - 1) * spared - products


def test_an_lstm_step_counted_by_hand():
    cost = rn.step_cost(rn.LSTMCell(2, 3, dtype=torch.float64), 5)
    # 4 gates of 3 units, each with 2 + 3 multiply-adds, for 5 sequences.
    assert cost.product_flops == 5 * 4 * 3 * (2 + 3) * 2 == 600
    # For each unit: W x + W h and the bias in 4 gates (8); 4 nonlinearities; f * c + i * g (3);
    # tanh(c) (1); o * tanh(c) (1).
    assert cost.elementwise_flops == 5 * 3 * (8 + 4 + 3 + 1 + 1) == 255
    assert cost.flops == 855
    # Weights 12 x 2 and 12 x 3, two biases of 12; x 5 x 2; h and c 5 x 3 each.
    assert cost.bytes_read == 8 * (24 + 36 + 24 + 10 + 30) == 992
    assert cost.bytes_written == 8 * 30 == 240
    assert cost.bytes_moved == 1232
    assert cost.arithmetic_intensity == 855 / 1232


def test_parameters_are_torchs_and_the_docstrings():
    for d, h in ((2, 3), (7, 4)):
        for name, kind, k in (("RNN", "tanh", 1), ("LSTM", "lstm", 4), ("GRU", "gru", 3)):
            counted = rn.parameter_count(getattr(nn, name)(d, h))
            assert rn.parameter_count(make(kind, d, h)) == counted == k * h * (d + h + 2)
        assert rn.parameter_count(make("V", d, h)) == 4 * h * (d + h + 2) + 3 * h
        assert rn.parameter_count(make("FGR", d, h)) == 4 * h * (d + h + 2) + 3 * h + 9 * h * h
    assert rn.parameter_count(rn.CausalConv1d(3, 5, 4)) == 5 * (4 * 3 + 1)
    tied = rn.DeepNet(4, 6, tied=True)
    assert rn.parameter_count(tied) == 4 * 4 + 4
    assert rn.parameter_count(tied.requires_grad_(False)) == 0


def test_shapes_are_enough():
    cell = rn.LSTMCell(2_000, 100_000, device="meta")
    assert rn.step_cost(cell).product_flops == 2 * 4 * 100_000 * 102_000


def test_intensity_of_a_step_grows_with_the_batch_towards_its_limit():
    cell = make("lstm", 128, 128)
    intensities = [rn.step_cost(cell, 2**n).arithmetic_intensity for n in range(30)]
    assert all(a < b for a, b in pairwise(intensities))
    # One sequence: 2 FLOPs for each weight of 4 bytes.
    assert intensities[0] == pytest.approx(0.5, rel=0.02)
    # Without the weights: 8 H (D + H) + 17 H FLOPs for D + 4 H numbers of 4 bytes.
    assert intensities[-1] == pytest.approx((8 * 128 * 256 + 17 * 128) / (4 * 5 * 128), rel=1e-4)


def test_intensity_of_a_hoisted_sequence_is_above_that_of_its_steps_and_bound_by_the_batch():
    cell = make("lstm", 128, 128)
    step = rn.step_cost(cell, 2)
    whole = [rn.sequence_cost(cell, 2, t).arithmetic_intensity for t in (10, 100, 1000, 10_000)]
    assert all(a < b for a, b in pairwise(whole))
    assert step.arithmetic_intensity < whole[0]
    # W_hh is read at every step: at most twice the step's, since half of its weights are spared.
    assert whole[-1] < 2 * step.arithmetic_intensity


# --- layers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("both", [False, True])
def test_layers_cost_what_runs(residual, both):
    b, t = 3, 6

    def layer(d: int):
        cells = [make(kind, d, 2) for kind in ("lstm", "gru")]
        return rn.Bidirectional(*cells) if both else rn.Recurrent(make("gru", d, 4))

    stack = rn.Stacked([layer(5), layer(4), layer(4)], residual=residual)
    cost = rn.sequence_cost(stack, b, t)
    x = torch.zeros(b, t, 5)
    assert cost.product_flops == product_flops(lambda: stack(x))
    parts = [rn.sequence_cost(part, b, t) for part in stack.layers]
    sums = 2 * b * t * 4 * residual
    assert cost.elementwise_flops == sum(part.elementwise_flops for part in parts) + sums
    assert cost.bytes_read == sum(part.bytes_read for part in parts) + 4 * 2 * sums
    assert cost.bytes_written == sum(part.bytes_written for part in parts) + 4 * sums
    unhoisted = rn.sequence_cost(stack, b, t, hoisted=False)
    assert unhoisted.flops == cost.flops
    assert unhoisted.bytes_read > cost.bytes_read


# --- convolutions ------------------------------------------------------------------------------


@quick
@given(b=sizes, t=sizes, d=sizes, h=sizes, k=sizes, dil=sizes, bias=st.booleans())
def test_a_convolution_costs_what_runs(b, t, d, h, k, dil, bias):
    conv = rn.CausalConv1d(d, h, k, dil, bias, generator=torch.Generator().manual_seed(0))
    cost, x = rn.sequence_cost(conv, b, t), torch.zeros(b, t, d)
    assert cost.product_flops == product_flops(lambda: conv(x)) == 2 * b * t * k * d * h
    assert cost.elementwise_flops == elementwise_flops(lambda: conv(x))
    weights = sum(p.nbytes for p in conv.parameters())
    assert cost.bytes_read == weights + x.nbytes
    assert cost.bytes_written == 4 * b * t * h
    step = rn.step_cost(conv, b)
    assert step.flops * t == cost.flops
    assert step.bytes_read == weights + 4 * b * k * d
    assert step.bytes_written == 4 * b * h


@quick
@given(
    b=sizes,
    t=sizes,
    d=sizes,
    channels=st.lists(sizes, min_size=1, max_size=3),
    normed=st.booleans(),
)
def test_the_convolutional_net_costs_what_runs(b, t, d, channels, normed):
    generator = torch.Generator().manual_seed(0)
    net = rn.TemporalConvNet(d, channels, 3, weight_norm=normed, generator=generator)
    plain = rn.TemporalConvNet(d, channels, 3, generator=generator)
    cost, x = rn.sequence_cost(net, b, t), torch.zeros(b, t, d)
    assert cost.product_flops == product_flops(lambda: plain(x))
    assert cost.elementwise_flops == elementwise_flops(lambda: plain(x))
    assert cost == rn.sequence_cost(plain, b, t)
    weights = sum(p.nbytes for p in plain.parameters())
    read = written = 0
    for below, size in zip([d, *channels[:-1]], channels, strict=True):
        # conv_1 and conv_2 and the sum; where the width changes, one more convolution.
        read += below + size + size + (below if below != size else 0)
        written += size + size + (size if below != size else 0)
    assert cost.bytes_read == weights + 4 * b * t * read
    assert cost.bytes_written == 4 * b * t * written


def test_costs_add_up_and_multiply():
    one, two = rn.Cost(1, 2, 3, 4), rn.Cost(10, 20, 30, 40)
    assert one + two == rn.Cost(11, 22, 33, 44)
    assert one * 3 == one + one + one
    assert two.arithmetic_intensity == 30 / 70


# --- bad input ---------------------------------------------------------------------------------


class OddCell(rn.Cell):
    pass


@pytest.mark.parametrize(
    ("count", "error", "message"),
    [
        (
            lambda: rn.step_cost(nn.LSTM(2, 3)),
            TypeError,
            "^module: expected a cell or CausalConv1d, got LSTM$",
        ),
        (lambda: rn.step_cost(OddCell(2, 3)), TypeError, "expected ElmanCell, .*, got OddCell"),
        (
            lambda: rn.step_cost(rn.LSTMCell(2, 3), 0),
            ValueError,
            "batch_size: expected a whole number of at least 1, got 0",
        ),
        (
            lambda: rn.sequence_cost(rn.LSTMCell(2, 3), 1, 0),
            ValueError,
            "length: expected a whole number of at least 1, got 0",
        ),
        (
            lambda: rn.sequence_cost(rn.LSTMCell(2, 3), 1.5, 2),
            TypeError,
            "batch_size: expected a whole number of at least 1, got 1.5",
        ),
        (
            lambda: rn.sequence_cost(nn.LSTM(2, 3), 1, 2),
            TypeError,
            "module: expected a cell, Recurrent, .* or TemporalConvNet, got LSTM",
        ),
    ],
)
def test_bad_input_is_named(count, error, message):
    with pytest.raises(error, match=message):
        count()
