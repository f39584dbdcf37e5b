"""Both last states of a bidirectional RNN: not the last step of its output."""

import torch
from torch import Tensor, nn


def read_both_last_states(rnn: nn.RNNBase, x: Tensor) -> Tensor:
    """(B, 2H): the top layer's forward state at the last step, backward at the first.

    rnn: bidirectional, an nn.RNN, nn.GRU or nn.LSTM. output[:, -1] is not this: its
    second half is the backward state after one step. Pack a padded batch first.
    """
    if not rnn.bidirectional:
        raise ValueError("expected an RNN with bidirectional=True")
    _, state = rnn(x)
    # (2 * layers, B, H); an LSTM's state is (h, c)
    h = state[0] if isinstance(state, tuple) else state
    return torch.cat([h[-2], h[-1]], dim=1)


def steps_read(state: Tensor, x: Tensor) -> list[int]:
    """The steps of x (B, T, D), counted from 1, that a state made of it depends on."""
    (gradient,) = torch.autograd.grad(state.sum(), x, retain_graph=True)
    return [t + 1 for t, g in enumerate(gradient.unbind(1)) if g.any()]


if __name__ == "__main__":
    torch.manual_seed(0)
    x = torch.randn(4, 6, 3, requires_grad=True)
    for kind in nn.RNN, nn.GRU, nn.LSTM:
        rnn = kind(3, 8, batch_first=True, bidirectional=True)
        output, right = rnn(x)[0], read_both_last_states(rnn, x)
        wrong = output[:, -1]
        assert torch.equal(wrong[:, :8], right[:, :8])  # the forward halves agree
        assert torch.equal(output[:, 0, 8:], right[:, 8:])  # the backward net ends at the start
        print(f"{kind.__name__}, second half has read {steps_read(right[:, 8:], x)};")
        print(f"  in output[:, -1]: {steps_read(wrong[:, 8:], x)}")
        assert steps_read(right[:, 8:], x) == [1, 2, 3, 4, 5, 6]
