"""pynsq consumes what was published over HTTP.

Arguments: the TCP and the HTTP address of an nsqd.
"""

import json
import sys
import urllib.request

import nsq
import tornado.ioloop

DEADLINE_S = 30
TOPIC, CHANNEL = "from_http", "python"
BODIES = ["single", "with blanks and \u00fcmlauts"] + [f"line {i}" for i in range(200)]
REQUEUED = "line 7"

tcp, http = sys.argv[1:3]


def post(path, body):
    request = urllib.request.Request(f"http://{http}{path}", data=body, method="POST")
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
        assert answer.status == 200, answer.status
        return answer.read()


def publish():
    for body in BODIES[:2]:
        assert post(f"/pub?topic={TOPIC}", body.encode()) == b"OK"
    assert post(f"/mpub?topic={TOPIC}", "\n".join(BODIES[2:]).encode()) == b"OK"


def channel_stats():
    url = f"http://{http}/stats?format=json&topic={TOPIC}&channel={CHANNEL}"
    with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
        return json.load(answer)["topics"][0]["channels"][0]


deliveries = []
loop = tornado.ioloop.IOLoop.current()


def on_message(message):
    message.enable_async()
    body = message.body.decode()
    deliveries.append((body, message.attempts))
    # Requeueing must not make the client back off, or the rest would take long.
    if body == REQUEUED and message.attempts == 1:
        message.requeue(delay=0, backoff=False)
        return
    message.finish()


def look():
    """Ends the loop once every message is finished; delivered is not enough."""
    stats = channel_stats() if len(deliveries) > len(BODIES) else None
    if stats and stats["depth"] + stats["in_flight_count"] + stats["deferred_count"] == 0:
        loop.stop()


def give_up():
    sys.exit(f"only {len(deliveries)} deliveries in {DEADLINE_S} s")


publish()
nsq.Reader(
    topic=TOPIC,
    channel=CHANNEL,
    nsqd_tcp_addresses=[tcp],
    message_handler=on_message,
    max_in_flight=50,
)
tornado.ioloop.PeriodicCallback(look, 50).start()
loop.call_later(DEADLINE_S, give_up)
loop.start()

assert sorted(deliveries) == sorted([(body, 1) for body in BODIES] + [(REQUEUED, 2)]), deliveries
stats = channel_stats()
assert (stats["message_count"], stats["requeue_count"]) == (len(BODIES), 1), stats
print(f"pynsq: {len(BODIES)} messages published over HTTP, all consumed, one of them twice")
