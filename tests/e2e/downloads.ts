// What a person saves: the question where belongs to the system, and the file is looked at as it came out.
import { readFile } from 'node:fs/promises';
import { expect, type Person } from './fixtures.ts';

export interface UserFile {
	readonly name: string;
	readonly mimeType: string;
	readonly buffer: Buffer;
}

const engineOf = ({ context }: Person) => context.browser()?.browserType().name();

/**
 * The question where a file goes belongs to the system. Without it the file is a download; Firefox tells its driver of
 * none, and there the answer is a file in the folder of the origin.
 */
export async function downloads(person: Person): Promise<Person> {
	await person.context.addInitScript(
		(inFolder) => {
			const browser = window as { showSaveFilePicker?: unknown };
			delete browser.showSaveFilePicker;
			if (!inFolder) return;
			browser.showSaveFilePicker = async ({ suggestedName }: { suggestedName: string }) => {
				const folder = await navigator.storage.getDirectory();
				return folder.getFileHandle(suggestedName, { create: true });
			};
		},
		engineOf(person) === 'firefox',
	);
	return person;
}

/** A file of thousands of messages on a busy machine. */
const LONG = { timeout: 60_000 };

/** What is saved when `button` is pressed. */
export async function download(person: Person, button: string): Promise<UserFile> {
	const press = () => person.page.getByRole('button', { name: button }).click();
	const mimeType = 'application/octet-stream';
	if (engineOf(person) === 'firefox') {
		await press();
		// A file is empty until all of it is there.
		const saved: UserFile[] = [];
		await expect
			.poll(async () => {
				const file = await person.page.evaluate(takeSaved);
				const buffer = Buffer.from(file?.base64 ?? '', 'base64');
				if (file) saved.push({ name: file.name, mimeType, buffer });
				return saved.length;
			}, LONG)
			.toBe(1);
		return saved[0] as UserFile;
	}
	const begun = person.page.waitForEvent('download', LONG);
	await press();
	const file = await begun;
	return { name: file.suggestedFilename(), mimeType, buffer: await readFile(await file.path()) };
}

interface Saved {
	readonly name: string;
	readonly base64: string;
}

/** In the page: the one file of the origin's folder, which is taken out of it. */
async function takeSaved(): Promise<Saved | undefined> {
	const folder = await navigator.storage.getDirectory();
	for await (const [name, handle] of folder.entries()) {
		const file = await (handle as FileSystemFileHandle).getFile();
		if (file.size === 0) return undefined;
		const url = await new Promise<string>((resolve) => {
			const reader = new FileReader();
			reader.onload = () => resolve(reader.result as string);
			reader.readAsDataURL(file);
		});
		await folder.removeEntry(name);
		return { name, base64: url.slice(url.indexOf(',') + 1) };
	}
	return undefined;
}
