// Graphs of a graphite that the tests answer for.
'use strict';

const assert = require('assert');

const { graveFindings } = require('../accessibility');
const test = require('../bounded_test');
const { cluster, eventually } = require('../cluster');
const { visiting } = require('../visit');

const { http: address, graphite } = cluster.graphs;
const origin = `http://${graphite}`;
const PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="20"><path d="M0 9h120"/></svg>';
const node = cluster.nsqds[0].http;
/** Each page with the least number of pictures on it. */
const PAGES = [
  ['/', 8],
  ['/topics/orders', 8],
  ['/topics/orders/archive', 9],
  [`/nodes/${node}`, 4],
  ['/counter', 1],
];

/** A visit to pages with pictures; `asked` are the queries that graphite got. */
function looking(options, work) {
  return visiting({ ...options, address }, async (visit) => {
    const asked = [];
    visit.origins.push(origin);
    await visit.page.route(`${origin}/**`, (route) => {
      const url = new URL(route.request().url());
      assert.strictEqual(url.pathname, '/render');
      asked.push(url.searchParams);
      return route.fulfill({ contentType: 'image/svg+xml', body: PICTURE });
    });
    await work(visit, asked);
  });
}

for (const [path, count] of PAGES) {
  test(`${path} has pictures of graphite`, async () => {
    await looking({}, async ({ open, page }, asked) => {
      await open(path);
      const pictures = page.locator('.graph img');
      const found = await pictures.count();
      assert.ok(found >= count, `${found} pictures`);
      // They are loaded when they come into sight.
      for (const picture of await pictures.all()) {
        await picture.scrollIntoViewIfNeeded();
        const isLoaded = () => picture.evaluate((it) => it.complete && it.naturalWidth > 0);
        await eventually('a picture', isLoaded);
      }
      assert.ok(asked.every((query) => query.get('target') && query.get('from') === '-2h'));
    });
  });

  test(`${path} with pictures has no grave finding of axe`, async () => {
    await looking({ bypassesPolicy: true }, async (visit) => {
      await visit.open(path);
      assert.deepStrictEqual(await graveFindings(visit), []);
    });
  });
}

for (const scripting of [true, false]) {
  test(`another time frame is chosen, ${scripting ? 'with' : 'without'} scripting`, async () => {
    await looking({ scripting }, async (visit, asked) => {
      const { open, page } = visit;
      const choose = async (frame) => {
        await page.getByLabel('Graphs').selectOption(frame);
        await visit.send(page.getByRole('button', { name: 'Show' }));
      };
      await open('/topics/orders?match=bill');
      await choose('24h');
      assert.strictEqual(await page.getByRole('searchbox').inputValue(), 'bill');
      await eventually('a day', () => asked.some((query) => query.get('from') === '-24h'));
      // It is remembered.
      asked.length = 0;
      await open('/');
      await eventually('a day', () => asked.some((query) => query.get('from') === '-24h'));
      await choose('off');
      assert.strictEqual(await page.locator('.graph').count(), 0);
    });
  });
}
