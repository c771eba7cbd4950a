// What the relay holds, says and carries, and what lies in a person's browser: none of it can be read. Each search is
// first shown to find what is rightly there.
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, test, type Person } from './fixtures.ts';

/** Words that occur nowhere but in this conversation. */
const SAID = {
	live: 'zanzibarquartz one',
	link: 'https://zanzibarquartz.example/path?key=hush',
	queued: 'zanzibarquartz waits at the relay',
	unsent: 'zanzibarquartz never left',
	draft: 'zanzibarquartz half a thought',
};
/** In each of these texts and names there is one of them. */
const WORDS = ['zanzibarquartz', 'key=hush', 'Lindqvist', 'Ben Okafor'];

test('no text, name, picture or link secret with the relay, on the wire or at rest', async ({
	newPerson,
	relay,
}) => {
	test.slow();
	const ana = await newPerson();
	const ben = await newPerson();
	await keepPictures(ben);
	await ana.start('Ana Lindqvist');
	await ana.neverDirect();
	await choosePicture(ana);
	await ana.visit('/');
	const link = await ana.link();
	await ben.visit(link);
	await ben.page.getByRole('textbox', { name: 'Your name' }).fill('Ben Okafor');
	await ben.send(SAID.live);
	await ana.open('Ben Okafor');
	await ben.send(SAID.link);
	await expect(ana.message(SAID.link)).toBeVisible();
	const picture = await pictureOf(ben);
	await ana.page.goto('about:blank');
	await ben.send(SAID.queued);
	await expect(ben.message(SAID.queued, 'Sent')).toBeVisible();
	ben.gate.shut();
	await ben.send(SAID.unsent);
	await ben.composer.fill(SAID.draft);
	await expect.poll(async () => (await storageOf(ben.page)).drafts).toBe(1);

	const secret = new URL(link).hash.slice(1);
	const hidden = [
		...WORDS.flatMap(spellings),
		...binarySpellings('link secret', Buffer.from(secret, 'base64url')),
		...binarySpellings('picture', picture),
	];
	const address = await addressOf(secret);
	const known = binarySpellings('address of the link', address);
	const conversation = spellings(new URL(ben.page.url()).pathname.replace('/c/', ''));
	const origin = spellings(relay.origin);

	const stored = await storageOf(ben.page);
	const places: readonly Place[] = [
		{ name: 'the data directory', bytes: everythingIn(relay.dataDirectory), holds: known },
		{ name: 'the output', bytes: Buffer.from(relay.output), holds: origin },
		{ name: 'the traffic of Ana', bytes: ana.gate.traffic(), holds: known },
		{ name: 'the traffic of Ben', bytes: ben.gate.traffic(), holds: known },
		{ name: 'the storage of Ben', bytes: Buffer.from(stored.all, 'latin1'), holds: conversation },
		// Only Linux lets a parent read it.
		...(process.platform === 'linux'
			? [{ name: 'the memory of the relay', bytes: memoryOf(relay.pid), holds: known }]
			: []),
	];
	for (const { name, bytes, holds } of places) {
		expect(found(bytes, holds), `${name}: what is rightly there is found`).not.toEqual([]);
		expect(found(bytes, hidden), name).toEqual([]);
	}
	// Compressed frames would hide what they carry from the search.
	for (const person of [ana, ben]) {
		const heads = person.gate
			.traffic()
			.toString('latin1')
			.match(/HTTP\/1\.1 101[^]*?\r\n\r\n/g);
		expect(heads).not.toBeNull();
		for (const head of heads ?? []) expect(head).not.toMatch(/sec-websocket-extensions/i);
	}
	expect(stored.exportableKeys).toBe(0);
	expect(stored.keys).toBeGreaterThan(0);
});

