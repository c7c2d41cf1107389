"""rights_model.py -- who may do what, said once more, in a few lines of Python.

It shares nothing with the server. Whether a right covers a selector is not reasoned
about but counted out over a small world of channels. From a cell of the matrix comes
what the server must answer:

    YES        it is done
    the number of a status: 401, 403, 404
    COMPLAINT  on an open WebSocket: an error, and nothing else
"""

import dataclasses
import functools
import itertools

YES, COMPLAINT = "yes", "complaint"

WORDS = ("orders", "eu", "secret", "public", "a")
EVERYBODY = ("public.>",)

# What is there; each channel has an event whose data says its name.
CHANNELS = ("orders.eu", "orders.a", "orders.eu.a", "secret", "public.a", "eu")


@functools.cache
def world():
    """All channels of up to four tokens."""
    return [channel for length in (1, 2, 3, 4)
            for channel in itertools.product(WORDS, repeat=length)]


def matches(selector, channel):
    """`selector` and `channel` as tuples of tokens."""
    if selector[-1:] == (">",):
        head = selector[:-1]
        return len(channel) > len(head) and matches(head, channel[:len(head)])
    return len(selector) == len(channel) and all(
        s in ("*", c) for s, c in zip(selector, channel))


@functools.cache
def matched(selector):
    tokens = tuple(selector.split("."))
    return frozenset(channel for channel in world() if matches(tokens, channel))


def covers(right, asked):
    return matched(asked) <= matched(right)


def selected(selectors):
    """The channels that are there and that these match."""
    return {channel for channel in CHANNELS
            if any(tuple(channel.split(".")) in matched(selector)
                   for selector in selectors)}


# ---- who asks ----------------------------------------------------------------------

GOOD = ("good", "ES256", "RS256", "in the leeway")
BAD = ("wrong signature", "other key", "withdrawn key", "expired", "not yet",
       "other audience", "no audience", "no exp", "alg none", "cut", "garbage")
PAGES = {"none": {}, "own": {"Origin": "http://localhost"},
         "listed": {"Origin": "http://friend.example"},
         "foreign": {"Origin": "http://evil.example"},
         "null": {"Origin": "null"},
         "cross-site": {"Sec-Fetch-Site": "cross-site"},
         "same-origin": {"Sec-Fetch-Site": "same-origin"}}
FOREIGN = ("foreign", "null", "cross-site")
FOREIGN_BY_ORIGIN = ("foreign", "null")


@dataclasses.dataclass(frozen=True)
class Cell:
    action: str
    selectors: tuple = ("orders.eu",)
    state: str = "good"  # of the token; None: there is none
    place: str = "header"
    page: str = "none"
    subscribe: tuple = ("orders.eu",)
    publish: tuple = ("orders.eu",)
    is_admin: bool = False
    sub: str = "me"


SUBSCRIBES = ("sse", "sse-old", "long-poll", "short-poll", "lines", "lines-once",
              "form", "head", "positions", "session", "websocket", "later")
STREAMS = ("sse", "sse-old", "lines", "websocket", "later")
PUBLISHES = ("publish", "batch", "batch-line", "correct", "withdraw")
SESSIONS = ("session-show", "session-ack", "session-remove")
LISTS = ("list", "channel")
OPERATOR = ("shutdown", "figures", "reasons")
ROOT = ("root",)  # a WebSocket at /, which means orders.eu
WRITES = PUBLISHES + ("session-ack", "session-remove", "shutdown")
WEBSOCKETS = ("websocket", "later", "root")


def counts(cell):
    """Does the token count where it is?"""
    if cell.place == "cookie":
        return cell.action not in WRITES and cell.page not in FOREIGN
    return True


def has_grant(cell):
    return cell.state in GOOD and counts(cell)


def may(cell, kind, selector):
    rights = getattr(cell, kind) if has_grant(cell) else ()
    if kind == "subscribe":
        rights = rights + EVERYBODY
    return any(covers(right, selector) for right in rights)


def refused(cell):
    return 404 if has_grant(cell) else 401


def may_hear(cell):
    """The channels of which who asks may receive anything."""
    return {channel for channel in CHANNELS if may(cell, "subscribe", channel)}


