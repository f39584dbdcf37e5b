"""Clip gradients by their common norm, report it, and refuse one that is not finite."""

import torch
from torch import Tensor, nn


def training_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, max_norm: float
) -> float:
    """One update; the norm of all gradients together, before clipping. PyTorch 2.6 or newer."""
    optimizer.zero_grad()
    loss.backward()
    named = [(name, p.grad) for name, p in model.named_parameters() if p.grad is not None]
    norm = nn.utils.get_total_norm([gradient for _, gradient in named])
    if not norm.isfinite():
        bad = ", ".join(name for name, gradient in named if not gradient.isfinite().all())
        raise FloatingPointError(f"gradient norm {norm:g} ({bad}): no step was made")
    nn.utils.clip_grads_with_norm_(model.parameters(), max_norm, norm)
    optimizer.step()
    return norm.item()


if __name__ == "__main__":
    torch.manual_seed(0)
    rnn = nn.RNN(input_size=3, hidden_size=32, batch_first=True)
    nn.init.orthogonal_(rnn.weight_hh_l0, gain=2.0)  # large enough to explode
    sgd = torch.optim.SGD(rnn.parameters(), lr=0.1)
    x = torch.randn(8, 50, 3)
    start = nn.utils.parameters_to_vector(rnn.parameters()).detach()
    norm = training_step(rnn, sgd, rnn(x)[0][:, -1].sum(), max_norm=1.0)
    moved = nn.utils.parameters_to_vector(rnn.parameters()).detach()
    print(f"norm {norm:.3g} before clipping; step of length {(moved - start).norm():.3g}")
    assert norm > 1 and (moved - start).norm() < 0.1001  # learning rate times max_norm
    try:
        training_step(rnn, sgd, rnn(x * torch.nan)[0].sum(), max_norm=1.0)
    except FloatingPointError as error:
        print("refused:", error)
    assert nn.utils.parameters_to_vector(rnn.parameters()).equal(moved)
    print("and every weight is as it was")
