"""A rainfall-runoff model as this library sees it: named parameters, stores, and one way to run."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from yunmeng.converged.water.forecast.forcing import Forcing
from yunmeng.converged.water.forecast.shapes import Floats, Numbers
from yunmeng.converged.water.forecast.threads import spread
from yunmeng.kernel.base import BadInput

Kernel = Callable[[Floats, Floats, Floats, Floats, Floats, Floats, Floats, float, int, int], None]
_WORTH_A_THREAD = 200_000


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: what is possible (``least``..``most``) and where calibration looks (``low``..``high``)."""

    name: str
    unit: str
    least: float
    most: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Run:
    """What came out; water in mm a step, each (basins, members, steps).

    ``evaporation`` and ``exchange`` (water gained from beyond the divide; negative: lost) are empty unless
    asked for. ``states`` (basins, members, stores) starts the next run where this one ended. For every
    series: rain − evaporation + exchange − flow = change of :meth:`Model.storage`, to 1e-9 mm.
    """

    flow: Floats
    evaporation: Floats
    exchange: Floats
    states: Floats


class Runs(Protocol):
    """What calibration and hindcasts ask of a model."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names."""
        ...

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """Where calibration looks."""
        ...

    def run(
        self,
        forcing: Forcing,
        params: Mapping[str, float] | Numbers,
        *,
        states: Floats | None = None,
        fluxes: bool = False,
        threads: int = 0,
    ) -> Run:
        """Runs every basin and member over all steps."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """A lumped model that runs many basins and members at once.

    ``stores`` names the first columns of a state; behind them follow ``lines`` delay lines (water on its
    way).
    """

    name: str
    parameters: tuple[Parameter, ...]
    stores: tuple[str, ...]
    lines: int
    steps_hours: tuple[float, ...]
    reach: Callable[[Floats], int]
    begin: Callable[[Floats], Floats]
    store: Callable[[Floats, Floats, float], Floats]
    ceiling: Callable[[Floats], Floats]
    rules: Callable[[Floats], str]
    kernel: Callable[[], Kernel]

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in the order of the last axis of ``params``."""
        return tuple(each.name for each in self.parameters)

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """Where calibration looks: the lowest and highest value of each parameter."""
        return np.array([p.low for p in self.parameters]), np.array([p.high for p in self.parameters])

    def params(self, values: Mapping[str, float] | Numbers) -> Floats:
        """Returns parameters as (basins, members, parameters): one set, (basins, n) or all three axes.

        Raises:
            BadInput: ``forecast.parameters`` for a missing or foreign name or a wrong count,
                ``forecast.parameter`` for a value that is not possible.
        """
        array = possible(columns(values, self.names, self.name), self.parameters, self.name)
        broken = self.rules(array)
        if broken:
            raise BadInput("forecast.parameters.rule", model=self.name, rule=broken)
        return array

    def run(
        self,
        forcing: Forcing,
        params: Mapping[str, float] | Numbers,
        *,
        states: Floats | None = None,
        fluxes: bool = False,
        threads: int = 0,
    ) -> Run:
        """Runs every basin and member over all steps.

        Args:
            forcing: rain and potential evaporation, mm a step.
            params: see :meth:`params`; an axis of length 1 serves all.
            states: the states of an earlier run (they are not changed); else :meth:`start`.
            fluxes: return evaporation and exchange too.
            threads: 0 for one a core.

        Raises:
            BadInput: ``forecast.step`` for a step the model is not made for, ``forecast.shape`` when basins
                or members do not fit, ``forecast.parameter`` and its kin.
        """
        if self.steps_hours and forcing.step_hours not in self.steps_hours:
            allowed = ", ".join(f"{hours:g}" for hours in self.steps_hours)
            raise BadInput("forecast.step", hours=forcing.step_hours, allowed=allowed)
        x = self.params(params)
        shape = _common(forcing.rain.shape, forcing.evaporation.shape, x.shape, states)
        state = self._widened(x, shape, states)
        flow = np.empty((*shape, forcing.steps))
        spare = np.empty((*shape, forcing.steps if fluxes else 0))
        evaporation, exchange = spare, np.empty_like(spare)
        self._spread(forcing, x, state, flow, evaporation, exchange, threads)
        return Run(flow, evaporation, exchange, state)

    def start(self, params: Mapping[str, float] | Numbers, basins: int = 1, members: int = 1) -> Floats:
        """Returns the state before any record: stores as the model's authors begin, nothing on its way."""
        x = self.params(params)
        return self._widened(x, (max(basins, x.shape[0]), max(members, x.shape[1])), None)

    def storage(
        self, states: Floats, params: Mapping[str, float] | Numbers, step_hours: float = 24
    ) -> Floats:
        """Returns the water held in stores and on its way, mm over the basin: (basins, members)."""
        return self.store(states, self.params(params), step_hours)

    def _widened(self, x: Floats, shape: tuple[int, int], states: Floats | None) -> Floats:
        fixed, width = len(self.stores), self.reach(x)
        if states is None:
            state = np.zeros((*shape, fixed + self.lines * width))
            state[..., :fixed] = self.begin(x)
            return state
        had, rest = divmod(states.shape[2] - fixed, self.lines)
        if had < 1 or rest or not np.isfinite(states).all():
            wanted = f"(…, {fixed} + {self.lines} n), finite"
            raise BadInput("forecast.shape", name="states", found=states.shape, wanted=wanted)
        if had >= width:
            return np.array(states, np.float64, order="C")
        lines = np.zeros((*shape, self.lines, width))
        lines[..., :had] = states[..., fixed:].reshape(*states.shape[:2], self.lines, had)
        head = np.broadcast_to(states[..., :fixed], (*shape, fixed))
        return np.concatenate((head, lines.reshape(*shape, -1)), axis=2)

    def _spread(
        self,
        forcing: Forcing,
        x: Floats,
        state: Floats,
        flow: Floats,
        evaporation: Floats,
        exchange: Floats,
        threads: int,
    ) -> None:
        kernel, rows = self.kernel(), flow.shape[0] * flow.shape[1]

        def part(first: int, last: int) -> None:
            kernel(
                forcing.rain,
                forcing.evaporation,
                x,
                state,
                flow,
                evaporation,
                exchange,
                forcing.step_hours,
                first,
                last,
            )

        # a second thread costs more than it brings to a short run
        most = 1 + flow.size // _WORTH_A_THREAD
        spread(rows, part, threads=min(threads or os.cpu_count() or 1, most))


