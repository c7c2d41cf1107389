"""Shelf 82: who may do what. Protocol.md 8, "Tokens"."""

import json
import time

import pytest

from http_raw import format_request
from marks import serve
from tokens import OTHER_SECRET, SECRET, bearer, cookie, token
from ws_raw import WebSocket, upgrade_headers


@pytest.fixture
def keyed(idle_world):
    """A server with one key, to which the tests of this shelf talk."""
    idle_world.keys = idle_world.directory / "keys"
    idle_world.keys.write_bytes(SECRET)
    return idle_world.start(token_keys=idle_world.keys,
                            anonymous_subscribe="public.>")


def all_rights(**claims):
    return bearer(subscribe=[">"], publish=[">"], **claims)


def put(world, channel, data, **claims):
    response = world.post(f"/publish/{channel}", data, all_rights(**claims))
    assert response.status == 201, response
    return response.json()["id"]


def assert_wants_token(response):
    assert response.status == 401, response
    assert response.error == "unauthorized"
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["Cache-Control"] == "no-store"


def assert_not_there(response):
    assert response.status == 404, response
    assert response.error == "not_found"
    assert "WWW-Authenticate" not in response.headers


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}


# ---- rights ----------------------------------------------------------------------

def test_8_nothing_without_a_token(keyed):
    put(keyed, "secret", "one")
    for method, target in (
            ("GET", "/events/secret"), ("HEAD", "/events/secret"),
            ("GET", "/events/%3E?flavor=short-poll"), ("POST", "/events/secret"),
            ("POST", "/publish/secret"), ("PUT", "/publish/secret/1"),
            ("DELETE", "/publish/secret/1"), ("GET", "/channels/secret"),
            ("GET", "/channels/public"), ("GET", "/sessions/s"),
            ("POST", "/sessions/s/ack?id=1"), ("DELETE", "/sessions/s"),
            ("DELETE", "/admin/shutdown")):
        response = keyed.http(method, target)
        assert response.status == 401, (method, target, response)
        if method != "HEAD":
            assert_wants_token(response)


def test_8_with_a_right_it_goes_on(keyed):
    number = put(keyed, "orders.1", "one")
    reader = bearer(subscribe=["orders.*"])
    assert keyed.sse("/events/orders.1", "earliest", reader).next().data == "one"
    assert keyed.poll("/events/orders.*?flavor=short-poll", "earliest",
                      reader).events[0]["id"] == number
    assert_not_there(keyed.get("/events/orders.%3E", reader))
    assert_not_there(keyed.get("/events/orders.1,secret", reader))
    assert_not_there(keyed.post("/publish/orders.1", "x", reader))


def test_8_what_one_may_not_see_is_as_what_is_not_there(keyed):
    put(keyed, "secret", "one")
    reader = bearer(subscribe=["orders.*"], publish=["orders.*"])

    def heads_of(target):
        response = keyed.get(target, reader)
        del response.headers["date"]
        return response.status, response.headers, response.body

    there = heads_of("/channels/secret")
    assert there[0] == 404
    for target in ("/channels/nothing", "/channels/orders.17", "/events/secret",
                   "/events/nothing", "/events/%3E"):
        assert heads_of(target) == there, target
    assert_not_there(keyed.http("DELETE", "/publish/secret/1", reader))
    assert_not_there(keyed.http("PUT", "/publish/nothing/1", reader, b"x"))


def test_8_everybody_may_what_the_setting_says(keyed):
    put(keyed, "public.a", "one")
    assert keyed.sse("/events/public.a", "earliest").next().data == "one"
    assert keyed.sse("/events/public.*", "earliest").next().data == "one"
    assert_wants_token(keyed.get("/events/%3E"))
    assert_wants_token(keyed.get("/events/public.a,secret"))
    assert_wants_token(keyed.post("/publish/public.a", "x"))
    assert keyed.get("/channels/public.a").json()["count"] == 1
    # What everybody may, those with a token may too, whatever it allows.
    assert keyed.sse("/events/public.a,orders.1", "earliest",
                     bearer(subscribe=["orders.1"])).next().data == "one"
    # A token that does not hold is none.
    assert keyed.sse("/events/public.a", "earliest",
                     bearer(OTHER_SECRET)).next().data == "one"


