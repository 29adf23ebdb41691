import pickle
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunmeng.kernel.base import (
    BadInput,
    Origin,
    Secret,
    Settings,
    Unavailable,
    explain,
    label,
    load_settings,
    profiles,
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_defaults():
    settings = load_settings(env={})
    assert settings == Settings()
    assert (settings.node.tier, settings.node.division) == ("province", "420000")
    assert (settings.http.host, settings.http.port, settings.http.max_body) == ("127.0.0.1", 8420, 8 << 20)
    assert (settings.keeper.linger_ms, settings.keeper.batch, settings.keeper.future_tolerance_s) == (
        250,
        10_000,
        300,
    )


def test_each_layer_overrides_the_one_before_and_is_remembered(tmp_path):
    file = tmp_path / "node.toml"
    file.write_text("[http]\nport = 1\nworkers = 2\nmax_body = 3000\n[bus]\nmax_bytes = 2_000_000\n")
    env = {"YUNMENG__HTTP__WORKERS": "5", "YUNMENG__HTTP__MAX_BODY": "4000", "HOME": "/"}
    settings = load_settings(file, env, ["http.max_body=5000"], profile="province")
    assert (settings.http.port, settings.http.workers, settings.http.max_body) == (1, 5, 5000)
    assert settings.bus.max_bytes == 2_000_000
    assert settings.origins["http.port"] == Origin("file", str(file))
    assert settings.origins["http.workers"] == Origin("environment", "YUNMENG__HTTP__WORKERS")
    assert settings.origins["http.max_body"] == Origin("command line", "http.max_body")
    assert settings.origins["node.tier"].source == "profile"
    assert "http.host" not in settings.origins


def test_the_file_of_the_working_folder_is_read(tmp_path):
    assert load_settings(env={}).http.port == 8420
    (tmp_path / "yunmeng.toml").write_text("[http]\nport = 9\n")
    assert load_settings(env={}).http.port == 9


def test_the_process_environment_is_read(monkeypatch):
    monkeypatch.setenv("YUNMENG__DEMO__ENABLED", "on")
    assert load_settings().demo.enabled is True


@pytest.mark.parametrize("name", ["province", "city", "county"])
def test_profiles_ship_and_set_their_tier(name):
    place = {"province": "420000", "city": "420100", "county": "420102"}[name]
    assert load_settings(env={}, profile=name, overrides=[f"node.division={place}"]).node.tier == name
    assert set(profiles()) == {"province", "city", "county"}


@pytest.mark.parametrize(
    ("override", "key", "nearest"),
    [
        ("http.prot=1", "http.prot", "http.port"),
        ("htpp.port=1", "htpp.port", "http.port"),
        ("keeper.lingerms=1", "keeper.lingerms", "keeper.linger_ms"),
        ("http=1", "http.", "http.url"),
        ("contexts=1", "contexts.", ""),
        ("zzzzzz.qqqqqq=1", "zzzzzz.qqqqqq", ""),
    ],
)
def test_an_unknown_key_names_the_nearest(override, key, nearest):
    with pytest.raises(BadInput) as caught:
        load_settings(env={}, overrides=[override])
    assert caught.value.key == "settings.unknown"
    assert caught.value.facts["key"] == key
    if nearest:
        assert caught.value.facts["nearest"] == nearest


def test_an_unknown_variable_or_table_says_where_it_stands(tmp_path):
    with pytest.raises(BadInput) as caught:
        load_settings(env={"YUNMENG__HTTP__POTR": "1"})
    assert caught.value.facts["where"] == "YUNMENG__HTTP__POTR"
    (tmp_path / "a.toml").write_text("port = 1\n")
    with pytest.raises(BadInput) as caught:
        load_settings(tmp_path / "a.toml", {})
    assert caught.value.facts["where"] == str(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("http.port=eighty", "settings.type"),
        ("http.port=", "settings.type"),
        ("http.port=1.5", "settings.type"),
        ("http.console=perhaps", "settings.type"),
        ("demo.rate=fast", "settings.type"),
        ("node.data=", "settings.type"),
        ("http.port=70000", "settings.range"),
        ("http.port=-1", "settings.range"),
        ("http.workers=0", "settings.range"),
        ("demo.rate=nan", "settings.range"),
        ("bus.engine=kafka", "settings.choice"),
        ("node.tier=village", "settings.choice"),
        ("node.division=110000", "division.unknown"),
        ("node.division=420100", "settings.tier"),
        ("node.tier=city", "settings.tier"),
        ("http.port", "settings.syntax"),
        ("state.password=hunter2", "settings.secret"),
        ("state.password=env:", "settings.secret"),
        ("state.url=postgresql://me:hunter2@db/x", "settings.url_secret"),
    ],
)
def test_a_bad_value_is_refused_and_no_secret_repeated(override, key):
    with pytest.raises(BadInput) as caught:
        load_settings(env={}, overrides=[override])
    assert caught.value.key == key
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[http]\nport = "x"\n', "settings.type"),
        ("[http]\nport = true\n", "settings.type"),
        ("[http]\nconsole = 1\n", "settings.type"),
        ("[node]\nname = 5\n", "settings.type"),
        ("[state]\npassword = 12345\n", "settings.type"),
        ("[state]\nurl = []\n", "settings.type"),
        ("[bus]\nengine = []\n", "settings.choice"),
        ("[http]\nport = {}\n", "settings.type"),
        ("[http\n", "settings.syntax"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, text, key):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(BadInput) as caught:
        load_settings(tmp_path / "a.toml", {})
    assert caught.value.key == key
    assert "12345" not in repr(caught.value)


