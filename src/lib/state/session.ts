// The one place where the screens get their client from.
import type { Client } from '../../core/client.ts';

/** Opens the chat of this device. */
export function openSession(): Promise<Client> {
	return Promise.reject(new Error('this build has no client'));
}
