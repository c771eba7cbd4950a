import type { Component } from 'svelte';
import type { SettingsPage } from '../../browser/addresses.ts';

const pages: Readonly<Record<SettingsPage, () => Promise<{ default: Component }>>> = {
	profile: () => import('./Profile.svelte'),
	links: () => import('./Links.svelte'),
	devices: () => import('./Devices.svelte'),
	privacy: () => import('./Privacy.svelte'),
	notifications: () => import('./Notifications.svelte'),
	storage: () => import('./Storage.svelte'),
	import: () => import('./ImportChat.svelte'),
	backup: () => import('./Backup.svelte'),
	recovery: () => import('./Recovery.svelte'),
	appearance: () => import('./Appearance.svelte'),
	connection: () => import('./Connection.svelte'),
	about: () => import('./About.svelte'),
};

/** By the last part of the address. */
export const SETTINGS_PAGES: ReadonlyMap<string, () => Promise<{ default: Component }>> = new Map(
	Object.entries(pages),
);
