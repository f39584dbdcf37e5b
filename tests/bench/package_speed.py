"""What the package costs beside torch: sequences, gradients by lag, the monitor, the import."""

import subprocess
import sys
from collections.abc import Callable

import torch
from measure import Row, ratios, seconds
from torch import nn

import rnnnotes as rn

B, T, D, H = 32, 100, 64, 128


def rows(repeats: int) -> list[Row]:
    found = _importing(repeats)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found += _lstm(threads, repeats)
        found += _gradients_by_lag(threads, repeats)
        found.append(_monitor(threads, repeats))
    torch.set_num_threads(1)
    return found


def _compared(ours: Callable, other: Callable, repeats: int, of: int = 3) -> list[float]:
    """Each time is the least of ``of`` runs: what disturbs only ever adds."""

    def least(work: Callable) -> float:
        return min(seconds(work) for _ in range(of))

    ours(), other()
    return ratios(lambda: least(ours), lambda: least(other), repeats)


# Everything that can be had of the package without figures, loaded.
ALL_NAMES = """
import rnnnotes as rn
for name in set(rn.__all__) - {"plot"}:
    getattr(rn, name)
for name in rn.tasks.__all__:
    getattr(rn.tasks, name)
"""


def _importing(repeats: int) -> list[Row]:
    def beside_torch(code: str) -> list[float]:
        def process(code: str) -> float:
            return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True))

        return ratios(lambda: process(code), lambda: process("import torch"), min(repeats, 5))

    return [
        Row("import rnnnotes / import torch", beside_torch("import rnnnotes"), 1.3),
        Row("import of all its names but figures / import torch", beside_torch(ALL_NAMES), 1.3),
    ]


def _training_pass(layer: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    def work() -> None:
        layer.zero_grad()
        layer(x)[0].square().mean().backward()

    return work


def _lstm(threads: int, repeats: int) -> list[Row]:
    torch.manual_seed(0)
    theirs = nn.LSTM(D, H, batch_first=True)
    ours = rn.from_torch(theirs)
    x = torch.randn(B, T, D)
    forward_backward = _training_pass(theirs, x)

    def without_onednn() -> None:
        with torch.backends.mkldnn.flags(enabled=False):
            forward_backward()

    name = f"LSTM over {T} steps, forward and backward, {threads} thread{'s' * (threads > 1)}"
    mine = _training_pass(ours, x)
    return [
        Row(f"{name} / torch without oneDNN", _compared(mine, without_onednn, repeats), 1.3),
        Row(f"{name} / torch", _compared(mine, forward_backward, repeats), 3),
    ]


def _gradients_by_lag(threads: int, repeats: int) -> list[Row]:
    """All norms by lag, beside a forward and one plain backward pass of the same layer.

    And beside the slow way: a backward pass for each lag.
    """
    layer = rn.Recurrent(rn.LSTMCell(D, H, generator=torch.Generator().manual_seed(0)))
    x = torch.randn(B, T, D, generator=torch.Generator().manual_seed(1))

    def plain() -> None:
        layer.zero_grad()
        rn.last_step_sum(layer(x)[0]).backward()

    def lag_by_lag() -> None:
        trajectory = rn.unroll(layer.cell, x)
        loss = rn.last_step_sum(trajectory.hidden)
        for state in reversed(trajectory.states[1:]):
            gradients = torch.autograd.grad(loss, state, retain_graph=True, allow_unused=True)
            [g.norm(dim=1).mean() for g in gradients if g is not None]

    def at_once() -> None:
        rn.gradient_norms_by_lag(layer, x)

    name = f"gradient norms at all {T} lags / one"
    return [
        Row(f"{name} plain backward, {threads} thr.", _compared(at_once, plain, repeats), 1.15),
        Row(
            f"{name} autograd.grad for each lag, {threads} thr.",
            _compared(at_once, lag_by_lag, min(repeats, 3), of=1),
            1.0,
        ),
    ]


def _monitor(threads: int, repeats: int) -> Row:
    """Steps of a training with the monitor, beside the same steps without."""

    def training(watched: bool) -> Callable[[], None]:
        torch.manual_seed(0)
        layer = nn.LSTM(D, H, batch_first=True)
        model = rn.SequenceModel(layer, 4)
        optimizer = torch.optim.Adam(model.parameters())
        x, y = torch.randn(B, T, D), torch.randint(4, (B,))
        monitor = rn.GradientMonitor(model) if watched else None

        def work() -> None:
            for _ in range(10):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                if monitor is None:
                    optimizer.step()
                else:
                    monitor.step(optimizer)

        return work

    found = _compared(training(True), training(False), repeats, of=1)
    return Row(f"training step with GradientMonitor / without, {threads} thr.", found, 1.15)
