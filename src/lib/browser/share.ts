/** True when the system can share a link; else it is copied. */
export function canShare(): boolean {
	return typeof navigator.share === 'function';
}

/** Opens the system's share sheet; closing it is no failure. */
export async function shareLink(url: string, text: string): Promise<void> {
	try {
		await navigator.share({ url, text });
	} catch (error) {
		if (error instanceof DOMException && error.name === 'AbortError') return;
		await copyText(url);
	}
}

/** False when the browser does not allow it. */
export async function copyText(text: string): Promise<boolean> {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return false;
	}
}