def expected(cell):
    if cell.action in PUBLISHES + ("session-ack", "session-remove") and \
            cell.page in FOREIGN_BY_ORIGIN:
        return 403
    if cell.state and cell.place == "cookie" and cell.page in FOREIGN and \
            cell.action not in WRITES:
        return 403
    if cell.action in OPERATOR:
        return expected_of_operator(cell)
    if cell.action in PUBLISHES:
        # A batch without a token is refused before its lines are read.
        is_right = all(may(cell, "publish", channel)
                       for channel in cell.selectors)
        return YES if is_right else refused(cell)
    if cell.action in SESSIONS:
        if not has_grant(cell):
            return 401
        return YES if cell.sub == "me" else 404
    if cell.action == "list":
        return YES  # of what it shows, may_hear() says which
    return expected_of_subscribe(cell)


def expected_of_operator(cell):
    if cell.action == "shutdown" and cell.page in FOREIGN_BY_ORIGIN + ("listed",):
        return 403  # only our own pages
    if has_grant(cell) and cell.is_admin:
        return YES
    if cell.action == "reasons":
        return COMPLAINT  # ready or not, and no more
    return 403 if has_grant(cell) else 401


def expected_of_subscribe(cell):
    selectors = cell.selectors if cell.action != "root" else ("orders.eu",)
    is_right = all(may(cell, "subscribe", selector) for selector in selectors)
    if cell.action in WEBSOCKETS and cell.page in FOREIGN_BY_ORIGIN and \
            (is_right or cell.action == "later"):
        return 403
    if cell.action == "channel" and cell.selectors[0] not in CHANNELS:
        return 404 if is_right else refused(cell)
    if cell.action == "session" and is_right and not has_grant(cell):
        return 401  # nobody's session
    if is_right:
        return YES
    return COMPLAINT if cell.action == "later" else refused(cell)


# ---- the cells ----------------------------------------------------------------------

RIGHTS = ((), ("orders.eu",), ("orders.*",), ("orders.>",), ("*.eu",), (">",),
          ("orders.a",), ("secret",), ("orders.eu", "orders.a", "orders.eu.a"),
          ("orders",), ("orders.eu.>",), ("public.*", "eu"))
ASKED = (("orders.eu",), ("orders.*",), ("orders.>",), ("*.eu",), (">",),
         ("orders.eu", "secret"), ("public.a",), ("public.*", "orders.eu"),
         ("secret",), ("eu.secret",))
ALL = SUBSCRIBES + PUBLISHES + SESSIONS + LISTS + OPERATOR + ROOT


def cells():
    """Each claim about rights with each way to ask, and so on; without repeats."""
    found = {}
    for cell in all_cells():
        found[cell] = None
    return list(found)


def all_cells():
    everything = {"subscribe": (">",), "publish": (">",), "is_admin": True}
    for action, state, place in itertools.product(
            ALL, (None,) + GOOD + BAD, ("header", "cookie", "query")):
        yield Cell(action, state=state, place=place, **everything)
    for state in (None,) + GOOD + BAD:
        yield Cell("form", state=state, place="form", **everything)
    for action, place, page in itertools.product(
            ALL, ("header", "cookie", "query"), PAGES):
        yield Cell(action, place=place, page=page, **everything)
        yield Cell(action, selectors=("public.a",), place=place, page=page,
                   **everything)
    for action, rights, asked in itertools.product(
            SUBSCRIBES + ("channel",), RIGHTS, ASKED):
        if action == "channel" and (len(asked) > 1 or
                                    set(asked[0]) & set("*>")):
            continue
        yield Cell(action, selectors=asked, subscribe=rights, publish=(">",))
    for action, rights in itertools.product(("list",) + ROOT, RIGHTS):
        yield Cell(action, subscribe=rights, publish=(">",))
    for action, rights, channel in itertools.product(
            PUBLISHES, RIGHTS, ("orders.eu", "secret", "public.a", "eu")):
        yield Cell(action, selectors=(channel,), subscribe=(">",),
                   publish=rights)
    for rights in RIGHTS:
        yield Cell("batch-line", selectors=("orders.eu", "secret"),
                   subscribe=(">",), publish=rights)
    for action, sub, admin in itertools.product(
            SESSIONS + OPERATOR, ("me", "other"), (False, True)):
        yield Cell(action, sub=sub, is_admin=admin)
