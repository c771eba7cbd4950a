// One connection of the load generator: a bare TCP socket that counts. What it says is up to the protocol; what it
// costs must stay far below what the server pays, so frames are built from templates and written in bursts.
import { connect, type Socket } from 'node:net';

/** Bytes of one message: what a short text is once it is sealed. */
export const BODY_BYTES = 300;
const STAMP_DIGITS = 16;
const FIRST_BUFFER = 4 * 1024;
/** One source address has 28,000 ports; the whole of 127/8 is ours. */
const CONNECTIONS_PER_SOURCE = 5000;

/** Now, µs since the generator began. */
const micros = () => Math.round(performance.now() * 1000);

export abstract class Speaker {
	readonly identity: number;
	/** Messages of its own that the server answered for. */
	answered = 0;
	/** Messages that came to it. */
	delivered = 0;
	submitted = 0;
	/** Called after each burst that came in. */
	onProgress: () => void = () => undefined;
	/** Where set, each delivery's age is put here, µs. */
	ages: number[] | undefined;
	#socket: Socket | undefined;
	#rest: Buffer | undefined;
	#out = Buffer.allocUnsafe(FIRST_BUFFER);
	#used = 0;
	#failed: (error: Error) => void = () => undefined;
	#entered: () => void = () => undefined;
	#closing = false;

	constructor(identity: number) {
		this.identity = identity;
	}

	/** Connects and proves who it is; resolves once mail may come. */
	async login(port: number): Promise<void> {
		this.#closing = false;
		this.#rest = undefined;
		const source = 1 + (Math.floor(this.identity / CONNECTIONS_PER_SOURCE) % 250);
		await new Promise<void>((resolve, reject) => {
			this.#entered = resolve;
			this.#failed = reject;
			const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.1.${source}` });
			this.#socket = socket;
			socket.setNoDelay(true);
			socket.on('connect', () => {
				this.greet(port);
				this.flush();
			});
			socket.on('data', (chunk) => this.#arrived(chunk));
			socket.on('error', (error) => this.fail(error.message));
			socket.on('close', () => this.fail('the server closed the connection'));
		});
	}

	/** Reads no more, while the connection stays. */
	stopReading(): void {
		this.#socket?.pause();
	}

	async logout(): Promise<void> {
		const socket = this.#socket;
		this.#closing = true;
		if (!socket || socket.destroyed) return;
		await new Promise<void>((resolve) => {
			socket.on('close', () => resolve());
			socket.destroy();
		});
	}

	/** Writes what gathered. */
	flush(): void {
		if (this.#used === 0) return;
		this.#socket?.write(this.#out.subarray(0, this.#used));
		this.#used = 0;
		// What the system did not take at once still needs its bytes.
		if (this.#socket?.writableLength) this.#out = Buffer.allocUnsafe(this.#out.length);
	}

	/** Sends a message to a destination; {@link flush} puts it on the wire. */
	abstract submit(destination: string): void;
	/** Says that it is still there. */
	abstract ping(): void;
	/** The first bytes of a connection. */
	protected abstract greet(port: number): void;
	/** Reads what came and returns how many bytes of it were whole. */
	protected abstract take(bytes: Buffer): number;

	protected entered(): void {
		this.#entered();
	}

	/** Whoever waits for the login hears it; in the middle of a measurement it ends the process. */
	protected fail(why: string): void {
		if (this.#closing) return;
		this.#failed(new Error(`speaker ${this.identity}: ${why}`));
		this.onFailure(why);
	}

	onFailure: (why: string) => void = () => undefined;
	/** Where set, a refused message is not a failure. */
	onRefusal: ((code: string) => void) | undefined;

	/** A place for `size` bytes in the next write. */
	protected place(size: number): { bytes: Buffer; at: number } {
		if (this.#used + size > this.#out.length) {
			const larger = Buffer.allocUnsafe(Math.max(this.#out.length * 2, this.#used + size));
			this.#out.copy(larger, 0, 0, this.#used);
			this.#out = larger;
		}
		const at = this.#used;
		this.#used += size;
		return { bytes: this.#out, at };
	}

	protected write(bytes: Uint8Array): void {
		const { bytes: out, at } = this.place(bytes.length);
		out.set(bytes, at);
	}

	/** Writes the present into a body. */
	protected stamp(bytes: Buffer, at: number): void {
		if (!stamping) return;
		let left = micros();
		for (let digit = STAMP_DIGITS - 1; digit >= 0; digit--) {
			bytes[at + digit] = 48 + (left % 10);
			left = Math.floor(left / 10);
		}
	}

	/** Counts a message whose body begins at `at`. */
	protected arrivedAt(bytes: Buffer, at: number): void {
		this.delivered++;
		if (this.ages && bytes[at] !== NO_STAMP)
			this.ages.push(micros() - Number(bytes.toString('latin1', at, at + STAMP_DIGITS)));
	}

	#arrived(chunk: Buffer): void {
		const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
		const used = this.take(bytes);
		this.#rest = used < bytes.length ? bytes.subarray(used) : undefined;
		this.onProgress();
		this.flush();
	}
}

const NO_STAMP = 120;
let stamping = false;

/** Stamps cost the generator time, so only latencies are measured with them. */
export function stampMessages(on: boolean): void {
	stamping = on;
}

/** A body that is text in every protocol. */
export const plainBody = () => Buffer.alloc(BODY_BYTES, NO_STAMP);

/** How the generator's numbers become devices, and how one reaches others. */
export interface Protocol {
	speaker(identity: number): Speaker;
	/**
	 * Lets a sender reach the receivers, both connected. One destination each; with `together`, destinations that
	 * reach many at once where the protocol has them.
	 */
	introduce(sender: Speaker, receivers: readonly Speaker[], together: boolean): Promise<string[]>;
}
