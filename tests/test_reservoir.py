"""Echo state networks against scikit-learn's Ridge, closed forms and a run step by step."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

import rnnnotes as rn

torch.set_num_threads(1)
quick = settings(deadline=None, max_examples=25, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def network(hidden_size: int = 30, *, seed: int = 0, **options) -> rn.EchoStateNetwork:
    options = {"input_size": 1, "output_size": 1, "washout": 10} | options
    return rn.EchoStateNetwork(hidden_size=hidden_size, generator=seeded(seed), **options)


# The fixed net


@quick
@given(
    st.integers(1, 40), st.floats(0, 3), st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0, 2),
    seeds,
)  # fmt: skip
def test_the_drawn_net_is_as_asked(size, radius, density, leak_rate, scaling, seed):
    net = network(
        size,
        seed=seed,
        spectral_radius=radius,
        density=density,
        leak_rate=leak_rate,
        input_scaling=scaling,
        bias_scaling=scaling / 2,
    )
    cell = net.cell
    assert rn.spectral_radius(cell.weight_hh).item() == pytest.approx(radius, rel=1e-9, abs=1e-12)
    assert cell.weight_hh.dtype == torch.float64
    kept = max(1, round(density * size)) if radius else 0
    assert (cell.weight_hh != 0).sum(1).tolist() == [kept] * size
    assert cell.weight_ih.abs().max() <= scaling
    assert cell.bias_ih.abs().max() <= scaling / 2
    assert not cell.bias_hh.any()
    assert cell.leak_rate == leak_rate


def test_the_spectral_radius_is_exact_for_an_ordinary_reservoir():
    for radius in (0.5, 0.95, 1.3):
        weight = network(200, spectral_radius=radius).cell.weight_hh
        moduli = torch.linalg.eigvals(weight).abs()
        assert moduli.max().item() == pytest.approx(radius, rel=1e-12)


def test_weights_spread_over_their_ranges_and_over_all_columns():
    cell = network(300, input_size=20, density=0.2, input_scaling=0.5, bias_scaling=0.1).cell
    for weight, bound in ((cell.weight_ih, 0.5), (cell.bias_ih, 0.1)):
        assert weight.abs().max().item() == pytest.approx(bound, rel=0.02)
        assert weight.square().mean().item() == pytest.approx(bound**2 / 3, rel=0.12)
    per_column = (cell.weight_hh != 0).sum(0).double()
    # Binomial: mean 60, standard deviation about 7.
    assert per_column.mean() == 60
    assert 5 < per_column.std() < 9


def test_equal_generators_give_equal_networks_and_the_global_one_is_left_alone():
    before = torch.get_rng_state()
    nets = [network(seed=seed) for seed in (3, 3, 4)]
    first, again, other = (net.state_dict() for net in nets)
    for name in first:
        assert torch.equal(first[name], again[name])
    assert not torch.equal(first["cell.weight_hh"], other["cell.weight_hh"])
    x = draw(1, 5, 1)
    distances = [rn.contraction(nets[0].cell, x, generator=seeded(seed)) for seed in (1, 1, 2)]
    assert torch.equal(distances[0], distances[1])
    assert not torch.equal(distances[0], distances[2])
    assert torch.equal(before, torch.get_rng_state())


def test_nothing_of_the_net_is_trained():
    net = network()
    cell = {name: value.clone() for name, value in net.cell.state_dict().items()}
    net.fit(draw(1, 50, 1), draw(1, 50, 1, seed=1))
    assert all(torch.equal(value, net.cell.state_dict()[name]) for name, value in cell.items())
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert not net.predict(draw(1, 20, 1)).requires_grad


# The cell


@quick
@given(st.sampled_from(["tanh", "relu", "leaky_relu", "identity"]), seeds)
def test_without_leak_it_is_the_elman_cell(nonlinearity, seed):
    leaky = rn.LeakyIntegratorCell(
        3, 4, 1.0, nonlinearity, generator=seeded(seed), dtype=torch.float64
    )
    plain = rn.ElmanCell(3, 4, nonlinearity, generator=seeded(seed), dtype=torch.float64)
    x = draw(2, 7, 3, seed=seed)
    assert torch.equal(rn.unroll(leaky, x).hidden, rn.unroll(plain, x).hidden)


@quick
@given(st.floats(0.01, 1), seeds)
def test_a_leaky_step_is_the_equation_of_its_docstring(leak_rate, seed):
    cell = rn.LeakyIntegratorCell(2, 3, leak_rate, generator=seeded(seed), dtype=torch.float64)
    x, h = draw(5, 2, seed=seed), draw(5, 3, seed=seed + 1)
    for row in range(5):
        inner = cell.weight_ih @ x[row] + cell.bias_ih + cell.weight_hh @ h[row] + cell.bias_hh
        expected = (1 - leak_rate) * h[row] + leak_rate * torch.tanh(inner)
        torch.testing.assert_close(cell(x, h)[row], expected, **EXACT)


def test_the_jacobian_of_a_leaky_cell_at_the_origin():
    cell = rn.LeakyIntegratorCell(2, 3, 0.3, bias=False, generator=seeded(), dtype=torch.float64)
    jacobian = rn.step_jacobians(cell, torch.zeros(1, 1, 2, dtype=torch.float64))[0, 0]
    expected = 0.7 * torch.eye(3, dtype=torch.float64) + 0.3 * cell.weight_hh
    torch.testing.assert_close(jacobian, expected.detach(), **EXACT)


def test_states_are_those_of_the_plain_recursion():
    net = network(6, input_size=2, leak_rate=0.4)
    x = draw(3, 9, 2)
    state = torch.zeros(3, 6, dtype=torch.float64)
    states = net.states(x)
    for t in range(9):
        inner = x[:, t] @ net.cell.weight_ih.T + net.cell.bias_ih + state @ net.cell.weight_hh.T
        state = 0.6 * state + 0.4 * torch.tanh(inner)
        torch.testing.assert_close(states[:, t], state, **EXACT)
    late = net.states(x[:, 4:], states[:, 3])
    torch.testing.assert_close(late, states[:, 4:], **EXACT)


def test_a_leaky_cell_is_no_elman_cell_to_those_who_know_elmans_equation():
    cell = rn.LeakyIntegratorCell(2, 3, 0.5)
    assert not isinstance(cell, rn.ElmanCell)
    with pytest.raises(ValueError, match="got LeakyIntegratorCell"):
        rn.to_torch(cell)


# The readout


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("ridge", [1e-6, 0.3, 100.0])
@pytest.mark.parametrize(("rows", "columns"), [(60, 9), (9, 60)])
def test_ridge_regression_is_scikit_learns(rows, columns, ridge, intercept):
    features = draw(rows, columns) + 3.0
    targets = draw(rows, 2, seed=1) - 5.0
    theirs = Ridge(alpha=ridge, fit_intercept=intercept, solver="svd")
    theirs.fit(features.numpy(), targets.numpy())
    weight, bias = rn.ridge_regression(features, targets, ridge, bias=intercept)
    torch.testing.assert_close(weight, torch.tensor(theirs.coef_), rtol=1e-8, atol=1e-8)
    expected = torch.tensor(theirs.intercept_) if intercept else torch.zeros(2).double()
    torch.testing.assert_close(bias, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("intercept", [True, False])
def test_ridge_regression_is_its_docstrings_closed_form(intercept):
    x, y = draw(40, 5) + 1, draw(40, 2, seed=1)
    x_mean, y_mean = (x.mean(0), y.mean(0)) if intercept else (x.mean(0) * 0, y.mean(0) * 0)
    gram = (x - x_mean).T @ (x - x_mean) + 0.7 * torch.eye(5, dtype=torch.float64)
    expected = torch.linalg.solve(gram, (x - x_mean).T @ (y - y_mean)).T
    weight, bias = rn.ridge_regression(x, y, 0.7, bias=intercept)
    torch.testing.assert_close(weight, expected, **EXACT)
    torch.testing.assert_close(bias, y_mean - expected @ x_mean, **EXACT)


def test_the_solver_stands_a_condition_number_that_the_gram_matrix_does_not():
    """With singular values down to 1e-10, X'X has lost them all; the weights still come back."""
    u, _ = torch.linalg.qr(draw(50, 6))
    v, _ = torch.linalg.qr(draw(6, 6, seed=1))
    features = u @ torch.diag(torch.logspace(0, -10, 6, dtype=torch.float64)) @ v.T
    truth = draw(1, 6, seed=2)
    weight, _ = rn.ridge_regression(features, features @ truth.T, bias=False)
    torch.testing.assert_close(weight, truth, rtol=1e-4, atol=1e-4)
    gram = torch.linalg.solve(features.T @ features, features.T @ (features @ truth.T)).T
    assert (gram - truth).abs().max() > 1e-2


