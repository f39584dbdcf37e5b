"""The spectra of matrices whose spectra are known."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnnotes as rn

quick = settings(deadline=None, max_examples=25, derandomize=True)
sizes, seeds = st.integers(1, 12), st.integers(0, 2**32 - 1)


def random_matrix(size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(size, size, dtype=torch.float64, generator=generator)


def rotation(angle: float, factor: float = 1.0) -> torch.Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return factor * torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


def test_spectra_of_a_scaled_rotation():
    weight = rotation(0.7, factor=0.9)
    assert rn.spectral_radius(weight).item() == pytest.approx(0.9, abs=1e-14)
    assert rn.spectral_norm(weight).item() == pytest.approx(0.9, abs=1e-14)
    assert rn.henrici(weight).item() == pytest.approx(0.0, abs=1e-7)
    angles = rn.eigenvalues(weight).angle().sort().values
    torch.testing.assert_close(angles, torch.tensor([-0.7, 0.7], dtype=torch.float64))


@pytest.mark.parametrize("off_diagonal", [0.0, 0.5, -3.0, 100.0])
def test_spectra_of_a_jordan_block(off_diagonal):
    weight = torch.tensor([[0.5, off_diagonal], [0.0, 0.5]], dtype=torch.float64)
    assert rn.spectral_radius(weight).item() == pytest.approx(0.5, rel=1e-7)
    assert rn.henrici(weight).item() == pytest.approx(abs(off_diagonal), abs=1e-7)
    # The larger singular value s of [[a, b], [0, a]] solves s - a^2 / s = |b|.
    norm = rn.spectral_norm(weight).item()
    assert norm - 0.25 / norm == pytest.approx(abs(off_diagonal), abs=1e-12)


def test_radius_and_norm_are_not_the_same():
    weight = torch.tensor([[0.0, 5.0], [0.0, 0.0]])
    assert rn.spectral_radius(weight) == 0
    assert rn.spectral_norm(weight) == 5
    assert rn.henrici(weight, relative=True) == 1


@quick
@given(sizes, seeds)
def test_henrici_of_a_turned_triangle_is_the_norm_of_its_strict_part(size, seed):
    triangle = random_matrix(size, seed).triu()
    turn, _ = torch.linalg.qr(random_matrix(size, seed + 1))
    departure = rn.henrici(turn @ triangle @ turn.T).item()
    assert departure == pytest.approx(triangle.triu(1).norm().item(), rel=1e-6, abs=1e-6)


@quick
@given(sizes, seeds)
def test_radius_is_at_most_the_norm_and_equal_for_a_normal_matrix(size, seed):
    weight = random_matrix(size, seed)
    assert rn.spectral_radius(weight) <= rn.spectral_norm(weight) * (1 + 1e-12)
    symmetric = weight + weight.T
    radius, norm = rn.spectral_radius(symmetric), rn.spectral_norm(symmetric)
    torch.testing.assert_close(radius, norm, rtol=1e-12, atol=1e-12)
    assert rn.henrici(symmetric, relative=True) < 1e-7


@quick
@given(sizes, seeds)
def test_gelfand_powers_approach_the_radius(size, seed):
    weight = random_matrix(size, seed)
    weight = weight / rn.spectral_norm(weight)
    power = 512
    root = rn.spectral_norm(torch.linalg.matrix_power(weight, power)) ** (1 / power)
    radius = rn.spectral_radius(weight)
    assert radius * (1 - 1e-9) <= root
    # ||W^k|| <= ||W||_F-bounded polynomial of degree H - 1 in k, times rho^k.
    assert root.item() == pytest.approx(radius.item(), rel=0.06)


@quick
@given(sizes, st.integers(1, 12), seeds)
def test_singular_values_keep_the_frobenius_norm(rows, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, dtype=torch.float64, generator=generator)
    values = rn.singular_values(weight)
    assert len(values) == min(rows, columns)
    assert (values.diff() <= 0).all()
    torch.testing.assert_close(values.norm(), weight.norm(), rtol=1e-12, atol=1e-12)


@quick
@given(sizes, seeds)
def test_eigenvalues_are_sorted_and_give_trace_and_determinant(size, seed):
    weight = random_matrix(size, seed)
    values = rn.eigenvalues(weight)
    assert (values.abs().diff() <= 1e-12).all()
    assert values.sum().real.item() == pytest.approx(weight.trace().item(), abs=1e-9)
    assert values.prod().real.item() == pytest.approx(torch.det(weight).item(), rel=1e-8, abs=1e-9)
    assert values.abs()[0] == rn.spectral_radius(weight)


def test_batches_are_matrix_by_matrix():
    batch = torch.stack([random_matrix(4, seed) for seed in range(6)]).reshape(2, 3, 4, 4)
    for name in ("spectral_radius", "spectral_norm", "henrici", "eigenvalues", "singular_values"):
        function = getattr(rn, name)
        single = torch.stack([function(matrix) for matrix in batch.reshape(6, 4, 4)])
        torch.testing.assert_close(function(batch).reshape(single.shape), single)


def test_types_are_kept_and_the_radius_has_a_gradient():
    weight = random_matrix(5, 0).float()
    for function in (rn.spectral_radius, rn.spectral_norm, rn.henrici):
        assert function(weight).dtype == torch.float32
    assert rn.henrici(torch.zeros(3, 3), relative=True) == 0
    double = random_matrix(5, 0).requires_grad_()
    assert torch.autograd.gradcheck(rn.spectral_radius, double)


@pytest.mark.parametrize(
    "function", [rn.spectral_radius, rn.eigenvalues, rn.henrici], ids=lambda f: f.__name__
)
def test_bad_matrices_are_named(function):
    with pytest.raises(ValueError, match=r"weight: expected shape \(\.\.\., H, H\), got \(2, 3\)"):
        function(torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"without an empty size, got \(0, 0\)"):
        function(torch.zeros(0, 0))
    with pytest.raises(TypeError, match=r"a floating type, got dtype torch\.int64"):
        function(torch.eye(2, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"expected a torch\.Tensor, got list"):
        function([[1.0]])


def test_singular_values_want_a_matrix():
    with pytest.raises(ValueError, match=r"weight: expected shape \(\.\.\., M, N\), got \(3,\)"):
        rn.singular_values(torch.zeros(3))
