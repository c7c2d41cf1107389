"""The page at /demo/ over HTTPS: EventSource, fetch, WebSocket and long-poll in a
real browser, which is told to take our certificate."""

from certificates import Pair
from demo_page import TRANSPORTS, Demo
from patience import eventually


def publish_some(world, first, count):
    return [world.publish("cheese", f'{{"pieces":{number},"cheese_type":"Etivaz"}}',
                          event_type="cheese_created")
            for number in range(first, first + count)]


def shows_exactly(demo, ids):
    for transport in TRANSPORTS:
        assert demo.ids(transport) == ids, transport
        assert demo.figures(transport) == (len(ids), 0, 0), transport


def test_deliveries_appear_over_https(idle_world, browser, tmp_path):
    world = idle_world.start(tls=True)
    demo = Demo(browser, world)
    demo.wait_for_state("open")
    ids = publish_some(world, 1, 5)
    demo.wait_for(ids[-1])
    shows_exactly(demo, ids)
    demo.wait_until_compared(5)
    assert demo.page.run("location.protocol") == "https:"
    assert demo.page.run("isSecureContext") is True
    assert world.metrics()["tls_handshakes"] >= 4
    demo.page.screenshot(tmp_path / "https.png")
    assert demo.page.complaints() == []


def test_a_new_certificate_and_a_restart_lose_nothing(idle_world, browser,
                                                      tmp_path):
    world = idle_world.start(tls=True, retry_ms=300)
    demo = Demo(browser, world)
    demo.wait_for_state("open")
    ids = publish_some(world, 1, 3)
    other = Pair(tmp_path, "other")
    other.key.replace(world.pair.key)
    other.certificate.replace(world.pair.certificate)
    world.client_tls = world.pair.client()
    world.process.send_signal(1)
    eventually(lambda: "certificate read again" in world.output(),
               "the new certificate")
    ids += publish_some(world, 4, 3)
    demo.wait_for(ids[-1])
    world.settings["listen_tls"] = f"127.0.0.1:{world.tls_port}"
    world.restart()
    ids += publish_some(world, 7, 3)
    demo.wait_for(ids[-1])
    shows_exactly(demo, ids)


def test_the_plain_port_leads_to_https(idle_world, browser):
    world = idle_world.start(tls=True, tls_redirect=True)
    page = browser.open(f"http://127.0.0.1:{world.port}/demo/")
    page.until(f"location.href.startsWith('{world.origin}/demo/')",
               "the page by HTTPS")
