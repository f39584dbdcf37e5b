"""Start the recurrent weights of a torch RNN, LSTM or GRU orthogonal, gate by gate."""

import torch
from torch import Tensor, nn


def orthogonal_start(rnn: nn.RNNBase) -> None:
    """Make the W_hh of each gate, in each layer and direction, a random orthogonal matrix.

    torch stacks the gates' matrices, four for an LSTM and three for a GRU: each is one block.
    """
    with torch.no_grad():
        for name, weight in rnn.named_parameters():
            if "weight_hh" in name:
                for block in weight.split(rnn.hidden_size):
                    nn.init.orthogonal_(block)


def gradient_left(rnn: nn.RNNBase, x: Tensor) -> float:
    """Norm of d(last output)/d(first input), over that of d(last output)/d(last input).

    The net is batch first; x is (batch, time, features).
    """
    x = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(rnn(x)[0][:, -1].sum(), x)
    return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()


if __name__ == "__main__":
    torch.manual_seed(0)
    x = torch.randn(16, 31, 8)
    for kind in (nn.RNN, nn.LSTM, nn.GRU):
        rnn = kind(8, 64, batch_first=True)
        before = gradient_left(rnn, x)
        orthogonal_start(rnn)
        after = gradient_left(rnn, x)
        print(f"{kind.__name__:4} left over 30 steps: {before:.0e}, orthogonal {after:.0e}")
        assert after > 10 * before
        for block in rnn.weight_hh_l0.split(64):
            assert torch.allclose(block @ block.T, torch.eye(64), atol=1e-5)
