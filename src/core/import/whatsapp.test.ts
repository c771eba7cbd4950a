import { describe, expect, test } from 'vitest';
import { deflateRawSync } from 'node:zlib';
import type { ForeignChat } from '../model.ts';
import { readWhatsApp } from './whatsapp.ts';

const NOW = Date.UTC(2026, 10, 23);
const utc = (...at: [number, number, number, number, number, number?]) =>
	Date.UTC(at[0], at[1] - 1, at[2], at[3], at[4], at[5] ?? 0);

function fileOf(
	text: string | Uint8Array<ArrayBuffer>,
	name = '_chat.txt',
): Blob & { name: string } {
	return Object.assign(new Blob([text]), { name });
}

async function read(
	text: string,
	order?: 'day-month-year' | 'month-day-year',
): Promise<ForeignChat> {
	const outcome = await readWhatsApp(fileOf(text), { now: NOW, order });
	if (!outcome.ok) throw new Error(JSON.stringify(outcome.error));
	return outcome.value;
}

const plain = (chat: ForeignChat) =>
	chat.messages.map(({ author, wall, body }) => [
		author === undefined ? undefined : chat.participants[author]?.name,
		wall,
		body.kind === 'text' ? body.text : body.what,
	]);

describe('how phones write the beginning of a message', () => {
	const at = utc(2021, 3, 21, 14, 5);
	const precise = utc(2021, 3, 21, 14, 5, 33);
	test.each([
		['iOS, day first', '[21/03/21, 14:05:33] Maya: hi', precise],
		['iOS with marks', '\u200e[21/03/2021, 14:05:33] Maya: \u200ehi://', precise],
		['iOS, 12 h, narrow no-break space', '[3/21/21, 2:05:33\u202fPM] Maya: hi', precise],
		['iOS, German', '[21.03.21, 14:05:33] Maya: hi', precise],
		['iOS, ISO-like', '[2021-03-21, 14:05:33] Maya: hi', precise],
		['Android', '21/03/2021, 14:05 - Maya: hi', at],
		['Android, US', '3/21/21, 2:05 PM - Maya: hi', at],
		['Android, US, narrow no-break space', '3/21/21, 2:05\u202fpm - Maya: hi', at],
		['Android, German', '21.03.21, 14:05 - Maya: hi', at],
		['Android, Spanish', '21/3/2021 14:05 - Maya: hi', at],
		['Android, Spanish, 12 h', '21/3/2021, 2:05 p. m. - Maya: hi', at],
		['Android, French', '21/03/2021 à 14:05 - Maya: hi', at],
		['Android, Finnish', '21.3.2021 klo 14.05 - Maya: hi', at],
		['Android, Dutch', '21-03-2021 14:05 - Maya: hi', at],
		['Android, Czech', '21. 3. 2021, 14:05 - Maya: hi', at],
		['Android, Japanese', '2021/03/21 14:05 - Maya: hi', at],
		['Android, Chinese', '2021/3/21 下午2:05 - Maya: hi', at],
		['Android, Korean', '2021. 3. 21. 오후 2:05 - Maya: hi', at],
		['Arabic digits', '٢١‏/٣‏/٢٠٢١، ٢:٠٥ م - Maya: hi', at],
		['iOS, Arabic digits', '[٢١‏/٣‏/٢٠٢١، ١٤:٠٥:٣٣] Maya: hi', precise],
		['Persian digits', '۲۰۲۱/۳/۲۱،‏ ۱۴:۰۵ - Maya: hi', at],
		['Thai years', '21/3/2564 14:05 - Maya: hi', at],
	])('%s', async (_name, line, expected) => {
		const chat = await read(line);
		expect(chat.problems).toEqual([]);
		expect(chat.participants.map(({ name }) => name)).toEqual(['Maya']);
		expect(chat.messages[0]?.wall).toBe(expected);
	});

	test('noon and midnight by the 12 h clock', async () => {
		const chat = await read('1/13/21, 12:05 AM - A: x\n1/13/21, 12:05 PM - A: y');
		expect(chat.messages.map(({ wall }) => wall)).toEqual([
			utc(2021, 1, 13, 0, 5),
			utc(2021, 1, 13, 12, 5),
		]);
	});
});

