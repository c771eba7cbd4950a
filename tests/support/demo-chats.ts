import type { AccountId, LogEvent, Message, Person } from '../../src/core/model.ts';
import { idFrom } from '../../src/protocol/ids.ts';
import type { FakeClient } from './fake-client.ts';
import type { FakeMessage } from './fake-chat.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Invented people and what they wrote. */
export async function fillDemo(
	client: FakeClient,
	options: { readonly started: boolean; readonly alone: boolean },
): Promise<void> {
	const maya = idFrom<AccountId>(Uint8Array.from({ length: 32 }, (_, at) => (at * 53 + 4) & 255));
	client.links.setPreview('open', {
		kind: 'open',
		account: maya,
		profile: { name: 'Maya Lindqvist', picture: null },
		welcome: 'Hi, Maya from the book club here. Write me back and we are connected 🙂',
		existing: undefined,
	});
	for (const reason of ['used', 'expired', 'revoked', 'unknown', 'limit'] as const) {
		client.links.setPreview(reason, { kind: 'closed', reason });
	}
	client.links.setPreview('offline', { kind: 'offline' });
	client.links.setPreview('own', { kind: 'own' });
	if (!options.started) return;
	await client.start('Sam Okafor');
	if (options.alone) return;
	await client.createInvite({ kind: 'reusable' });
	await client.createInvite({ kind: 'one-time' });
	const old = await client.createInvite({ kind: 'one-time' });
	await client.revokeInvite(old.address);
	const now = Date.now();
	fillMaya(client, now);
	fillList(client, now);
	fillScripts(client, now);
	fillLong(client, now);
	await fillGroups(client, now);
}

function fillMaya(client: FakeClient, now: number): void {
	const id = client.addConversation({
		name: 'Maya Lindqvist',
		pinned: true,
		echoes: true,
		presence: { path: 'direct', online: true },
	});
	type More = Partial<FakeMessage>;
	const say = (text: string, ago: number, more: More = {}): Message =>
		client.addMessage(id, { text, sent: now - ago, ...more });
	client.addMessage(id, {
		body: { kind: 'event', event: { kind: 'joined' } },
		sent: now - DAY - 3 * HOUR,
	});
	say('Did the rail people ever answer you?', DAY + 2 * HOUR);
	say('I kept the ticket stubs, in case', DAY + 2 * HOUR - MINUTE);
	say('They did. Refund is coming “within 5 to 90 days” 🙃', DAY + 110 * MINUTE, { mine: true });
	say('So I framed the apology letter', DAY + 109 * MINUTE, { mine: true });
	say(
		'https://nightlines.example/north\nThis one stops ten minutes from the lake!',
		DAY + 30 * MINUTE,
	);
	say('🛤️😍', DAY + 26 * MINUTE, { mine: true });
	const booked = say(
		'Booked. Sleeper car, lower bunks, leaving Friday 22:40. I put both tickets in the folder.',
		5 * HOUR,
		{ mine: true },
	);
	say('', 4 * HOUR + 50 * MINUTE, {
		body: {
			kind: 'text',
			text: 'You are a hero. Do we need to bring bedding?',
			replyTo: booked.id,
		},
	});
	say(
		'To pack:\n- *warm* socks\n- the _good_ thermos\n- ~laptop~ no laptop\n> it said “no Wi-Fi” and I believe it\n`22:40`, platform 7',
		4 * HOUR,
	);
	say('Beware of https://аpple.com and javascript:alert(1)', 3 * HOUR + 59 * MINUTE);
	say('Bedding is included, I asked', 20 * MINUTE, { mine: true, delivery: { kind: 'delivered' } });
	say('And coffee', 19 * MINUTE, { mine: true, delivery: { kind: 'sent' } });
	say('Are you still awake enough to check the car rental?', 10 * MINUTE, {
		mine: true,
		delivery: { kind: 'failed', reason: 'mailbox-full' },
	});
	say('Waiting here for a signal', 2 * MINUTE, { mine: true, delivery: { kind: 'queued' } });
}

