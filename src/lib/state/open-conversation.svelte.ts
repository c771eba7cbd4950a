// The conversation on screen: its window of messages, where its unread ones begin, what is being answered.
import { createContext } from 'svelte';
import { SvelteMap, SvelteSet } from 'svelte/reactivity';
import {
	isAllowed,
	type AccountId,
	type Conversation,
	type ConversationId,
	type Message,
	type MessageId,
	type Position,
	type Written,
} from '../../core/model.ts';
import type { Client } from '../../core/client.ts';
import type { App } from './app.svelte.ts';
import { MessageWindow } from './message-window.svelte.ts';
import { toRows, type Row } from './rows.ts';

/** Quoted messages remembered beside the window. */
const MOST_QUOTES = 500;

/** Position of a message that the store does not have yet. */
export const NOWHERE: Position = '';

/** How a message says who wrote it: not at all, by name, or by name and face. */
type Authors = 'hidden' | 'named' | 'pictured';

export class OpenConversation {
	readonly id: ConversationId;
	readonly window: MessageWindow;
	/** Undefined while it is looked up, null when there is no such conversation. */
	readonly conversation: Conversation | undefined | null;
	/** Stays where it is until the conversation is left. */
	unreadFrom = $state<Position | undefined>();
	unreadAtOpening = $state(0);
	replyTo = $state.raw<Message | undefined>();
	/** Messages sent from here since it was opened. */
	sent = $state(0);
	/** What is on screen: the window, and what is being written to the store right now. */
	readonly messages: readonly Message[];
	/** The message that was jumped to, for its flash. */
	flashed = $state<MessageId | undefined>();
	readonly rows: readonly Row[];
	/** False where one can only read. */
	readonly takesMessages: boolean;
	readonly authors: Authors;
	/** The own message whose readers are shown. */
	inspected = $state.raw<Message | undefined>();

	readonly #app: App;
	/** Messages of blocked people that were opened here. */
	readonly #unfolded = new SvelteSet<MessageId>();
	readonly #quotes = new SvelteMap<MessageId, Message | null>();
	readonly #asked = new Set<MessageId>();
	readonly #stop: () => void;
	/** Written here and not read back from the store yet. */
	#echoes = $state.raw<readonly Message[]>([]);
	#found = $state.raw<Conversation | undefined | null>();
	#readTo: Position = '';
	#echoCount = 0;

	constructor(app: App, id: ConversationId) {
		this.#app = app;
		this.id = id;
		this.window = new MessageWindow(app.client, id);
		this.conversation = $derived(app.conversation(id) ?? this.#found);
		this.messages = $derived(
			this.window.newerExist ? this.window.messages : [...this.window.messages, ...this.#echoes],
		);
		this.rows = $derived(
			toRows(this.messages, {
				unreadFrom: this.unreadFrom,
				fromStart: this.window.state === 'ready' && !this.window.olderExist,
				isFolded: (message) => this.isFolded(message),
			}),
		);
		this.takesMessages = $derived(this.conversation ? takesMessages(this.conversation) : false);
		this.authors = $derived(authorsOf(this.conversation));
		this.#stop = app.client.watch((change) => {
			const touched = change.messages.get(id);
			if (touched) void this.window.refresh(touched);
			if (change.conversations.has(id)) this.#readMembers();
		});
	}

	/** Opens at the first unread message, or at the end. */
	async open(): Promise<void> {
		try {
			const [found, unreadFrom] = await Promise.all([
				this.#app.client.conversation(this.id),
				this.#app.client.firstUnread(this.id),
			]);
			this.#found = found ?? null;
			this.#readMembers();
			this.unreadAtOpening = found?.unread ?? 0;
			this.#readTo = found?.readTo ?? '';
			this.unreadFrom = this.unreadAtOpening > 0 ? unreadFrom : undefined;
			await this.window.open(this.unreadFrom);
		} catch {
			this.window.state = 'failed';
		}
	}

