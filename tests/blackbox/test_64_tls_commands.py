"""The commands in a terminal against a server that speaks TLS."""

import json

import pytest
from certificates import Pair


@pytest.fixture
def tls_world(idle_world):
    idle_world.start(tls=True)
    return idle_world


def ask(world, *words, authority=None, host="localhost", stdin=b""):
    return world.tidings(*words, "--url", f"https://{host}:{world.tls_port}",
                         stdin=stdin, environment={"TIDINGS_CA": str(
                             authority or world.pair.certificate)})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_commands_speak_https(tls_world, host):
    done = ask(tls_world, "publish", "news", "hello", host=host)
    assert done.returncode == 0, done.stderr
    identity = int(done.stdout)
    assert tls_world.dump()[0]["id"] == identity
    listed = ask(tls_world, "channels", "--json", host=host)
    assert listed.returncode == 0, listed.stderr
    assert "news" in listed.stdout.decode()


def test_many_lines_go_by_one_connection(tls_world):
    before = tls_world.metrics()["tls_handshakes"]
    done = ask(tls_world, "publish", "news", "-", "--lines",
               stdin=b"".join(b"%d\n" % number for number in range(300)))
    assert done.returncode == 0, done.stderr
    assert [event["data"] for event in tls_world.dump()] == \
        [f"{number}" for number in range(300)]
    assert tls_world.metrics()["tls_handshakes"] <= before + 3


def test_a_large_answer_comes_whole(tls_world):
    for number in range(50):
        tls_world.publish("news", f"{number}".rjust(100000))
    done = ask(tls_world, "tail", "news", "--after", "earliest", "--count",
               "50", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [int(line["data"]) for line in lines] == list(range(50))


def test_a_server_that_nobody_vouches_for_is_refused(tls_world, tmp_path):
    done = ask(tls_world, "publish", "news", "hello",
               authority=Pair(tmp_path, "other").certificate)
    assert done.returncode == 1
    assert b"certificate" in done.stderr
    assert tls_world.dump() == []


def test_a_server_of_another_name_is_refused(idle_world):
    idle_world.start(tls=True, listen_tls="127.0.0.2:0")
    done = ask(idle_world, "publish", "news", "hello", host="127.0.0.2")
    assert done.returncode == 1
    assert b"mismatch" in done.stderr


def test_a_file_without_certificates_is_told(tls_world, tmp_path):
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing\n")
    done = ask(tls_world, "publish", "news", "hello", authority=nothing)
    assert done.returncode == 1
    assert b"nothing.pem" in done.stderr


def test_https_on_a_port_without_it_is_an_error(tls_world):
    done = tls_world.tidings("publish", "news", "hello", "--url",
                             f"https://localhost:{tls_world.port}")
    assert done.returncode == 1
    assert b"TLS" in done.stderr
