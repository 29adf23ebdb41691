"""The one place that speaks to HiGHS (highspy, MIT)."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from yunmeng.converged.water.dispatch.program import Matrix
from yunmeng.converged.water.register.arrays import Floats
from yunmeng.kernel.base import Unavailable

Status = Literal["optimal", "infeasible", "unbounded", "stopped"]
Method = Literal["choose", "simplex", "ipm"]


@dataclass(frozen=True, slots=True)
class Solved:
    """Column values, row prices, and the bound that the solver states (for an LP its value)."""

    status: Status
    x: Floats
    dual: Floats
    value: float
    bound: float


class Solver:
    """One program in HiGHS; a changed cost or bound starts from the last basis (warm start).

    ``run`` releases the interpreter's lock, so several solvers work in threads at once.
    """

    def __init__(
        self, matrix: Matrix, *, method: Method = "choose", gap: float = 1e-4, seconds: float = 600.0
    ) -> None:
        """Passes the program.

        Raises:
            Unavailable: ``dispatch.highs`` where highspy is not installed.
        """
        try:
            import highspy
        except ImportError as error:
            raise Unavailable("dispatch.highs") from error
        self._api: Any = highspy
        self._highs: Any = highspy.Highs()
        self._whole = bool(matrix.integer.any())
        for option, value in (
            ("output_flag", False),
            ("threads", 1),
            ("time_limit", seconds),
            ("mip_rel_gap", gap),
            ("solver", method if not self._whole else "choose"),
        ):
            self._highs.setOptionValue(option, value)
        self._pass(matrix)

    def set_costs(self, columns: "np.ndarray[Any, Any]", costs: Floats) -> None:
        """Changes the cost of some columns."""
        self._highs.changeColsCost(len(columns), columns.astype(np.int32), costs.astype(np.float64))

    def set_column_bounds(self, columns: "np.ndarray[Any, Any]", lower: Floats, upper: Floats) -> None:
        """Changes the bounds of some columns."""
        self._highs.changeColsBounds(len(columns), columns.astype(np.int32), lower, upper)

    def set_row_bounds(self, rows: "np.ndarray[Any, Any]", lower: Floats, upper: Floats) -> None:
        """Changes the bounds of some rows."""
        for row, low, high in zip(rows.tolist(), lower.tolist(), upper.tolist(), strict=True):
            self._highs.changeRowBounds(row, low, high)

    def option(self, name: str, value: object) -> None:
        """Sets an option of HiGHS by its own name."""
        self._highs.setOptionValue(name, value)

    def basis(self) -> object:
        """Returns the last basis, for a solver of a program of the same shape."""
        return self._highs.getBasis()

    def start_from(self, basis: object) -> None:
        """Starts the next run from a basis of a program of the same shape."""
        self._highs.setBasis(basis)

    def start_near(self, x: Floats) -> None:
        """Gives the next run a solution to start from (the incumbent of a mixed-integer program)."""
        solution = self._api.HighsSolution()
        solution.col_value = x.tolist()
        self._highs.setSolution(solution)

    def solve(self) -> Solved:
        """Solves, and returns what was found; what is infeasible has no values."""
        state, model = self._run(), self._api.HighsModelStatus
        # a basis that no longer fits, or one that presolve spoilt: once more without either
        if state in (model.kNotset, model.kUnknown, model.kSolveError, model.kUnboundedOrInfeasible):
            self._highs.clearSolver()
            self._highs.setOptionValue("presolve", "off")
            state = self._run()
            self._highs.setOptionValue("presolve", "choose")
        names: dict[Any, Status] = {
            model.kOptimal: "optimal",
            model.kInfeasible: "infeasible",
            model.kUnbounded: "unbounded",
        }
        found, info = self._highs.getSolution(), self._highs.getInfo()
        value = float(info.objective_function_value)
        return Solved(
            names.get(state, "stopped"),
            np.array(found.col_value, np.float64),
            np.array(found.row_dual, np.float64),
            value,
            float(info.mip_dual_bound) if self._whole else value,
        )

    def _run(self) -> Any:
        self._highs.run()
        return self._highs.getModelStatus()

    def _pass(self, matrix: Matrix) -> None:
        api: Any = self._api
        rows, columns = matrix.size
        self._highs.passModel(
            *(columns, rows, len(matrix.value), int(api.MatrixFormat.kRowwise)),
            *(int(api.ObjSense.kMinimize), matrix.offset),
            *(matrix.cost, matrix.lower, matrix.upper, matrix.row_lower, matrix.row_upper),
            *(matrix.start.astype(np.int32), matrix.index.astype(np.int32), matrix.value),
            matrix.integer.astype(np.int32),
        )
