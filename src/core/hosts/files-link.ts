// Files are heavy: keys made of passphrases, tens of thousands of rows. A worker of their own does it, and the page calls
// it over messages. Both ends are here, so that they agree.
import { newRecoveryCode } from '../crypto/recovery-code.ts';
import { FilesInterrupted, type Files, type Progress } from '../files.ts';
import type { ForeignChat, ForeignMessage } from '../foreign.ts';
import type { Clock } from '../ports.ts';

/** What a worker does: not the making of a code, which is nothing, nor an export, whose words are functions. */
type Remote = Omit<Files, 'newRecoveryCode' | 'exportChat'>;
type Method = keyof Remote;
type Piece = Uint8Array<ArrayBuffer>;

/** Messages of a chat that cross at once: a page that takes thousands in one go drops frames. */
const SLICE = 1_000;
/** A worker that nobody called for this long ends; longer than a preview is looked at. ms. */
const LINGER = 120_000;

type ToWorker =
	| {
			readonly type: 'call';
			readonly call: number;
			readonly method: Method;
			readonly given: readonly unknown[];
	  }
	/** The next piece of what the call hands over, or no more of it. */
	| { readonly type: 'next' | 'stop'; readonly call: number };

type ToPage =
	| { readonly type: 'progress'; readonly call: number; readonly at: Parameters<Progress> }
	| { readonly type: 'messages'; readonly call: number; readonly slice: readonly ForeignMessage[] }
	/** Pieces follow, each when it is asked for. */
	| { readonly type: 'stream'; readonly call: number }
	| { readonly type: 'piece'; readonly call: number; readonly piece: Piece }
	| { readonly type: 'done'; readonly call: number; readonly value: unknown }
	| { readonly type: 'failed'; readonly call: number; readonly why: string };

/** One end of the wire; only one listener. */
export interface FilesPort {
	postMessage(message: unknown, transfer: Transferable[]): void;
	onmessage: ((event: MessageEvent) => unknown) | null;
}

/** The worker's end. */
export function serveFiles(port: FilesPort, files: Remote): void {
	const streams = new Map<number, AsyncIterator<Piece, undefined>>();
	let held: ForeignChat | undefined;
	const tell = (message: ToPage, transfer: Transferable[] = []) =>
		port.postMessage(message, transfer);

	/** A long chat goes ahead in slices, and the worker keeps it for `importChat`. */
	async function readChat(
		call: number,
		given: Parameters<Files['readChat']>,
	): Promise<Awaited<ReturnType<Files['readChat']>>> {
		const outcome = await files.readChat(...given);
		if (!outcome.ok) return outcome;
		held = outcome.value;
		const { messages } = held;
		for (let at = 0; at < messages.length; at += SLICE) {
			tell({ type: 'messages', call, slice: messages.slice(at, at + SLICE) });
			// All at once, they would be taken in one go after all.
			await new Promise((resolve) => setTimeout(resolve));
		}
		return { ok: true, value: { ...held, messages: [] } };
	}

	async function run({ call, method, given }: Extract<ToWorker, { type: 'call' }>): Promise<void> {
		const progress: Progress = (...at) => tell({ type: 'progress', call, at });
		const work = files[method] as (...all: unknown[]) => Promise<unknown>;
		// A page that does not bring the chat along means the one that was read last.
		const all = method === 'importChat' ? [given[0] ?? held, given[1]] : given;
		const value =
			method === 'readChat'
				? await readChat(call, given as Parameters<Files['readChat']>)
				: await work(...all, progress);
		if (!isStream(value)) return tell({ type: 'done', call, value });
		streams.set(call, value[Symbol.asyncIterator]());
		tell({ type: 'stream', call });
	}

	async function next(call: number): Promise<void> {
		const piece = (await streams.get(call)?.next())?.value;
		if (piece) return tell({ type: 'piece', call, piece }, [piece.buffer]);
		streams.delete(call);
		tell({ type: 'done', call, value: undefined });
	}

	async function stop(call: number): Promise<void> {
		const stream = streams.get(call);
		streams.delete(call);
		await stream?.return?.();
		tell({ type: 'done', call, value: undefined });
	}

	port.onmessage = ({ data }) => {
		const message = data as ToWorker;
		const { type, call } = message;
		const doing = type === 'call' ? run(message) : type === 'next' ? next(call) : stop(call);
		doing.catch((error: unknown) => {
			streams.delete(call);
			tell({ type: 'failed', call, why: String(error) });
		});
	};
}

