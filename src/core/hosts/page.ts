// A tab: opens the client for its screens, keeps a worker that waits to lead, lends it WebRTC, and knows what only a page
// knows: whether it is looked at, and how the browser lets itself be woken.
import { openClient, type Client, type EngineRemote } from '../client.ts';
import { toBase64Url } from '../../protocol/ids.ts';
import type { Files } from '../files.ts';
import type { StoredIdentity } from '../crypto/identity.ts';
import type { ConversationId, LiveState, StorageCondition } from '../model.ts';
import { createRelayLink } from '../links/relay-link.ts';
import { openWords, type FromEngine, type ToEngine } from './changes.ts';
import { openEnvironment, systemClock, systemRandom, type Environment } from './environment.ts';
import type { NoticePhrases } from './notices.ts';
import type { PageNotices } from './page-notices.ts';
import { lendPeerLinks } from './peer-loan.ts';
import { createPush } from './push.ts';
import type { FromWorker, WorkerStart } from './worker.ts';

/** Well inside the time after which the engine forgets a tab. */
const SAY_VISIBLE_EVERY = 20_000;
const SYNC_TAG = 'kith-outbox';

export type { NoticePhrases } from './notices.ts';

export interface PageOptions {
	/** Of the relay: this page's own. */
	readonly origin: string;
	/** Makes the engine's worker; the bundler must see the URL at its call. */
	createWorker(): Worker;
	/** Makes the worker for files. */
	createFilesWorker(): Worker;
	/** For notifications while no tab is looked at. */
	phrases(): Promise<NoticePhrases>;
	/** A newer version of the app has changed the database; this one must be loaded again. */
	outdated(): void;
}

/** Starts the chat in this tab. */
export async function startClient(options: PageOptions): Promise<Client> {
	const environment = await openEnvironment(options.outdated);
	const remote = connectEngine(environment);
	const notices = noticesOf(environment, () => options.phrases());
	const received = (conversations: readonly ConversationId[]) => {
		if (!remote.someoneLooks()) void notices()?.then(({ tell }) => tell(conversations));
	};
	if (environment.kind === 'kept') startWorker(options, remote, received);
	else startHere(options, environment, received);
	clearWhenRead(environment, notices);
	sayVisibility(remote.say);
	const client = openClient({
		store: environment.store,
		crypto: environment.crypto,
		relay: createRelayLink(options.origin),
		clock: systemClock,
		random: systemRandom,
		engine: remote.engine,
		files: loadFiles(environment, options.createFilesWorker),
		comeBack: async (by) => {
			const { comeBackTo } = await import('./recovery.ts');
			const { store, crypto, restoreIdentity } = environment;
			const relay = createRelayLink(options.origin);
			return comeBackTo({ store, crypto, relay, clock: systemClock, restoreIdentity }, by);
		},
		linkThisDevice: async () => {
			const { linkThisDevice } = await import('../linking.ts');
			const { store, crypto, joinIdentity } = environment;
			const relay = createRelayLink(options.origin);
			const [clock, random] = [systemClock, systemRandom];
			return linkThisDevice({ store, crypto, relay, clock, random, joinIdentity });
		},
		createIdentity: () => environment.createIdentity(),
	});
	sendWhenBack(environment, remote.engine);
	return client;
}

/** Its code comes at the first call; one that could not be loaded is tried again. */
function loadFiles(environment: Environment, createWorker: () => Worker): () => Promise<Files> {
	let files: Promise<Files> | undefined;
	return async () => {
		files ??= import('./files-page.ts').then(({ openFiles }) =>
			openFiles(environment, createWorker),
		);
		try {
			return await files;
		} catch (error) {
			files = undefined;
			throw error;
		}
	};
}

interface Remote {
	readonly engine: EngineRemote;
	say(word: ToEngine): void;
	/** Nobody else looks at the app: a message that comes in deserves a notification. */
	someoneLooks(): boolean;
}

const STARTING: LiveState = {
	connection: { kind: 'starting' },
	presence: new Map(),
	clockSkew: undefined,
	relay: undefined,
};

function connectEngine(environment: Environment): Remote {
	let live = STARTING;
	let storage: StorageCondition =
		environment.kind === 'memory' ? { kind: 'memory' } : { kind: 'kept', persistent: false };
	const listeners = new Set<() => void>();
	const othersVisible = new Map<string, number>();
	const changed = () => {
		for (const listener of [...listeners]) listener();
	};

	function heard(word: FromEngine): void {
		if (word.type === 'live') live = word.state;
		if (word.type === 'storage') {
			storage = word.full ? { kind: 'full' } : { kind: 'kept', persistent: false };
			if (!word.full) void askPersistence();
		}
		if (word.type === 'answer') push.answered(word.id, word.answer);
		else changed();
	}

	async function askPersistence(): Promise<void> {
		if (storage.kind !== 'kept') return;
		const persistent = (await navigator.storage.persisted()) ?? false;
		if (storage.kind !== 'kept' || storage.persistent === persistent) return;
		storage = { kind: 'kept', persistent };
		changed();
	}

	const words = openWords({
		tabs: heard,
		engine: (word) => {
			if (word.type !== 'visible') return;
			if (word.visible) othersVisible.set(word.tab, systemClock.now() + SAY_VISIBLE_EVERY * 2);
			else othersVisible.delete(word.tab);
		},
	});
	const push = createPush(words.toEngine, () => live.connection.kind);
	words.toEngine({ type: 'report' });
	void askPersistence();
	return {
		say: words.toEngine,
		someoneLooks: () =>
			document.visibilityState === 'visible' ||
			[...othersVisible.values()].some((until) => until > systemClock.now()),
		engine: {
			setTyping: (conversation, on) => words.toEngine({ type: 'typing', conversation, on }),
			hurry: () => words.toEngine({ type: 'hurry' }),
			live: () => live,
			storage: () => storage,
			watch(listener) {
				listeners.add(listener);
				return () => listeners.delete(listener);
			},
			enableNotifications: push.enable,
			testNotification: push.test,
		},
	};
}

