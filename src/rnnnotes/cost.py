"""What a step and a sequence cost: parameters, FLOPs, bytes moved; counted from shapes alone.

Units. One multiply-add is 2 FLOPs. Bytes are numbers times the size of the weights' type. All
counts are of the forward pass, for B sequences of T steps, padding included.

Bytes moved follow a model of a machine whose cache holds nothing from one step to the next:
every operation reads its weights and its inputs once and writes its result once, and what is
done element by element is done on the way, without a trip to memory. It is neither an upper nor
a lower bound of what a machine does: a cache that holds the weights saves their bytes, operations
one by one move more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from rnnnotes._checks import check_int, check_is, check_module
from rnnnotes.cells.base import Cell
from rnnnotes.cells.elman import ElmanCell
from rnnnotes.cells.gru import GRUCell
from rnnnotes.cells.lstm import LSTMCell
from rnnnotes.cells.lstm_variants import LSTMVariantCell
from rnnnotes.conv import CausalConv1d, TemporalBlock, TemporalConvNet
from rnnnotes.layers import Bidirectional, Recurrent, Stacked


@dataclass(frozen=True)
class Cost:
    """What a computation costs. Costs of computations one after another add up.

    Attributes:
        product_flops: FLOPs of the matrix products and convolutions, 2 for each multiply-add,
            products with padding zeros too; what ``torch.utils.flop_counter`` counts.
        elementwise_flops: everything else: each addition, product and nonlinearity of a number
            counts 1.
        bytes_read: bytes of the weights and the activations that are read.
        bytes_written: bytes of the activations that are written.

    Examples:
        >>> cost = rn.Cost(600, elementwise_flops=40, bytes_read=300, bytes_written=20)
        >>> cost.flops, cost.bytes_moved, cost.arithmetic_intensity
        (640, 320, 2.0)
        >>> (cost + cost * 9).flops
        6400
    """

    product_flops: int = 0
    elementwise_flops: int = 0
    bytes_read: int = 0
    bytes_written: int = 0

    @property
    def flops(self) -> int:
        """All FLOPs."""
        return self.product_flops + self.elementwise_flops

    @property
    def bytes_moved(self) -> int:
        """Bytes read and written."""
        return self.bytes_read + self.bytes_written

    @property
    def arithmetic_intensity(self) -> float:
        """``flops / bytes_moved``, FLOPs for each byte moved.

        A machine of P FLOP/s and M byte/s reaches at most ``min(P, M * arithmetic_intensity)``.

        Source: Williams, Waterman and Patterson, Roofline: an insightful visual performance model
        for multicore architectures, 2009.
        """
        return self.flops / self.bytes_moved

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.product_flops + other.product_flops,
            self.elementwise_flops + other.elementwise_flops,
            self.bytes_read + other.bytes_read,
            self.bytes_written + other.bytes_written,
        )

    def __mul__(self, times: int) -> Cost:
        return Cost(
            self.product_flops * times,
            self.elementwise_flops * times,
            self.bytes_read * times,
            self.bytes_written * times,
        )


def parameter_count(module: nn.Module) -> int:
    """Numbers that training changes, each counted once. A cell of k matrices: ``k H (D + H + 2)``.

    Two biases make the 2; without them it is 0. Peepholes add H each, full gate recurrence
    ``9 H^2``. A convolution has ``H (k D + 1)``.

    Args:
        module: any torch module.

    Examples:
        >>> cell = rn.LSTMCell(10, 20, generator=torch.Generator())
        >>> rn.parameter_count(cell), 4 * 20 * (10 + 20 + 2)
        (2560, 2560)
    """
    check_module("module", module)
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def step_cost(module: Cell | CausalConv1d, batch_size: int = 1) -> Cost:
    """One step of a cell, or one more step of a causal convolution, for B sequences.

    A cell of k matrices, states of S numbers: ``product_flops = 2 B k H (D + H)``, and
    ``18 B H^2`` more for full gate recurrence; it reads all of its weights, x (B, D) and the
    state before (B, S) and writes the state after (B, S). A convolution:
    ``product_flops = 2 B k D H``; it reads its weights and the k inputs in its window and writes
    (B, H).

    Args:
        module: one of our cells, or a :class:`CausalConv1d`.
        batch_size: B, at least 1.

    Raises:
        TypeError: a module that is neither.

    Examples:
        >>> cell = rn.LSTMCell(10, 20, generator=torch.Generator())
        >>> cost = rn.step_cost(cell, batch_size=8)
        >>> cost.product_flops == 2 * 8 * 4 * 20 * (10 + 20)
        True
        >>> cost.bytes_written == 4 * 8 * (20 + 20)  # h and c, in float32
        True
    """
    check_int("batch_size", batch_size)
    if isinstance(module, CausalConv1d):
        inputs = module.kernel_size * module.input_size
        return _convolution(module, batch_size, inputs * batch_size)
    check_is("module", module, Cell, "a cell or CausalConv1d")
    fed, recurrent = _halves(module)
    rows = module.blocks * module.hidden_size
    return _cost(
        module,
        product=2 * batch_size * (rows * module.input_size + _recurrent_weights(module)),
        elementwise=batch_size * (_input_flops(module) + _recurrent_flops(module)),
        read=fed + recurrent + batch_size * (module.input_size + _state_size(module)),
        written=batch_size * _state_size(module),
    )


def sequence_cost(
    module: Cell | Recurrent | Bidirectional | Stacked | CausalConv1d | TemporalConvNet,
    batch_size: int,
    length: int,
    *,
    hoisted: bool = True,
) -> Cost:
    """All T steps of B sequences.

    The FLOPs of a recurrent layer are T times those of a step. Hoisted, as our layers and
    torch's do it, the inputs of all steps are multiplied at once: W_ih is read once for the
    sequence, and its products (B, T, kH) are written and read again. W_hh is read at every step.
    A convolution reads its weights once, reads (B, T, D) and writes (B, T, H).

    The sum of a residual connection reads both of its terms and writes their sum; joining and
    turning round the halves of a bidirectional layer, and dropout, are not counted.

    Args:
        module: a cell, a layer, :class:`CausalConv1d` or :class:`TemporalConvNet`; a torch module
            by way of :func:`from_torch`.
        batch_size: B, at least 1.
        length: T, at least 1.
        hoisted: whether the product of the inputs is taken out of the loop. Without, T steps.

    Raises:
        TypeError: a module that is not counted here.

    Examples:
        >>> cell = rn.LSTMCell(10, 20, generator=torch.Generator())
        >>> whole = rn.sequence_cost(cell, batch_size=8, length=100)
        >>> one_by_one = rn.sequence_cost(cell, batch_size=8, length=100, hoisted=False)
        >>> whole.flops == one_by_one.flops == 100 * rn.step_cost(cell, batch_size=8).flops
        True
        >>> whole.bytes_read < one_by_one.bytes_read  # W_ih is read once
        True
    """
    check_int("batch_size", batch_size)
    check_int("length", length)
    numbers = batch_size * length
    if isinstance(module, Cell):
        if not hoisted:
            return step_cost(module, batch_size) * length
        return _input_cost(module, numbers) + _recurrent_cost(module, batch_size) * length
    if isinstance(module, Recurrent):
        return sequence_cost(module.cell, batch_size, length, hoisted=hoisted)
    if isinstance(module, Bidirectional):
        cells = (module.forward_cell, module.backward_cell)
        return _sum(sequence_cost(cell, batch_size, length, hoisted=hoisted) for cell in cells)
    if isinstance(module, Stacked):
        total = _sum(
            sequence_cost(layer, batch_size, length, hoisted=hoisted) for layer in module.layers
        )
        above = list(module.layers)[1:] if module.residual else []
        return total + _sum(
            _cost(
                layer,
                elementwise=numbers * layer.output_size,
                read=2 * numbers * layer.output_size,
                written=numbers * layer.output_size,
            )
            for layer in above
        )
    if isinstance(module, CausalConv1d):
        return _convolution(module, numbers, numbers * module.input_size)
    if isinstance(module, TemporalConvNet):
        return _sum(_block_cost(block, numbers) for block in module.blocks)
    raise TypeError(
        "module: expected a cell, Recurrent, Bidirectional, Stacked, CausalConv1d or "
        f"TemporalConvNet, got {type(module).__name__}"
    )


def _input_cost(cell: Cell, numbers: int) -> Cost:
    """The hoisted product of ``numbers`` = B T inputs."""
    rows = cell.blocks * cell.hidden_size
    return _cost(
        cell,
        product=2 * numbers * rows * cell.input_size,
        elementwise=numbers * _input_flops(cell),
        read=_halves(cell)[0] + numbers * cell.input_size,
        written=numbers * rows,
    )


def _recurrent_cost(cell: Cell, batch_size: int) -> Cost:
    """A step that is left to do when the input's product is there."""
    rows = cell.blocks * cell.hidden_size
    return _cost(
        cell,
        product=2 * batch_size * _recurrent_weights(cell),
        elementwise=batch_size * _recurrent_flops(cell),
        read=_halves(cell)[1] + batch_size * (rows + _state_size(cell)),
        written=batch_size * _state_size(cell),
    )


