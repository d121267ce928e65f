// What pages do only with scripting: they follow the cluster, the keyboard and the pointer.
'use strict';

const assert = require('assert');

const test = require('../bounded_test');
const { ask, cluster, eventually, newTopic, onEach, order, removeTopic } = require('../cluster');
const { visiting } = require('../visit');

const channelsOf = (topic) => onEach(topic, (found) => found?.channels.map((it) => it.channel_name));
const onlyOne = cluster.nsqds.map(() => ['one']);

test('a search goes on as one types, and nothing typed is lost', async () => {
  await visiting({}, async ({ open, page }) => {
    await open('/nodes');
    await open('/');
    await page.evaluate(() => { window.isTheSame = true; });
    const rows = () => page.locator('main tbody th').allInnerTexts();
    assert.ok((await rows()).length > 1);
    const field = page.getByRole('searchbox');
    await field.pressSequentially('order', { delay: 60 });
    await eventually('only what matches', rows, ['orders']);
    // Live updates come meanwhile.
    await field.pressSequentially('sss', { delay: 700 });
    await eventually('nothing matches', rows, []);
    assert.strictEqual(await field.inputValue(), 'ordersss');
    assert.strictEqual(new URL(page.url()).searchParams.get('match'), 'ordersss');
    assert.ok(await field.evaluate((element) => element === document.activeElement));
    assert.ok(await page.evaluate(() => window.isTheSame), 'it was loaded again');
    // One does not go back letter by letter.
    await page.goBack();
    assert.strictEqual(new URL(page.url()).pathname, '/nodes');
  });
});

test('a table is sorted by a click, and stays so', async () => {
  await visiting({}, async ({ open, page }) => {
    await open('/');
    const head = page.getByRole('columnheader', { name: 'Topic', exact: true });
    const names = () => page.locator('main tbody th a').allInnerTexts();
    await head.getByRole('link').click();
    await page.locator('th[aria-sort=ascending]').waitFor();
    await head.getByRole('link').click();
    await page.locator('th[aria-sort=descending]').waitFor();
    const descending = (await names()).sort().reverse();
    assert.deepStrictEqual(await names(), descending);
    const seen = () => page.locator('.seen').innerText();
    const before = await seen();
    await eventually('a live update', async () => (await seen()) !== before);
    assert.deepStrictEqual(await names(), descending);
  });
});

test('charts are drawn, tell what is pointed at, and stay through a search', async () => {
  await visiting({}, async ({ open, page }) => {
    for (const path of ['/', '/topics/orders', '/topics/orders/archive', '/counter']) {
      await open(path);
      const plots = await page.locator('[data-plot]').count();
      assert.strictEqual(plots, 5, path);
      const drawn = () => page.locator('[data-plot] canvas').count();
      await eventually(`charts of ${path}`, drawn, plots);
    }
    await open('/');
    const chart = page.locator('[data-plot=depth]');
    await chart.locator('canvas').waitFor();
    const pointed = async () => {
      await chart.hover({ position: { x: 150, y: 40 } });
      await chart.hover({ position: { x: 130, y: 40 } });
      return /\d · [\d,.]+$/.test(await chart.locator('.pointed').innerText());
    };
    await eventually('what is pointed at', pointed);
    await page.getByRole('searchbox').pressSequentially('ord');
    await page.waitForURL(/match=ord/);
    assert.strictEqual(await page.locator('[data-plot] canvas').count(), 5);
  });
});

test('light or dark is chosen and remembered', async () => {
  await visiting({}, async ({ open, page }) => {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await open('/');
    const light = await background();
    await page.getByRole('button', { name: 'Light or dark' }).click();
    const dark = await background();
    assert.notStrictEqual(dark, light);
    await open('/nodes');
    assert.strictEqual(await background(), dark);
  });
});

test('a browser that forbids to remember is no worse off', async () => {
  await visiting({}, async ({ open, page }) => {
    await page.addInitScript(() => {
      Object.defineProperty(window, 'localStorage', {
        get() { throw new DOMException('forbidden', 'SecurityError'); },
      });
    });
    await open('/');
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    await page.getByRole('button', { name: 'Light or dark' }).click();
    assert.notStrictEqual(await background(), light);
    await page.locator('[data-plot] canvas').first().waitFor();
  });
});

test('live updates can be stopped, and go on', async () => {
  await visiting({}, async ({ open, page }) => {
    await open('/');
    const seen = () => page.locator('.seen').innerText();
    const freeze = page.locator('#freeze');
    await freeze.click();
    assert.match(await freeze.innerText(), /Stopped/);
    const before = await seen();
    // Others do go on meanwhile.
    await visiting({}, async (other) => {
      await other.open('/');
      const theirs = () => other.page.locator('.seen').innerText();
      const first = await theirs();
      await eventually('an update of another page', async () => (await theirs()) !== first);
    });
    assert.strictEqual(await seen(), before);
    await freeze.click();
    await eventually('an update', async () => (await seen()) !== before);
  });
});

