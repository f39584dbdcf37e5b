"""Echo state networks: a fixed random recurrent net of which only the linear readout is fitted.

No gradient goes through time, so none can vanish; what takes its place is that the net must
forget where it started, which :func:`contraction` measures.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from rnnnotes._checks import (
    check_choice,
    check_finite,
    check_generator,
    check_int,
    check_is,
    check_non_negative,
    check_number,
    check_tensor,
)
from rnnnotes.cells.base import Cell, State
from rnnnotes.cells.elman import ElmanCell
from rnnnotes.init import scale_spectral_radius_
from rnnnotes.layers import unroll

READOUTS = ("all", "last")


class LeakyIntegratorCell(Cell):
    """Elman's cell, slowed: ``h_t = (1 - a) h_{t-1} + a phi(W_ih x_t + b + W_hh h_{t-1})``.

    With a = 1 it computes what :class:`ElmanCell` does. Near the origin of a tanh net it acts as
    the matrix ``(1 - a) I + a W_hh``, so it can forget more slowly than the radius of ``W_hh``
    alone says.

    Args:
        input_size: D.
        hidden_size: H.
        leak_rate: a, above 0 and at most 1.
        nonlinearity: phi, as :class:`ElmanCell`'s.
        bias: whether there are biases.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> cell = rn.LeakyIntegratorCell(1, 1, 0.25, bias=False, generator=generator)
        >>> _ = torch.nn.init.zeros_(cell.weight_hh)
        >>> cell(torch.zeros(1, 1), torch.ones(1, 1)).detach()  # a quarter leaks away at each step
        tensor([[0.7500]])

    Source: Lukoševičius, A practical guide to applying echo state networks, 2012, equations 2
    and 3.
    """

    nonlinearities: ClassVar = ElmanCell.nonlinearities

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        leak_rate: float = 1.0,
        nonlinearity: str = "tanh",
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_number("leak_rate", leak_rate, above=0, at_most=1)
        check_choice("nonlinearity", nonlinearity, self.nonlinearities)
        super().__init__(
            input_size, hidden_size, bias, generator=generator, device=device, dtype=dtype
        )
        self.leak_rate = leak_rate
        self.nonlinearity = nonlinearity

    def step(self, projected: Tensor, state: State) -> State:
        """``(1 - a) h + a phi(projected + W_hh h)``, (B, H)."""
        preactivation = torch.addmm(projected, state, self.weight_hh.t())
        driven = self.nonlinearities[self.nonlinearity](preactivation)
        return (1 - self.leak_rate) * state + self.leak_rate * driven

    def extra_repr(self) -> str:
        """Sizes, nonlinearity and leak rate."""
        sizes = super().extra_repr()
        return f"{sizes}, nonlinearity={self.nonlinearity!r}, leak_rate={self.leak_rate:g}"


class EchoStateNetwork(nn.Module):
    """A fixed random net with a fitted readout: ``y_t = W_out h_t + b_out``.

    h_t comes from a :class:`LeakyIntegratorCell` (``network.cell``) that is drawn once and never
    trained: W_ih from U(-input_scaling, input_scaling), b from U(-bias_scaling, bias_scaling),
    W_hh from U(-1, 1) where it is not zero, then scaled to its spectral radius. The readout is
    ``weight_out`` (C, H) and ``bias_out`` (C,).

    Output feedback needs no weights of its own: a net that reads the series and answers its next
    value is one whose feedback was given the truth, and :meth:`forecast` closes the loop.

    Args:
        input_size: D.
        hidden_size: H.
        output_size: C.
        spectral_radius: of W_hh, at least 0.
        density: share of each unit's H recurrent weights that are not zero, above 0 and at most
            1 (sparsity is 1 - density); at least one weight, so that the radius is not 0.
        leak_rate: above 0 and at most 1; 1 does not leak.
        input_scaling: at least 0.
        bias_scaling: at least 0; with 0 and tanh, h is an odd function of the inputs.
        washout: first steps of every sequence that the fit leaves out, at least 0, since the state
            still depends on its zero start.
        readout: ``"all"`` answers at every step, ``"last"`` after the last one.
        nonlinearity: as :class:`ElmanCell`'s.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> network = rn.EchoStateNetwork(1, 50, 1, washout=50, generator=generator)
        >>> wave = torch.sin(0.2 * torch.arange(401, dtype=torch.float64))[None, :, None]
        >>> _ = network.fit(wave[:, :-1], wave[:, 1:])  # the next value of a sine
        >>> error = network.predict(wave[:, :-1])[:, 50:] - wave[:, 51:]
        >>> bool(error.abs().max() < 1e-3)
        True
        >>> network.forecast(wave, steps=10).shape
        torch.Size([1, 10, 1])

    Source: Jaeger, The "echo state" approach to analysing and training recurrent neural networks,
    2001; Jaeger and Haas, Harnessing nonlinearity, Science 304, 2004.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        *,
        spectral_radius: float = 0.9,
        density: float = 0.1,
        leak_rate: float = 1.0,
        input_scaling: float = 1.0,
        bias_scaling: float = 0.2,
        washout: int = 100,
        readout: str = "all",
        nonlinearity: str = "tanh",
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        check_int("input_size", input_size)
        check_int("hidden_size", hidden_size)
        check_int("output_size", output_size)
        check_number("spectral_radius", spectral_radius, at_least=0)
        check_number("density", density, above=0, at_most=1)
        check_non_negative("input_scaling", input_scaling)
        check_non_negative("bias_scaling", bias_scaling)
        check_int("washout", washout, 0)
        check_choice("readout", readout, READOUTS)
        check_generator("generator", generator, optional=True)
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, output_size
        self.washout = washout
        self.readout = readout
        self.cell = LeakyIntegratorCell(
            input_size,
            hidden_size,
            leak_rate,
            nonlinearity,
            generator=generator,
            device=device,
            dtype=dtype,
        ).requires_grad_(False)
        _uniform_(self.cell.weight_ih, input_scaling, generator)
        _uniform_(self.cell.bias_ih, bias_scaling, generator)
        self.cell.bias_hh.zero_()
        _sparse_(self.cell.weight_hh, density, generator)
        scale_spectral_radius_(self.cell.weight_hh, spectral_radius)
        weight = self.cell.weight_hh
        self.register_buffer("weight_out", weight.new_zeros(output_size, hidden_size))
        self.register_buffer("bias_out", weight.new_zeros(output_size))
        self.register_buffer("fitted", torch.tensor(False))

    def states(self, inputs: Tensor, state: Tensor | None = None) -> Tensor:
        """States h_1 to h_T, (B, T, H), of inputs (B, T, D), from ``state`` (zeros if None)."""
        with torch.no_grad():
            return unroll(self.cell, inputs, state).hidden

    def fit(self, inputs: Tensor, targets: Tensor, ridge: float = 1e-8) -> EchoStateNetwork:
        """Fit the readout by :func:`ridge_regression` on the states, in closed form.

        Args:
            inputs: (B, T, D), T more than ``washout`` if the readout is of every step.
            targets: (B, T, C), or (B, C) if the readout is of the last step.
            ridge: at least 0, the weight of ``||W_out||^2``; the bias is not penalised. Less of it
                fits noiseless series better, but large weights can make a free run unstable.

        Returns:
            The network itself.

        Raises:
            ValueError: no step left after the washout.
        """
        states = self.states(inputs)
        check_finite("inputs", inputs)
        batch_size, steps, _ = inputs.shape
        if self.readout == "last":
            check_tensor("targets", targets, (batch_size, self.output_size), dtype="floating")
            features = states[:, -1]
        else:
            check_tensor(
                "targets", targets, (batch_size, steps, self.output_size), dtype="floating"
            )
            if steps <= self.washout:
                raise ValueError(
                    f"inputs: expected more than washout={self.washout} steps, got {steps}"
                )
            features = states[:, self.washout :].flatten(0, 1)
            targets = targets[:, self.washout :].flatten(0, 1)
        weight, bias = ridge_regression(features, targets.to(features.dtype), ridge)
        self.weight_out.copy_(weight)
        self.bias_out.copy_(bias)
        self.fitted.fill_(True)
        return self

    def predict(self, inputs: Tensor, state: Tensor | None = None) -> Tensor:
        """Outputs (B, T, C), or (B, C) of the last step, of inputs (B, T, D).

        Starts from ``state`` (B, H), zeros if None; nothing is washed out, so the first outputs
        are those of a state that has not yet forgotten its start.
        """
        self._check_fitted()
        states = self.states(inputs, state)
        return self._read(states if self.readout == "all" else states[:, -1])

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> Tensor:
        """As :meth:`predict`: a network is called as any module is."""
        return self.predict(inputs, state)

    def forecast(self, inputs: Tensor, steps: int, state: Tensor | None = None) -> Tensor:
        """Read a series to its end, then run free on the network's own outputs.

        ``y_{T+k} = W_out h_{T+k} + b_out`` with ``x_{T+k} = y_{T+k-1}``: the first value follows
        the last input, and every value is the next one's input.

        Args:
            inputs: (B, T, D), true values that bring the state up to date.
            steps: how many values to run on, at least 1.
            state: before the first input, (B, H); zeros if None.

        Returns:
            (B, steps, D).

        Raises:
            ValueError: C is not D, or the readout is not of every step.
        """
        check_int("steps", steps)
        self._check_fitted()
        if self.output_size != self.input_size or self.readout != "all":
            raise ValueError(
                f"forecast: expected output_size {self.input_size} as the input's and "
                f"readout 'all', got output_size {self.output_size} and readout {self.readout!r}"
            )
        with torch.no_grad():
            state = unroll(self.cell, inputs, state).last
            values = [self._read(state)]
            while len(values) < steps:
                state = self.cell.step(self.cell.project_input(values[-1]), state)
                values.append(self._read(state))
        return torch.stack(values, dim=1)

    def _read(self, states: Tensor) -> Tensor:
        return nn.functional.linear(states, self.weight_out, self.bias_out)

    def _check_fitted(self) -> None:
        if not self.fitted:
            raise RuntimeError("readout: expected a fitted one, got none; call fit first")

    def extra_repr(self) -> str:
        """What the cell does not say."""
        return f"output_size={self.output_size}, washout={self.washout}, readout={self.readout!r}"


