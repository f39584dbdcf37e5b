"""Ways to start a recurrent weight. Every function fills its tensor in place.

torch keeps the matrices of all gates in one tensor, one block of rows for each gate. An
initialisation speaks of one matrix, so each function that depends on a matrix's shape takes the
number of ``blocks`` and treats them one by one, as in
``orthogonal_(cell.weight_hh, blocks=cell.blocks)``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rnnnotes._checks import (
    check_generator,
    check_int,
    check_module,
    check_number,
    check_positive,
    check_tensor,
)
from rnnnotes.spectra import spectral_radius


def uniform_(weight: Tensor, bound: float, *, generator: torch.Generator | None = None) -> Tensor:
    """Fill with U(-bound, bound). torch's recurrent modules use ``bound = 1 / sqrt(H)``.

    For a square matrix the spectral radius is then near ``bound * sqrt(H / 3)``, which is 0.58
    for torch's bound, whatever H is.

    Args:
        weight: any shape.
        bound: above 0.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> W = rn.uniform_(torch.empty(400, 400), 1 / 20, generator=generator)
        >>> bool(W.abs().max() <= 1 / 20)
        True
        >>> round(float(rn.spectral_radius(W)), 1)
        0.6
    """
    check_tensor("weight", weight, ("...",), dtype="floating")
    check_positive("bound", bound)
    check_generator("generator", generator, optional=True)
    return nn.init.uniform_(weight, -bound, bound, generator=generator)


def xavier_(
    weight: Tensor,
    gain: float = 1.0,
    *,
    blocks: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Fill each block with U(-a, a), ``a = gain * sqrt(6 / (fan_in + fan_out))``.

    Args:
        weight: (blocks * fan_out, fan_in).
        gain: above 0; 1 for a linear map.
        blocks: number of matrices stacked in ``weight``.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> W = rn.xavier_(torch.empty(4 * 50, 100), blocks=4, generator=generator)
        >>> bool(W.abs().max() <= (6 / (50 + 100)) ** 0.5)
        True

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
    networks, AISTATS 2010, equation 16.
    """
    check_positive("gain", gain)
    check_generator("generator", generator, optional=True)
    for block in _split(weight, blocks, square=False):
        nn.init.xavier_uniform_(block, gain, generator=generator)
    return weight


