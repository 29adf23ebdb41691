"""A linear or mixed-integer program in blocks: every column bound and row knows its kind, node and step.

So that a solution can say in words what binds, and an infeasible problem which limits conflict.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from yunmeng.converged.water.register.arrays import Bools, Floats, Ints, Numbers

# what is no row or column
ABSENT = -1


@dataclass(frozen=True, slots=True)
class Block:
    """A run of rows or columns of one kind; ``node`` and ``step`` tell whose each is."""

    kind: str
    first: int
    node: Ints
    step: Ints

    @property
    def places(self) -> Ints:
        """The numbers of its rows or columns."""
        return np.arange(self.first, self.first + len(self.node), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Matrix:
    """The program as arrays: minimise cost·x + offset, with bounds on x (columns) and A·x (rows).

    A is held by rows: row r has ``value[start[r]:start[r + 1]]`` in columns ``index[...]``.
    """

    cost: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats
    start: Ints
    index: Ints
    value: Floats
    integer: Bools
    offset: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.row_lower), len(self.cost)

    def rows_of(self) -> Ints:
        """Returns the row of each entry."""
        return np.repeat(np.arange(len(self.row_lower)), np.diff(self.start))

    def times(self, x: Floats) -> Floats:
        """Returns A·x, shape (rows,)."""
        return np.bincount(self.rows_of(), self.value * x[self.index], len(self.row_lower)).astype(np.float64)

    def transposed(self, y: Floats) -> Floats:
        """Returns yᵀ·A, shape (columns,)."""
        return np.bincount(self.index, self.value * y[self.rows_of()], len(self.cost)).astype(np.float64)


@dataclass
class Program:
    """Collects columns and rows; grids of column numbers have shape (nodes, steps) or any other."""

    columns: list[Block] = field(default_factory=list)
    rows: list[Block] = field(default_factory=list)
    width: int = 0
    height: int = 0
    offset: float = 0.0
    _column_parts: list[tuple[Floats, Floats, Floats, Bools]] = field(default_factory=list)
    _row_parts: list[tuple[Floats, Floats]] = field(default_factory=list)
    _entries: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)

    def add_columns(
        self,
        kind: str,
        node: Numbers,
        step: Numbers,
        lower: Numbers,
        upper: Numbers,
        cost: Numbers = 0.0,
        *,
        integer: bool = False,
    ) -> Ints:
        """Adds a grid of columns; all arguments broadcast to one shape, which the returned numbers have."""
        shape = np.broadcast_shapes(*(np.shape(each) for each in (node, step, lower, upper, cost)))
        count = int(np.prod(shape))
        self.columns.append(
            Block(kind, self.width, _flat(node, shape, np.int64), _flat(step, shape, np.int64))
        )
        costs, low, high = (_flat(each, shape, np.float64) for each in (cost, lower, upper))
        self._column_parts.append((costs, low, high, np.full(count, integer)))
        self.width += count
        return np.arange(self.width - count, self.width).reshape(shape)

    def add_rows(
        self,
        kind: str,
        node: Numbers,
        step: Numbers,
        lower: Numbers,
        upper: Numbers,
        terms: Sequence[tuple[Ints, Numbers]],
    ) -> Ints:
        """Adds rows lower ≤ Σ coefficient·column ≤ upper; a column ``ABSENT`` adds nothing."""
        shape = np.broadcast_shapes(*(np.shape(each) for each in (node, step, lower, upper, terms[0][0])))
        count = int(np.prod(shape))
        rows = np.arange(self.height, self.height + count)
        self.rows.append(Block(kind, self.height, _flat(node, shape, np.int64), _flat(step, shape, np.int64)))
        self._row_parts.append((_flat(lower, shape, np.float64), _flat(upper, shape, np.float64)))
        self.height += count
        for column, value in terms:
            self.add_entries(rows, _flat(column, shape, np.int64), _flat(value, shape, np.float64))
        return rows.reshape(shape)

    def add_entries(self, row: Ints, column: Ints, value: Numbers) -> None:
        """Adds single entries of A to rows that exist; entries of one place add up."""
        values = np.broadcast_to(np.asarray(value, np.float64), column.shape).reshape(-1)
        rows, columns = row.reshape(-1), column.reshape(-1)
        used = (columns != ABSENT) & (values != 0)
        self._entries.append((rows[used], columns[used], values[used]))

    def shift_rows(self, row: Ints, by: Floats) -> None:
        """Adds to both bounds of rows that were added in one call."""
        part = next(n for n, block in enumerate(self.rows) if block.first == row.flat[0])
        low, high = self._row_parts[part]
        self._row_parts[part] = (low + by.reshape(-1), high + by.reshape(-1))

    def matrix(self) -> Matrix:
        """Returns the program as arrays."""
        row, column, value = (np.concatenate(parts) for parts in zip(*self._entries, strict=True))
        order = np.argsort(row * self.width + column, kind="stable")
        row, column, value = row[order], column[order], value[order]
        first = np.append(True, (np.diff(row) != 0) | (np.diff(column) != 0))[: len(row)]
        starts = np.flatnonzero(first)
        row, column, value = row[starts], column[starts], np.add.reduceat(value, starts)
        costs, lowers, uppers, integers = zip(*self._column_parts, strict=True)
        return Matrix(
            cost=np.concatenate(costs),
            lower=np.concatenate(lowers),
            upper=np.concatenate(uppers),
            row_lower=np.concatenate([part[0] for part in self._row_parts]),
            row_upper=np.concatenate([part[1] for part in self._row_parts]),
            start=np.concatenate([[0], np.cumsum(np.bincount(row, minlength=self.height))]).astype(np.int64),
            index=column,
            value=value,
            integer=np.concatenate(integers),
            offset=self.offset,
        )


def certified_bound(matrix: Matrix, dual: Floats) -> float:
    """Returns a lower bound on the optimum from row prices, whatever solver they came from.

    For any y, min cost·x ≥ Σ_r (y_r > 0 ? y_r·lower_r : y_r·upper_r) + Σ_c min over x_c of (cost − yᵀA)_c·x_c
    (weak duality; relaxing whole numbers only lowers it). A price on a side that has no bound counts as zero,
    so the bound is finite as long as every column is bounded.
    """
    side = np.where(dual > 0, matrix.row_lower, matrix.row_upper)
    price = np.where(np.isfinite(side), dual, 0.0)
    rows = float(np.sum(price * np.where(np.isfinite(side), side, 0.0)))
    reduced = matrix.cost - matrix.transposed(price)
    at = np.where(reduced > 0, matrix.lower, matrix.upper)
    with np.errstate(invalid="ignore"):
        columns = np.where(reduced == 0, 0.0, reduced * at)
    return rows + float(np.sum(columns)) + matrix.offset


def _flat(values: Numbers, shape: tuple[int, ...], kind: type[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, kind), shape)).reshape(-1)
