"""NATS servers that want to know who comes: every way to log in, TLS, and what
is said and tried on when it does not work. No secret is ever shown."""

import pytest

from nats_secrets import Authority, GuardedServer, Nkey, Operator
from patience import eventually

PASSWORD = "s3cret-of-the-cheese"
USERS = ("authorization { users: [ { user: tidings, password: \"%s\" } ] }\n"
         % PASSWORD)
TOKEN = f"authorization {{ token: \"{PASSWORD}\" }}\n"


@pytest.fixture
def guarded(tmp_path):
    """Makes nats-servers; ends them."""
    servers = []

    def make(config):
        directory = tmp_path / f"nats-{len(servers)}"
        directory.mkdir()
        servers.append(GuardedServer(directory, config=config))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


def publish_by_nats(world, server_url, environment=None):
    return world.tidings("publish", "cheese", "Sbrinz", "--nats", server_url,
                         environment=environment)


def serves(world, url, secrets=(), **settings):
    """Starts, is ready, and an event of `tidings publish` arrives. `secrets`
    are settings that go by the environment."""
    environment = {f"TIDINGS_{name.upper()}": str(value)
                   for name, value in {**dict(secrets), **settings}.items()
                   if name.startswith("nats_")}
    world.environment.update(environment)
    world.start(nats=url)
    world.wait_until_ready()
    done = publish_by_nats(world, url, environment)
    assert done.returncode == 0, done.stderr
    assert [event["data"] for event in world.dump()] == ["Sbrinz"]
    assert PASSWORD not in world.output()


def is_not_ready(world):
    answer = world.get("/readyz")
    return answer.status == 503


# ---- one way after the other ---------------------------------------------------

def test_user_and_password(idle_world, guarded):
    serves(idle_world, guarded(USERS).url,
           {"nats_user": "tidings", "nats_password": PASSWORD})


def test_user_and_password_in_a_file(idle_world, guarded):
    server = guarded(USERS)
    path = idle_world.directory / "made.conf"
    path.write_text(f"nats_user = tidings\nnats_password = {PASSWORD}\n")
    idle_world.start(nats=server.url, config=path)
    idle_world.wait_until_ready()
    done = idle_world.tidings("publish", "cheese", "x", "--nats", server.url,
                              "--config", path)
    assert done.returncode == 0, done.stderr


def test_user_and_password_in_the_url(idle_world, guarded):
    server = guarded(USERS)
    serves(idle_world,
           f"nats://tidings:{PASSWORD}@127.0.0.1:{server.port}")


def test_a_token(idle_world, guarded):
    serves(idle_world, guarded(TOKEN).url, {"nats_token": PASSWORD})


def test_an_nkey(idle_world, guarded, tmp_path):
    user = Nkey(tmp_path, "U")
    seed = tmp_path / "seed"
    seed.write_text(user.seed)
    server = guarded("authorization { users: [ { nkey: %s } ] }\n"
                     % user.public)
    serves(idle_world, server.url,
           {"nats_nkey": user.public, "nats_nkey_seed": seed})


def test_credentials_of_an_operators_account(idle_world, guarded, tmp_path):
    operator = Operator(tmp_path)
    serves(idle_world, guarded(operator.config).url,
           {"nats_credentials": operator.credentials()})


# ---- TLS -----------------------------------------------------------------------

def tls_config(certificate, key, more=""):
    return f"tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" {more} }}\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize("scheme", ["tls", "nats"])
def test_tls_by_our_authority(idle_world, guarded, authority, scheme):
    server = guarded(tls_config(*authority.sign("localhost")))
    serves(idle_world, f"{scheme}://localhost:{server.port}",
           nats_ca=authority.certificate)


def test_tls_with_a_certificate_of_ours(idle_world, guarded, authority):
    server = guarded(tls_config(
        *authority.sign("localhost"),
        f", ca_file: \"{authority.certificate}\", verify: true"))
    certificate, key = authority.sign("tidings.example")
    serves(idle_world, server.at_localhost, nats_ca=authority.certificate,
           nats_certificate=certificate, nats_key=key)


def stays_out(world, url, said, **settings):
    """Runs, is not ready, and says why; never an event by a link that is not
    what the settings want."""
    world.start(nats=url, **settings)
    eventually(lambda: said in world.output(), f"the log to say {said}")
    assert is_not_ready(world)
    done = publish_by_nats(world, url, {
        f"TIDINGS_{name.upper()}": str(value)
        for name, value in settings.items()})
    assert done.returncode == 1, done


def test_a_server_that_nobody_vouches_for_is_not_spoken_to(idle_world, guarded,
                                                           authority):
    server = guarded(tls_config(*authority.sign("localhost")))
    stays_out(idle_world, f"tls://localhost:{server.port}", "SSL")


def test_a_server_of_another_name_is_not_spoken_to(idle_world, guarded,
                                                   authority):
    server = guarded(tls_config(*authority.sign("other.example")))
    stays_out(idle_world, server.at_localhost, "SSL",
              nats_ca=authority.certificate)


