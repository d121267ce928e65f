// Every action: pressed in a browser, with scripting and without, and seen at the daemons.
'use strict';

const assert = require('assert');

const test = require('../bounded_test');
const {
  ask, channelOnEach, cluster, eventually, newTopic, nodesOf, onEach, order, registered,
  removeTopic,
} = require('../cluster');
const { visiting } = require('../visit');

const all = (value) => cluster.nsqds.map(() => value);
const allLookupds = (value) => cluster.lookupds.map(() => value);
const path = (...names) => `/topics/${names.map(encodeURIComponent).join('/')}`;

/** A test that is run with scripting and without; `name` differs, for topics of their own. */
function both(title, work) {
  for (const scripting of [true, false]) {
    const name = `${title.replace(/\W+/g, '-').slice(0, 40)}-${scripting ? 'js' : 'plain'}`;
    test(`${title}, ${scripting ? 'with' : 'without'} scripting`, async () => {
      await visiting({ scripting }, (visit) => work(visit, name));
      await removeTopic(name);
    });
  }
}

function button(place, label) {
  return place.getByRole('button', { name: label, exact: true });
}

/** Where an action is confirmed: the dialog, or without scripting the page that asks. */
async function question({ page, scripting }) {
  const place = scripting ? page.getByRole('dialog') : page.locator('main');
  const yes = scripting
    ? place.getByRole('button').filter({ hasNotText: 'Cancel' })
    : place.getByRole('button', { name: /^Yes, / });
  await yes.waitFor();
  return yes;
}

/** Says yes, which must be asked for first. */
async function confirm(visit) {
  await visit.send(await question(visit));
}

both('a topic is paused and goes on', async (visit, topic) => {
  const { open, page } = visit;
  await newTopic(topic);
  await open(path(topic));
  const paused = () => onEach(topic, (found) => found.paused);
  await button(page, 'Pause topic').click();
  await confirm(visit);
  await eventually('paused on each', paused, all(true));
  await visit.send(button(page, 'Unpause topic'));
  await eventually('not paused on any', paused, all(false));
  await button(page, 'Pause topic').waitFor();
});

both('a topic is emptied', async (visit, topic) => {
  const { open, page } = visit;
  await newTopic(topic);
  await open(path(topic));
  const depths = () => onEach(topic, (found) => found.depth);
  await button(page, 'Empty queue').click();
  await question(visit);
  assert.deepStrictEqual(await depths(), all(3), 'nothing happens before it is confirmed');
  await confirm(visit);
  await eventually('empty on each', depths, all(0));
});

both('a topic is deleted', async (visit, topic) => {
  const { open, page } = visit;
  await newTopic(topic, ['one']);
  await open(path(topic));
  await button(page, 'Delete topic').click();
  await confirm(visit);
  await eventually('gone from each', () => onEach(topic, (found) => found === undefined), all(true));
  const known = async () => (await registered('/topics')).map((it) => it.topics.includes(topic));
  await eventually('unknown to nsqlookupd', known, allLookupds(false));
  await page.getByText('Deleted.').waitFor();
});

both('a channel is paused and goes on', async (visit, topic) => {
  const { open, page } = visit;
  await newTopic(topic, ['one']);
  await open(path(topic, 'one'));
  const paused = () => channelOnEach(topic, 'one', (found) => found.paused);
  await button(page, 'Pause channel').click();
  await confirm(visit);
  await eventually('paused on each', paused, all(true));
  await visit.send(button(page, 'Unpause channel'));
  await eventually('not paused on any', paused, all(false));
  await button(page, 'Pause channel').waitFor();
});

both('a channel is emptied', async (visit, topic) => {
  const { open, page } = visit;
  await newTopic(topic, ['one', 'other']);
  await open(path(topic, 'one'));
  await button(page, 'Empty queue').click();
  await confirm(visit);
  const depths = (channel) => channelOnEach(topic, channel, (found) => found.depth);
  await eventually('empty on each', () => depths('one'), all(0));
  assert.deepStrictEqual(await depths('other'), all(3));
});

