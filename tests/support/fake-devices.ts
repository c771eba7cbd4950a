// Own devices of a fake client: the other device is there at once.
import type { Client } from '../../src/core/client.ts';
import { smallCrypto } from '../../src/core/crypto/small-crypto.ts';
import type { DeviceId, LinkingDevice, Me, OwnDevice, Transfer } from '../../src/core/model.ts';
import { fromBase64Url, idFrom, toBase64Url } from '../../src/protocol/ids.ts';

interface Around {
	now(): number;
	/** The person of this device, once there is one. */
	me(): Promise<Me | undefined>;
	/** Makes the person whose device this becomes. */
	start(name: string): Promise<Me>;
	changed(): void;
}

type Door = Pick<Client, 'linkThisDevice' | 'devices' | 'linkDevice' | 'removeDevice' | 'transfer'>;

export class FakeDevices implements Door {
	readonly #around: Around;
	readonly #others: OwnDevice[] = [];
	#transfer: Transfer | undefined;

	constructor(around: Around) {
		this.#around = around;
	}

	async linkThisDevice(): Promise<LinkingDevice> {
		const { publicKey } = await smallCrypto.newOfferKeys();
		let cancel: () => void = () => undefined;
		const done: LinkingDevice['done'] = new Promise((resolve) => {
			cancel = () => resolve({ ok: false, error: { kind: 'cancelled' } });
			void this.#around.start('Sam').then((value) => {
				this.#transfer = { done: 0, total: 0, messages: 0, complete: true };
				resolve({ ok: true, value });
			});
		});
		return { fragment: toBase64Url(publicKey), done, cancel };
	}

	async devices(): Promise<readonly OwnDevice[]> {
		const me = await this.#around.me();
		if (!me) return [];
		const { device, created } = me;
		const own = { device, name: 'Chrome', created, lastSeen: undefined, isThis: true };
		return [own, ...this.#others];
	}

	linkDevice(fragment: string): ReturnType<Client['linkDevice']> {
		const key = fromBase64Url(fragment);
		if (key?.length !== 32) return Promise.resolve({ ok: false, error: { kind: 'broken' } });
		const created = this.#around.now();
		this.#others.push({
			...{ device: idFrom<DeviceId>(key.subarray(0, 16)), name: 'Firefox', created },
			...{ lastSeen: created, isThis: false },
		});
		this.#around.changed();
		return Promise.resolve({ ok: true, value: undefined });
	}

	removeDevice(device: DeviceId): Promise<void> {
		const at = this.#others.findIndex((each) => each.device === device);
		if (at >= 0) this.#others.splice(at, 1);
		this.#around.changed();
		return Promise.resolve();
	}

	transfer(): Promise<Transfer | undefined> {
		return Promise.resolve(this.#transfer);
	}
}
