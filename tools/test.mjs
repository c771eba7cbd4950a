// `npm test`: installs what the tests need, runs everything, and ends with one line that sums it up. Runs on Node 20.
import { installBrowsers, installPackages, installServers } from './install.mjs';

installPackages();
const browsers = installBrowsers();
installServers();
// Only now: these need what was just installed.
const { close, sum, verify, vitest } = await import('./verify.mjs');
const { playwright, webkit } = await import('./browsers.mjs');

const tallies = verify();
if (browsers.has('chromium')) tallies.push(vitest(['browser']));
tallies.push(playwright(['chromium', 'firefox'].filter((name) => browsers.has(name))));
if (browsers.has('webkit')) tallies.push(webkit());
const missing = ['chromium', 'firefox', 'webkit'].filter((name) => !browsers.has(name));
if (missing.length > 0) console.log(`\nNot here, so not tested: ${missing.join(', ')}`);
close(sum(tallies));
