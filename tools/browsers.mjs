// The browser suites: Chromium and Firefox through Playwright, WebKit through its own driver.
import { rmSync } from 'node:fs';
import { at, NODE, run } from './install.mjs';
import { tally } from './verify.mjs';

/** @param {string[]} projects @returns {import('./verify.mjs').Tally} */
export function playwright(projects) {
	if (projects.length === 0) return { passed: 0, failed: 0, skipped: 0 };
	const report = at('test-results/playwright.json');
	rmSync(report, { force: true });
	console.log(`\n— browsers: ${projects.join(', ')}`);
	const status = run(
		at('node_modules/.bin/playwright'),
		['test', ...projects.flatMap((project) => ['--project', project]), '--reporter=list,json'],
		{ PLAYWRIGHT_JSON_OUTPUT_NAME: report },
	);
	return tally(report, status, ({ stats }) => ({
		passed: stats.expected + stats.flaky,
		failed: stats.unexpected,
		skipped: stats.skipped,
	}));
}

/** @returns {import('./verify.mjs').Tally} */
export function webkit() {
	const report = at('test-results/webkit.json');
	rmSync(report, { force: true });
	console.log('\n— browsers: webkit');
	const status = run('xvfb-run', ['-a', NODE, 'tests/webkit/run.ts', report]);
	return tally(report, status, (counted) => counted);
}
