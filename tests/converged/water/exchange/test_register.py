"""The register in and out: CSV, Excel, GeoJSON; whole or not at all."""

import io
import zipfile
from datetime import datetime

import msgspec
import pytest
from tests.nodes import refused

from yunmeng.converged.water.exchange import (
    check_register,
    decode_csv,
    read_csv,
    read_excel,
    read_features,
    to_bodies,
    to_rows,
    write_csv,
    write_excel,
    write_features,
)
from yunmeng.kernel.base import packages
from yunmeng.kernel.model import load_types

LIBRARY = load_types([package.folder for package in packages()])

RESERVOIRS = """编码,名称,行政区划,经度,纬度,scale,floodLimitLevel,flowsInto,有闸控
42010600001,白莲河水库,421125,115.42,30.62,large-2,104.0,Reservoir:42010600002,是
42010600002,下游水库,421125,115.30,30.50,medium,80,,否
"""
CURVES = [
    ["code", "水位", "库容"],
    ["42010600001", 80, 1.0],
    ["42010600001", 100, 8.5],
    ["42010600001", 110, 12.5],
]


def workbook(**sheets: list[list[object]]) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for title, lines in sheets.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def reservoir_lines() -> list[list[object]]:
    return [line.split(",") for line in RESERVOIRS.splitlines()]


def test_a_table_with_chinese_headings_becomes_entities() -> None:
    first, second = to_bodies(read_csv(RESERVOIRS, "Reservoir", LIBRARY), LIBRARY)
    assert first["id"] == "urn:ngsi-ld:Reservoir:42010600001"
    assert first["name"] == "白莲河水库"
    assert first["floodLimitLevel"] == {"value": 104, "unitCode": "MTR"}
    assert first["flowsInto"] == {"object": second["id"]}
    assert first["location"]["coordinates"] == [115.42, 30.62]
    assert (first["gated"], second["gated"]) == (True, False)


def test_excel_brings_curves_in_a_sheet_of_their_own() -> None:
    rows = read_excel(workbook(水库=reservoir_lines(), 曲线=CURVES), LIBRARY)
    first, second = to_bodies(rows, LIBRARY)
    assert first["curves"]["json"] == {"level": [80.0, 100.0, 110.0], "storage": [1.0, 8.5, 12.5]}
    graph = check_register([first, second])
    assert graph.downstream(first["id"]) == (second["id"],)


def test_what_was_written_is_read_again() -> None:
    simple = [
        {
            "id": "urn:ngsi-ld:Reservoir:1",
            "type": "Reservoir",
            "reservoirCode": "1",
            "name": "一",
            "division": "420106",
            "floodLimitLevel": 100.5,
            "curves": {"level": [1, 2], "storage": [0, 1]},
            "location": {"type": "Point", "coordinates": [114.5, 30.5]},
        }
    ]
    rows = to_rows(simple)
    for back in (
        read_csv(write_csv(rows["Reservoir"]), "Reservoir", LIBRARY),
        read_excel(write_excel(rows), LIBRARY),
        read_features(write_features(simple), LIBRARY),
    ):
        (body,) = to_bodies(back, LIBRARY)
        assert body["id"] == simple[0]["id"]
        assert body["floodLimitLevel"] == {"value": 100.5, "unitCode": "MTR"}
        assert body["curves"] == {"json": {"level": [1, 2], "storage": [0, 1]}}
        assert body["location"]["coordinates"] == [114.5, 30.5]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("1,a,999999,115,30,medium,1,,是", "999999"),
        ("1,a,421125,215,30,medium,1,,是", "215"),
        ("1,a,421125,115,30,huge,1,,是", "huge"),
        ("1,a,421125,115,30,medium,high,,是", "high"),
        (",a,421125,115,30,medium,1,,是", "reservoirCode"),
        ("1,a,421125,115,30,medium,1,2,是", "Type:code"),
        ("1,a,421125,115,30,medium,1,,maybe", "maybe"),
        ("42010600002,a,421125,115,30,medium,1,,是", "twice"),
    ],
)
def test_one_bad_row_refuses_all_and_is_named(row: str, fault: str) -> None:
    with refused("water.rows") as caught:
        to_bodies(read_csv(RESERVOIRS + row + "\n", "Reservoir", LIBRARY), LIBRARY)
    assert fault in str(caught.value.facts["faults"])
    assert "Reservoir 4" in str(caught.value.facts["faults"])
    assert caught.value.facts["count"] == 1


def test_an_unknown_heading_is_named_with_the_nearest() -> None:
    with refused("water.column") as caught:
        read_csv("编码,汛限水为\n1,2\n", "Reservoir", LIBRARY)
    assert caught.value.facts["nearest"] == "汛限水位"


@pytest.mark.parametrize("text", ["", "编码\n", "编码,编码\n1,2\n", "编码\n1,2\n"])
def test_what_is_no_table_is_refused(text: str) -> None:
    with refused("water.sheet"):
        read_csv(text, "Reservoir", LIBRARY)


def test_a_workbook_of_something_else_is_refused() -> None:
    with refused("water.sheet"):
        read_excel(b"PK not a workbook", LIBRARY)
    with refused("water.sheet") as caught:
        read_excel(workbook(Reservior=reservoir_lines()), LIBRARY)
    assert caught.value.facts["reason"] == "Reservoir"


