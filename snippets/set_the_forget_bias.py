"""Open the forget gates of a torch LSTM at the start: a bias of 1, not of 2 by mistake."""

import torch
from torch import Tensor, nn


def set_forget_bias(lstm: nn.LSTM | nn.LSTMCell, value: float = 1.0) -> None:
    """Make the forget gates' bias ``value``, in every layer and direction.

    torch stacks the gates in the order input, forget, candidate, output, and adds two biases, so
    that one of the two gets ``value`` and the other 0.
    """
    if not lstm.bias:
        raise ValueError("expected an LSTM with biases, got bias=False")
    with torch.no_grad():
        for name, bias in lstm.named_parameters():
            if name.startswith("bias"):
                forget = slice(lstm.hidden_size, 2 * lstm.hidden_size)
                bias[forget] = value if name.startswith("bias_ih") else 0.0


def gradient_left(lstm: nn.LSTM, x: Tensor) -> float:
    """Norm of d(last output)/d(first input), over that of d(last output)/d(last input)."""
    x = x.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(lstm(x)[0][:, -1].sum(), x)
    return (gradient[:, 0].norm() / gradient[:, -1].norm()).item()


if __name__ == "__main__":
    torch.manual_seed(0)
    lstm, x = nn.LSTM(8, 64, batch_first=True), torch.randn(16, 41, 8)
    before = gradient_left(lstm, x)
    set_forget_bias(lstm, 1.0)
    after = gradient_left(lstm, x)
    total = (lstm.bias_ih_l0 + lstm.bias_hh_l0)[64:128]
    assert torch.equal(total, torch.ones(64))
    assert after > 10 * before
    print(f"left over 40 steps: {before:.0e} at torch's start, {after:.0e} with forget bias 1")
