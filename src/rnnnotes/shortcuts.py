"""Ways round the layers for a gradient, and the deep feed-forward net that does without.

Residual and highway layers and dense connections are ways round the layers of a deep net;
attention is a way from the output to every step of a recurrent one. (Residual sums between
recurrent layers: ``Stacked(..., residual=True)``.)
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnnnotes._checks import (
    check_choice,
    check_generator,
    check_int,
    check_is,
    check_lengths,
    check_module,
    check_number,
    check_positive,
    check_tensor,
)
from rnnnotes.cells.elman import ElmanCell
from rnnnotes.init import orthogonal_, uniform_
from rnnnotes.layers import Bidirectional, Recurrent, Stacked, last_of, steps_inside


class FeedForward(nn.Module):
    """One feed-forward layer: ``y = phi(W x + b)``, (..., D) -> (..., H).

    Parameters: ``weight`` (H, D), ``bias`` (H,), which starts at zero, or None.

    Args:
        input_size: D.
        output_size: H.
        nonlinearity: phi: one of :class:`ElmanCell`'s, or ``"sigmoid"``.
        init: law of the entries of W, all of mean 0 and variance ``gain^2 / D``: ``"normal"``,
            ``"uniform"`` (torch's own start of a linear layer has gain 1/sqrt(3)), or
            ``"orthogonal"``: gain times orthonormal rows (columns, if H > D: then the variance is
            ``gain^2 / H``).
        gain: above 0; 1 keeps the mean square of a linear layer's input, sqrt(2) that of ReLU's.
        bias: whether there is a bias.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> layer = rn.FeedForward(400, 400, "relu", gain=2**0.5, generator=generator)
        >>> x = torch.randn(100, 400, generator=generator)
        >>> y = layer(x).detach()
        >>> round(float(y.square().mean() / x.square().mean()), 1)  # the gain keeps the size
        1.0

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
    networks, AISTATS 2010, and He et al., Delving deep into rectifiers, 2015, for the variances.
    """

    nonlinearities: ClassVar = {**ElmanCell.nonlinearities, "sigmoid": torch.sigmoid}
    inits: ClassVar = ("normal", "uniform", "orthogonal")

    def __init__(
        self,
        input_size: int,
        output_size: int,
        nonlinearity: str = "tanh",
        init: str = "normal",
        gain: float = 1.0,
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_int("input_size", input_size)
        check_int("output_size", output_size)
        check_choice("nonlinearity", nonlinearity, self.nonlinearities)
        check_choice("init", init, self.inits)
        check_positive("gain", gain)
        check_generator("generator", generator, optional=True)
        self.input_size, self.output_size = input_size, output_size
        self.nonlinearity = nonlinearity
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty(output_size, input_size, **factory))
        self.register_parameter(
            "bias", nn.Parameter(torch.zeros(output_size, **factory)) if bias else None
        )
        if init == "normal":
            nn.init.normal_(self.weight, std=gain / math.sqrt(input_size), generator=generator)
        elif init == "uniform":
            uniform_(self.weight, gain * math.sqrt(3 / input_size), generator=generator)
        else:
            orthogonal_(self.weight, gain, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """``phi(W x + b)``."""
        check_tensor("x", x, ("...", self.input_size), dtype=self.weight.dtype)
        return self.nonlinearities[self.nonlinearity](F.linear(x, self.weight, self.bias))

    def extra_repr(self) -> str:
        """Sizes and nonlinearity."""
        return f"{self.input_size}, {self.output_size}, nonlinearity={self.nonlinearity!r}"


class Residual(nn.Module):
    """A module with a way round it: ``y = x + F(x)``, so that ``dy/dx = I + dF/dx``.

    Args:
        inner: F, any module that keeps the shape of its input.

    Examples:
        >>> inner = rn.FeedForward(3, 3, generator=torch.Generator().manual_seed(0))
        >>> x = torch.tensor([[1.0, 2.0, 3.0]])
        >>> torch.equal(rn.Residual(inner)(x), x + inner(x))
        True

    Source: He, Zhang, Ren and Sun, Deep residual learning for image recognition, 2016,
    equation 1.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        check_module("inner", inner)
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """``x + F(x)``."""
        return x + _kept_shape(self.inner(x), x)


class Highway(nn.Module):
    """A module with a gated way round it: ``y = H(x) * T(x) + x * (1 - T(x))``.

    ``T(x) = sigmoid(W_T x + b_T)``, the transform gate: at 0 it gives x, at 1 H(x).

    Args:
        inner: H, any module that keeps the shape of its input (..., width).
        gate: T, a sigmoid :class:`FeedForward` of width to width.
        gate_bias: every entry of b_T at the start; below zero the layer starts by carrying x.
            The paper's examples are -1 and -3.

    Raises:
        TypeError: a gate that is not a sigmoid layer with a bias.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> inner = rn.FeedForward(3, 3, generator=generator)
        >>> gate = rn.FeedForward(3, 3, "sigmoid", generator=generator)
        >>> layer = rn.Highway(inner, gate, gate_bias=-100.0)  # shut: the layer carries
        >>> layer(torch.tensor([[1.0, 2.0, 3.0]])).detach()
        tensor([[1., 2., 3.]])

    Source: Srivastava, Greff and Schmidhuber, Highway networks, 2015, equation 3.
    """

    def __init__(self, inner: nn.Module, gate: FeedForward, gate_bias: float = -2.0) -> None:
        super().__init__()
        check_module("inner", inner)
        check_number("gate_bias", gate_bias)
        if not isinstance(gate, FeedForward) or gate.nonlinearity != "sigmoid" or gate.bias is None:
            raise TypeError(f"gate: expected a sigmoid FeedForward with a bias, got {gate!r}")
        self.inner, self.gate = inner, gate
        nn.init.constant_(gate.bias, gate_bias)

    def forward(self, x: Tensor) -> Tensor:
        """``H(x) * T(x) + x * (1 - T(x))``."""
        t = self.gate(x)
        return _kept_shape(self.inner(x), x) * t + x * (1 - t)


class DeepNet(nn.Module):
    """Deep feed-forward net of one width, x_0 to x_L, with one way round its layers or none.

    none: ``x_l = phi(W_l x_{l-1} + b_l)``;
    residual: ``x_l = x_{l-1} + phi(W_l x_{l-1} + b_l)``;
    highway: ``x_l = t * phi(W_l x_{l-1} + b_l) + (1 - t) * x_{l-1}``, ``t = T_l(x_{l-1})``;
    dense: ``x_l = phi(W_l [x_0, ..., x_{l-1}] + b_l)``, W_l (width, l * width).

    Tied, all layers are one: ``W_l = W``, as in a recurrent net without inputs.

    Args:
        width: size of x, from first to last.
        depth: L, at least 1.
        nonlinearity: phi, as for :class:`FeedForward`.
        shortcut: ``"none"``, ``"residual"``, ``"highway"`` or ``"dense"``.
        tied: one set of weights for all layers; not with ``"dense"``, whose layers differ in size.
        init: law of the weights, as for :class:`FeedForward`.
        gain: of the weights, above 0, as for :class:`FeedForward`; of the gates' too.
        gate_bias: start of b_T, for ``"highway"``.
        bias: whether phi has a bias, which starts at zero.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: a dense net that is tied.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> net = rn.DeepNet(4, 10, shortcut="residual", generator=generator)
        >>> values = net.activations(torch.randn(8, 4, generator=generator))
        >>> len(values), values[-1].shape
        (11, torch.Size([8, 4]))

    Source: for the dense net Huang, Liu, van der Maaten and Weinberger, Densely connected
    convolutional networks, 2017, equation 2, with a growth of ``width`` features a layer; for the
    others :class:`Residual` and :class:`Highway`.
    """

    shortcuts: ClassVar = ("none", "residual", "highway", "dense")

    def __init__(
        self,
        width: int,
        depth: int,
        nonlinearity: str = "tanh",
        *,
        shortcut: str = "none",
        tied: bool = False,
        init: str = "normal",
        gain: float = 1.0,
        gate_bias: float = -2.0,
        bias: bool = True,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_int("width", width)
        check_int("depth", depth)
        check_choice("shortcut", shortcut, self.shortcuts)
        if tied and shortcut == "dense":
            raise ValueError("tied: expected False with shortcut='dense', got True")
        self.width, self.depth = width, depth
        self.shortcut, self.tied = shortcut, tied
        self.input_size = self.output_size = width
        factory: dict[str, Any] = {"generator": generator, "device": device, "dtype": dtype}

        def layer(number: int) -> nn.Module:
            fan_in = width * number if shortcut == "dense" else width
            inner = FeedForward(fan_in, width, nonlinearity, init, gain, bias, **factory)
            if shortcut == "residual":
                return Residual(inner)
            if shortcut == "highway":
                gate = FeedForward(width, width, "sigmoid", init, gain, **factory)
                return Highway(inner, gate, gate_bias)
            return inner

        self.layers = nn.ModuleList([layer(1)] * depth if tied else map(layer, range(1, depth + 1)))

    def activations(self, x: Tensor) -> list[Tensor]:
        """x_0 = x, x_1, ..., x_L, each (..., width).

        ``torch.autograd.grad(loss, activations)`` gives the gradient at every depth at once.
        """
        check_tensor("x", x, ("...", self.width), dtype=next(self.parameters()).dtype)
        values = [x]
        for layer in self.layers:
            values.append(layer(torch.cat(values, -1) if self.shortcut == "dense" else values[-1]))
        return values

    def forward(self, x: Tensor) -> Tensor:
        """x_L, (..., width)."""
        return self.activations(x)[-1]

    def extra_repr(self) -> str:
        """The way round the layers, and whether they are one."""
        return f"shortcut={self.shortcut!r}, tied={self.tied}"


class Attended(NamedTuple):
    """What attention saw: ``context`` (B, H), and the ``weights`` (B, T) that it saw it with.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> attention = rn.Attention(3, generator=generator)
        >>> attended = attention(torch.randn(4, 5, 3, generator=generator))
        >>> isinstance(attended, rn.Attended)
        True
        >>> attended.context.shape, attended.weights.shape
        (torch.Size([4, 3]), torch.Size([4, 5]))
    """

    context: Tensor
    weights: Tensor


class Attention(nn.Module):
    """One query's weighted mean of the states: ``context = sum_t a_t h_t``, ``a = softmax(e)``.

    additive: ``e_t = v' tanh(W_q q + W_k h_t)``;
    dot: ``e_t = (W_q q)' (W_k h_t) / sqrt(A)``.

    From the context there is a way of one sum to every h_t: ``d context / d h_t`` holds
    ``a_t I``, whatever the lag.

    Parameters: ``weight_query`` W_q and ``weight_key`` W_k (A, H); ``weight_score`` v (A,), for
    additive. They start from U(-1/sqrt(H), 1/sqrt(H)), v from U(-1/sqrt(A), 1/sqrt(A)).

    Args:
        hidden_size: H.
        score: ``"additive"`` or ``"dot"``.
        attention_size: A; H if None.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> attention = rn.Attention(3, "dot", generator=generator)
        >>> states = torch.randn(2, 5, 3, generator=generator)
        >>> context, weights = attention(states, lengths=torch.tensor([5, 2]))
        >>> weights > 0
        tensor([[ True,  True,  True,  True,  True],
                [ True,  True, False, False, False]])
        >>> weights.sum(1).allclose(torch.ones(2))
        True

    Source: Bahdanau, Cho and Bengio, Neural machine translation by jointly learning to align and
    translate, 2015, equations 5 and 6 and appendix A.1.2; Vaswani et al., Attention is all you
    need, 2017, equation 1, for the scaled product.
    """

    def __init__(
        self,
        hidden_size: int,
        score: str = "additive",
        attention_size: int | None = None,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_int("hidden_size", hidden_size)
        check_choice("score", score, ("additive", "dot"))
        attention_size = hidden_size if attention_size is None else attention_size
        check_int("attention_size", attention_size)
        self.hidden_size, self.score, self.attention_size = hidden_size, score, attention_size

        def parameter(*shape: int) -> nn.Parameter:
            tensor = torch.empty(shape, device=device, dtype=dtype)
            return nn.Parameter(uniform_(tensor, 1 / math.sqrt(shape[-1]), generator=generator))

        self.weight_query = parameter(attention_size, hidden_size)
        self.weight_key = parameter(attention_size, hidden_size)
        self.register_parameter(
            "weight_score", parameter(attention_size) if score == "additive" else None
        )

    def forward(
        self, states: Tensor, lengths: Tensor | None = None, query: Tensor | None = None
    ) -> Attended:
        """Attend to the states of each sequence.

        Args:
            states: h_1 to h_T, (B, T, H).
            lengths: (B,) whole numbers from 1 to T; T everywhere if None. States beyond a
                sequence's end get weight 0.
            query: q (B, H); each sequence's last state if None.
        """
        dtype = self.weight_query.dtype
        check_tensor("states", states, ("B", "T", self.hidden_size), dtype=dtype)
        batch_size, steps, _ = states.shape
        if lengths is not None:
            check_lengths("lengths", lengths, batch_size, steps)
            lengths = lengths.to(states.device)
        if query is None:
            query = last_of(states, lengths)
        check_tensor("query", query, (batch_size, self.hidden_size), dtype=dtype)
        q = F.linear(query, self.weight_query)[:, None]
        k = F.linear(states, self.weight_key)
        if self.score == "additive":
            scores = (q + k).tanh() @ self.weight_score
        else:
            scores = (k @ q.transpose(1, 2))[:, :, 0] / math.sqrt(self.attention_size)
        if lengths is not None:
            scores = scores.masked_fill(~steps_inside(lengths, steps), -math.inf)
        weights = scores.softmax(dim=1)
        return Attended((weights[:, None] @ states)[:, 0], weights)

    def extra_repr(self) -> str:
        """Sizes and score."""
        return f"{self.hidden_size}, score={self.score!r}, attention_size={self.attention_size}"


class AttentionReadout(nn.Module):
    """A recurrent layer read through attention: ``y = W_out [context; h_T] + b_out``, (B, C).

    h_T, the output at each sequence's last step, is the query. (Of a bidirectional layer its
    second half has seen the last step alone.)

    Args:
        layer: :class:`Recurrent`, :class:`Bidirectional` or :class:`Stacked`, giving (B, T, H).
        output_size: C.
        score: ``"additive"`` or ``"dot"``.
        attention_size: A; H if None.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> layer = rn.Recurrent(rn.LSTMCell(2, 3, generator=generator))
        >>> model = rn.AttentionReadout(layer, 7, generator=generator)
        >>> x = torch.randn(4, 5, 2, generator=generator)
        >>> model(x).shape, model.attend(x).weights.shape
        (torch.Size([4, 7]), torch.Size([4, 5]))
    """

    def __init__(
        self,
        layer: Recurrent | Bidirectional | Stacked,
        output_size: int,
        score: str = "additive",
        attention_size: int | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_is("layer", layer, (Recurrent, Bidirectional, Stacked))
        self.input_size, self.output_size = layer.input_size, output_size
        weight = next(layer.parameters())
        factory: dict[str, Any] = {
            "generator": generator,
            "device": weight.device,
            "dtype": weight.dtype,
        }
        self.layer = layer
        self.attention = Attention(layer.output_size, score, attention_size, **factory)
        # The weights start as those of torch's linear layer.
        self.head = FeedForward(
            2 * layer.output_size, output_size, "identity", "uniform", 1 / math.sqrt(3), **factory
        )

    def attend(self, x: Tensor, lengths: Tensor | None = None) -> Attended:
        """Context (B, H) and weights (B, T) for inputs (B, T, D)."""
        return self.attention(self.layer(x, lengths=lengths)[0], lengths)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Outputs (B, C) of inputs (B, T, D); ``lengths`` (B,) of padded ones."""
        states, _ = self.layer(x, lengths=lengths)
        context, _ = self.attention(states, lengths)
        return self.head(torch.cat([context, last_of(states, lengths)], dim=1))


def _kept_shape(y: Tensor, x: Tensor) -> Tensor:
    """``y``, or ValueError if a sum with ``x`` would broadcast."""
    check_tensor("output of the inner module", y, tuple(x.shape))
    return y
