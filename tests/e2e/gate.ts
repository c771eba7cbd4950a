// The network of one person: a TCP gate between their browser and the relay. A test shuts it to take them offline as a
// dead network does (Playwright's own offline mode leaves open sockets alone), and reads what went through it.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** More than a test sends; what goes beyond is not kept. */
const MOST_KEPT = 64 * 1024 * 1024;

export class Gate {
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	readonly #kept: Flow[] = [];
	#keptBytes = 0;
	#open = true;
	readonly #host: string;

	private constructor(target: number, host: string) {
		this.#host = host;
		this.#server = createServer((near) => {
			if (!this.#open) {
				near.resetAndDestroy();
				return;
			}
			const far = connect(target, '127.0.0.1');
			const flow: Flow = { up: [], down: [] };
			this.#kept.push(flow);
			this.#follow(near, far, flow.up);
			this.#follow(far, near, flow.down);
		});
	}

	/** A gate on a free port before the relay's `target` port. `host`: how the browser calls this machine. */
	static async start(target: number, host = '127.0.0.1'): Promise<Gate> {
		const gate = new Gate(target, host);
		await new Promise<void>((resolve) => gate.#server.listen(0, '127.0.0.1', resolve));
		return gate;
	}

	get origin(): string {
		return `http://${this.#host}:${(this.#server.address() as AddressInfo).port}`;
	}

	/** Cuts every connection, and refuses new ones until `open`. */
	shut(): void {
		this.#open = false;
		this.cut();
	}

	/** Cuts every connection; new ones may come at once. */
	cut(): void {
		for (const socket of this.#sockets) socket.resetAndDestroy();
	}

	open(): void {
		this.#open = true;
	}

	/** Everything that went through, with the masks of WebSocket frames taken off. */
	traffic(): Buffer {
		return Buffer.concat(this.#kept.flatMap(({ up, down }) => [unmasked(up), ...down]));
	}

	async close(): Promise<void> {
		this.shut();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#follow(from: Socket, to: Socket, kept: Buffer[]): void {
		this.#sockets.add(from);
		from.on('data', (chunk: Buffer) => {
			to.write(chunk);
			this.#keptBytes += chunk.length;
			if (this.#keptBytes <= MOST_KEPT) kept.push(chunk);
		});
		from.on('end', () => to.end());
		from.on('error', () => to.destroy());
		from.on('close', () => {
			this.#sockets.delete(from);
			to.destroy();
		});
	}
}

interface Flow {
	readonly up: Buffer[];
	readonly down: Buffer[];
}

/** What a browser sent on one connection: HTTP as it is, then the payload of each frame (RFC 6455, 5.2). */
function unmasked(chunks: readonly Buffer[]): Buffer {
	const all = Buffer.concat(chunks);
	const head = all.indexOf('\r\n\r\n');
	if (!/^upgrade: websocket/im.test(all.subarray(0, head).toString('latin1'))) return all;
	const parts = [all.subarray(0, head)];
	let at = head + 4;
	while (at + 2 <= all.length) {
		const short = (all[at + 1] ?? 0) & 0x7f;
		const wide = short === 127 ? 8 : short === 126 ? 2 : 0;
		if (at + 6 + wide > all.length) break;
		const length =
			wide === 8
				? Number(all.readBigUInt64BE(at + 2))
				: wide === 2
					? all.readUInt16BE(at + 2)
					: short;
		const mask = all.subarray(at + 2 + wide, at + 6 + wide);
		const payload = all.subarray(at + 6 + wide, at + 6 + wide + length);
		parts.push(Buffer.from(payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0))));
		at += 6 + wide + length;
	}
	return Buffer.concat(parts);
}
