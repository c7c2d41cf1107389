"""sseclient from PyPI, on requests. It comes back by itself; when nobody listens
at that moment, its caller is told and asks again."""

import sseclient
from report import URL, report

client = sseclient.SSEClient(URL)
while True:
    try:
        event = next(client)
    except OSError as error:  # those of requests, and of the socket it reads
        print(error)
        continue
    report(event.id, event.event, event.data)
