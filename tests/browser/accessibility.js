// What axe finds wrong with a page for people with disabilities.
'use strict';

const fs = require('fs');

const GRAVE = ['serious', 'critical'];
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** The grave findings, one text each. The visit must have scripting and bypass the policy. */
async function graveFindings({ page }) {
  await page.addScriptTag({ content: axe });
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const grave = violations.filter(({ impact }) => GRAVE.includes(impact));
  return grave.map(({ id, impact, help, nodes }) => {
    const places = nodes.map(({ target, any }) => `${target.join(' ')} ${any[0]?.message ?? ''}`);
    return `${impact}: ${id}: ${help}\n  ${places.join('\n  ')}`;
  });
}

module.exports = { graveFindings };
