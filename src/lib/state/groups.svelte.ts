// What the screens know of a group beyond its row: who is in it, and the newest thing that happened there.
import { SvelteMap } from 'svelte/reactivity';
import type { Client } from '../../core/client.ts';
import {
	type Conversation,
	type ConversationId,
	type GroupMemberView,
	type Message,
} from '../../core/model.ts';
import { samePicture } from '../browser/picture.ts';
import { coalesce } from './coalesce.ts';
import type { People } from './people.svelte.ts';

type Reading = Pick<Client, 'members' | 'messages'>;

export class Groups {
	readonly #client: Reading;
	readonly #people: People;
	readonly #members = new SvelteMap<ConversationId, readonly GroupMemberView[]>();
	readonly #newest = new SvelteMap<ConversationId, Message>();
	readonly #readers = new Map<ConversationId, () => Promise<void>>();

	constructor(client: Reading, people: People) {
		this.#client = client;
		this.#people = people;
	}

	/** Owner first, then admins, then by name; empty until they were read. */
	members(id: ConversationId): readonly GroupMemberView[] {
		return this.#members.get(id) ?? [];
	}

	/** The newest message or line of the system. */
	newest(id: ConversationId): Message | undefined {
		return this.#newest.get(id);
	}

	/** The row of a group is new or changed: reads what the list shows of it. */
	async follow({ id }: Conversation): Promise<void> {
		const { messages } = await this.#client.messages(id, { at: 'end', limit: 1 });
		const [newest] = messages;
		if (newest) this.#newest.set(id, newest);
	}

	/** Reads who is in it; calls made while it reads share one further read. */
	readMembers(id: ConversationId): Promise<void> {
		const known = this.#readers.get(id);
		const read = known ?? coalesce(() => this.#readMembers(id));
		if (!known) this.#readers.set(id, read);
		return read();
	}

	async #readMembers(id: ConversationId): Promise<void> {
		const members = await this.#client.members(id);
		for (const { account, profile } of members) this.#people.meet(account, profile);
		const before = this.#members.get(id);
		// The same list for what did not change: a message more must not draw 256 rows again.
		if (!before || !isSame(before, members)) this.#members.set(id, members);
	}
}

function isSame(one: readonly GroupMemberView[], other: readonly GroupMemberView[]): boolean {
	return (
		one.length === other.length &&
		one.every((each, at) => {
			const next = other[at];
			return (
				each.account === next?.account &&
				each.role === next.role &&
				each.conversation === next.conversation &&
				each.reachable === next.reachable &&
				each.profile.name === next.profile.name &&
				samePicture(each.profile.picture, next.profile.picture)
			);
		})
	);
}
