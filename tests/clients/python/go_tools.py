"""to_nsq and nsq_tail of Go NSQ, which are go-nsq inside, over TLS and compression.

Arguments: the directory of these programs, the TCP address of an nsqd, the directory of the
certificates, and how to connect: `plain`, `tls`, `certificate` (TLS with a client certificate) or
`auth` (plain, with a secret).
"""

import base64
import os
import random
import subprocess
import sys

DEADLINE_S = 60
SECRET = "a secret & more"
SIZES = [1, 2, 63, 64, 1000, 16384, 65535, 65536, 65537, 262144, 1048576]
COMPRESSIONS = {
    "none": {},
    "snappy": {"snappy": "true"},
    "deflate1": {"deflate": "true", "deflate_level": "1"},
    "deflate6": {"deflate": "true", "deflate_level": "6"},
}

tools, tcp, certificates, *ways = sys.argv[1:]


def lines():
    """Of each size one that can be compressed and one that hardly can. The programs take lines."""
    chance = random.Random(1)
    for size in SIZES:
        yield (b"the same again; " * (size // 16 + 1))[:size]
        yield base64.b64encode(chance.randbytes(size))[:size]


LINES = list(lines())


def options(way):
    if way == "plain":
        return {}
    if way == "auth":
        return {"auth_secret": SECRET}
    chosen = {"tls_v1": "true", "tls_root_ca_file": os.path.join(certificates, "ca.pem")}
    if way == "certificate":
        chosen["tls_cert"] = os.path.join(certificates, "client.pem")
        chosen["tls_key"] = os.path.join(certificates, "client.key")
    return chosen


def run(tool, flag, topic, chosen, *more, text=None):
    command = [os.path.join(tools, tool), f"--topic={topic}", f"--nsqd-tcp-address={tcp}", *more]
    command += [f"--{flag}={name},{value}" for name, value in chosen.items()]
    done = subprocess.run(command, input=text, capture_output=True, timeout=DEADLINE_S)
    if done.returncode != 0:
        sys.exit(f"{topic}: {tool}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


for way in ways:
    for compression, more in COMPRESSIONS.items():
        topic = f"go_{way}_{compression}"
        chosen = {**options(way), **more}
        run("to_nsq", "producer-opt", topic, chosen, text=b"\n".join(LINES) + b"\n")
        count = f"-n={len(LINES)}"
        tail = run("nsq_tail", "consumer-opt", topic, chosen, "--channel=go", count, text=b"")
        assert sorted(tail.splitlines()) == sorted(LINES), f"{topic}: other lines came out"

combinations = len(ways) * len(COMPRESSIONS)
print(f"go-nsq: {len(LINES)} messages of up to {max(SIZES)} bytes in {combinations} combinations")
