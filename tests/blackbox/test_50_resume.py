"""Resume: protocol.md 1 (positions) and 5 (a gap is told, in band)."""

import calendar
import json
import random
import threading
import time
import urllib.parse

import pytest
from marks import serve
from patience import Deadline, eventually

NAMES = ["last_event_id", "lastEventId", "lastEventID", "lastId", "last_id"]


def data_of(events):
    return [event.data for event in events]


def after(world, target, position, expected):
    """A stream from `position` gives exactly `expected`, then what comes."""
    stream = world.sse(target, last_event_id=position)
    assert data_of(stream.take(len(expected))) == expected
    return stream


def gap_of(stream, reason):
    """The gap event at the start of a stream; its resumed position."""
    event = stream.next()
    assert event.type == "tidings.gap", event
    gap = event.json()
    assert set(gap) == {"requested", "resumed", "reason"}, gap
    assert gap["reason"] == reason
    assert stream.headers["Last-Event-ID"] == gap["resumed"]
    return gap


# ---- positions (section 1) ------------------------------------------------

def test_a_client_that_returns_gets_what_it_missed(world):
    news = world.sse("/events/news")
    world.publish("news", "one")
    first = news.next()
    assert first.data == "one"
    news.hang_up()

    world.publish("news", "two")

    back = world.sse("/events/news", last_event_id=first.id)
    assert back.next().data == "two"


def test_1_an_id_means_after_this_event(world):
    ids = [world.publish("news", f"{n}") for n in range(5)]
    for index, number in enumerate(ids):
        stream = after(world, "/events/news", number,
                       [f"{n}" for n in range(index + 1, 5)])
        assert stream.headers["Last-Event-ID"] == str(number)
    world.publish("news", "marker")
    for index, number in enumerate(ids):
        after(world, "/events/news", number,
              [f"{n}" for n in range(index + 1, 5)] + ["marker"])


def test_1_an_id_of_another_channel_is_a_position_too(world):
    world.publish("news", "one")
    between = world.publish("sport", "x")
    world.publish("news", "two")
    after(world, "/events/news", between, ["two"])


def test_1_earliest_latest_and_none(world):
    world.publish("news", "one")
    world.publish("news", "two")
    everything = after(world, "/events/news", "earliest", ["one", "two"])
    latest = world.sse("/events/news", last_event_id="latest")
    none = world.sse("/events/news")
    world.publish("news", "three")
    assert data_of(s.next() for s in (everything, latest, none)) == \
        ["three"] * 3


@pytest.mark.parametrize("count", [1, 3, 20, 10000])
def test_1_the_newest_so_many(world, count):
    texts = [f"{n}" for n in range(25)]
    for text in texts:
        world.publish("sport", "no")
        world.publish("news", text)
    stream = after(world, "/events/news", f"last-{count}", texts[-count:])
    world.publish("news", "marker")
    assert stream.next().data == "marker"


def test_1_the_newest_of_several_channels_together(world):
    for number in range(5):
        world.publish("a", f"a{number}")
        world.publish("b.x", f"b{number}")
        world.publish("c", "no")
    after(world, "/events/a,b.*", "last-3", ["b3", "a4", "b4"])


def test_1_a_unix_time(world):
    """After this time: in seconds as rt-, in ms as digits. The events carry
    times that their publisher wished for (section 7)."""
    base = world.publish("news", "base")
    born = time_of_event(world, base)
    world.publish("news", "early", event_time=born + 300)
    world.publish("news", "late", event_time=born + 600)
    for position in (f"rt-{(born + 400) / 1000:.3f}", str(born + 400),
                     f"rt-{(born + 300) / 1000:.3f}", str(born + 300),
                     f"rt-{(born + 599) / 1000:.6f}"):
        after(world, "/events/news", position, ["late"])
    after(world, "/events/news", f"rt-{(born + 299) / 1000:.3f}",
          ["early", "late"])
    stream = after(world, "/events/news", str(born + 600), [])
    world.publish("news", "marker")
    assert stream.next().data == "marker"


def time_of_event(world, number):
    """Unix ms of an event, from its `ts`."""
    event, = [e for e in world.poll("/events/news", "last-1").events
              if e["id"] == number]
    seconds, _, millis = event["ts"].rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) \
        * 1000 + int(millis)


def test_1_a_time_before_everything_gives_everything(world):
    """The page was made before the first event: `rt-` in whole seconds."""
    made = int(time.time()) - 1
    world.publish("news", "one")
    world.publish("news", "two")
    after(world, "/events/news", f"rt-{made}", ["one", "two"])
    after(world, "/events/news", f"rt-{made}.25", ["one", "two"])


