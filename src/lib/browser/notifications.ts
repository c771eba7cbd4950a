/** `unsupported`: this browser has no notifications at all. */
export type Permission = NotificationPermission | 'unsupported';

export function notificationPermission(): Permission {
	return 'Notification' in globalThis ? Notification.permission : 'unsupported';
}

/** Shows the browser's own question. Call only when the person pressed something that says so. */
export async function askForNotifications(): Promise<Permission> {
	if (!('Notification' in globalThis)) return 'unsupported';
	return Notification.requestPermission();
}