def test_broken_curves_cycles_and_loose_links_are_refused() -> None:
    lines = [*CURVES, ["42010600001", 120, 12.0]]
    bodies = to_bodies(read_excel(workbook(水库=reservoir_lines(), curves=lines), LIBRARY), LIBRARY)
    with refused("curve.monotone"):
        check_register(bodies)
    circle = RESERVOIRS.replace("80,,否", "80,Reservoir:42010600001,否")
    with refused("river.cycle") as caught:
        check_register(to_bodies(read_csv(circle, "Reservoir", LIBRARY), LIBRARY))
    assert "42010600001" in str(caught.value.facts["path"])
    loose = RESERVOIRS.replace("Reservoir:42010600002", "Reservoir:7")
    with refused("river.unknown"):
        check_register(to_bodies(read_csv(loose, "Reservoir", LIBRARY), LIBRARY))
    bodies = to_bodies(read_csv(loose, "Reservoir", LIBRARY), LIBRARY)
    check_register(bodies, [{"id": "urn:ngsi-ld:Reservoir:7"}])


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"{}", "FeatureCollection"),
        (b"[", "Input"),
        ({"features": [{"properties": {"type": "Lake"}}]}, "Lake"),
        ({"features": [{"properties": {"type": "River", "riverCode": "1", "lenght": 2}}]}, "lenght"),
        ({"features": [3]}, "properties"),
    ],
)
def test_geojson_that_does_not_fit_is_refused(document: object, reason: str) -> None:
    data = document if isinstance(document, bytes) else msgspec.json.encode(document)
    with refused("water.features") as caught:
        read_features(data, LIBRARY)
    assert reason in str(caught.value.facts["reason"])


def test_a_line_of_a_river_stays_a_line() -> None:
    line = {"type": "LineString", "coordinates": [[114, 30], [115, 31]]}
    feature = {"type": "Feature", "geometry": line, "properties": {"type": "River", "riverCode": "F1"}}
    rows = read_features(msgspec.json.encode({"type": "FeatureCollection", "features": [feature]}), LIBRARY)
    (body,) = to_bodies(rows, LIBRARY)
    assert body["location"] == line


def test_a_circle_that_closes_over_what_is_known_is_refused() -> None:
    known = [
        {"id": "urn:ngsi-ld:Reservoir:1", "type": "Reservoir", "flowsInto": "urn:ngsi-ld:Reservoir:2"},
        {"id": "urn:ngsi-ld:Reservoir:2", "type": "Reservoir"},
    ]
    back = "reservoirCode,flowsInto\n2,Reservoir:1\n"
    bodies = to_bodies(read_csv(back, "Reservoir", LIBRARY), LIBRARY)
    with refused("river.cycle"):
        check_register(bodies, known)
    turned = "reservoirCode,flowsInto\n2,Reservoir:1\n1,Reservoir:3\n3,\n"
    check_register(to_bodies(read_csv(turned, "Reservoir", LIBRARY), LIBRARY), known)


def test_a_table_as_excel_saves_it_in_china_is_read() -> None:
    assert (
        decode_csv(RESERVOIRS.encode("gb18030")) == decode_csv(RESERVOIRS.encode("utf-8-sig")) == RESERVOIRS
    )
    with refused("water.sheet"):
        decode_csv(b"\xff\xff\xff")


def test_a_field_too_long_for_a_table_is_refused_with_words() -> None:
    with refused("water.sheet"):
        read_csv(f'编码,名称\n1,"{"x" * 200_000}"\n', "Reservoir", LIBRARY)


def test_a_row_is_named_as_the_file_counts_it() -> None:
    table = "编码,scale\n\n\n1,huge\n"
    with refused("water.rows") as said:
        to_bodies(read_csv(table, "Reservoir", LIBRARY), LIBRARY)
    assert "Reservoir 4:" in said.value.facts["faults"]


@pytest.mark.parametrize("value", [float("inf"), 1e999, [1], {"a": 1}])
def test_a_number_that_is_none_is_a_fault_of_its_row(value: object) -> None:
    rows = {"Reservoir": [{"code": "1", "catchmentArea": value, "row": 1}]}
    with refused("water.rows"):
        to_bodies(rows, LIBRARY)


def test_days_and_times_of_excel_are_beijing_time() -> None:
    sheet = [
        ["permitCode", "validFrom", "validTo"],
        ["P1", datetime(2026, 6, 1), datetime(2027, 6, 1, 8, 30)],
    ]
    (body,) = to_bodies(read_excel(workbook(WaterPermit=sheet), LIBRARY), LIBRARY)
    assert body["validFrom"]["value"] == {"@type": "Date", "@value": "2026-06-01"}
    assert body["validTo"]["value"] == {"@type": "DateTime", "@value": "2027-06-01T08:30:00+08:00"}


def test_a_name_is_no_formula_and_comes_back_from_excel() -> None:
    name = '=HYPERLINK("http://example.org","x")\x07'
    made = write_excel({"Reservoir": [{"code": "1", "name": name}]})
    assert read_excel(made, LIBRARY)["Reservoir"][0]["name"] == name[:-1]


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed, packed.open("xl/a.xml", "w") as member:
        for _ in range(520):
            member.write(bytes(1 << 20))
    with refused("water.sheet") as said:
        read_excel(out.getvalue(), LIBRARY)
    assert "bytes" in said.value.facts["reason"]
