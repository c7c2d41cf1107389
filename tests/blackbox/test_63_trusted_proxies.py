"""Clients behind trusted proxies: operations.md, Behind a reverse proxy. They are
counted by the address that the proxy names, and nobody else is believed.
"""

import socket
import struct

from http_raw import Connection, CutOff, format_request
from marks import serve
from patience import eventually

PROXY, OTHER_PROXY, STRANGER = "127.0.0.1", "127.0.0.9", "127.0.0.5"
CLIENT, SECOND = "192.0.2.1", "192.0.2.2"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def open_stream(world, headers, source=PROXY):
    connection = world.connect(source=source)
    connection.request("GET", "/events/news",
                       {"Accept": "text/event-stream", **headers})
    head = connection.head()
    assert head.status == 200
    return connection, "Last-Event-ID" in head.headers


def is_taken(world, headers, source=PROXY):
    """Is it a stream that stays? The other kind ends at once."""
    connection, is_stream = open_stream(world, headers, source)
    if not is_stream:
        assert connection.is_ended()
        world.hang_up(connection)
    return is_stream


def x_forwarded_for(*addresses):
    return {"X-Forwarded-For": ", ".join(addresses)}


@serve(trusted_proxies="127.0.0.1", connections_per_address=2)
def test_clients_are_counted_and_not_the_proxy(world):
    for _ in range(2):
        assert is_taken(world, x_forwarded_for(CLIENT))
    assert not is_taken(world, x_forwarded_for(CLIENT))
    assert not is_taken(world, x_forwarded_for(SECOND, CLIENT))
    assert not is_taken(world, x_forwarded_for("127.0.0.1", CLIENT, PROXY))
    assert is_taken(world, x_forwarded_for(CLIENT, SECOND))
    # publishing and health are for everybody
    response = world.http("POST", "/publish/news", x_forwarded_for(CLIENT), b"x")
    assert response.status == 201
    assert world.get("/channels", x_forwarded_for(CLIENT)).status == 429
    assert world.get("/channels", x_forwarded_for(SECOND)).status == 200
    # IPv6: one /64 is one client
    assert is_taken(world, x_forwarded_for("2001:db8::1"))
    assert is_taken(world, x_forwarded_for("[2001:db8::2:0:0:1]:4711"))
    assert not is_taken(world, x_forwarded_for("2001:db8::3"))
    assert is_taken(world, x_forwarded_for("2001:db8:0:1::3"))
    # the proxy's own requests, and those that it says nothing of
    for _ in range(4):
        assert is_taken(world, {})
        assert is_taken(world, x_forwarded_for("unknown"))
    world.hang_up_all()
    eventually(lambda: is_taken(world, x_forwarded_for(CLIENT)),
               "the places to be given back")


@serve(trusted_proxies="127.0.0.9", connections_per_address=2)
def test_nobody_else_is_believed(world):
    """A header of whoever is no proxy changes nothing."""
    for number in range(2):
        assert is_taken(world, x_forwarded_for(f"192.0.2.{number}"), STRANGER)
    assert not is_taken(world, x_forwarded_for("192.0.2.9"), STRANGER)
    assert is_taken(world, x_forwarded_for("192.0.2.9"), OTHER_PROXY)


@serve(trusted_proxies="127.0.0.1", connections_per_address=1)
def test_a_kept_connection_of_a_proxy_is_each_time_somebody_else_s(world):
    held = [open_stream(world, x_forwarded_for(CLIENT))[0]]
    kept = world.connect(source=PROXY)
    for _ in range(3):
        for client, status in ((CLIENT, 429), (SECOND, 200), ("192.0.2.3", 200)):
            kept.request("GET", "/channels", x_forwarded_for(client))
            assert kept.response().status == status
    # between requests it is nobody's
    assert is_taken(world, x_forwarded_for(SECOND))
    world.hang_up(held.pop())

    def is_free():
        kept.request("GET", "/channels", x_forwarded_for(CLIENT))
        return kept.response().status == 200
    eventually(is_free, "the place to be given back")


@serve(trusted_proxies="127.0.0.1", connections_per_address=1,
       forwarded_header="forwarded")
