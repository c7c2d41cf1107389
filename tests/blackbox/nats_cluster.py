"""nats_cluster.py -- three nats-servers that are one: streams with three copies.

    cluster = NatsCluster(directory)
    cluster.create("EVENTS")            a stream of three copies
    cluster.leader("EVENTS")            the number of the server that leads it
    cluster.kill(n); cluster.start(n)   SIGKILL, and back on the same port

They are those that scripts/setup cluster has got, or else the installed ones: the copies
of Debian 12's can become different ones (docs/scaling.md).

Ports are the kernel's, kept over restarts. The servers do not tell clients of each
other (no_advertise), so a client that goes through a proxy stays there.
"""

import os
import pathlib
import subprocess

from jetstream import JetStream, Refused
from nats_raw import NatsClient, NatsServer, free_port
from patience import SLOWNESS, TimedOut, eventually

CONFIG = """\
server_name: n{number}
cluster {{
  name: tidings
  listen: "127.0.0.1:{own}"
  no_advertise: true
  routes: [{routes}]
}}
"""

LOST = (OSError, AssertionError, TimedOut)

HEARD_NS = 2_000_000_000  # a copy that was heard of so lately is there


NEWER = pathlib.Path(__file__).resolve().parents[1] / \
    "fault/python_modules/bin/nats-server"


class Member(NatsServer):
    binary = str(NEWER) if NEWER.exists() and "TIDINGS_NATS_SERVER" not in \
        os.environ else NatsServer.binary

    def wait_until_ready(self):
        """It listens; that it has found the others is asked of the cluster."""
        NatsClient(self.port, is_patient=True).close()


class NatsCluster:
    def __init__(self, directory, size=3):
        directory = pathlib.Path(directory)
        routes = [free_port() for _ in range(size)]
        text = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
        self.members = []
        for number in range(size):
            place = directory / f"n{number}"
            place.mkdir(parents=True)
            config = CONFIG.format(number=number, own=routes[number],
                                   routes=text) if size > 1 else ""
            kind = Member if size > 1 else NatsServer
            self.members.append(kind(place, free_port(), config,
                                       has_streams=True))

    @property
    def version(self):
        return subprocess.run([self.members[0].binary, "--version"],
                              capture_output=True, text=True).stdout.strip()

    @property
    def url(self):
        return ",".join(member.url for member in self.members)

    @property
    def ports(self):
        return [member.port for member in self.members]

    def is_up(self, number):
        return self.members[number].process.poll() is None

    def ask(self, question):
        """question(JetStream) of the first member that answers it; else None."""
        for number, member in enumerate(self.members):
            if not self.is_up(number):
                continue
            try:
                client = NatsClient(member.port)
            except LOST:
                continue
            try:
                return question(JetStream(client))
            except LOST:
                continue
            finally:
                client.close()
        return None

    def create(self, name, **config):
        def made(streams):
            try:
                return streams.call(
                    f"STREAM.CREATE.{name}", 2 * SLOWNESS, name=name,
                    subjects=["events.>"], storage="file", retention="limits",
                    num_replicas=len(self.members), **config)
            except Refused:
                return None
        return eventually(lambda: self.ask(made), "a stream of three copies",
                          60 * SLOWNESS)

    def info(self, name):
        return self.ask(lambda streams: streams.call(f"STREAM.INFO.{name}",
                                                     2 * SLOWNESS))

    def leader(self, name):
        """Waits until there is one that is up."""
        if len(self.members) == 1:
            return 0
        def number():
            info = self.info(name)
            leader = (info or {}).get("cluster", {}).get("leader") or ""
            at = int(leader[1:]) if leader else None
            return (at,) if at is not None and self.is_up(at) else None
        return eventually(number, f"a leader of {name}", 60 * SLOWNESS)[0]

    def wait_until_whole(self, name):
        """All are up, and every copy has all: what is killed next leaves a
        majority that knows everything that was acknowledged."""
        if len(self.members) == 1:
            return

        def whole():
            cluster = (self.info(name) or {}).get("cluster", {})
            copies = cluster.get("replicas") or []
            return cluster.get("leader") and \
                len(copies) == len(self.members) - 1 and \
                all(copy.get("current") and not copy.get("offline") and
                    not copy.get("lag") and copy.get("active", 0) < HEARD_NS
                    for copy in copies)
        eventually(whole, f"all copies of {name}", 120 * SLOWNESS)

    def describe(self, name):
        """What each server says of the stream and of who reads it; for people."""
        lines = []
        for number, member in enumerate(self.members):
            info, readers = self.asked(number, [
                f"STREAM.INFO.{name}", f"CONSUMER.LIST.{name}"])
            state, cluster = info.get("state", {}), info.get("cluster", {})
            lines.append(
                f"n{number}: last {state.get('last_seq')}, leader "
                f"{cluster.get('leader')}, copies " + ", ".join(
                    f"{copy['name']} {'current' if copy.get('current') else ''}"
                    f"{' offline' if copy.get('offline') else ''} lag "
                    f"{copy.get('lag', 0)}"
                    for copy in cluster.get("replicas") or []))
            lines += [f"  {one['name']} on {one['cluster'].get('leader')}: "
                      f"delivered {one['delivered']}, "
                      f"{one['num_pending']} pending"
                      for one in readers.get("consumers") or []
                      if "cluster" in one]
        return "\n".join(lines)

    def asked(self, number, questions):
        """This member's answers; {} where there is none."""
        answers = [{} for _ in questions]
        try:
            client = NatsClient(self.members[number].port)
            for at, question in enumerate(questions):
                answers[at] = JetStream(client).call(question, 2 * SLOWNESS)
            client.close()
        except LOST:
            pass
        return answers

    def kill(self, number):
        self.members[number].kill()

    def start(self, number):
        self.members[number].start()

    def stop(self):
        for member in self.members:
            member.stop()
