import { afterEach, expect, test } from 'vitest';
import type { DeviceId } from '../../protocol/ids.ts';
import type { PeerLinks } from '../ports.ts';
import { borrowPeerLinks, lendPeerLinks } from './peer-loan.ts';

const ANA = 'AAAAAAAAAAAAAAAAAAAAAA' as DeviceId;
const BEN = 'BBBBBBBBBBBBBBBBBBBBBA' as DeviceId;
const NOBODY = {
	signal: () => undefined,
	opened: () => undefined,
	received: () => undefined,
	closed: () => undefined,
};

let loan: MessageChannel;
afterEach(() => loan.port1.close());

/** A page whose code for WebRTC comes as `load` says, and the worker's end of the loan. */
function lend(load: (peers: PeerLinks) => Promise<PeerLinks>) {
	const asked: string[] = [];
	const page: PeerLinks = {
		start: (self) => void asked.push(`start ${self}`),
		connect: (device) => void asked.push(`connect ${device}`),
		receiveSignal: (from) => void asked.push(`signal ${from}`),
		stop: () => void asked.push('stop'),
	};
	loan = new MessageChannel();
	lendPeerLinks(loan.port1, () => load(page));
	return { asked, worker: borrowPeerLinks(loan.port2) };
}

test('code that could not be loaded is tried again by the next message, and starts as it was asked to', async () => {
	let attempts = 0;
	const { asked, worker } = lend((page) =>
		++attempts === 1 ? Promise.reject(new Error('no network')) : Promise.resolve(page),
	);
	worker.start(ANA, NOBODY, []);
	await expect.poll(() => attempts).toBe(1);
	worker.connect(BEN);
	await expect.poll(() => asked).toEqual([`start ${ANA}`, `connect ${BEN}`]);
	worker.receiveSignal(BEN, '{}');
	await expect.poll(() => asked.at(-1)).toBe(`signal ${BEN}`);
	expect(attempts).toBe(2);
});

test('what was asked for while the code was loaded comes to one start, as it was asked for last', async () => {
	let arrive: () => void = () => undefined;
	const arrived = new Promise<void>((resolve) => (arrive = resolve));
	const { asked, worker } = lend((page) => arrived.then(() => page));
	let told = 0;
	loan.port1.addEventListener('message', () => told++);
	worker.start(ANA, NOBODY, []);
	worker.stop();
	worker.start(BEN, NOBODY, []);
	worker.connect(ANA);
	await expect.poll(() => told).toBe(4);
	arrive();
	await expect.poll(() => asked.at(-1)).toBe(`connect ${ANA}`);
	worker.stop();
	await expect.poll(() => asked).toEqual([`start ${BEN}`, `connect ${ANA}`, 'stop']);
});
