export interface StorageUse {
	/** Bytes; undefined where the browser does not say. */
	readonly used: number | undefined;
	readonly quota: number | undefined;
	/** The browser promised not to clear it by itself. */
	readonly persistent: boolean;
}

export async function storageUse(): Promise<StorageUse> {
	if (!('storage' in navigator)) return { used: undefined, quota: undefined, persistent: false };
	const [estimate, persistent] = await Promise.all([
		navigator.storage.estimate().catch((): StorageEstimate => ({})),
		navigator.storage.persisted().catch(() => false),
	]);
	return { used: estimate.usage, quota: estimate.quota, persistent };
}

/** Asks the browser to keep the storage; true when it will. Firefox shows a question, others decide alone. */
export async function keepStorage(): Promise<boolean> {
	if (!('storage' in navigator)) return false;
	return navigator.storage.persist().catch(() => false);
}
