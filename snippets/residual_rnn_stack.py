"""A way round every layer of a deep stack, recurrent or not: x + layer(x) / sqrt(depth)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ResidualStack(nn.Module):
    """Layers that keep the width of their input; nn.RNN, nn.GRU and nn.LSTM (batch first) too."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.scale = len(layers) ** -0.5  # unscaled, sums of many layers can explode

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            y = layer(x)
            y = y[0] if isinstance(y, tuple) else y  # recurrent: outputs, last state
            if y.shape != x.shape:
                raise ValueError(f"a layer made {tuple(y.shape)} of {tuple(x.shape)}")
            x = x + self.scale * y
        return x


if __name__ == "__main__":
    torch.manual_seed(0)
    dense = [nn.Sequential(nn.Linear(32, 32), nn.Tanh()) for _ in range(40)]
    grus = [nn.GRU(32, 32, batch_first=True) for _ in range(10)]
    for name, layers in ("40 tanh layers", dense), ("10 GRU layers", grus):
        x = torch.randn(16, 20, 32, requires_grad=True)
        plain = x
        for layer in layers:
            plain = y[0] if isinstance(y := layer(plain), tuple) else y
        outputs = {"plain": plain, "residual": ResidualStack(layers)(x)}
        norms = {k: torch.autograd.grad(y[:, -1].sum(), x)[0].norm() for k, y in outputs.items()}
        print(name + ": gradient at the input", {k: f"{n:.0e}" for k, n in norms.items()})
        assert norms["residual"] > 100 * norms["plain"]
