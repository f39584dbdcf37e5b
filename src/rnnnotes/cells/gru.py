"""The GRU, with the reset gate after the product (torch, cuDNN) or before it (the paper)."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnnotes._checks import check_choice
from rnnnotes.cells.base import Cell, State, linear


class GRUCell(Cell):
    """Gated recurrent unit: one state, mixed from its old value and a candidate n.

    ``r = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)``;
    ``z = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)``;
    after: ``n = tanh(W_in x_t + b_in + r * (W_hn h_{t-1} + b_hn))``;
    before: ``n = tanh(W_in x_t + b_in + W_hn (r * h_{t-1}) + b_hn)``;
    ``h_t = (1 - z) * n + z * h_{t-1}``: z near 1 keeps.

    Args:
        input_size: D.
        hidden_size: H.
        bias: whether there are biases.
        reset: where the reset gate acts: ``"after"`` the product, as ``torch.nn.GRU``, or
            ``"before"`` it, as in the paper.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> cell = rn.GRUCell(2, 3, generator=generator)
        >>> x, h = torch.randn(4, 2, generator=generator), torch.ones(4, 3)
        >>> torch.allclose(cell(x, h), rn.to_torch(cell)(x, h), atol=1e-6)
        True
        >>> paper = rn.GRUCell(2, 3, reset="before", generator=generator)
        >>> list(paper.gates(x, h))
        ['r', 'z', 'n']

    Source: Cho et al., Learning phrase representations using RNN encoder-decoder for statistical
    machine translation, 2014, equations 5 to 8. Some papers and libraries swap z and 1 - z.
    """

    gate_names = ("r", "z", "n")
    blocks = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        reset: str = "after",
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_choice("reset", reset, ("after", "before"))
        super().__init__(
            input_size, hidden_size, bias, generator=generator, device=device, dtype=dtype
        )
        self.reset = reset

    def project_input(self, x: Tensor) -> Tensor:
        """``W_ih x + b_ih``, (..., D) -> (..., 3H); b_hh stays behind, since r may scale it."""
        return linear(x, self.weight_ih, self.bias_ih)

    def activations(self, projected: Tensor, state: State) -> tuple[Tensor, ...]:
        """Gates r, z in (0, 1) and the candidate n in (-1, 1), each (B, H)."""
        h, rows = state, (2 * self.hidden_size, self.hidden_size)
        x_gates, x_candidate = projected.split(rows, -1)
        if self.reset == "after":
            h_gates, h_candidate = linear(h, self.weight_hh, self.bias_hh).split(rows, -1)
            r, z = (x_gates + h_gates).sigmoid().chunk(2, -1)
            return r, z, (x_candidate + r * h_candidate).tanh()
        weights = self.weight_hh.split(rows, -2)
        biases = (None, None) if self.bias_hh is None else self.bias_hh.split(rows, -1)
        r, z = (x_gates + linear(h, weights[0], biases[0])).sigmoid().chunk(2, -1)
        return r, z, (x_candidate + linear(r * h, weights[1], biases[1])).tanh()

    def step(self, projected: Tensor, state: State) -> State:
        """Mix the old state and the candidate, (B, H)."""
        _, z, n = self.activations(projected, state)
        return n + z * (state - n)

    def extra_repr(self) -> str:
        """Sizes and the place of the reset gate."""
        return f"{super().extra_repr()}, reset={self.reset!r}"
