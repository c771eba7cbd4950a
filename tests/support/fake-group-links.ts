// The links of groups of the fake client, and who asks by them.
import type { Client } from '../../src/core/client.ts';
import type {
	AccountId,
	Address,
	Conversation,
	ConversationId,
	GroupLink,
	GroupRefusal,
	JoinRequest,
	LinkTerms,
	Profile,
} from '../../src/core/model.ts';
import type { Result } from '../../src/core/ports.ts';

interface FakeLinkHost {
	readonly now: () => number;
	readonly id: () => Address;
	readonly fragment: () => string;
	readonly letIn: (id: ConversationId, account: AccountId, profile: Profile) => void;
	readonly show: (id: ConversationId, change: Partial<Conversation>) => void;
	readonly forget: (id: ConversationId) => unknown;
}

type Door = Pick<
	Client,
	| 'groupLink'
	| 'makeGroupLink'
	| 'changeGroupLink'
	| 'closeGroupLink'
	| 'joinRequests'
	| 'answerRequest'
	| 'withdrawRequest'
>;

export class FakeGroupLinks implements Door {
	readonly #host: FakeLinkHost;
	readonly #links = new Map<ConversationId, GroupLink>();
	readonly #requests = new Map<ConversationId, readonly JoinRequest[]>();
	/** Set to make every change fail this way. */
	refusal: GroupRefusal | undefined;

	constructor(host: FakeLinkHost) {
		this.#host = host;
	}

	/** People who wait to be let into this group. */
	setRequests(id: ConversationId, requests: readonly JoinRequest[]): void {
		this.#requests.set(id, requests);
		this.#host.show(id, { requests: requests.length });
	}

	groupLink(id: ConversationId): Promise<GroupLink | undefined> {
		return Promise.resolve(this.#links.get(id));
	}

	makeGroupLink(id: ConversationId, terms: LinkTerms): Promise<Result<GroupLink, GroupRefusal>> {
		if (this.refusal) return Promise.resolve({ ok: false, error: this.refusal });
		const link: GroupLink = {
			...terms,
			...{ address: this.#host.id(), fragment: this.#host.fragment() },
			...{ created: this.#host.now(), state: 'open' },
		};
		this.#put(id, link);
		return Promise.resolve({ ok: true, value: link });
	}

	changeGroupLink(id: ConversationId, terms: LinkTerms): Promise<Result<undefined, GroupRefusal>> {
		const link = this.#links.get(id);
		if (this.refusal || !link) {
			return Promise.resolve({ ok: false, error: this.refusal ?? { kind: 'closed' } });
		}
		this.#put(id, { ...link, ...terms });
		return Promise.resolve({ ok: true, value: undefined });
	}

	closeGroupLink(id: ConversationId): Promise<void> {
		const link = this.#links.get(id);
		if (link) this.#put(id, { ...link, state: 'revoked' });
		return Promise.resolve();
	}

	joinRequests(id: ConversationId): Promise<readonly JoinRequest[]> {
		return Promise.resolve(this.#requests.get(id) ?? []);
	}

	answerRequest(
		id: ConversationId,
		account: AccountId,
		answer: 'let-in' | 'decline',
	): Promise<Result<undefined, GroupRefusal>> {
		if (this.refusal) return Promise.resolve({ ok: false, error: this.refusal });
		const all = this.#requests.get(id) ?? [];
		const request = all.find((each) => each.account === account);
		this.setRequests(
			id,
			all.filter((each) => each !== request),
		);
		if (request && answer === 'let-in') this.#host.letIn(id, account, request.profile);
		return Promise.resolve({ ok: true, value: undefined });
	}

	withdrawRequest(id: ConversationId): Promise<boolean> {
		this.#host.forget(id);
		return Promise.resolve(true);
	}

	#put(id: ConversationId, link: GroupLink): void {
		this.#links.set(id, link);
		this.#host.show(id, {});
	}
}