def test_without_ridge_the_shortest_of_all_solutions_is_taken():
    features = draw(20, 3)
    doubled = torch.cat([features, features], dim=1)
    targets = draw(20, 1, seed=1)
    once, bias = rn.ridge_regression(features, targets)
    twice, bias_of_twice = rn.ridge_regression(doubled, targets)
    torch.testing.assert_close(twice, torch.cat([once, once], dim=1) / 2, **EXACT)
    torch.testing.assert_close(bias_of_twice, bias, **EXACT)
    constant, mean = rn.ridge_regression(torch.ones(20, 2).double(), targets)
    assert not constant.any()
    torch.testing.assert_close(mean, targets.mean(0), **EXACT)


@quick
@given(st.integers(0, 15), seeds)
def test_the_fit_is_the_regression_on_the_states_after_the_washout(washout, seed):
    net = network(8, input_size=2, output_size=3, washout=washout, seed=seed)
    x, y = draw(2, 20, 2, seed=seed), draw(2, 20, 3, seed=seed + 1)
    assert net.fit(x, y, ridge=0.01) is net
    features = torch.cat([net.states(x)[b, washout:] for b in range(2)])
    expected = Ridge(alpha=0.01, solver="svd").fit(features, torch.cat([*y[:, washout:]]))
    torch.testing.assert_close(net.weight_out, torch.tensor(expected.coef_), rtol=1e-8, atol=1e-8)
    prediction = torch.tensor(expected.predict(net.states(x).flatten(0, 1)))
    torch.testing.assert_close(net.predict(x).flatten(0, 1), prediction, rtol=1e-8, atol=1e-8)
    assert torch.equal(net(x), net.predict(x))


