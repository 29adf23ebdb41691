"""Exchange 交换: the register as tables, Excel, GeoJSON, series as WaterML 2.0; whole or not at all."""

from yunmeng.converged.water.exchange.checks import changed, check_register
from yunmeng.converged.water.exchange.entities import CODES, to_bodies, to_rows
from yunmeng.converged.water.exchange.features import read_features, write_features
from yunmeng.converged.water.exchange.sheets import (
    Rows,
    decode_csv,
    read_csv,
    read_excel,
    write_csv,
    write_excel,
)
from yunmeng.converged.water.exchange.waterml import TimeSeries, read_waterml, write_waterml

__all__ = [
    "CODES",
    "Rows",
    "TimeSeries",
    "changed",
    "check_register",
    "decode_csv",
    "read_csv",
    "read_excel",
    "read_features",
    "read_waterml",
    "to_bodies",
    "to_rows",
    "write_csv",
    "write_excel",
    "write_features",
    "write_waterml",
]
