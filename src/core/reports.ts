// How reports are kept: few enough for a person to look through, the latest.
import type { Report } from './model.ts';
import type { Transaction } from './ports.ts';

/** Beyond these the oldest one makes room. */
export const MOST_REPORTS = 200;

/** Keeps one; one that is here already stays as it is. */
export async function keepReport(tx: Transaction, report: Report): Promise<void> {
	if (await tx.get('reports', report.id)) return;
	const kept = await tx.list('reports', { prefix: '', limit: MOST_REPORTS });
	const [oldest] = kept;
	if (oldest && kept.length >= MOST_REPORTS) tx.delete('reports', oldest.key);
	tx.put('reports', report.id, report);
}