def test_8_the_list_of_channels_shows_what_one_may_read(keyed):
    for channel in ("public.a", "orders.1", "secret"):
        put(keyed, channel, "x")

    def names(headers=()):
        return {row["channel"]
                for row in keyed.get("/channels", headers).json()["channels"]}

    assert names() == {"public.a"}
    assert names(bearer(subscribe=["orders.*"])) == {"public.a", "orders.1"}
    assert names(bearer(subscribe=[">"])) == {"public.a", "orders.1", "secret"}
    keyed.restart(anonymous_subscribe="")
    assert_wants_token(keyed.get("/channels"))


def test_8_a_batch_is_stored_whole_or_not_at_all(keyed):
    lines = [{"channel": "orders.1", "data": "a"}, {"data": "b"},
             {"channel": "secret", "data": "c"}]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    writer = bearer(publish=["orders.*"])
    assert_not_there(keyed.post("/publish/orders.2", body, {**NDJSON, **writer}))
    assert keyed.get("/channels", all_rights()).json()["channels"] == []
    assert_wants_token(keyed.post("/publish", body, NDJSON))
    body = "".join(json.dumps(line) + "\n" for line in lines[:2])
    assert keyed.post("/publish/orders.2", body,
                      {**NDJSON, **writer}).status == 201


def test_8_who_corrects_needs_the_right_to_publish(keyed):
    number = put(keyed, "orders.1", "one")
    for headers in (bearer(subscribe=[">"]), bearer(publish=["orders.2"])):
        for method in ("PUT", "DELETE"):
            assert_not_there(keyed.http(method, f"/publish/orders.1/{number}",
                                        headers, b"two"))
    writer = bearer(publish=["orders.1"])
    assert keyed.http("PUT", f"/publish/orders.1/{number}", writer,
                      b"two").status == 200
    assert keyed.poll("/events/orders.1?flavor=short-poll", "earliest",
                      all_rights()).events[0]["data"]["data"] == "two"


# ---- WebSockets -------------------------------------------------------------------

def test_8_a_websocket_asks_for_each_channel(keyed):
    put(keyed, "orders.1", "one")
    put(keyed, "secret", "two")
    socket = keyed.websocket("/events/orders.1?last_event_id=earliest",
                             headers=bearer(subscribe=["orders.>"]))
    assert socket.next_json()["data"]["data"] == "one"
    for selectors in (["secret"], [">"], ["orders.2", "secret"]):
        socket.say(subscribe=selectors, after="earliest")
        assert socket.next_json()["error"] == "not_found"
    socket.say(subscribe=["orders.*"], after="earliest")
    assert socket.next_json()["data"]["data"] == "one"
    put(keyed, "secret", "three")
    put(keyed, "orders.2", "four")
    assert socket.next_json()["data"]["data"] == "four"


def test_8_a_websocket_without_a_right_is_not_opened(keyed):
    assert_wants_token(keyed.get("/events/secret", upgrade_headers()))
    assert_not_there(keyed.get("/events/secret", {
        **upgrade_headers(), **bearer(subscribe=["orders.1"])}))
    # It may name its channels later, if there is one that it may name.
    assert keyed.websocket("/events").status == 101
    keyed.restart(anonymous_subscribe="")
    assert_wants_token(keyed.get("/events", upgrade_headers()))


def test_8_a_websocket_at_the_root(keyed):
    keyed.restart(websocket_root="orders.1")
    assert_wants_token(keyed.get("/", upgrade_headers()))
    assert WebSocket(keyed.connect(), "/?token=" + token(
        subscribe=["orders.1"])).check_upgraded()
    assert keyed.get("/").status == 200


# ---- where a token is ------------------------------------------------------------

def test_8_a_token_in_each_place(keyed):
    put(keyed, "orders.1", "one")
    good = token(subscribe=["orders.1"])
    target = "/events/orders.1?flavor=short-poll&last_event_id=earliest"
    for headers, query in (({"Authorization": f"Bearer {good}"}, ""),
                           ({"Authorization": f"bearer   {good} "}, ""),
                           ({"Cookie": f"a=b; tidings_token={good}"}, ""),
                           ({"Cookie": f'tidings_token="{good}";c=d'}, ""),
                           ({}, f"&token={good}"),
                           ({"Authorization": "Basic YTpi"}, f"&token={good}")):
        assert keyed.get(target + query, headers).json()[0]["data"], headers
    assert keyed.post("/events/orders.1", f"flavor=short-poll&token={good}",
                      FORM).json() == []


