// Keeps what the relay has under the person's recovery code up to date, and notices when another device took it over: then
// the person came back elsewhere, and this device only shows what it has.
import { toBase64Url } from '../protocol/ids.ts';
import { REFUSALS } from '../protocol/errors.ts';
import { capsuleBytes, type CapsuleBytes } from './capsule-content.ts';
import type { EngineContext } from './context.ts';
import type { CapsuleKeeper, CapsuleKeeping, Standing } from './capsule-standing.ts';
import type { CapsuleKeys, RecoveryPorts, Touched } from './ports.ts';
import type { RelaySession } from './relay-session.ts';
import type { Passkey, RecoveryRow } from './recovery-model.ts';
import { ONLY, type StoreName } from './records.ts';

/** After somebody or something new, ms: what belongs to it comes a moment later. */
const SOON = 10_000;
/** Between two looks at what only changed, and between two puts, ms. */
const SELDOM = 10 * 60_000;
const BETWEEN_PUTS = 2 * 60_000;
const RETRY_AFTER = 60_000;

/** Of one row each, or changed by the person alone. */
const OWN: ReadonlySet<StoreName> = new Set<StoreName>(['me', 'settings']);
const KNOWN: ReadonlySet<StoreName> = new Set<StoreName>([
	...(['people', 'conversations', 'groups', 'invites'] as const),
]);

/** The keeper of a device that `recovery` knows the account of. */
export function capsuleKeeping(recovery: RecoveryPorts): CapsuleKeeping {
	return (context, session, signedOut) => new Keeper({ context, recovery, session, signedOut });
}

interface KeeperPorts {
	readonly context: EngineContext;
	readonly recovery: RecoveryPorts;
	readonly session: () => RelaySession;
	readonly signedOut: () => void;
}

class Keeper implements CapsuleKeeper {
	readonly #ports: KeeperPorts;
	/** Rows that were looked at. */
	readonly #seen = new Set<string>();
	#due = Infinity;
	#cancel: () => void = () => undefined;
	#lookedAt = -Infinity;
	#putAt = -Infinity;

	constructor(ports: KeeperPorts) {
		this.#ports = ports;
	}

	touched(rows: readonly Touched[]): void {
		const now = this.#ports.context.clock.now();
		for (const { store, key } of rows) {
			if (store === 'recovery') this.#plan(now);
			if (OWN.has(store)) this.#plan(now + SOON);
			if (!KNOWN.has(store)) continue;
			const isNew = !this.#seen.has(`${store}/${key}`);
			this.#seen.add(`${store}/${key}`);
			this.#plan(isNew ? now + SOON : Math.max(now + SOON, this.#lookedAt + SELDOM));
		}
	}

	async told(standing: Standing): Promise<void> {
		const { store, crypto } = this.#ports.context;
		const row = await store.get('recovery', ONLY);
		const keys = row && (await crypto.capsuleKeys(row.code));
		if (!keys) return;
		if (standing === 'ours' && row.digest !== undefined) await this.#saved(row, row);
		if (standing === 'taken') await this.#taken(keys);
		if (standing === 'lost') await this.#lost(row);
	}

