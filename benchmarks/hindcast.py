"""How good the forecasts are on real records: ``python -m benchmarks.hindcast FOLDER`` with files of CAMELS.

FOLDER holds ``<basin>_lump_nldas_forcing_leap.txt`` and ``<basin>_streamflow_qc.txt`` (Newman et al. 2015,
https://doi.org/10.5065/D6MW2F4D), and optionally ``<basin>_05_model_output.txt``, with SAC-SMA's flow.
Each basin is calibrated on one decade and judged on later years that calibration never saw.
"""

import sys
from datetime import datetime
from pathlib import Path

from yunmeng.converged.water.forecast import (
    GR4J,
    GR5J,
    XINANJIANG,
    Hindcast,
    Verified,
    hindcast,
    read_camels,
    read_camels_model,
    with_snow,
)

MODELS = (GR4J, GR5J, XINANJIANG)
SNOWY = ("03010655", "01333000", "01013500")
DECADE = (datetime(1994, 10, 1), datetime(2004, 10, 1))  # noqa: DTZ001  (days of a record, in no zone)
LATER = (datetime(2005, 10, 1), datetime(2013, 10, 1))  # noqa: DTZ001  (days of a record, in no zone)
DECADE_OF_SAC = (datetime(1985, 10, 1), datetime(1995, 10, 1))  # noqa: DTZ001  (days of a record, in no zone)
LATER_OF_SAC = (datetime(2000, 10, 1), datetime(2014, 10, 1))  # noqa: DTZ001  (days of a record, in no zone)


def line(name: str, found: Verified) -> str:
    """One row: skill, and the grade by GB/T 22482 over the floods."""
    scores, grade = found.scores, found.grade
    return (
        f"{name:34} NSE {scores['nse']:.3f}  KGE {scores['kge']:.3f}  volume {scores['volume']:+.3f}  "
        f"floods {grade.floods}  QR {grade.qr:.1f} % {grade.grade}  DC {grade.dc:.3f} {grade.dc_grade}"
    )


def main(folder: Path) -> None:
    """Runs every basin of the folder with every model."""
    for file in sorted(folder.glob("*_05_model_output.txt")):
        record = read_camels_model(file)
        for model in MODELS:
            show(hindcast(model, record, calibrate_on=DECADE_OF_SAC, verify_on=LATER_OF_SAC, lead=1))
    for file in sorted(folder.glob("*_lump_nldas_forcing_leap.txt")):
        basin = file.name[:8]
        record = read_camels(file, folder / f"{basin}_streamflow_qc.txt")
        for model in MODELS:
            fitting = with_snow(model) if basin in SNOWY else model
            show(hindcast(fitting, record, calibrate_on=DECADE, verify_on=LATER, lead=1))


def show(found: Hindcast) -> None:
    """Prints the simulation, the forecast one step ahead, and the reference where the record has one."""
    name = f"{found.record} {found.model}"
    print(line(name, found.verified), flush=True)
    if found.corrected:
        print(line(f"{name}, AR(2) a day ahead", found.corrected), flush=True)
    if found.reference:
        print(line(f"{found.record} SAC-SMA", found.reference), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
