// `npm run verify`: the quick gate, each step a child of its own. `npm test` runs it too, and then the browsers.
import { readFileSync, rmSync } from 'node:fs';
import { at, run } from './install.mjs';

/** Name, and what npm or the project's own tools run. */
const STEPS = /** @type {const} */ ([
	// First: it writes the catalogue of sentences and the types that the other steps read.
	['build', ['vite', 'build']],
	['types of the routes', ['svelte-kit', 'sync']],
	['format', ['prettier', '--check', '.']],
	['lint', ['eslint', '.']],
	['import rules', ['depcruise', 'src', 'server', 'tests', '--output-type', 'err']],
	['types', ['svelte-check', '--tsconfig', './tsconfig.json', '--output', 'human']],
	['types of the service worker', ['tsc', '--noEmit', '-p', 'src/service-worker']],
	['unused code', ['knip']],
	['rules of the specification', ['node', 'tools/spec-coverage.ts']],
	['size budget', ['size-limit']],
]);

/** @typedef {{ passed: number, failed: number, skipped: number }} Tally */

/** Runs a step; counts as one test. @param {readonly [string, readonly string[]]} step @returns {Tally} */
export function step([name, [command = '', ...parameters]]) {
	const began = Date.now();
	console.log(`\n— ${name}`);
	const ok = run(at(`node_modules/.bin/${command}`), [...parameters]) === 0;
	console.log(`${ok ? 'ok' : 'FAILED'}: ${name} (${Math.round((Date.now() - began) / 1000)} s)`);
	return { passed: Number(ok), failed: Number(!ok), skipped: 0 };
}

/** Vitest with its projects, counted from its own report. @param {string[]} projects @returns {Tally} */
export function vitest(projects) {
	const report = at(`test-results/vitest-${projects.join('-')}.json`);
	rmSync(report, { force: true });
	console.log(`\n— tests: ${projects.join(', ')}`);
	const status = run(at('node_modules/.bin/vitest'), [
		'run',
		...projects.flatMap((project) => ['--project', project]),
		'--reporter=default',
		'--reporter=json',
		`--outputFile.json=${report}`,
	]);
	return tally(report, status, (read) => ({
		passed: read.numPassedTests,
		failed: read.numFailedTests,
		skipped: read.numPendingTests,
	}));
}

/**
 * @param {string} report @param {number | null} status
 * @param {(read: any) => Tally} count
 * @returns {Tally}
 */
export function tally(report, status, count) {
	try {
		const counted = count(JSON.parse(readFileSync(report, 'utf8')));
		// A runner that fails without a failed test (a crash, a broken file) is a failure all the same.
		if (status !== 0 && counted.failed === 0) counted.failed = 1;
		return counted;
	} catch {
		return { passed: 0, failed: 1, skipped: 0 };
	}
}

/** @param {Tally[]} tallies @returns {Tally} */
export function sum(tallies) {
	const total = { passed: 0, failed: 0, skipped: 0 };
	for (const { passed, failed, skipped } of tallies) {
		total.passed += passed;
		total.failed += failed;
		total.skipped += skipped;
	}
	return total;
}

/** Everything but browsers. @returns {Tally[]} */
export function verify() {
	return [...STEPS.map(step), vitest(['node', 'lib'])];
}

/** @param {Tally} total */
export function close({ passed, failed, skipped }) {
	console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
	process.exit(failed > 0 ? 1 : 0);
}

if (process.argv[1] === at('tools/verify.mjs')) close(sum(verify()));