describe('which number is the day', () => {
	test('one date above 12 decides for the whole file', async () => {
		const dayFirst = await read('03/04/21, 10:00 - A: x\n21/04/21, 10:00 - A: y');
		expect(dayFirst.dates).toMatchObject({ order: 'day-month-year', certain: true });
		expect(dayFirst.messages[0]?.wall).toBe(utc(2021, 4, 3, 10, 0));
		const monthFirst = await read('03/04/21, 10:00 - A: x\n03/21/21, 10:00 - A: y');
		expect(monthFirst.messages[0]?.wall).toBe(utc(2021, 3, 4, 10, 0));
	});

	test('else time that goes forward decides', async () => {
		const chat = await read(
			'01/02/21, 10:00 - A: x\n02/01/21, 10:00 - A: y\n03/02/21, 10:00 - A: z',
		);
		expect(chat.dates).toMatchObject({ order: 'month-day-year', certain: true });
	});

	test('nothing was written tomorrow', async () => {
		const chat = await read('11/12/26, 10:00 - A: x');
		expect(chat.dates).toMatchObject({ order: 'month-day-year', certain: true });
		expect(chat.messages[0]?.wall).toBe(utc(2026, 11, 12, 10, 0));
	});

	test('what fits both is asked, and the answer is used', async () => {
		const text = '03/04/21, 10:00 - A: x\n03/05/21, 10:00 - A: y';
		const chat = await read(text);
		expect(chat.dates).toMatchObject({ certain: false, example: '03/04/21' });
		const asked = await read(text, 'month-day-year');
		expect(asked.messages[0]?.wall).toBe(utc(2021, 3, 4, 10, 0));
		const other = await read(text, 'day-month-year');
		expect(other.messages[0]?.wall).toBe(utc(2021, 4, 3, 10, 0));
	});

	test('days that are the same either way need no question', async () => {
		expect((await read('05/05/21, 10:00 - A: x')).dates.certain).toBe(true);
	});

	test('years of two digits may come first', async () => {
		const chat = await read('21/03/05, 10:00 - A: x\n21/03/07, 10:00 - A: y');
		expect(chat.dates).toMatchObject({ order: 'year-month-day', certain: true });
		expect(chat.messages[0]?.wall).toBe(utc(2021, 3, 5, 10, 0));
	});

	test('dots mean that the day is first', async () => {
		const chat = await read('03.04.21, 10:00 - A: x');
		expect(chat.dates).toMatchObject({ order: 'day-month-year', certain: true });
	});
});

describe('what stands in a message', () => {
	test('several lines, also empty ones, and lines of Windows', async () => {
		const chat = await read(
			'21/03/21, 14:05 - Maya: one\r\n\r\ntwo: three\r\n21/03/21, 14:06 - Ben: four\r\n',
		);
		expect(plain(chat)).toEqual([
			['Maya', utc(2021, 3, 21, 14, 5), 'one\n\ntwo: three'],
			['Ben', utc(2021, 3, 21, 14, 6), 'four'],
		]);
	});

	test('lines of the system have no author', async () => {
		const chat = await read(
			[
				'21/03/21, 14:04 - Messages and calls are end-to-end encrypted. Tap to learn more.',
				'21/03/21, 14:05 - Maya changed the subject to "Trip: 2021"',
				'[21/03/21, 14:05:33] Lake house: \u200eMaya created this group',
				'21/03/21, 14:06 - Maya: hi',
			].join('\n'),
		);
		expect(chat.participants).toEqual([{ name: 'Maya', messages: 1 }]);
		expect(plain(chat).map(([name, , body]) => [name, body])).toEqual([
			[undefined, 'system'],
			[undefined, 'system'],
			[undefined, 'system'],
			['Maya', 'hi'],
		]);
	});

	test.each([
		[
			'\u200e<attached: 00000012-PHOTO-2021-03-21-14-05-33.jpg>',
			'00000012-PHOTO-2021-03-21-14-05-33.jpg',
			'',
		],
		['IMG-20210321-WA0001.jpg (file attached)', 'IMG-20210321-WA0001.jpg', ''],
		[
			'\u200eIMG-20210321-WA0001.jpg (Datei angehängt)\nthe lake',
			'IMG-20210321-WA0001.jpg',
			'the lake',
		],
		['tax 2021.pdf (archivo adjunto)', 'tax 2021.pdf', ''],
		['\u200e<Anhang: 00000013-Brief an Oma.pdf>', '00000013-Brief an Oma.pdf', ''],
		['\u200e<pièce jointe : 00000013-a.jpg>', '00000013-a.jpg', ''],
		['<Media omitted>', undefined, ''],
		['<Medien ausgeschlossen>', undefined, ''],
		['<Multimedia omitido>', undefined, ''],
		['<تم استبعاد الوسائط>', undefined, ''],
		['\u200eimage omitted', undefined, ''],
		['\u200eBild weggelassen', undefined, ''],
	])('media: %s', async (said, file, text) => {
		const chat = await read(`21/03/21, 14:05 - Maya: ${said}`);
		expect(chat.messages[0]).toEqual({
			author: 0,
			wall: utc(2021, 3, 21, 14, 5),
			body: { kind: 'foreign', what: 'media', file, text },
		});
	});

	test('what a person wrote in brackets is what they wrote', async () => {
		const chat = await read(
			'21/03/21, 14:05 - Maya: <3\n21/03/21, 14:06 - Maya: see notes.txt (the old one)',
		);
		expect(plain(chat).map(([, , body]) => body)).toEqual(['<3', 'see notes.txt (the old one)']);
	});

	test('deleted and edited', async () => {
		const chat = await read(
			[
				'21/03/21, 14:05 - Maya: This message was deleted',
				'[21/03/21, 14:05:33] Ben: \u200eDu hast diese Nachricht gelöscht.',
				'21/03/21, 14:06 - Maya: at eight \u200e<This message was edited>',
			].join('\n'),
		);
		expect(chat.messages.map(({ body }) => body)).toEqual([
			{ kind: 'foreign', what: 'deleted' },
			{ kind: 'foreign', what: 'deleted' },
			{ kind: 'foreign', what: 'edited', text: 'at eight' },
		]);
	});

	test('names: phone numbers, other scripts, the tilde of strangers', async () => {
		const chat = await read(
			[
				'21/03/21, 14:05 - \u202a+49 151 2345678\u202c: a',
				'21/03/21, 14:05 - ~\u202fليلى: b',
				'21/03/21, 14:05 - 李: c',
			].join('\n'),
		);
		expect(chat.participants.map(({ name }) => name.replaceAll(/[\u202a\u202c]/gu, ''))).toEqual([
			'+49 151 2345678',
			'ليلى',
			'李',
		]);
	});
});

