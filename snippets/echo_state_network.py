"""An echo state network: a fixed random net, and a readout fitted by ridge regression."""

import torch
from torch import Tensor


class EchoStateNetwork:
    def __init__(self, inputs: int, units: int, radius: float, leak: float, seed: int) -> None:
        g = torch.Generator().manual_seed(seed)
        drawn = 2 * torch.rand(units, units + inputs + 1, generator=g).double() - 1
        w_hh, self.w_ih, bias = drawn.split([units, inputs, 1], dim=1)
        w_hh = w_hh * (torch.rand(units, units, generator=g) < 0.1)  # sparse
        self.w_hh = w_hh * radius / torch.linalg.eigvals(w_hh).abs().max()
        self.bias, self.leak = 0.2 * bias[:, 0], leak

    def states(self, x: Tensor) -> Tensor:  # (steps, inputs) -> (steps, units + 1)
        h, rows = torch.zeros_like(self.bias), []
        for driven_by in x.double() @ self.w_ih.T + self.bias:
            h = (1 - self.leak) * h + self.leak * torch.tanh(driven_by + self.w_hh @ h)
            rows.append(torch.cat([h, h.new_ones(1)]))  # the 1 is for the readout's bias
        return torch.stack(rows)

    def fit(self, x: Tensor, y: Tensor, washout: int = 100, ridge: float = 1e-8) -> None:
        """x (steps, inputs), y (steps, outputs); then states(x) @ w_out are the answers."""
        h, wanted = self.states(x)[washout:], y[washout:].double()
        penalty = ridge**0.5 * torch.eye(h.shape[1], dtype=h.dtype)  # as more rows of h
        penalty[-1, -1] = 0  # none on the readout's bias
        wanted = torch.cat([wanted, wanted.new_zeros(h.shape[1], y.shape[1])])
        self.w_out = torch.linalg.lstsq(torch.cat([h, penalty]), wanted).solution


if __name__ == "__main__":
    x = torch.rand(2000, 1, generator=torch.Generator().manual_seed(0)) - 0.5
    y = x.roll(1, 0) * x.roll(3, 0)  # the input a step ago, times that 3 steps ago
    net = EchoStateNetwork(inputs=1, units=200, radius=0.9, leak=1.0, seed=1)
    net.fit(x[:1500], y[:1500])
    answers = net.states(x[1400:])[100:] @ net.w_out  # 100 steps forget the zero start
    left = ((answers - y[1500:]).square().mean() / y[1500:].var()).item()
    print(f"a product of past inputs: {left:.1%} of its variance is left on new steps")
    assert left < 0.2
