import math
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import rnnnotes as rn
from rnnnotes.tasks.base import Batch, Task
from rnnnotes.training.clipping import clip_value_
from rnnnotes.training.loop import SequenceModel, evaluate, fit

torch.set_num_threads(1)
sgd = partial(torch.optim.SGD, lr=0.05)
adam = partial(torch.optim.Adam, lr=0.01)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def small_model(task, seed=0, hidden=8, cell=rn.LSTMCell):
    source = generator(seed)
    layer = rn.Recurrent(cell(task.input_size, hidden, generator=source))
    return SequenceModel(layer, task.output_size, task.readout, generator=source)


def torch_layer(kind, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return getattr(nn, kind)(3, 4, batch_first=True, **options).double()


# SequenceModel


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("readout", ["last", "all"])
def test_our_layers_and_torchs_give_the_same_padded_or_not(kind, bidirectional, layers, readout):
    theirs = torch_layer(kind, bidirectional=bidirectional, num_layers=layers)
    models = [
        SequenceModel(layer, 2, readout, generator=generator())
        for layer in (theirs, rn.from_torch(theirs))
    ]
    x = torch.randn(5, 6, 3, generator=generator(), dtype=torch.float64)
    lengths = torch.tensor([6, 1, 3, 6, 4])
    for some in (None, lengths):
        ours, other = (model(x, some) for model in models)
        assert torch.allclose(ours, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_last_readout_of_a_padded_sequence_is_that_of_the_sequence_alone(bidirectional):
    model = SequenceModel(torch_layer("GRU", bidirectional=bidirectional), 2, generator=generator())
    x = torch.randn(3, 6, 3, generator=generator(), dtype=torch.float64)
    lengths = torch.tensor([2, 6, 5])
    padded = model(x, lengths)
    for row, length, output in zip(x, lengths, padded, strict=True):
        alone = model(row[None, :length])[0]
        assert torch.allclose(alone, output, rtol=0, atol=1e-12)


def test_the_last_readout_of_two_directions_reads_both_final_states():
    layer = torch_layer("LSTM", bidirectional=True)
    model = SequenceModel(layer, 2, generator=generator())
    x = torch.randn(4, 6, 3, generator=generator(), dtype=torch.float64)
    _, (h, _) = layer(x)
    assert torch.allclose(model(x), model.head(torch.cat([h[0], h[1]], 1)), rtol=0, atol=1e-12)


def test_the_head_starts_by_torchs_law_from_its_own_generator():
    before = torch.random.get_rng_state()
    heads = [SequenceModel(torch_layer("RNN"), 500, generator=generator(3)).head for _ in "ab"]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(heads[0].weight, heads[1].weight)
    bound = 1 / math.sqrt(4)
    for values in (heads[0].weight, heads[0].bias):
        assert 0.95 * bound < values.abs().max() <= bound
    assert heads[0].weight.var().item() == pytest.approx(bound**2 / 3, rel=0.1)


def test_a_layer_that_returns_its_output_alone_will_do():
    class Mean(nn.Module):
        output_size = 3

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return self.scale * x.cumsum(1)

    model = SequenceModel(Mean(), 1, generator=generator())
    x = torch.randn(2, 5, 3, generator=generator())
    assert torch.allclose(model(x), model.head(x.sum(1)), atol=1e-6)


def test_bad_layers_and_readouts_are_named():
    with pytest.raises(ValueError, match="layer: expected batch_first=True"):
        SequenceModel(nn.RNN(2, 3), 1)
    with pytest.raises(TypeError, match=r"layer: expected a recurrent layer .* got Linear"):
        SequenceModel(nn.Linear(2, 3), 1)
    with pytest.raises(ValueError, match="readout: expected one of 'last', 'all', got 'mean'"):
        SequenceModel(torch_layer("RNN"), 1, "mean")
    with pytest.raises(ValueError, match="output_size: expected a whole number of at least 1"):
        SequenceModel(torch_layer("RNN"), 0)


# fit


def test_fit_solves_a_short_recall_and_stops_when_asked():
    task = rn.tasks.recall(4, symbols=2)
    history = fit(
        small_model(task),
        task,
        steps=400,
        optimizer=adam,
        clip=1.0,
        seed=0,
        evaluate_every=25,
        evaluation_size=500,
        stop_when=lambda score: score > 0.99,
    )
    assert history.final_score > 0.99
    assert history.stopped_at == history.steps == history.evaluated_at[-1] < 400
    assert history.loss[0] == pytest.approx(math.log(2), abs=0.2)
    assert history.loss[-1] < history.loss[0]
    assert (history.score[:-1] <= 0.99).all()


def test_fit_is_plain_sgd():
    """The weights after three steps are those of the loop written out."""
    task = rn.tasks.adding(5)
    model, plain = small_model(task), small_model(task)
    seen = []

    class Recorded(type(task)):
        def _draw(self, batch_size, generator):
            seen.append(super()._draw(batch_size, generator))
            return seen[-1]

    history = fit(
        model, Recorded(5), steps=3, batch_size=4, optimizer=sgd, seed=1, evaluation_size=1
    )
    for step in range(3):
        plain.zero_grad()
        inputs, targets, _ = seen[step]
        loss = (plain(inputs) - targets).square().mean()
        loss.backward()
        norm = math.sqrt(sum(p.grad.double().square().sum().item() for p in plain.parameters()))
        assert history.loss[step] == pytest.approx(loss.item(), rel=1e-6)
        assert history.grad_norm[step] == pytest.approx(norm, rel=1e-6)
        with torch.no_grad():
            for p in plain.parameters():
                p -= 0.05 * p.grad
    for ours, expected in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours, expected, atol=1e-7)


@pytest.mark.parametrize("global_seed", [0, 1])
def test_equal_seeds_give_equal_histories_whatever_the_global_seed(global_seed):
    task = rn.tasks.temporal_order(10, "hochreiter")

    def run(seed):
        source = generator(0)
        cells = [rn.GRUCell(8, 4, generator=source), rn.GRUCell(4, 4, generator=source)]
        # Dropout draws from torch's global generator, which fit governs and gives back.
        model = SequenceModel(rn.Stacked(cells, dropout=0.3), 4, generator=source)
        history = fit(
            model, task, steps=4, batch_size=8, optimizer=adam, seed=seed, evaluation_size=50
        )
        return history, torch.cat([p.detach().flatten() for p in model.parameters()])

    with torch.random.fork_rng():
        torch.manual_seed(5)
        expected, weights = run(7)
        torch.manual_seed(global_seed)
        before = torch.random.get_rng_state()
        again, same = run(7)
        assert torch.equal(torch.random.get_rng_state(), before)
        other, _ = run(8)
    assert np.array_equal(expected.loss, again.loss)
    assert np.array_equal(expected.grad_norm, again.grad_norm)
    assert np.array_equal(expected.score, again.score)
    assert torch.equal(weights, same)
    assert not np.array_equal(expected.loss, other.loss)


def test_evaluating_changes_nothing_of_the_training():
    task = rn.tasks.adding(5)
    options = {"steps": 6, "batch_size": 4, "optimizer": sgd, "seed": 0, "evaluation_size": 700}
    often = fit(small_model(task), task, evaluate_every=2, **options)
    once = fit(small_model(task), task, **options)
    assert np.array_equal(often.loss, once.loss)
    assert often.evaluated_at.tolist() == [2, 4, 6]
    assert once.evaluated_at.tolist() == [6]
    assert often.final_score == once.final_score


def test_the_recorded_norm_is_that_before_clipping_and_the_step_that_after():
    task = rn.tasks.adding(5)
    plain, clipped = small_model(task), small_model(task)
    start = torch.cat([p.detach().flatten().clone() for p in plain.parameters()])
    options = {"steps": 1, "batch_size": 4, "optimizer": sgd, "seed": 0, "evaluation_size": 1}
    without = fit(plain, task, **options)
    with_clip = fit(clipped, task, clip=0.01, **options)
    assert without.grad_norm[0] == with_clip.grad_norm[0] > 0.01
    end = torch.cat([p.detach().flatten() for p in clipped.parameters()])
    assert (end - start).norm().item() == pytest.approx(0.05 * 0.01, rel=1e-3)


def test_clip_may_be_a_function():
    task = rn.tasks.adding(5)
    model = small_model(task)
    start = [p.detach().clone() for p in model.parameters()]
    fit(
        model,
        task,
        steps=1,
        optimizer=sgd,
        clip=partial(clip_value_, clip_value=1e-3),
        seed=0,
        evaluation_size=1,
    )
    moved = max((p - s).abs().max().item() for p, s in zip(model.parameters(), start, strict=True))
    assert moved == pytest.approx(0.05 * 1e-3, rel=1e-2)


def test_a_penalty_moves_the_weights_but_not_the_recorded_loss():
    task = rn.tasks.adding(5)
    plain, pulled = small_model(task), small_model(task)
    options = {"steps": 1, "batch_size": 4, "optimizer": sgd, "seed": 0, "evaluation_size": 1}
    first = fit(plain, task, **options)
    second = fit(
        pulled, task, penalty=lambda model, batch: 3.0 * model.head.weight.sum(), **options
    )
    assert first.loss[0] == second.loss[0]
    assert torch.allclose(pulled.head.weight, plain.head.weight - 0.05 * 3.0, atol=1e-7)
    assert torch.equal(pulled.head.bias, plain.head.bias)


def test_divergence_stops_before_the_update_and_names_the_step():
    task = rn.tasks.adding(20)
    model = small_model(task, cell=partial(rn.ElmanCell, nonlinearity="identity"))
    history = fit(
        model,
        task,
        steps=200,
        optimizer=partial(torch.optim.SGD, lr=10.0),
        seed=0,
        evaluation_size=10,
    )
    assert history.diverged_at == history.steps - 1 < 199
    assert np.isfinite(history.loss[:-1]).all()
    assert history.diverged_tensor
    assert all(p.isfinite().all() for p in model.parameters())


class Poisoned(Task):
    """Finite losses, until at step 2 the gradient alone is not finite."""

    name = "poisoned"
    metric = "mse"
    length = 2
    input_size = 2
    output_size = 1

    def __init__(self):
        self.drawn = 0

    def baseline(self):
        return 0.0

    def _draw(self, batch_size, generator):
        inputs = torch.zeros(batch_size, 2, 2)
        self.drawn += 1
        return Batch(inputs, torch.zeros(batch_size, 1), torch.full((batch_size,), 2))

    def loss(self, output, targets):
        if self.drawn == 3:
            # The slope of the root is infinite at zero, where its value is not.
            return (output * 0).sum().sqrt()
        return output.square().mean()


def test_a_gradient_that_is_not_finite_is_named():
    task = Poisoned()
    history = fit(small_model(task), task, steps=9, optimizer=sgd, seed=0, evaluation_size=1)
    assert history.diverged_at == 2
    assert np.isfinite(history.loss).all()
    assert not np.isfinite(history.grad_norm[2])
    assert "entries NaN or Inf in layer.cell.weight_ih.grad" in history.diverged_tensor


def test_monitor_and_callback_see_every_step():
    task = rn.tasks.adding(6)
    model = small_model(task)
    monitor = rn.GradientMonitor(model)
    steps = []
    history = fit(
        model,
        task,
        steps=5,
        optimizer=sgd,
        clip=1e-3,
        seed=0,
        evaluation_size=10,
        monitor=monitor,
        callback=lambda step, seen: steps.append((step, seen is model)),
    )
    assert steps == [(step, True) for step in range(5)]
    # Seen before clipping, as the history's.
    assert monitor.history.total_norm.tolist() == pytest.approx(history.grad_norm.tolist())
    assert np.isfinite(monitor.history.update_ratio).all()


def test_a_history_can_be_sent_from_a_worker():
    task = rn.tasks.adding(5)
    history = fit(small_model(task), task, steps=2, optimizer=sgd, seed=0, evaluation_size=10)
    copy = pickle.loads(pickle.dumps(history))
    assert np.array_equal(copy.loss, history.loss)
    assert copy.final_score == history.final_score


def test_the_progress_bar_is_off_unless_asked_for(capsys):
    task = rn.tasks.adding(5)
    options = {"steps": 2, "optimizer": sgd, "seed": 0, "evaluation_size": 10}
    fit(small_model(task), task, **options)
    quiet = capsys.readouterr()
    assert quiet.out == quiet.err == ""
    fit(small_model(task), task, progress=True, **options)
    assert "0/2" in capsys.readouterr().err


def test_evaluate_keeps_the_mode_and_agrees_with_one_large_batch():
    task = rn.tasks.recall(3, symbols=3)
    model = small_model(task).train()
    score = evaluate(model, task, size=1234, seed=5)
    assert model.training
    source = generator(5)
    batches = [task.sample(n, source) for n in (500, 500, 234)]
    right = sum((model(b.inputs).argmax(1) == b.targets).sum().item() for b in batches)
    assert score == pytest.approx(right / 1234)


def test_a_float64_model_is_fed_float64():
    task = rn.tasks.adding(5)
    layer = rn.Recurrent(rn.GRUCell(2, 3, generator=generator(), dtype=torch.float64))
    model = SequenceModel(layer, 1, generator=generator())
    history = fit(model, task, steps=2, optimizer=sgd, seed=0, evaluation_size=10)
    assert model.head.weight.dtype == torch.float64
    assert np.isfinite(history.loss).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps: expected a whole number of at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected a whole number"),
        ({"seed": -1}, "seed: expected a whole number of at least 0, got -1"),
        ({"evaluate_every": 0}, "evaluate_every: expected a whole number"),
        ({"clip": -1.0}, "max_norm: expected a number above 0, got -1.0"),
    ],
)
def test_bad_arguments_are_named(change, message):
    task = rn.tasks.adding(5)
    with pytest.raises(ValueError, match=message):
        fit(small_model(task), task, **{"steps": 1, "optimizer": sgd, "seed": 0, **change})
