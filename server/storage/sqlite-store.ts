// The embedded store: SQLite in a thread of its own. While one batch is being synced to the disk the next one
// gathers, so the busier the relay is, the less each message costs.
import { Worker } from 'node:worker_threads';
import type { PushSubscriptionData } from '../../src/protocol/frames.ts';
import type { Address, ChannelId, DeviceId, MailboxSeq } from '../../src/protocol/ids.ts';
import { Slab } from '../../src/protocol/slab.ts';
import type { DatabaseFigures } from '../relay/figures.ts';
import type {
	AddressRecord,
	CapsuleRecord,
	ChannelChange,
	ChannelOutcome,
	ChannelRecord,
	ExpiredMessage,
	HeldCapsule,
	Posting,
	RelayStore,
	StoredMessage,
	StoreResult,
} from '../relay/ports.ts';
import type { DatabaseOptions } from './sqlite-file.ts';
import { NO_ROOM, pageOf, rowOfPosting } from './sqlite-rows.ts';
import type { FromWorker, Operation, ToWorker } from './sqlite-worker.ts';

/** Operations of one transaction: more would make the first of them wait for the last. */
const MAX_BATCH = 2048;
/** Operations that may wait; beyond it the store is `busy`. */
const MAX_WAITING = 100_000;

/** Counting a million rows takes a tenth of a second, in which nothing else is written; ms. */
const FIGURES_LAST = 60_000;

interface Waiting {
	readonly operation: Operation;
	/** Called with what the thread answered. */
	readonly settle: (result: StoreResult<never>) => void;
}

const busy = { ok: false, error: 'busy' } as const;

/**
 * Opens or makes the database at `options.path`. Rejects with a sentence for the operator when the file is
 * damaged, of another program or out of reach. `failed` is called if the thread dies later: that is a bug or a
 * damaged file, nothing can be promised any more, and the process should end.
 */
export async function openSqliteStore(
	options: DatabaseOptions,
	failed: (error: Error) => void,
): Promise<SqliteStore> {
	const store = await prepareSqliteStore(options, failed);
	await store.open();
	return store;
}

/** The same, with everything but the files: they belong to another relay until {@link SqliteStore.reopen}. */
export async function prepareSqliteStore(
	options: DatabaseOptions,
	failed: (error: Error) => void,
): Promise<SqliteStore> {
	const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), {
		workerData: options,
		execArgv: ['--disable-warning=ExperimentalWarning'],
	});
	await new Promise((resolve, reject) => worker.once('error', reject).once('message', resolve));
	return new SqliteStore(worker, failed);
}