function fillList(client: FakeClient, now: number): void {
	const jonas = client.addConversation({
		name: 'Jonas Weber',
		presence: { path: 'relay', online: true },
	});
	client.addMessage(jonas, { text: 'Got the new phone running', sent: now - DAY });
	client.addMessage(jonas, {
		body: { kind: 'event', event: { kind: 'safety-number-changed' } },
		sent: now - DAY + MINUTE,
	});
	client.addMessage(jonas, {
		body: { kind: 'unreadable', state: 'asked' },
		sent: now - DAY + 2 * MINUTE,
	});
	client.addMessage(jonas, { body: { kind: 'newer' }, sent: now - DAY + 3 * MINUTE });
	client.addMessage(jonas, { text: 'Can you read this one?', sent: now - DAY + 4 * MINUTE });
	const priya = client.addConversation({
		name: 'Priya Raman',
		draft: 'I was thinking we could just',
		presence: { online: true },
		verified: true,
	});
	client.addMessage(priya, { text: 'Lunch tomorrow?', sent: now - 4 * HOUR });
	const dad = client.addConversation({ name: 'Dad', presence: { typing: true, online: true } });
	client.addMessage(dad, {
		mine: true,
		text: 'Call you after six, train is loud',
		sent: now - 2 * HOUR,
	});
	const kwame = client.addConversation({ name: 'Kwame Asante', muted: true, unread: 12 });
	for (let each = 0; each < 12; each++) {
		client.addMessage(kwame, {
			text: 'Who has the long rope?',
			sent: now - 3 * HOUR + each * MINUTE,
		});
	}
	const leila = client.addConversation({
		name: 'Leïla Benali',
		presence: { path: 'offline' },
		lastSeen: now - 2 * DAY,
	});
	client.addMessage(leila, {
		mine: true,
		text: 'Are you around on Friday?',
		sent: now - 5 * DAY,
		delivery: { kind: 'sent' },
	});
	const refused = client.addConversation({
		name: 'Tomas Berg',
		state: { kind: 'refused', reason: 'used' },
		presence: { path: 'offline' },
	});
	client.addMessage(refused, {
		mine: true,
		text: 'Hello Tomas, is this you?',
		sent: now - 6 * DAY,
		delivery: { kind: 'failed', reason: 'address-used' },
	});
	const old = client.addConversation({ name: 'Inês Duarte', archived: true });
	client.addMessage(old, { text: 'Bye for now', sent: now - 90 * DAY });
}

function fillScripts(client: FakeClient, now: number): void {
	const layla = client.addConversation({
		name: 'ليلى حداد',
		presence: { path: 'direct', online: true },
	});
	const lines = [
		'مرحبا! هل وصلت رسالتي رقم 42 (الأولى)؟',
		'Mixed: العربية and English in one line, with (parentheses) and 3.14!',
		'שלום, מה שלומך? ההזמנה היא ל-5 אנשים (כולל ילדים).',
		'今日はいい天気ですね。散歩に行きましょうか？そのあとで一緒にお茶を飲みましょう。',
		'Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘! and on it goes',
		'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft'.repeat(3),
		'👩‍👩‍👧‍👦',
	];
	lines.forEach((text, at) =>
		client.addMessage(layla, { text, sent: now - 9 * HOUR + at * 7 * MINUTE, mine: at % 3 === 2 }),
	);
	client.addConversation({
		name: 'Wolfeschlegelsteinhausenbergerdorff Adolph Blaine Charles the Seven Hundred and Forty-Sixth',
		created: now - 8 * DAY,
	});
	client.addConversation({ name: '🦊', created: now - 8 * DAY });
	client.addConversation({ name: '山田太郎', created: now - 8 * DAY });
}

