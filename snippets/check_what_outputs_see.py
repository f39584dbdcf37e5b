"""Does a model mix the sequences of a batch, read later steps, or not see earlier ones?"""

import torch
from torch import Tensor, nn


@torch.no_grad()
def faults(model: nn.Module, x: Tensor) -> list[str]:
    """What is wrong with the outputs (B, T, ...) for inputs x (B, T) or (B, T, D); [] if nothing.

    Parts of x are exchanged for those of its neighbour in the batch, so x may hold tokens, and
    its sequences must differ. Call model.eval() first: dropout changes every output.
    """

    def run(x: Tensor) -> Tensor:
        y = model(x)
        return y[0] if isinstance(y, tuple) else y  # recurrent: outputs, last state

    y, other, t = run(x), x.roll(1, 0), x.shape[1] // 2
    if y.shape[:2] != x.shape[:2] or len(x) < 3:
        raise ValueError(f"expected outputs (B, T, ...), B > 2, got {y.shape} for {x.shape}")
    ends = run(torch.cat([x[:1], other[1:-1], x[-1:]]))  # the sequences between are others
    later = run(torch.cat([x[:, :t], other[:, t:]], 1))
    before = run(torch.cat([x[:, : t - 1], other[:, t - 1 : t], x[:, t:]], 1))
    holds = {
        "sequences are mixed": ends[[0, -1]].allclose(y[[0, -1]], atol=1e-6),
        "reads later steps": later[:, :t].allclose(y[:, :t], atol=1e-6),
        "does not see the step before": not before[:, t].allclose(y[:, t], atol=1e-6),
    }
    return [fault for fault, right in holds.items() if not right]


if __name__ == "__main__":
    torch.manual_seed(0)
    lstm, forgotten = nn.LSTM(3, 8, batch_first=True), nn.LSTM(3, 8)
    both_ways = nn.LSTM(3, 8, batch_first=True, bidirectional=True)
    found = [faults(model, torch.randn(4, 10, 3)) for model in (lstm, forgotten, both_ways)]
    for name, of in zip(("LSTM", "batch_first forgotten", "bidirectional"), found, strict=True):
        print(f"{name}: {', '.join(of) or 'as it should be'}")
    assert [len(of) for of in found] == [0, 2, 1]
