"""pynsq publishes and consumes over every combination of TLS and compression.

Arguments: the TCP address of an nsqd, the directory of the certificates, and how to connect:
`plain`, `tls`, `certificate` (TLS with a client certificate) or `auth` (plain, with a secret).
"""

import collections
import logging
import os
import random
import ssl
import sys

import nsq
import tornado.ioloop
from nsq.deflate_socket import DeflateSocket
from nsq.snappy_socket import SnappySocket

DEADLINE_S = 60
CHANNEL = "python"
SECRET = "a secret & more"
# Around the sizes of buffers, of a snappy chunk and of a TLS record, up to --max-msg-size.
SIZES = [1, 2, 63, 64, 1000, 16384, 65535, 65536, 65537, 262144, 1048576]
COMPRESSIONS = [
    {},
    {"snappy": True},
    {"deflate": True, "deflate_level": 1},
    {"deflate": True, "deflate_level": 6},
]

tcp, certificates, *wishes = sys.argv[1:]
loop = tornado.ioloop.IOLoop.current()
# The end of every connection is an error to pynsq; real ones are reported below.
logging.disable(logging.ERROR)


def bodies():
    """Of each size one that can be compressed and one that cannot."""
    chance = random.Random(1)
    repeated = b"the same again; "
    for size in SIZES:
        yield (repeated * (size // len(repeated) + 1))[:size]
        yield chance.randbytes(size)


BODIES = list(bodies())


def certificate(name):
    return os.path.join(certificates, name)


def ways(wish):
    """The options of pynsq for one way to connect, with a name for each."""
    if wish == "plain":
        yield "plain", {}
        return
    if wish == "auth":
        yield "auth", {"auth_secret": SECRET}
        return
    options = {"ca_certs": certificate("ca.pem"), "cert_reqs": ssl.CERT_REQUIRED}
    if wish == "certificate":
        options["certfile"] = certificate("client.pem")
        options["keyfile"] = certificate("client.key")
    # By itself pynsq allows TLS 1.2 only.
    for name, version in ("tls12", ssl.PROTOCOL_TLSv1_2), ("newest", ssl.PROTOCOL_TLS_CLIENT):
        tls_options = {**options, "ssl_version": version}
        yield f"{wish}_{name}", {"tls_v1": True, "tls_options": tls_options}


def receive(self, size, method):
    """As pynsq, which is to wait when what came gives no output yet, as an empty block of deflate.

    pynsq says so with an error that today's Tornado does not know any more, and bytes that the TLS
    layer holds already would be waited for in vain.
    """
    if self._bootstrapped:
        data, self._bootstrapped = self._bootstrapped, None
        return data
    while chunk := method(size):
        if data := self._decompressor.decompress(chunk):
            return data
    return chunk


SnappySocket._recv = DeflateSocket._recv = receive


class Negotiated:
    """Insists that the daemon grants what was asked for, and nothing else."""

    done = False

    def _on_connection_identify_response(self, conn, data, **kwargs):
        for feature in "tls_v1", "snappy", "deflate":
            if data[feature] != getattr(conn, feature):
                loop.add_callback(give_up, f"{feature} is {data[feature]}")
        super()._on_connection_identify_response(conn, data, **kwargs)

    def _on_connection_error(self, conn, error, **kwargs):
        # pynsq takes the end of its own closing for an error.
        if not self.done:
            loop.add_callback(give_up, f"{error!r}")
        super()._on_connection_error(conn, error, **kwargs)


class Writer(Negotiated, nsq.Writer):
    pass


class Reader(Negotiated, nsq.Reader):
    pass


failure = None


def give_up(reason):
    global failure
    failure = reason
    loop.stop()


def run():
    """Runs the loop until somebody stops it."""
    timer = loop.call_later(DEADLINE_S, give_up, f"no end within {DEADLINE_S} s")
    loop.start()
    loop.remove_timeout(timer)
    if failure:
        sys.exit(f"{case}: {failure}")


def publish(topic, options):
    writer = Writer([tcp], **options)
    left = list(BODIES)

    def next_body(_conn=None, answer=b"OK"):
        if answer != b"OK":
            give_up(f"the answer to PUB is {answer!r}")
        elif left:
            writer.pub(topic, left.pop(0), next_body)
        else:
            loop.stop()

    # The writer says nowhere that it is connected.
    def start():
        if writer.conns:
            polling.stop()
            next_body()

    polling = tornado.ioloop.PeriodicCallback(start, 5)
    polling.start()
    run()
    return writer


def consume(topic, options):
    received = collections.Counter()

    def on_message(message):
        received[message.body] += 1
        if sum(received.values()) == len(BODIES):
            # The last FIN goes out before the loop ends.
            loop.call_later(0, loop.stop)
        return True

    reader = Reader(
        topic=topic,
        channel=CHANNEL,
        nsqd_tcp_addresses=[tcp],
        message_handler=on_message,
        max_in_flight=5,
        **options,
    )
    run()
    reader.done = True
    reader.close()
    wrong = [len(body) for body in received if received[body] != BODIES.count(body)]
    assert received == collections.Counter(BODIES), f"{case}: wrong sizes or contents: {wrong}"


count = 0
for wish in wishes:
    for way, options in ways(wish):
        for compression in COMPRESSIONS:
            case = "_".join([way, *compression, str(compression.get("deflate_level", ""))])
            publish(case, {**options, **compression})
            consume(case, {**options, **compression})
            count += 1

print(f"pynsq: {len(BODIES)} messages of up to {max(SIZES)} bytes in {count} combinations")