def columns(values: Mapping[str, float] | Numbers, names: tuple[str, ...], model: str) -> Floats:
    """Returns parameters as (basins, members, parameters), in the order of the names.

    Raises:
        BadInput: ``forecast.parameters`` for a missing or foreign name or a wrong count.
    """
    if isinstance(values, Mapping):
        if set(values) != set(names):
            raise BadInput("forecast.parameters", model=model, names=", ".join(names))
        values = [values[name] for name in names]
    array = np.require(values, np.float64, ["C", "W"])
    if 0 < array.ndim < 3:
        array = array.reshape(array.shape[0] if array.ndim == 2 else 1, 1, array.shape[-1])
    if array.ndim != 3 or array.shape[2] != len(names):
        raise BadInput("forecast.parameters", model=model, names=", ".join(names))
    return array


def possible(array: Floats, parameters: tuple[Parameter, ...], model: str) -> Floats:
    """Refuses parameters outside what is possible.

    Raises:
        BadInput: ``forecast.parameter``.
    """
    for i, each in enumerate(parameters):
        wrong = ~((array[..., i] >= each.least) & (array[..., i] <= each.most))
        if wrong.any():
            value = float(array[..., i][wrong][0])
            raise BadInput(
                "forecast.parameter",
                name=f"{model} {each.name}",
                value=value,
                least=each.least,
                most=each.most,
            )
    return array


def _common(
    rain: Sequence[int], demand: Sequence[int], x: Sequence[int], states: Floats | None
) -> tuple[int, int]:
    """Returns (basins, members) that rain, evaporation, parameters and states agree on."""
    shapes = [rain[:2], demand[:2], x[:2]] + ([states.shape[:2]] if states is not None else [])
    try:
        basins, members = np.broadcast_shapes(*(tuple(each) for each in shapes))
    except ValueError as error:
        found = ", ".join(str(tuple(each)) for each in shapes)
        raise BadInput("forecast.shape", name="basins, members", found=found, wanted="1") from error
    if states is not None and states.shape[:2] != (basins, members):
        raise BadInput(
            "forecast.shape", name="states", found=states.shape, wanted=f"({basins}, {members}, …)"
        )
    return basins, members