def test_only_the_header_of_the_setting_is_read(world):
    assert is_taken(world, {"Forwarded": f'for="{CLIENT}:80"',
                            "X-Forwarded-For": "192.0.2.77"})
    assert not is_taken(world, {"Forwarded": f"for=192.0.2.9, for={CLIENT}",
                                "X-Forwarded-For": "192.0.2.78"})
    assert is_taken(world, {"Forwarded": f"for={CLIENT}, for={SECOND}"})


@serve(trusted_proxies="127.0.0.1")
def test_what_was_forwarded_is_never_this_machine(world):
    for address in ("127.0.0.1", "::1", CLIENT, "unknown"):
        for header in ("X-Forwarded-For", "Forwarded"):
            response = world.get("/admin/shutdown", {header: address})
            assert response.status == 403
    assert world.get("/admin/shutdown").status == 200


# ---- the PROXY protocol ---------------------------------------------------------

def version_1(source, destination="198.51.100.2"):
    family = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {family} {source} {destination} 4711 443\r\n".encode()


def version_2(source, command=0x21, tail=b""):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    address = socket.inet_pton(family, source)
    block = address + address + struct.pack("!HH", 4711, 443) + tail
    return SIGNATURE + struct.pack(
        "!BBH", command, 0x21 if ":" in source else 0x11, len(block)) + block


LOCAL = SIGNATURE + b"\x20\0\0\0"
UNKNOWN = b"PROXY UNKNOWN\r\n"


def ask_after(world, header, target="/channels", source=PROXY, headers=()):
    """The status of one request behind a header; None: closed unheard."""
    connection = world.connect(source=source)
    connection.try_send(header + format_request("GET", target, headers))
    try:
        return connection.response().status
    except CutOff:
        return None
    finally:
        world.hang_up(connection)


ON = {"trusted_proxies": "127.0.0.1", "proxy_protocol": "on"}


GOOD_HEADERS = (
    version_1(CLIENT), version_1("2001:db8::1", "2001:db8::2"),
    version_2(CLIENT), version_2("2001:db8::1"), LOCAL, UNKNOWN,
    version_2(CLIENT, tail=b"\x04\0\3abc" + b"\xe0\0\0" * 100))
BAD_HEADERS = (
    b"", b"PROXY TCP4 192.0.2.1 198.51.100.2 4711\r\n", b"PROXY\r\n",
    b"PROXY UDP4 192.0.2.1 198.51.100.2 4711 443\r\n",
    version_1(CLIENT).replace(b"\r\n", b"\n"), version_2(CLIENT, 0x31),
    version_2(CLIENT, 0x22), SIGNATURE + b"\x21\x11\xff\xff",
    SIGNATURE + b"\x21\x11\0\1x", b"\x16\x03\x01\x02\0", b"PROXY " + b"x" * 200)


@serve(**ON)
def test_a_header_in_one_piece_and_byte_by_byte(world):
    for header in GOOD_HEADERS:
        assert ask_after(world, header) == 200, header
        connection = world.connect(source=PROXY)
        for byte in header:
            connection.send(bytes([byte]))
        for _ in range(2):
            connection.request("GET", "/channels")
            assert connection.response().status == 200, header


@serve(**ON)
def test_what_is_no_header_is_closed_and_counted(world):
    for count, header in enumerate(BAD_HEADERS, 1):
        assert ask_after(world, header) is None, header
        assert refused_headers(world) == count


def refused_headers(world):
    connection = world.connect(source=PROXY)
    connection.send(LOCAL + format_request("GET", "/metrics"))
    text = connection.response().text
    world.hang_up(connection)
    return int([line for line in text.splitlines() if line.startswith(
        "tidings_proxy_headers_refused_total ")][0].split()[1])


@serve(head_ms=300, **ON)
def test_a_header_has_its_time(world):
    for part in (b"", b"PROXY TCP4 ", SIGNATURE + b"\x21\x11"):
        connection = world.connect(source=PROXY)
        connection.try_send(part)
        assert connection.is_ended() and not connection.buffer


@serve(proxy_protocol="on", trusted_proxies="127.0.0.9")
def test_only_trusted_proxies_may_say_it(world):
    """This machine's programs say none and are themselves; what they send as one
    is no request."""
    assert ask_after(world, b"") == 200
    assert ask_after(world, version_1(CLIENT)) in (400, 501, 505)
    assert ask_after(world, b"", source=OTHER_PROXY) is None
    assert ask_after(world, version_1(CLIENT), source=OTHER_PROXY) == 200