test('the search finds every spelling of what it looks for', () => {
	const noise = Buffer.alloc(4096, 0xa5);
	const bytes = Buffer.from('Ana Lindqvist');
	for (const shift of [0, 1, 2]) {
		const text = Buffer.concat([Buffer.alloc(shift, 1), bytes, Buffer.from('?')]);
		const written = [
			...[text, Buffer.from(text.toString('base64')), Buffer.from(text.toString('base64url'))],
			...[Buffer.from(text.toString('hex')), Buffer.from(text.toString('hex').toUpperCase())],
		];
		for (const each of written) {
			const haystack = Buffer.concat([noise, each, noise]);
			expect(found(haystack, spellings('Ana Lindqvist'))).not.toEqual([]);
			expect(found(haystack, binarySpellings('name', bytes))).not.toEqual([]);
			expect(found(haystack, spellings('Eva Okafor'))).toEqual([]);
		}
	}
	const wide = Buffer.from('Ana Lindqvist', 'utf16le');
	expect(found(wide, spellings('Ana Lindqvist'))).toEqual(['Ana Lindqvist, utf-16le']);
	expect(found(Buffer.from(wide).swap16(), spellings('Ana Lindqvist'))).not.toEqual([]);
	expect(found(Buffer.from('/Ana%20Lindqvist/'), spellings('Ana Lindqvist'))).not.toEqual([]);
});

interface Place {
	readonly name: string;
	readonly bytes: Buffer;
	/** One of these must be there. */
	readonly holds: readonly Needle[];
}

interface Needle {
	readonly what: string;
	readonly bytes: Buffer;
}

function found(bytes: Buffer, needles: readonly Needle[]): string[] {
	return needles.filter((needle) => bytes.includes(needle.bytes)).map(({ what }) => what);
}

/** A text in every way in which it could be written down. */
function spellings(text: string): Needle[] {
	const wide = Buffer.from(text, 'utf16le');
	return [
		...encodings(text, Buffer.from(text)),
		{ what: `${text}, utf-16le`, bytes: wide },
		{ what: `${text}, utf-16be`, bytes: Buffer.from(wide).swap16() },
		{ what: `${text}, percent-encoded`, bytes: Buffer.from(encodeURIComponent(text)) },
	];
}

/** Bytes whole and in pieces of 12: a part of a secret is as bad as all of it. */
function binarySpellings(what: string, bytes: Buffer): Needle[] {
	const pieces = Array.from({ length: Math.min(2, Math.floor(bytes.length / 12)) }, (_, at) =>
		bytes.subarray(at * 12, at * 12 + 12),
	);
	// A run of one value occurs anywhere.
	return pieces
		.filter((piece) => new Set(piece).size > 6)
		.flatMap((piece, at) => encodings(`${what}, piece ${at}`, piece));
}

/** As it is, in hexadecimal, and in base64 at each of the three places where a text can begin. */
function encodings(what: string, bytes: Buffer): Needle[] {
	const needles = [
		{ what, bytes },
		{ what: `${what}, hex`, bytes: Buffer.from(bytes.toString('hex')) },
		{ what: `${what}, HEX`, bytes: Buffer.from(bytes.toString('hex').toUpperCase()) },
	];
	for (const shift of [0, 1, 2]) {
		// Only the letters that this text alone decides, not those that it shares with its neighbours.
		const whole = bytes.subarray((3 - shift) % 3);
		const letters = whole.subarray(0, whole.length - (whole.length % 3));
		const spelled = new Set([letters.toString('base64'), letters.toString('base64url')]);
		for (const each of spelled)
			needles.push({ what: `${what}, base64 at ${shift}`, bytes: Buffer.from(each) });
	}
	return needles;
}

/** The address that a link's secret leads to (SPEC AD-5), worked out apart from the app. */
async function addressOf(secret: string): Promise<Buffer> {
	const bytes = Buffer.from(secret, 'base64url');
	const key = await crypto.subtle.importKey('raw', bytes, 'HKDF', false, ['deriveBits']);
	const info = Buffer.from('kith link address');
	const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: Buffer.alloc(0), info };
	return Buffer.from(await crypto.subtle.deriveBits(hkdf, key, 128));
}

async function choosePicture(person: Person): Promise<void> {
	await person.visit('/settings/profile');
	const drawn = await person.page.evaluate(() => {
		const canvas = document.createElement('canvas');
		canvas.width = canvas.height = 64;
		const context = canvas.getContext('2d');
		for (let at = 0; context && at < 64 * 64; at++) {
			context.fillStyle = `rgb(${(at * 37) % 256} ${(at * 91) % 256} ${(at * 53) % 256})`;
			context.fillRect(at % 64, at >> 6, 1, 1);
		}
		return canvas.toDataURL('image/png').replace(/^.*,/, '');
	});
	const file = { name: 'me.png', mimeType: 'image/png', buffer: Buffer.from(drawn, 'base64') };
	await person.page.locator('input[type="file"]').setInputFiles(file);
	await expect(person.page.getByRole('button', { name: 'Remove picture' })).toBeVisible();
}

