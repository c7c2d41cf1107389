"""docs/using.md: each of its examples does what the guide says."""

import json
import os
import subprocess

import pytest
from conftest import run
from marks import serve
from patience import DEADLINE_S, eventually
from snippets import all_snippets, fences_without_a_name, snippet

CHEESE = {"pieces": 92, "cheese_type": "Gruyère"}

# Which test runs which example.
TESTED = {
    "curl-follow", "curl-publish", "curl-poll", "curl-key", "curl-batch",
    "curl-correct", "curl-session", "curl-ack", "shutdown",
    "shutdown-page", "page", "page-time", "eventsource", "long-poll",
    "tidings-js", "websocket", "websocket-subscribe", "node", "python", "go", "symfony", "php-nats",
    "token-key", "token-use", "token-node", "token-python", "token-page",
}


def test_every_example_is_run_here():
    assert set(all_snippets()) == TESTED
    assert fences_without_a_name() == 0


# ---- a shell ------------------------------------------------------------------

def shell(world, name, **variables):
    return subprocess.run(
        ["bash", "-e", "-c", snippet(name, world).replace("curl ", "curl -sS ")],
        env={**os.environ, **variables}, capture_output=True, text=True,
        timeout=DEADLINE_S, check=True).stdout


def newest(world, channel):
    [event] = world.poll(f"/events/{channel}", "last-1").events
    return event


def test_curl_follows_what_curl_publishes(world):
    follower = subprocess.Popen(["bash", "-c", "exec " + snippet("curl-follow",
                                                                world)],
                                stdout=subprocess.PIPE, text=True)
    try:
        world.wait_for_subscribers(1)
        number = json.loads(shell(world, "curl-publish"))["id"]
        heard = ""
        while f"id: {number}\n" not in heard:
            heard += follower.stdout.readline()
    finally:
        follower.kill()
        follower.communicate()
    assert "event: cheese_created\ndata: " + json.dumps(
        CHEESE, ensure_ascii=False, separators=(",", ":")) in heard


def test_curl_polls(world):
    for text in ("one", "two", "three"):
        world.publish("cheese", text)
    events = json.loads(shell(world, "curl-poll"))
    assert [event["data"]["data"] for event in events] == ["two", "three"]


def test_a_key_makes_trying_again_harmless(world):
    first, second = (json.loads(shell(world, "curl-key")) for _ in range(2))
    assert first == second
    assert world.get("/channels/orders.17").json()["count"] == 1


def test_a_batch_goes_to_several_channels(world):
    assert len(json.loads(shell(world, "curl-batch"))["ids"]) == 2
    assert newest(world, "cheese")["data"]["type"] == "cheese_created"
    assert newest(world, "orders.17")["data"] == {"type": "paid",
                                                  "data": {"chf": 48.50}}


def test_what_was_published_wrong_is_put_right(world):
    shell(world, "curl-correct")
    events = world.poll("/events/cheese", "earliest").events
    assert [event["data"]["type"] for event in events] == \
        ["tidings.correction", "tidings.withdrawal"]


def test_a_session_remembers(world):
    def run_again():
        events = json.loads(shell(world, "curl-session"))
        return [event["data"]["data"] for event in events]
    assert run_again() == []
    world.publish("cheese", "one")
    world.publish("cheese", "two")
    assert run_again() == ["one", "two"]
    last = world.publish("cheese", "three")
    assert run_again() == ["three"]
    world.publish("cheese", "four")
    said = shell(world, "curl-ack", id=str(last))
    assert json.loads(said)["acked"] == last
    assert run_again() == ["four"]
    assert run_again() == []


# ---- pages ----------------------------------------------------------------------

def open_page(world, browser, elsewhere, html):
    elsewhere.page = html
    return browser.open(elsewhere.origin + "/")


def publish_cheese(world, name, pieces=92):
    return world.publish("cheese", json.dumps(
        {"pieces": pieces, "cheese_type": name}), event_type="cheese_created")


def begin(idle_world, elsewhere, **settings):
    """A server that stays on its port, for a page of another origin."""
    world = idle_world.start(origins=elsewhere.origin, **settings)
    world.settings["listen"] = f"127.0.0.1:{world.port}"
    return world


@pytest.mark.parametrize("name", ["page", "tidings-js"])
def test_the_page_shows_the_past_and_loses_nothing(idle_world, browser,
                                                   elsewhere, name):
    world = begin(idle_world, elsewhere, retry_ms=300, drain_ms=0)
    publish_cheese(world, "Sbrinz")
    page = open_page(world, browser, elsewhere, snippet(name, world))
    page.until("list.innerText.includes('92 × Sbrinz')", "what was before")
    publish_cheese(world, "Tilsiter")
    page.until("list.innerText.includes('92 × Tilsiter')", "what comes")

    world.restart()
    publish_cheese(world, "Gruyère")

    page.until("list.innerText.includes('92 × Gruyère')", "what came after")
    assert page.run("list.innerText").split() == \
        "92 × Sbrinz 92 × Tilsiter 92 × Gruyère".split()
    assert page.complaints() == []


