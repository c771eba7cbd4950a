// Making a recovery code: it is shown once, and counts once two of its groups were typed back.
import type { App } from './app.svelte.ts';

export type SetupStep =
	| { readonly kind: 'idle'; readonly done: boolean }
	| { readonly kind: 'shown' }
	/** Which groups are asked for, from 1. */
	| { readonly kind: 'check'; readonly groups: readonly [number, number]; readonly wrong: boolean };

const GROUPS = 8;

export class RecoverySetup {
	step = $state.raw<SetupStep>({ kind: 'idle', done: false });
	code = $state('');
	/** What was typed for the two groups. */
	typed = $state<[string, string]>(['', '']);

	readonly #app: App;

	constructor(app: App) {
		this.#app = app;
	}

	begin(): void {
		this.code = this.#app.client.newRecoveryCode();
		this.step = { kind: 'shown' };
	}

	show(): void {
		this.step = { kind: 'shown' };
	}

	ask(): void {
		const first = 1 + Math.floor(Math.random() * (GROUPS / 2));
		const second = 1 + GROUPS / 2 + Math.floor(Math.random() * (GROUPS / 2));
		this.typed = ['', ''];
		this.step = { kind: 'check', groups: [first, second], wrong: false };
	}

	async check(): Promise<void> {
		if (this.step.kind !== 'check') return;
		const parts = this.code.split('-');
		const isRight = this.step.groups.every(
			(group, at) => plain(this.typed[at] ?? '') === parts[group - 1],
		);
		if (!isRight) {
			this.step = { ...this.step, wrong: true };
			return;
		}
		await this.#app.client.useRecoveryCode(this.code);
		this.#forget();
		this.step = { kind: 'idle', done: true };
	}

	cancel(): void {
		this.#forget();
		this.step = { kind: 'idle', done: false };
	}

	/** The code stays no longer than it is needed. */
	#forget(): void {
		this.code = '';
		this.typed = ['', ''];
	}
}

/** As a code is typed: O is 0, I and L are 1. */
function plain(typed: string): string {
	const letters = typed.trim().toUpperCase();
	return letters.replaceAll('O', '0').replaceAll(/[IL]/gu, '1');
}