def test_the_washout_is_dropped_and_nothing_after_it():
    x, y = draw(1, 40, 1), draw(1, 40, 1, seed=1)

    def fitted(targets: torch.Tensor) -> torch.Tensor:
        return network(5).fit(x, targets, ridge=0.1).weight_out

    spoilt = y.clone()
    spoilt[:, :10] = 1e6
    assert torch.equal(fitted(spoilt), fitted(y))
    spoilt[:, 10] = 1e6
    assert not torch.allclose(fitted(spoilt), fitted(y))


def test_as_a_module_it_predicts_from_the_state_that_is_given():
    net, x, state = network().fit(draw(2, 40, 1), draw(2, 40, 1)), draw(2, 5, 1), draw(2, 30)
    assert torch.equal(net(x, state), net.predict(x, state))
    assert not torch.equal(net(x, state), net(x))


def test_what_is_not_asked_for_is_as_the_docstring_says():
    options = {"input_size": 2, "hidden_size": 20, "output_size": 1}
    plain = rn.EchoStateNetwork(**options, generator=seeded(1))
    asked = rn.EchoStateNetwork(
        **options, input_scaling=1.0, bias_scaling=0.2, washout=100, generator=seeded(1)
    )
    assert plain.washout == asked.washout
    for name, weight in asked.cell.named_parameters():
        assert torch.equal(plain.cell.get_parameter(name), weight), name


def test_one_row_of_data_can_be_fitted():
    x, y = draw(1, 3), draw(1, 2, seed=1)
    weight, offset = rn.ridge_regression(x, y, 0.1, bias=True)
    assert not weight.any() and torch.equal(offset, y[0])
    weight, offset = rn.ridge_regression(x, y, 0.1, bias=False)
    torch.testing.assert_close(weight, y.T @ x / (x.square().sum() + 0.1), **EXACT)
    assert not offset.any()


def test_targets_of_another_type_are_taken():
    net, x = network(), draw(2, 40, 1)
    net.fit(x, x.float())
    weight = net.weight_out.clone()
    assert torch.equal(net.fit(x, x.float().double()).weight_out, weight)


