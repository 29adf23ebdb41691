import pytest

from yunmeng.kernel.base import Broken, JobClaim, JobInput, Name, SystemClaim, read_package

FULL = """
id = "water"
sections = ["4.5"]
tiers = ["county", "province"]
extra = "water"
types = ["Reservoir"]
routes = "yunmeng.converged.water.api:ROUTES"
demo = "yunmeng.converged.water.demo:generate"
work = ["yunmeng.converged.water.seasons:work", "yunmeng.converged.water.clocks:work"]

[name]
zh = "水利"
en = "Water"

[[jobs]]
id = "flood"
run = "yunmeng.converged.water.flood:forecast"
inputs = ["Reservoir"]
[jobs.name]
zh = "洪水预报"
en = "Flood forecast"
[[jobs.form]]
name = "until"
kind = "instant"
zh = "截止时间"
en = "Until"
required = true
[[jobs.form]]
name = "scale"
zh = "规模"
en = "Scale"
default = "small"
choices = ["small", "large"]

[[systems]]
id = "S101"
proof = "tests/converged/water/test_flood.py::test_forecast"

[[systems]]
id = "S102"
proof = "tests/converged/water/test_flood.py::TestFlood::test_dispatch[embedded]"
"""
SMALL = 'id = "rain"\n[name]\nzh = "雨"\nen = "Rain"\n'


def test_every_key_is_read(tmp_path):
    (tmp_path / "package.toml").write_text(FULL, encoding="utf-8")
    found = read_package(tmp_path)
    assert found.folder == tmp_path
    assert found.name.get("en") == "Water"
    assert found.name.get("zh-CN") == "水利"
    assert found.tiers == ("province", "county")
    assert (found.sections, found.types, found.extra) == (("4.5",), ("Reservoir",), "water")
    assert found.routes == "yunmeng.converged.water.api:ROUTES"
    assert found.demo == "yunmeng.converged.water.demo:generate"
    assert found.work == ("yunmeng.converged.water.seasons:work", "yunmeng.converged.water.clocks:work")
    run = "yunmeng.converged.water.flood:forecast"
    form = (
        JobInput("until", Name("截止时间", "Until"), "instant", required=True),
        JobInput("scale", Name("规模", "Scale"), default="small", choices=("small", "large")),
    )
    assert found.jobs == (JobClaim("flood", run, Name("洪水预报", "Flood forecast"), ("Reservoir",), form),)
    assert found.systems[0] == SystemClaim("S101", "tests/converged/water/test_flood.py::test_forecast")
    assert [claim.id for claim in found.systems] == ["S101", "S102"]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('id = "water"', 'id = "Water!"', "id"),
        ('id = "water"', "", "id"),
        ('id = "water"', "id = 5", "id"),
        ('zh = "水利"', "", "name.zh"),
        ('zh = "水利"', 'zh = " "', "name.zh"),
        ('zh = "水利"', 'zh = "水利"\nfr = "Eau"', "name.fr"),
        ('sections = ["4.5"]', 'sections = "4.5"', "sections"),
        ('sections = ["4.5"]', "sections = [4.5]", "sections"),
        ("seasons:work", "seasons", "work"),
        ('"county", "province"', '"village"', "tiers"),
        ('"county", "province"', "", "tiers"),
        ('extra = "water"', 'exrta = "water"', "exrta"),
        ("api:ROUTES", "api.ROUTES", "routes"),
        ("flood:forecast", "flood forecast", "jobs[1].run"),
        ('zh = "洪水预报"', "zh = 1", "jobs[1].name.zh"),
        ('inputs = ["Reservoir"]', "inputs = {}", "jobs[1].inputs"),
        ('kind = "instant"', 'kind = "date"', "jobs[1].form[1].kind"),
        ('kind = "instant"', "kind = []", "jobs[1].form[1].kind"),
        ("required = true", "required = 1", "jobs[1].form[1].required"),
        ('name = "scale"', 'name = "until"', "jobs[1].form[2].name"),
        ('en = "Scale"', "", "jobs[1].form[2].en"),
        ('id = "S101"', 'id = "101"', "systems[1].id"),
        ('id = "S102"', 'id = "S101"', "systems[2].id"),
        ("test_flood.py::test_forecast", "test_flood.py", "systems[1].proof"),
        ('id = "S101"', 'id = "S101"\nproved = true', "systems[1].proved"),
    ],
)
def test_a_fault_names_file_and_key(tmp_path, old, new, key):
    file = tmp_path / "package.toml"
    assert old in FULL
    file.write_text(FULL.replace(old, new), encoding="utf-8")
    with pytest.raises(Broken) as caught:
        read_package(tmp_path)
    assert caught.value.key == "package.bad"
    assert (caught.value.facts["file"], caught.value.facts["key"]) == (str(file), key)


@pytest.mark.parametrize("table", ["jobs = 1", 'jobs = ["a"]', 'name = "x"', "systems = {}"])
def test_a_table_of_the_wrong_shape(tmp_path, table):
    (tmp_path / "package.toml").write_text(table + "\n" + (SMALL if "name" not in table else 'id = "rain"'))
    with pytest.raises(Broken) as caught:
        read_package(tmp_path)
    assert caught.value.facts["key"] == table.split(" ")[0]


def test_what_is_no_toml_names_the_file(tmp_path):
    (tmp_path / "package.toml").write_text("id = ")
    with pytest.raises(Broken, match=r"package\.toml"):
        read_package(tmp_path)
