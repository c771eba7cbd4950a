// The load generator: a process of its own, on a core of its own. It is told what to do over its parent's channel and
// says how long it took, and how busy it was itself: below a full core it was not what held things up.
import { kith } from './kith.ts';
import { mqtt } from './mqtt.ts';
import { stampMessages, type Protocol, type Speaker } from './speaker.ts';
import type { Devices, Result, Task } from './tasks.ts';
import { xmpp } from './xmpp.ts';

const TICK = 1;
const protocols: Record<string, Protocol> = { kith, mqtt, xmpp };
const protocol = protocols[process.argv[2] ?? ''];
const ports = (process.argv[3] ?? '').split(',').map(Number);
if (!protocol || !ports[0])
	throw new Error('generator.ts PROTOCOL PORT[,PORT], with a channel to its parent');

interface Sender {
	readonly speaker: Speaker;
	readonly destinations: readonly string[];
	/** How many devices one message reaches, over all destinations. */
	next: number;
}

const speakers = new Map<number, Speaker>();
let senders: Sender[] = [];

function fatal(why: string): void {
	if (!process.connected) return; // the first failure brings others
	process.send?.({ failed: why });
	process.disconnect();
}

function speakerOf(identity: number): Speaker {
	const known = speakers.get(identity);
	if (known) return known;
	const made = protocol!.speaker(identity);
	made.onFailure = (why) => fatal(`device ${identity}: ${why}`);
	speakers.set(identity, made);
	return made;
}

const rangeOf = ({ from, count }: Devices) =>
	Array.from({ length: count }, (_, index) => speakerOf(from + index));

/** A thousand numbers on, a device is at the next server: so pairs that are a thousand apart never share one. */
const portOf = (identity: number) =>
	ports[
		(identity + Math.floor(identity / 1000) * (1 + ports.length - (1000 % ports.length))) %
			ports.length
	] ?? 0;

async function connect(devices: readonly Speaker[], atOnce: number): Promise<void> {
	let next = 0;
	const lane = async () => {
		for (let device = devices[next++]; device; device = devices[next++])
			await device.login(portOf(device.identity));
	};
	await Promise.all(Array.from({ length: Math.min(atOnce, devices.length) }, lane));
}

async function introduce(task: Extract<Task, { do: 'introduce' }>): Promise<void> {
	const from = rangeOf(task.senders);
	const to = rangeOf(task.receivers);
	senders = await Promise.all(
		from.map(async (speaker, index) => {
			const own = from.length === 1 ? to : to.slice(index, index + 1);
			const destinations = await protocol!.introduce(speaker, own, task.together);
			return { speaker, destinations, next: 0 };
		}),
	);
}

function submitNext(sender: Sender): void {
	const { destinations } = sender;
	sender.speaker.submit(destinations[sender.next++ % destinations.length] ?? '');
}

/** Keeps every sender's window full until `enough` says so; resolves when that sender's last answer came. */
async function keepFull(window: number, enough: (sender: Sender) => boolean): Promise<void> {
	await Promise.all(
		senders.map(
			(sender) =>
				new Promise<void>((resolve) => {
					const { speaker } = sender;
					const fill = () => {
						while (speaker.submitted - speaker.answered < window && !enough(sender))
							submitNext(sender);
						if (speaker.submitted === speaker.answered && enough(sender)) resolve();
					};
					speaker.onProgress = fill;
					fill();
					speaker.flush();
				}),
		),
	);
	for (const { speaker } of senders) speaker.onProgress = () => undefined;
}

async function pace(perSecond: number, seconds: number): Promise<void> {
	const began = performance.now();
	const total = perSecond * seconds;
	stampMessages(true);
	for (let sent = 0; sent < total;) {
		await new Promise((resolve) => setTimeout(resolve, TICK));
		const due = Math.min(total, ((performance.now() - began) / 1000) * perSecond);
		for (; sent < due; sent++) {
			const sender = senders[sent % senders.length];
			if (!sender) throw new Error('nobody was introduced');
			submitNext(sender);
			sender.speaker.flush();
		}
	}
	await keepFull(0, () => true);
	stampMessages(false);
}

async function fetch(task: Extract<Task, { do: 'fetch' }>): Promise<void> {
	const devices = rangeOf(task);
	const fetched = devices.map(
		(device) =>
			new Promise<void>((resolve) => {
				const wanted = device.delivered + task.each;
				device.onProgress = () => {
					if (device.delivered >= wanted) resolve();
				};
			}),
	);
	await Promise.all([connect(devices, task.atOnce), ...fetched]);
	for (const device of devices) device.onProgress = () => undefined;
}

async function perform(task: Task): Promise<void> {
	switch (task.do) {
		case 'connect':
			return connect(rangeOf(task), task.atOnce);
		case 'disconnect':
			await Promise.all(rangeOf(task).map((device) => device.logout()));
			return;
		case 'introduce':
			return introduce(task);
		case 'flood': {
			const end = performance.now() + task.seconds * 1000;
			return keepFull(task.window, () => performance.now() >= end);
		}
		case 'pace':
			return pace(task.perSecond, task.seconds);
		case 'post': {
			const wanted = new Map(
				senders.map(({ speaker, destinations }) => [
					speaker,
					speaker.submitted + task.each * destinations.length,
				]),
			);
			return keepFull(
				task.window,
				({ speaker }) => speaker.submitted >= (wanted.get(speaker) ?? 0),
			);
		}
		case 'fetch':
			return fetch(task);
		case 'ping':
			for (const device of speakers.values()) device.ping();
			for (const device of speakers.values()) device.flush();
			return;
	}
}

const total = (count: (speaker: Speaker) => number) =>
	[...speakers.values()].reduce((sum, speaker) => sum + count(speaker), 0);

function percentile(sorted: readonly number[], share: number): number {
	return (sorted[Math.floor(sorted.length * share)] ?? 0) / 1000;
}

async function measured(task: Task): Promise<Result> {
	const ages: number[] = [];
	if (task.do === 'pace') for (const speaker of speakers.values()) speaker.ages = ages;
	const before = { answered: total((s) => s.answered), delivered: total((s) => s.delivered) };
	const began = performance.now();
	const cpu = process.cpuUsage();
	await perform(task);
	const ms = performance.now() - began;
	const { user, system } = process.cpuUsage(cpu);
	for (const speaker of speakers.values()) speaker.ages = undefined;
	ages.sort((a, b) => a - b);
	return {
		ms,
		answered: total((s) => s.answered) - before.answered,
		delivered: total((s) => s.delivered) - before.delivered,
		share: (user + system) / 1000 / ms,
		p50: percentile(ages, 0.5),
		p99: percentile(ages, 0.99),
	};
}

process.on('message', (task: Task) => {
	measured(task).then(
		(result) => process.send?.({ result }),
		(error: unknown) => fatal(String(error)),
	);
});
