"""A monitor for any model: do its gradients vanish, explode or stop being numbers, and where?"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from rnnnotes._checks import check_int, check_is, check_module, check_positive
from rnnnotes.layers import Bidirectional, Recurrent

SQUARES_FIT = 1e-15  # a float32 norm above this has lost nothing to squares that became zero
EDGE = 10  # the far and the near end of a sequence are its first and last tenth


@dataclass(frozen=True)
class NonFinite:
    """The first NaN or Inf that was seen: at which step (from 0), in which tensor.

    Of several tensors with one it is the first in the order of the parameters' names, weights
    before gradients: where it was seen, which need not be where it arose.

    Attributes:
        step: the observation, from 0.
        tensor: the parameter's name, with ``.grad`` for its gradient.
        entries: how many of the tensor's entries are NaN or Inf.
        kind: ``"NaN"``, ``"Inf"`` or ``"NaN and Inf"``.
    """

    step: int
    tensor: str
    entries: int
    kind: str


@dataclass(frozen=True)
class Diagnosis:
    """A verdict, ``healthy``, ``vanishing``, ``exploding`` or ``non-finite``, and its reasons.

    Attributes:
        verdict: one of these words.
        reasons: the evidence, a phrase each, with the number measured and its threshold.

    Examples:
        >>> diagnosis = rn.Diagnosis("vanishing", ("far over near is 1e-9, below 0.001",))
        >>> diagnosis.verdict
        'vanishing'
        >>> print(diagnosis)
        vanishing: far over near is 1e-9, below 0.001
    """

    verdict: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.verdict}: {'; '.join(self.reasons)}"


@dataclass(frozen=True, eq=False)
class GradientHistory:
    """What a monitor has seen: N observations of P parameters, and M profiles among them.

    Attributes:
        names: of the parameters, P.
        grad_norm: ||g|| of each parameter, (N, P).
        total_norm: ``sqrt(sum_p ||g_p||^2)``, (N,).
        weight_norm: ||w|| before the update, (N, P).
        update_ratio: ``||update|| / ||w||`` of each one, (N, P); NaN where no update followed.
        zero_fraction: share of exact zeros in each gradient, from 0 to 1, (N, P).
        nonfinite: number of entries with NaN or Inf in each gradient, (N, P).
        by_lag: for each recurrent layer that is followed, norms (M, T) of the gradient with respect
            to what it read (or to the states given to ``watch``), the lag T - t from 0 on; NaN
            beyond a shorter sequence's first step. M is the number of its profiles. The key is the
            module's path in the model, or its class name if it is the model, or the name given to
            ``watch``; a ``torch.nn`` layer of several has one entry, of what its bottom layer read.
        lag_observed_at: the observation (from 0) of each row of ``by_lag``.
        layers: the modules with weights, in the order in which the model called them, L; one that
            is called at every step, as a cell in a loop, stands there once for each call.
        by_layer: norm of the gradient with respect to each one's output, (M, L), one row for each
            profile in which the same modules were called as in the last.

    Examples:
        >>> layer = torch.nn.utils.skip_init(torch.nn.Linear, 1, 1)
        >>> layer.weight.data, layer.bias.data = torch.tensor([[2.0]]), torch.tensor([1.0])
        >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        >>> monitor = rn.GradientMonitor(layer)
        >>> layer(torch.tensor([[4.0]])).sum().backward()
        >>> monitor.step(optimizer)
        >>> history = monitor.history
        >>> isinstance(history, rn.GradientHistory), history.names
        (True, ('weight', 'bias'))
        >>> history.grad_norm, history.update_ratio.round(3)
        (array([[4., 1.]]), array([[0.2, 0.1]]))
    """

    names: tuple[str, ...]
    grad_norm: np.ndarray
    total_norm: np.ndarray
    weight_norm: np.ndarray
    update_ratio: np.ndarray
    zero_fraction: np.ndarray
    nonfinite: np.ndarray
    by_lag: dict[str, np.ndarray]
    lag_observed_at: dict[str, np.ndarray]
    layers: tuple[str, ...]
    by_layer: np.ndarray


class GradientMonitor:
    """Watches the gradients of any ``torch.nn.Module`` while it trains.

    Call :meth:`observe` after ``backward()`` (before clipping, to see what clipping hides) and step
    the optimiser as always; or call :meth:`step` in place of ``optimizer.step()``; or train inside
    ``with GradientMonitor(model) as monitor:``, which observes at every ``optimizer.step()``.

    The gradients of weights can look healthy where the signal is lost: a recurrent weight is shared
    by all steps and sums the near ones with the far; that of a deep layer is the product of a small
    error with a large input, or the reverse. So, at every ``profile_every``-th observation, the
    gradient is also followed with respect to the input of each step of recurrent layers, by lag,
    and to the output of every module with weights, in the order of their calls.

    By lag it follows every one-directional RNN, LSTM, GRU or :class:`Recurrent` that is called
    with a plain tensor as its first argument, batch or time first. Layers of two directions, packed
    sequences and loops of one's own are not followed by lag: give their states to :meth:`watch`.

    Where a loss is taken at every step, as in a language model, its own near part hides the far one
    there too. Then observe one backward pass of the last step's loss alone, with a monitor of its
    own, or give such a loss to :func:`gradient_norms_by_lag`, which has an example.

    Args:
        model: the module to watch.
        vanishing_below: far over near below which the verdict is vanishing. By lag it is the
            largest norm among the farthest tenth of the steps over the largest among the nearest
            tenth (of at least one step each; the nearest steps that have no gradient at all, as
            padding has none, are left out). By layer it is the norm at the output of the first
            call of a module with weights over that of the last call. Of each the median of the
            profiles in the window counts, or the latest profile if there is none in it.
        exploding_above: the same ratio above which the verdict is exploding.
        spike_above: total norm over the median of those before it, above which it is exploding,
            if it is also larger than the norm of all weights (leaving a plateau is no explosion).
        lurch_above: update-to-weight ratio of a weight matrix above which one update is exploding,
            if it is also above three times the median of that matrix's updates before it (an
            optimiser that takes large steps evenly does not lurch).
        still_below: update-to-weight ratio below which a weight stands still; 1e-7 is the rounding
            of float32.
        window: observations that a diagnosis looks back on.
        profile_every: observations between two profiles by lag and by layer, at least 1.

    Attributes:
        names: of the parameters that are trained.
        first_nonfinite: the first NaN or Inf seen: its step, tensor, entries and kind; None if
            none was.

    Raises:
        ValueError: a model without a parameter that is trained.

    Examples:
        >>> with torch.random.fork_rng():
        ...     _ = torch.manual_seed(0)
        ...     lstm = torch.nn.LSTM(1, 16, batch_first=True)
        ...     x = torch.randn(8, 100, 1)
        >>> optimizer = torch.optim.Adam(lstm.parameters(), lr=0.001)
        >>> with rn.GradientMonitor(lstm) as monitor:
        ...     for _ in range(10):
        ...         output, _ = lstm(x)
        ...         loss = (output[:, -1] - x[:, 0]).square().mean()  # the first input, at the end
        ...         optimizer.zero_grad()
        ...         loss.backward()
        ...         optimizer.step()
        >>> monitor.diagnosis().verdict  # print(monitor.diagnosis()) gives the reasons too
        'vanishing'
        >>> norms = monitor.history.by_lag["LSTM"]  # of 100 steps, at the first observation
        >>> norms.shape, bool(norms[0, 99] < 1e-3 * norms[0, 0])
        ((1, 100), True)
        >>> ax = rn.plot.monitored(monitor.history)  # the norm of every weight's gradient
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        vanishing_below: float = 1e-3,
        exploding_above: float = 1e3,
        spike_above: float = 1e2,
        lurch_above: float = 0.1,
        still_below: float = 1e-7,
        window: int = 50,
        profile_every: int = 10,
    ) -> None:
        check_module("model", model)
        for name, value in (
            ("vanishing_below", vanishing_below),
            ("exploding_above", exploding_above),
            ("spike_above", spike_above),
            ("lurch_above", lurch_above),
            ("still_below", still_below),
        ):
            check_positive(name, value)
        check_int("window", window)
        check_int("profile_every", profile_every)
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        if not named:
            raise ValueError("model: expected at least one parameter that is trained, got none")
        self.names = tuple(name for name, _ in named)
        self.first_nonfinite: NonFinite | None = None
        self.vanishing_below = vanishing_below
        self.exploding_above = exploding_above
        self.spike_above = spike_above
        self.lurch_above = lurch_above
        self.still_below = still_below
        self.window = window
        self.profile_every = profile_every
        self._parameters = [p for _, p in named]
        self._sizes = np.array([p.numel() for p in self._parameters])
        self._before: list[Tensor] | None = None
        self._versions: list[int] = []
        self._rows: list[tuple[np.ndarray, ...]] = []
        self._ratios: list[np.ndarray] = []
        self._pending_lags: dict[str, Tensor | dict[int, Tensor]] = {}
        self._by_lag: dict[str, list[tuple[int, np.ndarray]]] = {}
        self._called: list[str] = []
        self._pending_layers: dict[int, Tensor] = {}
        self._by_layer: list[tuple[int, tuple[str, ...], np.ndarray]] = []
        self._has_recurrent = any(
            isinstance(module, nn.RNNBase | Recurrent | Bidirectional) for module in model.modules()
        )
        self._handles = [model.register_forward_pre_hook(self._forget_calls)]
        for name, module in model.named_modules():
            name = name or type(module).__name__
            if _is_one_way_recurrent(module):
                self._handles.append(module.register_forward_pre_hook(self._lag_hook(name, module)))
            if module._parameters or isinstance(module, Recurrent | Bidirectional):
                self._handles.append(module.register_forward_hook(self._layer_hook(name)))

    @torch.no_grad()
    def observe(self) -> None:
        """Take note of the gradients as they are now, and of the update since the last time.

        A parameter without gradient counts as one whose gradient is 0. So call it after
        ``backward()``: without one the norm is 0, and the verdict of it may be healthy.
        """
        self._settle()
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]
        norms = _norms(gradients)
        zeros = self._sizes - torch.stack([g.count_nonzero() for g in gradients]).cpu().numpy()
        nonfinite = np.zeros(len(gradients), dtype=int)
        if not np.isfinite(norms).all():
            nonfinite = np.array([int((~g.isfinite()).sum()) for g in gradients])
        weights = [p.detach() for p in self._parameters]
        weight_norms = _norms(weights)
        self._note_nonfinite(nonfinite, weight_norms)
        self._rows.append((norms, weight_norms, zeros / self._sizes, nonfinite))
        self._ratios.append(np.full(len(gradients), np.nan))
        self._collect_profiles()
        if self._before is None:
            self._before = [w.clone() for w in weights]
        else:
            torch._foreach_copy_(self._before, weights)
        self._versions = [p._version for p in self._parameters]

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Observe, make the optimiser's step, and measure the update it made.

        Args:
            optimizer: of the model's parameters.
        """
        check_is("optimizer", optimizer, torch.optim.Optimizer)
        self.observe()
        optimizer.step()
        self._settle()

    def watch(self, states: Sequence[Tensor | tuple[Tensor, ...]], name: str = "states") -> None:
        """Follow the gradient with respect to states that a model keeps, by lag.

        It is called between the forward and the backward pass:
        ``monitor.watch(trajectory.states)``.

        Args:
            states: each (B, H) or a pair of such tensors, in the order of time. Of a pair (h, c)
                the first is followed; those that need no gradient, as the first of zeros, are left
                out.
            name: under which ``history.by_lag`` has them.
        """
        check_is("states", states, (list, tuple), "a list of tensors")
        states = [state[0] if isinstance(state, tuple) else state for state in states]
        for index, state in enumerate(states):
            check_is(f"states[{index}]", state, Tensor, "a tensor")
        norms: dict[int, Tensor] = {}
        for lag, state in enumerate(reversed(states)):
            if state.requires_grad:
                state.register_hook(_keep_norm(norms, lag))
        self._pending_lags[name] = norms

    @property
    def history(self) -> GradientHistory:
        """All that has been observed, as arrays.

        Raises:
            ValueError: nothing has been.
        """
        self._settle()
        if not self._rows:
            raise ValueError("history: expected at least one observation, got none")
        norms, weights, zeros, nonfinite = (
            np.stack(part) for part in zip(*self._rows, strict=True)
        )
        return GradientHistory(
            names=self.names,
            grad_norm=norms,
            total_norm=np.sqrt((norms**2).sum(1)),
            weight_norm=weights,
            update_ratio=np.stack(self._ratios),
            zero_fraction=zeros,
            nonfinite=nonfinite,
            by_lag={name: _padded([row for _, row in rows]) for name, rows in self._by_lag.items()},
            lag_observed_at={
                name: np.array([at for at, _ in rows]) for name, rows in self._by_lag.items()
            },
            layers=self._by_layer[-1][1] if self._by_layer else (),
            by_layer=np.array(
                [row for _, names, row in self._by_layer if names == self._by_layer[-1][1]]
            ),
        )

    def diagnosis(self) -> Diagnosis:
        """The verdict on the last ``window`` observations, with the evidence in words.

        In this order: non-finite, if a gradient or weight ever was; exploding, if the total norm
        rose above ``spike_above`` times the median before it, an update lurched above
        ``lurch_above``, or far over near is above ``exploding_above``; vanishing, if far over near
        is below ``vanishing_below``, or a weight matrix stands still; else healthy. A vanishing
        or healthy one says so if it exploded before that window; a healthy one also if the model
        has a recurrent layer and none was followed by lag.
        """
        history = self.history
        if self.first_nonfinite is not None:
            bad = self.first_nonfinite
            entries = "entry" if bad.entries == 1 else "entries"
            reason = f"{bad.tensor} has {bad.entries} {entries} {bad.kind} at step {bad.step}"
            return Diagnosis("non-finite", (reason,))
        ratios = self._far_over_near()
        exploding = [
            f"{what} is {ratio:.2g}, above {self.exploding_above:g}"
            for what, ratio in ratios
            if ratio > self.exploding_above
        ]
        recent = len(history.total_norm) - self.window
        alarms = [*self._spikes(history), *self._lurches(history)]
        exploding += [reason for step, reason in alarms if step >= recent]
        if exploding:
            return Diagnosis("exploding", tuple(exploding))
        before = [f"it exploded before that: {reason}" for _, reason in sorted(alarms)[:1]]
        vanishing = [
            f"{what} is {ratio:.2g}, below {self.vanishing_below:g}"
            for what, ratio in ratios
            if ratio < self.vanishing_below
        ]
        vanishing += self._still(history)
        if vanishing:
            return Diagnosis("vanishing", (*vanishing, *before))
        reasons = [f"{what} is {ratio:.2g}" for what, ratio in ratios]
        norm = np.median(history.total_norm[-self.window :])
        usual = f"the gradient's median norm is {norm:.2g}, without spikes above"
        reasons.append(f"{usual} {self.spike_above:g} times it")
        if self._has_recurrent and not history.by_lag:
            reasons.append("no recurrent layer was followed by lag, so give its states to watch")
        return Diagnosis("healthy", (*reasons, *before))

    def close(self) -> None:
        """Take every hook off the model."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def __enter__(self) -> "GradientMonitor":
        ours = {id(p) for p in self._parameters}
        observed = 0

        def is_ours(optimizer: torch.optim.Optimizer) -> bool:
            groups = optimizer.param_groups
            return any(id(p) in ours for group in groups for p in group["params"])

        def before(optimizer, *_) -> None:
            nonlocal observed
            # The reader may have observed already, before clipping.
            if is_ours(optimizer) and len(self._rows) == observed:
                self.observe()

        def after(optimizer, *_) -> None:
            nonlocal observed
            if is_ours(optimizer):
                self._settle()
                observed = len(self._rows)

        self._handles += [
            register_optimizer_step_pre_hook(before),
            register_optimizer_step_post_hook(after),
        ]
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @torch.no_grad()
    def _settle(self) -> None:
        """Measure the update, if one was made since the last observation."""
        if self._before is None or self._versions == [p._version for p in self._parameters]:
            return
        weights = [p.detach() for p in self._parameters]
        update = _norms(torch._foreach_sub(weights, self._before))
        norm = self._rows[-1][1]
        # A weight of zeros, as a bias may be, has no ratio: its first update is infinitely large.
        with np.errstate(divide="ignore", invalid="ignore"):
            self._ratios[-1] = update / norm
        self._versions = [p._version for p in self._parameters]

    def _note_nonfinite(self, gradients: np.ndarray, weight_norms: np.ndarray) -> None:
        if self.first_nonfinite is not None:
            return
        step = len(self._rows)
        # A weight is older than the gradient that it gave.
        for name, norm, p in zip(self.names, weight_norms, self._parameters, strict=True):
            if not math.isfinite(norm):
                self.first_nonfinite = _nonfinite(step, name, p.detach())
                return
        for name, entries, p in zip(self.names, gradients, self._parameters, strict=True):
            if entries:
                self.first_nonfinite = _nonfinite(step, f"{name}.grad", p.grad)
                return

    def _is_due(self) -> bool:
        return len(self._rows) % self.profile_every == 0 and torch.is_grad_enabled()

    def _forget_calls(self, *_) -> None:
        if torch.is_grad_enabled():
            self._called, self._pending_layers = [], {}

    def _layer_hook(self, name: str) -> Callable:
        def hook(module: nn.Module, args: tuple, output: object) -> None:
            output = output[0] if isinstance(output, tuple) else output
            if self._is_due() and isinstance(output, Tensor) and output.requires_grad:
                output.register_hook(_keep_norm(self._pending_layers, len(self._called)))
                self._called.append(name)

        return hook

    def _lag_hook(self, name: str, module: nn.Module) -> Callable:
        def pre_hook(_, args: tuple) -> tuple | None:
            if not (self._is_due() and args and isinstance(args[0], Tensor)):
                return None
            inputs = args[0]
            if not inputs.is_floating_point():
                return None
            replaced = None
            if not inputs.requires_grad:
                inputs = inputs.detach().requires_grad_()
                replaced = (inputs, *args[1:])
            time = inputs.ndim - 2 if getattr(module, "batch_first", True) else 0
            inputs.register_hook(self._keep_profile(name, time))
            return replaced

        return pre_hook

    def _keep_profile(self, name: str, time: int) -> Callable[[Tensor], None]:
        def keep(gradient: Tensor) -> None:
            others = [d for d in range(gradient.ndim) if d != time]
            norms = torch.linalg.vector_norm(gradient, dim=others, dtype=torch.float64)
            self._pending_lags[name] = norms.detach().flip(0)

        return keep

    def _collect_profiles(self) -> None:
        at = len(self._rows) - 1
        if self._pending_layers:
            calls = sorted(self._pending_layers)
            names = tuple(self._called[call] for call in calls)
            row = np.array([self._pending_layers[call].item() for call in calls])
            self._by_layer.append((at, names, row))
        self._called, self._pending_layers = [], {}
        for name, norms in self._pending_lags.items():
            if isinstance(norms, dict):
                row = np.array([norms[lag].item() for lag in sorted(norms)])
            else:
                row = norms.cpu().numpy()
            if row.size:
                self._by_lag.setdefault(name, []).append((at, row))
        self._pending_lags = {}

    def _far_over_near(self) -> list[tuple[str, float]]:
        ratios = []
        for name, rows in self._by_lag.items():
            found = [_ends_ratio(row) for row in self._recent(rows)]
            found = [ratio for ratio in found if ratio is not None]
            if found:
                what = f"far over near gradient of the steps of {name}"
                ratios.append((what, float(np.median(found))))
        rows = [(at, row) for at, names, row in self._by_layer if len(names) > 1]
        found = [row[0] / row[-1] for row in self._recent(rows) if row[-1] > 0]
        if found:
            first, last = self._by_layer[-1][1][0], self._by_layer[-1][1][-1]
            what = f"gradient at the first layer called, {first}, over the last, {last},"
            ratios.append((what, float(np.median(found))))
        return ratios

    def _recent(self, rows: list[tuple[int, np.ndarray]]) -> list[np.ndarray]:
        """The profiles within the window, or the latest where there is none."""
        recent = [row for at, row in rows if at >= len(self._rows) - self.window]
        return recent or [row for _, row in rows[-1:]]

    def _spikes(self, history: GradientHistory) -> list[tuple[int, str]]:
        """Steps at which the gradient's norm left its usual range, each with the evidence."""
        total, found = history.total_norm, []
        weights = np.sqrt((history.weight_norm**2).sum(1))
        for step in range(1, len(total)):
            usual = float(np.median(total[max(0, step - self.window) : step]))
            if usual > 0 and total[step] > max(self.spike_above * usual, weights[step]):
                reason = (
                    f"the gradient's norm rose to {total[step]:.2g} at step {step}, "
                    f"{total[step] / usual:.2g} times its median before, above {self.spike_above:g}"
                )
                found.append((step, reason))
        return found

    def _lurches(self, history: GradientHistory) -> list[tuple[int, str]]:
        """Steps whose update moved a weight matrix far more than those before it."""
        found = []
        for i, (name, p) in enumerate(zip(self.names, self._parameters, strict=True)):
            ratios = history.update_ratio[:, i]
            if p.ndim < 2 or not (ratios > self.lurch_above).any():
                continue
            for step in np.flatnonzero(np.isfinite(ratios) & (ratios > self.lurch_above)):
                earlier = ratios[max(0, step - self.window) : step]
                earlier = earlier[np.isfinite(earlier)]
                if earlier.size and ratios[step] > 3 * np.median(earlier):
                    share = ratios[step]
                    size = f"{share:.0%} of" if share < 10 else f"{share:.1g} times"
                    reason = (
                        f"an update moved {name} by {size} its size at step {step}, "
                        f"above {self.lurch_above:.0%}"
                    )
                    found.append((int(step), reason))
        return found

    def _still(self, history: GradientHistory) -> list[str]:
        recent = history.update_ratio[-self.window :]
        reasons = []
        for i, (name, p) in enumerate(zip(self.names, self._parameters, strict=True)):
            ratios = recent[:, i][np.isfinite(recent[:, i])]
            if p.ndim > 1 and ratios.size and np.median(ratios) < self.still_below:
                ratio = np.median(ratios)
                reasons.append(
                    f"{name} stands still: its update-to-weight ratio is {ratio:.2g}, "
                    f"below {self.still_below:g}"
                )
        return reasons


