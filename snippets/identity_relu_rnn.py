"""An RNN of rectified linear units that starts by keeping its state: the IRNN of Le et al. 2015."""

import torch
from torch import Tensor, nn


def identity_relu_rnn(input_size: int, hidden_size: int, input_std: float = 0.001) -> nn.RNN:
    """ReLU, W_hh the identity, biases zero, small normal input weights; batch first."""
    rnn = nn.RNN(input_size, hidden_size, nonlinearity="relu", batch_first=True)
    nn.init.eye_(rnn.weight_hh_l0)
    nn.init.normal_(rnn.weight_ih_l0, std=input_std)
    nn.init.zeros_(rnn.bias_ih_l0)
    nn.init.zeros_(rnn.bias_hh_l0)
    return rnn


def adding(size: int, steps: int = 15) -> tuple[Tensor, Tensor]:
    """Numbers of which two are marked, (size, steps, 2), and the sum of these, (size, 1)."""
    numbers, marks = torch.rand(size, steps), torch.zeros(size, steps)
    marks.scatter_(1, torch.rand(size, steps).topk(2).indices, 1.0)
    return torch.stack([numbers, marks], 2), (numbers * marks).sum(1, keepdim=True)


if __name__ == "__main__":
    torch.manual_seed(0)
    rnn, readout = identity_relu_rnn(2, 32, input_std=0.1), nn.Linear(32, 1)
    assert rnn(torch.zeros(1, 99, 2), h := torch.ones(1, 1, 32))[1].equal(h)  # it keeps its state
    parameters = [*rnn.parameters(), *readout.parameters()]
    adam = torch.optim.Adam(parameters, lr=0.003)
    for _ in range(400):
        x, y = adding(32)
        loss = nn.functional.mse_loss(readout(rnn(x)[0][:, -1]), y)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)  # W_hh at 1 is at the brink of exploding
        adam.step()
    x, y = adding(2000)
    error = (readout(rnn(x)[0][:, -1]) - y).square().mean().item()
    print(f"error {error:.3f}; always answering the mean, 1: {(y - 1).square().mean():.3f}")
    assert error < 0.05
