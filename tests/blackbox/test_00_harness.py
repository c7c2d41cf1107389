"""The harness itself: a parser that misreads would make every test lie.

These run without the server: HTTP answers and event streams come from a socket
pair, NATS from the real nats-server.
"""

import socket
import zlib

import pytest
from http_raw import Connection, format_request
from nats_raw import NatsClient
from streams import Lines, Sse


def connection_that_says(data, is_closed=True):
    ours, theirs = socket.socketpair()
    connection = Connection.__new__(Connection)
    connection.socket = ours
    connection.buffer = bytearray()
    connection.is_at_end = False
    theirs.sendall(data)
    if is_closed:
        theirs.close()
    return connection


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def chunks(*texts):
    body = b"".join(b"%x\r\n%s\r\n" % (len(text), text) for text in texts)
    return CHUNKED + body + b"0\r\n\r\n"


@pytest.mark.parametrize("data", [
    HEAD + b"Content-Length: 3\r\n\r\nabcHTTP/1.1",
    chunks(b"a", b"bc"),
    HEAD + b"\r\nabc",
], ids=["length", "chunks", "end"])
def test_an_answer_is_read_by_its_framing(data):
    assert connection_that_says(data).response().body == b"abc"


def test_a_head_answer_has_no_body():
    connection = connection_that_says(HEAD + b"Content-Length: 9\r\n\r\n")
    assert connection.response("HEAD").body == b""


@pytest.mark.parametrize("data", [
    CHUNKED + b"1\r\nabc",
    CHUNKED + b"0x1\r\na\r\n0\r\n\r\n",
    CHUNKED + b"5\r\nab",
    HEAD + b"Content-Length: 3\r\n\r\nab",
    HEAD + b"No colon\r\n\r\n",
], ids=["long chunk", "bad size", "cut chunk", "cut body", "bad header"])
def test_bad_framing_is_an_error(data):
    with pytest.raises(AssertionError):
        connection_that_says(data).response()


def test_a_gzip_stream_is_unpacked_piece_by_piece():
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    first = packer.compress(b"data: one\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    data = HEAD + b"Content-Encoding: gzip\r\n\r\n" + first
    stream = Sse(connection_that_says(data, is_closed=False))
    assert stream.next().data == "one"


def test_events_are_parsed_as_browsers_do():
    stream = Sse(connection_that_says(chunks(
        b"retry: 3000\n\n", b"event: cheese\ndata: a\nda", b"ta: b\nid: 7\n\n",
        b":\n", b"data\n\n", b"id: 8\r\ndata:c\r\n\r\n", b"data: cut off\n")))
    first, second, third = stream.ends()
    assert (first.id, first.type, first.data) == ("7", "cheese", "a\nb")
    assert (second.id, second.type, second.data) == (None, "", "")
    assert (third.id, third.data) == ("8", "c")
    assert (stream.retry, stream.comments) == (3000, [""])
    assert stream.body.is_complete


def test_a_stream_without_its_last_chunk_is_cut_off():
    stream = Sse(connection_that_says(CHUNKED + b"9\r\ndata: a\n\n\r\n"))
    assert [event.data for event in stream.ends()] == ["a"]
    assert not stream.body.is_complete


def test_lines_are_split_at_line_feeds():
    stream = Lines(connection_that_says(chunks(b'{"a":', b'1}\n"two"\n')))
    assert stream.next_json() == {"a": 1}
    assert stream.ends() == ['"two"']


def test_a_request_is_formatted_with_length_and_host():
    assert format_request("POST", "/x", {"A": "b", "C": None}, b"hi") == (
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nA: b\r\n"
        b"Content-Length: 2\r\n\r\nhi")


def test_nats_carries_headers_and_answers(nats_server):
    server = NatsClient(nats_server.port)
    client = NatsClient(nats_server.port)
    questions = server.subscribe("questions.>")
    asked = client.ask("questions.one", "how?", {"Event-Type": "q"})
    client.flush()
    question = questions.next()
    assert question.data == b"how?" and question.headers["event-type"] == "q"
    server.publish(question.reply, '{"id":1}')
    server.flush()
    assert client.answer(asked).data == b'{"id":1}'
    server.close()
    client.close()
