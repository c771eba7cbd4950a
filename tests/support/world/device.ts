// One device of the world: the true engine and client on a disk that outlives them. Crashing it throws engine and client
// away between any two steps; what was committed stays.
import { history } from '../../../src/core/hosts/history.ts';
import { capsuleKeeping } from '../../../src/core/capsule-keeper.ts';
import { openClient, type Client } from '../../../src/core/client.ts';
import { createGroupCrypto } from '../../../src/core/crypto/mls.ts';
import { smallCrypto } from '../../../src/core/crypto/small-crypto.ts';
import { createFiles } from '../../../src/core/hosts/files.ts';
import { comeBackTo, recoveryWith } from '../../../src/core/hosts/recovery.ts';
import { runEngine, type Engine } from '../../../src/core/engine.ts';
import { linkThisDevice } from '../../../src/core/linking.ts';
import type { LiveState } from '../../../src/core/model.ts';
import type {
	AccountPort,
	Clock,
	GroupCrypto,
	Identity,
	RelayLink,
	Store,
} from '../../../src/core/ports.ts';
import {
	createMemoryDisk,
	createMemoryStore,
	type MemoryDisk,
} from '../../../src/core/storage/memory-store.ts';
import { Seeded } from './seeded.ts';
import { anotherDevice, seededIdentity } from './seeded-identity.ts';
import { HOST, RelayWire } from './wire.ts';
import type { World } from './world.ts';

/** Dies at a commit: before it is made, or after it is made and before anybody hears of it. */
export type CrashPoint = { readonly commitsLeft: number; readonly made: boolean };

interface Keys {
	readonly identity: Identity;
	readonly account: AccountPort;
	readonly groups: GroupCrypto;
}

const OFFLINE: LiveState = {
	connection: { kind: 'starting' },
	presence: new Map(),
	clockSkew: undefined,
	relay: undefined,
};

export class Device {
	readonly name: string;
	readonly disk: MemoryDisk = createMemoryDisk();
	/** Own clock minus the world's, ms. */
	skew: number;
	readonly #world: World;
	readonly #random: Seeded;
	#keys: Keys | undefined;
	#life = 0;
	#crash: CrashPoint | undefined;
	engine: Engine | undefined;
	client!: Client;
	wire: RelayWire | undefined;
	/** Runs as a service worker does: nothing of what takes long. */
	inBackground = false;
	/** Nobody is in this browser: not yet, or it was cleared. */
	isBlank = false;
	/** No network at all while set. */
	offline = false;

	constructor(world: World, name: string, skew: number) {
		this.#world = world;
		this.name = name;
		this.skew = skew;
		// A stream of its own: what this device draws must not change what others draw.
		this.#random = new Seeded(world.random.below(2 ** 31));
	}

