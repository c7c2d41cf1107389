"""Settings: one table gives flags, environment, file, help and print."""

import os

import pytest
from marks import serve


def complaint(done):
    assert done.returncode not in (0, None), done.stdout
    assert done.returncode > 0, "ended by a signal"
    return (done.stderr + done.stdout).decode()


def printed(world, *words, environment=None):
    done = world.tidings("serve", "--print-config", *words,
                         environment=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def value(text, name):
    rows = [line.partition("=") for line in text.splitlines()
            if not line.lstrip().startswith("#")]
    return {key.strip(): found.strip() for key, _, found in rows}[name]


def config_file(world, text):
    path = world.directory / "made.conf"
    path.write_text(text)
    return path


def test_help_names_commands_and_every_setting(idle_world):
    done = idle_world.tidings("--help")
    assert done.returncode == 0
    for word in ("serve", "publish", "tail", "channels", "log", "version"):
        assert word in done.stdout.decode(), word
    serve_help = idle_world.tidings("serve", "--help")
    assert serve_help.returncode == 0
    for name in ("listen", "keep_age_ms", "outbox_bytes", "log_format"):
        text = serve_help.stdout.decode().replace("-", "_")
        assert name in text, name


def test_version_is_said(idle_world):
    done = idle_world.tidings("version")
    assert done.returncode == 0 and b"tidings" in done.stdout.lower()


def test_print_config_loads_to_the_same(idle_world):
    first = printed(idle_world, "--head_ms", "1234", "--data", "here")
    path = config_file(idle_world, first)
    assert printed(idle_world, "--config", path) == first
    assert value(first, "head_ms").startswith("1234")


def test_flag_beats_environment_beats_file_beats_default(idle_world):
    path = config_file(idle_world, "head_ms = 111\n")
    environment = {"TIDINGS_HEAD_MS": "222"}
    assert value(printed(idle_world), "head_ms") == "10000"
    assert value(printed(idle_world, "--config", path), "head_ms") == "111"
    assert value(printed(idle_world, "--config", path,
                         environment=environment), "head_ms") == "222"
    assert value(printed(idle_world, "--config", path, "--head_ms", "333",
                         environment=environment), "head_ms") == "333"


def test_tidings_conf_here_is_read_without_being_named(idle_world):
    (idle_world.directory / "tidings.conf").write_text("head_ms = 444\n")
    assert value(printed(idle_world), "head_ms") == "444"


@pytest.mark.parametrize("words, number", [
    ("1500", "1500"), ("1500ms", "1500"), ("2s", "2000"), ("1m", "60000"),
    ("2 s", "2000"),
])
def test_a_number_may_carry_its_unit(idle_world, words, number):
    path = config_file(idle_world, f"head_ms = {words}\n")
    assert value(printed(idle_world, "--config", path), "head_ms") == number


@pytest.mark.parametrize("text, line, word", [
    ("head_ms = 5000\nhaed_ms = 1\n", 2, "haed_ms"),
    ("head_ms = soon\n", 1, "head_ms"),
    ("head_ms = 1\n", 1, "head_ms"),
    ("head_ms = 99999999999\n", 1, "head_ms"),
    ("# fine\n\nenvelope = sometimes\n", 3, "envelope"),
    ("insecure = perhaps\n", 1, "insecure"),
    ("head_ms\n", 1, "head_ms"),
    ("[channel a..b]\nkeep_count = 1\n", 1, "channel"),
    ("[channel a]\nhead_ms = 5\n", 2, "head_ms"),
    ("[chanel a]\n", 1, "chanel"),
], ids=["unknown", "no number", "too small", "too big", "no choice", "no flag",
        "no value", "bad pattern", "not of a channel", "bad section"])
def test_a_mistake_in_the_file_is_named_with_its_line(idle_world, text, line,
                                                      word):
    path = config_file(idle_world, text)
    for command in (["serve", "--print-config"], ["check"]):
        said = complaint(idle_world.tidings(*command, "--config", path))
        assert f"made.conf:{line}:" in said, said
        assert word in said, said


@pytest.mark.parametrize("words", [
    ["--haed_ms", "1"], ["--head_ms"], ["--head_ms", "x"], ["--head_ms=0"],
    ["stray"], ["--config", "no-such-file"], ["--envelope", "sometimes"],
], ids=" ".join)
def test_a_mistake_in_the_flags_is_an_error(idle_world, words):
    said = complaint(idle_world.tidings("serve", *words))
    assert words[0].lstrip("-").split("=")[0] in said.replace("-", "_")\
        .replace("no_such", "no-such") or words[-1] in said, said


def test_a_mistake_in_the_environment_is_an_error(idle_world):
    done = idle_world.tidings("check", environment={"TIDINGS_HEAD_MS": "x"})
    assert "head_ms" in complaint(done).lower()


def test_flags_take_equals_signs_and_dashes(idle_world):
    assert value(printed(idle_world, "--head-ms=555"), "head_ms") == "555"


def test_check_says_yes_to_good_settings(idle_world):
    path = config_file(idle_world, "[channel orders.*]\nkeep_count = 5\n")
    done = idle_world.tidings("check", "--config", path)
    assert done.returncode == 0, done.stderr


def test_an_unknown_command_is_an_error(idle_world):
    assert "serv" in complaint(idle_world.tidings("serv"))


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_8_only_loopback_is_served_while_nobody_needs_a_token(idle_world,
                                                              address):
    """Section 8: without keys the server only starts on a loopback address
    unless --insecure."""
    done = idle_world.tidings("serve", "--listen", address,
                              "--data", idle_world.data)
    assert "insecure" in complaint(done)


@serve(insecure=True)
def test_8_insecure_is_a_way_out(idle_world):
    idle_world.settings["listen"] = "0.0.0.0:0"
    idle_world.start()
    assert idle_world.get("/healthz").status == 200


def test_3_a_retry_above_the_keep_alive_is_warned_of(idle_world):
    idle_world.start(retry_ms=20000, keepalive_ms=15000)
    idle_world.stop()
    warnings = [line for line in idle_world.output().splitlines()
                if "level=warn" in line and "retry" in line]
    assert warnings, idle_world.output()


def test_the_defaults_give_no_warning(world):
    world.stop()
    warnings = [line for line in world.output().splitlines()
                if "level=warn" in line and "running as root" not in line]
    assert not warnings


@serve(log_format="json")
def test_the_log_can_be_json(world):
    import json
    world.stop()
    lines = world.output().splitlines()
    assert lines
    for line in lines:
        assert isinstance(json.loads(line), dict), line


def test_no_setting_comes_from_outside(idle_world):
    """The tests themselves must not be steered by the caller's environment."""
    assert not [name for name in os.environ if name.startswith("TIDINGS_")
                and name not in ("TIDINGS_BIN", "TIDINGS_TEST_SLOWNESS",
                                 "TIDINGS_SEEDED_BIN", "TIDINGS_BUG")]