def test_8_the_first_place_counts(keyed):
    good, bad = token(subscribe=["orders.1"]), token(OTHER_SECRET)
    target = "/events/orders.1?flavor=short-poll"
    assert_wants_token(keyed.get(f"{target}&token={good}",
                                 {"Authorization": f"Bearer {bad}"}))
    assert_wants_token(keyed.get(f"{target}&token={good}",
                                 {"Cookie": f"tidings_token={bad}"}))
    assert keyed.get(f"{target}&token={bad}",
                     {"Authorization": f"Bearer {good}"}).status == 200
    assert_wants_token(keyed.post(f"/events/orders.1?token={bad}",
                                  f"flavor=short-poll&token={good}", FORM))


def test_8_two_tokens_in_one_place_are_refused(keyed):
    good = token(subscribe=["orders.1"])
    target = "/events/orders.1?flavor=short-poll"
    for headers, query in (
            ({"Cookie": f"tidings_token={good}; tidings_token={good}"}, ""),
            ({}, f"&token={good}&token={good}")):
        assert keyed.get(target + query, headers).error == "bad_request"
    request = format_request("GET", target, {"Cookie": f"tidings_token={good}"})
    twice = request.replace(b"Cookie", b"Cookie: tidings_token=x\r\nCookie", 1)
    connection = keyed.connect()
    connection.send(twice)
    assert connection.response().status == 400


def test_8_an_empty_parameter_is_no_token(keyed):
    good = token(subscribe=["orders.1"])
    target = "/events/orders.1?flavor=short-poll&token="
    assert keyed.get(target + good + "&token=").status == 200
    assert_wants_token(keyed.get(target))


@serve(log_level="debug")
def test_8_a_token_in_the_query_is_written_nowhere(keyed):
    good = token(subscribe=["orders.1"], sub="somebody")
    bad = token(OTHER_SECRET, subscribe=["orders.1"])
    for secret in (good, bad, good + "x"):
        for target in ("/events/orders.1?flavor=short-poll", "/events/a%20b?x=1",
                       "/publish/orders.1?type=x", "/nothing?x", "/metrics?y"):
            answer = keyed.get(f"{target}&token={secret}")
            for part in secret.split("."):
                assert part not in answer.text
    keyed.stop()
    for secret in (good, bad):
        for part in secret.split("."):
            assert part not in keyed.output()
    assert "does not hold" in keyed.output()


# ---- cookies and pages -------------------------------------------------------------

def test_8_a_cookie_reads_and_never_writes(keyed):
    number = put(keyed, "orders.1", "one")
    everything = cookie(subscribe=[">"], publish=[">"], admin=True, sub="me")
    assert keyed.get("/events/orders.1?flavor=short-poll",
                     everything).status == 200
    assert keyed.get("/events/orders.1?flavor=short-poll&session=s",
                     everything).status == 200
    assert keyed.get("/sessions/s", everything).status == 200
    for method, target in (("POST", "/publish/orders.1"),
                           ("PUT", f"/publish/orders.1/{number}"),
                           ("DELETE", f"/publish/orders.1/{number}"),
                           ("POST", f"/sessions/s/ack?id={number}"),
                           ("DELETE", "/sessions/s"),
                           ("GET", "/admin/shutdown"),
                           ("DELETE", "/admin/shutdown")):
        assert_wants_token(keyed.http(method, target, everything))
    # With a token elsewhere the cookie is passed over.
    assert keyed.post("/publish/orders.1", "two", {
        **everything, **bearer(publish=["orders.1"])}).status == 201


