// A test that hangs must not hold up the others.
'use strict';

const { test } = require('node:test');

const DEADLINE_MS = 120_000;

module.exports = (name, work) => test(name, { timeout: DEADLINE_MS }, work);
