import type { App } from './app.svelte.ts';

const DAY = 86_400_000;

/** A backup is due: something was written since the last one, and that is longer ago than the person wants it to be. */
export function isBackupDue(
	app: Pick<App, 'settings' | 'me' | 'storage' | 'now' | 'conversations'>,
): boolean {
	const { backupEvery, lastBackup } = app.settings;
	if (backupEvery === 0 || !app.me || app.storage.kind === 'memory') return false;
	const since = lastBackup ?? app.me.created;
	if (app.now - since < backupEvery * DAY) return false;
	return app.conversations.some(
		({ subject, last }) =>
			subject.kind === 'person' && last !== undefined && last.sent > (lastBackup ?? 0),
	);
}
