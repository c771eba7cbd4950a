// What senders notice of an upgrade: `npm run bench:upgrade`. Each sends one message after the other to somebody who is
// away; the longest that one of them waited for an answer while the upgrade ran is that sender's pause.
import { cpus } from 'node:os';
import { Reconnecting } from '../support/reconnecting.ts';
import { newDeviceKeys } from '../support/relay-client.ts';
import { relayCommand } from '../support/relay-command.ts';
import { NO_LIMITS, RelayProcess } from '../support/relay-process.ts';

const SENDERS = Number(process.env.SENDERS ?? 200);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
/** Between two messages of one sender, ms: people, not a flood. */
const REST = 100;

const rest = () => new Promise<void>((resolve) => setTimeout(resolve, REST));
const at = (sorted: readonly number[], share: number) =>
	Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);

const relay = await RelayProcess.start({
	KITH_LIMITS: NO_LIMITS,
	KITH_MAILBOX_MESSAGES: '1000000',
});
let serving = relay.pid;
const person = async () => new Reconnecting(relay.socketUrl, await newDeviceKeys());
const away = await person();
const address = [await (await away.connected()).putAddress()];
const senders = [];
for (let count = 0; count < SENDERS; count++) {
	const sender = await person();
	const channel = await (await sender.connected()).found(address);
	senders.push({ submit: () => sender.submit(channel) });
}
await away.close();

async function longest(submit: () => Promise<number>, isOver: () => boolean): Promise<number> {
	let most = 0;
	while (!isOver()) {
		most = Math.max(most, await submit());
		await rest();
	}
	return most;
}

const pauses: number[] = [];
const quiet: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
	for (const sender of senders.slice(0, 20)) quiet.push(await sender.submit());
	let over = false;
	const running = senders.map(({ submit }) => longest(submit, () => over));
	const { said, code } = await relayCommand(['upgrade'], { KITH_DATA: relay.dataDirectory });
	if (code !== 0) throw new Error(said);
	serving = Number(/Process (\d+)/.exec(said)?.[1]);
	await rest();
	over = true;
	pauses.push(...(await Promise.all(running)));
}
const [paused, calm] = [pauses, quiet].map((values) => values.sort((a, b) => a - b)) as [
	number[],
	number[],
];
console.log(
	`${cpus().length} cores, shared with the senders; ${SENDERS} senders, ${ROUNDS} upgrades`,
);
console.log(`answer without one:  p50 ${at(calm, 0.5)} ms, p99 ${at(calm, 0.99)} ms`);
console.log(
	`pause of a sender:   p50 ${at(paused, 0.5)} ms, p99 ${at(paused, 0.99)} ms, longest ${at(paused, 1)} ms`,
);
process.kill(serving, 'SIGTERM');
await relay.stop();
process.exit(0);
