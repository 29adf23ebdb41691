"""Snow 融雪: a degree-day store with cold content, after CemaNeige (Valéry et al. 2014)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from yunmeng.converged.water.forecast.forcing import Forcing, complete, fits
from yunmeng.converged.water.forecast.model import Model, Parameter, Run, columns, possible
from yunmeng.converged.water.forecast.shapes import Floats, Numbers, cube
from yunmeng.converged.water.forecast.threads import spread
from yunmeng.kernel.base import BadInput

PARAMETERS = (
    Parameter("CTG", "", 0, 1, 0, 1),
    Parameter("Kf", "mm/K/step", 0, 50, 1, 10),
    Parameter("Gth", "mm", 0.1, 10_000, 20, 500),
)
_RAIN_ABOVE, _SNOW_BELOW = 3.0, -1.0


@dataclass(frozen=True, slots=True)
class Snow:
    """Parameters of the snow store.

    ``inertia`` is the share of yesterday in the pack's temperature (CTG, 0..1), ``factor`` the melt in mm a
    degree and step (Kf), ``full_mm`` the pack that covers the whole zone (0.9 of the mean yearly snowfall).
    """

    inertia: float = 0.5
    factor: float = 4.0
    full_mm: float = 150.0


def solid_share(temperature: Numbers) -> Floats:
    """Returns the share of snow by the step's mean air temperature: all below −1 °C, none above 3 °C."""
    return np.interp(np.asarray(temperature, np.float64), (_SNOW_BELOW, _RAIN_ABOVE), (1.0, 0.0))


def melt(
    precipitation: Numbers, temperature: Numbers, snow: Snow, states: Floats | None = None
) -> tuple[Floats, Floats]:
    """Turns precipitation into rain and melt, which a runoff model takes as its rain.

    Args:
        precipitation: mm a step, (basins, members, steps); give each elevation zone as a basin of its own.
        temperature: mean air temperature in °C, the same steps; one basin or member serves all.
        snow: the parameters.
        states: what an earlier call left; else no snow.

    Returns:
        Liquid water in mm a step, and the states (basins, members, 2): snow pack in mm, its temperature in
        °C.

    Raises:
        BadInput: ``forecast.gap``, ``forecast.negative``, ``forecast.shape``; ``forecast.parameter``.
    """
    p, t = cube(precipitation, "precipitation"), cube(temperature, "temperature")
    complete("precipitation", p, 24, None)
    complete("temperature", t, 24, None, least=-90.0)
    fits(p, t, "temperature")
    x = np.array([[[snow.inertia, snow.factor, snow.full_mm]]])
    state = np.zeros((*p.shape[:2], 2)) if states is None else np.array(states, np.float64)
    return _melted(p, t, possible(x, PARAMETERS, "snow"), state)


def with_snow(model: Model) -> "Snowy":
    """Puts a snow store before a model: three more parameters (CTG, Kf, Gth), two more columns of state."""
    return Snowy(model)


@dataclass(frozen=True, slots=True)
class Snowy:
    """A model behind a snow store; used as a :class:`Model`, its forcing has the temperature."""

    model: Model

    @property
    def name(self) -> str:
        """The model's name and snow."""
        return f"{self.model.name} + snow"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The model's, then those of snow."""
        return self.model.parameters + PARAMETERS

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names."""
        return tuple(each.name for each in self.parameters)

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """Where calibration looks."""
        return np.array([p.low for p in self.parameters]), np.array([p.high for p in self.parameters])

    def run(
        self,
        forcing: Forcing,
        params: Mapping[str, float] | Numbers,
        *,
        states: Floats | None = None,
        fluxes: bool = False,
        threads: int = 0,
    ) -> Run:
        """As :meth:`Model.run`; the last two columns of a state are the pack in mm and its °C.

        Raises:
            BadInput: ``forecast.temperature.none`` for a forcing without temperature; as :meth:`Model.run`.
        """
        if forcing.temperature.shape[2] == 0:
            raise BadInput("forecast.temperature.none")
        count = len(self.model.parameters)
        x = columns(params, self.names, self.name)
        melting = possible(np.ascontiguousarray(x[..., count:]), PARAMETERS, self.name)
        shapes = [each.shape[:2] for each in (forcing.rain, forcing.temperature, melting)]
        shape = (max(a for a, _ in shapes), max(b for _, b in shapes))
        if states is None:
            own, pack = None, np.zeros((*shape, 2))
        else:
            own, pack = np.ascontiguousarray(states[..., :-2]), np.ascontiguousarray(states[..., -2:])
            shape = (states.shape[0], states.shape[1])
        liquid, pack = _melted(forcing.rain, forcing.temperature, melting, pack)
        below = Forcing(liquid, forcing.evaporation, forcing.step_hours, forcing.temperature)
        run = self.model.run(below, x[..., :count], states=own, fluxes=fluxes, threads=threads)
        pack = np.broadcast_to(pack, (*run.states.shape[:2], 2))
        return Run(run.flow, run.evaporation, run.exchange, np.concatenate((run.states, pack), axis=2))

    def start(self, params: Mapping[str, float] | Numbers, basins: int = 1, members: int = 1) -> Floats:
        """As :meth:`Model.start`, without snow."""
        x = columns(params, self.names, self.name)
        own = self.model.start(x[..., : len(self.model.parameters)], basins, members)
        return np.concatenate((own, np.zeros((*own.shape[:2], 2))), axis=2)

    def storage(
        self, states: Floats, params: Mapping[str, float] | Numbers, step_hours: float = 24
    ) -> Floats:
        """As :meth:`Model.storage`, with the snow pack."""
        x = columns(params, self.names, self.name)[..., : len(self.model.parameters)]
        return self.model.storage(states[..., :-2], x, step_hours) + states[..., -2]


def _melted(p: Floats, t: Floats, x: Floats, state: Floats) -> tuple[Floats, Floats]:
    from yunmeng.converged.water.forecast.kernels.snow import snow as kernel

    liquid, share = np.empty((*state.shape[:2], p.shape[2])), solid_share(t)
    state = state.copy()
    spread(state.shape[0] * state.shape[1], lambda a, b: kernel(p, t, share, x, state, liquid, a, b))
    return liquid, state