def test_1_positions_per_channel(world):
    first = world.publish("a", "a1")
    world.publish("b", "b1")
    world.publish("a", "a2")
    third = world.publish("b", "b2")
    world.publish("b", "b3")
    position = json.dumps({"a": first, "b": third})
    stream = after(world, "/events/a,b", position, ["a2", "b3"])
    world.publish("a", "marker")
    assert stream.next().data == "marker"


def test_1_positions_per_channel_may_be_text_and_in_the_query(world):
    first = world.publish("a", "a1")
    world.publish("b", "b1")
    world.publish("a", "a2")
    position = json.dumps({"a": str(first), "b": str(first)})
    target = "/events/a,b?" + world.query(last_event_id=position)
    assert data_of(world.sse(target).take(2)) == ["b1", "a2"]


def test_1_a_long_poll_takes_positions_per_channel(world):
    first = world.publish("a", "a1")
    second = world.publish("b", "b1")
    world.publish("a", "a2")
    answer = world.poll("/events/a,b", json.dumps({"a": first, "b": second}))
    assert [e["data"]["data"] for e in answer.events] == ["a2"]
    world.publish("b", "b2")
    answer = world.poll("/events/a,b", answer.position)
    assert [e["data"]["data"] for e in answer.events] == ["b2"]


MALFORMED = [
    "abc", "-1", "+5", "1e5", "0x10", "12 13", "1.5", "12abc",
    "99999999999999999999",
    "rt-", "rt-abc", "rt-1.2.3", "rt--5", "last-", "last-x", "last--1",
    "last-1.5", "latest-5", "Earliest", "{", "[]", "[1]", '"12"', '{"a":"x"}',
    '{"a":{}}', '{"a":1}x', '{"a..b":1}', "<script>",
]


@pytest.mark.parametrize("position", MALFORMED)
def test_1_anything_else_is_refused_with_a_sentence(world, position):
    quoted = urllib.parse.quote(position, safe="")
    for response in (
            world.sse("/events/a", last_event_id=position,
                      status=None).response(),
            world.get(f"/events/a?last_event_id={quoted}")):
        assert response.status == 400, response
        assert response.error and "script" not in response.text


def test_1_an_object_above_2_kib_is_refused(world):
    small = json.dumps({f"channel-{n}": 1 for n in range(100)})
    assert len(small) < 2048
    big = json.dumps({f"channel-{n}": 1 for n in range(300)})
    assert len(big) > 2048
    refused = world.sse("/events/a", last_event_id=big, status=None)
    assert refused.status == 400 and refused.response().error


# ---- where the position is read from (section 2) --------------------------

