// The door to the chat for every context: intentions, queries, changes. It needs no lock and no connection;
// it writes intentions to the store and pokes, and the engine, wherever it runs, carries them out.
import type { Result } from './ports.ts';
import type {
	AccountId,
	Conversation,
	ConversationId,
	Invite,
	InvitePreview,
	LiveState,
	Me,
	Message,
	MessageId,
	Position,
	Profile,
	SendRefusal,
	Settings,
	StorageCondition,
} from './model.ts';

/** What changed since the last notice; the listener asks again for what it shows. */
export interface Change {
	readonly me: boolean;
	readonly settings: boolean;
	readonly invites: boolean;
	/** Conversations whose row in the list changed. */
	readonly conversations: ReadonlySet<ConversationId>;
	/** Conversations in which messages were added or changed. */
	readonly messages: ReadonlySet<ConversationId>;
	readonly live: boolean;
}

export interface MessagePage {
	/** Oldest first. */
	readonly messages: readonly Message[];
	readonly olderExist: boolean;
	readonly newerExist: boolean;
}

/** Which messages a page holds; at most 200. */
export type PageRequest =
	| { readonly at: 'end'; readonly limit: number }
	| { readonly at: 'before'; readonly position: Position; readonly limit: number }
	| { readonly at: 'after'; readonly position: Position; readonly limit: number }
	/** Half before and half from `position` on. */
	| { readonly at: 'around'; readonly position: Position; readonly limit: number };

export interface NewInvite {
	readonly kind: 'one-time' | 'reusable';
	/** ms since 1970, or undefined for the default (one-time: 7 days; reusable: until revoked). */
	readonly expires?: number;
}

/** What the person should do for notifications to work, first problem first. */
export type NotificationProblem =
	| 'unsupported'
	| 'needs-install'
	| 'permission-ask'
	| 'permission-denied'
	| 'no-relay'
	| 'no-subscription'
	| 'relay-cannot-push'
	| 'push-failed';

export interface Client {
	/** Undefined until `start`. */
	me(): Promise<Me | undefined>;
	/** Makes the identity of this device and the notes conversation. Idempotent: a second call changes nothing. */
	start(name: string): Promise<Me>;
	setProfile(profile: Profile): Promise<void>;

	/** Pinned first, then by newest message. */
	conversations(): Promise<readonly Conversation[]>;
	conversation(id: ConversationId): Promise<Conversation | undefined>;
	messages(id: ConversationId, page: PageRequest): Promise<MessagePage>;
	message(id: MessageId): Promise<Message | undefined>;
	/** Position of the first message that was not read when the conversation was opened. */
	firstUnread(id: ConversationId): Promise<Position | undefined>;

	/** Stores the message and its sending in one step; resolves when it is safe on this device. */
	send(
		id: ConversationId,
		text: string,
		replyTo?: MessageId,
	): Promise<Result<MessageId, SendRefusal>>;
	/** Queues a failed message again, with the same id. */
	retry(id: MessageId): Promise<void>;
	/** Takes a failed message away. */
	discard(id: MessageId): Promise<void>;
	saveDraft(id: ConversationId, text: string): Promise<void>;
	markRead(id: ConversationId, upTo: Position): Promise<void>;
	/** Call on each keystroke and with false on leaving; it throttles itself. */
	setTyping(id: ConversationId, on: boolean): void;
	setFlags(
		id: ConversationId,
		flags: { readonly pinned?: boolean; readonly muted?: boolean; readonly archived?: boolean },
	): Promise<void>;

	invites(): Promise<readonly Invite[]>;
	createInvite(options: NewInvite): Promise<Invite>;
	revokeInvite(address: Invite['address']): Promise<void>;
	/** `fragment`: what stands after `#`. Never uses a link up, never throws. */
	previewInvite(fragment: string): Promise<InvitePreview>;
	/**
	 * Opens the conversation with the inviter. Needs `start` first. The link is used up only when the first
	 * message reaches the relay. Returns the existing conversation for somebody already known.
	 */
	acceptInvite(fragment: string): Promise<Result<ConversationId, InvitePreview>>;

	/** 60 digits in groups of five, and what the QR code carries; undefined for notes. */
	safetyNumber(
		id: ConversationId,
	): Promise<{ readonly digits: string; readonly qr: Uint8Array } | undefined>;
	/** Compares what was scanned; marks the person as verified on a match. */
	compareSafetyNumber(
		id: ConversationId,
		scanned: Uint8Array,
	): Promise<'same' | 'different' | 'not-a-code'>;
	markVerified(account: AccountId, verified: boolean): Promise<void>;

	/**
	 * Lets this device be woken where the browser permits it already (it never prompts), renewing what is stale.
	 * Resolves with the first problem that is left, or undefined when notifications work.
	 */
	enableNotifications(): Promise<NotificationProblem | undefined>;
	/** Sends a wake the whole way: relay, push service, this device. Resolves as above. */
	testNotification(): Promise<NotificationProblem | undefined>;

	settings(): Promise<Settings>;
	changeSettings(change: Partial<Settings>): Promise<void>;

	/** A snapshot; compare by identity, it is replaced as a whole. */
	live(): LiveState;
	storage(): StorageCondition;
	/** Try the relay now: the person asked, or the browser said that the network is back. */
	reconnect(): void;

	/** Registers for changes made in any context, own ones included; returns how to stop. */
	watch(listener: (change: Change) => void): () => void;
	close(): void;
}
