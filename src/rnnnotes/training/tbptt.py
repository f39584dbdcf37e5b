"""Truncated backpropagation through time: the gradient goes back k2 steps, every k1 steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rnnnotes._checks import check_callable, check_int, check_is, check_tensor

State = Any  # what a layer takes and gives: a tensor, nested tuples of them, or None


class Window(NamedTuple):
    """Steps ``start`` to ``end`` (exclusive); those from ``first`` on have their loss here.

    Steps are counted from 0; start <= first < end.

    Attributes:
        start: first step that is run; the gradient stops at the state before it.
        first: first step whose loss counts.
        end: the step after the last one.
    """

    start: int
    first: int
    end: int


def truncation_windows(length: int, k1: int, k2: int) -> list[Window]:
    """The windows of a sequence: one ends every ``k1`` steps and reaches ``k2`` steps back.

    ``end = min(length, first + k1)``, ``start = max(0, end - k2)``, with first 0, k1, 2 k1, ...

    If k1 and k2 are equal the windows follow one another. The loss of step t reaches back to
    ``start``: its gradient comes from at most k2 steps, and at least k2 - k1 + 1 where the sequence
    has as many.

    Args:
        length: T, at least 1.
        k1: steps between the ends of two windows, at least 1.
        k2: steps that a window reaches back from its end, at least ``k1``, so that every step's
            loss has a gradient.

    Returns:
        The windows in order: each with its ``start``, ``first`` and ``end``, counted from 0.

    Examples:
        >>> rn.truncation_windows(6, k1=3, k2=3)  # one after the other
        [Window(start=0, first=0, end=3), Window(start=3, first=3, end=6)]
        >>> rn.truncation_windows(6, k1=3, k2=5)[1]  # the last one also runs steps 1 and 2 again
        Window(start=1, first=3, end=6)
    """
    check_int("length", length)
    check_int("k1", k1)
    check_int("k2", k2, k1)
    ends = [(first, min(length, first + k1)) for first in range(0, length, k1)]
    return [Window(max(0, end - k2), first, end) for first, end in ends]


def detach_state(state: State) -> State:
    """The same state, without the graph that made it.

    Args:
        state: a tensor of any shape, nested tuples of them, or None, which stays None.

    Examples:
        >>> cell = rn.LSTMCell(1, 2, generator=torch.Generator())
        >>> h, c = rn.unroll(cell, torch.ones(1, 4, 1)).last
        >>> kept_h, kept_c = rn.detach_state((h, c))
        >>> h.requires_grad, kept_h.requires_grad, torch.equal(kept_h, h)
        (True, False, True)
    """
    if isinstance(state, tuple):
        return tuple(detach_state(part) for part in state)
    if state is None:
        return None
    check_is("state", state, Tensor, "a tensor, or a tuple of tensors")
    return state.detach()


def truncated_backward(
    layer: nn.Module,
    inputs: Tensor,
    window_loss: Callable[[Tensor, int, int], Tensor],
    *,
    k1: int,
    k2: int,
    state: State | None = None,
    after_window: Callable[[], None] | None = None,
) -> tuple[float, State]:
    """Backpropagate window by window, carrying the state, and add up the gradients.

    The gradient is that of sum_w loss_w, with the state before each window's start taken as
    constant. With k1 = k2 = T it is full backpropagation through time. Where k2 > k1 the
    overlapping steps are run again, k2 / k1 times in all, with the weights of the moment.

    Args:
        layer: called as ``layer(x, state)``, gives (output (B, T, H), state): our layers, or
            batch-first ones of ``torch.nn``.
        inputs: (B, T, D).
        window_loss: from the outputs (B, end - first, H) of the steps ``first`` to ``end``
            (exclusive), and these two numbers, to a scalar.
        k1: steps between two backward passes, at least 1.
        k2: steps that each of them goes back, at least ``k1``.
        state: before the first step; zeros if None. No gradient flows into it.
        after_window: called after each backward pass, as to step an optimiser and zero its
            gradients; without it the gradients of all windows add up.

    Returns:
        The sum of the windows' losses, and the detached state after the last step, to be handed
        to the next call for a sequence that goes on.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> layer = rn.Recurrent(rn.ElmanCell(1, 4, generator=generator))
        >>> x = torch.randn(2, 12, 1, generator=generator)
        >>> def window_loss(output, first, end):
        ...     return output.square().sum()
        >>> loss, state = rn.truncated_backward(layer, x, window_loss, k1=12, k2=12)
        >>> full = layer.cell.weight_hh.grad.clone()  # k1 = k2 = T: nothing is cut
        >>> layer.zero_grad()
        >>> loss, state = rn.truncated_backward(layer, x, window_loss, k1=3, k2=3)
        >>> torch.allclose(layer.cell.weight_hh.grad, full, rtol=1e-3)
        False
        >>> state.shape, state.requires_grad  # for the next call, of a sequence that goes on
        (torch.Size([2, 4]), False)

    Source: Williams & Peng 1990, where it is BPTT(h; h') with h = k2 and h' = k1.
    """
    check_callable("layer", layer)
    check_tensor("inputs", inputs, ("B", "T", "D"))
    check_callable("window_loss", window_loss)
    if after_window is not None:
        check_callable("after_window", after_window)
    windows = truncation_windows(inputs.shape[1], k1, k2)
    total = 0.0
    state = detach_state(state)
    for number, (start, first, end) in enumerate(windows):
        last = number + 1 == len(windows)
        split = end if last else windows[number + 1].start
        # Run in parts that end where the next window starts and where this one's losses start.
        outputs, reached, at = [], state, start
        for stop in sorted({split, first, end}):
            if stop > at:
                output, reached = layer(inputs[:, at:stop], reached)
                if at >= first:
                    outputs.append(output)
                at = stop
            if stop == split:
                carried = detach_state(reached)
        loss = window_loss(torch.cat(outputs, 1), first, end)
        check_tensor("window_loss", loss, (), dtype="floating")
        loss.backward()
        total += loss.item()
        state = carried
        if after_window is not None:
            after_window()
    return total, state
