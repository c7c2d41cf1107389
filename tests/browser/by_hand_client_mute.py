"""A server that is mute until each transport has noticed, in real time and with the
settings as they are shipped: a keep-alive every 15 s, silence after 20 s on a
stream and up to 30 s on a poll. Too long for every day, so it is run by name:

    /usr/bin/python3 -m pytest -s tests/browser/by_hand_client_mute.py
"""

import signal
import time

from client_page import TRANSPORTS, ClientPage
from steady_publisher import SteadyPublisher

LONG_S = 120
IS_SILENT = "said.errors.some(({message}) => message === 'silent')"


def test_silence_of_half_a_minute_loses_nothing(world, browser):
    pages = {}
    for transport in TRANSPORTS:
        page = pages[transport] = ClientPage(browser, world)
        page.follow("/events/news", transports=[transport])
        page.wait_for_state("open", transport)
        page.until("stream.lastId !== null", "a position")

    with SteadyPublisher(world, patience_s=LONG_S) as publisher:
        publisher.wait_for_more(5)
        world.process.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        for transport, page in pages.items():
            page.page.until(IS_SILENT, "the client to notice", LONG_S)
            print(f"{transport}: noticed by {time.monotonic() - begin:.0f} s")
        world.process.send_signal(signal.SIGCONT)
        publisher.wait_for_more(5)
        ids = publisher.stop()

    for page in pages.values():
        page.page.until(f"said.events.some(({{id}}) => id === '{ids[-1]}')",
                        "the last event", LONG_S)
        page.has_exactly(ids)
