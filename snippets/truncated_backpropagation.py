"""Truncated backpropagation: carry the state from window to window, cut its gradient."""

import torch
from torch import Tensor, nn

State = Tensor | tuple[Tensor, Tensor] | None  # of an RNN or GRU, of an LSTM, or none yet


def detached(state: State) -> State:
    """The same numbers without the graph that made them: the gradient stops here."""
    if state is None:
        return None
    return state.detach() if isinstance(state, Tensor) else (state[0].detach(), state[1].detach())


def train_on(
    rnn: nn.RNNBase, head: nn.Linear, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, k: int
) -> list[float]:
    """One update per window of k steps of x (B, T, D), y (B, T, C): the windows' losses."""
    state: State = None
    losses = []
    for inputs, targets in zip(x.split(k, dim=1), y.split(k, dim=1), strict=True):
        output, state = rnn(inputs, detached(state))
        loss = (head(output) - targets).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    x = torch.randn(16, 600, 1, generator=torch.Generator().manual_seed(0))
    for kind in (nn.RNN, nn.LSTM):
        torch.manual_seed(0)
        rnn, head = kind(1, 32, batch_first=True), nn.Linear(32, 1)
        adam = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=0.01)
        losses = train_on(rnn, head, adam, x, x.roll(2, dims=1), k=5)  # what came 2 steps ago?
        print(f"{kind.__name__}: first window's loss {losses[0]:.2f}, last one's {losses[-1]:.3f}")
        assert losses[-1] < 0.1 * losses[0]
