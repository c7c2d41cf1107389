"""RFC 6455 as the Autobahn test suite asks for it: its groups 1 to 7 and 10,
each row named by the number of its case.

Autobahn's server echoes; Tidings does not. A text that is no JSON object is
answered by one text frame with an error object: that is how these cases see
that a message was received, whole and once. Besides:

* binary messages are refused with 1003 (groups 1.2, 3.5, 5 in text only);
* a message has at most 64 KiB, so the 256 KiB of 7.1.6 are refused with 1009;
* 6.4 is strict: the close must come before the rest of the message is sent;
* codes 1012 to 1014 may be sent: IANA has registered them since.

A row is its number, what is sent, and what must come: "text" for an answer,
bytes for a pong with them, a number for the server's close. Without a close the
client closes with 1000, which must be answered; so nothing else has come.
"""

import json

import pytest
from world import World
from ws_raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, \
    close_payload, frame

HELLO = "Hello, world!"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("conformance"))
    world.start()
    try:
        yield world
        world.end()
    finally:
        world.abandon()


# ---- what is sent ----------------------------------------------------------

def text(payload=HELLO, **how):
    return frame(TEXT, payload, **how)


def part(payload, final=False, **how):
    return frame(CONTINUATION, payload, final=final, **how)


def begin(payload, **how):
    return frame(TEXT, payload, final=False, **how)


def fragments(payload, size):
    """A text in fragments of that size."""
    pieces = [payload[at:at + size] for at in range(0, len(payload), size)]
    return [frame(CONTINUATION if number else TEXT, piece,
                  final=number == len(pieces) - 1)
            for number, piece in enumerate(pieces)]


def octets(*frames):
    """Each byte in a write of its own."""
    data = b"".join(frames)
    return [data[at:at + 1] for at in range(len(data))]


def chops(data, size):
    return [data[at:at + size] for at in range(0, len(data), size)]


# ---- what must come --------------------------------------------------------

def expect(socket, wanted):
    opcode, payload = socket.next_frame()
    if wanted == "text":
        assert opcode == TEXT, (opcode, payload)
        assert json.loads(payload)["error"] == "bad_request"
    elif isinstance(wanted, bytes):
        assert (opcode, payload) == (PONG, wanted)
    else:
        assert opcode == CLOSE, (opcode, payload[:100])
        assert socket.read_close(payload)[0] == wanted
        if not socket.has_closed:
            socket.connection.try_send(frame(CLOSE, payload))


def check(server, writes, answers):
    socket = server.websocket("/events/nothing")
    for data in writes:
        if not socket.connection.try_send(data):
            break  # already refused: the close says so
    for wanted in answers:
        expect(socket, wanted)
    if not answers or not isinstance(answers[-1], int):
        socket.close(1000)
        expect(socket, 1000)
    assert socket.connection.is_ended(), "the server closes the connection"
    assert not socket.connection.buffer, "nothing comes after a close"
    server.hang_up(socket.connection)


def rows(*table):
    return pytest.mark.parametrize(
        "writes, answers", [row[1:] for row in table],
        ids=[row[0] for row in table])


# ---- 1: framing ------------------------------------------------------------

LENGTHS = (0, 125, 126, 127, 128, 65535, 65536)


@rows(*[(f"1.1.{n}", [text("*" * length)], ["text"])
        for n, length in enumerate(LENGTHS, 1)],
      ("1.1.8", chops(text("*" * 65536), 997), ["text"]))
def test_1_1_texts_of_every_form_of_length(server, writes, answers):
    check(server, writes, answers)


@rows(*[(f"1.2.{n}", [frame(BINARY, b"\xfe" * length)], [1003])
        for n, length in enumerate(LENGTHS, 1)],
      ("1.2.8", chops(frame(BINARY, b"\xfe" * 65536), 997), [1003]))
def test_1_2_binary_messages_are_refused(server, writes, answers):
    check(server, writes, answers)


# ---- 2: pings and pongs ----------------------------------------------------

TEN = [frame(PING, f"payload-{n}") for n in range(10)]
TEN_PONGS = [f"payload-{n}".encode() for n in range(10)]


