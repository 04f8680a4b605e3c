import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.commands.config import lines_of, toml_value
from punktfunk.config import Settings
from punktfunk.config_loading import describe_type, load_settings, schema_at
from punktfunk.errors import ConfigError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config.toml"


def complaints(file, text="", environ=None, flags=None):
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(flags, environ=environ or {}, file=file)
    return str(caught.value).splitlines()


def test_each_source_is_stronger_than_the_one_before(file):
    file.write_text('port = 50000\nfec_percent = 10\nname = "file"\n')
    environ = {"PUNKTFUNK_FEC_PERCENT": "15", "PUNKTFUNK_NAME": "environment", "HOME": "/"}
    loaded = load_settings({"name": "flag", "display": None}, environ=environ, file=file)
    assert (loaded.settings.port, loaded.settings.fec_percent, loaded.settings.name) == (50000, 15, "flag")
    assert loaded.settings.display == "auto"
    assert loaded.origins == {
        "port": str(file),
        "fec_percent": "environment PUNKTFUNK_FEC_PERCENT",
        "name": "flag --name",
    }


def test_everything_has_a_default_and_a_description():
    assert load_settings(environ={}).settings == Settings()
    for key, schema in Settings.model_json_schema()["properties"].items():
        assert schema["description"], key
        assert describe_type(schema_at((key,))), key


def test_the_host_cannot_change_its_settings():
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1


def test_an_unknown_key_names_the_nearest(file):
    assert complaints(file, "fec_percnt = 30\n") == [
        f"{file}: unknown key fec_percnt = 30; the nearest known key is fec_percent"
    ]


def test_a_value_out_of_range_is_told_with_the_range(file):
    assert complaints(file, "fec_percent = 300\n") == [
        f"{file}: fec_percent = 300; allowed: a whole number from 0 to 100"
    ]


def test_a_wrong_type_is_not_converted(file):
    assert complaints(file, 'port = "47989"\nsoftware_hevc = 1\n') == [
        f'{file}: port = "47989"; allowed: a whole number from 1029 to 65514',
        f"{file}: software_hevc = 1; allowed: true or false",
    ]


def test_a_number_may_be_whole_and_has_its_range(file):
    file.write_text("display_scale = 2\n")
    assert load_settings(environ={}, file=file).settings.display_scale == 2.0
    assert complaints(file, 'display_scale = "2"\ndisplay_limit = 0\n') == [
        f'{file}: display_scale = "2"; allowed: a number from 0.5 to 4',
        f"{file}: display_limit = 0; allowed: a whole number from 1 to 16",
    ]


def test_every_mistake_is_told_at_once_with_its_own_source(file):
    lines = complaints(
        file,
        'display = "windows"\nbind = ["here"]\n[[apps]]\nnme = "Game"\n',
        environ={"PUNKTFUNK_PACING": "fast", "PUNKTFUNK_PRT": "1"},
        flags={"realtime_cpu": -1},
    )
    assert set(lines) == {
        f"{file}: bind[0] = \"here\" ('here' does not appear to be an IPv4 or IPv6 address); allowed: text",
        (
            f'{file}: display = "windows"; allowed: one of "auto", "attach", "sway", "wlroots", "gnome", "kwin", '
            '"hyprland", "gamescope", "mirror", "portal", "testcard"'
        ),
        'environment PUNKTFUNK_PACING: pacing = "fast"; allowed: one of "frame", "burst"',
        "flag --realtime-cpu: realtime_cpu = -1; allowed: a whole number from 0 to 4095",
        f"{file}: apps[0].name is missing: text of 1 to 128 characters",
        f'{file}: unknown key apps[0].nme = "Game"; the nearest known key is name',
        "environment PUNKTFUNK_PRT: unknown key prt = 1; the nearest known key is port",
    }


def test_a_broken_file_is_told_with_the_place(file):
    (line,) = complaints(file, "port = \n")
    assert line.startswith(f"{file}: not TOML: ")
    assert "line 1" in line


def test_a_file_asked_for_must_exist(file):
    with pytest.raises(ConfigError, match="no such file"):
        load_settings(environ={}, file=file)


def test_environment_text_becomes_the_type_of_its_key():
    environ = {
        "PUNKTFUNK_BIND": "127.0.0.1, ::1",
        "PUNKTFUNK_SOFTWARE_AV1": "true",
        "PUNKTFUNK_REALTIME_CPU": "1",
        "PUNKTFUNK_STATE": "/tmp/state",
        "PUNKTFUNK_NAME": "17",
        "PUNKTFUNK_APPS": '[{name = "Game", command = "game --full \'screen one\'"}]',
    }
    settings = load_settings(environ=environ).settings
    assert settings.bind == ("127.0.0.1", "::1")
    assert settings.software_av1 is True
    assert settings.realtime_cpu == 1
    assert str(settings.state) == "/tmp/state"
    assert settings.name == "17"
    assert settings.apps[0].command == ("game", "--full", "screen one")


def test_variables_of_kernels_sessions_and_other_programs_are_not_settings():
    load_settings(environ={"PUNKTFUNK_SIMD": "avx2", "PUNKTFUNK_APP": "x", "PATH": "/bin"})


def test_apps_are_read_whole(file):
    file.write_text(
        """
        [[apps]]
        name = "Game"
        command = ["game", "--width", "1"]
        environment = { LANG = "C.UTF-8" }
        working_folder = "/srv"
        prep = [{ do = "mount-it", undo = ["umount-it", "-l"] }, { undo = "cleanup" }]
        """
    )
    (app,) = load_settings(environ={}, file=file).settings.apps
    assert app.command == ("game", "--width", "1")
    assert app.environment == {"LANG": "C.UTF-8"}
    assert str(app.working_folder) == "/srv"
    assert [(step.do, step.undo) for step in app.prep] == [
        (("mount-it",), ("umount-it", "-l")),
        ((), ("cleanup",)),
    ]


def test_what_show_prints_is_the_same_settings_again(file):
    file.write_text(
        'port = 50000\n[[apps]]\nname = "A \\"b\\""\nenvironment = { "a b" = "c" }\nprep = [{ do = "x" }]\n'
    )
    first = load_settings({"state": "/srv/state"}, environ={}, file=file)
    for explain in (False, True):
        file.write_text("\n".join(lines_of(first, explain=explain)))
        again = load_settings(environ={}, file=file)
        assert again.settings == first.settings


@given(
    st.recursive(
        st.text() | st.integers(-(2**62), 2**62) | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_toml_values_are_read_back(value):
    assert tomllib.loads(f"value = {toml_value(value)}")["value"] == value