SHOW = """<!doctype html><p id="heard"></p><script>
const show = (...what) => heard.append(JSON.stringify(what) + ' ');
const reloadEverything = (why) => heard.append('gap: ' + why + ' ');
%s</script>"""


def test_an_eventsource_with_a_watchdog(idle_world, browser, elsewhere):
    """Keep-alives are not shown; a restart and another journal are survived."""
    world = begin(idle_world, elsewhere, retry_ms=300, drain_ms=0,
                  keepalive_ms=300)
    page = open_page(world, browser, elsewhere,
                     SHOW % snippet("eventsource", world))
    world.wait_for_subscribers(1)
    world.publish("fx.chf", '{"rate":1}')
    page.until("heard.innerText.includes('[{\"rate\":1}]')", "an event")
    before = world.metrics()["keepalives"]
    world.wait_for_metric("keepalives", lambda figure: figure > before + 1)
    world.restart()
    world.publish("fx.chf", '{"rate":2}')
    page.until("heard.innerText.includes('[{\"rate\":2}]')", "what came after")

    world.restart(data=world.directory / "other", first_id=1 << 52)

    page.until("heard.innerText.includes('gap: ')", "the gap")
    assert page.run("heard.innerText").split(" ")[:2] == \
        ['[{"rate":1}]', '[{"rate":2}]']
    assert page.complaints() == []


def test_a_page_stays_away_during_a_shutdown(idle_world, browser, elsewhere):
    """Told by the guide's command; six seconds instead of two hours, and the
    page's dice fall on 0."""
    world = begin(idle_world, elsewhere)
    page = open_page(world, browser, elsewhere, SHOW % (
        "Math.random = () => 0; const say = (text) => heard.append(text);"
        + snippet("eventsource", world) + snippet("shutdown-page", world)))
    world.wait_for_subscribers(1)

    tell = snippet("shutdown", world).replace("2 hours", "6 seconds")
    subprocess.run(["bash", "-e", "-c", tell], check=True, timeout=DEADLINE_S,
                   env={**os.environ, "PATH": os.pathsep.join(
                       (os.path.dirname(world.binary), os.environ["PATH"]))})

    page.until("heard.innerText.includes('Prices are back at 20')", "the news")
    world.publish("fx.chf", '{"rate":1}')
    page.until("heard.innerText.includes('[{\"rate\":1}]')", "what it missed")
    assert page.complaints() == []


def test_a_page_that_polls(idle_world, browser, elsewhere):
    world = begin(idle_world, elsewhere)
    page = open_page(world, browser, elsewhere,
                     SHOW % snippet("long-poll", world))
    numbers = []
    for name in ("Sbrinz", "Tilsiter"):
        world.wait_for_subscribers(1)
        numbers.append(publish_cheese(world, name, 1))
        page.until(f"heard.innerText.includes('{name}')", name)
    assert page.run("heard.innerText").strip() == " ".join(
        f'[{number},"cheese_created",{{"pieces":1,"cheese_type":"{name}"}}]'
        for number, name in zip(numbers, ("Sbrinz", "Tilsiter")))


def test_a_websocket_comes_back_and_changes_channels(idle_world, browser,
                                                     elsewhere):
    world = begin(idle_world, elsewhere, drain_ms=0, keepalive_ms=300)
    order = world.publish("orders.17", '"paid"')
    page = open_page(world, browser, elsewhere,
                     SHOW % snippet("websocket", world))
    world.wait_for_subscribers(1)
    ids = [publish_cheese(world, "Sbrinz", 1)]
    page.until("heard.innerText.includes('Sbrinz')", "an event")

    world.restart()
    ids.append(publish_cheese(world, "Tilsiter", 1))
    page.until("heard.innerText.includes('Tilsiter')", "what came after")

    page.run(snippet("websocket-subscribe", world))
    page.until("heard.innerText.includes('paid')", "the other channel")
    assert page.run("heard.innerText").strip() == " ".join(
        [f'[{ids[0]},"cheese_created",{{"pieces":1,"cheese_type":"Sbrinz"}}]',
         f'[{ids[1]},"cheese_created",{{"pieces":1,"cheese_type":"Tilsiter"}}]',
         f'[{order},"","paid"]'])


def test_a_page_begins_when_it_was_made(idle_world, browser, elsewhere):
    """The number in the guide is in 2014: everything since then follows."""
    world = begin(idle_world, elsewhere)
    world.publish("cheese", "made later")
    page = open_page(world, browser, elsewhere,
                     "<!doctype html><p id=heard></p>"
                     + snippet("page-time", world).replace(
                         "</script>", "source.onmessage = (event) => "
                         "heard.append(event.data);</script>"))
    page.until("heard.innerText.includes('made later')", "what came since")


# ---- publishers ------------------------------------------------------------------

