"""httpx with httpx-sse. It does not come back by itself: this is the loop of its
README, with the id of the last event in the header."""

import time

import httpx
from httpx_sse import connect_sse
from report import URL, report

headers = {}
pause_s = 0.5
with httpx.Client(timeout=None) as client:
    while True:
        try:
            with connect_sse(client, "GET", URL, headers=dict(headers)) as source:
                for event in source.iter_sse():
                    if event.retry is not None:
                        pause_s = event.retry / 1000
                    if event.id:
                        headers["Last-Event-ID"] = event.id
                    report(event.id, event.event, event.data)
        except httpx.TransportError as error:
            print(error)
        time.sleep(pause_s)
