"""table.py -- the form of a row, and the words that rows are made of.

A row says what a client sends on a fresh connection and what must come of it:

    section   of RFC 9112 or RFC 9110 that has the rule, or what the row is about
    claim     what the row shows, unique: the name of its test
    sent      the bytes
    answers   the statuses in order, "" for none at all
    after     what the connection is then:
                  keep    the next request on it is answered
                  close   the server ends it and says nothing more
                  wait    the request is not whole: nothing comes, the
                          connection is open
                  stream  the last answer goes on
    executed  how many requests were routed (the metric `requests`)

What was published is read off the answers: as many events as there are 201.
Whatever is smuggled in a row publishes to the channel `hidden`, which must stay
empty in every row and behind every proxy.
"""

import collections

Case = collections.namedtuple("Case", "section claim sent answers after executed")

HOST = b"Host: a.example\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
POST = b"POST /publish/seen HTTP/1.1\r\n" + HOST
GET10 = b"GET /healthz HTTP/1.0\r\n"
POST10 = b"POST /publish/seen HTTP/1.0\r\n"
END = b"\r\n"
OK = GET + END  # a whole request
SEEN = POST + b"Content-Length: 1\r\n\r\nx"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
HIDDEN = b"POST /publish/hidden HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\nx"
HIDDEN_LENGTH = b"Content-Length: %d\r\n" % len(HIDDEN)


def chunks(*pieces):
    """A body in chunks with its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece)
                    for piece in pieces) + b"0\r\n\r\n"


def length(body):
    """The rest of a request with this body."""
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def rows(section, *lines):
    """Rows of one section: (claim, sent, answers, after[, executed]). Without
    a number, as many requests are executed as are answered 2xx."""
    for claim, sent, answers, after, *executed in lines:
        yield Case(section, claim, sent, answers, after,
                   executed[0] if executed else
                   sum(status.startswith("2") for status in answers.split()))
