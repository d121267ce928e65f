// All tests of nsqadmin in a browser. `cargo xtask browser` starts the cluster and runs this.
'use strict';

const fs = require('fs');
const path = require('path');

const DEADLINE_MS = 15 * 60_000;

setTimeout(() => {
  console.error(`no end within ${DEADLINE_MS} ms`);
  process.exit(1);
}, DEADLINE_MS).unref();

// Whatever is there is run: a list could forget one.
const suites = path.join(__dirname, 'suites');
for (const file of fs.readdirSync(suites).sort()) require(path.join(suites, file));