@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", ["query", "form"])
def test_2_names_of_the_position(world, where, name):
    first = world.publish("news", "one")
    world.publish("news", "two")
    if where == "query":
        stream = world.sse(f"/events/news?x=1&{name}={first}")
    else:
        stream = world.sse(
            "/events/news", method="POST", body=f"x=1&{name}={first}".encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert stream.next().data == "two"


def test_2_header_beats_form_beats_query(world):
    ids = [world.publish("news", f"{n}") for n in range(4)]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    target = f"/events/news?lastId={ids[0]}"
    body = b"lastId=%d" % ids[1]
    query = world.sse(target)
    with_form = world.sse(target, method="POST", body=body, headers=form)
    with_all = world.sse(target, ids[2], method="POST", body=body, headers=form)
    assert data_of(s.next() for s in (query, with_form, with_all)) == \
        ["1", "2", "3"]


@pytest.mark.parametrize("name", ["last-event-id", "LAST-EVENT-ID",
                                  "Last-Event-Id"])
def test_2_the_header_in_any_case(world, name):
    first = world.publish("news", "one")
    world.publish("news", "two")
    stream = world.sse("/events/news", headers={name: first})
    assert stream.next().data == "two"


def test_2_an_empty_position_is_none(world):
    world.publish("news", "old")
    streams = [world.sse("/events/news?last_event_id="),
               world.sse("/events/news", headers={"Last-Event-ID": ""})]
    world.publish("news", "new")
    assert data_of(s.next() for s in streams) == ["new", "new"]


# ---- gaps (section 5) -----------------------------------------------------

def trimmed_world(world, kept=3, published=10):
    """`news` keeps the newest `kept`; waits until retention did its work."""
    ids = [world.publish("news", f"{n}") for n in range(published)]
    wait_until_count(world, "news", kept)
    return ids


def wait_until_count(world, channel, count):
    eventually(lambda: world.get(f"/channels/{channel}").json()["count"]
               == count, f"{channel} to keep {count}")


@serve(keep_count=3)
def test_5_nothing_is_told_of_a_channel_that_is_not_asked_for(world):
    ids = trimmed_world(world)
    world.publish("other", "one")
    poll = world.poll("/events/other?flavor=short-poll&last_event_id="
                      f"%7B%22news%22:{ids[2]}%7D")
    assert poll.events == []


@serve(keep_count=3)
def test_5_a_trimmed_position_is_told(world):
    ids = trimmed_world(world)
    stream = world.sse("/events/news", last_event_id=ids[2])
    gap = gap_of(stream, "trimmed")
    assert gap["requested"] == str(ids[2])
    assert ids[2] <= int(gap["resumed"]) < ids[7]
    assert data_of(stream.take(3)) == ["7", "8", "9"]


@serve(keep_count=3)
def test_5_no_gap_when_nothing_missed_is_gone(world):
    """The last trimmed event was the last that the client saw."""
    ids = trimmed_world(world)
    after(world, "/events/news", ids[6], ["7", "8", "9"])
    after(world, "/events/news", ids[8], ["9"])
    after(world, "/events/news", "earliest", ["7", "8", "9"])
    after(world, "/events/news", "last-2", ["8", "9"])


@serve(keep_count=3)
def test_5_a_time_before_what_is_kept_is_told(world):
    trimmed_world(world)
    stream = world.sse("/events/news",
                       last_event_id=f"rt-{int(time.time()) - 60}")
    gap_of(stream, "trimmed")
    assert data_of(stream.take(3)) == ["7", "8", "9"]


def test_5_what_another_channel_lost_is_no_gap(idle_world):
    path = idle_world.directory / "made.conf"
    path.write_text("[channel noisy]\nkeep_count = 1\n")
    world = idle_world.start(config=path)
    first = world.publish("quiet", "one")
    for number in range(10):
        world.publish("noisy", f"{number}")
    world.publish("quiet", "two")
    wait_until_count(world, "noisy", 1)
    after(world, "/events/quiet", first, ["two"])
    gap_of(world.sse("/events/quiet,noisy", last_event_id=first), "trimmed")
    gap_of(world.sse("/events/>", last_event_id=first), "trimmed")


def test_5_a_position_of_another_journal_is_told(world):
    first = world.publish("news", "one")
    world.publish("news", "two")
    stream = world.sse("/events/news", last_event_id="12")
    assert gap_of(stream, "unknown")["requested"] == "12"
    resumed = int(stream.headers["Last-Event-ID"])
    assert data_of(stream.take(2)) == ["one", "two"]
    assert resumed < first


def test_5_a_position_from_the_future_is_told(world):
    last = world.publish("news", "one")
    stream = world.sse("/events/news", last_event_id=last + 1000)
    gap = gap_of(stream, "future")
    assert gap["requested"] == str(last + 1000)
    kept = [] if int(gap["resumed"]) >= last else ["one"]
    world.publish("news", "two")
    assert data_of(stream.take(len(kept) + 1)) == kept + ["two"]


def test_5_the_gap_in_a_long_poll_is_the_first_element(world):
    number = world.publish("news", "one")
    answer = world.poll("/events/news", last_event_id="12")
    gap, event = answer.events
    assert gap["data"]["type"] == "tidings.gap"
    assert gap["data"]["data"]["reason"] == "unknown"
    assert event["id"] == number
    assert answer.position == str(number), "what the client sends next"


def test_5_the_gap_on_lines_is_one_object(world):
    world.publish("news", '{"a":1}')
    stream = world.lines("/events/news?xhr=1", last_event_id="12")
    gap = stream.next_json()
    assert (gap["requested"], gap["reason"]) == ("12", "unknown")
    assert stream.next_json() == {"a": 1}


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*",
                                    "application/x-ndjson"])
def test_5_gap_reject_answers_410(world, accept):
    world.publish("news", "one")
    response = world.get("/events/news?gap=reject&last_event_id=12",
                         {"Accept": accept})
    assert response.status == 410 and response.error


def test_5_gap_reject_lets_a_good_position_pass(world):
    first = world.publish("news", "one")
    world.publish("news", "two")
    after(world, "/events/news?gap=reject", first, ["two"])


def test_5_a_gap_is_told_once(world):
    """A client that resumes from the position that the gap named, or from the
    next event, is told of no gap again."""
    number = world.publish("news", "one")
    stream = world.sse("/events/news", last_event_id="12")
    gap = gap_of(stream, "unknown")
    after(world, "/events/news", gap["resumed"], ["one"])
    again = after(world, "/events/news", number, [])
    world.publish("news", "two")
    assert again.next().data == "two"


def test_5_reserved_types_cannot_be_published(world):
    for name in ("tidings.gap", "tidings.x", "tidings."):
        response = world.post("/publish/news", "x", {"Event-Type": name})
        assert response.status == 400 and response.error
    world.publish("news", "x", event_type="tidings")


# ---- restarts and cuts ----------------------------------------------------