def _nonfinite(step: int, name: str, tensor: Tensor) -> NonFinite:
    nan, inf = int(tensor.isnan().sum()), int(tensor.isinf().sum())
    kind = " and ".join(word for word, count in (("NaN", nan), ("Inf", inf)) if count)
    return NonFinite(step, name, nan + inf, kind)


def _is_one_way_recurrent(module: nn.Module) -> bool:
    """Whether lag is defined: read from one side only."""
    return isinstance(module, Recurrent) or (
        isinstance(module, nn.RNNBase) and not module.bidirectional
    )


def _keep_norm(norms: dict[int, Tensor], lag: int) -> Callable[[Tensor], None]:
    def keep(gradient: Tensor) -> None:
        norms[lag] = torch.linalg.vector_norm(gradient.detach(), dtype=torch.float64)

    return keep


def _norms(tensors: list[Tensor] | tuple[Tensor, ...]) -> np.ndarray:
    """The Euclidean norm of each tensor, right for entries whose squares leave their type's range.

    float32 is three times as fast, but there the square of 1e-23 is zero and that of 1e20 infinite,
    just where vanishing and exploding are to be told; then, and for narrower types, float64.
    """
    if all(tensor.dtype == torch.float32 for tensor in tensors):
        norms = torch.stack(torch._foreach_norm(tensors)).cpu().double().numpy()
        if (norms > SQUARES_FIT).all() and np.isfinite(norms).all():
            return norms
    return torch.stack(torch._foreach_norm(tensors, 2, torch.float64)).cpu().numpy()


def _ends_ratio(by_lag: np.ndarray) -> float | None:
    """Largest norm of the farthest tenth over that of the nearest; None without gradient."""
    used = np.flatnonzero(by_lag)
    if not used.size:
        return None
    # Steps beyond every sequence's end, the smallest lags, have no gradient at all.
    by_lag = by_lag[used[0] :]
    tenth = max(1, len(by_lag) // EDGE)
    return float(by_lag[-tenth:].max() / by_lag[:tenth].max())


def _padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    longest = max(len(row) for row in rows)
    return np.stack([np.pad(row, (0, longest - len(row)), constant_values=np.nan) for row in rows])