	get keys(): Keys {
		if (!this.#keys) throw new Error(`${this.name} has not started`);
		return this.#keys;
	}

	get identity(): Identity {
		return this.keys.identity;
	}

	/** First start of a person, or the return of their device after a crash. */
	async start(): Promise<void> {
		this.isBlank = false;
		const clock = this.#clock();
		this.#keys ??= await this.#newKeys(clock);
		const { identity, groups, account } = this.#keys;
		const life = ++this.#life;
		// Counted inside, so that what dies with the device is not waited for.
		const store = this.#mortal(this.#world.busy.watch(createMemoryStore(this.disk)), life);
		const relay = this.#relayLink(life);
		const random = this.#random;
		const { busy } = this.#world;
		const crypto = busy.order(smallCrypto);
		this.engine = runEngine(
			{
				store,
				identity: busy.order(identity),
				account: busy.order(account),
				groups: busy.order(groups),
				crypto,
				relay,
				history: this.inBackground ? undefined : history,
				capsules: this.inBackground
					? undefined
					: capsuleKeeping(busy.order(recoveryWith(identity, () => account.exportAccount()))),
				peers: this.#world.direct ? this.#world.air.port() : undefined,
				clock,
				random,
				log: {
					info: () => undefined,
					warn: (event, fields) => this.#world.note(this, event, fields),
				},
			},
			{
				live: () => undefined,
				received: () => undefined,
				storage: () => undefined,
				caughtUp: () => undefined,
			},
		);
		this.client = this.openClient();
		await this.client.start(this.name);
	}

	/** A browser with nobody in it; its person comes back with a code, and then `start`s. */
	open(): void {
		this.isBlank = true;
		this.client = this.openClient();
	}

	/** The door of another tab. */
	openClient(): Client {
		const engine = () => this.engine;
		return openClient({
			store: createMemoryStore(this.disk),
			crypto: this.#world.busy.order(smallCrypto),
			relay: this.#relayLink(this.#life),
			clock: this.#clock(),
			random: this.#random,
			engine: {
				setTyping: (id, on) => engine()?.setTyping(id, on),
				hurry: () => engine()?.hurry(),
				live: () => engine()?.live() ?? OFFLINE,
				watch: () => () => undefined,
				storage: () => ({ kind: 'kept', persistent: true }),
				enableNotifications: () => Promise.resolve(undefined),
				testNotification: () => Promise.resolve(undefined),
			},
			files: () =>
				Promise.resolve(
					createFiles({
						store: this.openStore(),
						crypto: smallCrypto,
						clock: this.#clock(),
						random: this.#random,
					}),
				),
			comeBack: (by) =>
				comeBackTo(
					{
						store: this.openStore(),
						crypto: smallCrypto,
						relay: this.#relayLink(this.#life),
						clock: this.#clock(),
						restoreIdentity: (account, secret) => this.#adopt({ account, secret, joins: false }),
					},
					by,
				),
			linkThisDevice: () =>
				linkThisDevice({
					store: this.openStore(),
					crypto: this.#world.busy.order(smallCrypto),
					relay: this.#relayLink(this.#life),
					clock: this.#clock(),
					random: this.#random,
					joinIdentity: (account, secret) => this.#adopt({ account, secret, joins: true }),
				}),
			createIdentity: () => Promise.resolve(this.identity),
		});
	}

	/** A store on its disk beside the engine's, as another tab opens one. */
	openStore(): Store {
		return createMemoryStore(this.disk);
	}

	/** A planned crash does not come any more. */
	spare(): void {
		this.#crash = undefined;
	}

	/** Now, or at one of the next commits. */
	crash(point?: CrashPoint): void {
		if (point) {
			this.#crash = point;
			return;
		}
		this.#crash = undefined;
		this.#life++;
		this.wire?.cut();
		this.wire = undefined;
		if (this.#keys) this.#world.air.leave(this.#keys.identity.device);
		this.engine?.stop();
		this.engine = undefined;
	}

	/** See {@link World.fingerprint}. */
	get drawn(): number {
		return this.#random.state;
	}

	get running(): boolean {
		return this.engine !== undefined;
	}

	/** Has somebody in it, and is closed. */
	get isOff(): boolean {
		return !this.running && !this.isBlank;
	}

	/** Its person's browser takes everything away. Nobody opens it again. */
	clear(): void {
		this.crash();
		this.isBlank = true;
	}

	#named(clock: Clock) {
		return { deviceName: this.name, created: clock.now() };
	}

	async #newKeys(clock: Clock): Promise<Keys> {
		return this.#hold(await seededIdentity(this.#random, this.#named(clock)), clock);
	}

	/** Keys of a person who comes back, or of one more device. */
	async #adopt(whose: Parameters<typeof anotherDevice>[2]): Promise<Identity | undefined> {
		const clock = this.#clock();
		const { busy } = this.#world;
		const made = busy.watch({ anotherDevice });
		const identity = await made.anotherDevice(this.#random, this.#named(clock), whose);
		if (identity) this.#keys = await this.#hold(identity, clock);
		return identity;
	}

	async #hold(
		identity: Identity & { readonly accountPort: AccountPort },
		clock: Clock,
	): Promise<Keys> {
		const groups = await createGroupCrypto({ identity, clock });
		return { identity, account: identity.accountPort, groups };
	}

	#clock(): Clock {
		const { clock } = this.#world;
		return {
			now: () => clock.now() + this.skew,
			schedule: (ms, call) => {
				const life = this.#life;
				return clock.schedule(Math.ceil(ms), () => {
					if (life === this.#life) call();
				});
			},
		};
	}

	/** A store that stops answering when its device dies. */
	#mortal(store: Store, life: number): Store {
		const dead = () => this.#life !== life;
		const never = <Value>() => new Promise<Value>(() => undefined);
		return {
			...store,
			transact: async (body) => {
				if (dead()) return never();
				const point = this.#crash;
				if (!point) return store.transact(body);
				if (point.commitsLeft > 0) {
					this.#crash = { ...point, commitsLeft: point.commitsLeft - 1 };
					return store.transact(body);
				}
				if (point.made) await store.transact(body);
				queueMicrotask(() => this.crash());
				return never();
			},
		};
	}

	#relayLink(life: number): RelayLink {
		return {
			host: HOST,
			connect: (handlers) => {
				const relay = this.#world.relay;
				if (this.offline || !relay || this.#life !== life) {
					queueMicrotask(() => handlers.closed());
					return { send: () => false, close: () => undefined };
				}
				this.wire = new RelayWire(relay, this.name, handlers);
				this.#world.plug(this, this.wire);
				return this.wire.connection;
			},
			fetchCapsule: async (capsule) => {
				const relay = this.#world.relay;
				if (this.offline || !relay) return undefined;
				const answer = await relay.fetchCapsule(capsule, this.name);
				return answer.ok ? answer.sealed : undefined;
			},
			look: async (address) => {
				const relay = this.#world.relay;
				if (this.offline || !relay) return undefined;
				const answer = await relay.lookUp(address, this.name);
				if (!answer.ok) return undefined;
				const { state, card, latecomer } = answer;
				return { type: 'looked', request: 0, state, card, latecomer };
			},
		};
	}
}
