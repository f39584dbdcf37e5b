"""Convolutions over time: causal and dilated, and the text CNN; how far back each can see.

Shapes are those of the recurrent layers, (B, T, D) -> (B, T, H); torch's convolutions want
(B, D, T). Weights have torch's shape, (H, D, kernel_size), and load across.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm as weight_norm_

from rnnnotes._checks import (
    check_callable,
    check_int,
    check_lengths,
    check_number,
    check_tensor,
)
from rnnnotes.init import uniform_
from rnnnotes.layers import dropout_factors, steps_inside


class CausalConv1d(nn.Module):
    """Convolution that sees no later step: ``y_t = b + sum_j W[:, :, k-1-j] x_{t - j d}``.

    j = 0 ... k-1; x is zero before the first step. It is ``torch.nn.Conv1d`` on a sequence with
    (k - 1) d zeros on its left and none on its right.

    Parameters: ``weight`` (H, D, k) and ``bias`` (H,), from U(-a, a), ``a = 1 / sqrt(k D)``, as
    torch's.

    Args:
        input_size: D.
        output_size: H.
        kernel_size: k, at least 1.
        dilation: d, steps from one weight to the next, at least 1.
        bias: whether there is a bias.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> layer = rn.CausalConv1d(2, 3, kernel_size=2, dilation=4, generator=generator)
        >>> x = torch.randn(1, 8, 2, generator=generator)
        >>> changed = x.clone()
        >>> changed[:, 6] += 1
        >>> (layer(x) != layer(changed)).any(2)  # nothing before step 6 knows of it
        tensor([[False, False, False, False, False, False,  True, False]])

    Source: van den Oord et al., WaveNet: a generative model for raw audio, 2016, section 2.1;
    Bai, Kolter and Koltun, An empirical evaluation of generic convolutional and recurrent networks
    for sequence modeling, 2018, on causal and dilated convolutions.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        kernel_size: int,
        dilation: int = 1,
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, value in (
            ("input_size", input_size),
            ("output_size", output_size),
            ("kernel_size", kernel_size),
            ("dilation", dilation),
        ):
            check_int(name, value)
        self.input_size, self.output_size = input_size, output_size
        self.kernel_size, self.dilation = kernel_size, dilation
        self.weight, self.bias = _kernel(
            input_size,
            output_size,
            kernel_size,
            bias,
            generator,
            {"device": device, "dtype": dtype},
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, H)."""
        # Read once: under weight normalization every reading computes it.
        weight = self.weight
        check_tensor("x", x, ("B", "T", self.input_size), dtype=weight.dtype)
        left = (self.kernel_size - 1) * self.dilation
        padded = F.pad(x.transpose(1, 2), (left, 0))
        return F.conv1d(padded, weight, self.bias, dilation=self.dilation).transpose(1, 2)

    def extra_repr(self) -> str:
        """Sizes, kernel and dilation."""
        return (
            f"{self.input_size}, {self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}"
        )


class TemporalBlock(nn.Module):
    """Two dilated causal convolutions with a way round them: ``y = relu(skip(x) + F(x))``.

    ``F(x) = drop(relu(conv_2(drop(relu(conv_1(x))))))``; ``skip`` is the identity, or a
    convolution of width 1 where D and H differ. Dropout loses a channel at all steps together.

    Args:
        input_size: D.
        output_size: H.
        kernel_size: k of both convolutions.
        dilation: d of both convolutions.
        dropout: probability, from 0 to below 1, of losing a channel while training.
        weight_norm: whether the two kernels are kept as ``W = g V / ||V||``, one g for each of H.
        generator: source of the start's and the dropout's randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> block = rn.TemporalBlock(2, 3, kernel_size=2, dilation=4, generator=generator)
        >>> block(torch.randn(4, 10, 2, generator=generator)).shape
        torch.Size([4, 10, 3])

    Source: Bai, Kolter and Koltun, 2018, on residual connections; Salimans and Kingma, Weight
    normalization, 2016, equation 2.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        kernel_size: int,
        dilation: int = 1,
        dropout: float = 0.0,
        weight_norm: bool = False,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_number("dropout", dropout, at_least=0, below=1)
        factory: dict[str, Any] = {"generator": generator, "device": device, "dtype": dtype}
        self.conv_1 = CausalConv1d(input_size, output_size, kernel_size, dilation, **factory)
        self.conv_2 = CausalConv1d(output_size, output_size, kernel_size, dilation, **factory)
        same = input_size == output_size
        self.skip = nn.Identity() if same else CausalConv1d(input_size, output_size, 1, **factory)
        self.dropout, self.generator = dropout, generator
        if weight_norm:
            for convolution in (self.conv_1, self.conv_2):
                weight_norm_(convolution)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, H)."""
        inner = x
        for convolution in (self.conv_1, self.conv_2):
            inner = convolution(inner).relu()
            if self.training and self.dropout:
                inner = inner * dropout_factors(inner[:, :1], self.dropout, self.generator)
        return (self.skip(x) + inner).relu()


class TemporalConvNet(nn.Module):
    """Blocks of causal convolutions, the dilation doubled from each to the next: 1, 2, 4, ...

    n blocks see ``1 + 2 (k - 1) (2^n - 1)`` steps. Each step of the output is computed from its
    own window, so that all steps can be computed at once.

    Args:
        input_size: D.
        channels: output size of each block, the last is H; at least one.
        kernel_size: k, at least 1.
        dropout: probability, from 0 to below 1, of losing a channel after each convolution.
        weight_norm: as in the paper. It changes how a kernel is learnt, not what it can be, and
            is off by default.
        generator: source of the start's and the dropout's randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> net = rn.TemporalConvNet(2, [8, 8, 3], kernel_size=2, generator=generator)
        >>> net(torch.randn(4, 20, 2, generator=generator)).shape
        torch.Size([4, 20, 3])
        >>> net.receptive_field
        15

    Source: Bai, Kolter and Koltun, An empirical evaluation of generic convolutional and recurrent
    networks for sequence modeling, 2018, section 3.
    """

    def __init__(
        self,
        input_size: int,
        channels: Sequence[int],
        kernel_size: int = 2,
        dropout: float = 0.0,
        weight_norm: bool = False,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        channels = _sizes("channels", channels)
        factory: dict[str, Any] = {"generator": generator, "device": device, "dtype": dtype}
        self.input_size, self.output_size = input_size, channels[-1]
        self.kernel_size = kernel_size
        self.blocks = nn.ModuleList(
            TemporalBlock(below, size, kernel_size, 2**number, dropout, weight_norm, **factory)
            for number, (below, size) in enumerate(
                zip([input_size, *channels[:-1]], channels, strict=True)
            )
        )

    @property
    def receptive_field(self) -> int:
        """Steps that one output sees, its own among them."""
        dilations = [2**number for number in range(len(self.blocks)) for _ in range(2)]
        return receptive_field(self.kernel_size, dilations)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, T, D) -> (B, T, H); zero beyond a sequence's end if ``lengths`` (B,) is given."""
        check_tensor("x", x, ("B", "T", self.input_size))
        inside = None if lengths is None else _inside(x, lengths)
        for block in self.blocks:
            x = block(x)
        return x if inside is None else x.masked_fill(~inside[:, :, None], 0)


