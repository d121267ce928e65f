// A test that cannot fail shows nothing: what a visit and axe must notice, on pages made for it.
'use strict';

const assert = require('assert');
const http = require('http');
const { after, before } = require('node:test');

const { graveFindings } = require('../accessibility');
const test = require('../bounded_test');
const { visiting } = require('../visit');

const POLICY = "default-src 'none'; img-src 'self'; script-src 'self'";
const PAGES = {
  '/good': '<!doctype html><html lang=en><title>t</title><main><h1>Good</h1></main>',
  '/inline': '<script>document.title = "changed"</script>',
  '/throws': '<script src=/throws.js></script>',
  '/throws.js': 'throw new Error("on purpose");',
  '/missing': '<img src=/nowhere.png alt=nothing>',
  '/forbidden': '<img src="http://example.org/a.png" alt=nothing>',
  '/elsewhere': '<img src="http://example.org/a.png" alt=nothing>',
  '/pale': '<html lang=en><title>t</title><main><h1 style="color:#ddd">Pale</h1></main>',
  '/unnamed': '<html lang=en><title>t</title><main><h1>t</h1><input></main>',
};

const server = http.createServer((request, response) => {
  const page = PAGES[request.url];
  const type = request.url.endsWith('.js') ? 'text/javascript' : 'text/html';
  const headers = { 'Content-Type': type };
  if (request.url !== '/elsewhere') headers['Content-Security-Policy'] = POLICY;
  response.writeHead(page ? 200 : 404, headers).end(page ?? '');
});

before(() => new Promise((resolve) => {
  server.listen(0, '127.0.0.1', resolve);
}));
after(() => {
  server.closeAllConnections();
  server.close();
});

const address = () => `127.0.0.1:${server.address().port}`;

/** Opens a page on which a visit must notice this, each by its first words, and nothing else. */
function check(page, expected) {
  test(`a visit to ${page} notices: ${expected.join(', ') || 'nothing'}`, async () => {
    let seen;
    const attempt = visiting({ address: address() }, async (visit) => {
      await visit.open(page);
      await visit.page.title();
      seen = visit.complaints;
    });
    if (expected.length === 0) return attempt;
    await assert.rejects(attempt, /the browser complains/);
    assert.strictEqual(seen.length, expected.length, seen.join('\n'));
    for (const [at, words] of expected.entries()) assert.ok(seen[at].startsWith(words), seen[at]);
  });
}

check('/good', []);
check('/inline', ['console: Executing inline script violates']);
check('/throws', ['exception: Error: on purpose']);
check('/missing', ['status 404: ']);
check('/forbidden', [
  "console: Loading the image 'http://example.org/a.png' violates",
  'another origin: http://example.org',
  'failed: http://example.org/a.png: csp',
]);
check('/elsewhere', ['another origin: http://example.org', 'failed: http://example.org']);

/** Opens a page of which axe must say this. */
function checkFindings(page, expected) {
  test(`axe finds on ${page}: ${expected || 'nothing'}`, async () => {
    await visiting({ address: address(), bypassesPolicy: true }, async (visit) => {
      await visit.open(page);
      const findings = await graveFindings(visit);
      assert.deepStrictEqual(findings.map((it) => it.split(':')[1].trim()), expected);
    });
  });
}

checkFindings('/good', []);
checkFindings('/pale', ['color-contrast']);
checkFindings('/unnamed', ['label']);
