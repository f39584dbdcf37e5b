"""How far back does a gradient reach? Prints it by lag, for any recurrent module of torch."""

import torch
from torch import Tensor, nn


def gradient_by_lag(net: nn.Module, x: Tensor) -> Tensor:
    """Norm of the gradient of the last output with respect to each input, lag 0 set to 1.

    `net` is batch first, `x` is (batch, time, features). The answer is (time,), nearest first.
    """
    x = x.detach().clone().requires_grad_()
    output = net(x)
    output = output[0] if isinstance(output, tuple) else output
    (gradient,) = torch.autograd.grad(output[:, -1].sum(), x)
    norms = gradient.norm(dim=2).mean(dim=0).flip(0)
    return norms / norms[0]


def show(name: str, norms: Tensor, every: int = 5) -> None:
    """One line for each `every`-th lag; a bar loses two marks for each power of ten."""
    lost = (norms < 1e-3).nonzero()
    print(f"{name}: below a thousandth", f"at lag {int(lost[0])}" if len(lost) else "at no lag")
    for lag in range(0, len(norms), every):
        bar = "#" * max(0, 21 + round(2 * norms[lag].log10().item())) if norms[lag] > 0 else ""
        print(f"{lag:4d} {norms[lag]:8.0e} {bar}")


if __name__ == "__main__":
    torch.manual_seed(0)
    x = torch.randn(16, 31, 8)
    rnn = nn.RNN(8, 64, batch_first=True)
    show("RNN as torch starts it", gradient_by_lag(rnn, x))
    nn.init.orthogonal_(rnn.weight_hh_l0)
    show("the same with an orthogonal W_hh", gradient_by_lag(rnn, x))
