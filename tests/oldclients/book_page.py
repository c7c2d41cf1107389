"""book_page.py -- book.html as a test sees it."""

from old_server import FASTER

SEEN = "document.getElementById('seen').textContent"


class BookPage:
    def __init__(self, browser, old, name, faster=FASTER):
        self.page = browser.open(
            old.url(f"book.html?page={name}&faster={faster}"))
        self.old = old
        self.wait_for_requests(1)

    def ids(self):
        """Every row's id in the order in which it came."""
        return [int(word) for word in self.page.run(SEEN).split()]

    def requests(self):
        """Where each request of the page went on from."""
        return self.page.run("log")

    def wait_for(self, last):
        self.page.until(f"{SEEN}.split(' ').includes('{last}')",
                        f"row {last} to come")

    def wait_for_requests(self, count):
        self.page.until(f"log.length >= {count} && "
                        "document.getElementById('log').textContent !== ''",
                        f"{count} requests of the page")

    def wait_until_served(self):
        """Until its subscription is there: what is published now, it gets."""
        self.old.world.wait_for_subscribers(1)

    def shows(self, symbol):
        return self.page.run(f"document.getElementById('{symbol}').textContent")

    def get(self, expression):
        return self.page.run(expression)
