// Recovery codes of a fake client: the relay answers at once, and one code brings somebody back.
import type { Client } from '../../src/core/client.ts';
import { smallCrypto } from '../../src/core/crypto/small-crypto.ts';
import type { Me, Recovery } from '../../src/core/model.ts';

/** The code under which somebody is kept. */
export const KNOWN_CODE = '0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV-WXYZ';

interface Around {
	now(): number;
	isOnline(): boolean;
	/** Makes the person who comes back. */
	start(name: string): Promise<Me>;
	changed(): void;
}

type Door = Pick<Client, 'recovery' | 'newRecoveryCode' | 'useRecoveryCode' | 'comeBack'>;

export class FakeRecovery implements Door {
	readonly #around: Around;
	#recovery: Recovery | undefined;

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
		this.#recovery = { made, savedAt, leftOut: 0 };
		this.#around.changed();
		return Promise.resolve();
	}

	async comeBack(code: string): ReturnType<Client['comeBack']> {
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
}