def test_resume_over_a_restart(world):
    first = world.publish("news", "one")
    world.publish("news", "two")
    world.restart()
    world.publish("news", "three")
    after(world, "/events/news", first, ["two", "three"])
    after(world, "/events/news", "earliest", ["one", "two", "three"])
    after(world, "/events/news", "last-2", ["two", "three"])


def test_a_position_between_two_lives_of_the_server(world):
    """latest, then a kill with nothing published: no gap on the way back."""
    world.publish("news", "one")
    stream = world.sse("/events/news")
    position = stream.headers["Last-Event-ID"]
    world.hang_up_all()
    world.kill()
    world.start()
    back = world.sse("/events/news", last_event_id=position)
    world.publish("news", "two")
    assert back.next().data == "two"


def test_the_position_of_an_empty_journal_is_good_later(world):
    position = world.sse("/events/news").headers["Last-Event-ID"]
    world.publish("news", "one")
    after(world, "/events/news", position, ["one"])


def test_a_long_history_comes_whole(world):
    """More than a slice and more than an outbox, in order, once each."""
    ids = []
    for start in range(0, 20000, 1000):
        ids += world.publish_batch(
            "news", [{"data": f"{n}".rjust(50)} for n in
                     range(start, start + 1000)])
    stream = world.sse("/events/news", last_event_id=ids[0])
    assert [int(event.id) for event in stream.take(len(ids) - 1)] == ids[1:]


def test_a_sparse_channel_in_a_long_journal(world):
    """The chain of previous ids finds few among many."""
    ids = []
    for round_ in range(10):
        ids.append(world.publish("rare", f"{round_}"))
        world.publish_batch("often", [{"data": n} for n in range(2000)])
    for index in (0, 4, 8, 9):
        after(world, "/events/rare", ids[index],
              [f"{n}" for n in range(index + 1, 10)])
    both = world.sse("/events/rare,often", last_event_id=ids[8])
    assert both.take(2001)[2000].data == "9"


class Publisher(threading.Thread):
    """Publishes numbers round the channels on one kept-alive connection."""

    def __init__(self, world, channels, count):
        super().__init__()
        self.connection = world.connect()
        self.channels, self.count = channels, count
        self.told = {channel: [] for channel in channels}
        self.start()

    def run(self):
        for number in range(self.count):
            channel = self.channels[number % len(self.channels)]
            self.connection.request("POST", f"/publish/{channel}", {},
                                    b"%d" % number)
            response = self.connection.response()
            assert response.status == 201, response
            self.told[channel].append(response.json()["id"])


class Reader(threading.Thread):
    """Follows a target until the event `last`; cuts its connection after a
    random number of events and comes back with its last id."""

    def __init__(self, world, target, seed, is_polling):
        super().__init__()
        self.world, self.target = world, target
        self.once = self.poll if is_polling else self.stream
        self.random = random.Random(seed)
        self.position = "earliest"
        self.ids, self.cuts = [], 0
        self.is_done, self.failure = False, None
        self.start()

    def run(self):
        deadline = Deadline()
        try:
            while not self.is_done:
                deadline.left("all events")
                self.once()
                self.cuts += 1
        except Exception as failure:
            self.failure = failure

    def take(self, number, data):
        self.ids.append(number)
        self.is_done = data == "last"

    def poll(self):
        answer = self.world.poll(self.target, self.position)
        for event in answer.events:
            self.take(event["id"], event["data"]["data"])
        self.position = answer.position

    def stream(self):
        stream = self.world.sse(self.target, last_event_id=self.position)
        for _ in range(self.random.randrange(1, 40)):
            if not self.is_done:
                event = stream.next()
                self.take(int(event.id), event.data)
                self.position = event.id
        stream.hang_up()


def test_clients_cut_at_random_while_events_flow(world):
    """0 lost, 0 twice, 0 out of order, whatever the moment of the cut."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    targets = ["/events/a", "/events/a,b", "/events/>", "/events/c.*,a"]
    world.publish("a", "first")
    readers = [Reader(world, target, seed + n, n % 3 == 2)
               for n, target in enumerate(targets * 3)]
    Publisher(world, ["a", "b", "c.d"], 1500).join()
    world.publish("a", "last")
    for reader in readers:
        reader.join()
        if reader.failure:
            raise reader.failure
    journal = world.dump()
    for reader in readers:
        assert reader.ids == expected_ids(journal, reader.target), reader.target
    assert sum(reader.cuts for reader in readers) > 50


def expected_ids(journal, target):
    covers = {"/events/a": {"a"}, "/events/a,b": {"a", "b"},
              "/events/>": {"a", "b", "c.d"}, "/events/c.*,a": {"a", "c.d"}}
    return [event["id"] for event in journal
            if event["channel"] in covers[target]]