FOREIGN = [{"Origin": "http://evil.example"}, {"Origin": "null"},
           {"Origin": "http://localhost:81"},
           {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
           {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"}]


@pytest.mark.parametrize("page", FOREIGN, ids=str)
def test_8_a_foreign_page_does_not_read_by_the_cookie(keyed, page):
    put(keyed, "public.a", "one")
    mine = {**cookie(subscribe=[">"]), **page}
    for target in ("/events/orders.1?flavor=short-poll", "/events/public.a",
                   "/channels", "/sessions/s"):
        response = keyed.get(target, mine)
        assert response.status == 403, response
        assert response.error == "foreign_origin"
    assert keyed.get("/events/orders.1",
                     {**mine, **upgrade_headers()}).status == 403
    assert keyed.post("/events/orders.1", "", {**FORM, **mine}).status == 403
    # With a token of its own a page reads what that allows.
    assert keyed.get("/events/orders.1?flavor=short-poll&token=" + token(
        subscribe=["orders.1"]), mine).status == 200
    assert keyed.post("/events/orders.1", "flavor=short-poll&token=" + token(
        subscribe=["orders.1"]), {**FORM, **mine}).status == 200


def test_8_own_and_listed_pages_read_by_the_cookie(keyed):
    keyed.restart(origins="http://friend.example")
    mine = cookie(subscribe=["orders.1"])
    for page in ({}, {"Origin": "http://localhost"},
                 {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
                 {"Origin": "http://friend.example"},
                 {"Origin": "http://friend.example",
                  "Sec-Fetch-Site": "cross-site"}):
        response = keyed.get("/events/orders.1?flavor=short-poll",
                             {**mine, **page})
        assert response.status == 200, page
        assert "Origin" in response.headers["Vary"]
        assert keyed.websocket("/events/orders.1", headers={
            **mine, **page}).status == 101


def test_8_a_preflight_needs_no_token(keyed):
    keyed.restart(origins="http://friend.example")
    for target in ("/events/secret", "/publish/secret"):
        response = keyed.http("OPTIONS", target, {
            "Origin": "http://friend.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization"})
        assert response.status == 200
        assert "Authorization" in \
            response.headers["Access-Control-Allow-Headers"]
    # A refusal can be read by the page.
    response = keyed.get("/events/secret", {"Origin": "http://friend.example"})
    assert_wants_token(response)
    assert response.headers["Access-Control-Allow-Origin"] == \
        "http://friend.example"


# ---- sessions ---------------------------------------------------------------------

def test_8_a_session_belongs_to_its_sub(keyed):
    rights = {"subscribe": ["news"]}
    anna, otto = bearer(sub="anna", **rights), bearer(sub="otto", **rights)
    target = "/events/news?flavor=short-poll&session=s"
    assert keyed.get(target, anna).json() == []
    first = put(keyed, "news", "one")
    for method, path in (("GET", "/sessions/s"), ("DELETE", "/sessions/s"),
                         ("POST", f"/sessions/s/ack?id={first}")):
        assert keyed.http(method, path, otto).error == "not_found", method
    # The same name is another session.
    assert keyed.get(target, otto).json() == []
    assert keyed.get("/sessions/s", otto).json()["acked"] == first
    answer = keyed.get("/sessions/s", anna).json()
    assert answer["session"] == "s" and answer["acked"] < first
    assert keyed.post(f"/sessions/s/ack?id={first}", "", anna).json() == \
        {"session": "s", "acked": first}
    assert keyed.http("DELETE", "/sessions/s", anna).status == 200
    assert keyed.get("/sessions/s", anna).status == 404
    assert keyed.get("/sessions/s", otto).status == 200


def test_8_each_sub_has_wait_keys_of_its_own(keyed):
    anna, otto = (bearer(sub=sub, subscribe=["news"]) for sub in ("anna", "otto"))
    target = "/events/news/key"
    first = keyed.begin_poll(target, headers=anna)
    keyed.wait_for_subscribers(1)
    assert keyed.poll(target, headers=anna).headers["x-ps-reconnect-in"] == "5"
    second = keyed.begin_poll(target, headers=otto)
    keyed.wait_for_subscribers(2)
    number = put(keyed, "news", "one")
    for waiting in (first, second):
        assert keyed.poll_answer(waiting).position == str(number)


def test_8_a_session_needs_a_sub_and_a_right(keyed):
    target = "/events/{}?flavor=short-poll&session=s"
    assert_wants_token(keyed.get(target.format("public.a")))
    nobody = bearer(subscribe=["news"])
    for path in (target.format("news"), "/sessions/s"):
        assert keyed.get(path, nobody).error == "no_subject"
    assert_not_there(keyed.get(target.format("secret"),
                               bearer(subscribe=["news"], sub="anna")))


def test_8_a_session_outlives_the_token_and_the_server(keyed):
    target = "/events/news?flavor=short-poll&session=s"
    keyed.get(target, bearer(subscribe=["news"], sub="anna"))
    put(keyed, "news", "one")
    keyed.restart()
    answer = keyed.get(target, bearer(subscribe=[">"], sub="anna", iat=1)).json()
    assert [event["data"]["data"] for event in answer] == ["one"]


# ---- the operator -------------------------------------------------------------------

FORWARDED = {"X-Forwarded-For": "192.0.2.1"}


def test_8_admin_needs_the_claim(keyed):
    assert_wants_token(keyed.get("/admin/shutdown"))
    assert keyed.get("/admin/shutdown", all_rights()).error == "forbidden"
    admin = bearer(admin=True)
    assert keyed.get("/admin/shutdown", admin).json() == {"active": False}
    assert keyed.get("/admin/shutdown",
                     {**admin, **FORWARDED}).error == "forbidden"
    assert_not_there(keyed.get("/events/secret", admin))
    keyed.restart(admin="token")
    assert keyed.get("/admin/shutdown", {**admin, **FORWARDED}).status == 200
    assert_wants_token(keyed.get("/admin/shutdown", FORWARDED))
    assert keyed.get("/admin/shutdown", all_rights()).error == "forbidden"
    keyed.restart(admin="off")
    assert keyed.get("/admin/shutdown", admin).error == "forbidden"


def test_8_figures_are_for_operators(keyed):
    assert "tidings_requests" in keyed.get("/metrics").text
    assert_wants_token(keyed.get("/metrics", FORWARDED))
    assert keyed.get("/metrics", {**FORWARDED, **all_rights()}).error == \
        "forbidden"
    admin = {**FORWARDED, **bearer(admin=True)}
    assert "tidings_requests" in keyed.get("/metrics", admin).text
    assert keyed.get("/readyz", FORWARDED).json() == {"ready": True}
    assert "checks" in keyed.get("/readyz", admin).json()
    assert keyed.get("/healthz", FORWARDED).status == 200


def test_8_pages_need_no_token(keyed):
    for target in ("/", "/demo/", "/tidings.js"):
        assert keyed.get(target).status == 200
        assert keyed.get(target, cookie(OTHER_SECRET)).status == 200


# ---- keys and where to listen ---------------------------------------------------------

def test_8_with_keys_any_address_is_served(keyed):
    keyed.restart(listen="0.0.0.0:0")
    assert keyed.get("/healthz").status == 200
    checked = keyed.tidings("check", "--token_keys", keyed.keys, "--listen",
                            "0.0.0.0:80", "--anonymous_subscribe", "public.>")
    assert checked.returncode == 0, checked
    assert b"public.>" in checked.stdout
    assert SECRET not in checked.stdout + checked.stderr


def test_8_admin_by_token_wants_keys(idle_world):
    for command in ("serve", "check"):
        done = idle_world.tidings(command, "--admin", "token", "--listen",
                                  "127.0.0.1:0", "--data", idle_world.data)
        assert done.returncode != 0
        assert b"token_keys" in done.stderr


# ---- what a token's time means -----------------------------------------------------

def test_8_a_minute_is_given_for_clocks(keyed):
    now = int(time.time())
    target = "/events/news?flavor=short-poll"
    for claims, status in (({"exp": now - 30}, 200), ({"exp": now - 100}, 401),
                           ({"nbf": now + 30}, 200), ({"nbf": now + 100}, 401),
                           ({"exp": None}, 401)):
        response = keyed.get(target, bearer(subscribe=["news"], **claims))
        assert response.status == status, claims
    # Also for what needs a body, and for a stream.
    late = bearer(subscribe=["news"], publish=["news"], exp=now - 30)
    assert keyed.post("/publish/news", "one", late).status == 201
    assert keyed.sse("/events/news", "earliest", late).next().data == "one"


def test_8_a_cookie_that_was_cleared_is_none(keyed):
    response = keyed.get(f"/channels?token={token(subscribe=['news'])}",
                         {"Cookie": "tidings_token="})
    assert response.status == 200, response