def ridge_regression(
    features: Tensor, targets: Tensor, ridge: float = 0.0, *, bias: bool = True
) -> tuple[Tensor, Tensor]:
    """W and b that minimise ``||X W' + b - Y||^2 + ridge ||W||^2``, in closed form.

    ``W' = (X'X + ridge I)^-1 X'Y`` and ``b = mean(Y) - W mean(X)``, with X and Y centred first.
    Solved without X'X, whose condition number is the square of that of X: X = QR by Householder
    reflections, then the singular values of R, ``W' = V diag(s / (s^2 + ridge)) U'Q'Y``. Singular
    values below max(N, F) times the rounding error of the largest count as zero, so that with
    ``ridge=0`` W is the shortest of all least-squares solutions.

    Args:
        features: X (N, F), floating.
        targets: Y (N, C), of the same type.
        ridge: at least 0. The sum of squares is not divided by N.
        bias: without it nothing is centred and b is zero.

    Returns:
        W (C, F) and b (C,), as ``torch.nn.functional.linear`` takes them.

    Examples:
        >>> x = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
        >>> weight, bias = rn.ridge_regression(x, 3 * x + 1)
        >>> round(float(weight), 6), round(float(bias), 6)
        (3.0, 1.0)
        >>> weight, bias = rn.ridge_regression(x, 3 * x + 1, ridge=2.0)  # as much as X'X is
        >>> round(float(weight), 6), round(float(bias), 6)
        (1.5, 2.5)

    Source: Hoerl and Kennard, Ridge regression: biased estimation for nonorthogonal problems,
    1970; for echo states Lukoševičius 2012, on ridge regression.
    """
    check_tensor("features", features, ("N", "F"), dtype="floating", finite=True)
    check_tensor("targets", targets, (features.shape[0], "C"), dtype=features.dtype, finite=True)
    check_non_negative("ridge", ridge)
    feature_means = features.mean(0) if bias else torch.zeros_like(features[0])
    target_means = targets.mean(0) if bias else torch.zeros_like(targets[0])
    q, r = torch.linalg.qr(features - feature_means)
    u, s, vh = torch.linalg.svd(r, full_matrices=False)
    kept = s > max(features.shape) * torch.finfo(s.dtype).eps * s[0]
    factors = torch.where(kept, s / (s.square() + ridge).where(kept, 1), 0)
    weight = (vh.t() @ (factors[:, None] * (u.t() @ (q.t() @ (targets - target_means))))).t()
    return weight, target_means - weight @ feature_means


