"""Records are read as they are, and a hindcast judges years that the calibration has not seen."""

import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from yunmeng.converged.water.forecast import (
    GR4J,
    GR5J,
    XINANJIANG,
    calibrate,
    forcing,
    hindcast,
    read_camels,
    read_camels_model,
    read_csv,
    with_snow,
)
from yunmeng.converged.water.forecast.records import Record
from yunmeng.kernel.base import BadInput

FORCING = """  36.50
 120.00
   36000000
Year Mnth Day Hr\tDayl(s)\tPRCP(mm/day)\tSRAD(W/m2)\tSWE(mm)\tTmax(C)\tTmin(C)\tVp(Pa)
2001 07 01 12\t51000.00\t0.00\t300.00\t0.00\t30.00\t20.00\t1500.00
2001 07 02 12\t51000.00\t25.50\t200.00\t0.00\t26.00\t18.00\t1500.00
2001 07 03 12\t51000.00\t3.00\t250.00\t0.00\t28.00\t18.00\t1500.00
"""
FLOW = "01234567 2001 07 01    10.00 A\n01234567 2001 07 02  -999.00 M\n"
MODEL = """YR MNTH DY HR SWE PRCP RAIM TAIR PET ET MOD_RUN OBS_RUN
1999 01 31 12 5.0 2.0 1.5 -1.0 0.4 0.3 0.9 1.1
1999 02 01 12 5.0 0.0 0.5 1.0 0.5 0.3 0.8 -999.0
"""


def written(tmp_path, **texts):
    files = []
    for name, text in texts.items():
        file = tmp_path / f"01234567_{name}.txt"
        file.write_text(text, encoding="utf-8")
        files.append(file)
    return files


def test_camels_files_are_read(tmp_path):
    record = read_camels(*written(tmp_path, forcing=FORCING, streamflow=FLOW))
    assert (record.name, record.start, record.area_km2) == ("01234567", datetime(2001, 7, 1), 36.0)
    assert record.rain.tolist() == [0, 25.5, 3]
    assert record.temperature.tolist() == [25, 22, 23]
    # ten cubic feet a second are 0.28317 m³/s
    assert record.observed[0] == pytest.approx(10 * 0.3048**3 * 86.4 / 36)
    assert np.isnan(record.observed[1:]).all()
    assert 5 < record.evaporation[0] < 6
    assert record.forcing().temperature.size == 3


def test_camels_model_output_is_read(tmp_path):
    record = read_camels_model(*written(tmp_path, model=MODEL))
    assert record.rain.tolist() == [1.5, 0.5]
    assert record.evaporation.tolist() == [0.4, 0.5]
    assert record.reference.tolist() == [0.9, 0.8]
    assert record.observed[0] == 1.1
    assert np.isnan(record.observed[1])


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        (FORCING.replace("25.50", "heavy"), "forecast.file", 6),
        (FORCING.replace("2001 07 02", "2001 13 02"), "forecast.file", 6),
        (FORCING.replace("\t1500.00\n2001 07 03", "\n2001 07 03"), "forecast.file", 6),
        (FORCING.replace("36000000", "wide"), "forecast.file", 1),
        (FORCING.replace("2001 07 02", "2001 07 05"), "forecast.record.days", None),
    ],
)
def test_broken_files_are_refused_with_their_line(tmp_path, text, key, line):
    with pytest.raises(BadInput) as caught:
        read_camels(*written(tmp_path, forcing=text, streamflow=FLOW))
    assert caught.value.key == key
    assert caught.value.facts.get("line") == line


CSV = "when,P,E,Q\n2020-05-01 08:00,0.0,0.1,3.2\n2020-05-01 09:00,4.5,0.1,NA\n2020-05-01 10:00,,0.1,3.9\n"
COLUMNS = {"time": "when", "rain": "P", "evaporation": "E", "observed": "Q"}