def _halves(cell: Cell) -> tuple[int, int]:
    """Numbers of the weights that meet the input, and of those that meet the state."""
    total = sum(parameter.numel() for parameter in cell.parameters())
    fed = cell.weight_ih.numel()
    if cell.bias:
        # Only in the GRU does b_hh stay with the state, since r scales it.
        fed += cell.bias_ih.numel() * (1 if isinstance(cell, GRUCell) else 2)
    return fed, total - fed


def _recurrent_weights(cell: Cell) -> int:
    """Entries of the matrices that meet the state; each is one multiply-add."""
    gates = cell.weight_gg.numel() if _variant(cell) == "FGR" else 0
    return cell.weight_hh.numel() + gates


def _state_size(cell: Cell) -> int:
    """S, numbers in the state of one sequence."""
    return len(cell.state_names) * cell.hidden_size


def _input_flops(cell: Cell) -> int:
    """Elementwise FLOPs with the input's product: the bias. (b_ih + b_hh is added up once.)"""
    return cell.blocks * cell.hidden_size if cell.bias else 0


def _recurrent_flops(cell: Cell) -> int:
    """Elementwise FLOPs of one sequence's step after the products, as the equations have them."""
    if isinstance(cell, ElmanCell):
        # W_ih x + W_hh h; phi.
        each = 1 + (cell.nonlinearity != "identity")
    elif isinstance(cell, GRUCell):
        # Three sums, three nonlinearities, r *, and n + z * (h - n); b_hh.
        each = 3 + 3 + 1 + 3 + (3 if cell.bias else 0)
    elif isinstance(cell, LSTMCell | LSTMVariantCell):
        variant = _variant(cell)
        # The sums of the products; the nonlinearities of gates and candidate.
        each = 2 * cell.blocks - (variant == "NIAF")
        # f * c + i * g; o * tanh(c).
        each += 5 - (variant in ("NIG", "NFG", "NOG", "NOAF"))
        # 1 - i; a gate's product with a peephole, and its sum; the gates before.
        each += variant == "CIFG"
        each += 2 * sum(name.startswith("peephole") for name, _ in cell.named_parameters())
        each += 3 * (variant == "FGR")
    else:
        raise TypeError(
            "module: expected ElmanCell, LSTMCell, LSTMVariantCell or GRUCell, "
            f"got {type(cell).__name__}"
        )
    return each * cell.hidden_size


