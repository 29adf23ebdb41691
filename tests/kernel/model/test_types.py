import pytest

from yunmeng.kernel.base import Broken, NotFound
from yunmeng.kernel.model import DIVISION, SYNTHETIC, Context, expand_entity, load_types

RESERVOIR = """
[[types]]
name = "Reservoir"
zh = "水库"
en = "Reservoir"
standard = "SL 651-2014"

[[types.attributes]]
name = "waterLevel"
kind = "Property"
datatype = "number"
unit = "MTR"
min = -10
max = 200
zh = "水位"
en = "Water level"
grade = 2
telemetry = true
required = true

[[types.attributes]]
name = "gate"
datatype = "string"
values = ["open", "closed"]
zh = "闸门"
en = "Gate"

[[types.attributes]]
name = "river"
kind = "Relationship"
target = "River"
zh = "河流"
en = "River"

[[types.attributes]]
name = "location"
kind = "GeoProperty"
datatype = "geometry"
zh = "位置"
en = "Location"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "water.toml").write_text(RESERVOIR, "utf-8")
    return tmp_path


def test_the_kernel_states_divisions_and_indicators():
    library = load_types([])
    assert {"AdministrativeArea", "Indicator"} <= set(library.types)
    assert (library.terms["division"].uri, library.terms["synthetic"].uri) == (DIVISION, SYNTHETIC)
    assert library.type("https://w3id.org/yunmeng/Indicator").name == "Indicator"


def test_a_table_becomes_a_context(folder):
    terms = load_types([folder]).context()["@context"]
    assert terms["Reservoir"] == "https://w3id.org/yunmeng/Reservoir"
    assert terms["waterLevel"] == "https://w3id.org/yunmeng/waterLevel"
    assert terms["river"] == {"@id": "https://w3id.org/yunmeng/river", "@type": "@id"}
    assert "location" not in terms


def test_a_table_becomes_a_schema(folder):
    library = load_types([folder])
    schema = library.schema("Reservoir")
    assert schema["required"] == ["id", "type", "waterLevel"]
    level = schema["properties"]["waterLevel"]
    assert level["properties"]["value"] == {"type": "number", "minimum": -10.0, "maximum": 200.0}
    assert level["properties"]["unitCode"] == {"type": "string", "default": "MTR"}
    assert (level["title"], level["x-title-zh"], level["x-grade"], level["x-unit"]) == (
        "Water level", "水位", 2, "MTR",
    )  # fmt: skip
    plain = library.schema("Reservoir", "simplified")["properties"]
    assert plain["gate"]["enum"] == ["open", "closed"]
    assert plain["location"]["required"] == ["type", "coordinates"]
    assert "division" in plain
    with pytest.raises(NotFound):
        library.schema("Lake")


def test_a_table_becomes_labels_and_a_reference(folder):
    library = load_types([folder])
    assert library.labels("zh-CN")["Reservoir"] == "水库"
    assert library.labels("zh-CN")["Reservoir.waterLevel"] == "水位"
    assert library.labels("en")["waterLevel"] == "Water level"
    chinese, english = library.reference("zh-CN"), library.reference("en")
    assert "| `waterLevel` | 水位 | Property | number -10..200 | m (MTR) | 2 |" in chinese
    assert "| `river` | River | Relationship → River | any |  | 1 |" in english
    assert "SL 651-2014" in english


def test_its_names_expand(folder):
    context = Context([load_types([folder]).context()["@context"]], [])
    document = expand_entity({"id": "urn:ngsi-ld:Reservoir:1", "type": "Reservoir", "waterLevel": 3}, context)
    assert document["https://w3id.org/yunmeng/waterLevel"] == [{"type": "Property", "value": 3}]


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [
        ('name = "Reservoir"', 'name = "Re servoir"', "Re servoir"),
        ('unit = "MTR"', 'unit = "METRE"', "Reservoir.waterLevel"),
        ("max = 200", "max = -20", "Reservoir.waterLevel"),
        ("grade = 2", "grade = 5", "Reservoir.waterLevel"),
        ("grade = 2", "grades = 2", "Reservoir.waterLevel"),
        ('kind = "Property"', 'kind = "Propety"', "Reservoir.waterLevel"),
        ('datatype = "number"', 'datatype = "string"', "Reservoir.waterLevel"),
        ('zh = "闸门"\n', "", "Reservoir.gate"),
        ('name = "gate"', 'name = "river"', "Reservoir.river"),
        ('kind = "Relationship"', 'kind = "Property"', "Reservoir.river"),
        ('name = "river"', 'name = "river"\nuri = "https://example.org/x"', None),
        ('name = "gate"', 'name = "name"\nuri = "https://example.org/x"', "Reservoir.name"),
        ('name = "Reservoir"', 'name = "Indicator"', "Indicator"),
        ("[[types]]", "[[types", "-"),
    ],
)
def test_bad_tables_name_file_and_row(folder, old, new, row):
    file = folder / "model" / "water.toml"
    file.write_text(RESERVOIR.replace(old, new, 1), "utf-8")
    if row is None:
        assert load_types([folder]).type("Reservoir").attributes[2].uri == "https://example.org/x"
        return
    with pytest.raises(Broken) as caught:
        load_types([folder])
    assert (caught.value.facts["file"], caught.value.facts["row"]) == (str(file), row)
