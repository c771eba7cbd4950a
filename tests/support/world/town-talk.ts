// What is said in a town, and the story of it.
import type { Device } from './device.ts';
import { chatWith } from './people.ts';
import { chatIn, isUsable, type Person, type Town, type Word } from './town.ts';

/** For the report of a failure. */
export function tell({ world }: Town, by: Device, ...what: readonly string[]): void {
	world.notes.push(`— ${by.name} ${what.join(' ')}`);
}

/** Where it can be said. */
export async function sayTo(
	{ people, words }: Town,
	by: Device,
	{ to, isLast }: Pick<Word, 'to' | 'isLast'>,
): Promise<void> {
	const author = people.find(({ devices }) => devices.includes(by));
	if (!author || !isUsable(by)) return;
	const chat = await ('chat' in to ? chatIn(to, by) : chatOf(by, to));
	const text = `${by.name} to ${to.name}: ${words.length}${isLast ? ', the last' : ''}`;
	const sent = chat && (await by.client.send(chat, text));
	if (!sent?.ok) return;
	words.push({ author, by, to, id: sent.value, text, isLast, audience: new Set() });
}

async function chatOf(by: Device, { devices: [there] }: Person) {
	return there && chatWith(by, there);
}

/** Everybody says something once more, on every device, wherever they can. */
export async function sayEverywhere(town: Town, isLast: boolean): Promise<void> {
	for (const by of town.world.devices) {
		for (const [one, other] of town.pairs) {
			if (one.devices.includes(by)) await sayTo(town, by, { to: other, isLast });
			if (other.devices.includes(by)) await sayTo(town, by, { to: one, isLast });
		}
		for (const group of town.groups) await sayTo(town, by, { to: group, isLast });
	}
}