def test_a_leaky_cell_is_made_on_the_device_asked_for():
    """The device "meta" has no numbers, and every machine has it."""
    cell = rn.LeakyIntegratorCell(2, 3, device="meta")
    assert {p.device.type for p in cell.parameters()} == {"meta"}


def test_a_readout_of_the_last_step_fits_the_last_states():
    net = network(7, readout="last", output_size=2)
    x, y = draw(30, 12, 1), draw(30, 2, seed=1)
    net.fit(x, y, ridge=0.5)
    weight, bias = rn.ridge_regression(net.states(x)[:, -1], y, 0.5)
    torch.testing.assert_close(net.predict(x), net.states(x)[:, -1] @ weight.T + bias, **EXACT)


def test_a_delay_line_recalls_as_many_inputs_as_it_has_units_and_no_more():
    """With W a shift, h_t[k] = x_{t-k}: every lag below H is recalled exactly, lag H not at all."""
    net = network(6, nonlinearity="identity", bias_scaling=0.0, spectral_radius=0.0)
    net.cell.weight_hh.copy_(torch.diag(torch.ones(5), -1))
    net.cell.weight_ih.copy_(torch.eye(6)[:, :1])
    x = draw(1, 300, 1)
    errors = []
    for lag in range(7):
        target = torch.roll(x, lag, dims=1)
        errors.append(
            (net.fit(x, target, ridge=0).predict(x) - target)[:, 10:].square().mean().item()
        )
    assert max(errors[:6]) < 1e-25
    assert errors[6] > 0.8


def test_a_task_scores_a_network_as_it_scores_any_model():
    """A readout of a fixed net beats the mean on short additions, without a gradient."""
    task = rn.tasks.adding(10)
    net = rn.EchoStateNetwork(2, 100, 1, readout="last", generator=seeded())
    batch = task.sample(1000, seeded(1))
    net.fit(batch.inputs.double(), batch.targets.double(), ridge=1e-4)
    assert rn.evaluate(net, task, size=1000, seed=0) < 0.8 * task.baseline()


def test_saved_networks_come_back_with_their_readout():
    net, other = network().fit(draw(1, 50, 1), draw(1, 50, 1, seed=1)), network(seed=9)
    other.load_state_dict(net.state_dict())
    x = draw(2, 15, 1, seed=2)
    assert torch.equal(other.predict(x), net.predict(x))


# Running free


@quick
@given(st.integers(1, 12), st.floats(0.1, 1), seeds)
def test_a_free_run_is_a_prediction_fed_back_step_by_step(steps, leak_rate, seed):
    net = network(10, input_size=2, output_size=2, leak_rate=leak_rate, seed=seed)
    x = torch.tanh(draw(2, 60, 2, seed=seed))
    net.fit(x[:, :-1], x[:, 1:], ridge=0.1)
    start = draw(2, 10, seed=seed)
    forecast = net.forecast(x[:, :30], steps, start)
    assert forecast.shape == (2, steps, 2)
    so_far = x[:, :30]
    for k in range(steps):
        following = net.predict(so_far, start)[:, -1]
        torch.testing.assert_close(forecast[:, k], following, rtol=1e-10, atol=1e-10)
        so_far = torch.cat([so_far, following[:, None]], dim=1)


def test_a_sine_is_continued():
    """A linear recurrence of two terms, which a linear net of enough units must continue."""
    series = torch.sin(0.3 * torch.arange(400, dtype=torch.float64))[None, :, None]
    net = network(20, nonlinearity="identity", bias_scaling=0.0, washout=200)
    net.fit(series[:, :299], series[:, 1:300], ridge=0)
    torch.testing.assert_close(
        net.forecast(series[:, :300], 100), series[:, 300:], rtol=1e-6, atol=1e-6
    )


# The echo state property


