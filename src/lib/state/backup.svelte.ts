// Making a backup and opening one, step by step. Nothing is written here before all of a file was checked.
import type { ArchiveFailure, ArchiveSecret, ArchiveSummary, Restored } from '../../core/client.ts';
import { chooseTarget, dateForName } from '../browser/save-file.ts';
import type { App } from './app.svelte.ts';
import { orInterrupted, type Outcome } from './interrupted.ts';

export type SaveStep =
	| { readonly kind: 'idle'; readonly failed: boolean }
	| { readonly kind: 'lock' }
	/** `messages`: written so far; undefined while the key is made. */
	| { readonly kind: 'working'; readonly messages: number | undefined }
	| { readonly kind: 'saved'; readonly size: number };

export type OpenFailure = ArchiveFailure | 'storage-full' | 'interrupted';

export type OpenStep =
	| { readonly kind: 'idle'; readonly failure: OpenFailure | undefined }
	| {
			readonly kind: 'secret';
			readonly file: File;
			readonly lock: ArchiveSecret['kind'];
			readonly wrong: boolean;
	  }
	/** `share`: from 0 to 1; undefined while nobody knows. */
	| { readonly kind: 'working'; readonly share: number | undefined }
	| { readonly kind: 'tested'; readonly summary: ArchiveSummary }
	| { readonly kind: 'restored'; readonly outcome: Restored };

export type Purpose = 'test' | 'restore';

export const PASSPHRASE_CHARACTERS = 10;

/** Writing one. */
export class BackupSaving {
	step = $state.raw<SaveStep>({ kind: 'idle', failed: false });
	lock = $state<ArchiveSecret['kind']>('code');
	code = $state('');
	passphrase = $state('');
	again = $state('');
	readonly ready: boolean;

	readonly #app: App;

	constructor(app: App) {
		this.#app = app;
		this.ready = $derived(
			this.lock === 'code'
				? this.code !== ''
				: this.passphrase.length >= PASSPHRASE_CHARACTERS && this.passphrase === this.again,
		);
	}

	async begin(): Promise<void> {
		const files = await this.#app.client.files();
		this.code = files.newRecoveryCode();
		this.step = { kind: 'lock' };
	}

	cancel(): void {
		this.#forget();
		this.step = { kind: 'idle', failed: false };
	}

	/** Called right from a press: the browser asks where the file goes. */
	async save(): Promise<void> {
		if (!this.ready) return;
		const secret: ArchiveSecret =
			this.lock === 'code'
				? { kind: 'code', code: this.code }
				: { kind: 'passphrase', passphrase: this.passphrase };
		const written = Date.now();
		const name = `Kith ${dateForName(written)}`;
		const target = await chooseTarget({ name, type: 'application/octet-stream', ending: '.kith' });
		if (!target) return;
		this.step = { kind: 'working', messages: undefined };
		try {
			const files = await this.#app.client.files();
			const chunks = await files.writeArchive(secret, (messages) => {
				this.step = { kind: 'working', messages };
			});
			if (!chunks) throw new Error('there is nobody yet');
			const size = await target.save(chunks);
			await this.#app.change({ lastBackup: written });
			this.step = { kind: 'saved', size };
		} catch {
			this.step = { kind: 'idle', failed: true };
		}
		this.#forget();
	}

	/** Secrets stay no longer than they are needed. */
	#forget(): void {
		this.code = this.passphrase = this.again = '';
	}
}

/** Testing one, or bringing back from it. */
export class BackupOpening {
	step = $state.raw<OpenStep>({ kind: 'idle', failure: undefined });
	typed = $state('');
	purpose: Purpose;

	readonly #app: App;

	constructor(app: App, purpose: Purpose) {
		this.#app = app;
		this.purpose = $state(purpose);
	}

	async choose(file: File): Promise<void> {
		this.typed = '';
		const lock = await orInterrupted(async () => {
			const files = await this.#app.client.files();
			return files.archiveLock(file);
		});
		this.step = lock.ok
			? { kind: 'secret', file, lock: lock.value, wrong: false }
			: { kind: 'idle', failure: lock.error };
	}

	/** Opens it with what was typed. */
	async open(): Promise<void> {
		if (this.step.kind !== 'secret' || this.typed === '') return;
		const asked = this.step;
		const { file, lock } = asked;
		const secret: ArchiveSecret =
			lock === 'code'
				? { kind: 'code', code: this.typed }
				: { kind: 'passphrase', passphrase: this.typed };
		this.step = { kind: 'working', share: undefined };
		const ended = await orInterrupted(() => this.#run(file, secret));
		const failure = ended.ok ? undefined : ended.error;
		if (ended.ok) this.step = ended.value;

		if (failure === 'wrong-key') this.step = { ...asked, wrong: true };
		else if (failure) this.step = { kind: 'idle', failure };
		if (failure !== 'wrong-key') this.typed = '';
	}

	reset(): void {
		this.typed = '';
		this.step = { kind: 'idle', failure: undefined };
	}

	async #run(file: File, secret: ArchiveSecret): Promise<Outcome<OpenStep, OpenFailure>> {
		const files = await this.#app.client.files();
		if (this.purpose === 'test') {
			const found = await files.testArchive(file, secret);
			return found.ok ? { ok: true, value: { kind: 'tested', summary: found.value } } : found;
		}
		if (!this.#app.me) {
			// Nobody is here yet: the backup knows the name.
			const found = await files.testArchive(file, secret);
			if (!found.ok) return found;
			await this.#app.client.start(found.value.name);
		}
		const outcome = await files.restoreArchive(file, secret, (done, total) => {
			this.step = { kind: 'working', share: total === 0 ? undefined : done / total };
		});
		return outcome.ok ? { ok: true, value: { kind: 'restored', outcome: outcome.value } } : outcome;
	}
}