def test_a_file_or_profile_that_is_not_there():
    with pytest.raises(BadInput) as caught:
        load_settings("nowhere.toml", {})
    assert caught.value.key == "settings.absent"
    with pytest.raises(BadInput) as caught:
        load_settings(env={}, profile="village")
    assert caught.value.facts["known"] == ("city", "county", "province")


def test_paths_in_a_file_are_relative_to_it(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "a.toml").write_text('[node]\ndata = "data"\n[contexts]\n"https://x.org/c?a=b" = "c.jsonld"\n')
    settings = load_settings("etc/a.toml", {}, ["contexts.https://y.org/c?a=b=d.jsonld"])
    assert settings.node.data == folder / "data"
    assert settings.contexts == {
        "https://x.org/c?a=b": folder / "c.jsonld",
        "https://y.org/c?a=b": Path("d.jsonld"),
    }


def test_explain_shows_every_value_its_origin_and_its_purpose():
    settings = load_settings(
        env={"YUNMENG__STATE__PASSWORD": "env:DB_PASSWORD"},
        overrides=["contexts.https://x.org=c", "http.console=no"],
    )
    shown = {each.key: each for each in explain(settings, "en")}
    assert shown["http.port"].value == "8420"
    assert shown["http.port"].origin.source == "default"
    assert shown["http.console"].value == "false"
    assert shown["state.password"].value == "env:DB_PASSWORD"
    assert shown["state.password"].origin == Origin("environment", "YUNMENG__STATE__PASSWORD")
    assert shown["contexts.https://x.org"].value == "c"


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_every_setting_has_words(lang):
    for each in explain(load_settings(env={}, overrides=["contexts.https://x.org=c"]), lang):
        assert each.about
        assert not each.about.startswith("settings."), each.key
    assert not label("settings.contexts", lang).startswith("settings.")


def test_secrets_are_read_where_they_are_kept(tmp_path, monkeypatch):
    (tmp_path / "key").write_text("s3cret\n")
    monkeypatch.setenv("DB_PASSWORD", "from env")
    assert Secret(f"file:{tmp_path / 'key'}").reveal() == "s3cret"
    assert Secret("env:DB_PASSWORD").reveal() == "from env"
    assert Secret().reveal() == ""
    assert not Secret()
    for reference in ("env:NO_SUCH_NAME_HERE", f"file:{tmp_path / 'none'}"):
        with pytest.raises(Unavailable) as caught:
            Secret(reference).reveal()
        assert caught.value.facts == {"reference": reference}


def test_a_secret_is_never_shown(monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    settings = load_settings(env={}, overrides=["state.password=env:DB_PASSWORD"])
    assert settings.state.password.reveal() == "hunter2"
    assert "hunter2" not in repr(settings) + repr(explain(settings))


TEXTS = [
    f"{section.name}.{each.name}"
    for section in fields(Settings)
    if section.name not in {"contexts", "gateways", "schedule", "origins"}
    for each in fields(type(getattr(Settings(), section.name)))
]


@given(st.sampled_from(TEXTS), st.text(st.characters(exclude_characters="="), max_size=12))
def test_any_text_is_taken_or_refused_with_a_key(key, text):
    section, _, name = key.partition(".")
    outcome = "taken"
    try:
        value = getattr(getattr(load_settings(env={}, overrides=[f"{key}={text}"]), section), name)
        assert isinstance(value, type(getattr(getattr(Settings(), section), name)))
    except BadInput as error:
        outcome = error.key
    assert outcome == "taken" or outcome.startswith(("settings.", "division."))


def test_settings_cross_processes():
    settings = load_settings(env={}, overrides=["http.port=9", "contexts.https://x.org=c"])
    assert pickle.loads(pickle.dumps(settings)) == settings
