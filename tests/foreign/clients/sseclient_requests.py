"""sseclient from PyPI, on requests. It comes back by itself; when nobody listens
at that moment, its caller is told and asks again."""

import requests
import sseclient
from report import URL, report

client = sseclient.SSEClient(URL)
while True:
    try:
        event = next(client)
    except requests.ConnectionError as error:
        print(error)
        continue
    report(event.id, event.event, event.data)
