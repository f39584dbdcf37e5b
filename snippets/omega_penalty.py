"""Pascanu's Omega for a torch.nn.RNN: each step back should keep the gradient's size."""

import torch
from torch import Tensor, nn


def omega_penalty(rnn: nn.RNN, output: Tensor, loss: Tensor) -> Tensor:
    """Mean of (|v_t D_t W| / |v_t| - 1)^2, with v_t = dloss/dh_t and D_t the slopes of tanh.

    ``rnn``: one layer, tanh, batch first; ``output`` (B, T, H): what it gave, and all that ``loss``
    was computed from. Only weight_hh_l0 gets a gradient; add the penalty to the loss.
    """
    weight = rnn.weight_hh_l0
    (direct,) = torch.autograd.grad(loss, output, retain_graph=True)
    slopes = 1 - output.detach().square()
    v, terms = torch.zeros_like(direct[:, 0]), []
    for t in reversed(range(output.shape[1])):
        v = v + direct[:, t]  # what reaches h_t from its own output and from the step after
        size = v.norm(dim=1, keepdim=True)
        through = (v * slopes[:, t]) @ weight
        ratio = through.norm(dim=1) / size[:, 0].clamp(min=1e-30)
        terms.append((ratio - 1).square()[size[:, 0] > 0])
        v = through.detach()
    return torch.cat(terms).mean()


if __name__ == "__main__":
    torch.manual_seed(0)
    rnn, x = nn.RNN(4, 32, batch_first=True), torch.randn(8, 40, 4, requires_grad=True)
    sgd, omegas, grads = torch.optim.SGD(rnn.parameters(), lr=0.03), [], []
    for _ in range(100):
        output, _ = rnn(x)
        grads += torch.autograd.grad(output[:, -1].sum(), x, retain_graph=True)
        omegas.append(omega_penalty(rnn, output, output[:, -1].sum()))
        sgd.zero_grad()
        omegas[-1].backward()  # alone, to see what it does
        sgd.step()
    was, now = (g[:, 0].norm() / g[:, -1].norm() for g in (grads[0], grads[-1]))
    print(f"Omega {omegas[0]:.3f}, then {omegas[-1]:.3f}; gradient left: {was:.0e}, then {now:.0e}")
    assert omegas[-1] < 0.5 * omegas[0] and was < 1e-6 < now
