// Who is blocked in the fake client, and who waits to be heard.
import type { Client } from '../../src/core/client.ts';
import type {
	AccountId,
	Conversation,
	ConversationId,
	Person,
	Report,
} from '../../src/core/model.ts';
import { personOf } from './fake-chat.ts';

/** What blocking needs of the client that it belongs to. */
interface FakeBlockingHost extends Pick<Client, 'members'> {
	readonly conversations: () => readonly Conversation[];
	readonly show: (id: ConversationId, change: Pick<Conversation, 'state'>) => void;
	/** Begins a conversation with somebody of this name. */
	readonly begin: (name: string) => ConversationId;
	readonly forget: (id: ConversationId) => void;
	readonly changed: () => void;
}

export class FakeBlocking implements Pick<
	Client,
	'setBlocked' | 'blocked' | 'writeTo' | 'answerStranger' | 'report' | 'reports' | 'forgetReport'
> {
	readonly #host: FakeBlockingHost;
	readonly #blocked = new Map<AccountId, Person>();
	#reports: readonly Report[] = [];

	constructor(host: FakeBlockingHost) {
		this.#host = host;
	}

	async setBlocked(account: AccountId, on: boolean): Promise<void> {
		const alone = this.#host.conversations().find(({ subject }) => {
			return subject.kind === 'person' && subject.person.account === account;
		});
		const person =
			alone?.subject.kind === 'person' ? alone.subject.person : await this.#member(account);
		if (on && person) this.#blocked.set(account, person);
		else this.#blocked.delete(account);
		if (alone) this.#host.show(alone.id, { state: { kind: on ? 'blocked' : 'open' } });
		this.#host.changed();
	}

	blocked(): Promise<readonly Person[]> {
		return Promise.resolve([...this.#blocked.values()].reverse());
	}

	async writeTo(account: AccountId): Promise<ConversationId | undefined> {
		const member = await this.#member(account);
		return member && this.#host.begin(member.profile.name);
	}

	answerStranger(id: ConversationId, answer: 'accept' | 'delete'): Promise<void> {
		if (answer === 'accept') this.#host.show(id, { state: { kind: 'open' } });
		else this.#host.forget(id);
		return Promise.resolve();
	}

	async report(...[account, , report]: Parameters<Client['report']>): Promise<void> {
		const all = this.#host.conversations().flatMap(({ subject }) => {
			return subject.kind === 'person' ? [subject.person] : [];
		});
		const person = all.find((each) => each.account === account) ?? (await this.#member(account));
		if (!person) return;
		const at = Date.now();
		const { name } = person.profile;
		this.#reports = [{ id: `${at}`, account, name, at, ...report, quotes: [] }, ...this.#reports];
	}

	reports = () => Promise.resolve(this.#reports);

	forgetReport(id: string): Promise<void> {
		this.#reports = this.#reports.filter((each) => each.id !== id);
		return Promise.resolve();
	}

	async #member(account: AccountId): Promise<Person | undefined> {
		const all = await Promise.all(
			this.#host.conversations().map(({ id }) => this.#host.members(id)),
		);
		const found = all.flat().find((member) => member.account === account);
		return found && personOf(account, found.profile);
	}
}
