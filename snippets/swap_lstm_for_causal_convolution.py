"""Dilated causal convolutions in the place of nn.LSTM: output, state = layer(x), batch first."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CausalConvolutions(nn.Module):
    """(B, T, D) -> (B, T, H); each step sees itself and (kernel_size - 1) (2^layers - 1) before."""

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 5, kernel_size: int = 3
    ) -> None:
        super().__init__()
        sizes = [input_size] + [hidden_size] * num_layers
        self.layers = nn.ModuleList(
            nn.Conv1d(sizes[i], sizes[i + 1], kernel_size, dilation=2**i) for i in range(num_layers)
        )
        self.receptive_field = 1 + (kernel_size - 1) * (2**num_layers - 1)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        h = x.transpose(1, 2)  # convolutions want (B, D, T)
        for layer in self.layers:
            left = (layer.kernel_size[0] - 1) * layer.dilation[0]
            y = layer(F.pad(h, (left, 0))).relu()  # zeros on the left only: nothing from later
            h = h + y if h.shape == y.shape else y
        return h.transpose(1, 2), None  # no state: to go on, give the last steps again


if __name__ == "__main__":
    torch.manual_seed(0)
    x, cut = torch.randn(4, 100, 8), 60
    later = torch.cat([x[:, :cut], torch.randn(4, 40, 8)], 1)  # the same up to the cut
    for layer in (nn.LSTM(8, 32, batch_first=True), CausalConvolutions(8, 32)):
        output, _ = layer(x)
        assert output.shape == (4, 100, 32)
        torch.testing.assert_close(output[:, :cut], layer(later)[0][:, :cut])
        assert not output[:, cut:].allclose(layer(later)[0][:, cut:])
        print(type(layer).__name__, sum(p.numel() for p in layer.parameters()), "parameters")
    print("each output sees", layer.receptive_field, "steps, none later")
