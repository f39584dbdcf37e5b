"""Can a model learn one batch by heart? If not, look for a mistake before blaming the gradient."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn


def overfit_one_batch(
    model: nn.Module, loss_of: Callable[[nn.Module], Tensor], updates: int = 150, lr: float = 0.01
) -> tuple[float, float]:
    """Loss before and after; loss_of(model) is the loss on one batch, the same at each call.

    A copy is trained. The loss should come near 0: take few sequences and no dropout. Learned by
    heart is learned from what lies near, too: that tells nothing about far steps.
    """
    model = copy.deepcopy(model)
    adam = torch.optim.Adam(model.parameters(), lr=lr)
    before = loss_of(model).item()
    for _ in range(updates):
        adam.zero_grad()
        loss_of(model).backward()
        adam.step()
    return before, loss_of(model).item()


if __name__ == "__main__":
    torch.manual_seed(0)
    net = nn.ModuleList([nn.GRU(3, 16, batch_first=True), nn.Linear(16, 4)])
    x, y = torch.randn(16, 10, 3), torch.randint(4, (16,))  # by heart only: y is random

    def scores(net: nn.ModuleList) -> Tensor:
        return net[1](net[0](x)[0][:, -1])

    right = overfit_one_batch(net, lambda n: nn.functional.cross_entropy(scores(n), y))
    wrong = overfit_one_batch(net, lambda n: nn.functional.cross_entropy(scores(n).softmax(1), y))
    for name, (before, after) in {"scores": right, "softmax of them, by mistake": wrong}.items():
        print(f"cross_entropy of the {name}: {before:.2f} before, {after:.3f} after")
    assert right[1] < 0.1 < wrong[1]
