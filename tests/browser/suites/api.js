// What the browser gets from nsqadmin that is no page.
'use strict';

const assert = require('assert');

const test = require('../bounded_test');
const { ask, cluster } = require('../cluster');
const { visiting } = require('../visit');

const TOPICS = ['clicks', 'events#ephemeral', 'forgotten', 'orders', 'unread'];

test('/ping in a browser', async () => {
  await visiting({}, async (visit) => {
    assert.strictEqual(await visit.open('/ping'), 200);
    assert.strictEqual(await visit.page.innerText('body'), 'OK');
  });
});

test('/api/topics has every topic of the cluster', async () => {
  const { status, text } = await ask(cluster.admin, '/api/topics');
  assert.strictEqual(status, 200);
  const { topics, message } = JSON.parse(text);
  assert.deepStrictEqual({ known: TOPICS.filter((it) => topics.includes(it)), message }, {
    known: TOPICS,
    message: '',
  });
});

test('only admins may act, below the base path', async () => {
  const { http, base, user } = cluster.restricted;
  const body = '{"action":"pause"}';
  const act = (headers) => ask(http, `${base}/api/topics/absent`, { method: 'POST', headers, body });
  assert.strictEqual((await act({})).status, 403);
  assert.notStrictEqual((await act({ 'X-Forwarded-User': user })).status, 403);
});