describe('what cannot be read is told by its line', () => {
	test('before the first message, and dates that there are not', async () => {
		const chat = await read(
			[
				'a stray line',
				'21/03/21, 14:05 - Maya: hi',
				'45/45/21, 14:06 - Maya: lost',
				'21/03/21, 25:99 - Maya: lost too',
				'21/03/21, 14:07 - Maya: bye',
			].join('\n'),
		);
		expect(chat.problems.map(({ line, why }) => [line, why])).toEqual([
			[1, 'before-first-message'],
			[3, 'date'],
			[4, 'date'],
		]);
		expect(chat.messages).toHaveLength(2);
	});

	test('a message without end does not grow without end', async () => {
		const long = `21/03/21, 14:05 - Maya: ${'a'.repeat(70_000)}\n${'b\n'.repeat(5)}21/03/21, 14:06 - Maya: hi`;
		const chat = await read(long);
		expect(chat.messages).toHaveLength(2);
		expect(chat.messages[0]?.body).toMatchObject({ kind: 'text' });
		expect(chat.problems.every(({ why }) => why === 'too-long')).toBe(true);
		expect(chat.problemCount).toBe(6);
	});

	test('problems are counted beyond those that are kept', async () => {
		const chat = await read('x\n'.repeat(5_000) + '21/03/21, 14:05 - Maya: hi');
		expect(chat.problems).toHaveLength(1_000);
		expect(chat.problemCount).toBe(5_000);
	});

	test.each(['', 'Dear Sir or Madam,\nwe are writing to you', '{"a":1}', '\u0000\u0001\u0002'])(
		'a foreign text is no chat: %j',
		async (text) => {
			expect(await readWhatsApp(fileOf(text), { now: NOW })).toEqual({
				ok: false,
				error: { kind: 'not-a-chat' },
			});
		},
	);

	test('UTF-16, as an editor saves it', async () => {
		const text = '\ufeff21/03/21, 14:05 - Maya: hü';
		const bytes = new Uint8Array(Buffer.from(text, 'utf16le'));
		const outcome = await readWhatsApp(fileOf(bytes), { now: NOW });
		expect(outcome.ok && plain(outcome.value)[0]?.[2]).toBe('hü');
	});
});