both('a channel is deleted', async (visit, topic) => {
  const { open, page } = visit;
  await newTopic(topic, ['one', 'other']);
  await open(path(topic, 'one'));
  await button(page, 'Delete channel').click();
  await confirm(visit);
  const names = () => onEach(topic, (found) => found.channels.map((it) => it.channel_name));
  await eventually('gone from each', names, all(['other']));
});

both('a topic of one node is tombstoned, on the page of the topic', async (visit, topic) => {
  const { open, page } = visit;
  await newTopic(topic);
  await open(path(topic));
  await tombstone(visit, page.getByRole('row').filter({ hasText: cluster.nsqds[1].http }), topic);
});

both('a topic of one node is tombstoned, on the page of the node', async (visit, topic) => {
  const { open, page } = visit;
  await newTopic(topic);
  await open(`/nodes/${cluster.nsqds[1].http}`);
  const link = page.getByRole('link', { name: topic, exact: true });
  // The smallest part of the page that has both the topic and a button.
  const parts = page.locator('tr, li, section, article, details').filter({ has: link });
  await tombstone(visit, parts.filter({ has: page.getByRole('button') }).last(), topic);
});

async function tombstone(visit, place, topic) {
  await place.getByRole('button', { name: /^Tombstone/ }).click();
  await confirm(visit);
  const has = () => onEach(topic, (found) => found !== undefined);
  await eventually('gone from the second node', has, [true, false, true]);
  await eventually('not shown for it', () => nodesOf(topic), allLookupds(2));
}

both('a topic and a channel are created', async (visit, topic) => {
  const { open, page } = visit;
  await open('/lookup');
  const form = page.locator('form').filter({ has: button(page, 'Create') });
  await form.getByLabel(/^topic/i).fill(topic);
  await form.getByLabel(/^channel/i).fill('one');
  await visit.send(button(form, 'Create'));
  const channels = async () => (await registered(`/channels?topic=${topic}`)).map((it) => it.channels);
  await eventually('registered', channels, allLookupds(['one']));
});

both('an inactive channel and its topic are deleted', async (visit, topic) => {
  const { open, page } = visit;
  for (const { http } of cluster.lookupds) {
    await order(http, `/channel/create?topic=${topic}&channel=one`);
  }
  const place = (name) => page.locator('main tr, main li').filter({ hasText: name }).last();
  await open('/lookup');
  await place('one').getByRole('button', { name: /^Delete channel/ }).click();
  await confirm(visit);
  const channels = async () => (await registered(`/channels?topic=${topic}`)).map((it) => it.channels);
  await eventually('the channel is gone', channels, allLookupds([]));
  await open('/lookup');
  await place(topic).getByRole('button', { name: /^Delete topic/ }).click();
  await confirm(visit);
  const known = async () => (await registered('/topics')).map((it) => it.topics.includes(topic));
  await eventually('the topic is gone', known, allLookupds(false));
});

both('a message is published', async (visit, topic) => {
  const { open, page } = visit;
  await newTopic(topic, ['one'], 0);
  await open(path(topic));
  await page.getByLabel('Body').fill('<b>a message</b>\nof two lines');
  await visit.send(button(page, 'Publish'));
  const depths = () => channelOnEach(topic, 'one', (found) => found.depth);
  await eventually('it is in the channel', async () => (await depths()).reduce((a, b) => a + b), 1);
  await page.getByText('Published.').waitFor();
});

test('a dialog that is cancelled does nothing, by button and by key', async () => {
  const topic = 'cancelled';
  await newTopic(topic);
  await visiting({}, async (visit) => {
    const { open, page } = visit;
    await open(path(topic));
    const dialog = page.getByRole('dialog');
    await button(page, 'Delete topic').click();
    await button(dialog, 'Cancel').click();
    await dialog.waitFor({ state: 'hidden' });
    await button(page, 'Delete topic').click();
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    // What would have been sent has been sent by the time that another action has its effect.
    await button(page, 'Pause topic').click();
    await confirm(visit);
    await eventually('paused', () => onEach(topic, (found) => found?.paused), all(true));
  });
  await removeTopic(topic);
});

