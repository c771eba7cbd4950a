// npm run soak:relay: what other people's siege costs two who talk, and whether the relay grows under it. Prints a
// Markdown table, a line a minute. MINUTES is how long it goes on; the first is quiet.
import { besiege, figures, openFiles, type Siege } from './siege.ts';

const MINUTES = Number(process.env.MINUTES ?? 30);
const MINUTE = 60_000;

const minute = () => new Promise((resolve) => setTimeout(resolve, MINUTE));
const at = (sorted: readonly number[], share: number) =>
	(sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(1);

async function line(siege: Siege, what: string): Promise<void> {
	const { relay, achieved } = siege;
	const waits = siege.waits();
	const connections = (await figures(relay))('connections');
	const cells = [
		...[what, at(waits, 0.5), at(waits, 0.99), (relay.residentBytes() / 1e6).toFixed(0)],
		...[openFiles(relay), connections, siege.lost()],
		...[achieved.mailboxes, achieved.refused, achieved.flooded, achieved.turnedAway],
		achieved.sentAway,
		...[achieved.closed, achieved.giants, achieved.reconnects],
	];
	console.log(`| ${cells.join(' | ')} |`);
}

const titles = [
	...['minute', 'p50 ms', 'p99 ms', 'memory MB', 'files', 'connections', 'lost'],
	...[
		'bots in',
		'bots refused',
		'flooded',
		'turned away',
		'sent away',
		'hung up on',
		'giants',
		'reconnects',
	],
];
console.log(`| ${titles.join(' | ')} |\n| ${titles.map(() => '---').join(' | ')} |`);
const siege = await besiege();
await minute();
await line(siege, 'quiet');
siege.begin({ count: 1_000_000, networks: 10 });
for (let passed = 1; passed < MINUTES; passed++) {
	await minute();
	await line(siege, String(passed));
}
await siege.end();
await siege.stop();
