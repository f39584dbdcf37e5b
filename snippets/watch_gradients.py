"""A training step that tells about its gradient: norm, updates, reach, and what is not finite."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Seen(NamedTuple):
    norm: float  # of all gradients together
    ratios: dict[str, float]  # ||update|| / ||weight|| of each tensor; not finite if that was 0
    nonfinite: str | None  # first gradient with NaN or Inf; then no update was made


def watched_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> Seen:
    """After ``loss.backward()``, in place of ``optimizer.step()``. PyTorch 2.6 or newer."""
    named = {name: p for name, p in model.named_parameters() if p.grad is not None}
    norm = nn.utils.get_total_norm([p.grad for p in named.values()]).item()
    bad = next((name for name, p in named.items() if not p.grad.isfinite().all()), None)
    old = {name: p.detach().clone() for name, p in named.items()}
    if bad is None:
        optimizer.step()
    moved = {name: (p.detach() - old[name]).norm() for name, p in named.items()}
    return Seen(norm, {name: (d / old[name].norm()).item() for name, d in moved.items()}, bad)


def far_over_near(x: Tensor) -> float:
    """Gradient of the first step of x (B, T, D), which must require it, over the last step's."""
    return (x.grad[:, 0].norm() / x.grad[:, -1].norm()).item()


if __name__ == "__main__":
    torch.manual_seed(0)
    rnn, x = nn.RNN(8, 32, batch_first=True), torch.randn(16, 30, 8, requires_grad=True)
    rnn(x)[0][:, -1].square().mean().backward()
    seen = watched_step(rnn, sgd := torch.optim.SGD(rnn.parameters(), lr=0.1))
    print(f"norm {seen.norm:.2f}, W_hh moved by {seen.ratios['weight_hh_l0']:.1%} of its size,")
    print(f"but the input's gradient at the first step is {far_over_near(x):.0e} of the last's")
    rnn.weight_hh_l0.grad[0, 0] = torch.nan
    assert watched_step(rnn, sgd).nonfinite == "weight_hh_l0" and rnn.weight_hh_l0.isfinite().all()