def _variant(cell: Cell) -> str:
    return getattr(cell, "variant", "NP")


def _convolution(module: CausalConv1d, outputs: int, inputs: int) -> Cost:
    """``outputs`` = B T steps of a convolution that reads ``inputs`` numbers."""
    kernel = module.output_size * module.input_size * module.kernel_size
    bias = 0 if module.bias is None else module.output_size
    return _cost(
        module,
        product=2 * outputs * kernel,
        elementwise=outputs * bias,
        read=kernel + bias + inputs,
        written=outputs * module.output_size,
    )


def _block_cost(block: TemporalBlock, numbers: int) -> Cost:
    """Its convolutions; two relu; a sum that reads the way round, and its relu."""
    convolutions = [part for part in block.children() if isinstance(part, CausalConv1d)]
    size = numbers * block.conv_2.output_size
    around = _cost(block, elementwise=4 * size, read=size)
    return around + _sum(
        _convolution(part, numbers, numbers * part.input_size) for part in convolutions
    )


def _cost(
    module: nn.Module, *, product: int = 0, elementwise: int = 0, read: int = 0, written: int = 0
) -> Cost:
    """Numbers read and written as bytes of the module's type."""
    size = next(module.parameters()).element_size()
    return Cost(product, elementwise, read * size, written * size)


def _sum(costs: Iterable[Cost]) -> Cost:
    return sum(costs, start=Cost())
