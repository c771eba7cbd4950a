// Where everything is: the one place that knows the app's addresses.
import { resolve } from '$app/paths';
import type { ConversationId } from '../../core/model.ts';

export type SettingsPage =
	| 'profile'
	| 'links'
	| 'privacy'
	| 'devices'
	| 'notifications'
	| 'storage'
	| 'import'
	| 'backup'
	| 'recovery'
	| 'appearance'
	| 'connection'
	| 'about';

export const toHome = (): string => resolve('/(app)');
export const toNewGroup = (): string => resolve('/(app)/new');
export const toConversation = (id: ConversationId): string => resolve('/(app)/c/[id]', { id });
export const toDetails = (id: ConversationId): string => resolve('/(app)/c/[id]/info', { id });
export const toAddPeople = (id: ConversationId): string =>
	resolve('/(app)/c/[id]/info/add', { id });
export const toGroupLink = (id: ConversationId): string =>
	resolve('/(app)/c/[id]/info/link', { id });
export const toSafetyNumber = (id: ConversationId): string =>
	resolve('/(app)/c/[id]/info/verify', { id });
/** What a link carries needs no escapes; what was pasted in its place must not break the address. */
export const toInvite = (fragment: string): string =>
	`${resolve('/i')}#${encodeURIComponent(fragment.toWellFormed())}`;
/** What a new device shows: `fragment` is no secret. */
export const toNewDevice = (fragment: string): string => `${resolve('/d')}#${fragment}`;
export const toSettings = (page?: SettingsPage): string =>
	page === undefined ? resolve('/settings') : resolve('/settings/[page]', { page });