def orthogonal_(
    weight: Tensor,
    gain: float = 1.0,
    *,
    blocks: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Fill each block with ``gain`` times a random orthogonal matrix Q, ``Q'Q = I``.

    All singular values are ``gain``: the linear map neither stretches nor shrinks any
    direction more than another. A block that is not square has orthonormal rows or columns,
    whichever are fewer.

    Args:
        weight: (blocks * M, N).
        gain: above 0.
        blocks: number of matrices stacked in ``weight``.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> cell = rn.LSTMCell(2, 3, generator=generator)
        >>> _ = rn.orthogonal_(cell.weight_hh, blocks=cell.blocks, generator=generator)
        >>> for block in cell.weight_hh.chunk(4):
        ...     print(torch.allclose(block.T @ block, torch.eye(3), atol=1e-6))
        True
        True
        True
        True

    Source: Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning
    in deep linear neural networks, 2013.
    """
    check_positive("gain", gain)
    check_generator("generator", generator, optional=True)
    for block in _split(weight, blocks, square=False):
        nn.init.orthogonal_(block, gain, generator=generator)
    return weight


def identity_(weight: Tensor, scale: float = 1.0, *, blocks: int = 1) -> Tensor:
    """Fill each block with ``scale`` times the identity.

    Args:
        weight: (blocks * H, H).
        scale: any finite number.
        blocks: number of matrices stacked in ``weight``.

    Examples:
        >>> rn.identity_(torch.empty(4, 2), 0.5, blocks=2)
        tensor([[0.5000, 0.0000],
                [0.0000, 0.5000],
                [0.5000, 0.0000],
                [0.0000, 0.5000]])

    Source: Le, Jaitly and Hinton, A simple way to initialize recurrent networks of rectified
    linear units, 2015.
    """
    check_number("scale", scale)
    for block in _split(weight, blocks, square=True):
        with torch.no_grad():
            nn.init.eye_(block).mul_(scale)
    return weight


def scale_spectral_radius_(weight: Tensor, radius: float, *, blocks: int = 1) -> Tensor:
    """Scale each block so that its spectral radius is ``radius``: ``W <- W radius / rho(W)``.

    Args:
        weight: (blocks * H, H).
        radius: at least 0.
        blocks: number of matrices stacked in ``weight``.

    Raises:
        ValueError: a block has spectral radius 0, which no factor changes.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> W = torch.randn(50, 50, generator=generator)
        >>> _ = rn.scale_spectral_radius_(W, 0.9)
        >>> round(float(rn.spectral_radius(W)), 4)
        0.9
    """
    check_number("radius", radius, at_least=0)
    with torch.no_grad():
        parts = _split(weight, blocks, square=True)
        current = [float(spectral_radius(block)) for block in parts]
        for number, rho in enumerate(current):
            if rho == 0:
                raise ValueError(
                    f"weight: expected a spectral radius above 0, got 0 in block {number}"
                )
        for block, rho in zip(parts, current, strict=True):
            block.mul_(radius / rho)
    return weight


def forget_bias_(module: nn.Module, value: float = 1.0) -> nn.Module:
    """Set the forget gates' bias to ``value``, in every LSTM inside ``module``.

    torch adds two biases: to put 1 into both gives 2. Here ``b_ih`` gets ``value`` and ``b_hh``
    gets 0, so that their sum is ``value``, and with no input the gate starts at
    ``sigmoid(value)``.

    Args:
        module: one of our cells or layers with a forget gate, a ``torch.nn.LSTM`` or
            ``torch.nn.LSTMCell`` (any depth, both directions), or any module with these in it.
        value: any finite number; 1 or 2 remember, 0 is torch's mean start.

    Raises:
        ValueError: no forget gate inside, or one without a bias.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> cell = rn.forget_bias_(rn.LSTMCell(2, 3, generator=generator), 1.0)
        >>> i, f, g, o = (cell.bias_ih + cell.bias_hh).detach().chunk(4)
        >>> f
        tensor([1., 1., 1.])

    Source: Gers, Schmidhuber and Cummins, Learning to forget, 2000; Jozefowicz, Zaremba and
    Sutskever, An empirical exploration of recurrent network architectures, 2015.
    """
    check_module("module", module)
    check_number("value", value)
    pairs = [pair for part in module.modules() for pair in _forget_biases(part)]
    if not pairs:
        raise ValueError(
            f"module: expected an LSTM or a cell with a forget gate 'f', got {_kind(module)}"
        )
    with torch.no_grad():
        for bias_ih, bias_hh in pairs:
            bias_ih.fill_(value)
            bias_hh.zero_()
    return module


def _forget_biases(part: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """The forget rows of (bias_ih, bias_hh) of one module, without its children."""
    if isinstance(part, nn.LSTM | nn.LSTMCell):
        gate_names: tuple[str, ...] = ("i", "f", "g", "o")
    else:
        gate_names = getattr(part, "gate_names", ())
    if "f" not in gate_names:
        return []
    if not part.bias:
        raise ValueError(f"module: expected a forget gate with a bias, got {_kind(part)} without")
    if isinstance(part, nn.LSTM):
        weights = [name for name, _ in part.named_parameters(recurse=False)]
        suffixes = [name.removeprefix("bias_ih") for name in weights if name.startswith("bias_ih")]
    else:
        suffixes = [""]
    size = part.hidden_size
    start = gate_names.index("f") * size
    return [
        tuple(getattr(part, side + suffix)[start : start + size] for side in ("bias_ih", "bias_hh"))
        for suffix in suffixes
    ]


def _split(weight: Tensor, blocks: int, *, square: bool) -> tuple[Tensor, ...]:
    """Views of the matrices stacked in ``weight``."""
    check_int("blocks", blocks)
    check_tensor("weight", weight, ("M", "N"), dtype="floating")
    rows, columns = weight.shape
    if rows % blocks or (square and rows != blocks * columns):
        expected = f"({blocks * columns}, {columns})" if square else f"a multiple of {blocks} rows"
        raise ValueError(
            f"weight: expected {expected} for blocks={blocks}, got ({rows}, {columns})"
        )
    return weight.detach().chunk(blocks)


def _kind(module: nn.Module) -> str:
    return type(module).__name__