/** The forms of a page that change something: where they go, and what each button sends. */
function posts(html) {
  const attribute = (tag, name) => tag.match(new RegExp(`\\b${name}="([^"]*)"`))?.[1];
  const plain = (text) => text.replaceAll('&quot;', '"').replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  const found = [];
  for (const [, head, content] of html.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)) {
    if (attribute(head, 'method')?.toLowerCase() !== 'post') continue;
    const fields = [...content.matchAll(/<input\b[^>]*>/g)].map(([tag]) => tag);
    for (const [, button, label] of content.matchAll(/<button\b([^>]*)>(.*?)<\/button>/gs)) {
      const body = new URLSearchParams();
      for (const tag of [...fields, button]) {
        const name = attribute(tag, 'name');
        if (name) body.append(name, plain(attribute(tag, 'value') ?? ''));
      }
      const action = plain(attribute(head, 'action') ?? '');
      found.push({ action, body: body.toString(), label: label.replace(/<[^>]*>/g, '').trim() });
    }
  }
  return found;
}

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

/** What a browser of its own is given for a page: its forms, and the cookie that goes with them. */
async function formsOf(address, target, headers = {}) {
  const { text, headers: answered } = await ask(address, target, { headers });
  const cookie = (answered['set-cookie'] ?? []).map((it) => it.split(';')[0]).join('; ');
  return { forms: posts(text), cookie };
}

test('who is no admin is shown no action, and is refused every one', async () => {
  const topic = 'only-for-admins';
  await newTopic(topic, ['one']);
  const { http, base, user } = cluster.restricted;
  const pages = [path(topic), path(topic, 'one'), '/lookup', `/nodes/${cluster.nsqds[0].http}`];
  const labels = [];
  for (const page of pages) {
    assert.deepStrictEqual((await formsOf(http, base + page)).forms, [], page);
    const { forms, cookie } = await formsOf(http, base + page, { 'X-Forwarded-User': user });
    for (const { action, body, label } of forms) {
      labels.push(label);
      const headers = { ...FORM, Cookie: cookie };
      const { status } = await ask(http, action, { method: 'POST', headers, body });
      assert.strictEqual(status, 403, `${label} at ${page}`);
    }
  }
  for (const label of ['Delete topic', 'Pause topic', 'Empty queue', 'Tombstone', 'Publish',
    'Delete channel', 'Pause channel', 'Create']) {
    assert.ok(labels.includes(label), `no ${label} among ${labels}`);
  }
  assert.deepStrictEqual(await onEach(topic, (found) => found.channels.length), all(1));
  await removeTopic(topic);
});

for (const site of ['http://other.example', `http://${cluster.lookupds[0].http}`]) {
  test(`no page of ${site} can act in the name of who looks at it`, async () => {
    const topic = `wanted-by-${site.length}`;
    await newTopic(topic);
    // What the other site can get: a form with the secret of its own visit.
    const { forms } = await formsOf(cluster.admin, path(topic));
    const { action, body } = forms.find(({ label }) => label === 'Pause topic');
    const fields = [...new URLSearchParams(body)].map(([name, value]) => (
      `<input type=hidden name="${name}" value="${value}">`
    ));
    const target = `http://${cluster.admin}${action}`;
    const content = `<form method=post action="${target}">${fields.join('')}<button>Win</button></form>`;
    await visiting({}, async (visit) => {
      const { page } = visit;
      // The cookie of the page is there.
      await visit.open(path(topic));
      visit.expected.push(403);
      visit.origins.push(site);
      const answer = { contentType: 'text/html', body: content };
      await page.route(`${site}/trap`, (route) => route.fulfill(answer));
      await page.goto(`${site}/trap`);
      const [refusal] = await Promise.all([
        page.waitForResponse((response) => response.url() === target),
        button(page, 'Win').click(),
      ]);
      assert.strictEqual(refusal.status(), 403);
    });
    assert.deepStrictEqual(await onEach(topic, (found) => found.paused), all(false));
    await removeTopic(topic);
  });
}