class TextCNN(nn.Module):
    """Windows of several widths over a sequence, the maximum of each feature, a linear readout.

    ``c_i = relu(w . x_{i:i+k-1} + b)``, ``z = max_i c_i`` for each feature, (B, T, D) -> (B, C):
    ``y = W_out drop(z) + b_out``. What it finds, it finds anywhere; where, it does not say.

    A window lies wholly within its sequence. A sequence shorter than the window is followed by
    zeros and has this one window.

    Args:
        input_size: D.
        channels: features for each width.
        output_size: C.
        kernel_sizes: the widths k, each at least 1; the paper's 3, 4 and 5.
        dropout: probability, from 0 to below 1, of losing a feature of z while training; the
            paper's is 0.5.
        generator: source of the start's and the dropout's randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> model = rn.TextCNN(2, channels=8, output_size=3, generator=generator)
        >>> x = torch.randn(4, 10, 2, generator=generator)
        >>> model(x).shape, model.features(x).shape
        (torch.Size([4, 3]), torch.Size([4, 24]))

    Source: Kim, Convolutional neural networks for sentence classification, 2014, equations 2 to 5.
    """

    def __init__(
        self,
        input_size: int,
        channels: int,
        output_size: int,
        kernel_sizes: Sequence[int] = (3, 4, 5),
        dropout: float = 0.0,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, value in (
            ("input_size", input_size),
            ("channels", channels),
            ("output_size", output_size),
        ):
            check_int(name, value)
        check_number("dropout", dropout, at_least=0, below=1)
        self.kernel_sizes = _sizes("kernel_sizes", kernel_sizes)
        self.input_size, self.channels, self.output_size = input_size, channels, output_size
        self.dropout, self.generator = dropout, generator
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        kernels = [
            _kernel(input_size, channels, size, True, generator, factory)
            for size in self.kernel_sizes
        ]
        self.weights = nn.ParameterList(weight for weight, _ in kernels)
        self.biases = nn.ParameterList(bias for _, bias in kernels)
        features = channels * len(kernels)
        kernel = self.weights[0]
        self.head = nn.utils.skip_init(
            nn.Linear, features, output_size, device=kernel.device, dtype=kernel.dtype
        )
        for parameter in self.head.parameters():
            uniform_(parameter, 1 / math.sqrt(features), generator=generator)

    def features(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """z, (B, len(kernel_sizes) * channels), for inputs (B, T, D)."""
        check_tensor("x", x, ("B", "T", self.input_size), dtype=self.weights[0].dtype)
        batch_size, steps, _ = x.shape
        if lengths is None:
            ends = torch.full((batch_size,), steps, device=x.device)
        else:
            # Beyond a sequence's end there is nothing, whatever the padding holds.
            x = x.masked_fill(~_inside(x, lengths)[:, :, None], 0)
            ends = lengths.to(x.device)
        pooled = []
        for size, weight, bias in zip(self.kernel_sizes, self.weights, self.biases, strict=True):
            padded = F.pad(x.transpose(1, 2), (0, max(size - steps, 0)))
            values = F.conv1d(padded, weight, bias)
            windows = torch.arange(values.shape[2], device=x.device)
            beyond = windows > (ends - size).clamp_min(0)[:, None]
            pooled.append(values.masked_fill(beyond[:, None], -math.inf).amax(dim=2))
        # The maximum of relu is relu of the maximum.
        return torch.cat(pooled, dim=1).relu()

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Outputs (B, C) of inputs (B, T, D); ``lengths`` (B,) of padded ones."""
        z = self.features(x, lengths)
        if self.training and self.dropout:
            z = z * dropout_factors(z, self.dropout, self.generator)
        return self.head(z)


def receptive_field(kernel_size: int, dilations: Sequence[int]) -> int:
    """Steps from the first to the last that an output of stacked convolutions sees.

    ``1 + (k - 1) sum_l d_l``. Of a single dilated layer it sees every d-th only.

    Args:
        kernel_size: k of every layer, at least 1.
        dilations: d_l of each layer, at least 1; each convolution counts as one layer.

    Examples:
        >>> rn.receptive_field(3, [1, 2, 4])
        15
    """
    check_int("kernel_size", kernel_size)
    return 1 + (kernel_size - 1) * sum(_sizes("dilations", dilations))


def measured_receptive_field(module: nn.Module, x: Tensor, position: int = -1) -> int:
    """Steps from the first to the last input on which an output depends, by its gradient.

    ``last - first + 1`` over the steps t with ``dy_position / dx_t != 0`` for some sequence of x;
    0 if there is none. A ReLU below zero passes nothing, so give several random sequences. A
    field cannot be seen beyond the ends of x: T means T or more. A gradient that underflows
    counts as zero.

    Args:
        module: (B, T, D) -> (B, T, H), or a tuple that starts with it.
        x: (B, T, D).
        position: step of the output, from -T to T - 1.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> layer = rn.CausalConv1d(2, 3, kernel_size=3, dilation=2, generator=generator)
        >>> x = torch.randn(4, 20, 2, generator=generator)
        >>> rn.measured_receptive_field(layer, x), rn.receptive_field(3, [2])
        (5, 5)
    """
    check_callable("module", module)
    check_tensor("x", x, ("B", "T", "D"), dtype="floating", finite=True)
    batch_size, steps, _ = x.shape
    check_int("position", position, -steps, steps - 1)
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        output = module(x)
        output = output[0] if isinstance(output, tuple) else output
        check_tensor("output of the module", output, (batch_size, steps, "H"))
        y = output[:, position]
    if not y.requires_grad:
        return 0
    # Weights of no simple ratio: the channels' gradients do not cancel.
    weights = torch.arange(1, y.shape[1] + 1, dtype=y.dtype, device=y.device).cos()
    (gradient,) = torch.autograd.grad(
        y, x, weights.expand_as(y), allow_unused=True, materialize_grads=True
    )
    seen = gradient.ne(0).any(dim=2).any(dim=0).nonzero()
    return int(seen[-1] - seen[0]) + 1 if len(seen) else 0


def _kernel(
    input_size: int,
    output_size: int,
    kernel_size: int,
    bias: bool,
    generator: torch.Generator | None,
    factory: dict[str, Any],
) -> tuple[nn.Parameter, nn.Parameter | None]:
    """A kernel and its bias, started as torch's."""
    shapes = [(output_size, input_size, kernel_size), *([(output_size,)] if bias else [])]
    bound = 1 / math.sqrt(input_size * kernel_size)
    parameters = [
        nn.Parameter(uniform_(torch.empty(shape, **factory), bound, generator=generator))
        for shape in shapes
    ]
    return parameters[0], parameters[1] if bias else None


def _inside(x: Tensor, lengths: Tensor) -> Tensor:
    """Which steps of (B, T, D) lie within their sequences, (B, T)."""
    check_lengths("lengths", lengths, x.shape[0], x.shape[1])
    return steps_inside(lengths.to(x.device), x.shape[1])


def _sizes(name: str, sizes: Sequence[int]) -> tuple[int, ...]:
    """A tuple of at least one whole number of at least 1, or an error."""
    if isinstance(sizes, int):
        raise TypeError(f"{name}: expected a sequence of whole numbers, got {sizes!r}")
    sizes = tuple(sizes)
    if not sizes:
        raise ValueError(f"{name}: expected at least one, got none")
    for number, size in enumerate(sizes):
        check_int(f"{name}[{number}]", size)
    return sizes
