"""The Mackey-Glass series: a chaotic series from an equation with a delay, to be forecast."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import torch
from torch import Tensor

from rnnnotes._checks import (
    check_callable,
    check_choice,
    check_int,
    check_positive,
    check_tensor,
)
from rnnnotes.tasks.base import Batch, Task, full_lengths

PREDICTORS = ("mean", "last value")
RUNS, STARTS = 64, 2000  # runs to take windows from, and places in each where one may start
HISTORIES = (0.5, 1.5)  # the constants behind the runs, evenly spread


@dataclass(frozen=True)
class MackeyGlass(Task):
    """Inputs (B, T, 1): T values of the series; target (B, 1): the value ``horizon`` steps on.

    A sequence is a window anywhere in 64 runs, each from another history, of 2000 places to start
    from. Float64, since good forecasts err by less than float32's rounding.
    """

    length: int
    horizon: int
    tau: float
    squash: bool
    name: ClassVar[str] = "mackey_glass"
    metric: ClassVar[Literal["mse"]] = "mse"

    def __post_init__(self) -> None:
        check_int("length", self.length)
        check_int("horizon", self.horizon)
        check_positive("tau", self.tau)

    @property
    def input_size(self) -> int:
        return 1

    @property
    def output_size(self) -> int:
        return 1

    def baseline(self, predictor: str = "mean") -> float:
        """Mean squared error of a trivial predictor, over all sequences of the task.

        Args:
            predictor: ``"mean"``: answering the mean errs by the variance of the answers. ``"last
                value"``: answering the last value seen, which reads the input.
        """
        check_choice("predictor", predictor, PREDICTORS)
        runs = self._runs()
        answers = runs[:, -STARTS:]
        guess = answers.mean() if predictor == "mean" else runs[:, self.length - 1 :][:, :STARTS]
        return (guess - answers).square().mean().item()

    def nrmse(self, output: Tensor, targets: Tensor) -> float:
        """``sqrt(mean((output - target)^2) / variance)``, of all answers; 1 for the mean.

        Args:
            output: (B, 1).
            targets: (B, 1).
        """
        return math.sqrt(self.score(output, targets) / self.baseline())

    def _runs(self) -> Tensor:
        return _runs(STARTS + self.length + self.horizon - 1, self.tau, self.squash)

    def _draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        run = torch.randint(RUNS, (batch_size, 1), generator=generator)
        start = torch.randint(STARTS, (batch_size, 1), generator=generator)
        window = self._runs()[run, start + torch.arange(self.length + self.horizon)]
        inputs = window[:, : self.length, None]
        return Batch(inputs, window[:, -1:], full_lengths(inputs))


def mackey_glass(
    length: int = 100, horizon: int = 1, tau: float = 17.0, squash: bool = False
) -> MackeyGlass:
    """Forecast the Mackey-Glass series: from T values in a row, the one ``horizon`` steps on.

    Inputs (B, T, 1) hold one value at each step; targets (B, 1) are the values to come. Its
    baseline is the variance of the series, the mean squared error of always answering the
    mean; ``baseline("last value")`` has that of repeating the last value seen.

    Args:
        length: T, at least 1, in units of the equation's time, as ``horizon`` is.
        horizon: steps from the last input to the answer, at least 1.
        tau: the equation's delay, above 0.
        squash: whether the series is squashed, as :func:`mackey_glass_series` has it.

    Examples:
        >>> task = rn.tasks.mackey_glass(length=20, horizon=6)
        >>> batch = task.sample(4, torch.Generator().manual_seed(0))
        >>> batch.inputs.shape, batch.targets.shape
        (torch.Size([4, 20, 1]), torch.Size([4, 1]))
        >>> later = rn.tasks.mackey_glass(length=20, horizon=84)
        >>> round(task.baseline(), 2), round(later.baseline(), 2)  # the variance of the series
        (0.05, 0.05)
    """
    return MackeyGlass(length, horizon, tau, squash)


def mackey_glass_series(
    length: int,
    *,
    tau: float = 17.0,
    beta: float = 0.2,
    gamma: float = 0.1,
    exponent: float = 10.0,
    step: float = 0.1,
    stride: int = 10,
    history: float | Tensor = 1.2,
    discard: int = 1000,
    squash: bool = False,
) -> Tensor:
    """``dx/dt = beta x(t - tau) / (1 + x(t - tau)^exponent) - gamma x(t)``, sampled evenly.

    Solved by the classical Runge-Kutta method of order 4 with a fixed step; x(t - tau) in the
    middle of a step is taken from the cubic that has the values and slopes of the step's ends,
    which keeps the order. The series starts from ``x(t) = history`` for all t <= 0. It is chaotic:
    after some 5000 units of time even rounding, and so another machine, makes another series.

    Args:
        length: number of values, at least 1.
        tau: delay, above 0, a whole number of the solver's steps; at 17 the series is mildly
            chaotic.
        beta: production, above 0.
        gamma: decay, above 0.
        exponent: n, above 0.
        step: of the solver, in units of time, above 0.
        stride: solver's steps from one value to the next, at least 1: ``step * stride`` = 1 unit of
            time.
        history: above 0, or (B,) for a batch of runs.
        discard: values left out at the start, where the history still shows; at least 0.
        squash: whether to give ``tanh(x - 1)``, which lies around 0, instead of x.

    Returns:
        (length,), or (B, length), float64.

    Raises:
        ValueError: a delay that is not a whole number of steps.

    Examples:
        >>> series = rn.tasks.mackey_glass_series(500)
        >>> series.shape, series.dtype
        (torch.Size([500]), torch.float64)
        >>> bool(0.2 < series.min() and series.max() < 1.4)
        True
        >>> rn.tasks.mackey_glass_series(4, history=1.0, discard=0)  # 1 is a point of rest
        tensor([1.0000, 1.0000, 1.0000, 1.0000], dtype=torch.float64)

    Source: Mackey and Glass, Oscillation and chaos in physiological control systems, 1977; in the
    form and with the squashing of Jaeger and Haas, Harnessing nonlinearity, 2004.
    """
    check_int("length", length)
    for name, value in {
        "tau": tau, "beta": beta, "gamma": gamma, "exponent": exponent, "step": step,
    }.items():  # fmt: skip
        check_positive(name, value)
    check_int("stride", stride)
    check_int("discard", discard, 0)
    lag = round(tau / step)
    if lag < 1 or not math.isclose(lag * step, tau, rel_tol=1e-9):
        raise ValueError(f"tau: expected a whole number of steps of {step:g}, got {tau:g}")
    if isinstance(history, Tensor):
        check_tensor("history", history, ("B",), dtype="floating", finite=True)
        check_positive("history", history.min().item())
        start = history.double()[:, None]
    else:
        check_positive("history", history)
        start = torch.full((1, 1), history, dtype=torch.float64)

    def produced(x: Tensor) -> Tensor:
        return beta * x / (1 + x**exponent)

    def runge_kutta(x: Tensor, first: Tensor, middle: Tensor, last: Tensor) -> Tensor:
        """One step, given what is produced at its two ends and in its middle."""
        k1 = first - gamma * x
        k2 = middle - gamma * (x + step / 2 * k1)
        k3 = middle - gamma * (x + step / 2 * k2)
        k4 = last - gamma * (x + step * k3)
        return x + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    # All that was produced tau before is known for tau ahead, and x enters a step linearly:
    # x_{k+1} = kept x_k + added_k. So the steps of one tau are one product with powers of kept.
    zero = torch.zeros((), dtype=torch.float64)
    kept = runge_kutta(zero + 1, zero, zero, zero)
    ages = torch.arange(lag)[None, :] - torch.arange(lag)[:, None]
    powers = torch.where(ages >= 0, kept ** ages.clamp(min=0), 0)
    values, slopes = start.expand(-1, lag + 1), torch.zeros(len(start), lag + 1).double()
    pieces = [start]
    steps = (discard + length - 1) * stride
    for _ in range(math.ceil(steps / lag)):
        left, right = values[:, :-1], values[:, 1:]
        middle = (left + right) / 2 + step / 8 * (slopes[:, :-1] - slopes[:, 1:])
        ends = produced(values)
        added = runge_kutta(zero, ends[:, :-1], produced(middle), ends[:, 1:])
        before = values[:, -1:]
        after = before * kept ** torch.arange(1, lag + 1) + added @ powers
        values = torch.cat([before, after], 1)
        slopes = ends - gamma * values
        pieces.append(after)
    series = torch.cat(pieces, 1)[:, discard * stride : steps + 1 : stride]
    series = torch.tanh(series - 1) if squash else series
    return series if isinstance(history, Tensor) else series[0]


def nrmse84(
    forecast: Callable[[Tensor, int], Tensor],
    *,
    generator: torch.Generator,
    runs: int = 100,
    warmup: int = 1000,
    tau: float = 17.0,
    squash: bool = False,
) -> float:
    """Error of a free run after 84 steps: ``sqrt(sum_i (y_i - x_i)^2 / (runs * variance))``.

    1 is what forecasting the mean scores; ``task.baseline`` of the task with ``horizon=84`` has
    the squared errors of that and of repeating the last value.

    Args:
        forecast: from inputs (B, T, 1) and a number of steps to (B, steps, 1), as
            ``EchoStateNetwork.forecast``.
        generator: source of the runs.
        runs: how many, at least 1, drawn as the task's sequences are.
        warmup: true values that each forecast starts from, at least 1.
        tau: of the series.
        squash: as the series that the forecaster was fitted to.

    Examples:
        >>> def mean_so_far(inputs, steps):  # or the forecast of an EchoStateNetwork
        ...     return inputs.mean(dim=1, keepdim=True).expand(-1, steps, -1)
        >>> generator = torch.Generator().manual_seed(0)
        >>> error = rn.tasks.nrmse84(mean_so_far, generator=generator, runs=1000)
        >>> round(error, 1)
        1.0

    Source: Jaeger and Haas, Harnessing nonlinearity, 2004.
    """
    check_callable("forecast", forecast)
    task = mackey_glass(warmup, 84, tau, squash)
    batch = task.sample(runs, generator)
    values = forecast(batch.inputs, task.horizon)
    check_tensor("forecast(inputs, 84)", values, (runs, task.horizon, 1), dtype="floating")
    return task.nrmse(values[:, -1], batch.targets)


@lru_cache(maxsize=4)
def _runs(length: int, tau: float, squash: bool) -> Tensor:
    """The runs of a task, (64, length)."""
    histories = torch.linspace(*HISTORIES, RUNS, dtype=torch.float64)
    return mackey_glass_series(length, tau=tau, history=histories, squash=squash)