	close(): void {
		this.#stop();
		this.#app.client.setTyping(this.id, false);
	}

	/** What somebody who writes here is called. */
	nameOf(author: AccountId): string {
		const subject = this.conversation?.subject;
		if (subject?.kind === 'imported') {
			return subject.participants.find(({ account }) => account === author)?.name ?? subject.title;
		}
		return subject?.kind === 'person' ? subject.person.profile.name : this.#app.people.name(author);
	}

	/** Of somebody who is blocked and writes among others; their own conversation is read-only anyway. */
	isFolded({ id, author }: Message): boolean {
		const isAmongOthers = this.authors === 'pictured';
		return isAmongOthers && this.#app.isBlocked(author) && !this.#unfolded.has(id);
	}

	unfold(messages: readonly Message[]): void {
		for (const { id } of messages) this.#unfolded.add(id);
	}

	/** The message up to `position` was on the screen. */
	markRead(position: Position): void {
		if (position === NOWHERE || position <= this.#readTo) return;
		this.#readTo = position;
		void this.#app.client.markRead(this.id, position);
	}

	/** As the client's `send`, with the bubble on screen before the store has answered. */
	async send(written: Written, replyTo: MessageId | undefined): ReturnType<Client['send']> {
		const echo = this.#echoOf(written, replyTo);
		if (echo) this.#echoes = [...this.#echoes, echo];
		try {
			const result = await this.#app.client.send(this.id, written, replyTo);
			// The store told of it before it answered: the window has it once it is through with that.
			if (result.ok) await this.window.settled();
			return result;
		} finally {
			this.#echoes = this.#echoes.filter((each) => each !== echo);
		}
	}

	#echoOf({ text, mentions }: Written, replyTo: MessageId | undefined): Message | undefined {
		const { me } = this.#app;
		if (!me || text.trim() === '') return undefined;
		const sent = Date.now();
		return {
			id: `echo ${++this.#echoCount}` as MessageId,
			conversation: this.id,
			position: NOWHERE,
			author: me.account,
			mine: true,
			body: { kind: 'text', text, replyTo, mentions },
			sent,
			received: sent,
			delivery: { kind: 'queued' },
		};
	}

	/** A quoted message: undefined while it is looked up, null when it is not on this device. */
	quoted(id: MessageId): Message | undefined | null {
		const held = this.window.messages.find((each) => each.id === id);
		if (held) return held;
		if (!this.#quotes.has(id)) this.#lookUp(id);
		return this.#quotes.get(id);
	}

	/** Brings a message into the window; false when it is not on this device. */
	async bring(id: MessageId): Promise<boolean> {
		if (this.window.messages.some((each) => each.id === id)) return true;
		const message = await this.#app.client.message(id);
		if (message?.conversation !== this.id) return false;
		await this.window.open(message.position);
		return this.window.messages.some((each) => each.id === id);
	}

	#readMembers(): void {
		if (this.conversation?.subject.kind === 'group') void this.#app.groups.readMembers(this.id);
	}

	#lookUp(id: MessageId): void {
		if (this.#asked.has(id) || this.#asked.size >= MOST_QUOTES) return;
		this.#asked.add(id);
		void this.#app.client.message(id).then((message) => {
			this.#quotes.set(id, message?.conversation === this.id ? message : null);
		});
	}
}

/** Whether one can write here. */
function takesMessages({ subject, state }: Conversation): boolean {
	if (state.kind !== 'open' && state.kind !== 'inviting') return false;
	if (subject.kind === 'group') return isAllowed(subject.role, subject.policy.write);
	return subject.kind !== 'imported';
}

function authorsOf(conversation: Conversation | undefined | null): Authors {
	const subject = conversation?.subject;
	if (subject?.kind === 'group') return 'pictured';
	return subject?.kind === 'imported' && subject.participants.length > 2 ? 'named' : 'hidden';
}

export const [getOpenConversation, setOpenConversation] = createContext<OpenConversation>();
