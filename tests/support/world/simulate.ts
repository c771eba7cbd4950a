// npm run simulate -- --seeds N --from S [--towns] [--verbose]: runs a range of simulated worlds and prints the seeds that
// fail.
import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';
import { runTown } from './town-chaos.ts';

const { values } = parseArgs({
	options: {
		seeds: { type: 'string', default: '300' },
		from: { type: 'string', default: '1' },
		towns: { type: 'boolean', default: false },
		verbose: { type: 'boolean', default: false },
	},
});
const from = Number(values.from);
const seeds = Number(values.seeds);
if (!Number.isSafeInteger(from) || !Number.isSafeInteger(seeds) || seeds < 1) {
	console.error('Use: npm run simulate -- --seeds 300 --from 1');
	process.exit(2);
}

let failed = 0;
const run = values.towns ? runTown : runChaos;
const total: Record<string, number> = {};

function sum(counts: object, of = ''): void {
	for (const [what, count] of Object.entries(counts) as [string, number | object][]) {
		if (typeof count === 'object') sum(count, `${what} `);
		else total[of + what] = (total[of + what] ?? 0) + count;
	}
}

const began = performance.now();
for (let seed = from; seed < from + seeds; seed++) {
	try {
		const began = performance.now();
		const outcome = await run(seed);
		if (values.verbose) console.log(seed, ((performance.now() - began) / 1000).toFixed(1));
		sum(outcome.counts);
		if (outcome.complaints.length === 0) continue;
		failed++;
		if (values.verbose) console.log(outcome.notes.join('\n'));
		console.log(`seed ${seed} fails:\n  ${outcome.complaints.slice(0, 8).join('\n  ')}`);
	} catch (error) {
		failed++;
		console.log(`seed ${seed} throws: ${error instanceof Error ? error.stack : String(error)}`);
	}
}
const seconds = ((performance.now() - began) / 1000).toFixed(0);
const figures = Object.entries(total).map(([what, count]) => `${what} ${count}`);
console.log(`${seeds} worlds, ${failed} failed, ${seconds} s: ${figures.join(', ')}`);
process.exit(failed > 0 ? 1 : 0);
