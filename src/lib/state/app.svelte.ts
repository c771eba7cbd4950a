// Everything the screens share: who one is, the list, the connection, the settings. It follows the client's
// notices and holds nothing that the client does not know.
import { createContext } from 'svelte';
import type { Change, Client, NotificationProblem } from '../../core/client.ts';
import {
	DEFAULT_SETTINGS,
	isLive,
	inListOrder,
	type AccountId,
	type Conversation,
	type ConversationId,
	type Invite,
	type LinkFailure,
	type LinkingDevice,
	type LiveState,
	type ComeBackFailure,
	type Me,
	type Person,
	type Presence,
	type Recovery,
	type Settings,
	type StorageCondition,
	type WayBack,
} from '../../core/model.ts';
import { m } from '../paraglide/messages.js';
import { createCanary, localStorageIfAllowed, type Canary, type Visit } from '../browser/canary.ts';
import { coalesce } from './coalesce.ts';
import { Groups } from './groups.svelte.ts';
import type { Look } from './look.svelte.ts';
import { People } from './people.svelte.ts';
import { openSession } from '#lib/state/session.ts';
import { Toasts } from './toasts.svelte.ts';

export type { NotificationProblem as Problem };

/** Up to so many changed conversations are read one by one. */
const MOST_SINGLE = 16;

export class App {
	readonly client: Client;
	readonly look: Look;
	readonly toasts = new Toasts();
	readonly people = new People(this);
	readonly groups: Groups;
	me = $state.raw<Me | undefined>();
	/** Undefined without a recovery code. */
	recovery = $state.raw<Recovery | undefined>();
	settings = $state.raw<Settings>(DEFAULT_SETTINGS);
	conversations = $state.raw<readonly Conversation[]>([]);
	invites = $state.raw<readonly Invite[]>([]);
	/** Who is blocked, the latest first. */
	blocked = $state.raw<readonly Person[]>([]);
	live: LiveState;
	storage: StorageCondition;
	visit = $state<Visit>('new');
	/** Rough current time for words like "yesterday"; ms. */
	now = $state(Date.now());
	/** Set once this visit has sent a message: the moment to offer installing and notifications. */
	hasSent = $state(false);

	/** The reminder of a backup was put off for this visit. */
	backupPostponed = $state(false);

	readonly unread = $derived(this.conversations.reduce((sum, each) => sum + countOf(each), 0));
	readonly unreadConversations = $derived(
		this.conversations.filter(
			(each) => each.unread > 0 && !each.archived && each.state.kind !== 'request',
		).length,
	);
	/** The reusable link that stands for this person. */
	readonly ownLink = $derived(
		this.invites.find((each) => each.address === this.me?.link && isLive(each)),
	);

	readonly #blockedAccounts = $derived(new Set(this.blocked.map(({ account }) => account)));

