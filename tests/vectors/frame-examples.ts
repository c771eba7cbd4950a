// One example of every frame, and of both sides of what may be null.
const bytes = (length: number, first = 1) =>
	Uint8Array.from({ length }, (_, at) => (first + at) % 256);
const A = 'AAECAwQFBgcICQoLDA0ODw';
const B = 'EBESExQVFhcYGRobHB0eHw';
const C = 'ICEiIyQlJicoKSorLC0uLw';
const ACCOUNT = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';
const NOW = 1_793_000_000_000;
const policy = { uses: 1, usesPerDay: null, expires: NOW };
const profile = { name: 'Zoë 👩‍🚀', picture: bytes(5) };

type Examples = readonly { readonly type: string; readonly [field: string]: unknown }[];

const upFrames: Examples = [
	{ type: 'login', version: 1, deviceKey: bytes(32), signature: bytes(64) },
	{ type: 'submit', request: 0, envelope: A, channel: B, epoch: 3, body: bytes(40) },
	{
		...{ type: 'commit', request: 1, envelope: A, channel: B, epoch: 0, body: bytes(9) },
		...{ add: [{ leaf: 1, address: C }], remove: [7], welcome: bytes(3), snapshot: bytes(8) },
	},
	{
		...{ type: 'commit', request: 2, envelope: A, channel: B, epoch: 4, body: bytes(9) },
		...{ add: [], remove: [], welcome: null, snapshot: null },
	},
	{ type: 'leave', request: 3, channel: B },
	{ type: 'whisper', channel: B, body: bytes(12) },
	{ type: 'acknowledge', seq: 4_294_967_297 },
	{ type: 'putAddress', request: 4, address: C, policy, card: bytes(6) },
	{
		...{ type: 'putAddress', request: 5, address: C, card: null },
		policy: { uses: null, usesPerDay: 20, expires: null },
	},
	{ type: 'revokeAddress', request: 6, address: C },
	{
		...{ type: 'setPush', request: 7 },
		subscription: { endpoint: 'https://push.example/1', p256dh: 'key', auth: 'secret' },
	},
	{ type: 'setPush', request: 8, subscription: null },
	{ type: 'testPush', request: 9 },
	{ type: 'ping' },
	{ type: 'look', request: 10, address: C },
	{ type: 'fetchSnapshot', request: 11, channel: B },
	{ type: 'putCapsule', request: 12, capsule: C, sealed: bytes(8), takesOver: false },
	{ type: 'putCapsule', request: 13, capsule: C, sealed: null, takesOver: true },
	{
		...{ type: 'putCapsule', request: 13, capsule: C, sealed: bytes(8), takesOver: false },
		pointer: { capsule: A, sealed: bytes(3) },
	},
	{ type: 'keepCapsule', request: 14, capsule: C },
];

const downFrames: Examples = [
	{ type: 'hello', version: 1, floor: 1, challenge: bytes(32), time: NOW },
	{
		...{ type: 'ready', software: 'kith-relay/0.1.0', vapidKey: 'key', retention: 2_592_000_000 },
		iceServers: [
			{ urls: ['stun:relay.example'], username: null, credential: null },
			{ urls: ['turn:relay.example'], username: 'u', credential: 'c' },
		],
	},
	{ type: 'ready', software: 'x', vapidKey: null, iceServers: [], retention: 0 },
	...['message', 'commit', 'welcome', 'dropped'].map((kind, at) => ({
		...{ type: 'deliver', seq: at + 1, kind, envelope: A, channel: B, epoch: at, at: NOW },
		body: kind === 'dropped' ? bytes(0) : bytes(20),
	})),
	{ type: 'caughtUp' },
	{ type: 'accepted', request: 1 },
	{ type: 'refused', request: 2, code: 'epoch-conflict', retryAfter: null, epoch: 5 },
	{ type: 'refused', request: 3, code: 'busy', retryAfter: 1000, epoch: null },
	{ type: 'whispered', channel: B, body: bytes(12) },
	{ type: 'looked', request: 4, state: 'open', card: bytes(6) },
	{ type: 'looked', request: 5, state: 'revoked', card: null },
	{ type: 'pong', time: NOW },
	{ type: 'bye', code: 'replaced', retryAfter: null },
	{ type: 'bye', code: 'shutting-down', retryAfter: 250 },
	{ type: 'snapshot', request: 6, epoch: 3, sealed: bytes(8) },
	{ type: 'snapshot', request: 7, epoch: 0, sealed: null },
	{ type: 'capsule', request: 0, sealed: bytes(8) },
	{ type: 'capsule', request: 0, sealed: null },
];

const peerFrames: Examples = [
	{ type: 'introduce', deviceKey: bytes(32), nonce: bytes(32, 9) },
	{ type: 'prove', signature: bytes(64) },
	{ type: 'envelope', channel: B, envelope: A, epoch: 3, body: bytes(40) },
	{ type: 'acknowledge', envelope: A },
	{ type: 'whisper', channel: B, body: bytes(12) },
	{ type: 'ping' },
	{ type: 'pong' },
];

