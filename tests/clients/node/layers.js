// nsqjs publishes and consumes over every combination of TLS and compression.
//
// Arguments: the TCP address of an nsqd, the directory of the certificates, and how to connect:
// `plain`, `tls`, `certificate` (TLS with a client certificate) or `auth` (plain, with a secret).
'use strict';

const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const nsqjs = require('nsqjs');

const DEADLINE_MS = 60_000;
const channel = 'node';
const secret = 'a secret & more';
// Around the sizes of buffers, of a snappy chunk and of a TLS record, up to --max-msg-size.
const sizes = [1, 2, 63, 64, 1000, 16384, 65535, 65536, 65537, 262144, 1048576];
const compressions = {
  none: {},
  snappy: { snappy: true },
  deflate1: { deflate: true, deflateLevel: 1 },
  deflate6: { deflate: true, deflateLevel: 6 },
};

const [tcp, certificates, ...ways] = process.argv.slice(2);
const [host, port] = tcp.split(':');

setTimeout(() => fail(new Error(`no end within ${DEADLINE_MS} ms`)), DEADLINE_MS).unref();

function fail(error) {
  console.error(error);
  process.exit(1);
}

// Of each size one that can be compressed and one that cannot.
const bodies = sizes.flatMap((size) => [
  Buffer.alloc(size, 'the same again; '),
  crypto.randomBytes(size),
]);

function certificate(name) {
  return fs.readFileSync(path.join(certificates, name));
}

/** The options of nsqjs for one way to connect. */
function optionsOf(way) {
  switch (way) {
    case 'plain':
      return {};
    case 'auth':
      return { authSecret: secret };
    case 'tls':
      return { tls: true, ca: certificate('ca.pem') };
    case 'certificate':
      return {
        tls: true,
        ca: certificate('ca.pem'),
        cert: certificate('client.pem'),
        key: certificate('client.key'),
      };
    default:
      throw new Error(`no way to connect: ${way}`);
  }
}

function publish(topic, options) {
  const writer = new nsqjs.Writer(host, Number(port), options);
  return new Promise((resolve, reject) => {
    writer.on('error', reject);
    const left = [...bodies];
    const next = (error) => {
      if (error) reject(error);
      else if (left.length > 0) writer.publish(topic, left.shift(), next);
      else resolve(writer);
    };
    writer.on('ready', () => next());
    writer.connect();
  });
}

function consume(topic, options) {
  const all = { nsqdTCPAddresses: [tcp], maxInFlight: 5, ...options };
  const reader = new nsqjs.Reader(topic, channel, all);
  return new Promise((resolve, reject) => {
    const received = [];
    reader.on('error', reject);
    reader.on('message', (message) => {
      received.push(message.body);
      message.finish();
      if (received.length === bodies.length) resolve({ reader, received });
    });
    reader.connect();
  });
}

/** What was negotiated, as the client heard it. */
function granted(client) {
  const connection = client.conn ?? [...client.connections.values()][0].conn;
  const { tls_v1: tls, snappy, deflate } = connection.statemachine.identifyResponse;
  return { tls, snappy, deflate };
}

function digests(list) {
  return list.map((body) => crypto.createHash('sha256').update(body).digest('hex')).sort();
}

async function check(way, compression) {
  const topic = `${way}_${compression}`;
  const options = { ...optionsOf(way), ...compressions[compression] };
  const { tls = false, snappy = false, deflate = false } = options;
  const writer = await publish(topic, options);
  assert.deepStrictEqual(granted(writer), { tls, snappy, deflate }, topic);
  const { reader, received } = await consume(topic, options);
  assert.deepStrictEqual(digests(received), digests(bodies), topic);
  // What comes after this is no failure any more.
  for (const client of [reader, writer]) {
    client.removeAllListeners('error');
    client.on('error', () => {});
    client.close();
  }
}

async function main() {
  let count = 0;
  for (const way of ways) {
    for (const compression of Object.keys(compressions)) {
      await check(way, compression);
      count += 1;
    }
  }
  const largest = Math.max(...sizes);
  console.log(`nsqjs: ${bodies.length} messages of up to ${largest} bytes in ${count} combinations`);
  process.exit(0);
}

main().catch(fail);
