"""Read an RNN through attention: one step from the loss to every state, however long ago."""

import torch
from torch import Tensor, nn


class AttentionReadout(nn.Module):
    """Outputs (B, C) from [sum_t a_t h_t; h_T], a = softmax(v' tanh(W_q h_T + W_k h_t)), and a.
    rnn: one direction, batch first (LSTM, GRU too). real: (B, T), False on padding at the end."""

    def __init__(self, rnn: nn.RNNBase, output_size: int) -> None:
        super().__init__()
        self.rnn, size = rnn, rnn.hidden_size
        self.head, self.query = nn.Linear(2 * size, output_size), nn.Linear(size, size)
        self.key, self.score = nn.Linear(size, size), nn.Linear(size, 1)

    def forward(self, x: Tensor, real: Tensor | None = None) -> tuple[Tensor, Tensor]:
        states, _ = self.rnn(x)
        real = torch.ones_like(x[..., 0], dtype=torch.bool) if real is None else real
        last = states[torch.arange(len(x)), real.sum(1) - 1]
        scores = self.score(torch.tanh(self.query(last)[:, None] + self.key(states)))[..., 0]
        weights = scores.masked_fill(~real, -torch.inf).softmax(1)
        return self.head(torch.cat([(weights[:, None] @ states)[:, 0], last], 1)), weights


if __name__ == "__main__":  # name the symbol of the first step after 30 steps of noise
    torch.manual_seed(0)
    torch.set_num_threads(1)  # small products are faster so
    model = AttentionReadout(nn.RNN(4, 32, batch_first=True), 4)
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        y = torch.randint(4, (32,))
        x = torch.cat([torch.eye(4)[y][:, None], 0.3 * torch.randn(32, 30, 4)], 1)
        adam.zero_grad()
        output, weights = model(x)
        nn.functional.cross_entropy(output, y).backward()
        adam.step()
    right = (output.argmax(1) == y).float().mean()
    print(f"{right:.0%} right; it looks most at step {weights.mean(0).argmax() + 1} of 31")
    assert right > 0.9