@serve(connections_per_address=2, **ON)
def test_a_connection_counts_for_whom_its_header_names(world):
    held = []
    for header in (version_1(CLIENT), version_2(CLIENT)):
        connection = world.connect(source=PROXY)
        connection.send(header + format_request("GET", "/channels"))
        assert connection.response().status == 200
        held.append(connection)
    assert ask_after(world, version_2(CLIENT)) == 429
    assert ask_after(world, version_1(CLIENT), "/healthz") == 200
    assert ask_after(world, version_2(SECOND)) == 200
    # what the client says about itself is not a proxy's word
    assert ask_after(world, version_2(CLIENT), headers={
        "X-Forwarded-For": "192.0.2.99"}) == 429
    world.hang_up(held.pop())
    eventually(lambda: ask_after(world, version_1(CLIENT)) == 200,
               "the place to be given back")


@serve(connections_max=2, connections_reserve=64, crew_threads=1, **ON)
def test_a_header_takes_nobody_out_of_the_reserve(world):
    for number in (1, 2):
        connection = world.connect(source=PROXY)
        connection.send(version_1(f"203.0.113.{number}") +
                        format_request("GET", "/channels"))
        assert connection.response().status == 200
    for number in range(3, 6):
        assert ask_after(world, version_1(f"203.0.113.{number}")) == 503
    assert ask_after(world, version_1("203.0.113.9"), "/healthz") == 200


@serve(connections_max=2, connections_reserve=64, trusted_proxies="127.0.0.1",
       publish_events_per_second=1)
def test_publishers_in_the_reserve_have_their_quota(world):
    for number in (2, 3):
        assert is_taken(world, x_forwarded_for(f"192.0.2.{number}"))
    answers = [world.http("POST", "/publish/news", x_forwarded_for(CLIENT),
                          b"x").status for _ in range(8)]
    assert answers[0] == 201 and answers.count(429) >= 4, answers


@serve(**ON)
def test_who_comes_through_a_proxy_here_is_not_this_machine(world):
    assert ask_after(world, version_1(CLIENT), "/admin/shutdown") == 403
    assert ask_after(world, version_2("2001:db8::1"), "/admin/shutdown") == 403
    assert ask_after(world, LOCAL, "/admin/shutdown") == 200


@serve(trusted_proxies="127.0.0.1", proxy_protocol="https",
       connections_per_address=1)
def test_the_header_comes_before_tls_and_only_there(idle_world):
    """`https`: the plain listener wants none."""
    world = idle_world.start(tls=True)
    context = world.pair.client()

    def ask_by_tls(header):
        raw = socket.create_connection(("127.0.0.1", world.tls_port))
        raw.sendall(header)
        connection = Connection.__new__(Connection)
        connection.socket = context.wrap_socket(raw, server_hostname="localhost")
        connection.buffer, connection.is_at_end = bytearray(), False
        world.connections.append(connection)
        connection.request("GET", "/channels")
        return connection.response().status

    assert ask_by_tls(version_2(CLIENT)) == 200
    assert ask_by_tls(version_1(CLIENT)) == 429
    assert ask_by_tls(version_1(SECOND)) == 200
    plain = Connection(world.port)
    world.connections.append(plain)
    plain.request("GET", "/channels")
    assert plain.response().status == 200
    world.client_tls = None  # the figures are asked for without it
    assert world.metrics()["proxy_headers_refused"] == 0


@serve(trusted_proxies="127.0.0.1", proxy_protocol="on", listen="")
def test_a_server_of_https_alone_starts(idle_world):
    """Its self-test says the header, too."""
    idle_world.start(tls=True)
    connection = Connection(idle_world.tls_port)
    connection.send(b"no header\r\n")
    assert connection.is_ended() and not connection.buffer
    connection.close()


def test_check_says_whom_it_believes_and_what_one_may_have(idle_world):
    done = idle_world.tidings(
        "check", "--trusted_proxies", "10.0.0.0/8", "--proxy_protocol", "on",
        "--connections_per_address", "7", "--publish_events_per_second", "0")
    assert done.returncode == 0
    said = done.stdout.decode()
    assert "believes  10.0.0.0/8 about their clients, by the PROXY" in said
    assert "of one address 7 connections" in said
    assert "any number of events" in said
