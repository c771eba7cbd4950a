// Files that come in and go out, as a person meets them: a backup and the way back from it, a chat of WhatsApp, a copy
// of one conversation.
import { writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { crc32, deflateRawSync } from 'node:zlib';
import { download, downloads, type UserFile } from './downloads.ts';
import { expect, meet, test, type Person } from './fixtures.ts';
import { clearStorage } from './recovery-steps.ts';

const NOT_WHOLE = 'This backup is not whole: its end is missing or damaged.';
const PASSPHRASE = 'four words nobody guesses';

/** Presses `button` and chooses `file` in the dialog that opens; on a new page, for Firefox opens one only once. */
async function choose({ page }: Person, button: string, file: UserFile): Promise<void> {
	await page.reload();
	const asked = page.waitForEvent('filechooser');
	await page.getByRole('button', { name: button }).click();
	await (await asked).setFiles(file);
}

/** Saves a backup on its page; with a passphrase, or with the code that comes with it. */
async function backUp(
	person: Person,
	passphrase?: string,
): Promise<{ file: UserFile; secret: string }> {
	const { page } = person;
	await page.getByRole('button', { name: 'Back up now' }).click();
	let file: UserFile;
	let secret: string;
	if (passphrase === undefined) {
		const groups = page.locator('output span');
		await expect(groups).toHaveCount(8);
		secret = (await groups.allInnerTexts()).join('-');
		file = await download(person, 'I have it, save the backup');
	} else {
		secret = passphrase;
		await page.getByRole('radio', { name: 'With a passphrase of my own' }).check();
		await page.getByLabel('Passphrase', { exact: true }).fill(passphrase);
		await page.getByLabel('The same again').fill(passphrase);
		file = await download(person, 'Save the backup');
	}
	await expect(page.getByText('Backup saved')).toBeVisible();
	expect(file.name).toMatch(/^Kith \d{4}-\d\d-\d\d\.kith$/);
	return { file, secret };
}

async function enter({ page }: Person, secret: string): Promise<void> {
	await page.getByLabel(/of this backup/).fill(secret);
	await page.getByRole('button', { name: 'Open', exact: true }).click();
}

async function bringBack(person: Person, backup: { file: UserFile; secret: string }) {
	await choose(person, 'Bring back from a backup', backup.file);
	await enter(person, backup.secret);
	await expect(person.page.getByText('What was missing is back')).toBeVisible();
}

/** What a summary says of one thing. */
function line({ page }: Person, title: string) {
	const row = page.locator('.cell').filter({ has: page.getByText(title, { exact: true }) });
	return row.locator('.val');
}

async function look(person: Person, name: string): Promise<void> {
	const list = person.page.getByRole('navigation', { name: 'Conversations' });
	await list.getByRole('link').filter({ hasText: name }).click();
	await expect(person.messages.first()).toBeVisible();
}

/** Two people who said something, and a setting that is not as it comes. */
async function conversation(ana: Person, ben: Person): Promise<string[]> {
	await meet(ana, ben);
	await ana.send('the train leaves at *nine*');
	await ben.send('أراك في المحطة 🚂');
	await expect(ana.message('أراك في المحطة 🚂')).toBeVisible();
	await ana.visit('/settings/privacy');
	await ana.turnOn(/Always use the relay/);
	await ana.page.getByRole('link', { name: /^Backup/ }).click();
	await expect(ana.page.getByRole('button', { name: 'Back up now' })).toBeVisible();
	return ['hello Ana', 'hello Ben', 'the train leaves at nine', 'أراك في المحطة 🚂'];
}

test('a backup is tested, and brings everything back once the browser cleared its storage', async ({
	newPerson,
}) => {
	test.slow();
	const ana = await downloads(await newPerson());
	const said = await conversation(ana, await newPerson());
	const backup = await backUp(ana);
	expect(backup.file.buffer.includes('train')).toBe(false);
	await choose(ana, 'Test a backup', backup.file);
	// As somebody reads it from paper.
	await enter(ana, backup.secret.toLowerCase().replaceAll('-', ' '));
	await expect(ana.page.getByText('This backup is good')).toBeVisible();
	await expect(line(ana, 'Of')).toHaveText('Ana Lindqvist');
	await expect(line(ana, 'People')).toHaveText('1');
	await expect(line(ana, 'Messages')).toHaveText(String(said.length));

	await clearStorage(ana);
	await ana.visit('/');
	await expect(ana.page.getByRole('heading', { name: /cleared Kith’s storage/ })).toBeVisible();
	await bringBack(ana, backup);
	await ana.page.getByRole('button', { name: 'Go to Kith' }).click();
	for (const again of [false, true]) {
		if (again) await ana.page.reload();
		else await look(ana, 'Ben Okafor');
		await ana.expectOnce(said);
		await expect(ana.page.getByText(/This came from your backup/)).toBeVisible();
	}
	await ana.visit('/settings/privacy');
	await expect(ana.page.getByRole('switch', { name: /Always use the relay/ })).toBeChecked();
});

test('bringing back twice, or where all of it still is, doubles nothing', async ({ newPerson }) => {
	test.slow();
	const ana = await downloads(await newPerson());
	const ben = await newPerson();
	const said = await conversation(ana, ben);
	const backup = await backUp(ana);
	for (let time = 0; time < 2; time++) {
		await ana.visit('/settings/backup');
		await bringBack(ana, backup);
		await expect(line(ana, 'Messages added')).toHaveText('0');
		await expect(line(ana, 'Conversations that came back')).toHaveText('0');
	}
	await ana.visit('/');
	const before = await ana.countConversations();
	await ana.open('Ben Okafor');
	await ana.expectOnce(said);
	// It is the same device as before, and still talks.
	await ana.send('and still here');
	await expect(ben.message('and still here')).toBeVisible();

	await clearStorage(ana);
	await ana.visit('/');
	await bringBack(ana, backup);
	await ana.page.getByRole('button', { name: 'Go to Kith' }).click();
	await ana.visit('/settings/backup');
	await bringBack(ana, backup);
	await expect(line(ana, 'Messages added')).toHaveText('0');
	await ana.visit('/');
	await expect(ana.conversations).toHaveCount(before);
	await look(ana, 'Ben Okafor');
	await ana.expectOnce(said);
});

test('one backup brought back in two browsers makes two who each speak for themselves', async ({
	newPerson,
}) => {
	test.slow();
	const ana = await downloads(await newPerson());
	const ben = await newPerson();
	const said = await conversation(ana, ben);
	const backup = await backUp(ana);
	await ben.visit('/');
	const link = await ben.link();
	const before = await ben.countConversations();
	for (const name of ['First', 'Second']) {
		const copy = await newPerson();
		await copy.start(name);
		await copy.visit('/settings/backup');
		await bringBack(copy, backup);
		await copy.visit('/');
		await look(copy, 'Ben Okafor');
		await copy.expectOnce(said);
		await copy.visit(link);
		await copy.send(`I am the ${name}`);
		await ben.visit('/');
		await ben.open(name);
		await ben.expectOnce([`I am the ${name}`]);
		await ben.send(`so you are the ${name}`);
		await copy.expectOnce([`I am the ${name}`, `so you are the ${name}`]);
	}
	await ben.visit('/');
	await expect(ben.conversations).toHaveCount(before + 2);
	// Who made the backup is nobody else than before.
	await ana.visit('/');
	await ana.open('Ben Okafor');
	await ana.send('and I am still Ana');
	await ben.open('Ana Lindqvist');
	await ben.expectOnce([...said, 'and I am still Ana']);
});

test('what does not open says why, and writes nothing', async ({ newPerson }) => {
	test.slow();
	const ana = await downloads(await newPerson());
	await conversation(ana, await newPerson());
	const { file, secret } = await backUp(ana, PASSPHRASE);
	const changed = (buffer: Buffer): UserFile => ({ ...file, buffer });
	const newer = Buffer.from(file.buffer);
	newer.writeUInt8(2, 8);
	const damaged = Buffer.from(file.buffer);
	damaged.writeUInt32BE(0, 10);
	const changedInside = Buffer.from(file.buffer);
	changedInside.writeUInt8(changedInside.readUInt8(100) ^ 1, 100);

	const cleo = await newPerson();
	await cleo.start('Cleo');
	const before = await cleo.countConversations();
	await cleo.visit('/settings/backup');
	for (const [bytes, sentence] of [
		[newer, 'This backup needs a newer version of Kith.'],
		[Buffer.from('Dear diary'), 'This file is not a backup of Kith.'],
		[file.buffer.subarray(0, 40), NOT_WHOLE],
		[Buffer.alloc(0), 'This file is not a backup of Kith.'],
		[damaged, 'This backup is damaged.'],
	] as const) {
		await choose(cleo, 'Bring back from a backup', changed(Buffer.from(bytes)));
		await expect(cleo.page.getByRole('alert')).toHaveText(`${sentence} Nothing was written.`);
	}
	for (const bytes of [file.buffer.subarray(0, -1), changedInside]) {
		await choose(cleo, 'Bring back from a backup', changed(Buffer.from(bytes)));
		await enter(cleo, secret);
		await expect(cleo.page.getByRole('alert')).toHaveText(`${NOT_WHOLE} Nothing was written.`);
	}
	await choose(cleo, 'Bring back from a backup', file);
	await enter(cleo, `${secret}!`);
	await expect(cleo.page.getByRole('alert')).toHaveText(
		'That does not open this backup. Check it and try again.',
	);
	await cleo.visit('/');
	await expect(cleo.conversations).toHaveCount(before);

	// The right one, after all: the file was good.
	await cleo.visit('/settings/backup');
	await bringBack(cleo, { file, secret });
	await cleo.visit('/');
	await expect(cleo.conversations).toHaveCount(before + 1);
});

/** A zip with these files in it. */
function zip(files: Readonly<Record<string, string>>): Buffer {
	const local: Buffer[] = [];
	const central: Buffer[] = [];
	let offset = 0;
	for (const [name, text] of Object.entries(files)) {
		const packed = deflateRawSync(text);
		const about = Buffer.alloc(26);
		about.writeUInt16LE(20, 0);
		about.writeUInt16LE(8, 4);
		about.writeUInt32LE(crc32(text), 10);
		about.writeUInt32LE(packed.length, 14);
		about.writeUInt32LE(Buffer.byteLength(text), 18);
		about.writeUInt16LE(Buffer.byteLength(name), 22);
		const place = Buffer.alloc(14);
		place.writeUInt32LE(offset, 10);
		local.push(Buffer.from('PK\x03\x04'), about, Buffer.from(name), packed);
		central.push(Buffer.from('PK\x01\x02\x14\0'), about, place, Buffer.from(name));
		offset += 30 + Buffer.byteLength(name) + packed.length;
	}
	const directory = Buffer.concat(central);
	const end = Buffer.alloc(22);
	end.write('PK\x05\x06');
	end.writeUInt16LE(Object.keys(files).length, 8);
	end.writeUInt16LE(Object.keys(files).length, 10);
	end.writeUInt32LE(directory.length, 12);
	end.writeUInt32LE(offset, 16);
	return Buffer.concat([...local, directory, end]);
}

const EXPORTS = [
	[
		'an iPhone',
		[
			'[21/03/2021, 14:05:33] Ben Okafor: first <b>line</b>',
			'and a second one',
			'[45/03/2021, 14:06:00] Ben Okafor: on no day',
			'[21/03/2021, 14:07:00] Ana L.: \u200e<attached: 00000003-PHOTO-2021-03-21-14-07-00.jpg>',
			'[22/03/2021, 09:00:01] Ana L.: شكرا 🙏',
		],
		'00000003-PHOTO-2021-03-21-14-07-00.jpg',
	],
	[
		'an Android phone in America',
		[
			'3/21/21, 2:05 PM - Ben Okafor: first <b>line</b>',
			'and a second one',
			'3/45/21, 2:06 PM - Ben Okafor: on no day',
			'3/21/21, 2:07 PM - Ana L.: IMG-20210321-WA0003.jpg (file attached)',
			'3/22/21, 9:00 AM - Ana L.: شكرا 🙏',
		],
		'IMG-20210321-WA0003.jpg',
	],
] as const;

for (const [phone, lines, media] of EXPORTS) {
	test(`a chat exported from ${phone} is looked at first, then a history to read`, async ({
		newPerson,
	}) => {
		const ana = await newPerson();
		await ana.start('Ana Lindqvist');
		const before = await ana.countConversations();
		const file: UserFile = {
			name: 'WhatsApp Chat - Ben Okafor.zip',
			mimeType: 'application/zip',
			buffer: zip({ '_chat.txt': lines.join('\r\n'), [media]: 'not looked at' }),
		};
		await ana.visit('/settings/import');
		const { page } = ana;
		await choose(ana, 'Choose a file', file);
		await expect(page.getByLabel('Name of the conversation')).toHaveValue('Ben Okafor');
		await expect(page.getByText('From March 21, 2021 to March 22, 2021')).toBeVisible();
		await page.getByText(/1 line/).click();
		await expect(page.getByRole('listitem').filter({ hasText: 'Line 3:' })).toContainText(
			'a date or time that does not exist',
		);
		await page.getByRole('combobox', { name: /Ana L\./ }).selectOption('Me');
		// Looking writes nothing.
		await ana.visit('/');
		await expect(ana.conversations).toHaveCount(before);

		for (const [added, sentence] of [
			[3, '3 messages imported'],
			[0, 'All of it was here already'],
		] as const) {
			await ana.visit('/settings/import');
			await choose(ana, 'Choose a file', file);
			await page.getByRole('combobox', { name: /Ana L\./ }).selectOption('Me');
			await page.getByRole('button', { name: 'Import', exact: true }).click();
			await expect(
				page.getByRole('status').filter({ hasText: sentence }),
				`${added}`,
			).toBeVisible();
		}
		await page.getByRole('link', { name: 'Open the conversation' }).click();
		for (const again of [false, true]) {
			if (again) await page.reload();
			await expect(ana.messages).toHaveCount(3);
			await expect(ana.messages.first()).toContainText('first <b>line</b>');
			await expect(ana.messages.nth(1)).toContainText(media);
			await expect(ana.messages.last()).toContainText('شكرا 🙏');
			await expect(page.getByText(/Brought in from WhatsApp on/).first()).toBeVisible();
			await expect(page.getByRole('textbox', { name: /^Message/ })).toHaveCount(0);
		}
		await expect(ana.messages.last()).toHaveAccessibleName(/^You/);
		await expect(ana.conversations).toHaveCount(before + 1);
	});
}

test('an import whose worker is taken away says so, shows no half, and can be done again', async ({
	newPerson,
}) => {
	test.slow();
	const ana = await downloads(await newPerson());
	await ana.context.addInitScript(() => {
		window.Worker = class extends Worker {
			constructor(...given: ConstructorParameters<typeof Worker>) {
				super(...given);
				if (given[1]?.name === 'kith files') Object.assign(window, { filesWorker: this });
			}
		};
	});
	await ana.start('Ana Lindqvist');
	const before = await ana.countConversations();
	const lines = Array.from({ length: 12_000 }, (_, at) => `[21/03/21, 14:05:33] Ben: line ${at}`);
	const file = { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from(lines.join('\n')) };
	const { page } = ana;
	await ana.visit('/settings/import');
	await choose(ana, 'Choose a file', file);
	await page.getByRole('button', { name: 'Import', exact: true }).click();
	await expect(page.getByText(/^[1-9][\d,]* of 12,000/)).toBeVisible();
	await page.evaluate(() => (window as unknown as { filesWorker: Worker }).filesWorker.terminate());
	await expect(page.getByRole('alert')).toContainText('This was interrupted before it was done.');
	await ana.visit('/');
	await expect(ana.conversations).toHaveCount(before);

	await ana.visit('/settings/import');
	await choose(ana, 'Choose a file', file);
	await page.getByRole('button', { name: 'Import', exact: true }).click();
	await page.getByRole('link', { name: 'Open the conversation' }).click({ timeout: 60_000 });
	await expect(ana.messages.last()).toContainText('line 11999');
	await ana.visit(`${new URL(page.url()).pathname}/info`);
	const json = await download(ana, 'As data');
	const chat = JSON.parse(json.buffer.toString('utf8')) as { messages: { text: string }[] };
	expect(chat.messages.map(({ text }) => text)).toEqual(lines.map((_, at) => `line ${at}`));
});

test('a text that is no chat, and a zip without one, are refused', async ({ newPerson }) => {
	const ana = await newPerson();
	await ana.start('Ana Lindqvist');
	await ana.visit('/settings/import');
	const good = zip({ '_chat.txt': EXPORTS[0][1].join('\n') });
	for (const [name, buffer, sentence] of [
		['notes.txt', Buffer.from('Dear diary'), 'This is not a chat that WhatsApp exported.'],
		['a.zip', zip({ 'a.jpg': 'picture' }), 'There is no chat in this zip.'],
		['b.zip', good.subarray(0, -30), 'This file is cut off. Export the chat again.'],
	] as const) {
		await choose(ana, 'Choose a file', {
			name,
			mimeType: 'text/plain',
			buffer: Buffer.from(buffer),
		});
		await expect(ana.page.getByRole('alert')).toHaveText(`${sentence} Nothing was written.`);
	}
});

test('a copy of one chat holds every text as it was written', async ({
	newPerson,
	browser,
}, testInfo) => {
	const ana = await downloads(await newPerson());
	const ben = await newPerson();
	await meet(ana, ben);
	const texts = [
		`<script>document.title = 'x'</script>`,
		`"><img src=x onerror='alert(1)'> & &amp; \\u0041 \`\${x}\``,
		'السلام عليكم (abc) 123',
		'👩🏽‍👩🏽‍👧🏽 🏳️‍🌈 e\u0301',
		'two\n\n   lines',
	];
	for (const text of texts) {
		await ana.composer.fill(text);
		await ana.composer.press('Enter');
	}
	await expect(ana.messages).toHaveCount(texts.length + 2);
	for (const message of await ana.messages.all()) {
		await expect(message).toHaveAttribute('aria-busy', 'false');
	}
	await ana.visit(`${new URL(ana.page.url()).pathname}/info`);
	const json = await download(ana, 'As data');
	await expect(ana.page.getByText('Copy saved')).toBeVisible();
	expect(json.name).toMatch(/^Kith Ben Okafor \d{4}-\d\d-\d\d\.json$/);
	const chat = JSON.parse(json.buffer.toString('utf8')) as {
		count: number;
		messages: { kind: string; text?: string; me: boolean }[];
	};
	const said = chat.messages.filter(({ kind }) => kind === 'text').map(({ text }) => text);
	expect(said).toEqual(['hello Ana', 'hello Ben', ...texts]);
	expect(chat.count).toBe(chat.messages.length);

	const path = testInfo.outputPath('chat.html');
	await writeFile(path, (await download(ana, 'As a page')).buffer);
	const context = await browser.newContext();
	try {
		const page = await context.newPage();
		await page.goto(pathToFileURL(path).href);
		await expect(page).toHaveTitle('Ben Okafor');
		expect(
			await page.locator('article p').evaluateAll((all) => all.map((p) => p.textContent)),
		).toEqual(['hello Ana', 'hello Ben', ...texts]);
		await expect(page.locator('script, img')).toHaveCount(0);
	} finally {
		await context.close();
	}
});