@rows(("2.1", [frame(PING)], [b""]),
      ("2.2", [frame(PING, HELLO)], [HELLO.encode()]),
      ("2.3", [frame(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")],
       [b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"]),
      ("2.4", [frame(PING, b"\xfe" * 125)], [b"\xfe" * 125]),
      ("2.5", [frame(PING, b"\xfe" * 126)], [1002]),
      ("2.6", octets(frame(PING, b"\xfe" * 125)), [b"\xfe" * 125]),
      ("2.7", [frame(PONG)], []),
      ("2.8", [frame(PONG, "unsolicited pong payload")], []),
      ("2.9", [frame(PONG, "unsolicited"), frame(PING, "ping payload")],
       [b"ping payload"]),
      ("2.10", TEN, TEN_PONGS),
      ("2.11", octets(*TEN), TEN_PONGS))
def test_2_pings_and_pongs(server, writes, answers):
    check(server, writes, answers)


# ---- 3: reserved bits ------------------------------------------------------

@rows(("3.1", [text(reserved=1)], [1002]),
      ("3.2", [text(), text(reserved=2), frame(PING)], ["text", 1002]),
      ("3.3", [text() + text(reserved=3) + frame(PING)], ["text", 1002]),
      ("3.4", octets(text(), text(reserved=4), frame(PING)), ["text", 1002]),
      ("3.5", [frame(BINARY, b"\x00\xff", reserved=5)], [1002]),
      ("3.6", [frame(PING, HELLO, reserved=6)], [1002]),
      ("3.7", [frame(CLOSE, b"", reserved=7)], [1002]))
def test_3_reserved_bits_fail_the_connection(server, writes, answers):
    check(server, writes, answers)


# ---- 4: opcodes ------------------------------------------------------------

@rows(*[row for group, codes in (("4.1", range(3, 8)), ("4.2", range(11, 16)))
        for row in (
            (f"{group}.1", [frame(codes[0])], [1002]),
            (f"{group}.2", [frame(codes[1], "reserved opcode")], [1002]),
            (f"{group}.3", [text(), frame(codes[2]), frame(PING)],
             ["text", 1002]),
            (f"{group}.4", [text(), frame(codes[3], HELLO), frame(PING)],
             ["text", 1002]),
            (f"{group}.5", octets(text(), frame(codes[4], HELLO),
                                  frame(PING)), ["text", 1002]))])
def test_4_reserved_opcodes_fail_the_connection(server, writes, answers):
    check(server, writes, answers)


# ---- 5: fragmentation ------------------------------------------------------

TWO = [begin("fragment1"), part("fragment2", final=True)]
WITH_PING = [begin("fragment1"), frame(PING, "ping payload"),
             part("fragment2", final=True)]
FIVE = [begin("fragment1"), part("fragment2"), frame(PING, "pongme 1!"),
        part("fragment3"), part("fragment4"), frame(PING, "pongme 2!"),
        part("fragment5", final=True)]
NO_MESSAGE = part("non-continuation payload", final=True)
NO_MESSAGE_YET = part("non-continuation payload")


@rows(("5.1", [frame(PING, "fragment1", final=False),
               part("fragment2", final=True)], [1002]),
      ("5.2", [frame(PONG, "fragment1", final=False),
               part("fragment2", final=True)], [1002]),
      ("5.3", [b"".join(TWO)], ["text"]),
      ("5.4", TWO, ["text"]),
      ("5.5", octets(*TWO), ["text"]),
      ("5.6", [b"".join(WITH_PING)], [b"ping payload", "text"]),
      ("5.7", WITH_PING, [b"ping payload", "text"]),
      ("5.8", octets(*WITH_PING), [b"ping payload", "text"]),
      ("5.9", [NO_MESSAGE + text()], [1002]),
      ("5.10", [NO_MESSAGE, text()], [1002]),
      ("5.11", octets(NO_MESSAGE, text()), [1002]),
      ("5.12", [NO_MESSAGE_YET + text()], [1002]),
      ("5.13", [NO_MESSAGE_YET, text()], [1002]),
      ("5.14", octets(NO_MESSAGE_YET, text()), [1002]),
      ("5.15", [*TWO, part("fragment3"), text("fragment4")],
       ["text", 1002]),
      ("5.16", [part("fragment1"), text("fragment2"), part("fragment3", True)]
       * 2, [1002]),
      ("5.17", [part("fragment1", True), text("fragment2"),
                part("fragment3", True)] * 2, [1002]),
      ("5.18", [begin("fragment1"), text("fragment2")], [1002]),
      ("5.19", FIVE, [b"pongme 1!", b"pongme 2!", "text"]),
      ("5.20", octets(*FIVE), [b"pongme 1!", b"pongme 2!", "text"]))
def test_5_fragments_make_one_message(server, writes, answers):
    check(server, writes, answers)


# ---- 6: UTF-8 --------------------------------------------------------------

KOSME = bytes.fromhex("cebae1bdb9cf83cebcceb5")
VALID = "Hello-µ@ßöäüàá-UTF-8!!".encode()
INVALID = KOSME + b"\xed\xa0\x80" + b"edited"


@rows(("6.1.1", [text(b"")], ["text"]),
      ("6.1.2", [begin(b""), part(b""), part(b"", True)], ["text"]),
      ("6.1.3", [begin(b""), part("middle frame payload"), part(b"", True)],
       ["text"]),
      ("6.2.1", [text(VALID)], ["text"]),
      ("6.2.2", [begin(VALID[:9]), part(VALID[9:], True)], ["text"]),
      ("6.2.3", fragments(VALID, 1), ["text"]),
      ("6.2.4", fragments(KOSME, 1), ["text"]),
      ("6.3.1", [text(INVALID)], [1007]),
      ("6.3.2", fragments(INVALID, 1), [1007]))
def test_6_1_to_3_text_in_fragments(server, writes, answers):
    check(server, writes, answers)


@pytest.mark.parametrize("good, bad, is_in_one_frame", [
    (KOSME, b"\xf4\x90", False), (KOSME + b"\xf4", b"\x90", False),
    (KOSME, b"\xf4\x90", True), (KOSME + b"\xf4", b"\x90", True)],
    ids=["6.4.1", "6.4.2", "6.4.3", "6.4.4"])
def test_6_4_the_first_impossible_byte_fails_at_once(
        server, good, bad, is_in_one_frame):
    socket = server.websocket("/events/nothing")
    if is_in_one_frame:
        whole = text(good + bad + b"\x80\x80edited")
        head = 2 + 4
        socket.send_raw(whole[:head + len(good)])
        socket.send_raw(whole[head + len(good):head + len(good) + len(bad)])
    else:
        socket.send_raw(begin(good))
        socket.send_raw(part(bad))
    expect(socket, 1007)
    assert socket.connection.is_ended()


def utf8_rows():
    """Group 6.5 to 6.23: its sequences in hexadecimal, valid or not."""
    def numbered(group, sequences, is_valid=True):
        for number, sequence in enumerate(sequences.split(), 1):
            yield f"{group}.{number}", sequence, is_valid

    kosme = KOSME.hex()
    for number, length in enumerate(range(1, 12), 1):
        prefix = kosme[:2 * length]
        yield f"6.6.{number}", prefix, length in (2, 5, 7, 9, 11)
    yield from numbered("6.5", f"{kosme} 48656c6c6f24 c2a2 e282ac f0a4ada2")
    yield from numbered("6.7", "00 c280 e0a080 f0908080")
    yield from numbered("6.8", "f888808080 fc8480808080", False)
    yield from numbered("6.9", "7f dfbf efbfbf f48fbfbf")
    yield from numbered("6.10", "f7bfbfbf fbbfbfbfbf fdbfbfbfbfbf", False)
    yield from numbered("6.11", "ed9fbf ee8080 efbfbd f48fbfbf")
    yield "6.11.5", "f4908080", False
    yield from numbered("6.12", "80 bf 80bf 80bf80 80bf80bf 80bf80bf80 "
                        "80bf80bf80bf " + bytes(range(0x80, 0xc0)).hex(),
                        False)
    for number, (first, last) in enumerate(
            ((0xc0, 0xdf), (0xe0, 0xef), (0xf0, 0xf7), (0xf8, 0xfb),
             (0xfc, 0xfd)), 1):
        yield (f"6.13.{number}", bytes(byte for lead in range(first, last + 1)
                                       for byte in (lead, 0x20)).hex(), False)
    cut = ("c0 e080 f08080 f8808080 fc80808080 df efbf f7bfbf fbbfbfbf "
           "fdbfbfbfbf")
    yield from numbered("6.14", cut, False)
    yield "6.15.1", cut.replace(" ", ""), False
    yield from numbered("6.16", "fe ff fefeffff", False)
    yield from numbered("6.17", "c0af e080af f08080af f8808080af "
                        "fc80808080af", False)
    yield from numbered("6.18", "c1bf e09fbf f08fbfbf f887bfbfbf "
                        "fc83bfbfbfbf", False)
    yield from numbered("6.19", "c080 e08080 f0808080 f880808080 "
                        "fc8080808080", False)
    yield from numbered("6.20", "eda080 edadbf edae80 edafbf edb080 edbe80 "
                        "edbfbf", False)
    yield from numbered("6.21", "eda080edb080 eda080edbfbf edadbfedb080 "
                        "edadbfedbfbf edae80edb080 edae80edbfbf edafbfedb080 "
                        "edafbfedbfbf", False)
    yield from numbered("6.22", " ".join(
        chr(plane << 16 | last).encode().hex()
        for plane in range(17) for last in (0xfffe, 0xffff)))
    yield from numbered("6.23", " ".join(
        chr(code).encode().hex() for code in range(0xfff9, 0x10000)))


UTF8 = list(utf8_rows())


@rows(*[(name, [text(bytes.fromhex(sequence))], ["text"] if valid else [1007])
        for name, sequence, valid in UTF8])
def test_6_5_to_23_sequences_of_bytes(server, writes, answers):
    check(server, writes, answers)


@rows(*[(name, fragments(bytes.fromhex(sequence), 1),
         ["text"] if valid else [1007]) for name, sequence, valid in UTF8])
def test_6_5_to_23_the_same_with_each_byte_a_fragment(server, writes, answers):
    check(server, writes, answers)


# ---- 7: closing ------------------------------------------------------------

def close(code=1000, reason=""):
    return frame(CLOSE, close_payload(code, reason))


@rows(("7.1.1", [text(), close()], ["text", 1000]),
      ("7.1.2", [close(), close()], [1000]),
      ("7.1.3", [close(), frame(PING)], [1000]),
      ("7.1.4", [close(), text()], [1000]),
      ("7.1.5", [begin("fragment1"), close(), part("fragment2", True)],
       [1000]),
      ("7.1.6", [frame(TEXT, "BAsd7&jh23" * 26214), close(), frame(PING)],
       [1009]),
      ("7.3.1", [frame(CLOSE)], [None]),
      ("7.3.2", [frame(CLOSE, "a")], [1002]),
      ("7.3.3", [close(1000)], [1000]),
      ("7.3.4", [close(1000, HELLO)], [1000]),
      ("7.3.5", [close(1000, "*" * 123)], [1000]),
      ("7.3.6", [close(1000, "*" * 124)], [1002]),
      ("7.5.1", [close(1000, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
                       b"\xed\xa0\x80\x65\x64\x69\x74\x65\x64")], [1007]))
def test_7_a_close_is_answered_and_ends_everything(server, writes, answers):
    check_close(server, writes, answers)


def check_close(server, writes, answers):
    """As check(), where `None` is a close without a code."""
    socket = server.websocket("/events/nothing")
    socket.has_closed = True
    for data in writes:
        if not socket.connection.try_send(data):
            break
    for wanted in answers[:-1]:
        expect(socket, wanted)
    assert socket.is_closed()[0] == answers[-1]
    server.hang_up(socket.connection)


@rows(*[(f"7.7.{n}", [close(code)], [code]) for n, code in enumerate(
        (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
         1014, 3000, 3999, 4000, 4999), 1)])
def test_7_7_codes_that_may_be_sent(server, writes, answers):
    check_close(server, writes, answers)


@rows(*[(f"7.9.{n}", [close(code)], [1002]) for n, code in enumerate(
        (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999), 1)],
      ("7.13.1", [close(5000)], [1002]), ("7.13.2", [close(65535)], [1002]))
def test_7_9_codes_that_may_not_be_sent(server, writes, answers):
    check_close(server, writes, answers)


# ---- 10: automatic fragmentation -------------------------------------------

@rows(("10.1.1", fragments("*" * 65536, 1300), ["text"]))
def test_10_a_long_message_in_many_fragments(server, writes, answers):
    check(server, writes, answers)


# ---- beyond Autobahn: masks, lengths, the limit ----------------------------

@rows(("no mask", [text(mask=None)], [1002]),
      ("no mask on a ping", [frame(PING, mask=None)], [1002]),
      ("125 in two bytes", [text("*" * 125, length_bytes=2)], [1002]),
      ("125 in eight bytes", [text("*" * 125, length_bytes=8)], [1002]),
      ("65535 in eight bytes", [text("*" * 65535, length_bytes=8)], [1002]),
      ("2^63", [text("", claimed=2 ** 63)], [1002]),
      ("2^63 - 1", [text("", claimed=2 ** 63 - 1)], [1009]),
      ("65537", [text("", claimed=65537)], [1009]),
      ("fragments over the limit", [begin("*" * 65535), part("**", True)],
       [1009]),
      ("a mask of zeros", [text(mask=b"\0\0\0\0")], ["text"]))
def test_masks_and_lengths(server, writes, answers):
    check(server, writes, answers)


def test_what_is_cut_off_in_a_frame_leaves_nothing_behind(server):
    before = server.metrics()["websockets"]
    for cut in range(1, 12):
        socket = server.websocket("/events/nothing")
        socket.send_raw(text()[:cut])
        server.hang_up(socket.connection)
    server.wait_for_metric("websockets", lambda figure: figure == before)


def test_violations_are_counted(server):
    before = server.metrics()["websocket_violations"]
    check(server, [text(reserved=1)], [1002])
    server.wait_for_metric("websocket_violations",
                           lambda figure: figure == before + 1)