def write(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def published_once(world, said, again):
    """The id was printed, the same for the second try, and the event is right."""
    event = newest(world, "cheese")
    assert said.strip() == again.strip() == str(event["id"])
    assert event["data"] == {"type": "cheese_created", "data": CHEESE}
    assert world.get("/channels/cheese").json()["count"] == 1


@serve(nats=True)
def test_node_publishes(world, libraries):
    folder = libraries("node")
    script = write(folder, "publish.mjs", snippet("node", world))
    published_once(world, *(run("node", script) for _ in range(2)))


@serve(nats=True)
def test_python_publishes(world, libraries):
    folder = libraries("python")
    script = write(folder, "publish.py", snippet("python", world))
    environment = {**os.environ, "PYTHONPATH": str(folder / "modules")}
    published_once(world, *(run("/usr/bin/python3", script, env=environment)
                            for _ in range(2)))


@serve(nats=True)
def test_go_publishes(world, libraries):
    folder = libraries("go")
    write(folder, "main.go", snippet("go", world))
    environment = {**os.environ, "GOFLAGS": "-mod=mod"}
    run("go", "build", "-o", "publish", ".", cwd=folder, env=environment)
    published_once(world, *(run(str(folder / "publish")) for _ in range(2)))


@serve(nats=True)
def test_php_publishes_by_nats(world, tmp_path):
    script = write(tmp_path, "publish.php", snippet("php-nats", world))
    published_once(world, *(run("php", script) for _ in range(2)))


def test_symfony_publishes_by_http(world, tmp_path):
    write(tmp_path, "Tidings.php", snippet("symfony", world))
    script = write(tmp_path, "publish.php", """<?php
require 'Symfony/Component/HttpClient/autoload.php';
require __DIR__ . '/Tidings.php';
$tidings = new Tidings(Symfony\\Component\\HttpClient\\HttpClient::create());
echo $tidings->publish('cheese', 'cheese_created',
    ['pieces' => 92, 'cheese_type' => 'Gruyère'], 'delivery-4715');
""")
    published_once(world, *(run("php", script) for _ in range(2)))


# ---- tokens ---------------------------------------------------------------------

SECRET = "a secret of the guide, 32 bytes and more"


def in_folder(world, name, text=None):
    """Runs an example where its files are, with the program on the path."""
    path = os.pathsep.join((os.path.dirname(world.binary), os.environ["PATH"]))
    return subprocess.run(
        ["bash", "-e", "-c",
         (text or snippet(name, world)).replace("curl ", "curl -sS ")],
        cwd=world.directory, env={**os.environ, "PATH": path},
        capture_output=True, text=True, timeout=DEADLINE_S, check=True).stdout


@pytest.fixture
def keyed(idle_world):
    in_folder(idle_world, "token-key", snippet("token-key", idle_world))
    idle_world.environment["TIDINGS_TOKEN_SECRET"] = SECRET
    return idle_world.start(token_keys="my-key.pub")


def bearer(token):
    return {"Authorization": f"Bearer {token.strip()}"}


def test_a_token_of_the_command_is_used(keyed):
    assert keyed.get("/events/user.17.inbox").status == 401
    published, read = in_folder(keyed, "token-use").splitlines()
    number = json.loads(published)["id"]
    assert [event["id"] for event in json.loads(read)] == [number]


def opens_what_it_should(world, token):
    for channel, status in (("user.17.inbox", 200), ("news", 200),
                            ("user.18.inbox", 404), ("user.%3E", 404)):
        assert world.get(f"/events/{channel}?flavor=short-poll",
                         bearer(token)).status == status, channel
    assert world.post("/publish/news", "x", bearer(token)).status == 404


def test_node_makes_a_token(keyed):
    script = write(keyed.directory, "token.mjs", snippet("token-node", keyed)
                   + "\nconsole.log(tokenFor('17'));\n")
    opens_what_it_should(keyed, run("node", script, cwd=keyed.directory))


def test_python_makes_a_token(keyed):
    script = write(keyed.directory, "token.py", snippet("token-python", keyed)
                   + "\nprint(token_for('17'))\n")
    opens_what_it_should(keyed, run(
        "/usr/bin/python3", script,
        env={**os.environ, "TIDINGS_TOKEN_SECRET": SECRET}))


def test_a_page_fetches_its_tokens(keyed, browser):
    """The application's answer is put in its place."""
    def made(seconds):
        return in_folder(keyed, "", "tidings token new --key my-key --subscribe "
                         "'user.17.>' --publish 'user.17.>' --ttl "
                         f"{seconds}s").strip()

    page = browser.open(f"http://127.0.0.1:{keyed.port}/tidings.d.ts")
    page.run("""(async () => {
      const {tidings} = await import('/tidings.js');
      const heard = document.body, ask = window.fetch;
      window.asked = 0;
      window.fetch = (url, how) => url === '/my-token'
        ? Promise.resolve(new Response(asked++ ? '%s' : '%s')) : ask(url, how);
      %s
      window.stream = stream;
    })()""" % (made(900), made(4), snippet("token-page", keyed)))
    eventually(lambda: page.run(
        "window.asked >= 2 && window.stream.state === 'open'"), "a second token")
    response = keyed.post("/publish/user.17.inbox", "hello again",
                          bearer(made(60)))
    assert response.status == 201
    page.until("document.body.innerText.includes('hello again')", "the event")