def test_csv_is_read_by_the_names_of_its_columns(tmp_path):
    file = tmp_path / "station.csv"
    file.write_text(CSV, encoding="utf-8")
    record = read_csv(file, COLUMNS, step_hours=1, area_km2=50)
    assert record.start == datetime(2020, 5, 1, 8)
    assert np.isnan(record.observed[1])
    with pytest.raises(BadInput) as caught:
        record.forcing()
    assert caught.value.key == "forecast.gap"
    assert caught.value.facts["where"] == "2 (2020-05-01T10:00:00)"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("when,P", "when,rain", "forecast.file"),
        ("4.5", "4,5", "forecast.file"),
        (",0.1,3.9", ",0.1", "forecast.file"),
        ("4.5", "wet", "forecast.file"),
        ("10:00", "11:00", "forecast.record.days"),
        ("2020-05-01 10:00", "1 May", "forecast.file"),
    ],
)
def test_broken_csv_is_refused(tmp_path, old, new, key):
    file = tmp_path / "station.csv"
    file.write_text(CSV.replace(old, new), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_csv(file, COLUMNS, step_hours=1)
    assert caught.value.key == key


@pytest.fixture(scope="module")
def record(weather):
    rain, demand = weather
    flow = GR4J.run(forcing(rain, demand, 24), [320.0, 0.3, 60.0, 1.8]).flow[0, 0]
    noisy = flow * np.random.default_rng(9).lognormal(0, 0.05, rain.size)
    return Record("made", datetime(2001, 1, 1), 24, 100, rain, demand, np.empty(0), noisy, 0.7 * flow)


def test_a_hindcast_judges_the_years_held_back(record):
    found = hindcast(
        GR4J,
        record,
        calibrate_on=(datetime(2002, 1, 1), datetime(2003, 7, 1)),
        verify_on=(datetime(2003, 7, 1), datetime(2004, 12, 1)),
        budget=1200,
        lead=1,
    )
    assert found.verified.scores["nse"] > 0.97
    assert found.corrected is not None
    assert found.corrected.scores["nse"] > 0.97
    assert found.verified.process == "甲"
    assert found.verified.grade.grade == "甲"
    assert found.reference is not None
    assert found.reference.grade.rates["peak"] == 0
    assert found.reference.scores["volume"] == pytest.approx(-0.3, abs=0.02)
    assert len(found.verified.floods) == found.verified.grade.floods >= 3


@pytest.mark.parametrize(
    ("known", "held", "key"),
    [
        ((2002, 2004), (2003, 2004), "forecast.record.overlap"),
        ((2002, 2003), (2004, 2006), "forecast.record.span"),
        ((2001, 2002), (2003, 2004), "forecast.record.span"),
    ],
)
def test_years_that_are_not_there_or_seen_are_refused(record, known, held, key):
    with pytest.raises(BadInput) as caught:
        hindcast(
            GR4J,
            record,
            calibrate_on=(datetime(known[0], 1, 1), datetime(known[1], 1, 1)),
            verify_on=(datetime(held[0], 1, 1), datetime(held[1], 1, 1)),
            budget=100,
        )
    assert caught.value.key == key


def real(name):
    folder = os.environ.get("YUNMENG_HYDRO_RECORDS", "")
    file = Path(folder) / name
    if not folder or not file.exists():
        pytest.skip(f"YUNMENG_HYDRO_RECORDS names no folder with {name}: the record may not be shipped")
    return file


def airgr():
    columns = {"time": "date", "rain": "P", "evaporation": "E", "observed": "Qmm"}
    record = read_csv(real("L0123001.csv"), columns, step_hours=24, time_format="%d/%m/%Y")
    return record.between(datetime(1989, 1, 1), datetime(2000, 1, 1))


@pytest.mark.parametrize(
    ("model", "params", "rmse"),
    [
        (GR4J, [257.238, 1.012, 88.235, 2.208], 0.7852326),
        (GR5J, [245.918, 1.027, 90.017, 2.198, 0.434], 0.8072707),
    ],
)
def test_ten_years_of_airgrs_basin(model, params, rmse):
    # airGR's own error over 1990-1999, as the tests of hydrogr print it
    record = airgr()
    error = model.run(record.forcing(), params).flow[0, 0] - record.observed
    assert np.sqrt(np.nanmean(error[365:] ** 2)) == pytest.approx(rmse, abs=1e-7)


def test_calibration_finds_the_parameters_of_airgr():
    # airGR's calibration by NSE on the same years: 257.238, 1.012, 88.235, 2.208
    record = airgr()
    found = calibrate(GR4J, record.forcing(), record.observed, warmup=365).compromise
    assert list(found.params.values()) == pytest.approx([257.238, 1.012, 88.235, 2.208], rel=0.01)


def test_the_models_stand_beside_sac_sma():
    # CAMELS basin 01031500 (Piscataquis, Maine): the same rain plus melt and the same demand as SAC-SMA had
    record = read_camels_model(real("01031500_05_model_output.txt"))
    for model in (GR4J, XINANJIANG):
        found = hindcast(
            model,
            record,
            calibrate_on=(datetime(1985, 10, 1), datetime(1995, 10, 1)),
            verify_on=(datetime(2000, 10, 1), datetime(2014, 10, 1)),
            budget=5000,
        )
        assert found.reference is not None
        assert found.reference.scores["nse"] == pytest.approx(0.752, abs=0.001)
        assert found.verified.scores["nse"] > 0.73


def test_snow_can_be_calibrated(weather):
    rain, demand = weather
    cold = 6 - 14 * np.cos(2 * np.pi * np.arange(rain.size) / 365)
    model = with_snow(GR4J)
    forced = forcing(rain, demand, 24, temperature=cold)
    truth = [320.0, 0.3, 60.0, 1.8, 0.3, 4.0, 80.0]
    observed = model.run(forced, truth).flow[0, 0]
    found = calibrate(model, forced, observed, budget=4000, seed=3).compromise
    plain = calibrate(GR4J, forced, observed, budget=1500, seed=3).compromise
    assert found.scores["nse"] > 0.97
    assert found.scores["nse"] > plain.scores["nse"] + 0.1
