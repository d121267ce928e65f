// Every page: what it shows, how it is built, for whom it works.
'use strict';

const assert = require('assert');

const { graveFindings } = require('../accessibility');
const test = require('../bounded_test');
const { cluster, eventually } = require('../cluster');
const { visiting } = require('../visit');

const [node] = cluster.nsqds;
const addresses = cluster.nsqds.map(({ http }) => http);
const lookupds = cluster.lookupds.map(({ http }) => http);
const TOPICS = ['clicks', 'events#ephemeral', 'orders', 'unread'];

/** Each page with a name for its pictures and with texts that it must show. */
const PAGES = [
  { name: 'topics', path: '/', texts: TOPICS },
  { name: 'topics-too', path: '/topics', texts: TOPICS },
  { name: 'topic', path: '/topics/orders', texts: [...addresses, 'archive', 'audit', 'billing'] },
  { name: 'ephemeral', path: '/topics/events%23ephemeral', texts: ['live#ephemeral'] },
  { name: 'channel', path: '/topics/orders/archive', texts: [...addresses, 'nsq_to_file'] },
  { name: 'nodes', path: '/nodes', texts: addresses.map((address) => address.split(':')[1]) },
  { name: 'node', path: `/nodes/${node.http}`, texts: ['orders', 'archive', 'clicks'] },
  { name: 'counter', path: '/counter', texts: [] },
  { name: 'tail', path: '/tail/orders', texts: ['orders'] },
  { name: 'lookup', path: '/lookup', texts: [...lookupds, 'forgotten', 'old'] },
];
/** What a page looks like to different people. */
const LOOKS = [
  { suffix: '', options: {} },
  { suffix: '-dark', options: { dark: true } },
  { suffix: '-phone', options: { phone: true } },
];

async function assertShape({ page }) {
  const count = (selector) => page.locator(selector).count();
  const shape = {
    headings: await count('h1'),
    mains: await count('main#main'),
    hasNavigation: (await count('nav')) > 0,
    hasTitle: (await page.title()).trim() !== '',
  };
  const expected = { headings: 1, mains: 1, hasNavigation: true, hasTitle: true };
  assert.deepStrictEqual(shape, expected);
  assert.notStrictEqual((await page.innerText('h1')).trim(), '');
}

async function assertTexts({ page }, texts) {
  const shown = await page.innerText('main');
  assert.deepStrictEqual(texts.filter((text) => !shown.includes(text)), [], shown);
}

/** Waits until what the script draws is there: charts, and messages of a tail. */
async function drawn({ page }) {
  for (const places of ['[data-plot]', '#tail']) {
    for (const place of await page.locator(places).all()) {
      await place.locator('canvas, li').first().waitFor();
    }
  }
}

for (const { name, path, texts } of PAGES) {
  test(`${path} shows what it should, in a picture as well`, async () => {
    await visiting({}, async (visit) => {
      assert.strictEqual(await visit.open(path), 200);
      await assertShape(visit);
      await assertTexts(visit, texts);
      await drawn(visit);
      await visit.screenshot(name);
    });
  });

  test(`${path} works without scripting`, async () => {
    await visiting({ scripting: false }, async (visit) => {
      assert.strictEqual(await visit.open(path), 200);
      await assertShape(visit);
      await assertTexts(visit, texts);
    });
  });

  test(`${path} is in Chinese for those who read it`, async () => {
    await visiting({ locale: 'zh-CN' }, async (visit) => {
      await visit.open(path);
      assert.match(await visit.page.getAttribute('html', 'lang'), /^zh/);
      assert.match(await visit.page.innerText('nav'), /\p{Script=Han}/u);
      assert.match(await visit.page.innerText('main'), /\p{Script=Han}/u);
      await assertTexts(visit, texts);
      await drawn(visit);
      await visit.screenshot(`${name}-zh`);
    });
  });

  for (const { suffix, options } of LOOKS) {
    test(`${path}${suffix} has no grave finding of axe`, async () => {
      await visiting({ ...options, bypassesPolicy: true }, async (visit) => {
        await visit.open(path);
        assert.deepStrictEqual(await graveFindings(visit), []);
        await drawn(visit);
        if (suffix) await visit.screenshot(name + suffix);
      });
    });
  }

  test(`${path} fits on a phone`, async () => {
    await visiting({ phone: true }, async (visit) => {
      await visit.open(path);
      const widths = () => [document.documentElement.scrollWidth, window.innerWidth];
      const [content, screen] = await visit.page.evaluate(widths);
      assert.ok(content <= screen, `${content} pixels are wider than ${screen}`);
    });
  });

  test(`${path} lets the keyboard skip to the content`, async () => {
    await visiting({}, async ({ open, page }) => {
      await open(path);
      await page.keyboard.press('Tab');
      const link = page.locator('a:focus');
      assert.strictEqual(await link.getAttribute('href'), '#main');
      await page.keyboard.press('Enter');
      await page.locator('main:focus').waitFor();
    });
  });
}

test('every link of every page leads somewhere', async () => {
  await visiting({ scripting: false }, async (visit) => {
    const links = new Set();
    for (const { path } of PAGES) {
      await visit.open(path);
      const found = await visit.page.locator('a[href^="/"]').all();
      for (const link of found) links.add(await link.getAttribute('href'));
    }
    for (const link of links) assert.strictEqual(await visit.open(link), 200, link);
  });
});

test('figures change while a page is looked at, without loading it again', async () => {
  await visiting({}, async ({ open, page }) => {
    await open('/topics/orders');
    await page.evaluate(() => { window.isTheSame = true; });
    const before = await page.innerText('main');
    const hasChanged = async () => (await page.innerText('main')) !== before;
    await eventually('the page changes', hasChanged);
    assert.ok(await page.evaluate(() => window.isTheSame), 'it was loaded again');
  });
});

for (const [path, status] of [
  ['/topics/absent', 404],
  ['/topics/orders/absent', 404],
  ['/nodes/127.0.0.1:1', 404],
  ['/topics/%3Cscript%3Ewindow.injected=1%3C%2Fscript%3E', 404],
]) {
  test(`${path} is a page that says so`, async () => {
    await visiting({}, async (visit) => {
      visit.expected.push(status);
      assert.strictEqual(await visit.open(path), status);
      await assertShape(visit);
      assert.strictEqual(await visit.page.evaluate(() => window.injected), undefined);
    });
  });
}

test('what a client says of itself is text', async () => {
  for (const path of ['/topics/clicks/web', `/nodes/${node.http}`]) {
    await visiting({}, async (visit) => {
      await visit.open(path);
      await assertTexts(visit, ['<b id=injected>']);
      assert.strictEqual(await visit.page.locator('#injected').count(), 0);
      assert.strictEqual(await visit.page.evaluate(() => window.injected), undefined);
    });
  }
});

test('who does not answer is told beside what the others say', async () => {
  const { http, base, silent } = cluster.restricted;
  await visiting({ address: http }, async (visit) => {
    for (const path of ['', '/nodes', '/topics/orders']) {
      assert.strictEqual(await visit.open(base + path), 200, path);
      await assertTexts(visit, [silent, 'orders']);
    }
    await visit.screenshot('warning');
  });
});
