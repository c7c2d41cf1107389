#!/usr/bin/python3
"""crowd_member.py -- opens connections from one address, and again when they are
closed, until its standard input ends.

    crowd_member.py PORT SOURCE COUNT

Says one line of JSON at the end: how many it opened, how many were closed on it.
What is closed is opened again a second later, so that it never runs out of ports.
Says "there" once every one was tried.
"""

import json
import select
import socket
import sys
import time

AGAIN_S = 1.0
AT_ONCE = 200


class Member:
    def __init__(self, port, source, count):
        self.target = ("127.0.0.1", port)
        self.source = source
        self.poll = select.epoll()
        self.poll.register(sys.stdin, select.EPOLLIN | select.EPOLLHUP)
        self.open = {}
        self.due = [0.0] * count  # when to open each that is not
        self.opened = self.closed = self.unopened = 0

    def open_one(self):
        one = socket.socket()
        one.setblocking(False)
        try:
            one.setsockopt(socket.IPPROTO_IP, 24, 1)  # the port at connect
            one.bind((self.source, 0))
            one.connect(self.target)
        except BlockingIOError:
            pass
        except OSError:
            self.unopened += 1
            self.due.append(time.monotonic() + AGAIN_S)
            one.close()
            return
        self.opened += 1
        self.open[one.fileno()] = one
        self.poll.register(one, select.EPOLLIN | select.EPOLLRDHUP)

    def open_some(self):
        now = time.monotonic()
        for _ in range(AT_ONCE):
            if not self.due or self.due[0] > now:
                return
            self.due.pop(0)
            self.open_one()

    def close_one(self, number):
        self.poll.unregister(number)
        self.open.pop(number).close()
        self.closed += 1
        self.due.append(time.monotonic() + AGAIN_S)

    def run(self):
        wanted = len(self.due)
        is_there = False
        while True:
            self.open_some()
            if not is_there and self.opened + self.unopened >= wanted:
                is_there = True
                print("there", flush=True)
            for number, _ in self.poll.poll(0.02, 4096):
                if number == sys.stdin.fileno():
                    return
                self.close_one(number)


def main():
    member = Member(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    member.run()
    print(json.dumps({"opened": member.opened, "closed": member.closed,
                      "held": len(member.open),
                      "unopened": member.unopened}), flush=True)


if __name__ == "__main__":
    main()