@quick
@given(st.floats(0.2, 1.2), st.integers(1, 8), seeds)
def test_a_linear_reservoir_of_a_normal_matrix_contracts_by_its_radius_each_step(
    radius, size, seed
):
    """W = rho Q: ``||W^t d|| = rho^t ||d||`` exactly, whatever is read."""
    net = network(size, nonlinearity="identity", seed=seed)
    orthogonal, _ = torch.linalg.qr(draw(size, size, seed=seed))
    net.cell.weight_hh.copy_(radius * orthogonal)
    distances = rn.contraction(net.cell, draw(3, 30, 1, seed=seed), generator=seeded(seed))
    expected = distances[:, :1] * radius ** torch.arange(31, dtype=torch.float64)
    torch.testing.assert_close(distances, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("leak_rate", [1.0, 0.4])
def test_a_linear_reservoir_contracts_in_the_long_run_by_the_radius_of_its_step(leak_rate):
    net = network(40, nonlinearity="identity", spectral_radius=0.8, leak_rate=leak_rate, seed=2)
    step = (1 - leak_rate) * torch.eye(40, dtype=torch.float64) + leak_rate * net.cell.weight_hh
    distances = rn.contraction(net.cell, draw(1, 100, 1), generator=seeded())[0]
    starts = torch.empty(2, 40, dtype=torch.float64).uniform_(-1, 1, generator=seeded())
    apart = starts[0] - starts[1]
    for t in (0, 1, 10, 50):
        expected = (torch.linalg.matrix_power(step, t) @ apart).norm()
        torch.testing.assert_close(distances[t], expected, rtol=1e-8, atol=1e-14)
    rate = (distances[100] / distances[20]).item() ** (1 / 80)
    assert rate == pytest.approx(rn.spectral_radius(step).item(), rel=0.02)


def test_distances_are_those_of_two_runs_of_the_cell():
    cell = rn.LSTMCell(2, 3, generator=seeded(), dtype=torch.float64)
    x = draw(2, 5, 2)
    distances = rn.contraction(cell, x, generator=seeded(1))
    generator = seeded(1)
    h, c = (
        torch.empty(4, 3, dtype=torch.float64).uniform_(-1, 1, generator=generator)
        for _ in range(2)
    )
    first = rn.unroll(cell, x, (h[:2], c[:2])).states
    second = rn.unroll(cell, x, (h[2:], c[2:])).states
    for t, (a, b) in enumerate(zip(first, second, strict=True)):
        squared = sum((p - q).square().sum(1) for p, q in zip(a, b, strict=True))
        torch.testing.assert_close(distances[:, t], squared.sqrt().detach(), **EXACT)


@pytest.mark.parametrize("drive", [0.0, 1.0, 10.0])
def test_a_tanh_net_of_norm_below_one_contracts_at_every_step(drive):
    """Jaeger's sufficient condition: every step shrinks the distance by the norm, or more."""
    net = network(30, leak_rate=1.0)
    net.cell.weight_hh.mul_(0.9 / rn.spectral_norm(net.cell.weight_hh))
    distances = rn.contraction(net.cell, drive * draw(4, 60, 1), generator=seeded())
    assert (distances[:, 1:] <= 0.9 * distances[:, :-1] + 1e-14).all()


def test_a_radius_above_one_forgets_nothing_undriven_but_may_forget_when_driven():
    """Jaeger's necessary condition holds at zero input alone, where 0 is a fixed point."""
    net = network(100, spectral_radius=1.5, bias_scaling=0.0, density=1.0)
    still, driven = torch.zeros(1, 400, 1).double(), 10 * draw(1, 400, 1)
    assert rn.contraction(net.cell, still, generator=seeded())[0, -1] > 0.1
    assert rn.contraction(net.cell, driven, generator=seeded())[0, -1] < 1e-10


# Bad input


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("input_size", 0, "input_size: expected a whole number of at least 1, got 0"),
        ("hidden_size", 2.5, "hidden_size: expected a whole number of at least 1, got 2.5"),
        ("output_size", 0, "output_size: expected a whole number of at least 1, got 0"),
        ("spectral_radius", -0.1, "spectral_radius: expected a number at least 0, got -0.1"),
        ("spectral_radius", math.inf, "spectral_radius: expected a number at least 0, got inf"),
        ("density", 0, "density: expected a number above 0 and at most 1, got 0"),
        ("density", 1.1, "density: expected a number above 0 and at most 1, got 1.1"),
        ("leak_rate", 0.0, "leak_rate: expected a number above 0 and at most 1, got 0.0"),
        ("leak_rate", "1", "leak_rate: expected a number above 0 and at most 1, got '1'"),
        ("input_scaling", -1, "input_scaling: expected a number at least 0, got -1"),
        ("bias_scaling", -1, "bias_scaling: expected a number at least 0, got -1"),
        ("washout", -1, "washout: expected a whole number of at least 0, got -1"),
        ("readout", "first", "readout: expected one of 'all', 'last', got 'first'"),
        ("nonlinearity", "sine", "nonlinearity: expected one of 'tanh', .* got 'sine'"),
        ("generator", 0, "generator: expected a torch.Generator, got int"),
    ],
)
def test_bad_options_are_named(option, value, message):
    options = {"input_size": 1, "hidden_size": 4, "output_size": 1} | {option: value}
    with pytest.raises((ValueError, TypeError), match=message):
        rn.EchoStateNetwork(**options)


