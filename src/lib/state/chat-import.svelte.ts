// Bringing in a chat of another messenger, step by step: a file is looked into, the person says who is who, and only
// then anything is written.
import type { ImportOutcome } from '../../core/client.ts';
import type {
	AccountId,
	DateOrder,
	ForeignChat,
	ForeignFailure,
	ForeignMessage,
} from '../../core/model.ts';
import type { App } from './app.svelte.ts';
import { orInterrupted } from './interrupted.ts';

export type ImportFailure =
	ForeignFailure | { readonly kind: 'storage-full' } | { readonly kind: 'interrupted' };

export type ImportStep =
	| { readonly kind: 'choose'; readonly failure: ImportFailure | undefined }
	| { readonly kind: 'reading' }
	| { readonly kind: 'preview'; readonly chat: ForeignChat }
	| { readonly kind: 'writing'; readonly done: number; readonly total: number }
	| { readonly kind: 'done'; readonly outcome: ImportOutcome };

/** Whoever a participant of the file is. */
export type Who = 'me' | AccountId | undefined;

/** Shown of the beginning, so that one sees that it was read right. */
const FIRST = 4;

export class ChatImport {
	step = $state.raw<ImportStep>({ kind: 'choose', failure: undefined });
	title = $state('');
	people = $state.raw<readonly Who[]>([]);
	/** Set when both orders fit and the person chose one. */
	order = $state<DateOrder>();

	readonly #app: App;
	#file: File | undefined;

	constructor(app: App) {
		this.#app = app;
	}

	/** Looks into a file. */
	async choose(file: File): Promise<void> {
		this.#file = file;
		this.order = undefined;
		await this.#read();
		if (this.step.kind !== 'preview') return;
		const { chat } = this.step;
		this.people = chat.participants.map(({ name }) => this.#guess(name));
		this.title = chat.title ?? this.#others(chat);
	}

	/** The person says which number is the day. */
	async chooseOrder(order: DateOrder): Promise<void> {
		this.order = order;
		await this.#read();
	}

	/** One participant is one person, and only one is oneself. */
	setWho(index: number, who: Who): void {
		this.people = this.people.map((each, at) => {
			if (at === index) return who;
			return who === 'me' && each === 'me' ? undefined : each;
		});
	}

	/** Writes what the preview shows. */
	async write(): Promise<void> {
		if (this.step.kind !== 'preview') return;
		const { chat } = this.step;
		this.step = { kind: 'writing', done: 0, total: chat.messages.length };
		const title = this.title.trim() || this.#others(chat);
		const choice = { title, people: this.people };
		const outcome = await orInterrupted(async () => {
			const files = await this.#app.client.files();
			return files.importChat(chat, choice, (done, total) => {
				this.step = { kind: 'writing', done, total };
			});
		});
		this.step = outcome.ok
			? { kind: 'done', outcome: outcome.value }
			: { kind: 'choose', failure: { kind: outcome.error } };
	}

	restart(): void {
		this.#file = undefined;
		this.step = { kind: 'choose', failure: undefined };
	}

	async #read(): Promise<void> {
		const file = this.#file;
		if (!file) return;
		this.step = { kind: 'reading' };
		const outcome = await orInterrupted(async () => {
			const files = await this.#app.client.files();
			return files.readChat(file, { order: this.order });
		});
		if (outcome.ok) this.step = { kind: 'preview', chat: outcome.value };
		else if (outcome.error === 'interrupted') {
			this.step = { kind: 'choose', failure: { kind: 'interrupted' } };
		} else this.step = { kind: 'choose', failure: outcome.error };
	}

	/** Somebody of the same name is most likely the same person. */
	#guess(name: string): Who {
		if (name === this.#app.me?.profile.name) return 'me';
		for (const { subject } of this.#app.conversations) {
			if (subject.kind === 'person' && subject.person.profile.name === name) {
				return subject.person.account;
			}
		}
		return undefined;
	}

	#others({ participants }: ForeignChat): string {
		const others = participants.filter((_, index) => this.people[index] !== 'me');
		return others
			.slice(0, 3)
			.map(({ name }) => name)
			.join(', ');
	}
}

/** The first messages that people wrote. */
export function firstMessages(chat: ForeignChat): readonly ForeignMessage[] {
	return chat.messages.filter(({ author }) => author !== undefined).slice(0, FIRST);
}