def contraction(cell: Cell, inputs: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Distance, step by step, of two runs that start apart and read the same: ``||s_t - s'_t||``.

    A net has the echo state property for these inputs if the distance goes to zero: its state
    is then a function of what it read alone. Both starts are drawn from U(-1, 1); for a linear
    cell the distances do not depend on the inputs, and fall in the long run as the spectral
    radius to the power of t.

    Args:
        cell: any :class:`Cell`, e.g. ``network.cell``.
        inputs: (B, T, D).
        generator: source of the starts; torch's global one if None.

    Returns:
        (B, T + 1), Euclidean; of an LSTM's h and c together. The first is that of the starts.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> network = rn.EchoStateNetwork(1, 50, 1, spectral_radius=0.5, generator=generator)
        >>> x = torch.zeros(1, 100, 1, dtype=torch.float64)
        >>> distances = rn.contraction(network.cell, x, generator=generator)
        >>> distances.shape
        torch.Size([1, 101])
        >>> bool(distances[0, -1] < 1e-12 * distances[0, 0])
        True

    Source: Jaeger 2001, where such a net is called uniformly state contracting. As shown there a
    tanh net whose spectral norm is below 1 contracts for all inputs, and one whose spectral radius
    exceeds 1 does not if the inputs are zero; driven by other inputs it may.
    """
    check_is("cell", cell, Cell)
    check_generator("generator", generator, optional=True)
    cell.check_input(inputs, ("B", "T", cell.input_size))
    batch_size = inputs.shape[0]
    zeros = cell.parts(cell.initial_state(2 * batch_size, like=inputs))
    starts = tuple(_uniform_(part, 1.0, generator) for part in zeros)
    with torch.no_grad():
        trajectory = unroll(cell, inputs.repeat(2, 1, 1), starts if len(starts) > 1 else starts[0])
        states = torch.stack([torch.cat(cell.parts(s), dim=1) for s in trajectory.states], dim=1)
    return (states[:batch_size] - states[batch_size:]).norm(dim=2)


def _uniform_(weight: Tensor, bound: float, generator: torch.Generator | None) -> Tensor:
    """U(-bound, bound), where ``init.uniform_`` wants a bound above 0."""
    return nn.init.uniform_(weight, -bound, bound, generator=generator)


def _sparse_(weight: Tensor, density: float, generator: torch.Generator | None) -> Tensor:
    """Fill from U(-1, 1), then leave the same number of weights in each row.

    With at least one in each row there is a cycle of weights, which makes a radius of exactly 0
    as good as impossible.
    """
    size = weight.shape[1]
    kept = max(1, round(density * size))
    _uniform_(weight, 1.0, generator)
    places = torch.rand(weight.shape, generator=generator, device=weight.device).topk(kept).indices
    with torch.no_grad():
        return weight.mul_(torch.zeros_like(weight).scatter_(1, places, 1))
