from pathlib import Path

import pytest

import yunmeng.console
from yunmeng.console import check_names, load_file, load_views
from yunmeng.kernel.base import BadInput, packages
from yunmeng.kernel.model import load_types

TITLE = 'title = { zh-CN = "水位", en = "Level" }'


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "views.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_consoles_own_views_are_good() -> None:
    folder = Path(yunmeng.console.__file__).parent
    views = load_views({"console": folder})
    assert views.layers[0].id == "divisions"
    assert views.package["layers/divisions"] == "console"


def test_a_full_file_reads(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        f"""
[[tiles]]
id = "level"
{TITLE}
type = "Reservoir"
attribute = "waterLevel"
method = "max"
unit = "MTR"
thresholds = [{{ when = "above", at = 175, level = "alarm" }}]
chart = "level-trend"

[[charts]]
id = "level-trend"
{TITLE}
type = "Reservoir"
attribute = "waterLevel"
order = 5
""",
    )
    tile = load_file(file).tiles[0]
    assert tile.title.zh == "水位"
    assert tile.thresholds[0].at == 175
    views = load_views({"water": tmp_path})
    assert views.charts[0].order == 5
    assert views.package == {"tiles/level": "water", "charts/level-trend": "water"}


@pytest.mark.parametrize(
    ("text", "line", "what", "nearest"),
    [
        (
            '[[tiles]]\nid = "a"\n' + TITLE + '\ntype = "T"\natribute = "x"\n',
            5,
            "unknown field `atribute`",
            "attribute",
        ),
        ('[[tiles]]\nid = "a"\n' + TITLE + '\ntype = "T"\nmethod = "mean"\n', 5, "'mean'", "min"),
        ('[[tiles]]\nid = "a"\n' + TITLE + "\ntype = 7\n", 4, "Expected `str`, got `int`", "-"),
        ('[[tiles]]\nid = "a"\n' + TITLE + '\ntype = "T"\n\n[[tiles]]\nid = "b"\n', 6, "title", "-"),
        ('[[layers]]\nid = "a"\n' + TITLE + '\nkind = "area"\n', 4, "'area'", "areas"),
        ('[[layers]]\nid = "a"\n' + TITLE + '\nkind = "areas"\n', 1, "needs a type", "-"),
        ('[[tiles]]\nid = "a"\ntitle = { zh-CN = "水位" }\ntype = "T"\n', 3, "en", "-"),
        ("[[tiles]]\nid = \n", 2, "Invalid value", "-"),
        ('[[tile]]\nid = "a"\n', 1, "unknown field `tile`", "tiles"),
        (
            '[[tiles]]\nid = "a"\n' + TITLE + '\ntype = "T"\nmethod = "count"\npage = "watr"\n',
            6,
            "'watr'",
            "overview",
        ),
        (
            '[[tiles]]\nid = "a"\n' + TITLE + '\ntype = "T"\nmethod = "count"\nchart = "x"\n',
            6,
            "chart 'x'",
            "-",
        ),
        ('[[forms]]\nid = "a"\n' + TITLE + '\njob = "j"\nschema = "no.json"\n', 5, "'no.json'", "-"),
        ('[[tables]]\nid = "a"\n' + TITLE + '\ntype = "T"\ncolumns = []\n', 1, "no columns", "-"),
    ],
)
def test_a_bad_file_is_refused_with_file_and_line(
    tmp_path: Path, text: str, line: int, what: str, nearest: str
) -> None:
    file = write(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        load_views({"p": tmp_path})
    facts = caught.value.facts
    assert caught.value.key == "console.views.bad"
    assert facts["file"] == str(file)
    assert facts["line"] == line, facts
    assert what in str(facts["what"])
    assert facts["nearest"] == nearest


@pytest.mark.parametrize(
    ("lines", "line", "what", "nearest"),
    [
        ('type = "Reservoire"\nattribute = "waterLevel"\n', 4, "'Reservoire' is not known", "Reservoir"),
        ('type = "Reservoir"\nattribute = "waterlevel"\n', 5, "Reservoir has no attribute", "waterLevel"),
    ],
)
def test_names_that_no_type_table_states_are_refused(
    tmp_path: Path, lines: str, line: int, what: str, nearest: str
) -> None:
    library = load_types([package.folder for package in packages()])
    write(tmp_path, '[[tiles]]\nid = "a"\n' + TITLE + "\n" + lines)
    with pytest.raises(BadInput) as caught:
        check_names({"p": tmp_path}, library)
    assert caught.value.facts["line"] == line
    assert what in str(caught.value.facts["what"])
    assert caught.value.facts["nearest"] == nearest


def test_every_installed_view_is_good() -> None:
    folders = {package.id: package.folder for package in packages()}
    assert load_views(folders).tiles
    check_names(folders, load_types(folders.values()))


def test_two_packages_may_not_share_an_id(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, f'\n[[layers]]\nid = "same"\n{TITLE}\nkind = "outlines"\n')
    with pytest.raises(BadInput) as caught:
        load_views({"a": tmp_path / "a", "b": tmp_path / "b"})
    assert caught.value.facts["line"] == 3
    assert "'a'" in str(caught.value.facts["what"])