function fillLong(client: FakeClient, now: number): void {
	const words = 'the lake is quiet today and nobody wrote for hours so here is a longer line'.split(
		' ',
	);
	const id = client.addConversation({
		name: 'Everything Group of One',
		unread: 5000,
		created: now - 60 * DAY,
	});
	for (let at = 0; at < 5200; at++) {
		client.addMessage(id, {
			text:
				at === 5100
					? 'long. '.repeat(3000)
					: `${at} ${words.slice(0, 1 + ((at * 7) % words.length)).join(' ')}`,
			sent: now - 40 * DAY + at * 10 * MINUTE,
			mine: at < 200 && at % 3 === 0,
		});
	}
}

async function fillGroups(client: FakeClient, now: number): Promise<void> {
	const me = (await client.me())?.account;
	const contacts = await client.contacts();
	const [maya, jonas] = ['Maya Lindqvist', 'Jonas Weber'].map((name) =>
		contacts.find(({ profile }) => profile.name === name),
	);
	if (!me || !maya || !jonas) return;
	const noor = client.stranger('Noor Haddad');
	const tess = client.stranger('Tess van den Berg');
	fillHut(client, now, { me, maya, jonas, noor, tess });
	const choir = client.addGroup({
		name: 'Tuesday choir',
		state: { kind: 'removed', by: noor.account, at: now - 6 * DAY },
		presence: { path: 'offline' },
		created: now - 50 * DAY,
		members: [{ person: noor, role: 'owner' }, { person: tess }],
	});
	client.addMessage(choir, {
		text: 'Next week in the small hall',
		author: noor.account,
		sent: now - 8 * DAY,
	});
	client.addMessage(choir, {
		body: { kind: 'event', event: { kind: 'removed', who: [me] } },
		author: noor.account,
		sent: now - 6 * DAY,
	});
}

interface HutPeople extends Record<'maya' | 'jonas' | 'noor' | 'tess', Person> {
	readonly me: AccountId;
}

function fillHut(client: FakeClient, now: number, people: HutPeople): void {
	const { me, maya, jonas, noor, tess } = people;
	const id = client.addGroup({
		name: 'Hut weekend 🏔️',
		description: 'Friday to Sunday, bring cash for the hut.',
		role: 'admin',
		unread: 2,
		presence: { path: 'relay', online: true, typing: true, typists: [maya.account, tess.account] },
		created: now - 2 * DAY,
		members: [
			{ person: maya, role: 'owner' },
			{ person: jonas },
			{ person: noor, role: 'admin' },
			{ person: tess },
		],
	});
	const say = (author: AccountId, text: string, ago: number): Message =>
		client.addMessage(id, { text, author, mine: author === me, sent: now - ago });
	const line = (author: AccountId, event: LogEvent, ago: number): Message =>
		client.addMessage(id, {
			...{ author, mine: author === me, body: { kind: 'event', event }, sent: now - ago },
		});
	line(maya.account, { kind: 'group-created' }, 2 * DAY);
	line(maya.account, { kind: 'added', who: [me, jonas.account] }, 2 * DAY - MINUTE);
	say(maya.account, 'Everybody in? The hut wants a number by tonight', 2 * DAY - 2 * MINUTE);
	say(jonas.account, 'In', 2 * DAY - 5 * MINUTE);
	say(jonas.account, 'And I have the big pot', 2 * DAY - 6 * MINUTE);
	line(maya.account, { kind: 'added', who: [noor.account, tess.account] }, DAY + HOUR);
	line(maya.account, { kind: 'role', who: noor.account, role: 'admin' }, DAY + HOUR - MINUTE);
	line(noor.account, { kind: 'renamed', name: 'Hut weekend 🏔️' }, DAY);
	const mine = say(me, 'I bring bread and the good cheese', 3 * HOUR);
	client.groups.setReceipts(mine.id, [
		{ account: maya.account, kind: 'read' },
		{ account: jonas.account, kind: 'read' },
		{ account: noor.account, kind: 'delivered' },
		{ account: tess.account, kind: 'sent' },
	]);
	line(me, { kind: 'described' }, 2 * HOUR);
	say(tess.account, 'Is there a stove up there?', 20 * MINUTE);
	say(noor.account, 'A wood stove, and it is lovely', 18 * MINUTE);
}
