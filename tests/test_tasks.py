import collections
import importlib
import itertools
import math
import pickle
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnnotes as rn
from rnnnotes.tasks.agreement import NOUNS, WORDS
from rnnnotes.tasks.base import IGNORED
from rnnnotes.tasks.sentiment import ADJECTIVES, INTENSIFIERS

torch.set_num_threads(1)
MANY = 20_000


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


EVERY = {
    "adding": rn.tasks.adding(7),
    "recall": rn.tasks.recall(5, symbols=3),
    "noisy recall": rn.tasks.recall(5, symbols=3, noise=0.5),
    "latch": rn.tasks.latch(7),
    "latch without noise": rn.tasks.latch(4, cue=4, noise=0.0),
    "temporal order": rn.tasks.temporal_order(20),
    "temporal order, 1997": rn.tasks.temporal_order(20, "hochreiter"),
    "agreement": rn.tasks.agreement(8, attractors=2),
    "copy": rn.tasks.copy(4, symbols=3, copied=2),
    "sentiment": rn.tasks.sentiment(3, 2),
}
every_task = pytest.mark.parametrize("task", EVERY.values(), ids=EVERY.keys())


# What every task promises


@every_task
def test_equal_seeds_give_equal_batches_and_other_seeds_others(task):
    first, second = task.sample(16, generator(3)), task.sample(16, generator(3))
    other = task.sample(16, generator(4))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.inputs, other.inputs)


@every_task
def test_sampling_leaves_the_global_generator_alone(task):
    before = torch.random.get_rng_state()
    task.sample(4, generator())
    assert torch.equal(torch.random.get_rng_state(), before)


@every_task
def test_batches_have_the_promised_shapes_and_zero_padding(task):
    batch = task.sample(64, generator())
    assert batch.inputs.shape[0] == 64
    assert batch.inputs.shape[2] == task.input_size
    assert batch.lengths.shape == (64,)
    assert 1 <= batch.lengths.min() <= batch.lengths.max() <= batch.inputs.shape[1]
    for row, length in zip(batch.inputs, batch.lengths, strict=True):
        assert not row[length:].any()
    if task.metric == "accuracy":
        counted = batch.targets[batch.targets != IGNORED]
        assert counted.min() >= 0
        assert counted.max() < task.output_size


@every_task
def test_a_task_is_frozen_and_survives_pickling(task):
    with pytest.raises(AttributeError):
        task.length = 3
    copy = pickle.loads(pickle.dumps(task))
    assert copy == task
    assert torch.equal(copy.sample(4, generator()).inputs, task.sample(4, generator()).inputs)


@every_task
def test_a_constant_prediction_scores_the_baseline(task):
    """The best constant predictor, found by trying them on a large sample, scores the baseline."""
    targets = task.sample(MANY, generator(1)).targets
    if task.metric == "mse":
        score = task.score(targets.mean().expand(MANY, 1), targets)
    else:
        counted = task.counted(targets)
        counted = counted[counted != IGNORED]
        score = (torch.bincount(counted) / len(counted)).max().item()
    assert score == pytest.approx(task.baseline(), rel=0.03)


@every_task
def test_a_perfect_output_scores_best_and_loses_least(task):
    targets = task.sample(32, generator()).targets
    if task.metric == "mse":
        perfect, poor = targets.clone(), targets + 1
        assert task.score(perfect, targets) == 0
        assert task.score(poor, targets) == pytest.approx(1.0)
    else:
        classes = torch.nn.functional.one_hot(targets.clamp(min=0), task.output_size)
        perfect, poor = 50.0 * classes, -50.0 * classes
        assert task.score(perfect, targets) == 1.0
        assert task.score(poor, targets) == 0.0
    assert task.loss(perfect, targets) == pytest.approx(0, abs=1e-6)
    assert task.loss(poor, targets) > 0.5
    assert task.is_better(task.score(perfect, targets), task.score(poor, targets))
    assert not task.is_better(1.0, than=1.0)