export class SqliteStore implements RelayStore {
	readonly #worker: Worker;
	/** Bodies beside each other: a batch takes few buffers to the thread, and what waits holds nothing else back. */
	readonly #bodies = new Slab();
	#waiting: Waiting[] = [];
	#running: Waiting[] = [];
	#figures: { at: number; value: DatabaseFigures | undefined } = {
		at: -Infinity,
		value: undefined,
	};
	#scheduled = false;
	#closed: (() => void) | undefined;
	/** While the files are not ours, everything waits. */
	#released = true;
	#opened: ((failure: string | undefined) => void) | undefined;
	#freed: (() => void) | undefined;

	constructor(worker: Worker, failed: (error: Error) => void) {
		this.#worker = worker;
		worker.on('message', (message: FromWorker) => {
			if (message.is === 'done') this.#done(message.values);
			else if (message.is === 'released') this.#freed?.();
			else this.#opened?.(message.is === 'failed' ? message.sentence : undefined);
		});
		worker.removeAllListeners('error').on('error', failed);
	}

	/** Rejects like {@link openSqliteStore}; the thread has ended then. */
	open(): Promise<void> {
		return this.#open('open');
	}

	reserve(count: number): Promise<StoreResult<MailboxSeq>> {
		return this.#do('reserve', count);
	}

	openMailbox(mailbox: DeviceId, create: boolean): Promise<StoreResult<boolean>> {
		return this.#do('openMailbox', mailbox, create);
	}

	append({ message, targets }: Posting): Promise<StoreResult<{ full: readonly DeviceId[] }>> {
		const body = this.#bodies.copy(message.body);
		const row = rowOfPosting({ message: { ...message, body }, targets });
		return this.#ask(['append', ...row], (full: DeviceId[] | undefined) => ({ full: full ?? [] }));
	}

	read(
		mailbox: DeviceId,
		after: MailboxSeq,
		room: { rows: number; bytes: number },
	): Promise<StoreResult<readonly StoredMessage[]>> {
		return this.#ask(['read', mailbox, after, room], pageOf);
	}

	acknowledge(mailbox: DeviceId, seq: MailboxSeq): Promise<StoreResult<void>> {
		return this.#do('acknowledge', mailbox, seq);
	}

	expired(before: number, rows: number): Promise<StoreResult<readonly ExpiredMessage[]>> {
		return this.#do('expired', before, rows);
	}

	drop(
		expired: readonly ExpiredMessage[],
		notices: readonly Posting[],
	): Promise<StoreResult<void>> {
		return this.#do('drop', expired, notices);
	}

	readChannel(channel: ChannelId): Promise<StoreResult<ChannelRecord | undefined>> {
		return this.#do('readChannel', channel);
	}

	changeChannel(change: ChannelChange): Promise<StoreResult<ChannelOutcome>> {
		return this.#do('changeChannel', change);
	}

	readSnapshot(channel: ChannelId): Promise<StoreResult<Uint8Array | undefined>> {
		return this.#do('readSnapshot', channel);
	}

	readAddresses(
		addresses: readonly Address[],
	): Promise<StoreResult<readonly (AddressRecord | undefined)[]>> {
		return this.#do('readAddresses', addresses);
	}

	putAddress(
		record: AddressRecord,
		max: number,
	): Promise<StoreResult<'put' | 'conflict' | 'too-many'>> {
		return this.#do('putAddress', record, max);
	}

	purgeAddresses(before: number): Promise<StoreResult<void>> {
		return this.#do('purgeAddresses', before);
	}

	readPush(mailbox: DeviceId): Promise<StoreResult<PushSubscriptionData | undefined>> {
		return this.#do('readPush', mailbox);
	}

	writePush(
		mailbox: DeviceId,
		subscription: PushSubscriptionData | null,
	): Promise<StoreResult<void>> {
		return this.#do('writePush', mailbox, subscription);
	}

	readCapsule(place: string): Promise<StoreResult<Uint8Array | undefined>> {
		return this.#do('readCapsule', place);
	}

	putCapsule(record: CapsuleRecord, takesOver: boolean): Promise<StoreResult<'put' | 'taken'>> {
		return this.#do('putCapsule', record, takesOver);
	}

	keepCapsule(held: HeldCapsule): Promise<StoreResult<'kept' | 'taken' | 'unknown'>> {
		return this.#do('keepCapsule', held);
	}

	dropCapsule(place: string, keeper: DeviceId): Promise<StoreResult<'dropped' | 'taken'>> {
		return this.#do('dropCapsule', place, keeper);
	}

	purgeCapsules(before: number): Promise<StoreResult<void>> {
		return this.#do('purgeCapsules', before);
	}

	/** What the operator sees of it, at most {@link FIGURES_LAST} old. */
	async figures(now: number): Promise<DatabaseFigures | undefined> {
		if (now - this.#figures.at > FIGURES_LAST) {
			const counted = await this.#do<DatabaseFigures>('figures');
			if (counted.ok) this.#figures = { at: now, value: counted.value };
		}
		return this.#figures.value;
	}

	async close(): Promise<void> {
		await new Promise<void>((resolve) => {
			this.#closed = resolve;
			if (this.#running.length === 0) this.#next();
		});
		const exited = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
		this.#post('close');
		await exited;
	}

	/**
	 * Closes the files, so that another process may open them, once the batch that is being written is done. What is
	 * asked for from now on waits for {@link reopen}, and for ever if there is none.
	 */
	async release(): Promise<void> {
		this.#released = true;
		await new Promise<void>((resolve) => {
			this.#freed = resolve;
			if (this.#running.length === 0) this.#post('release');
		});
	}

	/** Opens files that another relay has just closed; rejects like {@link openSqliteStore}. */
	reopen(): Promise<void> {
		return this.#open('reopen');
	}

	/** Ends the thread in the middle of whatever it does, as a crash would. For tests. */
	async crash(): Promise<void> {
		this.#waiting = [];
		this.#running = [];
		await this.#worker.terminate();
	}

	#do<Value>(name: Operation[0], ...parameters: readonly unknown[]): Promise<StoreResult<Value>> {
		return this.#ask([name, ...parameters], (value: Value) => value);
	}

	#ask<Value>(operation: Operation, read: (answer: never) => Value): Promise<StoreResult<Value>> {
		if (this.#waiting.length >= MAX_WAITING || this.#closed) return Promise.resolve(busy);
		return new Promise((resolve) => {
			const settle = (result: StoreResult<never>) =>
				resolve(result.ok ? { ok: true, value: read(result.value) } : result);
			this.#waiting.push({ operation, settle });
			if (this.#running.length > 0 || this.#scheduled) return;
			// What is called in the same turn belongs into the same transaction.
			this.#scheduled = true;
			queueMicrotask(() => {
				this.#scheduled = false;
				this.#next();
			});
		});
	}

	async #open(how: 'open' | 'reopen'): Promise<void> {
		const failure = await new Promise<string | undefined>((resolve) => {
			this.#opened = resolve;
			this.#post(how);
		});
		if (failure !== undefined) {
			await this.#worker.terminate();
			throw new Error(failure);
		}
		this.#released = false;
		this.#next();
	}

	#post(message: ToWorker): void {
		this.#worker.postMessage(message);
	}

	#next(): void {
		if (this.#running.length > 0 || this.#released) return;
		this.#running = this.#waiting.splice(0, MAX_BATCH);
		if (this.#running.length > 0) this.#post(this.#running.map(({ operation }) => operation));
		else this.#closed?.();
	}

	#done(values: readonly unknown[] | undefined): void {
		const settled = this.#running;
		this.#running = [];
		if (this.#released) this.#post('release');
		else this.#next();
		for (const [index, { settle }] of settled.entries()) {
			const isDone = values !== undefined && values[index] !== NO_ROOM;
			settle(isDone ? { ok: true, value: values[index] as never } : busy);
		}
	}
}