def test_a_server_without_tls_is_not_spoken_to_where_tls_is_wanted(
        idle_world, guarded):
    stays_out(idle_world, guarded("").url, "Secure", nats_tls=True)


def test_a_server_that_wants_our_certificate_says_no(idle_world, guarded,
                                                     authority):
    server = guarded(tls_config(
        *authority.sign("localhost"),
        f", ca_file: \"{authority.certificate}\", verify: true"))
    idle_world.start(nats=server.at_localhost, nats_ca=authority.certificate)
    eventually(lambda: "not connected, trying on" in idle_world.output(),
               "the log to say that there is no connection")
    assert is_not_ready(idle_world)


# ---- refused, and let in later ---------------------------------------------------

def test_who_is_refused_tries_on_until_the_login_holds(idle_world, guarded):
    server = guarded(USERS)
    idle_world.environment["TIDINGS_NATS_USER"] = "tidings"
    idle_world.environment["TIDINGS_NATS_PASSWORD"] = "wrong-" + PASSWORD
    idle_world.start(nats=server.url)
    eventually(lambda: "Authorization Violation" in idle_world.output(),
               "the log to say what NATS says")
    assert is_not_ready(idle_world)

    server.reload(USERS.replace(PASSWORD, "wrong-" + PASSWORD))
    idle_world.wait_until_ready()
    assert PASSWORD not in idle_world.output()


def test_who_is_thrown_out_comes_back_when_the_login_holds_again(idle_world,
                                                                 guarded):
    server = guarded(USERS)
    idle_world.environment["TIDINGS_NATS_USER"] = "tidings"
    idle_world.environment["TIDINGS_NATS_PASSWORD"] = PASSWORD
    idle_world.start(nats=server.url)
    idle_world.wait_until_ready()

    server.reload(USERS.replace(PASSWORD, "another"))
    eventually(lambda: "Authorization Violation" in idle_world.output(),
               "the log to say that NATS refuses us")
    assert is_not_ready(idle_world)
    assert idle_world.publish("cheese", "by HTTP meanwhile")

    server.reload(USERS)
    idle_world.wait_until_ready()
    done = publish_by_nats(idle_world, server.url, idle_world.environment)
    assert done.returncode == 0, done.stderr


def test_the_server_stops_while_it_is_refused(idle_world, guarded):
    server = guarded(TOKEN)
    idle_world.start(nats=server.url)
    eventually(lambda: "Authorization Violation" in idle_world.output(),
               "the log to say that NATS refuses us")
    idle_world.stop()


# ---- settings ------------------------------------------------------------------

@pytest.mark.parametrize("settings, said", [
    ({"nats_user": "a", "nats_token": "b"}, "not several"),
    ({"nats_password": "a"}, "goes with nats_user"),
    ({"nats_nkey_seed": "no-such-file"}, "go together"),
    ({"nats_certificate": "a"}, "go together"),
    ({"nats_credentials": "no-such-file"}, "no-such-file cannot be read"),
    ({"nats_nkey": "UABC"}, "a user's public key"),
    ({"nats_token": "a\"b"}, "without quotes"),
    ({"nats": "nats://a:b@127.0.0.1:1", "nats_user": "c"}, "in its URL"),
], ids=lambda value: " ".join(value) if isinstance(value, dict) else "")
def test_what_does_not_go_together_is_told(idle_world, settings, said):
    environment = {f"TIDINGS_{name.upper()}": value
                   for name, value in {"nats": "nats://127.0.0.1:1",
                                       **settings}.items()}
    for command in (["check"], ["serve", *idle_world.flags()]):
        done = idle_world.tidings(*command, environment=environment)
        assert done.returncode != 0, done
        assert said in done.stderr.decode(), done.stderr


def test_secrets_are_shown_by_nothing(idle_world):
    environment = {"TIDINGS_NATS": f"nats://tidings:{PASSWORD}@127.0.0.1:1,"
                                   f"nats://{PASSWORD}@127.0.0.1:2"}
    for command in (["check"], ["serve", "--print-config"]):
        done = idle_world.tidings(*command, environment=environment)
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in done.stdout.decode()
        assert "nats://***@127.0.0.1:1,nats://***@127.0.0.1:2" in \
            done.stdout.decode()
    done = idle_world.tidings(
        "serve", "--print-config", environment={
            "TIDINGS_NATS_USER": "tidings", "TIDINGS_NATS_PASSWORD": PASSWORD})
    assert PASSWORD not in done.stdout.decode()
    assert "nats_password is set" in done.stdout.decode()
    done = idle_world.tidings("publish", "cheese", "x", "--nats",
                              f"nats://tidings:{PASSWORD}@127.0.0.1:1")
    assert done.returncode == 1
    assert PASSWORD not in done.stderr.decode()


def test_a_secret_is_no_flag(idle_world):
    done = idle_world.tidings("serve", "--nats_password", PASSWORD)
    assert done.returncode == 2, done
    assert "environment" in done.stderr.decode()
    assert PASSWORD not in done.stderr.decode()
