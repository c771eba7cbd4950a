export type Platform = 'ios' | 'android' | 'desktop';

/** What kind of device this is: only for telling where a switch is, never for what works. */
export function platform(): Platform {
	const { userAgent, maxTouchPoints } = navigator;
	// iPads say that they are Macs, but no Mac has a touch screen.
	if (/iPhone|iPad|iPod/u.test(userAgent)) return 'ios';
	if (/Macintosh/u.test(userAgent) && maxTouchPoints > 1) return 'ios';
	return /Android/u.test(userAgent) ? 'android' : 'desktop';
}

/** True in the installed app's own window. */
export function isInstalled(): boolean {
	return (
		matchMedia('(display-mode: standalone), (display-mode: minimal-ui)').matches ||
		('standalone' in navigator && navigator.standalone === true)
	);
}

const IN_APP =
	/\bFBA[NV]\/|Instagram|\bLine\/|MicroMessenger|Snapchat|TikTok|musical_ly|Twitter|LinkedInApp|\bGSA\/|; wv\)/u;

/**
 * True in the browser built into another app, whose storage disappears. `userAgent` is what such browsers say
 * of themselves; there is no better sign.
 */
export function isInAppBrowser(userAgent: string): boolean {
	return IN_APP.test(userAgent);
}
