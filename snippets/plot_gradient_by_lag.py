"""How far back does the gradient of a recurrent torch module reach?"""

import torch
from torch import Tensor, nn


def gradient_by_lag(net: nn.Module, x: Tensor) -> Tensor:
    """Norm of d(last output)/d(each input), (time,), lag 0 first and set to 1.

    The net is batch first; x is (batch, time, features).
    """
    x = x.detach().clone().requires_grad_()
    output = net(x)
    output = output[0] if isinstance(output, tuple) else output
    (gradient,) = torch.autograd.grad(output[:, -1].sum(), x)
    norms = gradient.norm(dim=2).mean(dim=0).flip(0)
    return norms / norms[0]


def show(name: str, norms: Tensor, every: int = 5) -> None:
    """Print every so many lags; two marks of the bar are a power of ten."""
    lost = (norms < 1e-3).nonzero()
    where = f"at lag {int(lost[0])}" if len(lost) else "at no lag"
    print(f"{name}: below a thousandth {where}")
    for lag in range(0, len(norms), every):
        length = 21 + 2 * norms[lag].clamp(min=1e-11).log10().item()
        print(f"{lag:4d} {norms[lag]:8.0e} {'#' * max(0, round(length))}")


if __name__ == "__main__":
    torch.manual_seed(0)
    x = torch.randn(16, 31, 8)
    rnn = nn.RNN(8, 64, batch_first=True)
    show("RNN as torch starts it", started := gradient_by_lag(rnn, x))
    nn.init.orthogonal_(rnn.weight_hh_l0)
    show("the same with an orthogonal W_hh", orthogonal := gradient_by_lag(rnn, x))
    assert started[20] < 1e-3 < orthogonal[20]
