"""An installed distribution that registers a package, made in a folder on the path."""

import importlib
import sys

import pytest

from yunmeng.kernel.base import registry, words


def forget():
    registry._installed.cache_clear()
    words._catalogue.cache_clear()
    importlib.invalidate_caches()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Returns a function that registers an importable folder whose modules must not be imported."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def add(name, manifest, target=None):
        folder = site.joinpath(*name.split("."))
        folder.mkdir(parents=True)
        for step in (folder, *folder.parents):
            if step == site:
                break
            (step / "__init__.py").write_text("raise AssertionError('imported')\n")
        if manifest is not None:
            (folder / "package.toml").write_text(manifest, encoding="utf-8")
        info = site / f"{name.replace('.', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name.replace('.', '-')}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{name} = {target or name}\n")
        forget()
        return folder

    yield add
    monkeypatch.undo()
    for name in [
        name for name in sys.modules if name.split(".")[0] in {path.name for path in site.iterdir()}
    ]:
        del sys.modules[name]
    forget()
