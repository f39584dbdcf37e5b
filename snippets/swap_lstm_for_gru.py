"""A torch GRU in place of a torch LSTM, under the same readout; h is its whole state, no c."""

import torch
from torch import Tensor, nn


def count(rnn: nn.Module) -> int:
    return sum(parameter.numel() for parameter in rnn.parameters())


def swap_lstm_for_gru(lstm: nn.LSTM, equal_parameters: bool = False) -> nn.GRU:
    """An untrained GRU as wide as the LSTM (its readout fits), or with at most its parameters."""
    if lstm.proj_size:
        raise ValueError(f"a GRU has no projections, the LSTM has proj_size={lstm.proj_size}")
    names = "input_size num_layers bias batch_first dropout bidirectional".split()
    options = {name: getattr(lstm, name) for name in names}
    width = lstm.hidden_size
    if equal_parameters:  # the widest that has no more; "meta" counts without memory
        while count(nn.GRU(hidden_size=width + 1, device="meta", **options)) <= count(lstm):
            width += 1
    return nn.GRU(hidden_size=width, **options).to(lstm.weight_hh_l0)


def last_hidden(rnn: nn.Module, x: Tensor) -> Tensor:
    """h after the last step, of the top layer; an LSTM's state is (h, c), a GRU's is h."""
    if rnn.bidirectional:
        raise ValueError("last_hidden: expected one direction, got bidirectional=True")
    _, state = rnn(x)
    return (state[0] if isinstance(state, tuple) else state)[-1]


if __name__ == "__main__":
    torch.manual_seed(0)
    lstm, readout, x = nn.LSTM(8, 64, batch_first=True), nn.Linear(64, 10), torch.randn(16, 30, 8)
    gru, wider = swap_lstm_for_gru(lstm), swap_lstm_for_gru(lstm, equal_parameters=True)
    for rnn in lstm, gru, wider:
        numbers = torch.cat(tuple(rnn(x)[1]), -1).shape[-1]  # of h and c, or of h alone
        print(f"{rnn}: {count(rnn)} parameters, state of {numbers} numbers")
    assert readout(last_hidden(lstm, x)).shape == readout(last_hidden(gru, x)).shape
    assert 4 * count(gru) == 3 * count(lstm) and 0.97 < count(wider) / count(lstm) <= 1
