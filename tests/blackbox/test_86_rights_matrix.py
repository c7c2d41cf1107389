"""Shelf 86: the matrix of rights. Protocol.md 8, "Tokens".

rights_model.py says what is right for each cell: a way to ask, who asks, from where,
with which rights, for what. Here one server is asked all of them. No byte that it
answers may come from a channel that who asks may not read: not in what is replayed,
and not in what comes live to the streams that are left open to the end.
"""

import json
import signal
import subprocess
import time
import urllib.parse

import pytest

import rights_model as model
from patience import SLOWNESS, eventually
from rights_model import CHANNELS, COMPLAINT, YES
from streams import Lines, Sse
from token_forge import base64url, forge, signing_input
from tokens import OTHER_SECRET, SECRET
from ws_raw import WebSocket, upgrade_headers

WITHDRAWN = b"a key that was good a moment ago, 32 bytes"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# A sample is enough where each request takes long: the paths are the same.
STEP = 1 if SLOWNESS <= 1 else 11


def marker(channel, kind="old"):
    return f"[{kind} of {channel}]"


# ---- tokens -------------------------------------------------------------------------

class Mint:
    """Makes the tokens of all cells."""

    def __init__(self, world):
        self.world = world
        self.made = {}
        for algorithm in ("ES256", "RS256"):
            done = world.tidings("token", "key", algorithm,
                                 world.directory / algorithm)
            assert done.returncode == 0, done
        for name, secret in (("first", SECRET), ("leaving", WITHDRAWN)):
            (world.directory / name).write_bytes(secret)
        world.settings["token_keys"] = ",".join(
            str(world.directory / name) for name in
            ("first", "leaving", "ES256.pub", "RS256.pub"))

    def claims(self, cell):
        now = int(time.time())
        claims = {"exp": now + 3600, "aud": "here", "sub": cell.sub,
                  "subscribe": list(cell.subscribe),
                  "publish": list(cell.publish), "admin": cell.is_admin}
        claims.update({"expired": {"exp": now - 3600},
                       "in the leeway": {"exp": now - 1},
                       "not yet": {"nbf": now + 3600},
                       "other audience": {"aud": "there"}}.get(cell.state, {}))
        for state, claim in (("no audience", "aud"), ("no exp", "exp")):
            if cell.state == state:
                del claims[claim]
        return claims

    def token(self, cell):
        key = (cell.state, cell.subscribe, cell.publish, cell.is_admin, cell.sub)
        if key not in self.made:
            self.made[key] = self.make(cell)
        return self.made[key]

    def make(self, cell):
        claims = self.claims(cell)
        if cell.state in ("ES256", "RS256"):
            return self.sign(cell.state, claims)
        if cell.state == "other key":
            return forge(OTHER_SECRET, claims)
        if cell.state == "withdrawn key":
            return forge(WITHDRAWN, claims)
        good = forge(SECRET, claims)
        if cell.state == "wrong signature":
            other = forge(SECRET, {**claims, "sub": "mallory"})
            return good.rpartition(".")[0] + "." + other.rpartition(".")[2]
        if cell.state == "alg none":
            return signing_input({"alg": "none"}, claims) + "."
        return {"cut": good[:-1], "garbage": "x.y.z"}.get(cell.state, good)

    def sign(self, algorithm, claims):
        """By the openssl command, which knows nothing of us."""
        message = signing_input({"alg": algorithm}, claims)
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign",
             str(self.world.directory / algorithm)], input=message.encode(),
            capture_output=True, check=True).stdout
        if algorithm == "ES256":
            signature = flat(signature)
        return f"{message}.{base64url(signature)}"


def flat(der):
    """r and s of 32 bytes each, out of a DER sequence of two integers."""
    numbers, rest = b"", der[2:]
    for _ in range(2):
        length = rest[1]
        numbers += rest[2:2 + length].lstrip(b"\0").rjust(32, b"\0")
        rest = rest[2 + length:]
    return numbers


# ---- asking -------------------------------------------------------------------------