const contents: Examples = [
	{
		...{ type: 'text', message: A, order: '019b76da80000000', count: 1, sent: NOW },
		...{ text: 'grüß dich 👋', replyTo: null, replaces: null },
	},
	{
		...{ type: 'text', message: A, order: '019b76da80000001', count: 2, sent: NOW },
		...{ text: 'again', replyTo: B, replaces: C },
	},
	{
		...{ type: 'text', message: A, order: '019b76da80000002', count: 3, sent: NOW },
		...{ text: 'ask @Ana', replyTo: null, replaces: null },
		mentions: [{ account: ACCOUNT, at: 4, length: 4 }],
	},
	{ type: 'receipt', delivered: [A], read: [B, C] },
	{ type: 'profile', profile, version: 2, address: C, keyPackage: bytes(30) },
	{
		...{ type: 'profile', version: 1, address: C, keyPackage: bytes(30) },
		profile: { name: 'Ana', picture: null },
	},
	{
		...{ type: 'profile', profile, version: 2, address: C, keyPackage: bytes(30) },
		devices: bytes(50),
	},
	{ type: 'repair', device: A, envelopes: [B], counts: [3, 4] },
	{ type: 'settled', envelopes: [B], counts: [3] },
	{
		type: 'roster',
		people: [
			{ account: ACCOUNT, name: 'Ana', entrance: { address: C, keyPackage: bytes(30) } },
			{ account: ACCOUNT, name: 'Ben', entrance: null },
		],
	},
	{ type: 'turnedAway', reason: 'full' },
	{
		...{ type: 'history', group: A, part: 1, last: true },
		messages: [
			{
				...{ message: B, order: '0195a1b2c3d40001', author: ACCOUNT, sent: NOW, text: 'hi @Ana' },
				...{ replyTo: C, mentions: [{ account: ACCOUNT, at: 3, length: 4 }] },
			},
			{
				...{ message: C, order: '0195a1b2c3d40000', author: ACCOUNT, sent: NOW, text: 'ho' },
				replyTo: null,
			},
		],
	},
	{ type: 'historyTaken', group: A, part: 1 },
	{ type: 'want', to: A, cursor: 'h/' },
	{ type: 'chunk', to: A, cursor: 'h/', entries: bytes(40), more: ['c//n/'] },
	{
		...{ type: 'agree', at: NOW, settings: [{ name: 'readReceipts', on: false }] },
		blocks: [{ account: ACCOUNT, on: true, at: NOW }],
		conversations: [
			{ subject: 'n/', readTo: '', pinned: true, muted: false, archived: false, draft: 'half' },
		],
		verified: undefined,
	},
	{
		...{ type: 'agree', at: NOW, conversations: [], settings: null, blocks: [] },
		verified: [{ account: ACCOUNT, how: 'compared', at: NOW }],
	},
	{ type: 'note', message: A, order: '0123456789abcdef', sent: NOW, text: 'milk', replyTo: null },
];

const channelContexts: Examples = [
	{ type: 'about', generation: 2 },
	{ type: 'about', generation: 3, lists: [{ account: ACCOUNT, list: bytes(50) }] },
	{
		...{ type: 'group', group: A, generation: 1, name: 'Hut 🏔️', description: '', picture: null },
		...{ roles: [{ account: ACCOUNT, role: 'owner' }], leaving: [ACCOUNT], secret: bytes(32) },
		policy: { write: 'everyone', change: 'admins', invite: 'admins' },
	},
	{
		...{ type: 'group', group: A, generation: 0, name: 'devices', description: '', picture: null },
		...{ roles: [{ account: ACCOUNT, role: 'owner' }], leaving: [], secret: bytes(32) },
		policy: { write: 'everyone', change: 'admins', invite: 'admins' },
		devices: bytes(50),
	},
	{ type: 'joining', ticket: bytes(32), address: C, keyPackage: bytes(30), certificate: bytes(40) },
	{ type: 'asking', group: A, profile, address: C, keyPackage: bytes(30) },
];

const snapshots: Examples = [
	{ type: 'snapshot', keys: [{ leaf: 3, sealed: bytes(80) }], state: bytes(40) },
];

const whispers: Examples = [
	{ type: 'typing', on: true },
	{ type: 'presence', online: true, reply: false },
	{ type: 'signal', to: A, payload: '{"sdp":"…"}' },
];

const cards: Examples = [
	{ type: 'card', account: ACCOUNT, profile, welcome: 'Come in', keyPackage: bytes(30) },
	{
		...{ type: 'groupCard', account: ACCOUNT, inviter: 'Ana', keyPackage: bytes(30), group: A },
		...{ name: 'Hut 🏔️', picture: null, size: 12, approval: true },
	},
];

const commitNotes: Examples = [
	{ type: 'byLink' },
	{ type: 'ownDevices', list: bytes(50) },
	{ type: 'theirDevices', account: ACCOUNT, list: bytes(50) },
	{ type: 'sharing', history: 'days-14' },
];

const offers: Examples = [
	{
		...{ type: 'offer', account: ACCOUNT, accountKey: bytes(48), deviceList: bytes(50) },
		...{ ticket: bytes(32), group: A, device: B, address: C, keyPackage: bytes(30) },
		...{ profile, version: 3, created: NOW },
	},
];

export const EXAMPLES = {
	...{ upFrames, downFrames, peerFrames, contents },
	...{ channelContexts, snapshots, whispers, cards, commitNotes, offers },
};
