"""The official parser of OpenMetrics reads the metrics page.

Arguments: the TCP and the HTTP address of an nsqd.
"""

import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

DEADLINE_S = 30
TOPIC = "from_python"

_, http = sys.argv[1:3]


def request(path, body=None):
    request = urllib.request.Request(f"http://{http}{path}", data=body)
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


request(f"/topic/create?topic={TOPIC}", b"")
request(f"/channel/create?topic={TOPIC}&channel=archive", b"")
request(f"/pub?topic={TOPIC}", b"12345")
content_type, page = request("/metrics")
assert content_type.startswith("application/openmetrics-text; version=1.0.0"), content_type

families = {family.name: family for family in text_string_to_metric_families(page)}
for family in families.values():
    assert family.documentation and family.type != "unknown", family
    assert family.name.endswith(family.unit), family


def value(family, **labels):
    """The value of the only sample with these labels, but for buckets."""
    samples = [s for s in families[family].samples if labels.items() <= s.labels.items()]
    assert len(samples) == 1, (family, labels, samples)
    return samples[0].value


assert value("nsqd_topic_messages", topic=TOPIC) == 1
assert value("nsqd_topic_message_bytes", topic=TOPIC) == 5
assert value("nsqd_channel_depth_messages", topic=TOPIC, channel="archive") == 1
assert value("nsqd_healthy") == 1
assert families["nsqd_append_duration_seconds"].type == "histogram"
print(f"prometheus_client: {len(families)} families read")