class Asker:
    """Asks for cells, on one connection as long as it lasts."""

    def __init__(self, world, mint):
        self.world, self.mint = world, mint
        self.connection = None
        self.open_streams = []  # (cell, what to read from)
        self.stored = {}  # events of each channel
        self.everything = {"Authorization": "Bearer " + mint.token(
            model.Cell("", subscribe=(">",), publish=(">",), is_admin=True))}

    def request(self, method, target, headers=(), body=None):
        if self.connection is None or self.connection.is_at_end:
            self.connection = self.world.connect()
        self.connection.request(method, target, headers, body)
        response = self.connection.response(method)
        if response.headers.get("Connection") == "close":
            self.world.hang_up(self.connection)
            self.connection = None
        return response

    def credentials(self, cell):
        """The headers and the parameters that say who asks, and from where."""
        headers = dict(model.PAGES[cell.page])
        if cell.state is None:
            return headers, ""
        token = self.mint.token(cell)
        if cell.place == "header":
            headers["Authorization"] = f"Bearer {token}"
        elif cell.place == "cookie":
            headers["Cookie"] = f"theme=dark; tidings_token={token}"
        return headers, f"&token={token}" if cell.place == "query" else ""

    def put(self, channel):
        response = self.request("POST", f"/publish/{channel}", self.everything,
                                marker(channel).encode())
        assert response.status == 201, response
        self.count(channel)
        return response.json()["id"]

    def count(self, channel):
        self.stored[channel] = self.stored.get(channel, 0) + 1

    def ask(self, cell):
        """(outcome, every byte that came)."""
        headers, query = self.credentials(cell)
        for kinds, method in ((model.PUBLISHES, self.publish),
                              (model.SESSIONS, self.session),
                              (model.LISTS, self.listing),
                              (model.OPERATOR, self.operator),
                              (model.STREAMS + model.ROOT, self.stream)):
            if cell.action in kinds:
                return method(cell, headers, query)
        return self.poll(cell, headers, query)

    # ---- subscribing

    def poll(self, cell, headers, query):
        path = "/events/" + urllib.parse.quote(",".join(cell.selectors), safe="*")
        query = "?last_event_id=earliest" + query
        if cell.action == "form":
            body = "flavor=short-poll"
            if cell.place == "form" and cell.state:
                body += "&token=" + self.mint.token(cell)
            response = self.request("POST", path + query, {**headers, **FORM},
                                    body.encode())
        elif cell.action == "head":
            response = self.request("HEAD", path + query, headers)
        elif cell.action == "positions":
            wanted = json.dumps({name: 1 for name in
                                 model.selected(cell.selectors) or CHANNELS})
            response = self.request("GET", path + "?flavor=short-poll" + query[
                len("?last_event_id=earliest"):], {**headers,
                                                   "Last-Event-ID": wanted})
        else:
            how = {"long-poll": "&timeout=0", "short-poll": "&flavor=short-poll",
                   "lines-once": "&longpoll=1&timeout=0",
                   "session": "&flavor=short-poll&session=mine"}[cell.action]
            response = self.request("GET", path + query + how, headers)
        return outcome(response), head_and_body(response)

    def stream(self, cell, headers, query):
        connection = self.world.connect()
        path = "/events/" + urllib.parse.quote(",".join(cell.selectors), safe="*")
        query = "?hello=1&last_event_id=earliest" + query
        if cell.action in model.WEBSOCKETS:
            return self.websocket(cell, connection, headers,
                                  {"root": "/", "later": "/events/public.none"}
                                  .get(cell.action, path) + query)
        kind = Lines if cell.action == "lines" else Sse
        version = "1.0" if cell.action == "sse-old" else "1.1"
        wanted = {"Accept": "text/event-stream"} if kind is Sse else {}
        connection.request("GET", path + query +
                           ("&xhr=1" if kind is Lines else ""),
                           {**headers, **wanted}, version=version)
        stream = kind(connection)
        if stream.status != 200:
            response = stream.response()
            self.world.hang_up(connection)
            return outcome(response), head_and_body(response)
        for _ in range(1 + there(cell)):  # the hello, and what is there already
            stream.next()
        self.open_streams.append((cell, stream))
        return YES, bytes(stream.raw)

    def websocket(self, cell, connection, headers, target):
        socket = WebSocket(connection, target, headers)
        if socket.status != 101:
            response = socket.head
            self.world.hang_up(connection)
            return outcome(response), str(dict(response.headers)).encode()
        texts = [socket.next()]  # the hello
        if cell.action == "later":
            socket.say(subscribe=list(cell.selectors), after="earliest")
        result = YES
        if model.expected(cell) == COMPLAINT:
            told = socket.meet()
            texts += map(json.dumps, told)
            if [text.get("error") for text in told] == ["not_found"]:
                result = COMPLAINT
        else:
            texts += [socket.next() for _ in range(there(cell))]
        self.open_streams.append((cell, socket))
        return result, "\n".join(texts).encode()

    # ---- publishing

    def publish(self, cell, headers, query):
        channel = cell.selectors[0]
        if cell.action in ("correct", "withdraw"):
            number = self.put(channel)
            method = "PUT" if cell.action == "correct" else "DELETE"
            response = self.request(method,
                                    f"/publish/{channel}/{number}?x{query}",
                                    headers, b"corrected")
            if response.status == 200:
                self.count(channel)  # what tells of it
        elif cell.action == "publish":
            response = self.request("POST", f"/publish/{channel}?x{query}",
                                    headers, marker(channel).encode())
            if response.status == 201:
                self.count(channel)
        else:
            path = f"/publish/{channel}" if cell.action == "batch" else "/publish"
            lines = [{"data": marker(name)} if cell.action == "batch" else
                     {"data": marker(name), "channel": name}
                     for name in cell.selectors]
            response = self.request(
                "POST", f"{path}?x{query}",
                {**headers, "Content-Type": "application/x-ndjson"},
                "\n".join(map(json.dumps, lines)).encode())
            for name in cell.selectors if response.status == 201 else ():
                self.count(name)
        return outcome(response), head_and_body(response)

    # ---- the rest

    def session(self, cell, headers, query):
        if cell.action == "session-remove":
            name = "removable"
            assert self.request(
                "GET", "/events/public.a?flavor=short-poll&session=removable",
                self.everything).status == 200
        else:
            name = "mine"
        method = {"session-show": "GET", "session-ack": "POST",
                  "session-remove": "DELETE"}[cell.action]
        ending = "/ack?id=0" if method == "POST" else "?x"
        response = self.request(method, f"/sessions/{name}{ending}{query}",
                                headers)
        return outcome(response), head_and_body(response)

    def listing(self, cell, headers, query):
        if cell.action == "channel":
            response = self.request(
                "GET", f"/channels/{cell.selectors[0]}?x{query}", headers)
        else:
            response = self.request("GET", f"/channels?x{query}", headers)
        if cell.action == "list" and response.status == 200:
            names = {row["channel"] for row in response.json()["channels"]}
            assert names == model.may_hear(cell), cell
        return outcome(response), head_and_body(response)

    def operator(self, cell, headers, query):
        if cell.action != "shutdown":
            headers = {**headers, "X-Forwarded-For": "192.0.2.1"}
        response = self.request("GET", {
            "shutdown": "/admin/shutdown", "figures": "/metrics",
            "reasons": "/readyz"}[cell.action] + f"?x{query}", headers)
        result = outcome(response)
        if cell.action == "reasons" and result == YES and \
                b"checks" not in response.body:
            result = COMPLAINT
        return result, head_and_body(response)


