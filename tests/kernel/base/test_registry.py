import sys

import pytest

from yunmeng.kernel.base import Broken, Name, package_folder, packages

SMALL = 'id = "rain"\n[name]\nzh = "雨"\nen = "Rain"\n'
OTHER = SMALL.replace("rain", "snowfall")


def test_an_installed_package_is_found_and_nothing_of_it_imported(install):
    folder = install("outside.weather.rain", SMALL)
    found = {each.id: each for each in packages()}["rain"]
    assert found.folder == folder
    assert found.name == Name("雨", "Rain")
    assert found.tiers == ("province", "city", "county")
    assert not [name for name in sys.modules if name.split(".")[0] == "outside"]


def test_extra_folders_join_and_are_ordered(tmp_path, install):
    install("rain", SMALL)
    (tmp_path / "package.toml").write_text(OTHER, encoding="utf-8")
    found = [each.id for each in packages(extra_folders=[tmp_path])]
    assert found == sorted(found)
    assert {"rain", "snowfall"} <= set(found)


def test_one_folder_named_twice_is_one_package(install):
    folder = install("rain", SMALL)
    assert [each.id for each in packages(extra_folders=[folder])].count("rain") == 1


def test_two_folders_of_one_id_are_refused(tmp_path, install):
    install("rain", SMALL)
    (tmp_path / "package.toml").write_text(SMALL, encoding="utf-8")
    with pytest.raises(Broken) as caught:
        packages(extra_folders=[tmp_path])
    assert caught.value.key == "package.twice"


@pytest.mark.parametrize(
    ("name", "target"), [("rain", "rain.nowhere"), ("rain", "no_such_module_at_all"), ("rain", "sys")]
)
def test_an_entry_that_leads_nowhere_is_an_error(install, name, target):
    install(name, SMALL, target)
    with pytest.raises(Broken) as caught:
        packages()
    assert caught.value.key == "package.absent"


def test_a_folder_without_the_file_is_an_error(install):
    install("rain", None)
    with pytest.raises(Broken) as caught:
        packages()
    assert caught.value.key == "package.absent"


def test_the_folder_of_our_own_packages():
    assert package_folder("yunmeng.kernel.base").joinpath("registry.py").exists()