@every_task
def test_the_loss_is_the_cross_entropy_or_the_squared_error(task):
    targets = task.sample(8, generator()).targets
    shape = (*targets.shape, task.output_size) if task.metric == "accuracy" else targets.shape
    output = torch.randn(shape, generator=generator(), dtype=torch.float64)
    if task.metric == "mse":
        expected = ((output - targets) ** 2).mean()
    else:
        log_p = output.flatten(0, -2).log_softmax(-1)
        pairs = [(row, t) for row, t in zip(log_p, targets.flatten(), strict=True) if t != IGNORED]
        expected = -sum(row[t] for row, t in pairs) / len(pairs)
    assert task.loss(output, targets).item() == pytest.approx(expected.item(), rel=1e-6)


@every_task
def test_bad_input_is_named(task):
    with pytest.raises(ValueError, match="batch_size: expected a whole number of at least 1"):
        task.sample(0, generator())
    with pytest.raises(TypeError, match=r"generator: expected a torch\.Generator, got int"):
        task.sample(4, 0)
    targets = task.sample(4, generator()).targets
    with pytest.raises(ValueError, match=r"output: expected shape \(4, .*got \(4, 99\)"):
        task.loss(torch.zeros(4, 99), targets)


def test_a_name_stays_the_function_when_its_module_is_imported_first():
    """A file and a function share each name; a worker that unpickles a task imports the file."""
    code = """
import importlib
import rnnnotes as rn
for name in ("adding", "agreement", "copy", "latch", "recall", "sentiment", "temporal_order"):
    module = importlib.import_module(f"rnnnotes.tasks.{name}")
    assert getattr(rn.tasks, name) is getattr(module, name), name
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_public_names_are_those_of_the_stub():
    for name in rn.tasks.__all__:
        assert getattr(rn.tasks, name) is not None
    assert importlib.import_module("rnnnotes.tasks.base").Task is rn.tasks.Task


# Adding


@given(st.integers(2, 60), st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_adding_marks_one_number_in_each_half_and_asks_for_their_sum(length, seed):
    batch = rn.tasks.adding(length).sample(8, generator(seed))
    for row, target in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        marked = [t for t, (_, mark) in enumerate(row) if mark == 1]
        assert len(row) == length
        assert all(mark in (0, 1) and 0 <= number < 1 for number, mark in row)
        assert len(marked) == 2
        assert marked[0] < length // 2 <= marked[1]
        assert target == [pytest.approx(sum(row[t][0] for t in marked), rel=1e-6)]


def test_adding_marks_every_place_of_a_half_equally_often():
    marks = rn.tasks.adding(10).sample(MANY, generator()).inputs[..., 1].sum(0)
    assert marks.tolist() == pytest.approx([MANY / 5] * 10, rel=0.06)


def test_the_adding_baseline_is_one_sixth():
    assert rn.tasks.adding().baseline() == pytest.approx(1 / 6, rel=1e-12)


# Recall


def test_recall_shows_the_symbol_once_then_nothing():
    batch = rn.tasks.recall(6, symbols=3).sample(50, generator())
    for row, target in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        assert row[0] == [float(k == target) for k in range(3)]
        assert row[1:] == [[0.0] * 3] * 6


def test_recall_noise_has_its_standard_deviation_and_spares_the_symbol():
    task = rn.tasks.recall(20, symbols=3, noise=0.3)
    batch = task.sample(2000, generator())
    assert batch.inputs[:, 1:].std().item() == pytest.approx(0.3, rel=0.02)
    assert abs(batch.inputs[:, 1:].mean().item()) < 0.005
    assert torch.equal(batch.inputs[:, 0].argmax(1), batch.targets)
    assert batch.inputs[:, 0].unique().tolist() == [0, 1]


def test_recall_at_lag_zero_is_one_step():
    assert rn.tasks.recall(0).sample(4, generator()).inputs.shape[1] == 1


# Latch


@given(st.integers(1, 5), st.integers(0, 20), st.sampled_from([0.0, 0.2]), st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_latch_by_a_plain_reading_of_its_definition(cue, wait, noise, seed):
    task = rn.tasks.latch(cue + wait, cue, noise)
    batch = task.sample(8, generator(seed))
    for row, target in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        told = [1.0] if target == 1 else [-1.0]
        assert len(row) == cue + wait
        assert all(u == told for u in row[:cue])
        assert all(len(u) == 1 and (u[0] != 0) == (noise > 0) for u in row[cue:])


def test_the_noise_of_latch_has_its_spread_and_says_nothing_of_the_class_or_of_other_noise():
    batch = rn.tasks.latch(40, cue=3, noise=0.2).sample(MANY, generator())
    noise = batch.inputs[:, 3:, 0].double()
    assert noise.std().item() == pytest.approx(0.2, rel=0.005)
    together = torch.cat([batch.targets[:, None].double(), noise], 1).T.corrcoef()
    assert (together - torch.eye(38)).abs().max() < 5 / math.sqrt(MANY)
    kurtosis = ((noise / 0.2) ** 4).mean().item()
    assert kurtosis == pytest.approx(3.0, rel=0.02)  # that of a Gaussian


def one_unit(weight):
    """A tanh unit without bias: ``x_t = tanh(weight x_{t-1} + u_t)``."""
    cell = rn.ElmanCell(1, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_hh.fill_(weight)
        cell.weight_ih.fill_(1.0)
    return cell


def final_state(weight, inputs):
    with torch.no_grad():
        return rn.unroll(one_unit(weight), inputs.double()).last[:, 0]


def test_a_unit_with_a_weight_above_one_latches_into_one_of_two_attractors():
    """Bengio et al. 1994: two stable states, x = tanh(1.25 x); below 1 all is forgotten."""
    batch = rn.tasks.latch(400, noise=0.0).sample(50, generator())
    low, high = 0.5, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if math.tanh(1.25 * middle) > middle else (low, middle)
    sign = 2.0 * batch.targets - 1.0
    torch.testing.assert_close(final_state(1.25, batch.inputs), low * sign.double())
    assert final_state(0.8, batch.inputs).abs().max() <= 0.8**397


def test_the_latch_holds_against_every_input_below_its_bound_and_against_none_above():
    """The sign survives |u| < b = w x - atanh(x) at x = sqrt(1 - 1 / w), where the slope is 1."""
    x = math.sqrt(1 - 1 / 1.25)
    bound = 1.25 * x - math.atanh(x)
    batch = rn.tasks.latch(1000).sample(200, generator())
    sign = 2.0 * batch.targets - 1.0

    def kept(disturbance):
        inputs = torch.cat([batch.inputs[:, :3], disturbance], 1)
        return (final_state(1.25, inputs).sign() == sign).float().mean().item()

    noise = batch.inputs[:, 3:]
    assert kept(noise.clamp(-0.99 * bound, 0.99 * bound)) == 1.0
    assert kept((-0.99 * bound * sign)[:, None, None].expand_as(noise)) == 1.0
    assert kept((-1.01 * bound * sign)[:, None, None].expand_as(noise)) == 0.0
    assert 0.4 < kept(noise) < 0.9  # and Gaussian noise passes the bound now and then


def test_a_stronger_loop_keeps_the_class_through_the_noise():
    task = rn.tasks.latch(length=20, noise=0.2)
    batch = task.sample(2000, generator())

    def score(weight):
        state = final_state(weight, batch.inputs)
        return task.score(torch.stack([-state, state], 1), batch.targets)

    assert score(2.5) == 1.0
    assert task.baseline() < score(1.25) < 1.0


# Temporal order


@pytest.mark.parametrize("length", [10, 13, 20, 50, 100])
@pytest.mark.parametrize("rule", ["pascanu", "hochreiter"])
def test_temporal_order_by_a_plain_reading_of_the_rule(rule, length):
    task = rn.tasks.temporal_order(length, rule)
    batch = task.sample(300, generator())
    classes = {("X", "X"): 0, ("X", "Y"): 1, ("Y", "X"): 2, ("Y", "Y"): 3}
    (first_low, first_high), (second_low, second_high) = task.windows
    for row, steps, target in zip(*(batch[part].tolist() for part in (0, 2, 1)), strict=True):
        names = []
        for vector in row[:steps]:
            assert sorted(vector) == [0.0] * (task.input_size - 1) + [1.0]
            names.append(task.symbols[vector.index(1.0)])
        where = [t for t, name in enumerate(names) if name in "XY"]
        assert len(where) == 2
        assert first_low <= where[0] <= first_high < second_low <= where[1] <= second_high
        assert classes[names[where[0]], names[where[1]]] == target
        rest = [name for t, name in enumerate(names) if t not in where]
        if rule == "hochreiter":
            assert (rest.pop(0), rest.pop()) == ("E", "B")
            assert length <= steps <= length + length // 10
        else:
            assert steps == length
        assert set(rest) <= set("abcd")


def test_temporal_order_windows_are_the_papers_at_length_100():
    assert rn.tasks.temporal_order(100, "hochreiter").windows == ((10, 20), (50, 60))
    assert rn.tasks.temporal_order(100, "pascanu").windows == ((10, 19), (50, 59))


@pytest.mark.parametrize("rule", ["pascanu", "hochreiter"])
def test_temporal_order_uses_its_whole_windows_and_lengths(rule):
    task = rn.tasks.temporal_order(100, rule)
    batch = task.sample(2000, generator())
    symbol = batch.inputs[..., :2].sum(-1)
    first, second = task.windows
    seen = symbol.sum(0).nonzero()[:, 0].tolist()
    assert seen == [*range(first[0], first[1] + 1), *range(second[0], second[1] + 1)]
    lengths = set(batch.lengths.tolist())
    assert lengths == (set(range(100, 111)) if rule == "hochreiter" else {100})


# Agreement


def number_of(noun):
    return next(forms.index(noun) for forms in NOUNS if noun in forms)


@pytest.mark.parametrize(("distance", "attractors"), [(0, 0), (4, 0), (3, 1), (9, 2), (10, 2)])
def test_agreement_sentences_follow_the_grammar(distance, attractors):
    task = rn.tasks.agreement(distance, attractors)
    batch = task.sample(200, generator())
    nearest = task.nearest_noun(batch.inputs).tolist()
    for text, target, near in zip(
        task.text(batch.inputs), batch.targets.tolist(), nearest, strict=True
    ):
        words = text.split()
        nouns = [word for word in words if any(word in forms for forms in NOUNS)]
        assert len(words) == 2 + distance
        assert words[0] == "the"
        assert words[1] == nouns[0]
        assert len(nouns) == 1 + attractors
        assert number_of(nouns[0]) == target
        assert number_of(nouns[-1]) == near
        if attractors:
            assert words[-1] == nouns[-1]


@pytest.mark.parametrize(
    ("attractors", "mismatch", "plural"),
    [(0, 0.5, 0.5), (1, 0.25, 0.5), (2, 0.1, 0.7), (1, 0.0, 0.3), (1, 1.0, 0.5)],
)
def test_agreement_baselines_by_sampling(attractors, mismatch, plural):
    task = rn.tasks.agreement(7, attractors, mismatch, plural)
    batch = task.sample(MANY, generator())
    near = (task.nearest_noun(batch.inputs) == batch.targets).double().mean().item()
    share = batch.targets.double().mean().item()
    assert max(share, 1 - share) == pytest.approx(task.baseline("majority"), abs=0.012)
    assert near == pytest.approx(task.baseline("nearest noun"), abs=0.012)
    assert task.baseline("subject") == task.ceiling() == 1.0
    assert task.baseline() == task.baseline("majority")


def test_agreement_uses_every_word():
    batches = [
        rn.tasks.agreement(6, n).sample(2000, generator()).inputs.sum((0, 1)) for n in (0, 1)
    ]
    assert (sum(batches) > 0).all()
    assert len(WORDS) == len(set(WORDS))


# Copy


def test_copy_by_a_plain_reading_of_the_rule():
    batch = rn.tasks.copy(5, symbols=4, copied=3).sample(100, generator())
    for row, targets in zip(batch.inputs.argmax(-1).tolist(), batch.targets.tolist(), strict=True):
        blank, delimiter = 4, 5
        string = row[:3]
        assert set(string) <= {0, 1, 2, 3}
        assert row[3:] == [blank] * 4 + [delimiter] + [blank] * 3
        assert targets == [blank] * 8 + string
    assert (batch.inputs.sum(-1) == 1).all()


def test_copy_has_the_papers_shapes_and_baseline():
    task = rn.tasks.copy(50)
    assert task.sample(1, generator()).inputs.shape == (1, 70, 10)
    assert task.output_size == 9
    assert task.baseline_loss() == pytest.approx(10 * math.log(8) / 70)


def test_the_copy_baseline_loss_is_that_of_the_memoryless_strategy():
    """Blanks while they last, then even odds: tried on a sample, and no worse than nearby odds."""
    task = rn.tasks.copy(6, symbols=4, copied=3)
    targets = task.sample(500, generator()).targets
    memoryless = torch.full((500, 12, 5), -50.0)
    memoryless[:, :9, 4] = 50.0
    memoryless[:, 9:, :4] = 0.0
    assert task.loss(memoryless, targets).item() == pytest.approx(task.baseline_loss(), rel=1e-5)
    assert task.score(memoryless, targets) == pytest.approx(task.baseline(), abs=0.04)


def test_the_copy_score_counts_the_string_alone():
    task = rn.tasks.copy(6, symbols=4, copied=3)
    targets = task.sample(50, generator()).targets
    output = torch.nn.functional.one_hot(targets, 5).float()
    output[:, -3:] = 0.0
    output[:, -3:, 4] = 1.0  # silent where the string is due, right everywhere else
    assert task.score(output, targets) == 0.0


# Sentiment


def sentences(clauses, intensifiers, lean, keep):
    """Every sentence of the grammar with its probability and its answers, written out plainly."""
    found = [(1.0, ("the", "NOUN", "was"), (), None)]
    for clause in range(clauses):
        longer = []
        for p, words, answers, before in found:
            for conjunction in ("and", "but") if clause else (None,):
                for sentiment in (0, 1):
                    if conjunction is None:
                        q = p / 2
                    else:
                        announced = before if conjunction == "and" else 1 - before
                        q = p / 2 * (keep if sentiment == announced else 1 - keep)
                    for leanings in itertools.product((0, 1), repeat=intensifiers):
                        r = q
                        for leaning in leanings:
                            r *= lean if leaning == sentiment else 1 - lean
                        added = (*((conjunction,) if conjunction else ()), *leanings)
                        at = len(words) + len(added) - intensifiers
                        places = tuple((at + k, sentiment) for k in range(intensifiers))
                        adjective = "ADJ+" if sentiment else "ADJ-"
                        longer.append(
                            (r, (*words, *added, adjective), (*answers, *places), sentiment)
                        )
        found = longer
    return found


@pytest.mark.parametrize(
    ("clauses", "intensifiers", "lean", "keep"),
    [(1, 1, 0.7, 0.8), (2, 1, 0.7, 0.8), (2, 2, 0.7, 0.8), (3, 1, 0.9, 0.6), (2, 3, 0.6, 0.55)],
)
def test_the_ceiling_of_the_left_context_by_enumerating_the_grammar(
    clauses, intensifiers, lean, keep
):
    joint = collections.defaultdict(lambda: [0.0, 0.0])
    every = sentences(clauses, intensifiers, lean, keep)
    assert sum(p for p, *_ in every) == pytest.approx(1.0, rel=1e-12)
    for p, words, answers, _ in every:
        for place, sentiment in answers:
            joint[words[: place + 1]][sentiment] += p
    ceiling = sum(max(both) for both in joint.values()) / (clauses * intensifiers)
    task = rn.tasks.sentiment(clauses, intensifiers, lean, keep)
    assert task.ceiling() == pytest.approx(ceiling, rel=1e-12)
    assert task.baseline() < task.ceiling() < task.ceiling("both") == 1.0


def test_the_best_guess_from_the_left_context_scores_the_ceiling_on_a_sample():
    task = rn.tasks.sentiment(2, 2)
    batch = task.sample(MANY, generator())
    joint = collections.defaultdict(lambda: [0.0, 0.0])
    for p, words, answers, _ in sentences(2, 2, 0.7, 0.8):
        for place, sentiment in answers:
            joint[words[: place + 1]][sentiment] += p
    reduced = {word: group for group, words in enumerate(INTENSIFIERS) for word in words}
    reduced |= {
        word: sign
        for sign, words in zip(("ADJ-", "ADJ+"), ADJECTIVES, strict=True)
        for word in words
    }
    reduced |= {"movie": "NOUN", "plot": "NOUN", "ending": "NOUN", "cast": "NOUN"}
    right = count = 0
    for text, targets in zip(task.text(batch.inputs), batch.targets.tolist(), strict=True):
        words = tuple(reduced.get(word, word) for word in text.split())
        for place, target in enumerate(targets):
            if target != IGNORED:
                negative, positive = joint[words[: place + 1]]
                right += target == (positive > negative)
                count += 1
    assert right / count == pytest.approx(task.ceiling(), abs=0.01)


def test_sentiment_answers_are_those_of_the_adjective_that_follows():
    task = rn.tasks.sentiment(3, 2)
    batch = task.sample(300, generator())
    for text, targets in zip(task.text(batch.inputs), batch.targets.tolist(), strict=True):
        words = text.split()
        assert words[0] == "the"
        assert words[2] == "was"
        for place, word in enumerate(words):
            if not any(word in group for group in INTENSIFIERS):
                assert targets[place] == IGNORED
                continue
            adjective = next(w for w in words[place:] if any(w in group for group in ADJECTIVES))
            assert targets[place] == (adjective in ADJECTIVES[1])


# Bad arguments


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rn.tasks.adding(1), "length: expected a whole number of at least 2, got 1"),
        (lambda: rn.tasks.adding(2.0), "length: expected a whole number"),
        (lambda: rn.tasks.recall(-1), "length: expected a whole number of at least 0, got -1"),
        (lambda: rn.tasks.recall(5, symbols=1), "symbols: expected a whole number of at least 2"),
        (lambda: rn.tasks.recall(5, noise=-0.1), "noise: expected a number at least 0, got -0.1"),
        (lambda: rn.tasks.latch(2), "length: expected a whole number of at least 3, got 2"),
        (lambda: rn.tasks.latch(5, cue=0), "cue: expected a whole number of at least 1, got 0"),
        (lambda: rn.tasks.latch(5, noise=-0.2), "noise: expected a number at least 0, got -0.2"),
        (lambda: rn.tasks.temporal_order(9), "length: expected a whole number of at least 10"),
        (lambda: rn.tasks.temporal_order(20, "6a"), "rule: expected one of 'hochreiter'"),
        (lambda: rn.tasks.agreement(2, 1), "distance: expected at least 3 words for each of 1"),
        (lambda: rn.tasks.agreement(3, mismatch=1.1), "mismatch: expected a number at least 0"),
        (lambda: rn.tasks.copy(0), "length: expected a whole number of at least 1, got 0"),
        (lambda: rn.tasks.copy(5, copied=0), "copied: expected a whole number of at least 1"),
        (lambda: rn.tasks.sentiment(0), "clauses: expected a whole number of at least 1, got 0"),
        (lambda: rn.tasks.sentiment(lean=0.4), "lean: expected a number at least 0.5"),
        (lambda: rn.tasks.sentiment().ceiling("right"), "context: expected one of 'left', 'both'"),
        (lambda: rn.tasks.agreement(3).baseline("verb"), "predictor: expected one of 'majority'"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
