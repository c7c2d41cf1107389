"""TLS: who is let in, on which port, and what stalls or lies costs nobody else.

The conversations of the other files run over TLS too, with TIDINGS_TEST_TLS=1
(scripts/test, phase blackbox_tls). Here is what only TLS has.
"""

import socket
import ssl
import subprocess
import warnings
import xml.etree.ElementTree

import pytest
from certificates import Pair
from http_raw import Connection
from marks import serve
from patience import DEADLINE_S, eventually

GOOD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def tls_world(idle_world):
    idle_world.start(tls=True)
    return idle_world


def plain(world, tls=False):
    """A connection without TLS, to either port."""
    connection = Connection(world.tls_port if tls else world.port)
    world.connections.append(connection)
    return connection


def by_tls(world, context=None):
    connection = Connection(world.tls_port,
                            tls=context or world.pair.client())
    world.connections.append(connection)
    return connection


def served(connection):
    connection.send(GOOD)
    return connection.response().status == 200


# ---- ports and versions ----------------------------------------------------

def test_both_ports_serve_the_same_journal(tls_world):
    identity = tls_world.publish("news", "by tls")
    connection = plain(tls_world)
    connection.request("GET", "/events/news?flavor=short-poll",
                       {"Last-Event-ID": "earliest"})
    assert [event["id"] for event in connection.response().json()] == \
        [identity]


def test_only_https_may_be_served(idle_world):
    idle_world.start(tls=True, listen="")
    assert idle_world.port == idle_world.tls_port
    assert served(by_tls(idle_world))


def test_plain_http_on_the_tls_port_is_told_so(tls_world):
    for method in ("GET", "POST", "HEAD", "OPTIONS", "DELETE"):
        connection = plain(tls_world, tls=True)
        connection.request(method, "/events/news")
        response = connection.response()
        assert response.status == 400 and response.error == "tls_only"
        assert connection.is_ended()


def test_what_is_neither_is_hung_up_on(tls_world):
    for first in (b"\x00", b"\x80\x2e\x01\x03\x01", b"\x15\x03\x01\x00\x02",
                  b"\xff" * 100):
        connection = plain(tls_world, tls=True)
        connection.send(first)
        assert connection.is_ended() and not connection.buffer


def test_tls_on_the_plain_port_is_told_so(tls_world):
    """In words that show in a debugger; a client of TLS sees no TLS."""
    with pytest.raises(ssl.SSLError):
        Connection(tls_world.port, tls=tls_world.pair.client())
    connection = plain(tls_world)
    connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert connection.response().status == 400
    assert connection.is_ended()


@pytest.mark.parametrize("version, is_let_in", [
    (ssl.TLSVersion.TLSv1, False), (ssl.TLSVersion.TLSv1_1, False),
    (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)])
def test_versions_below_1_2_are_refused(tls_world, version, is_let_in):
    context = tls_world.pair.client()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python knows that they are old
        context.minimum_version = context.maximum_version = version
    if is_let_in:
        connection = by_tls(tls_world, context)
        assert served(connection)
        return
    with pytest.raises(ssl.SSLError):
        by_tls(tls_world, context)
    tls_world.wait_for_metric("tls_handshakes_failed",
                              lambda figure: figure == 1)


@pytest.mark.parametrize("suite", [
    "AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA384"])
def test_suites_without_forward_secrecy_or_authentication_are_refused(
        tls_world, suite):
    context = tls_world.pair.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{suite}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        by_tls(tls_world, context)


@pytest.mark.parametrize("offers, chosen", [
    (None, None), (["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1")])
def test_the_protocol_is_http_1_1(tls_world, offers, chosen):
    context = tls_world.pair.client()
    if offers:
        context.set_alpn_protocols(offers)
    connection = by_tls(tls_world, context)
    assert connection.socket.selected_alpn_protocol() == chosen
    assert served(connection)


def test_who_speaks_only_http_2_is_refused(tls_world):
    context = tls_world.pair.client()
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError):
        by_tls(tls_world, context)


def test_a_session_is_resumed(tls_world):
    context = tls_world.pair.client()
    connection = by_tls(tls_world, context)
    assert served(connection)  # the ticket comes behind the handshake
    session = connection.socket.session
    again = socket.create_connection(("127.0.0.1", tls_world.tls_port))
    with context.wrap_socket(again, server_hostname="localhost",
                             session=session) as resumed:
        assert resumed.session_reused
    tls_world.wait_for_metric("tls_resumed", lambda figure: figure == 1)


# ---- bytes ---------------------------------------------------------------------

