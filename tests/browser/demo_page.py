"""demo_page.py -- /demo/ as a test sees it: four panels, two buttons.

What a panel received is taken from its rows by id, which the page writes once
for each delivery that it was given.
"""

TRANSPORTS = ("eventsource", "fetch", "websocket", "long-poll")

PANEL = "document.querySelector('[data-transport=\"%s\"]')"


class Demo:
    def __init__(self, browser, world, fragment="", **view):
        self.page = browser.open(
            f"{world.origin}/demo/#{fragment}", **view)

    def panel(self, transport):
        return PANEL % transport

    def state(self, transport):
        return self.page.run(self.panel(transport) + ".dataset.state")

    def wait_for_state(self, state, *transports):
        for transport in transports or TRANSPORTS:
            self.page.until(
                f"{self.panel(transport)}.dataset.state === '{state}'",
                f"{transport} to be {state}")

    def ids(self, transport):
        """Ids in the order in which they came."""
        return self.page.run(
            f"[...{self.panel(transport)}.querySelectorAll('li[data-id]')]"
            ".map((row) => Number(row.dataset.id)).reverse()")

    def rows(self, transport):
        """(cheese, pieces) in the order in which they came."""
        return [tuple(row) for row in self.page.run(
            f"[...{self.panel(transport)}.querySelectorAll('li[data-id]')].map((row) =>"
            "[row.querySelector('.cheese').textContent,"
            " row.querySelector('.pieces').textContent]).reverse()")]

    def wait_for(self, last_id, *transports):
        """Until the panels show that id as their last."""
        for transport in transports or TRANSPORTS:
            self.page.until(
                f"{self.panel(transport)}.querySelector('.last').textContent"
                f" === '{last_id}'", f"{transport} to show {last_id}")

    def figures(self, transport):
        """received, twice, missing"""
        return tuple(int(self.page.run(
            f"{self.panel(transport)}.querySelector('.{name}').textContent"))
            for name in ("received", "repeats", "gaps"))

    def press(self, button):
        self.page.run(f"document.getElementById('{button}').click()")

    def switch(self, transport):
        self.page.run(
            f"{self.panel(transport)}.querySelector('.switch').click()")

    def wait_for_published(self, words):
        self.page.until("document.getElementById('published').textContent"
                        f".includes('{words}')", f"the page to say {words}")

    def wait_until_compared(self, count):
        self.page.until(
            "document.getElementById('audit').textContent ==="
            f" 'Compared with the journal: all {count} deliveries in each "
            "panel, once.'", f"{count} deliveries to be compared")

    def breaks(self, transport):
        """How often the panel says that it is back."""
        return self.page.run(
            f"{self.panel(transport)}.querySelectorAll('li.break').length")
