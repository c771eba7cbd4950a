// The engine in whichever context leads: built from this origin's environment, connected to the tabs by words.
import { createGroupCrypto } from '../crypto/mls.ts';
import { openAccount, openIdentity, type StoredIdentity } from '../crypto/identity.ts';
import { runEngine, type Engine, type EngineEvents } from '../engine.ts';
import { createRelayLink } from '../links/relay-link.ts';
import type { CapsuleKeeping } from '../capsule-standing.ts';
import type { HistoryKeeping } from '../transfer.ts';
import type { GroupCrypto, Identity, Log, PeerLinks } from '../ports.ts';
import { openWords, type PushAnswer, type PushQuestion, type ToEngine } from './changes.ts';
import { systemClock, systemRandom, type Environment } from './environment.ts';

/** A tab that did not say so for this long is not looked at any more. */
const VISIBLE_FOR = 45_000;

export interface HostOptions {
	readonly environment: Environment;
	/** Of the relay. */
	readonly origin: string;
	readonly peers: PeerLinks | undefined;
	/** Of the identity of this device; undefined where no capsule is kept. Its code is loaded when the engine starts. */
	readonly capsules?: (stored: StoredIdentity) => Promise<CapsuleKeeping>;
	/** Undefined where no history is handed on. */
	readonly history?: () => Promise<HistoryKeeping>;
	readonly events: Pick<EngineEvents, 'received' | 'caughtUp'>;
	/** Of {@link prepareEngine}, where there was time for it. */
	readonly prepared?: Promise<EngineParts | undefined>;
	/** A page wants the lock. */
	yielded?(): void;
}

/** The keys of this device, and what is made of them. */
export interface EngineParts {
	readonly stored: StoredIdentity;
	readonly identity: Identity;
	readonly groups: GroupCrypto;
	readonly capsules: CapsuleKeeping | undefined;
	readonly history: HistoryKeeping | undefined;
}

type PartsOptions = Pick<HostOptions, 'capsules' | 'history'>;

/**
 * Makes what running needs while another context leads: taking over is then a matter of the socket alone. Undefined as long
 * as this device has no identity.
 */
export async function prepareEngine(
	environment: Pick<Environment, 'identity'>,
	options: PartsOptions,
): Promise<EngineParts | undefined> {
	const stored = await environment.identity();
	return stored && makeParts(stored, options);
}

async function makeParts(stored: StoredIdentity, options: PartsOptions): Promise<EngineParts> {
	const identity = openIdentity(stored);
	const groups = await createGroupCrypto({ identity, clock: systemClock });
	const capsules = await options.capsules?.(stored);
	return { stored, identity, groups, capsules, history: await options.history?.() };
}

/**
 * The parts for the keys as they are now: whoever came back by a recovery code while this context waited has others than
 * those that were prepared for. Undefined where `signal` aborts before there are any.
 */
export async function partsNow(
	options: PartsOptions & Pick<HostOptions, 'environment' | 'prepared'>,
	signal: AbortSignal,
): Promise<EngineParts | undefined> {
	const { environment, prepared } = options;
	const [found, parts] = await Promise.all([environment.identity(), prepared]);
	const stored = found ?? (await identityMade(environment, signal));
	if (!stored || signal.aborted) return undefined;
	if (parts?.stored.device === stored.device) return parts;
	return makeParts(stored, options);
}

const quietLog: Log = { info: () => undefined, warn: () => undefined };

/** Runs the engine until `signal` aborts. Waits for the identity of this device if there is none yet. */
export async function hostEngine(options: HostOptions, signal: AbortSignal): Promise<void> {
	const { environment } = options;
	const parts = await partsNow(options, signal);
	if (!parts || signal.aborted) return;
	const { stored, identity, groups, capsules, history } = parts;
	const store = environment.engineStore();
	const hosted = connectTabs(options);
	const engine = runEngine(
		{
			store,
			identity,
			account: openAccount(stored),
			groups,
			crypto: environment.crypto,
			relay: createRelayLink(options.origin),
			capsules,
			history,
			peers: options.peers,
			clock: systemClock,
			random: systemRandom,
			log: quietLog,
		},
		{
			...options.events,
			live: (state) => hosted.words.toTabs({ type: 'live', state }),
			storage: (failure) => hosted.words.toTabs({ type: 'storage', full: failure !== undefined }),
		},
	);
	hosted.start(engine);
	await new Promise<void>((resolve) => {
		if (signal.aborted) resolve();
		signal.addEventListener('abort', () => resolve(), { once: true });
	});
	engine.stop();
	hosted.stop();
}

/** The lock is taken before there is anybody to run for: the first tab's worker waits here. */
function identityMade(environment: Environment, signal: AbortSignal) {
	return new Promise<Awaited<ReturnType<Environment['identity']>>>((resolve) => {
		const stop = environment.store.watch((touched) => {
			if (!touched.some(({ store }) => store === 'me')) return;
			stop();
			resolve(environment.identity());
		});
		signal.addEventListener('abort', () => resolve(undefined), { once: true });
	});
}

function connectTabs({ yielded }: HostOptions) {
	let engine: Engine | undefined;
	const visibleUntil = new Map<string, number>();
	const words = openWords({ engine: heard });
	let cancelFade: () => void = () => undefined;

	function showVisible(): void {
		const now = systemClock.now();
		const until = Math.max(0, ...visibleUntil.values());
		engine?.setVisible(until > now);
		cancelFade();
		if (until > now) cancelFade = systemClock.schedule(until - now + 1, showVisible);
	}

	function heard(word: ToEngine): void {
		switch (word.type) {
			case 'typing':
				engine?.setTyping(word.conversation, word.on);
				break;
			case 'hurry':
				engine?.hurry();
				break;
			case 'visible':
				if (word.visible) visibleUntil.set(word.tab, systemClock.now() + VISIBLE_FOR);
				else visibleUntil.delete(word.tab);
				showVisible();
				break;
			case 'report':
				if (engine) words.toTabs({ type: 'live', state: engine.live() });
				break;
			case 'yield':
				yielded?.();
				break;
			case 'ask':
				void answer(word.question).then((answer) => {
					words.toTabs({ type: 'answer', id: word.id, answer });
				});
				break;
			default:
				word satisfies never;
		}
	}

	async function answer(question: PushQuestion): Promise<PushAnswer> {
		if (question.type === 'vapidKey') return { vapidKey: engine?.facts()?.vapidKey };
		return (await engine?.session.ask(question))?.type ?? 'unknown';
	}

	return {
		words,
		start(started: Engine) {
			engine = started;
			words.toTabs({ type: 'live', state: started.live() });
		},
		stop() {
			cancelFade();
			words.close();
		},
	};
}