/** Keeps what the pages of a person turn into addresses of pictures, so that the bytes can be had back. */
async function keepPictures({ context }: Person): Promise<void> {
	await context.addInitScript(() => {
		const blobs = new Map<string, Blob | MediaSource>();
		const create = URL.createObjectURL.bind(URL);
		URL.createObjectURL = (blob) => {
			const url = create(blob);
			blobs.set(url, blob);
			return url;
		};
		Object.assign(globalThis, { blobs });
	});
}

/** The bytes of the picture of whom the open conversation is with, as they travelled. */
async function pictureOf({ page }: Person): Promise<Buffer> {
	const image = page.getByRole('navigation').locator('img[src^="blob:"]').first();
	await expect(image).toBeVisible();
	const bytes = await image.evaluate(async (node: HTMLImageElement) => {
		const { blobs } = globalThis as unknown as { blobs: Map<string, Blob> };
		return Array.from(new Uint8Array((await blobs.get(node.src)?.arrayBuffer()) ?? []));
	});
	expect(bytes.length).toBeGreaterThan(500);
	return Buffer.from(bytes);
}

function everythingIn(directory: string): Buffer {
	const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
		.map((name) => join(directory, name))
		.filter((path) => statSync(path).isFile());
	return Buffer.concat(files.map((path) => readFileSync(path)));
}

/** What a process has in its writable memory (Linux), without the pages that it reserved and never touched. */
function memoryOf(pid: number): Buffer {
	const memory = openSync(`/proc/${pid}/mem`, 'r');
	const untouched = Buffer.alloc(64 * 1024);
	const kept: Buffer[] = [];
	for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
		const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
		if (from === undefined || to === undefined || line.includes('[v')) continue;
		for (let at = parseInt(from, 16); at < parseInt(to, 16); at += untouched.length) {
			const chunk = Buffer.alloc(Math.min(untouched.length, parseInt(to, 16) - at));
			try {
				readSync(memory, chunk, { position: at });
			} catch {
				continue; // given back to the system meanwhile
			}
			if (!chunk.equals(untouched.subarray(0, chunk.length))) kept.push(chunk);
		}
	}
	closeSync(memory);
	return Buffer.concat(kept);
}

interface Stored {
	/** Every row of every store, with bytes spelled as characters, and everything else that a page can keep. */
	readonly all: string;
	readonly drafts: number;
	/** Key handles in the database, and those of them whose bytes a script could have. */
	readonly keys: number;
	readonly exportableKeys: number;
}

function storageOf(page: Page): Promise<Stored> {
	return page.evaluate(async () => {
		const done = <Value>(request: IDBRequest<Value>) =>
			new Promise<Value>((resolve, reject) => {
				request.onsuccess = () => resolve(request.result);
				request.onerror = () => reject(request.error ?? new Error('no answer'));
			});
		const keys: CryptoKey[] = [];
		const spell = (value: unknown): string => {
			if (value instanceof ArrayBuffer) return spell(new Uint8Array(value));
			if (value instanceof CryptoKey) keys.push(value);
			if (value instanceof Uint8Array)
				return Array.from(value, (byte) => String.fromCharCode(byte)).join('');
			if (typeof value !== 'object' || value === null) return String(value);
			return Object.entries(value)
				.map(([name, inner]) => `${name}: ${spell(inner)}`)
				.join('\n');
		};
		let all =
			spell(Object.entries(localStorage)) + spell(Object.entries(sessionStorage)) + document.cookie;
		let drafts = 0;
		for (const { name } of await indexedDB.databases()) {
			if (name === undefined) continue;
			const database = await done(indexedDB.open(name));
			for (const store of database.objectStoreNames) {
				const rows = database.transaction(store).objectStore(store);
				const [ids, values] = await Promise.all([done(rows.getAllKeys()), done(rows.getAll())]);
				all += spell([store, ids, values]);
				if (store === 'drafts') drafts = ids.length;
			}
			database.close();
		}
		for (const cache of await caches.keys())
			for (const { url } of await (await caches.open(cache)).keys()) all += `${url}\n`;
		return {
			all,
			drafts,
			keys: keys.length,
			exportableKeys: keys.filter(({ type, extractable }) => type !== 'public' && extractable)
				.length,
		};
	});
}
