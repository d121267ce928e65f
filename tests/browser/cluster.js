// The cluster that is shown, and what its daemons say of themselves.
'use strict';

const assert = require('assert');
const http = require('http');

const DEADLINE_MS = 20_000;
const LOOK_EVERY_MS = 50;

/** Addresses: `admin`, `restricted` and `graphs` (others), `nsqds` and `lookupds`. */
const cluster = JSON.parse(process.env.NSQ_TEST_CLUSTER);

/** Sends a request; resolves to status, headers and body. */
function ask(address, target, { method = 'GET', headers = {}, body = '' } = {}) {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const options = { host, port, path: target, method, headers, timeout: DEADLINE_MS };
    const request = http.request(options, (response) => {
      const pieces = [];
      response.on('data', (piece) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        resolve({ status: response.statusCode, headers: response.headers, text });
      });
    });
    request.on('timeout', () => request.destroy(new Error(`${address} says nothing`)));
    request.on('error', reject);
    request.end(body);
  });
}

/** Gives a daemon an order, which must succeed. */
async function order(address, target, body = '') {
  const { status, text } = await ask(address, target, { method: 'POST', body });
  assert.strictEqual(status, 200, `POST ${target} at ${address}: ${text}`);
}

/** Waits until `look` resolves to what is expected. */
async function eventually(what, look, expected = true) {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const seen = await look();
    if (isEqual(seen, expected)) return;
    if (Date.now() > deadline) assert.deepStrictEqual(seen, expected, what);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function isEqual(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

const named = (name) => encodeURIComponent(name);

/** What an nsqd says of a topic; undefined if it has none of this name. */
async function topicAt(nsqd, topic) {
  const { text } = await ask(nsqd.http, `/stats?format=json&topic=${named(topic)}`);
  return (JSON.parse(text).topics ?? []).find((found) => found.topic_name === topic);
}

/** What `tell` makes of the topic on each nsqd. */
function onEach(topic, tell) {
  return Promise.all(cluster.nsqds.map(async (nsqd) => tell(await topicAt(nsqd, topic))));
}

/** The same of a channel. */
function channelOnEach(topic, channel, tell) {
  const isIt = (found) => found.channel_name === channel;
  return onEach(topic, (found) => tell(found?.channels.find(isIt)));
}

/** What every nsqlookupd answers, without its status. */
async function registered(target) {
  const answers = cluster.lookupds.map((lookupd) => ask(lookupd.http, target));
  return (await Promise.all(answers)).map(({ text }) => JSON.parse(text));
}

/** How many nsqd each nsqlookupd shows for a topic. */
async function nodesOf(topic) {
  const answers = await registered(`/lookup?topic=${named(topic)}`);
  return answers.map(({ producers }) => producers?.length ?? 0);
}

/** A topic of its own for a test, on every nsqd, with messages in each of its channels. */
async function newTopic(topic, channels = [], messages = 3) {
  for (const nsqd of cluster.nsqds) {
    await order(nsqd.http, `/topic/create?topic=${named(topic)}`);
    for (const channel of channels) {
      const names = `topic=${named(topic)}&channel=${named(channel)}`;
      await order(nsqd.http, `/channel/create?${names}`);
    }
    for (let number = 0; number < messages; number += 1) {
      await order(nsqd.http, `/pub?topic=${named(topic)}`, `message ${number}`);
    }
  }
  const everywhere = cluster.lookupds.map(() => cluster.nsqds.length);
  await eventually(`${topic} is registered`, () => nodesOf(topic), everywhere);
  for (const channel of channels) {
    const depths = () => channelOnEach(topic, channel, (found) => found?.depth);
    const full = cluster.nsqds.map(() => messages);
    await eventually(`${channel} has its messages`, depths, full);
    const target = `/channels?topic=${named(topic)}`;
    const lists = async () => (await registered(target)).map((it) => it.channels.includes(channel));
    await eventually(`${channel} is registered`, lists, cluster.lookupds.map(() => true));
  }
}

/** Takes a topic away wherever it still is. */
async function removeTopic(topic) {
  for (const { http } of [...cluster.lookupds, ...cluster.nsqds]) {
    await ask(http, `/topic/delete?topic=${named(topic)}`, { method: 'POST' });
  }
}

module.exports = {
  ask,
  channelOnEach,
  cluster,
  eventually,
  newTopic,
  nodesOf,
  onEach,
  order,
  registered,
  removeTopic,
};