def test_a_request_is_read_to_its_end(tls_world):
    """Of a record that was read nothing stays inside unnoticed."""
    for size in (1, 200, 16384, 16385, 100000, 700000):
        identity = tls_world.publish("news", "x" * size)
        assert tls_world.dump()[-1] == {**tls_world.dump()[-1],
                                        "id": identity, "data": "x" * size}


def test_requests_of_any_cut_are_answered(tls_world):
    """Many on one connection: a record each, several in one, one in several."""
    connection = tls_world.connect()
    for _ in range(300):
        assert served(connection)
    connection.send(GOOD * 100)
    assert all(connection.response().status == 200 for _ in range(100))
    for byte in GOOD:
        connection.send(bytes([byte]))
    assert connection.response().status == 200


@serve(outbox_bytes=4096)
def test_a_slow_reader_loses_nothing(tls_world):
    slow = tls_world.sse("/events/news", receive_buffer=4096)
    fast = tls_world.sse("/events/news")
    ids = []
    for number in range(200):
        ids.append(tls_world.publish("news", f"{number}".rjust(20000)))
        assert fast.next().id == str(ids[-1])
    tls_world.wait_for_metric("demotions", lambda figure: figure >= 1)
    assert [int(event.id) for event in slow.take(200)] == ids


def test_the_end_of_an_answer_is_said(tls_world):
    """Without close_notify an answer that ends with the connection could have
    been cut off by anybody."""
    for version, target in (("1.0", "/healthz"), ("1.1", "/nowhere")):
        context = tls_world.pair.client()
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        connection = by_tls(tls_world, context)
        connection.socket.suppress_ragged_eofs = False
        connection.request("GET", target, {"Connection": "close"},
                           version=version)
        assert connection.response().status in (200, 404)
        assert connection.is_ended()


def test_what_breaks_the_protocol_ends_its_connection_only(tls_world):
    stream = tls_world.sse("/events/news")
    for rubbish in (b"\x17\x03\x03\x00\x20" + b"x" * 32,
                    b"\x15\x03\x03\x00\x02\x02\x00",
                    b"\x17\x03\x03\xff\xff", b"GET / HTTP/1.1\r\n\r\n"):
        connection = by_tls(tls_world)
        assert served(connection)
        socket.socket.send(connection.socket, rubbish)
        with pytest.raises(ssl.SSLError):
            while connection.socket.recv(100):
                pass
            raise ssl.SSLError("it ended")
    tls_world.publish("news", "x")
    assert stream.next().data == "x"


# ---- what a scanner finds --------------------------------------------------------

