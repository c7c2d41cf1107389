"""fx_page.py -- /demo/fx/ as a test sees it: three pairs, three things to try."""

import json

SYMBOLS = ("USD/JPY", "EUR/USD", "AUD/GBP")

FIRST_MS = 1700000000000  # when the first quote of a test was made


def quote(number, symbol="USD/JPY", bid="151.240", ask="151.250"):
    """The data of the quote with that number, and its row's id."""
    made = FIRST_MS + number
    return json.dumps({
        "symbol": symbol, "timestamp": "2023-11-14 22:13:20.000", "rows": [
            {"id": made, "timestamp": "2023-11-14 22:13:20.000",
             "bid": bid, "ask": ask}]})


class Prices:
    def __init__(self, browser, world, **view):
        self.world = world
        self.page = browser.open(f"http://127.0.0.1:{world.port}/demo/fx/",
                                 **view)

    def publish(self, number, symbol="USD/JPY", **prices):
        return self.world.publish("fx", quote(number, symbol, **prices))

    def pair(self, symbol):
        return f"document.querySelector('[data-symbol=\"{symbol}\"]')"

    def wait_for_state(self, state):
        self.page.until(
            f"document.getElementById('link').dataset.state === '{state}'",
            f"the stream to be {state}")

    def wait_for(self, last_id):
        self.page.until("document.getElementById('last').textContent"
                        f" === '{last_id}'", f"the page to show {last_id}")

    def wait_for_row(self, symbol, event_id, *cells):
        """Until the row of that event says so, from its second cell on."""
        row = self.pair(symbol) + f".querySelector('[data-id=\"{event_id}\"]')"
        self.page.until(
            f"JSON.stringify([...{row}.cells].slice(1).map((c) =>"
            f" c.textContent)) === JSON.stringify({json.dumps(cells)})",
            f"the row of {event_id} to say {cells}")

    def ids(self, symbol):
        """Ids of the rows, oldest first."""
        return self.page.run(
            f"[...{self.pair(symbol)}.querySelectorAll('tr[data-id]')]"
            ".map((row) => Number(row.dataset.id)).reverse()")

    def price(self, symbol):
        return tuple(self.page.run(
            f"{self.pair(symbol)}.querySelector('.{side}').textContent")
            for side in ("bid", "ask"))

    def figures(self):
        """received, twice, missing"""
        return tuple(int(self.text_of(name))
                     for name in ("received", "repeats", "missing"))

    def wait_until_compared(self, count):
        self.page.until("document.getElementById('link').dataset.compared"
                        f" === '{count}'", f"{count} quotes to be compared")

    def points(self, symbol):
        """How many quotes the chart draws, once it has been drawn."""
        return self.page.run(f"""new Promise((done) =>
            requestAnimationFrame(() => requestAnimationFrame(() =>
              done({self.pair(symbol)}.querySelector('polyline.of-bid')
                ?.getAttribute('points').split(' ').length ?? 0))))""")

    def press(self, button):
        self.page.run(f"document.getElementById('{button}').click()")

    def text_of(self, name):
        return self.page.run(f"document.getElementById('{name}').textContent")

    def wait_for_text(self, name, words):
        self.page.until(f"document.getElementById('{name}').textContent"
                        f".includes('{words}')", f"{name} to say {words}")
