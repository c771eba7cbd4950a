// Saving in a real browser: into real files of the origin's own file system where the browser asks for a place, and as a
// download where it cannot.
import { afterEach, expect, test } from 'vitest';
import { chooseTarget, dateForName } from './save-file.ts';

const KIND = { name: 'Kith', type: 'application/octet-stream', ending: '.kith' };
const bytes = (...values: number[]) => Uint8Array.from(values);
const browser = window as { showSaveFilePicker?: unknown };
const { showSaveFilePicker } = browser;

afterEach(() => {
	browser.showSaveFilePicker = showSaveFilePicker;
	Reflect.deleteProperty(HTMLAnchorElement.prototype, 'click');
});

async function* chunksOf(...chunks: Uint8Array<ArrayBuffer>[]) {
	for (const chunk of chunks) yield await Promise.resolve(chunk);
}

async function* broken() {
	yield await Promise.resolve(bytes(9, 9, 9));
	throw new Error('the disk went away');
}

/** The person chooses this file. Returns what they were asked. */
async function answerWith(name: string) {
	const root = await navigator.storage.getDirectory();
	const handle = await root.getFileHandle(name, { create: true });
	const asked: { suggestedName: string }[] = [];
	browser.showSaveFilePicker = (options: { suggestedName: string }) => {
		asked.push(options);
		return Promise.resolve(handle);
	};
	const content = async () => [...new Uint8Array(await (await handle.getFile()).arrayBuffer())];
	return { asked, content };
}

/** Name and bytes of the next download, which does not reach the disk. */
function nextDownload(): Promise<{ name: string; content: number[] }> {
	return new Promise((resolve, reject) => {
		HTMLAnchorElement.prototype.click = function () {
			fetch(this.href)
				.then((response) => response.arrayBuffer())
				.then((all) => resolve({ name: this.download, content: [...new Uint8Array(all)] }), reject);
		};
	});
}

test('all pieces go where the person said, and replace what was there', async () => {
	const { asked, content } = await answerWith('a.kith');
	for (const last of [3, 4]) {
		const target = await chooseTarget(KIND);
		expect(await target?.save(chunksOf(bytes(1, 2), bytes(), bytes(last)))).toBe(3);
		expect(await content()).toEqual([1, 2, last]);
	}
	expect(asked.map(({ suggestedName }) => suggestedName)).toEqual(['Kith.kith', 'Kith.kith']);
});

test('a file whose source breaks leaves what was there before', async () => {
	const { content } = await answerWith('b.kith');
	await (await chooseTarget(KIND))?.save(chunksOf(bytes(1, 2)));
	const target = await chooseTarget(KIND);
	await expect(target?.save(broken())).rejects.toThrow('the disk went away');
	expect(await content()).toEqual([1, 2]);
});

test('who closes the question saves nothing', async () => {
	browser.showSaveFilePicker = () => Promise.reject(new DOMException('closed', 'AbortError'));
	expect(await chooseTarget(KIND)).toBe(undefined);
});

test.each([
	['a browser without the question', undefined],
	['one that refuses to ask', () => Promise.reject(new DOMException('no', 'SecurityError'))],
])('%s downloads, more pieces than are joined at once', async (_name, picker) => {
	browser.showSaveFilePicker = picker;
	const many = Array.from({ length: 150 }, (_, at) => bytes(at, at));
	const downloaded = nextDownload();
	const target = await chooseTarget(KIND);
	expect(await target?.save(chunksOf(...many))).toBe(300);
	expect(await downloaded).toEqual({
		name: 'Kith.kith',
		content: many.flatMap((each) => [...each]),
	});
});

test('a download whose source breaks does not begin', async () => {
	browser.showSaveFilePicker = undefined;
	let begun = false;
	void nextDownload().then(() => (begun = true));
	const target = await chooseTarget(KIND);
	await expect(target?.save(broken())).rejects.toThrow('the disk went away');
	expect(begun).toBe(false);
});

test.each([
	['../../etc/passwd', 'etc passwd.kith'],
	['a\u202egnp.exe', 'a gnp.exe.kith'],
	['CON: <b>|"x"?*\\', 'CON b x.kith'],
	['  . .hidden. ', 'hidden.kith'],
	['\u0000\n', 'Kith.kith'],
	['', 'Kith.kith'],
	['عائلة 👩‍👧', 'عائلة 👩‍👧.kith'],
	['x'.repeat(300), `${'x'.repeat(80)}.kith`],
	[`${'x'.repeat(79)}👩 and more`, `${'x'.repeat(79)}👩.kith`],
	['👩'.repeat(300), `${'👩'.repeat(50)}.kith`],
])('the name %j becomes one that every file system takes', async (name, expected) => {
	const { asked } = await answerWith('c.kith');
	await chooseTarget({ ...KIND, name });
	expect(asked[0]?.suggestedName).toBe(expected);
});

test('the date in a name is the one on the wall', () => {
	expect(dateForName(new Date(2026, 0, 2, 23, 59, 59).getTime())).toBe('2026-01-02');
	expect(dateForName(new Date(2026, 11, 31, 0, 0, 0).getTime())).toBe('2026-12-31');
});