def asked(cell):
    return ("orders.eu",) if cell.action == "root" else cell.selectors


def there(cell):
    """How many events it reads, before anything is published by other cells."""
    return len(model.selected(asked(cell)))


def outcome(response):
    return YES if response.status in (200, 201) else response.status


def head_and_body(response):
    return str(dict(response.headers)).encode() + response.body


# ---- the test -------------------------------------------------------------------------

@pytest.fixture
def asker(idle_world):
    mint = Mint(idle_world)
    idle_world.start(token_audience="here", websocket_root="orders.eu",
                     anonymous_subscribe=",".join(model.EVERYBODY),
                     origins="http://friend.example")
    asker = Asker(idle_world, mint)
    leaving = {"Authorization": "Bearer " + forge(WITHDRAWN, {
        "exp": int(time.time()) + 3600, "aud": "here", "subscribe": [">"]})}
    assert asker.request("GET", "/events/secret?flavor=short-poll",
                         leaving).status == 200
    (idle_world.directory / "leaving").write_bytes(OTHER_SECRET[::-1])
    idle_world.process.send_signal(signal.SIGHUP)
    eventually(lambda: "what=read count" in idle_world.output(), "other keys")
    for channel in CHANNELS:
        asker.put(channel)
    assert asker.request("GET", "/events/public.a?flavor=short-poll&session=mine",
                         asker.everything).status == 200
    return asker


