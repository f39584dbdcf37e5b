"""Sequences of unequal length through an RNN, as if each were alone."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

State = Tensor | tuple[Tensor, Tensor]


def run_packed(rnn: nn.RNNBase, x: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
    """Output and last state for a padded batch x of these lengths (B,), each > 0.

    No direction reads padding. The output is zero there; the state is that of each
    sequence's own end (and of its first step, for the backward direction).
    """
    packed = pack_padded_sequence(
        x, lengths.cpu(), batch_first=rnn.batch_first, enforce_sorted=False
    )
    output, state = rnn(packed)
    time = x.shape[1] if rnn.batch_first else x.shape[0]
    # total_length: else the output is as long as the longest sequence, not as the batch
    output, _ = pad_packed_sequence(output, rnn.batch_first, total_length=time)
    return output, state


if __name__ == "__main__":
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 8, batch_first=True, bidirectional=True)
    sequences = [torch.randn(length, 3) for length in (2, 9, 5)]
    lengths = torch.tensor([len(s) for s in sequences])
    x = pad_sequence(sequences, batch_first=True)
    alone = torch.cat([lstm(s[None])[1][0] for s in sequences], dim=1)  # h of each
    runs = {"padded": lstm(x), "packed": run_packed(lstm, x, lengths)}
    for name, (_, (h, _)) in runs.items():
        error = (h - alone).norm(dim=2) / alone.norm(dim=2)  # (direction, sequence)
        forward, backward = error.amax(dim=1)
        print(f"{name}: off by up to {forward:.0%} forward, {backward:.0%} backward")
    assert error.max() < 1e-5
