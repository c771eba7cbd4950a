// What text must never make a page do, and what a layout must never do.
import { expect, type Page } from '@playwright/test';
import type { Person } from './person.ts';

/** Watches a person's page. `check` fails when a dialog, a window, a navigation or a blocked script came of a text. */
export async function tripwire({ page, context }: Person): Promise<{ check(): Promise<void> }> {
	const tripped: string[] = [];
	page.on('dialog', (dialog) => {
		tripped.push(`dialog: ${dialog.message()}`);
		void dialog.dismiss();
	});
	page.on('download', (download) => tripped.push(`download: ${download.url()}`));
	context.on('page', (opened) => tripped.push(`window: ${opened.url()}`));
	// The policy stops inline scripts before they run; that one was there to stop is already a fault.
	await page.evaluate(() => {
		const blocked: string[] = [];
		document.addEventListener('securitypolicyviolation', (event) =>
			blocked.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
		);
		Object.assign(globalThis, { blockedByPolicy: blocked });
	});
	const blocked = () =>
		page.evaluate(() => (globalThis as unknown as { blockedByPolicy?: string[] }).blockedByPolicy);
	return {
		async check() {
			expect(tripped).toEqual([]);
			// Undefined would mean that another document took the place of this one.
			expect(await blocked()).toEqual([]);
		},
	};
}

/** What of the page is wider than the screen or than the box that should hold it. */
export function tooWide(page: Page): Promise<string[]> {
	return page.evaluate(() => {
		const found: string[] = [];
		const root = document.documentElement;
		if (root.scrollWidth > innerWidth) found.push(`the page: ${root.scrollWidth} of ${innerWidth}`);
		for (const log of document.querySelectorAll('[role="log"]')) {
			const { left, right } = log.getBoundingClientRect();
			for (const article of log.querySelectorAll<HTMLElement>('[data-message]')) {
				const bubble = article.querySelector('.bubble')?.getBoundingClientRect();
				const label = article.getAttribute('aria-label') ?? '';
				if (!bubble || bubble.left < left || bubble.right > right) found.push(`beyond: ${label}`);
				// A bubble clips: what is wider than its paragraph could not be read.
				for (const part of article.querySelectorAll('.txt > p, .txt > blockquote, .txt > ul, .big'))
					if (part.scrollWidth > part.clientWidth + 1) found.push(`cut off: ${label}`);
			}
		}
		return found;
	});
}
