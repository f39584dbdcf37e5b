"""Read the gates of a torch LSTM at every step: torch gives the outputs, not the gates."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@torch.no_grad()
def read_the_gates(lstm: nn.LSTM, x: Tensor) -> dict[str, Tensor]:
    """Gates i, f, o, candidate g and cell state c, each (batch, time, hidden).

    One layer with biases, batch first, one direction, no projection, from a zero state.
    x is (batch, time, features). The gates at a step need the output before it; torch gives all.
    """
    assert lstm.num_layers == 1 and lstm.batch_first and not lstm.bidirectional
    before = F.pad(lstm(x)[0], (0, 0, 1, 0))[:, :-1]
    a = F.linear(x, lstm.weight_ih_l0, lstm.bias_ih_l0)
    a = a + F.linear(before, lstm.weight_hh_l0, lstm.bias_hh_l0)
    i, f, g, o = a.chunk(4, dim=2)
    gates = {"i": i.sigmoid(), "f": f.sigmoid(), "g": g.tanh(), "o": o.sigmoid()}
    c = torch.zeros_like(before[:, 0])
    cells = []
    for i_t, f_t, g_t in zip(*(gates[name].unbind(1) for name in "ifg"), strict=True):
        c = f_t * c + i_t * g_t
        cells.append(c)
    return gates | {"c": torch.stack(cells, dim=1)}


if __name__ == "__main__":
    torch.manual_seed(0)
    lstm, x = nn.LSTM(3, 5, batch_first=True), torch.randn(2, 7, 3)
    gates = read_the_gates(lstm, x)
    output, (_, c) = lstm(x)
    assert torch.allclose(gates["o"] * gates["c"].tanh(), output, atol=1e-6)
    assert torch.allclose(gates["c"][:, -1], c[0], atol=1e-6)
    for name in "ifo":
        print(f"{name}: {gates[name].min():.2f} to {gates[name].max():.2f}")