describe('in a zip', () => {
	const CHAT = '21/03/21, 14:05 - Maya: hi';

	test('deflated or stored, beside its pictures, with the title of its file', async () => {
		for (const method of [0, 8] as const) {
			const zip = zipOf([
				{ name: 'IMG-1.jpg', data: new Uint8Array(5_000), method: 0 },
				{ name: 'WhatsApp Chat with Maya Lindqvist.txt', data: Buffer.from(CHAT), method },
			]);
			const outcome = await readWhatsApp(fileOf(zip, 'x.zip'), { now: NOW });
			expect(outcome).toMatchObject({ ok: true, value: { title: 'Maya Lindqvist' } });
		}
		const ios = zipOf([{ name: '_chat.txt', data: Buffer.from(CHAT), method: 8 }]);
		const outcome = await readWhatsApp(fileOf(ios, 'WhatsApp Chat - Lake house (1).zip'), {
			now: NOW,
		});
		expect(outcome).toMatchObject({ ok: true, value: { title: 'Lake house' } });
	});

	test('without a text there is no chat', async () => {
		const zip = zipOf([{ name: 'a.jpg', data: new Uint8Array(9), method: 0 }]);
		expect(await readWhatsApp(fileOf(zip), { now: NOW })).toEqual({
			ok: false,
			error: { kind: 'no-chat' },
		});
	});

	test('a bomb is not unpacked, whether it says its size or lies', async () => {
		const data = new Uint8Array(80 * 1024 * 1024);
		for (const claimed of [data.length, 100]) {
			const zip = zipOf([{ name: '_chat.txt', data, method: 8, claimed }]);
			expect(zip.length).toBeLessThan(200_000);
			const outcome = await readWhatsApp(fileOf(zip), { now: NOW });
			expect(outcome).toMatchObject({ ok: false, error: { kind: 'too-large' } });
		}
	});

	test('cut off anywhere, it is an error and nothing else', async () => {
		const zip = zipOf([
			{ name: '_chat.txt', data: Buffer.from(`${CHAT}\n`.repeat(50)), method: 8 },
			{ name: 'b.jpg', data: new Uint8Array(300).map((_, at) => (at * 7) & 255), method: 0 },
		]);
		for (let length = 2; length < zip.length; length++) {
			const outcome = await readWhatsApp(fileOf(zip.slice(0, length)), { now: NOW });
			expect(outcome.ok, `cut at ${length}`).toBe(false);
		}
	});

	test('a byte changed in the text is found', async () => {
		const zip = zipOf([
			{ name: '_chat.txt', data: Buffer.from(`${CHAT}\n`.repeat(50)), method: 0 },
		]);
		zip[80] = (zip[80] ?? 0) ^ 1;
		expect(await readWhatsApp(fileOf(zip), { now: NOW })).toEqual({
			ok: false,
			error: { kind: 'unreadable', why: 'damaged' },
		});
	});

	test('one with a password says so', async () => {
		const zip = zipOf([{ name: '_chat.txt', data: Buffer.from(CHAT), method: 0, locked: true }]);
		expect(await readWhatsApp(fileOf(zip), { now: NOW })).toEqual({
			ok: false,
			error: { kind: 'unreadable', why: 'locked' },
		});
	});
});

interface Packed {
	readonly name: string;
	readonly data: Uint8Array;
	readonly method: 0 | 8;
	readonly claimed?: number;
	readonly locked?: boolean;
}

/** A zip as the specification writes it. */
function zipOf(files: readonly Packed[]): Uint8Array<ArrayBuffer> {
	const parts: Buffer[] = [];
	const central: Buffer[] = [];
	let offset = 0;
	for (const { name, data, method, claimed, locked } of files) {
		const packed = method === 8 ? deflateRawSync(data) : Buffer.from(data);
		const label = Buffer.from(name);
		const fields = Buffer.alloc(26);
		fields.writeUInt16LE(20, 0);
		fields.writeUInt16LE(locked ? 1 : 0, 2);
		fields.writeUInt16LE(method, 4);
		fields.writeUInt32LE(data.length > 1_000_000 ? 0 : crcOf(data), 10);
		fields.writeUInt32LE(packed.length, 14);
		fields.writeUInt32LE(claimed ?? data.length, 18);
		fields.writeUInt16LE(label.length, 22);
		const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), fields, label, packed]);
		const tail = Buffer.alloc(14);
		tail.writeUInt32LE(offset, 10);
		central.push(
			Buffer.concat([Buffer.from('PK\u0001\u0002'), Buffer.from([20, 0]), fields, tail, label]),
		);
		parts.push(local);
		offset += local.length;
	}
	const directory = Buffer.concat(central);
	const end = Buffer.alloc(22);
	end.write('PK\u0005\u0006', 0);
	end.writeUInt16LE(files.length, 8);
	end.writeUInt16LE(files.length, 10);
	end.writeUInt32LE(directory.length, 12);
	end.writeUInt32LE(offset, 16);
	return new Uint8Array(Buffer.concat([...parts, directory, end]));
}

function crcOf(bytes: Uint8Array): number {
	let crc = 0xffffffff;
	for (const byte of bytes) {
		crc ^= byte;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
	}
	return (crc ^ 0xffffffff) >>> 0;
}
