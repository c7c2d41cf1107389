"""Shelf 74: what strangers, quiet clients and a stream that is away may cost.
Protocol.md 2 and 7, operations.md."""

import base64
import json

from marks import serve
from stream_world import *
from shared_sessions import (pair, publish, short, subject_of,
                             wait_until_told)


def newest_state(streams, name):
    """What the stream says of a session."""
    subject = subject_of(name)
    reply = streams.call("STREAM.MSG.GET.EVENTS", last_by_subj=subject)
    return json.loads(base64.b64decode(reply["message"]["data"]))


@serve(session_messages_per_second=2)
def test_a_question_without_a_reply_stops_no_answers(pair, streams):
    """Whoever may send it: what is not told yet is still said to others."""
    a, b = pair
    short(a, "s")  # the first message
    streams.client.publish(
        f"events_sessions.{newest_state(streams, 's')['by']}", "s")
    streams.client.flush()
    publish(pair, "one")
    assert short(a, "s") == ["one"]  # the second
    publish(pair, "two")
    assert short(a, "s") == ["two"]  # no more in this second
    assert short(b, "s") == []