def leaks(cell, got, kind="old"):
    """The channels of which something came that must not."""
    return [channel for channel in set(CHANNELS) - model.may_hear(cell)
            if marker(channel, kind).encode() in got]


def missing(cell, got):
    """Of a subscribe that may, what did not come."""
    if cell.action == "head" or cell.action not in model.SUBSCRIBES + model.ROOT:
        return []
    wanted = model.selected(asked(cell))
    if cell.action == "positions":  # a pattern has none of its own
        wanted &= set(cell.selectors)
    return [channel for channel in wanted if marker(channel).encode() not in got]


def try_cell(asker, cell):
    """None, or what is wrong."""
    wanted = model.expected(cell)
    try:
        result, got = asker.ask(cell)
    except AssertionError as error:
        asker.connection = None
        return f"{cell}: {wanted} expected: {error}"
    if result != wanted:
        return f"{cell}: {wanted} expected, {result} came: {got[:300]!r}"
    if leaks(cell, got):
        return f"{cell}: leaks {leaks(cell, got)}"
    if wanted == YES and missing(cell, got):
        return f"{cell}: lacks {missing(cell, got)}"
    return None


def is_publish(cell):
    return cell.action in model.PUBLISHES


def test_8_the_matrix_of_rights(asker):
    cells = model.cells()
    assert len(cells) >= 1000
    cells = sorted(cells[::STEP], key=is_publish)
    wrong = [try_cell(asker, cell) for cell in cells if not is_publish(cell)]
    wrong += listen_to_live(asker)
    wrong += [try_cell(asker, cell) for cell in cells if is_publish(cell)]
    wrong += compare_counts(asker)
    wrong = [text for text in wrong if text]
    print(f"{len(cells)} cells, {len(asker.open_streams)} streams")
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong[:40])


def listen_to_live(asker):
    """Twice an event for each channel. Events come in their order, so who has got
    its own of the second time has got all that it ever gets of the first."""
    for kind in ("new", "last"):
        for channel in CHANNELS:
            response = asker.request("POST", f"/publish/{channel}",
                                     asker.everything,
                                     marker(channel, kind).encode())
            assert response.status == 201
            asker.count(channel)
    return [listen_to(cell, stream) for cell, stream in asker.open_streams]


def listen_to(cell, stream):
    mine = model.selected(asked(cell))
    if model.expected(cell) == COMPLAINT:
        texts = stream.meet()
        return f"{cell}: live {texts}" if texts else None
    for _ in range(2 * len(mine)):
        item = stream.next()
        text = item if isinstance(item, str) else getattr(item, "data", None) \
            or json.dumps(item)
        if not any(marker(channel, kind) in text for channel in mine
                   for kind in ("new", "last")):
            return f"{cell}: live {text!r}"
    return None


def compare_counts(asker):
    """What was refused is not there, what was taken is."""
    rows = asker.request("GET", "/channels", asker.everything).json()["channels"]
    kept = {row["channel"]: row["count"] for row in rows}
    return [f"{channel}: {kept.get(channel)} events are there, "
            f"{asker.stored.get(channel)} were taken"
            for channel in set(kept) | set(asker.stored)
            if kept.get(channel) != asker.stored.get(channel)]
