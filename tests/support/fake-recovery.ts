// Recovery codes of a fake client: the relay answers at once, and one code brings somebody back.
import type { Client } from '../../src/core/client.ts';
import { smallCrypto } from '../../src/core/crypto/small-crypto.ts';
import type { Me, Recovery, WayBack } from '../../src/core/model.ts';

/** The code under which somebody is kept. */
export const KNOWN_CODE = '0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ';

interface Around {
	now(): number;
	isOnline(): boolean;
	/** Makes the person who comes back. */
	start(name: string): Promise<Me>;
	changed(): void;
}

type Door = Pick<
	Client,
	'recovery' | 'newRecoveryCode' | 'useRecoveryCode' | 'usePasskey' | 'comeBack'
>;

export class FakeRecovery implements Door {
	readonly #around: Around;
	#recovery: Recovery | undefined;
	#secret: Uint8Array | undefined;

	constructor(around: Around) {
		this.#around = around;
	}

	recovery(): Promise<Recovery | undefined> {
		return Promise.resolve(this.#recovery);
	}

	newRecoveryCode(): string {
		return smallCrypto.newRecoveryCode();
	}

	useRecoveryCode(): Promise<void> {
		const made = this.#around.now();
		const savedAt = this.#around.isOnline() ? made : undefined;
		const passkey = this.#recovery?.passkey;
		this.#recovery = { made, savedAt, leftOut: 0, passkey };
		this.#around.changed();
		return Promise.resolve();
	}

	usePasskey(chosen: Parameters<Client['usePasskey']>[0]): Promise<void> {
		const [made, kept] = [this.#around.now(), this.#around.isOnline()];
		const passkey = chosen && { credential: chosen.credential, made, kept };
		this.#secret = chosen?.secret;
		if (this.#recovery) this.#recovery = { ...this.#recovery, passkey };
		this.#around.changed();
		return Promise.resolve();
	}

	async comeBack(by: WayBack): ReturnType<Client['comeBack']> {
		if (typeof by !== 'string') return this.#comeBackBy(by.passkey);
		const code = by;
		const keys = await smallCrypto.capsuleKeys(code);
		if (!keys) {
			const group = smallCrypto.strayGroup(code);
			return { ok: false, error: { kind: 'malformed', group } };
		}
		if (!this.#around.isOnline()) return { ok: false, error: { kind: 'offline' } };
		const known = await smallCrypto.capsuleKeys(KNOWN_CODE);
		if (keys.capsule !== known?.capsule) return { ok: false, error: { kind: 'unknown' } };
		const me = await this.#around.start('Sam');
		await this.useRecoveryCode();
		return { ok: true, value: me };
	}

	async #comeBackBy(secret: Uint8Array): ReturnType<Client['comeBack']> {
		if (!this.#around.isOnline()) return { ok: false, error: { kind: 'offline' } };
		const isKnown = this.#secret?.every((byte, at) => byte === secret[at]) ?? false;
		return isKnown ? this.comeBack(KNOWN_CODE) : { ok: false, error: { kind: 'unknown' } };
	}
}
