// The invite links of the fake client.
import type { Client, NewInvite } from '../../src/core/client.ts';
import {
	isLive,
	type Address,
	type ConversationId,
	type Invite,
	type InvitePreview,
} from '../../src/core/model.ts';
import type { Result } from '../../src/core/ports.ts';

const DAY = 86_400_000;

/** What the links need of the client that they belong to. */
interface FakeInviteHost {
	readonly now: () => number;
	readonly id: () => Address;
	readonly fragment: () => string;
	readonly isOnline: () => boolean;
	/** Begins a conversation with somebody of this name. */
	readonly begin: (name: string) => ConversationId;
	/** Asks to be let into a group. */
	readonly ask: (group: Extract<InvitePreview, { kind: 'group' }>) => ConversationId;
	readonly changed: () => void;
}

export class FakeInvites implements Pick<
	Client,
	'invites' | 'createInvite' | 'ownInvite' | 'revokeInvite' | 'previewInvite' | 'acceptInvite'
> {
	readonly #host: FakeInviteHost;
	readonly #previews = new Map<string, InvitePreview>();
	#invites: Invite[] = [];
	/** The link that stands for the person. */
	own: Address | undefined;

	constructor(host: FakeInviteHost) {
		this.#host = host;
	}

	setPreview(fragment: string, preview: InvitePreview): void {
		this.#previews.set(fragment, preview);
	}

	invites(): Promise<readonly Invite[]> {
		return Promise.resolve(this.#invites);
	}

	createInvite({ kind, expires }: NewInvite): Promise<Invite> {
		const { now, id, fragment, isOnline, changed } = this.#host;
		const invite: Invite = {
			address: id(),
			fragment: fragment(),
			kind,
			created: now(),
			expires: expires ?? (kind === 'one-time' ? now() + 7 * DAY : undefined),
			state: isOnline() ? 'open' : 'pending',
		};
		this.#invites = [invite, ...this.#invites];
		changed();
		return Promise.resolve(invite);
	}

	async ownInvite(): Promise<Invite> {
		const known = this.#invites.find((each) => each.address === this.own && isLive(each));
		if (known) return known;
		const made = await this.createInvite({ kind: 'reusable' });
		this.own = made.address;
		return made;
	}

	revokeInvite(address: Address): Promise<void> {
		this.#invites = this.#invites.map((each) =>
			each.address === address ? { ...each, state: 'revoked' } : each,
		);
		this.#host.changed();
		return Promise.resolve();
	}

	previewInvite(fragment: string): Promise<InvitePreview> {
		if (this.#invites.some((each) => each.fragment === fragment))
			return Promise.resolve({ kind: 'own' });
		return Promise.resolve(this.#previews.get(fragment) ?? { kind: 'broken' });
	}

	async acceptInvite(fragment: string): Promise<Result<ConversationId, InvitePreview>> {
		const preview = await this.previewInvite(fragment);
		if (preview.kind === 'group') {
			return { ok: true, value: preview.existing ?? this.#host.ask(preview) };
		}
		if (preview.kind !== 'open') return { ok: false, error: preview };
		if (preview.existing) return { ok: true, value: preview.existing };
		return { ok: true, value: this.#host.begin(preview.profile.name) };
	}
}