function isStream(value: unknown): value is AsyncIterable<Piece, undefined> {
	return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** A worker as the page has it. */
export interface FilesWorker {
	readonly port: FilesPort;
	/** Resolves if it ends by itself: it never came up, or the browser took it away. */
	readonly gone: Promise<void>;
	end(): void;
}

interface Waiting {
	readonly messages: ForeignMessage[];
	readonly progress: Progress | undefined;
	resolve(answer: Answer): void;
	reject(error: Error): void;
}

type Answer = Extract<ToPage, { type: 'stream' | 'piece' | 'done' }>;

/** The page's end. `open` starts a worker, at the first call and when there is none any more. */
export function connectFiles(
	open: () => FilesWorker,
	clock: Pick<Clock, 'schedule'>,
): Omit<Files, 'exportChat'> {
	const line = new Line(open, clock);
	let held: ForeignChat | undefined;

	function call<Name extends Method>(
		method: Name,
		given: readonly unknown[],
		progress?: Progress,
	): Promise<Awaited<ReturnType<Remote[Name]>>> {
		return line.call(method, given, progress) as Promise<Awaited<ReturnType<Remote[Name]>>>;
	}

	return {
		newRecoveryCode,
		async readChat(file, options) {
			const outcome = await call('readChat', [file, options]);
			held = outcome.ok ? outcome.value : undefined;
			return outcome;
		},
		importChat(chat, choice, progress) {
			const isHeld = chat === held && line.isOpen;
			return call('importChat', [isHeld ? undefined : chat, choice], progress);
		},
		writeArchive: (secret, progress) => call('writeArchive', [secret], progress),
		archiveLock: (file) => call('archiveLock', [file]),
		testArchive: (file, secret, progress) => call('testArchive', [file, secret], progress),
		restoreArchive: (file, secret, progress) => call('restoreArchive', [file, secret], progress),
		forgetImported: (id) => call('forgetImported', [id]),
	};
}

/** Calls that are under way, and the worker for them. */
class Line {
	readonly #open: () => FilesWorker;
	readonly #clock: Pick<Clock, 'schedule'>;
	readonly #waiting = new Map<number, Waiting>();
	/** Calls that hand over a stream are under way until its end. */
	readonly #busy = new Set<number>();
	#worker: FilesWorker | undefined;
	#next = 0;
	#stay: () => void = () => undefined;

	constructor(open: () => FilesWorker, clock: Pick<Clock, 'schedule'>) {
		this.#open = open;
		this.#clock = clock;
	}

	get isOpen(): boolean {
		return this.#worker !== undefined;
	}

	async call(method: Method, given: readonly unknown[], progress?: Progress): Promise<unknown> {
		const call = this.#next++;
		const messages: ForeignMessage[] = [];
		this.#busy.add(call);
		const answer = await this.#ask(
			{ type: 'call', call, method, given },
			{ messages, progress },
		).catch((error: unknown) => {
			this.#rest(call);
			throw error;
		});
		if (answer.type === 'stream') return this.#pieces(call, progress);
		this.#rest(call);
		const { value } = answer as Extract<Answer, { type: 'done' }>;
		if (messages.length === 0) return value;
		const outcome = value as { readonly ok: true; readonly value: ForeignChat };
		return { ok: true, value: { ...outcome.value, messages } };
	}

	async *#pieces(call: number, progress: Progress | undefined): AsyncGenerator<Piece> {
		let ended = false;
		try {
			for (;;) {
				const answer = await this.#ask({ type: 'next', call }, { messages: [], progress });
				ended = answer.type === 'done';
				if (answer.type !== 'piece') return;
				yield answer.piece;
			}
		} catch (error) {
			ended = true;
			throw error;
		} finally {
			const stop = { type: 'stop', call } as const;
			if (!ended) await this.#ask(stop, { messages: [], progress }).catch(() => undefined);
			this.#rest(call);
		}
	}

	#ask(message: ToWorker, about: Pick<Waiting, 'messages' | 'progress'>): Promise<Answer> {
		return new Promise<Answer>((resolve, reject) => {
			// A stream has no other worker to go on with.
			if (!this.#worker && message.type !== 'call') return reject(new FilesInterrupted());
			this.#waiting.set(message.call, { ...about, resolve, reject });
			this.#working().port.postMessage(message, []);
		});
	}

	#working(): FilesWorker {
		this.#stay();
		if (this.#worker) return this.#worker;
		const worker = this.#open();
		this.#worker = worker;
		worker.port.onmessage = ({ data }) => this.#heard(data as ToPage);
		void worker.gone.then(() => this.#lost(worker));
		return worker;
	}

	#heard(message: ToPage): void {
		const waiting = this.#waiting.get(message.call);
		if (!waiting) return;
		if (message.type === 'progress') return waiting.progress?.(...message.at);
		if (message.type === 'messages') return void waiting.messages.push(...message.slice);
		this.#waiting.delete(message.call);
		if (message.type === 'failed') waiting.reject(new Error(message.why));
		else waiting.resolve(message);
	}

	#lost(worker: FilesWorker): void {
		if (this.#worker !== worker) return;
		this.#worker = undefined;
		worker.end();
		const all = [...this.#waiting.values()];
		this.#waiting.clear();
		for (const { reject } of all) reject(new FilesInterrupted());
	}

	/** The last call is over: what the worker holds is let go after a while. */
	#rest(call: number): void {
		this.#busy.delete(call);
		if (this.#busy.size > 0) return;
		this.#stay();
		this.#stay = this.#clock.schedule(LINGER, () => {
			const worker = this.#worker;
			this.#worker = undefined;
			worker?.end();
		});
	}
}
