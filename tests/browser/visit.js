// A visit to a page, with an eye on everything that a browser complains of.
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { after } = require('node:test');
const { chromium } = require('playwright-core');

const { cluster } = require('./cluster');

const PROGRAM = '/usr/bin/chromium';
const DEADLINE_MS = 20_000;
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

/** What is awaited, or an error that says what hangs: not all of it has a deadline of its own. */
function within(what, work) {
  let timer;
  const deadline = new Promise((_, reject) => {
    const complain = () => reject(new Error(`not within ${DEADLINE_MS} ms: ${what}`));
    timer = setTimeout(complain, DEADLINE_MS);
  });
  return Promise.race([work, deadline]).finally(() => clearTimeout(timer));
}

let starting;

/** The one browser, started when it is first needed. */
function browser() {
  // As root there is no sandbox. Nothing but this machine may be reached.
  const isRoot = process.getuid() === 0;
  const args = ['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];
  if (isRoot) args.push('--no-sandbox');
  starting ??= chromium.launch({ executablePath: PROGRAM, args, chromiumSandbox: !isRoot });
  return starting;
}

after(async () => {
  if (starting) await (await starting).close();
});

/** A page that is open, and what was wrong with it so far. */
class Visit {
  constructor(page, origin, scripting) {
    this.page = page;
    this.scripting = scripting;
    this.origin = origin;
    /** Of what may be loaded. */
    this.origins = [origin];
    this.complaints = [];
    this.open = this.open.bind(this);
    /** Statuses of 400 and above that belong to this visit. */
    this.expected = [];
    this.listen();
  }

  listen() {
    const { page, complaints } = this;
    page.on('pageerror', (error) => complaints.push(`exception: ${error.stack ?? error}`));
    page.on('console', (message) => {
      // Answers with an error are looked at below, with their addresses.
      const isAnswer = message.text().startsWith('Failed to load resource:');
      const matters = ['error', 'warning'].includes(message.type());
      if (matters && !isAnswer) complaints.push(`console: ${message.text()}`);
    });
    page.on('request', (request) => {
      const { origin, protocol } = new URL(request.url());
      const isLocal = this.origins.includes(origin) || protocol === 'data:' || protocol === 'blob:';
      if (!isLocal) complaints.push(`another origin: ${request.url()}`);
    });
    page.on('requestfailed', (request) => {
      const reason = request.failure()?.errorText;
      // A page that is left leaves what it was loading, for example its stream of events. An error
      // without a body is judged by its status.
      const isNormal = ['net::ERR_ABORTED', 'net::ERR_HTTP_RESPONSE_CODE_FAILURE'];
      if (!isNormal.includes(reason)) complaints.push(`failed: ${request.url()}: ${reason}`);
    });
    page.on('response', (response) => {
      const status = response.status();
      const isWrong = status >= 400 && !this.expected.includes(status);
      if (isWrong) complaints.push(`status ${status}: ${response.url()}`);
    });
  }

  /** Goes to a path; resolves to the status. */
  async open(target) {
    const response = await this.page.goto(this.origin + target, { waitUntil: 'load' });
    return response.status();
  }

  /**
   * Presses a button that sends a form, and waits for the page that follows: Chromium does not
   * always close a window in order that is on its way to another page.
   */
  async send(button) {
    await Promise.all([this.page.waitForNavigation({ waitUntil: 'load' }), button.click()]);
  }

  /** A picture, where the documents' pictures or those of this run are. */
  async screenshot(name) {
    const directory = process.env.NSQ_TEST_SCREENSHOTS;
    fs.mkdirSync(directory, { recursive: true });
    const file = path.join(directory, `${name}.png`);
    await this.page.screenshot({ path: file, animations: 'disabled' });
  }

  assertContent() {
    assert.deepStrictEqual(this.complaints, [], 'the browser complains');
  }
}

/**
 * Opens a browser window, lets `work` do something with the visit, and fails if the browser had
 * anything to complain of. Options: `address`, `scripting`, `dark`, `phone`, `locale`, `headers`
 * (of every request) and `bypassesPolicy` (for code that judges pages, which the policy of the
 * pages would keep out).
 */
async function visiting(options, work) {
  const { address = cluster.admin, scripting = true, dark = false, phone = false } = options;
  const { locale = 'en-GB', headers = {}, bypassesPolicy = false } = options;
  const context = await within('a window', (await browser()).newContext({
    bypassCSP: bypassesPolicy,
    colorScheme: dark ? 'dark' : 'light',
    extraHTTPHeaders: headers,
    javaScriptEnabled: scripting,
    locale,
    reducedMotion: 'reduce',
    viewport: phone ? PHONE : DESKTOP,
  }));
  context.setDefaultTimeout(DEADLINE_MS);
  try {
    const page = await within('a page', context.newPage());
    const visit = new Visit(page, `http://${address}`, scripting);
    await work(visit);
    visit.assertContent();
  } catch (error) {
    // What is wrong with the closing after that matters less.
    within('closing', context.close()).catch(() => {});
    throw error;
  }
  await within('closing', context.close());
}

module.exports = { visiting };
