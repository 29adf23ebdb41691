"""Hydrological forecasting 水文预报 as a plain library: no node, no service, arrays in and arrays out.

Models (XINANJIANG, GR4J, GR5J, each :func:`with_snow` if wanted), unit hydrographs, routing,
calibration, real-time correction, ensembles, grading by GB/T 22482, hindcasts on records. Arrays are float64,
(basins, members, steps), water in mm a step. The inner loops are compiled by numba (extra ``water``) on their
first call, once a machine.
"""

from yunmeng.converged.water.forecast.calibration import Calibrated, Calibration, calibrate, report
from yunmeng.converged.water.forecast.correction import Autoregression, fit
from yunmeng.converged.water.forecast.ensemble import crps, exceedance, perturbed, quantiles, rank_histogram
from yunmeng.converged.water.forecast.evaporation import oudin
from yunmeng.converged.water.forecast.events import Flood, floods
from yunmeng.converged.water.forecast.forcing import Forcing, fill_gaps, forcing
from yunmeng.converged.water.forecast.gr4j import GR4J
from yunmeng.converged.water.forecast.gr5j import GR5J
from yunmeng.converged.water.forecast.grading import (
    GBT_22482_2008,
    FloodGrade,
    Grade,
    Rules,
    SchemeGrade,
    coefficient_grade,
    grade_flood,
    grade_scheme,
    rate_grade,
    stage_allowance,
    timeliness_grade,
)
from yunmeng.converged.water.forecast.hindcast import Hindcast, Verified, hindcast, verify
from yunmeng.converged.water.forecast.kalman import analysis, assimilate
from yunmeng.converged.water.forecast.model import Model, Parameter, Run
from yunmeng.converged.water.forecast.muskingum import Channel, Reach, cell, cunge, muskingum, segmented
from yunmeng.converged.water.forecast.network import Network, network
from yunmeng.converged.water.forecast.nsga2 import Front, nsga2
from yunmeng.converged.water.forecast.outlook import Outlook, outlook
from yunmeng.converged.water.forecast.records import Record, read_camels, read_camels_model, read_csv
from yunmeng.converged.water.forecast.sce import Optimum, sce_ua
from yunmeng.converged.water.forecast.scores import kge, log_nse, nse, peak_error, volume_error
from yunmeng.converged.water.forecast.shapes import to_depth, to_discharge
from yunmeng.converged.water.forecast.snow import Snow, melt, with_snow
from yunmeng.converged.water.forecast.unit_hydrograph import (
    change_duration,
    convolve,
    derive,
    empirical,
    nash,
    s_curve,
    scs,
)
from yunmeng.converged.water.forecast.xinanjiang import XINANJIANG

__all__ = [
    "GBT_22482_2008",
    "GR4J",
    "GR5J",
    "XINANJIANG",
    "Autoregression",
    "Calibrated",
    "Calibration",
    "Channel",
    "Flood",
    "FloodGrade",
    "Forcing",
    "Front",
    "Grade",
    "Hindcast",
    "Model",
    "Network",
    "Optimum",
    "Outlook",
    "Parameter",
    "Reach",
    "Record",
    "Rules",
    "Run",
    "SchemeGrade",
    "Snow",
    "Verified",
    "analysis",
    "assimilate",
    "calibrate",
    "cell",
    "change_duration",
    "coefficient_grade",
    "convolve",
    "crps",
    "cunge",
    "derive",
    "empirical",
    "exceedance",
    "fill_gaps",
    "fit",
    "floods",
    "forcing",
    "grade_flood",
    "grade_scheme",
    "hindcast",
    "kge",
    "log_nse",
    "melt",
    "muskingum",
    "nash",
    "network",
    "nse",
    "nsga2",
    "oudin",
    "outlook",
    "peak_error",
    "perturbed",
    "quantiles",
    "rank_histogram",
    "rate_grade",
    "read_camels",
    "read_camels_model",
    "read_csv",
    "report",
    "s_curve",
    "sce_ua",
    "scs",
    "segmented",
    "stage_allowance",
    "timeliness_grade",
    "to_depth",
    "to_discharge",
    "verify",
    "volume_error",
    "with_snow",
]
