// The wire between a page and its worker for files, over a real MessageChannel: the same answers as without it.
import { afterEach, expect, test } from 'vitest';
import { ManualClock } from '../../../tests/support/manual-clock.ts';
import { fakeFiles } from '../../../tests/support/fake-files.ts';
import { FilesInterrupted, type Files } from '../files.ts';
import type { ForeignChat } from '../foreign.ts';
import type { ConversationId } from '../model.ts';
import { connectFiles, serveFiles, type FilesPort } from './files-link.ts';

const MESSAGES = 5_001;
const text = Array.from(
	{ length: MESSAGES },
	(_, at) => `[21/03/2021, 14:05:${String(at % 60).padStart(2, '0')}] Maya: message ${at}`,
).join('\n');
const file = new File([text], 'WhatsApp Chat - Maya.txt');
const NOW = Date.UTC(2026, 10, 23);
const code = { kind: 'code', code: 'any' } as const;
const unheard = (): void => undefined;
const here = 'AAAAAAAAAAAAAAAAAAAAAA' as ConversationId;
const ports: MessagePort[] = [];

afterEach(() => {
	for (const port of ports.splice(0)) port.close();
});

/** A page whose workers do `files`; `kill` takes the present one away, as a browser does. */
function page(files: Partial<Files> = {}) {
	const clock = new ManualClock(NOW);
	const workers = { started: 0, ended: 0, kill: (): void => undefined };
	/** What the page sends. */
	const sent: unknown[] = [];
	const real = fakeFiles(() => NOW);
	const connected = connectFiles(() => {
		workers.started++;
		const { port1, port2 } = new MessageChannel();
		ports.push(port1, port2);
		serveFiles(port2, { ...real, ...files });
		const port: FilesPort = {
			postMessage: (message, transfer) => {
				sent.push(message);
				port1.postMessage(message, transfer);
			},
			get onmessage() {
				return port1.onmessage as FilesPort['onmessage'];
			},
			set onmessage(listener) {
				port1.onmessage = listener;
			},
		};
		const gone = new Promise<void>((resolve) => {
			workers.kill = () => {
				port2.close();
				resolve();
			};
		});
		return { port, gone, end: () => workers.ended++ };
	}, clock);
	return { files: connected, workers, clock, sent, real };
}

async function* pieces(count: number, ended: () => void) {
	try {
		for (let at = 0; at < count; at++) yield Uint8Array.of(at);
	} finally {
		ended();
	}
	await Promise.resolve();
}

async function read(files: Pick<Files, 'readChat'>): Promise<ForeignChat> {
	const outcome = await files.readChat(file, {});
	if (!outcome.ok) throw new Error(outcome.error.kind);
	return outcome.value;
}

test('a chat that crosses in slices is the same, and goes back as a word', async () => {
	const given: unknown[] = [];
	const { files, real, sent } = page({
		importChat(chat, choice, progress) {
			given.push(chat, choice);
			progress?.(1, 2);
			return Promise.resolve({
				ok: true,
				value: { conversation: here, added: chat.messages.length, known: 0 },
			});
		},
	});
	const chat = await read(files);
	const direct = await real.readChat(file, {});
	expect(direct).toEqual({ ok: true, value: chat });
	expect(chat.messages).toHaveLength(MESSAGES);

	const steps: number[][] = [];
	const choice = { title: 'Maya', people: ['me'] as const };
	const outcome = await files.importChat(chat, choice, (...at) => steps.push(at));
	expect(outcome).toMatchObject({ ok: true, value: { added: MESSAGES } });
	expect(given).toEqual([chat, choice]);
	expect(steps).toEqual([[1, 2]]);
	expect(JSON.stringify(sent.at(-1)).length).toBeLessThan(500);

	// One that the worker does not hold is brought along.
	await files.importChat({ ...chat, messages: chat.messages.slice(0, 7) }, choice);
	expect(given.at(-2)).toMatchObject({ messages: { length: 7 } });
});

test('what cannot be read is a value, and nothing is held', async () => {
	const { files } = page();
	expect(await files.readChat(new File(['Dear diary'], 'a.txt'), {})).toEqual({
		ok: false,
		error: { kind: 'not-a-chat' },
	});
	expect(await files.archiveLock(new Blob(['no']))).toEqual({
		ok: false,
		error: 'not-an-archive',
	});
	expect(await files.writeArchive({ kind: 'code', code: files.newRecoveryCode() }, () => 0)).toBe(
		undefined,
	);
});

test('pieces come in order, and when nobody wants more the source ends', async () => {
	let ended = 0;
	const { files } = page({
		writeArchive: () => Promise.resolve(pieces(5, () => ended++)),
	});
	const all: number[] = [];
	for await (const piece of (await files.writeArchive(code, unheard)) ?? []) all.push(...piece);
	expect(all).toEqual([0, 1, 2, 3, 4]);
	expect(ended).toBe(1);
	for await (const piece of (await files.writeArchive(code, unheard)) ?? []) {
		expect(piece).toEqual(Uint8Array.of(0));
		break;
	}
	expect(ended).toBe(2);
});

test('a bug in the worker is a bug here', async () => {
	const { files } = page({ forgetImported: () => Promise.reject(new RangeError('a bug')) });
	await expect(files.forgetImported(here)).rejects.toThrow('a bug');
});

test('a worker that goes away is told to all who wait, and the next call starts another', async () => {
	const stuck = new Promise<never>(() => undefined);
	const { files, workers } = page({
		forgetImported: () => stuck,
		writeArchive: () => Promise.resolve(pieces(5, () => undefined)),
	});
	const chat = await read(files);
	const stream = (await files.writeArchive(code, unheard))?.[Symbol.asyncIterator]();
	await stream?.next();
	const waits = files.forgetImported(here);
	workers.kill();
	await expect(waits).rejects.toThrow(FilesInterrupted);
	await expect(stream?.next()).rejects.toThrow(FilesInterrupted);
	expect(workers).toMatchObject({ started: 1, ended: 1 });
	// The new one holds no chat: it is brought along again.
	await expect(files.importChat(chat, { title: '', people: [] })).rejects.toThrow('start first');
	expect(workers.started).toBe(2);
});

test('a worker that nobody needs ends after a while, and not before', async () => {
	const { files, workers, clock } = page({
		writeArchive: () => Promise.resolve(pieces(2, () => undefined)),
	});
	await files.archiveLock(file);
	const stream = (await files.writeArchive(code, unheard))?.[Symbol.asyncIterator]();
	clock.advance(200_000);
	expect(workers.ended).toBe(0);
	await stream?.next();
	await stream?.return?.(undefined);
	clock.advance(200_000);
	expect(workers).toMatchObject({ started: 1, ended: 1 });
	await files.archiveLock(file);
	expect(workers.started).toBe(2);
});