test('what was opened stays open through live updates', async () => {
  await visiting({}, async ({ open, page }) => {
    await open('/nodes');
    const details = page.locator('details').first();
    await details.locator('summary').click();
    const rates = () => page.locator('main tbody').innerText();
    const before = await rates();
    await eventually('a live update', async () => (await rates()) !== before);
    assert.ok(await details.evaluate((element) => element.open));
  });
});

test('a page that is not up to date says so, until it is again', async () => {
  await visiting({}, async (visit) => {
    const { open, page } = visit;
    const stale = page.getByText('This page is not up to date');
    const isStream = (url) => url.searchParams.has('live');
    visit.expected.push(503);
    await page.route(isStream, (route) => route.fulfill({ status: 503, body: 'no' }));
    await open('/');
    await stale.waitFor();
    await page.unroute(isStream);
    await stale.waitFor({ state: 'hidden' });
  });
});

test('what came of an action stays to be read', async () => {
  const { http, base, user, silent } = cluster.restricted;
  const topic = 'partly';
  await newTopic(topic);
  const headers = { 'X-Forwarded-User': user };
  await visiting({ address: http, headers }, async (visit) => {
    const { open, page } = visit;
    await open(`${base}/topics/${topic}`);
    await page.getByRole('button', { name: 'Pause topic' }).click();
    await visit.send(page.getByRole('dialog').getByRole('button', { name: 'Pause topic' }));
    assert.match(await page.innerText('h1'), /not everywhere/);
    assert.ok((await page.innerText('main')).includes(silent));
    assert.strictEqual(await page.getAttribute('main', 'data-live'), null);
    assert.ok(await page.locator('#freeze').isHidden());
  });
  await removeTopic(topic);
});

test('a tail that is held shows later what has come', async () => {
  await visiting({}, async ({ open, page }) => {
    await open('/tail/orders');
    const count = () => page.locator('#tail li').count();
    await eventually('messages', async () => (await count()) > 0);
    const freeze = page.locator('#freeze');
    await freeze.click();
    const held = await count();
    const published = async () => (await onEach('orders', (it) => it.message_count))[0];
    const before = await published();
    await eventually('more is published', async () => (await published()) > before + 10);
    assert.strictEqual(await count(), held);
    await freeze.click();
    assert.ok((await count()) > held);
  });
});

test('a topic that goes while it is looked at is told to be gone', async () => {
  const topic = 'going';
  await newTopic(topic);
  await visiting({}, async ({ open, page }) => {
    await open(`/topics/${topic}`);
    await removeTopic(topic);
    await page.getByText('This page is not up to date').waitFor();
  });
});

test('a tail shows messages as text, and leaves nothing behind', async () => {
  const topic = 'tailed';
  await newTopic(topic, ['one'], 0);
  await visiting({}, async (visit) => {
    const { open, page } = visit;
    await open(`/topics/${topic}`);
    await page.getByRole('link', { name: 'Watch messages as they come' }).click();
    const hasTwoEach = async () => (await channelsOf(topic)).every(({ length }) => length === 2);
    await eventually('a channel more on each', hasTwoEach);
    for (const [number, nsqd] of cluster.nsqds.entries()) {
      const body = `<img src=x onerror=window.injected=1> ${number}`;
      await order(nsqd.http, `/pub?topic=${topic}`, body);
    }
    const bodies = async () => (await page.locator('#tail pre').allInnerTexts()).sort();
    const expected = [0, 1, 2].map((number) => `<img src=x onerror=window.injected=1> ${number}`);
    await eventually('all messages', bodies, expected);
    assert.strictEqual(await page.evaluate(() => window.injected), undefined);
    await open('/counter');
    await eventually('no channel is left', () => channelsOf(topic), onlyOne);
  });
  await removeTopic(topic);
});

test('a tail that would take the messages of nobody yet says why it does not', async () => {
  await visiting({}, async (visit) => {
    visit.expected.push(409);
    await visit.open('/tail/unread');
    await visit.page.getByText('NO_CHANNEL').waitFor();
  });
  assert.deepStrictEqual((await channelsOf('unread'))[0], []);
});

test('a tail is only for admins', async () => {
  const { http, base, user } = cluster.restricted;
  const tail = (headers) => {
    const accept = { Accept: 'text/event-stream', ...headers };
    return ask(http, `${base}/api/topics/absent/tail`, { headers: accept });
  };
  assert.strictEqual((await tail({})).status, 403);
  assert.notStrictEqual((await tail({ 'X-Forwarded-User': user })).status, 403);
  await visiting({ address: http }, async (visit) => {
    visit.expected.push(403);
    assert.strictEqual(await visit.open(`${base}/tail/orders`), 403);
  });
});
