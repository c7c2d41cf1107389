"""Every row of the table on a connection of its own: answers, what becomes of the
connection, how many requests were routed, how many events were published.

The rows are bytes, so how they come is a parameter: by TCP or by TLS.
"""

import collections
import itertools
import socket

import cases_framing
import cases_head
import pytest
from http_raw import Connection
from patience import Deadline, eventually

CASES = cases_framing.CASES + cases_head.CASES
MARKER = b"GET /healthz HTTP/1.1\r\nHost: marker\r\nConnection: close\r\n\r\n"

SAMPLE = CASES[::5] + [case for case in CASES if case.after == "keep"][::3]


def open_plain(world):
    connection = Connection(world.port)
    world.connections.append(connection)
    return connection


def open_tls(world):
    connection = Connection(world.tls_port, tls=world.pair.client())
    world.connections.append(connection)
    return connection


WAYS = {"plain": open_plain, "tls": open_tls}


def counters(world):
    """What the server counts, without the question itself."""
    figures = world.metrics()
    return collections.Counter(requests=int(figures["requests"]) - 1,
                               published=int(figures["http_published"]))


def method_of(sent, number):
    """Whether the answer of this number is to a HEAD: rows have such a request
    first, or where the claim says so."""
    heads = [i for i, part in enumerate(sent.split(b"\r\n\r\n"))
             if part.lstrip(b"\r\nx0").startswith(b"HEAD ")]
    return "HEAD" if heads and (number == 0 and sent.startswith(b"HEAD")
                                or number == 3 and len(heads) > 0
                                and not sent.startswith(b"HEAD")) else "GET"


def take_answers(connection, case):
    """The statuses that come, as many as the row has; of a stream only heads."""
    for number, wanted in enumerate(case.answers.split()):
        if wanted in ("100", "101") or case.after == "stream":
            got = connection.head().status
        else:
            got = connection.response(method_of(case.sent, number)).status
        assert str(got) == wanted, f"answer {number + 1}"


def is_silent(connection):
    """Nothing more has come. The server is known to be done with what was
    sent, since its counters say so."""
    connection.socket.setblocking(False)
    try:
        return connection.socket.recv(1) == b""
    except (BlockingIOError, socket.timeout, OSError):
        return True
    finally:
        connection.socket.settimeout(Deadline().left("anything"))


def check_after(connection, case):
    """Gives how many requests this look has cost."""
    if case.after == "keep":
        connection.send(MARKER)
        assert connection.response().status == 200, "the next request"
        assert connection.is_ended() and not connection.buffer
        return 1
    if case.after == "close":
        assert connection.is_ended()
        assert not connection.buffer, bytes(connection.buffer)
    return 0


def check(world, connection, case, send):
    before = counters(world)
    send(connection, case.sent)
    take_answers(connection, case)
    extra = check_after(connection, case)
    wanted = {"requests": case.executed + extra,
              "published": case.answers.split().count("201")}

    def arrived():
        now = counters(world)
        before["requests"] += 1  # the question
        return now["requests"] >= before["requests"] + wanted["requests"] and now

    now = eventually(arrived, "the requests to be counted")
    assert now["requests"] - before["requests"] == wanted["requests"], "executed"
    assert now["published"] - before["published"] == wanted["published"]
    if case.after == "wait":
        assert not connection.buffer and is_silent(connection)
    assert world.get("/channels/hidden").status == 404, "something was smuggled"


def send_whole(connection, data):
    """The server may refuse and close before all is sent."""
    connection.try_send(data)


def send_bytes(connection, data):
    """Each byte in a packet of its own, as far as the server takes them."""
    for byte in data:
        if not connection.try_send(bytes([byte])):
            return


def name_of(case):
    return f"{case.section}: {case.claim}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
@pytest.mark.parametrize("way", WAYS)
def test_a_row(table_world, way, case):
    connection = WAYS[way](table_world)
    check(table_world, connection, case, send_whole)
    table_world.hang_up(connection)


@pytest.mark.parametrize("case", [case for case in SAMPLE
                                  if len(case.sent) < 700], ids=name_of)
def test_a_row_byte_by_byte(table_world, case):
    connection = open_plain(table_world)
    check(table_world, connection, case, send_bytes)
    table_world.hang_up(connection)


def test_the_table_is_large_enough_and_says_each_thing_once():
    names = collections.Counter(name_of(case) for case in CASES)
    assert len(CASES) >= 215
    assert not [name for name, count in names.items() if count > 1]
    sections = {case.section for case in CASES}
    assert len(sections) >= 20, sorted(sections)
    sent = collections.Counter(case.sent for case in CASES)
    twice = [name_of(case) for case in CASES if sent[case.sent] > 1]
    assert not twice, list(itertools.islice(twice, 10))