	readonly #canary: Canary;
	readonly #stops: (() => void)[] = [];
	/** Conversations that changed since the list was read; undefined: all of them. */
	#changed: Set<ConversationId> | undefined;
	readonly #readList = coalesce(async () => {
		const changed = this.#changed;
		this.#changed = new Set();
		if (changed && changed.size <= MOST_SINGLE) await this.#readEach(changed);
		else this.#show(await this.client.conversations());
	});
	readonly #readInvites = coalesce(async () => {
		this.invites = await this.client.invites();
	});

	readonly #readBlocked = coalesce(async () => {
		this.blocked = await this.client.blocked();
	});

	constructor(client: Client, look: Look) {
		const storage = localStorageIfAllowed();
		this.client = client;
		this.look = look;
		this.groups = new Groups(client, this.people);
		this.#canary = createCanary(storage);
		this.live = $state.raw(client.live());
		this.storage = $state.raw(client.storage());
	}

	/** Reads what is there and follows it from then on. */
	async start(): Promise<void> {
		this.#stops.push(this.client.watch((change) => this.#follow(change)));
		const tick = setInterval(() => (this.now = Date.now()), 30_000);
		this.#stops.push(() => clearInterval(tick));
		const { client } = this;
		const found = await Promise.all([client.me(), client.settings(), client.recovery()]);
		const [me, settings, recovery] = found;
		this.me = me;
		this.recovery = recovery;
		this.#useSettings(settings);
		if (me) await Promise.all([this.#readList(), this.#readInvites(), this.#readBlocked()]);
		this.visit = this.#canary.visit({
			hasIdentity: me !== undefined,
			persistent: this.storage.kind !== 'memory',
		});
		if (me) this.#canary.set();
	}

	close(): void {
		for (const stop of this.#stops.splice(0)) stop();
		this.client.close();
	}

	/** Makes this person's identity. */
	async begin(name: string): Promise<void> {
		await this.#arrive(await this.client.start(name));
	}

	/** Makes this browser the one of the person with this recovery code or passkey; undefined once it is. */
	async comeBack(by: WayBack): Promise<ComeBackFailure | undefined> {
		const back = await this.client.comeBack(by);
		if (!back.ok) return back.error;
		await this.#arrive(back.value);
		return undefined;
	}

	/** Waits until another device of the person took this browser in; undefined once it is theirs. */
	async become({ done }: LinkingDevice): Promise<LinkFailure | undefined> {
		const outcome = await done;
		if (!outcome.ok) return outcome.error;
		await this.#arrive(outcome.value);
		return undefined;
	}

	/** The person accepts that what the browser cleared is gone. */
	startAgain(): void {
		this.#canary.forget();
		this.visit = 'new';
	}

	/** Makes the reusable link if there is none. */
	async ensureOwnLink(): Promise<void> {
		await this.client.ownInvite();
		this.me = await this.client.me();
		await this.#readInvites();
	}

	/** Resolves once it is kept. Where it cannot be, the screen shows again what is, and says so. */
	async change(settings: Partial<Settings>): Promise<void> {
		// On screen at once; the store's own notice confirms it.
		this.#useSettings({ ...this.settings, ...settings });
		try {
			await this.client.changeSettings(settings);
		} catch {
			this.#useSettings(await this.client.settings());
			this.toasts.show(m.setting_failed());
		}
	}

	conversation(id: ConversationId): Conversation | undefined {
		return this.conversations.find((each) => each.id === id);
	}

	isBlocked(account: AccountId): boolean {
		return this.#blockedAccounts.has(account);
	}

	/** The id in an address; one that is not known is answered by "no such conversation". */
	idOf(param: string | undefined): ConversationId {
		return (param ?? '') as ConversationId;
	}

	presence(id: ConversationId): Presence {
		const known = this.live.presence.get(id);
		if (known) return known;
		const { kind } = this.live.connection;
		const reachable = kind === 'online' || kind === 'updating';
		return { path: reachable ? 'relay' : 'offline', online: false, typing: false, typists: [] };
	}

	async #arrive(me: Me): Promise<void> {
		this.me = me;
		this.#canary.set();
		this.visit = 'known';
		await Promise.all([this.#readList(), this.#readInvites()]);
	}

	/** A message touches one row of what may be a thousand. */
	async #readEach(changed: ReadonlySet<ConversationId>): Promise<void> {
		const found = await Promise.all([...changed].map((id) => this.client.conversation(id)));
		const rows = found.filter((each) => each !== undefined);
		const others = this.conversations.filter(({ id }) => !changed.has(id));
		this.#show(rows, others);
	}

	#show(read: readonly Conversation[], others: readonly Conversation[] = []): void {
		this.conversations = [...others, ...read].sort(inListOrder);
		for (const each of read) if (each.subject.kind === 'group') void this.groups.follow(each);
	}

	#useSettings(settings: Settings): void {
		this.settings = settings;
		this.look.use(settings);
	}

	#follow(change: Change): void {
		if (change.live) this.live = this.client.live();
		this.storage = this.client.storage();
		for (const id of change.conversations) this.#changed?.add(id);
		if (change.conversations.size > 0) void this.#readList();
		if (change.invites) void this.#readInvites();
		if (change.blocked) void this.#readBlocked();
		if (change.me) {
			void this.client.me().then((me) => (this.me = me));
			void this.client.recovery().then((recovery) => (this.recovery = recovery));
		}
		if (change.settings) void this.client.settings().then((found) => this.#useSettings(found));
	}
}

/** What the badge counts of it: through mute mentions alone; strangers wait until the list is looked at. */
function countOf({ muted, mentions, unread, state }: Conversation): number {
	if (state.kind === 'request') return 0;
	return muted ? mentions.length : unread;
}

/** Opens the chat of this device and reads what the first screen needs. */
export async function openApp(look: Look): Promise<App> {
	const app = new App(await openSession(), look);
	await app.start();
	return app;
}

const [getHolder, setAppHolder] = createContext<() => App | undefined>();
export { setAppHolder };

/** For everything below the one component that opens the app; there it is always open. */
export function getApp(): App {
	const app = getHolder()();
	if (!app) throw new Error('the app is not open yet');
	return app;
}
