// Refusals are data: a closed code, whether trying again can help, and a sentence for people (SPEC ER-*).

interface Refusal {
	/** `later`: the same bytes may pass later. `changed`: something must change first. `never`: final. */
	readonly retry: 'later' | 'changed' | 'never';
	readonly sentence: string;
}

export const REFUSALS = {
	malformed: { retry: 'never', sentence: 'The frame does not follow the protocol.' },
	'too-large': { retry: 'never', sentence: 'The frame is larger than the relay takes.' },
	'unsupported-version': {
		retry: 'never',
		sentence: 'This version of Kith is too old for the relay.',
	},
	'login-required': {
		retry: 'changed',
		sentence: 'The device has not logged in on this connection.',
	},
	'login-failed': { retry: 'never', sentence: 'The signature over the challenge does not hold.' },
	'login-timeout': { retry: 'later', sentence: 'The login did not come in time.' },
	'registration-closed': { retry: 'never', sentence: 'This relay takes no new devices.' },
	replaced: {
		retry: 'changed',
		sentence: 'The same device connected again; this connection is the older one.',
	},
	'rate-limited': { retry: 'later', sentence: 'Too many requests in a short time.' },
	busy: { retry: 'later', sentence: 'The relay cannot store anything right now.' },
	'mailbox-full': { retry: 'later', sentence: 'The other side has too much unread mail waiting.' },
	expired: {
		retry: 'changed',
		sentence: 'It waited at the relay for too long and was removed.',
	},
	'too-slow': { retry: 'later', sentence: 'The connection does not keep up with its mail.' },
	'shutting-down': { retry: 'later', sentence: 'The relay is restarting.' },
	'channel-unknown': { retry: 'changed', sentence: 'There is no such channel.' },
	'not-a-member': { retry: 'changed', sentence: 'This device is not in the channel.' },
	'epoch-conflict': { retry: 'changed', sentence: 'Another commit came first.' },
	'epoch-too-old': {
		retry: 'changed',
		sentence: 'The message was sealed for an epoch that is too old.',
	},
	'address-unknown': { retry: 'never', sentence: 'This link does not exist.' },
	'address-used': { retry: 'never', sentence: 'This link was already used.' },
	'address-expired': { retry: 'never', sentence: 'This link has expired.' },
	'address-revoked': { retry: 'never', sentence: 'This link was revoked.' },
	'address-limit': { retry: 'later', sentence: 'This link was used too often today.' },
	'address-taken': { retry: 'never', sentence: 'This address belongs to another device.' },
	'too-many': {
		retry: 'changed',
		sentence: 'The device holds as many of these as the relay allows.',
	},
	'capsule-taken': { retry: 'changed', sentence: 'Another device keeps this capsule now.' },
	'capsule-unknown': { retry: 'changed', sentence: 'There is no such capsule.' },
	'push-refused': { retry: 'never', sentence: 'The relay does not send to that push service.' },
	'push-failed': { retry: 'later', sentence: 'The push service did not take the message.' },
} as const satisfies Record<string, Refusal>;

export type RefusalCode = keyof typeof REFUSALS;

export const REFUSAL_CODES = Object.keys(REFUSALS) as [RefusalCode, ...RefusalCode[]];
