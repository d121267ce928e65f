// All tests of nsqadmin in a browser. `cargo xtask browser` starts the cluster and runs this.
'use strict';

const DEADLINE_MS = 15 * 60_000;

setTimeout(() => {
  console.error(`no end within ${DEADLINE_MS} ms`);
  process.exit(1);
}, DEADLINE_MS).unref();

require('./watchfulness');
require('./api');