def test_bad_data_is_named():
    net, x = network(), draw(2, 30, 1)
    with pytest.raises(
        RuntimeError, match=r"^readout: expected a fitted one, got none; call fit first$"
    ):
        net.predict(x)
    with pytest.raises(RuntimeError, match="call fit first"):
        net.forecast(x, 3)
    with pytest.raises(ValueError, match=r"x: expected shape \(B, T, 1\), got \(30, 1\)"):
        net.fit(x[0], x)
    with pytest.raises(TypeError, match=r"x: expected dtype torch\.float64, got .*float32"):
        net.fit(x.float(), x)
    with pytest.raises(ValueError, match=r"targets: expected shape \(2, 30, 1\), got \(2, 29, 1\)"):
        net.fit(x, x[:, 1:])
    with pytest.raises(ValueError, match="inputs: expected more than washout=10 steps, got 10"):
        net.fit(x[:, :10], x[:, :10])
    with pytest.raises(ValueError, match="ridge: expected a number at least 0, got -1"):
        net.fit(x, x, ridge=-1)
    with pytest.raises(ValueError, match="inputs: expected finite values, got nan"):
        net.fit(x * math.nan, x)
    with pytest.raises(ValueError, match=r"x: expected shape \(B, T, 1\).*got \(2, 0, 1\)"):
        net.states(x[:, :0])
    net.fit(x, x)
    with pytest.raises(ValueError, match="steps: expected a whole number of at least 1, got 0"):
        net.forecast(x, 0)
    with pytest.raises(ValueError, match=r"targets: expected shape \(2, 1\), got \(2, 30, 1\)"):
        network(readout="last").fit(x, x)
    with pytest.raises(TypeError, match=r"^targets: expected a floating type, got .*int64$"):
        network(readout="last").fit(x, torch.ones(2, 1, dtype=torch.long))
    wide = network(output_size=2).fit(x, x.repeat(1, 1, 2))
    with pytest.raises(ValueError, match="forecast: expected output_size 1 as the input's"):
        wide.forecast(x, 3)
    with pytest.raises(ValueError, match=r"targets: expected shape \(4, C\), got \(5, 1\)"):
        rn.ridge_regression(draw(4, 2), draw(5, 1))
    whole = torch.ones(4, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"^features: expected shape \(N, F\), got \(4,\)$"):
        rn.ridge_regression(draw(4), draw(4, 1))
    with pytest.raises(ValueError, match=r"^x: expected shape \(B, T, 1\), got \(30, 1\)$"):
        rn.contraction(net.cell, x[0])
    with pytest.raises(TypeError, match=r"^features: expected a floating type, got .*int64$"):
        rn.ridge_regression(whole, whole)
    with pytest.raises(TypeError, match="cell: expected Cell, got EchoStateNetwork"):
        rn.contraction(net, x)
    with pytest.raises(TypeError, match=r"generator: expected a torch\.Generator, got int"):
        rn.contraction(net.cell, x, generator=0)


def test_a_spectral_radius_of_zero_leaves_no_memory():
    net = network(5, spectral_radius=0.0)
    x = draw(1, 6, 1)
    torch.testing.assert_close(net.states(x)[:, 5:], net.states(x[:, 5:]), **EXACT)