type Received = (conversations: readonly ConversationId[]) => void;

function startWorker(
	{ origin, createWorker }: PageOptions,
	remote: Remote,
	received: Received,
): void {
	const worker = createWorker();
	worker.onmessage = ({ data }) => {
		const message = data as FromWorker;
		if (message.type === 'received') received(message.conversations);
	};
	const loan = new MessageChannel();
	const hasWebRtc = typeof RTCPeerConnection !== 'undefined';
	if (hasWebRtc) {
		lendPeerLinks(loan.port1, async () => {
			const { createPeerLinks } = await import('../links/peer-links.ts');
			return createPeerLinks();
		});
	}
	const peers = hasWebRtc ? loan.port2 : undefined;
	worker.postMessage({ origin, peers } satisfies WorkerStart, hasWebRtc ? [loan.port2] : []);
	// An engine in the service worker ends as soon as a page is there to lead.
	remote.say({ type: 'yield' });
}

/** Without IndexedDB there is nothing to share with a worker: the engine runs in the page. */
function startHere(options: PageOptions, environment: Environment, received: Received): void {
	const events = {
		received: (conversations: ReadonlySet<ConversationId>) => received([...conversations]),
		caughtUp: () => undefined,
	};
	// Loaded only where it runs: a tab with a worker needs none of the cryptography.
	void import('./engine-host.ts').then(({ hostEngine }) => {
		const { origin } = options;
		const forEver = new AbortController().signal;
		const capsules = async (stored: StoredIdentity) =>
			(await import('./recovery.ts')).capsulesOf(stored);
		const history = async () => (await import('./history.ts')).history;
		const ports = { environment, origin, peers: undefined, capsules, history, events };
		return hostEngine(ports, forEver);
	});
}

/** Telling and clearing; the code comes with the first of them that may happen at all. */
function noticesOf(
	environment: Environment,
	phrases: PageOptions['phrases'],
): () => Promise<PageNotices> | undefined {
	let notices: Promise<PageNotices> | undefined;
	return () => {
		if (!('serviceWorker' in navigator) || !('Notification' in globalThis)) return undefined;
		if (Notification.permission !== 'granted') return undefined;
		notices ??= Promise.all([import('./page-notices.ts'), phrases()]).then(([room, words]) =>
			room.createPageNotices(environment.store, words),
		);
		return notices;
	};
}

/** A conversation read here, or in any other tab, needs no notification any more. */
function clearWhenRead(
	{ store }: Environment,
	notices: () => Promise<PageNotices> | undefined,
): void {
	store.watch((touched) => {
		const ids = touched.filter((row) => row.store === 'conversations').map(({ key }) => key);
		if (ids.length > 0) void notices()?.then(({ clear }) => clear(new Set(ids)));
	});
}

function sayVisibility(say: (word: ToEngine) => void): void {
	const tab = toBase64Url(systemRandom.bytes(8));
	const tell = () => {
		const visible = document.visibilityState === 'visible';
		say({ type: 'visible', tab, visible });
		if (visible) say({ type: 'hurry' });
	};
	document.addEventListener('visibilitychange', tell);
	addEventListener('pageshow', tell);
	addEventListener('online', () => say({ type: 'hurry' }));
	addEventListener('pagehide', () => say({ type: 'visible', tab, visible: false }));
	setInterval(() => {
		if (document.visibilityState === 'visible') say({ type: 'visible', tab, visible: true });
	}, SAY_VISIBLE_EVERY);
	tell();
}

/** Where the browser can, the outbox is sent in the background once the network is back (Background Sync). */
function sendWhenBack(environment: Environment, engine: EngineRemote): void {
	if (!('serviceWorker' in navigator)) return;
	environment.store.watch((touched) => {
		const { kind } = engine.live().connection;
		// Also while mail comes in: each of its receipts would wake the service worker to send what is being sent.
		if (kind === 'online' || kind === 'updating') return;
		if (!touched.some(({ store }) => store === 'outbox')) return;
		void navigator.serviceWorker.ready.then(async (registration) => {
			if (!('sync' in registration)) return;
			const { sync } = registration as unknown as {
				sync: { register(tag: string): Promise<void> };
			};
			await sync.register(SYNC_TAG).catch(() => undefined); // refused without permission: the page does it
		});
	});
}
