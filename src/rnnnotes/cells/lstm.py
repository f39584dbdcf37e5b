"""The LSTM as torch has it: forget gate, no peepholes."""

from __future__ import annotations

from torch import Tensor

from rnnnotes.cells.base import Cell, State, add_product


class LSTMCell(Cell):
    """Long short-term memory: a cell state c that is kept, written to and read by gates.

    ``i = sigmoid(W_ii x_t + W_hi h_{t-1} + b_i)``; ``f = sigmoid(W_if x_t + W_hf h_{t-1} + b_f)``;
    ``g = tanh(W_ig x_t + W_hg h_{t-1} + b_g)``; ``o = sigmoid(W_io x_t + W_ho h_{t-1} + b_o)``;
    ``c_t = f * c_{t-1} + i * g``; ``h_t = o * tanh(c_t)``.
    Every b is the sum of its rows of ``bias_ih`` and ``bias_hh``.

    The state is (h, c). To start with open forget gates use :func:`rnnnotes.forget_bias_`.

    Args:
        input_size: D.
        hidden_size: H.
        bias: whether there are biases.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> cell = rn.LSTMCell(2, 3, generator=generator)
        >>> x = torch.randn(4, 2, generator=generator)
        >>> h, c = cell(x)
        >>> h.shape, c.shape
        (torch.Size([4, 3]), torch.Size([4, 3]))
        >>> torch.allclose(h, rn.to_torch(cell)(x)[0], atol=1e-6)
        True
        >>> list(cell.gates(x, (h, c)))
        ['i', 'f', 'g', 'o']

    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997, without the forget gate;
    Gers, Schmidhuber and Cummins, Learning to forget, 2000, with it; "NP" in Greff et al., LSTM:
    a search space odyssey, 2017; the same map as ``torch.nn.LSTM``.
    """

    gate_names = ("i", "f", "g", "o")
    blocks = 4
    state_names = ("h", "c")

    def activations(self, projected: Tensor, state: State) -> tuple[Tensor, ...]:
        """Gates i, f, o in (0, 1) and the candidate g in (-1, 1), each (B, H)."""
        h, _ = state
        return gates_of(add_product(projected, h, self.weight_hh))

    def step(self, projected: Tensor, state: State) -> State:
        """Keep a part of c, write a part of g, show a part of the outcome."""
        _, c = state
        return next_state(self.activations(projected, state), c)


def gates_of(preactivations: Tensor) -> tuple[Tensor, ...]:
    """i, f, g and o, each (B, H), of their preactivations side by side (B, 4H)."""
    i, f, g, o = preactivations.chunk(4, -1)
    return i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()


def next_state(gates: tuple[Tensor, ...], c: Tensor) -> tuple[Tensor, Tensor]:
    """h and c after a step with gates i, f, g and o from the c before it, each (B, H)."""
    i, f, g, o = gates
    c = f * c + i * g
    return o * c.tanh(), c
