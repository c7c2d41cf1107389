"""jetstream.py -- JetStream's API over the raw client: requests to $JS.API.*.

    streams = JetStream(client)
    streams.create("EVENTS")                      what a stream is made with
    streams.publish("events.news", "x")           the stream's own PubAck
    streams.info("EVENTS")["state"]["last_seq"]
    streams.purge, delete, remove, update, messages
"""

import base64
import json

from patience import eventually


class Refused(AssertionError):
    """The API answered with an error."""

    def __init__(self, error):
        super().__init__(error["description"])
        self.code = error.get("err_code")


class JetStream:
    def __init__(self, client):
        self.client = client

    def call(self, request, seconds=None, **arguments):
        message = self.client.answer(self.client.ask(
            f"$JS.API.{request}", json.dumps(arguments) if arguments else ""),
            seconds)
        assert "status" not in message.headers or \
            message.headers["status"] != "503", "JetStream is not there"
        answer = json.loads(message.data)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer

    def create(self, name, subjects=("events.>",), **config):
        return self.call(f"STREAM.CREATE.{name}", name=name,
                         subjects=list(subjects),
                         **{"storage": "file", "retention": "limits",
                            "num_replicas": 1, **config})

    def update(self, name, **changes):
        config = {**self.info(name)["config"], **changes}
        return self.call(f"STREAM.UPDATE.{name}", **config)

    def info(self, name):
        return self.call(f"STREAM.INFO.{name}")

    def last(self, name):
        return self.info(name)["state"]["last_seq"]

    def exists(self, name):
        try:
            return bool(self.info(name))
        except Refused:
            return False

    def delete(self, name):
        return self.call(f"STREAM.DELETE.{name}")

    def snapshot(self, name):
        chunks = self.client.subscribe("snapshot.chunks")
        head = self.call(f"STREAM.SNAPSHOT.{name}",
                         deliver_subject="snapshot.chunks")
        kept = []
        while (chunk := chunks.next()).data:
            kept.append(chunk.data)
            if chunk.reply:
                self.client.publish(chunk.reply, "")
        return head, kept

    def restore(self, name, snapshot):
        """In the place of what there is, with the time when it was made first."""
        head, kept = snapshot
        self.delete(name)
        where = self.call(f"STREAM.RESTORE.{name}", config=head["config"],
                          state=head["state"])["deliver_subject"]
        for chunk in [*kept, ""]:
            self.client.answer(self.client.ask(where, chunk))

    def purge(self, name, **how):
        return self.call(f"STREAM.PURGE.{name}", **how)

    def remove(self, name, sequence):
        return self.call(f"STREAM.MSG.DELETE.{name}", seq=sequence)

    def message(self, name, sequence):
        found = self.call(f"STREAM.MSG.GET.{name}", seq=sequence)["message"]
        return base64.b64decode(found.get("data", "")).decode()

    def publish(self, subject, data, headers=None):
        """Waits for the stream's acknowledgement and gives its JSON."""
        return self.acknowledged(self.client.ask(subject, data, headers))

    def acknowledged(self, reply):
        message = self.client.answer(reply)
        assert message.headers.get("status") != "503", "no stream takes it"
        answer = json.loads(message.data)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer

    def publish_many(self, subject, texts):
        """Sends all, then waits for every acknowledgement; their sequences."""
        replies = [self.client.ask(subject, text) for text in texts]
        return [self.acknowledged(reply)["seq"] for reply in replies]

    def fill(self, subject, texts):
        """Many, acknowledged as a whole: the last one is."""
        texts = list(texts)
        chunk = bytearray()
        for text in texts[:-1]:
            chunk += self.client.format(subject, text)
            if len(chunk) > 1 << 20:
                self.client.send(bytes(chunk))
                chunk.clear()
        self.client.send(bytes(chunk))
        return self.publish(subject, texts[-1])["seq"]

    def wait_for(self, name, last):
        eventually(lambda: self.last(name) >= last, f"{name} to have {last}")
