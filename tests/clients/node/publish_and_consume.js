// nsqjs publishes and consumes. Arguments: the TCP and the HTTP address of an nsqd.
'use strict';

const assert = require('assert');
const nsqjs = require('nsqjs');

const DEADLINE_MS = 30_000;
const DELAY_MS = 300;
const [tcp] = process.argv.slice(2);
const [host, port] = tcp.split(':');
const topic = 'from_node';
const channel = 'node';

const many = Array.from({ length: 200 }, (_, index) => `many ${index}`);
const bodies = ['single', ...many, 'deferred', 'requeued'];

setTimeout(() => fail(new Error(`no end within ${DEADLINE_MS} ms`)), DEADLINE_MS).unref();

function fail(error) {
  console.error(error);
  process.exit(1);
}

/** Calls a method that takes a callback, as a promise. */
function call(object, method, ...args) {
  return new Promise((resolve, reject) => {
    object[method](...args, (error) => (error ? reject(error) : resolve()));
  });
}

function once(emitter, event) {
  return new Promise((resolve, reject) => {
    emitter.once(event, resolve);
    emitter.once('error', reject);
  });
}

async function publish() {
  const writer = new nsqjs.Writer(host, Number(port));
  writer.connect();
  await once(writer, 'ready');
  writer.on('error', fail);
  await call(writer, 'publish', topic, 'single');
  await call(writer, 'publish', topic, many);
  const publishedAt = Date.now();
  // The array is what nsqjs 0.13 wants, whatever its documentation says.
  await call(writer, 'deferPublish', topic, ['deferred'], DELAY_MS);
  await call(writer, 'publish', topic, 'requeued');
  return { writer, publishedAt };
}

/** Resolves to all deliveries once every message is finished. */
function consume() {
  const reader = new nsqjs.Reader(topic, channel, {
    nsqdTCPAddresses: [tcp],
    maxInFlight: 20,
    requeueDelay: 0,
  });
  return new Promise((resolve, reject) => {
    const deliveries = [];
    const unfinished = new Set(bodies);
    reader.on('error', reject);
    reader.on('message', (message) => {
      const body = message.body.toString();
      deliveries.push({ body, attempts: message.attempts, at: Date.now() });
      if (body === 'requeued' && message.attempts === 1) {
        message.requeue(0, false);
        return;
      }
      message.finish();
      unfinished.delete(body);
      if (unfinished.size === 0) resolve({ reader, deliveries });
    });
    reader.connect();
  });
}

async function main() {
  const { writer, publishedAt } = await publish();
  const { reader, deliveries } = await consume();
  const seen = deliveries.map(({ body, attempts }) => `${body} ${attempts}`).sort();
  const expected = [...bodies.map((body) => `${body} 1`), 'requeued 2'].sort();
  assert.deepStrictEqual(seen, expected);
  const deferred = deliveries.find(({ body }) => body === 'deferred');
  const waited = deferred.at - publishedAt;
  assert.ok(waited >= DELAY_MS, `the deferred message came after ${waited} ms`);
  console.log(`nsqjs: ${bodies.length} messages published and consumed, one of them twice`);
  reader.close();
  writer.close();
  process.exit(0);
}

main().catch(fail);