def test_a_scanner_finds_nothing(tls_world):
    done = subprocess.run(
        ["sslscan", "--xml=-", f"127.0.0.1:{tls_world.tls_port}"],
        capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    found = xml.etree.ElementTree.fromstring(done.stdout).find("ssltest")
    assert {f"{row.get('type')} {row.get('version')}"
            for row in found.findall("protocol")
            if row.get("enabled") == "1"} == {"tls 1.2", "tls 1.3"}
    suites = [row.get("cipher") for row in found.findall("cipher")]
    assert len(suites) >= 6
    assert all(suite.startswith(("ECDHE-", "TLS_")) and
               ("GCM" in suite or "POLY1305" in suite) for suite in suites)
    assert found.find("renegotiation").get("supported") == "0"
    assert all(row.get("vulnerable") == "0"
               for row in found.findall("heartbleed"))


def test_pages_are_not_compressed_and_scripts_are(tls_world):
    for path, coding in (("/", None), ("/demo/", None),
                         ("/tidings.js", "gzip")):
        connection = by_tls(tls_world)
        connection.request("GET", path, {"Accept-Encoding": "gzip"})
        answer = connection.response()
        assert answer.status == 200
        assert answer.headers.get("Content-Encoding") == coding, path


# ---- slow and rude handshakes -----------------------------------------------

@serve(handshake_ms=300)
@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"])
def test_a_handshake_that_does_not_come_is_cut_off(tls_world, sent):
    connection = plain(tls_world, tls=True)
    connection.send(sent)
    assert connection.is_ended()
    figures = tls_world.metrics()
    assert figures["deadlines_missed"] == 1
    assert figures["tls_handshaking"] == 0


@serve(handshake_ms=60000)
def test_a_thousand_stalled_handshakes_delay_nobody(tls_world):
    stalled = [plain(tls_world, tls=True) for _ in range(1000)]
    for number, connection in enumerate(stalled):
        if number % 3:
            connection.send(b"\x16\x03\x01\x02\x00\x01\x00"[:number % 8])
    tls_world.wait_for_metric("tls_handshaking", lambda n: n >= 1000)
    stream = tls_world.sse("/events/news")
    for number in range(20):
        assert served(by_tls(tls_world)) and served(plain(tls_world))
        tls_world.publish("news", f"{number}")
        assert stream.next().data == f"{number}"


@serve(handshake_ms=60000, handshakes_max=10, crew_threads=1)
def test_one_handshake_too_many_ends_the_oldest(tls_world):
    stalled = [plain(tls_world, tls=True) for _ in range(10)]
    for connection in stalled:
        connection.send(b"\x16\x03")
    tls_world.wait_for_metric("tls_handshakes_dropped", lambda n: n >= 1)
    assert stalled[0].is_ended()
    for _ in range(20):
        assert served(by_tls(tls_world))
    assert tls_world.metrics()["tls_handshaking"] <= 10


# ---- the certificate -----------------------------------------------------------

def seen_by(world):
    """The certificate that a new connection is shown."""
    return ssl.get_server_certificate(("127.0.0.1", world.tls_port))


@pytest.mark.parametrize("is_told", [True, False])
def test_a_new_certificate_is_taken_without_a_restart(tls_world, tmp_path,
                                                      is_told):
    old = seen_by(tls_world)
    stream = tls_world.sse("/events/news")
    kept = by_tls(tls_world)
    other = Pair(tmp_path, "other")
    other.key.replace(tls_world.pair.key)
    other.certificate.replace(tls_world.pair.certificate)
    if is_told:
        tls_world.process.send_signal(1)
    eventually(lambda: seen_by(tls_world) != old, "the new certificate")
    tls_world.client_tls = tls_world.pair.client()
    tls_world.publish("news", "after it")
    assert stream.next().data == "after it"
    assert served(kept)


def test_a_broken_pair_changes_nothing(tls_world, tmp_path):
    old = seen_by(tls_world)
    Pair(tmp_path, "other").key.replace(tls_world.pair.key)
    tls_world.process.send_signal(1)
    tls_world.wait_for_metric("tls_reloads_failed", lambda n: n >= 1)
    assert seen_by(tls_world) == old
    assert "the old one stays" in tls_world.output()


def refusal(world, **changes):
    world.use_tls()
    settings = {"listen": "127.0.0.1:0", "listen_tls": "127.0.0.1:0",
                "data": world.data, **world.pair.settings(), **changes}
    words = [word for name, value in settings.items() if value is not None
             for word in (f"--{name}", str(value))]
    checked = world.tidings("check", *words)
    done = world.tidings("serve", *words)
    assert done.returncode != 0 and checked.returncode != 0
    return done.stderr.decode() + checked.stderr.decode()


def test_a_key_that_everybody_may_read_is_refused(idle_world):
    idle_world.use_tls()
    idle_world.pair.key.chmod(0o644)
    assert refusal(idle_world).count("everybody on this machine") == 2


def test_what_cannot_serve_is_refused_at_the_start(idle_world, tmp_path):
    other = Pair(tmp_path, "other")
    assert "tls_key" in refusal(idle_world, tls_key=other.key)
    assert "nowhere" in refusal(idle_world, tls_certificate="nowhere")
    assert "tls_certificate" in refusal(idle_world, tls_certificate=None)
    assert "tls_redirect" in refusal(idle_world, listen_tls=None,
                                     tls_redirect="yes")
    assert "both empty" in refusal(idle_world, listen="", listen_tls=None)


# ---- redirects -----------------------------------------------------------------

@serve(tls_redirect=True)
@pytest.mark.parametrize("host, place", [
    ("tidings.example", "tidings.example"),
    ("tidings.example:8080", "tidings.example"),
    ("[::1]:8080", "[::1]")])
def test_plain_requests_are_sent_to_https(tls_world, host, place):
    for method in ("GET", "POST"):
        connection = plain(tls_world)
        connection.request(method, "/events/a%20b?x=1&y=%0d", {"Host": host})
        response = connection.response()
        assert response.status == 308
        assert response.headers["Location"] == \
            f"https://{place}:{tls_world.tls_port}/events/a%20b?x=1&y=%0d"
    assert tls_world.get("/healthz").status == 200
    assert tls_world.dump() == []


@serve(tls_redirect=True, tls_public_port=443)
def test_the_public_port_is_the_one_that_is_told(tls_world):
    connection = plain(tls_world)
    connection.request("GET", "/", {"Host": "a.example:80"})
    assert connection.response().headers["Location"] == "https://a.example/"
