"""What operators see: protocol.md 8."""

import re

from marks import serve


def test_8_healthz_says_that_the_process_lives(world):
    assert world.get("/healthz").status == 200


def test_8_readyz_names_its_checks(world):
    response = world.get("/readyz")
    assert response.status == 200
    assert isinstance(response.json(), dict) and response.json()


@serve(nats=True)
def test_8_readyz_knows_nats(world):
    assert "nats" in world.get("/readyz").text


def test_8_metrics_are_prometheus_text(world):
    world.publish("news", "x")
    response = world.get("/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain")
    name = r"[a-z_:][a-z0-9_:]*"
    for line in response.text.splitlines():
        assert re.fullmatch(
            rf"# (HELP|TYPE) {name} .+|{name}({{.*}})? -?[0-9.e+]+", line), line
    names = re.findall(rf"(?m)^# TYPE ({name}) (\w+)$", response.text)
    assert len(names) == len(set(names))
    assert {kind for _, kind in names} <= {"counter", "gauge", "histogram"}


def test_8_metrics_count_what_happened(world):
    streams = [world.sse("/events/news") for _ in range(3)]
    world.wait_for_subscribers(3)
    before = world.metrics()
    world.publish("news", "x")
    for stream in streams:
        stream.next()
    after = world.metrics()
    assert after["http_published"] == before["http_published"] + 1
    assert after["deliveries"] == before["deliveries"] + 3
    assert after["requests"] > before["requests"]
    assert after["connections_open"] >= 4


def test_8_channels_are_listed(world):
    first = world.publish("news", "one")
    last = world.publish("news", "two")
    world.publish("orders.1", "x")
    world.sse("/events/news")
    world.wait_for_subscribers(1)
    channel = world.get("/channels/news").json()
    assert (channel["first_id"], channel["last_id"], channel["count"],
            channel["subscribers"]) == (first, last, 2, 1)
    assert channel["bytes"] >= 6
    assert "orders.1" in world.get("/channels").text


def names_of(response):
    assert response.status == 200, response
    listed = response.json()
    if isinstance(listed, dict):
        listed = listed["channels"]
    return sorted(channel.get("name", channel.get("channel"))
                  for channel in listed)


def test_8_channels_can_be_matched(world):
    for channel in ("news", "orders.1", "orders.2", "orders.2.x"):
        world.publish(channel, "x")
    assert names_of(world.get("/channels")) == \
        ["news", "orders.1", "orders.2", "orders.2.x"]
    assert names_of(world.get("/channels?match=orders.*")) == \
        ["orders.1", "orders.2"]
    assert names_of(world.get("/channels?match=orders.%3E")) == \
        ["orders.1", "orders.2", "orders.2.x"]


def test_8_a_channel_that_never_was_is_404(world):
    response = world.get("/channels/never")
    assert response.status == 404 and response.error


def test_8_the_demo_page_is_there(world):
    response = world.get("/demo/")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/html")


def test_head_is_answered_everywhere(world):
    world.publish("news", "x")
    connection = world.connect()
    for target in ("/healthz", "/readyz", "/metrics", "/channels",
                   "/channels/news", "/demo/", "/nowhere"):
        connection.request("HEAD", target)
        response = connection.response("HEAD")
        assert response.status == (404 if target == "/nowhere" else 200), target


def test_the_log_says_where_it_listens(world):
    assert str(world.port) in world.output()
