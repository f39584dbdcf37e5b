"""The mean loss of a padded batch over its real steps: padding neither counts nor dilutes."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence


def mean_over_real_steps(losses: Tensor, lengths: Tensor) -> Tensor:
    """Mean of losses (B, T), made with reduction="none", over the first lengths (B,) steps of each.

    Every real step counts the same, so a long sequence counts more than a short one. (Where targets
    are classes, cross_entropy with ignore_index does the same: -100 on padding.)
    """
    steps = torch.arange(losses.shape[1], device=losses.device)
    return losses[steps < lengths.to(losses.device)[:, None]].mean()


if __name__ == "__main__":
    torch.manual_seed(0)
    rnn, head = nn.RNN(3, 16, batch_first=True), nn.Linear(16, 1)
    weights = [*rnn.parameters(), *head.parameters()]
    lengths = torch.tensor([2, 9, 5])
    xs = [torch.randn(length, 3) for length in lengths]
    ys = [torch.randn(length, 1) for length in lengths]

    def losses(x: Tensor, y: Tensor) -> Tensor:
        return (head(rnn(x)[0]) - y).square()[..., 0]

    alone = torch.cat([losses(x, y) for x, y in zip(xs, ys, strict=True)]).mean()
    padded = losses(pad_sequence(xs, batch_first=True), pad_sequence(ys, batch_first=True))
    zeroed = padded * (torch.arange(9) < lengths[:, None])
    wanted = torch.autograd.grad(alone, weights, retain_graph=True)
    print(f"each sequence alone: loss {alone:.3f}")
    ways = {"mean over all steps": padded.mean(), "padding set to 0, then mean": zeroed.mean()}
    for name, loss in (ways | {"real steps only": mean_over_real_steps(padded, lengths)}).items():
        got = torch.autograd.grad(loss, weights, retain_graph=True)
        off = max((a - b).norm() / b.norm() for a, b in zip(got, wanted, strict=True))
        print(f"{name}: loss {loss:.3f}, gradient off by up to {off:.0%}")
    assert loss.isclose(alone) and off < 1e-5
