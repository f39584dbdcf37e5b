"""An LSTM over a whole sequence as one node of autograd's graph, the backward pass written out.

Autograd keeps a dozen nodes for every step and adds up the gradient of the recurrent weight step
by step. Here a step back is the recursion and no more; that gradient is one product at the end.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rnnnotes.cells.lstm import gates_of, next_state

# From the slope by y = sigmoid(a), or tanh(a), to the slope by a: times y (1 - y), or 1 - y^2.
through_sigmoid = torch.ops.aten.sigmoid_backward
through_tanh = torch.ops.aten.tanh_backward


class LSTMSequence(torch.autograd.Function):
    """``apply(projected, weight_hh, h, c, *probes)``: hidden states, last h and c, what is kept.

    Of inputs (T, B, 4H), ``LSTMCell.project_input`` of the sequence with time first, (4H, H),
    (B, H) and (B, H); hidden states come as (B, T, H).

    Probes are none, or three times zeros (T, B, H), which are not computed with: their gradients
    are those by every state, h_t and c_t as they are read after step t, and c_t as it is made,
    read by h_t too. Who asks for these is spared the product for the gradient by the weight.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        projected: Tensor, weight: Tensor, h: Tensor, c: Tensor, *probes: Tensor
    ) -> tuple[Tensor, ...]:
        """The steps of an LSTM cell, one after the other."""
        weight_t = weight.t().contiguous()  # the product is faster with it than with a view
        hidden, cells, gates = [h], [c], []
        for p in projected.unbind(0):
            gates.append(gates_of(torch.addmm(p, h, weight_t)))
            h, c = next_state(gates[-1], c)
            hidden.append(h)
            cells.append(c)
        kept = (torch.stack(part) for part in (hidden[:-1], cells, *zip(*gates, strict=True)))
        return torch.stack(hidden[1:], dim=1), h, c, *kept

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        """Keep what the way back needs."""
        kept = output[3:]
        ctx.mark_non_differentiable(*kept)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[:4], *kept)
        ctx.save_for_forward(*inputs[:4])

    @staticmethod
    def backward(ctx: Any, d_hidden: Tensor | None, dh: Any, dc: Any, *_: None) -> Any:
        """Backpropagation through time: a loss's slopes by the inputs, from those by the outputs.

        ``dh`` and ``dc`` are the slopes by the state after the step that the loop has come to.
        """
        projected, weight, h, c, *kept = ctx.saved_tensors
        if torch.is_grad_enabled():  # the slopes are to be differentiated in their turn
            kept = LSTMSequence.forward(projected, weight, h, c)[3:]
        read, cells, *gates = kept
        d_outputs = torch.zeros_like(read) if d_hidden is None else d_hidden.transpose(0, 1)
        dh = torch.zeros_like(h) if dh is None else dh
        dc = torch.zeros_like(c) if dc is None else dc
        of_steps = (d_outputs, cells[:-1], cells[1:].tanh(), *gates)
        probed = len(ctx.needs_input_grad) > 4
        slopes, by_states = [], []
        for d_output, before, shown, i, f, g, o in zip(
            *(reversed(part.unbind(0)) for part in of_steps), strict=True
        ):
            dh, read_dc = dh + d_output, dc
            dc = dc + through_tanh(dh * o, shown)
            if probed:
                by_states.append((dh, read_dc, dc))
            d_i, d_f = through_sigmoid(dc * g, i), through_sigmoid(dc * before, f)
            d_g, d_o = through_tanh(dc * i, g), through_sigmoid(dh * shown, o)
            slopes.append(torch.cat([d_i, d_f, d_g, d_o], 1))
            dh, dc = slopes[-1] @ weight, dc * f
        d_projected = torch.stack(slopes[::-1])
        if probed:
            by_probes = (torch.stack(part[::-1]) for part in zip(*by_states, strict=True))
            return d_projected, None, dh, dc, *by_probes
        rows = d_projected.reshape(-1, weight.shape[0])
        d_weight = (read.reshape(-1, weight.shape[1]).t() @ rows).t()
        return d_projected, d_weight, dh, dc

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        """For torch's forward mode: through the steps themselves."""
        pairs = list(zip(ctx.saved_tensors, tangents[:4], strict=True))
        given = tuple(torch.zeros_like(x) if moved is None else moved for x, moved in pairs)
        _, moved = torch.func.jvp(LSTMSequence.forward, tuple(x for x, _ in pairs), given)
        return *moved[:3], *(None for _ in moved[3:])
