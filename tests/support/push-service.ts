// A push service as browsers' makers run them (RFC 8030): it takes what relays send for a subscription, and counts.
import { createECDH, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PushSubscriptionData } from '../../src/protocol/frames.ts';

export class PushService {
	readonly #server: Server;
	readonly #counts = new Map<string, number>();
	#watchers: { name: string; resolve: () => void }[] = [];

	private constructor() {
		this.#server = createServer((request, response) => {
			response.writeHead(201).end();
			this.#take(decodeURIComponent(request.url?.slice(1) ?? ''));
		});
	}

	static async start(): Promise<PushService> {
		const service = new PushService();
		await new Promise<void>((resolve) => service.#server.listen(0, '127.0.0.1', resolve));
		return service;
	}

	/** For KITH_PUSH_HOSTS. */
	get origin(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	/** As a browser makes one, with keys of its own. */
	subscription(name: string): PushSubscriptionData {
		return {
			endpoint: `${this.origin}/${encodeURIComponent(name)}`,
			p256dh: createECDH('prime256v1').generateKeys('base64url'),
			auth: randomBytes(16).toString('base64url'),
		};
	}

	/** Pushes that came for the subscription so far. */
	count(name: string): number {
		return this.#counts.get(name) ?? 0;
	}

	/** Resolves once a push has come for the subscription. */
	async received(name: string): Promise<void> {
		if (this.count(name) > 0) return;
		await new Promise<void>((resolve) => this.#watchers.push({ name, resolve }));
	}

	async stop(): Promise<void> {
		this.#server.closeAllConnections();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#take(name: string): void {
		this.#counts.set(name, this.count(name) + 1);
		const due = this.#watchers.filter((watcher) => watcher.name === name);
		this.#watchers = this.#watchers.filter((watcher) => watcher.name !== name);
		for (const { resolve } of due) resolve();
	}
}