	#plan(at: number): void {
		if (at >= this.#due) return;
		const { clock, lanes } = this.#ports.context;
		this.#cancel();
		this.#due = at;
		this.#cancel = clock.schedule(Math.max(0, at - clock.now()), () => {
			this.#due = Infinity;
			lanes.run('capsule', () => this.keep());
		});
	}

	async keep(): Promise<void> {
		const { context, recovery, session } = this.#ports;
		const { store, clock, crypto } = context;
		const row = await store.get('recovery', ONLY);
		const keys = row && (await crypto.capsuleKeys(row.code));
		if (!row || !keys || !session().caughtUp) return;
		if ((await store.get('me', ONLY))?.signedOut !== undefined) return;
		this.#lookedAt = clock.now();
		const content = await capsuleBytes(context, recovery);
		if (!content) return;
		const digest = toBase64Url(await crypto.sha256(content.bytes));
		if (digest === row.digest) return;
		// What the person has just asked for is not put off: they may close the tab.
		const waits = row.digest !== undefined && clock.now() < this.#putAt + BETWEEN_PUTS;
		if (waits) this.#plan(this.#putAt + BETWEEN_PUTS);
		else await this.#put(row, keys, { content, digest });
	}

	async #put(row: RecoveryRow, keys: CapsuleKeys, kept: Kept): Promise<void> {
		const sealed = await keys.seal(kept.content.bytes);
		this.#putAt = this.#ports.context.clock.now();
		const { capsule } = keys;
		const { takesOver, passkey } = row;
		const pointer = passkey && (await this.#pointerOf(passkey, row.code));
		const question = { type: 'putCapsule', capsule, sealed, takesOver, pointer } as const;
		const answer = await this.#ports.session().ask(question);
		const { leftOut } = kept.content;
		if (answer.type === 'accepted') await this.#saved(row, { digest: kept.digest, leftOut });
		else if (answer.type === 'refused') await this.#refused(row, keys, answer);
	}

	async #pointerOf({ secret }: Passkey, code: string) {
		const keys = await this.#ports.recovery.passkeyKeys(secret);
		// As it was typed it may be longer than what a pointer holds.
		const letters = code.toUpperCase().replaceAll(/[^0-9A-Z]/gu, '');
		const sealed = await keys?.seal(new TextEncoder().encode(letters));
		return keys && sealed && { capsule: keys.capsule, sealed };
	}

	async #saved(
		{ code, passkey }: RecoveryRow,
		{ digest, leftOut }: Pick<RecoveryRow, 'digest' | 'leftOut'>,
	): Promise<void> {
		const { persist, clock } = this.#ports.context;
		const savedAt = clock.now();
		await persist(async (tx) => {
			const row = await tx.get('recovery', ONLY);
			// Of a code or passkey that was renewed meanwhile nothing is kept yet.
			if (row?.code !== code || row.passkey?.made !== passkey?.made) return;
			tx.put('recovery', ONLY, { ...row, digest, leftOut, savedAt, takesOver: false });
		});
	}

	/** The relay was restored from a copy of before, or forgot: it is put again. */
	async #lost({ code }: RecoveryRow): Promise<void> {
		await this.#ports.context.persist(async (tx) => {
			const row = await tx.get('recovery', ONLY);
			if (row?.code === code) tx.put('recovery', ONLY, { ...row, digest: undefined });
		});
	}

	async #refused(
		row: RecoveryRow,
		keys: CapsuleKeys,
		{ code, retryAfter }: Refused,
	): Promise<void> {
		const { clock } = this.#ports.context;
		if (code === 'capsule-taken' && !row.takesOver) return this.#taken(keys);
		if (REFUSALS[code].retry !== 'later') return;
		this.#putAt = -Infinity;
		this.#plan(clock.now() + (retryAfter ?? RETRY_AFTER));
	}

	/** The relay alone is not believed: only a list that the account itself has signed signs a device out. */
	async #taken(keys: CapsuleKeys): Promise<void> {
		const { context, recovery, signedOut } = this.#ports;
		const sealed = await context.relay.fetchCapsule(keys.capsule);
		const plain = sealed && (await keys.open(sealed));
		const content = plain && (await recovery.decode(plain));
		if (!content?.ok || !(await recovery.isRemoved(content.value.deviceList))) return;
		const at = context.clock.now();
		await context.persist(async (tx) => {
			const me = await tx.get('me', ONLY);
			if (me && me.signedOut === undefined) tx.put('me', ONLY, { ...me, signedOut: at });
		});
		signedOut();
	}
}

interface Kept {
	readonly content: CapsuleBytes;
	readonly digest: string;
}

type Refused = Extract<Awaited<ReturnType<RelaySession['ask']>>, { type: 'refused' }>;
