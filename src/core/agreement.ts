// What the person's devices agree on beside messages: how far was read, what is pinned, muted and archived, drafts,
// who is blocked, who was verified, and settings. Each tells the others what changed on it; the latest word counts, and reading only goes forward (SPEC DE-11).
import type { Content } from '../protocol/content.ts';
import type { AccountId, ConversationId } from '../protocol/ids.ts';
import { keepBlock } from './blocking.ts';
import type { EngineContext, Work } from './context.ts';
import { DEFAULT_SETTINGS, writtenOf, type Verification } from './model.ts';
import type { Touched, Transaction } from './ports.ts';
import type { AgreedRow, Mark } from './device-records.ts';
import { ONLY, outboxKey, type ConversationRow } from './records.ts';
import { conversationOf, subjectOf } from './subjects.ts';
import { readUpTo } from './threads.ts';

const SETTINGS = 'settings';
/** Of the person, and not of a browser. */
const OF_PERSON = ['readReceipts', 'showPresence', 'onlyMyLink'] as const;
const BLOCKS = 'b/';
const MARKS = 'v/';

type Agreed = Extract<Content, { type: 'agree' }>;
type Said = Agreed['conversations'][number];

async function said(tx: Transaction, row: ConversationRow, subject: string): Promise<Said> {
	const { readTo, pinned, muted, archived } = row;
	const { text: draft } = writtenOf((await tx.get('drafts', row.id)) ?? '');
	return { subject, readTo, pinned, muted, archived, draft };
}

const sameWords = (a: Said, b: Said | undefined): boolean =>
	b !== undefined &&
	a.readTo === b.readTo &&
	a.pinned === b.pinned &&
	a.muted === b.muted &&
	a.archived === b.archived &&
	a.draft === b.draft;

/** Whether any of these rows may be something to tell the others. */
export function isWorthTelling(rows: readonly Touched[]): boolean {
	return rows.some(({ store }) => {
		return ['conversations', 'drafts', 'settings', 'blocks', 'people'].includes(store);
	});
}

/** Queues what these rows changed, as far as the others have not said it themselves. */
export async function tellOthers(context: EngineContext, rows: readonly Touched[]): Promise<void> {
	const ids = new Set(
		rows.flatMap(({ store, key }) => (store === 'conversations' || store === 'drafts' ? key : [])),
	);
	const isSettings = rows.some(({ store }) => store === 'settings');
	const blocks = rows.flatMap(({ store, key }) => (store === 'blocks' ? key : []));
	const people = rows.flatMap(({ store, key }) => (store === 'people' ? key : []));
	if (!(await context.store.get('me', ONLY))?.devices) return;
	await context.persist(async (tx) => {
		const me = await tx.get('me', ONLY);
		if (!me?.self || (me.devices?.ids.length ?? 0) < 2) return;
		for (const id of ids) await tellOf({ ...context, tx }, id as ConversationId, me.self);
		if (isSettings) await tellSettings({ ...context, tx }, me.self);
		for (const account of blocks) await tellBlock(tx, account, me.self);
		for (const account of people) await tellMark({ ...context, tx }, account, me.self);
	});
}

async function tellOf(work: Work, id: ConversationId, self: ConversationId): Promise<void> {
	const { tx } = work;
	const row = await tx.get('conversations', id);
	const subject = row && subjectOf(row);
	if (!row || subject === undefined || row.imported) return;
	const now = await said(tx, row, subject);
	const known = await tx.get('agreed', subject);
	if (sameWords(now, known?.said)) return;
	const at = Math.max(work.relayTime(), (known?.at ?? 0) + 1);
	tx.put('agreed', subject, { at, said: now });
	// Before there was anything else to compare with, what is usual is nothing to tell.
	const usual = { subject, readTo: '', pinned: false, muted: false, archived: false, draft: '' };
	if (!known && sameWords(now, usual)) return;
	tx.put('outbox', outboxKey.agree(self, subject), { kind: 'agree', subject });
}

async function tellSettings(work: Work, self: ConversationId): Promise<void> {
	const { tx } = work;
	const here = { ...DEFAULT_SETTINGS, ...(await tx.get('settings', ONLY)) };
	const settings = OF_PERSON.map((name) => ({ name, on: here[name] }));
	const known = await tx.get('agreed', SETTINGS);
	const before = known?.settings ?? OF_PERSON.map((name) => ({ name, on: DEFAULT_SETTINGS[name] }));
	if (settings.every(({ name, on }) => before.find((each) => each.name === name)?.on === on))
		return;
	const at = Math.max(work.relayTime(), (known?.at ?? 0) + 1);
	tx.put('agreed', SETTINGS, { at, settings });
	tx.put('outbox', outboxKey.agree(self, SETTINGS), { kind: 'agree', subject: SETTINGS });
}

async function tellBlock(tx: Transaction, account: string, self: ConversationId): Promise<void> {
	const subject = `${BLOCKS}${account}`;
	const row = await tx.get('blocks', account);
	if (!row || (await tx.get('agreed', subject))?.at === row.at) return;
	tx.put('agreed', subject, { at: row.at });
	tx.put('outbox', outboxKey.agree(self, subject), { kind: 'agree', subject });
}

async function tellMark(work: Work, account: string, self: ConversationId): Promise<void> {
	const { tx } = work;
	const subject = `${MARKS}${account}`;
	const person = await tx.get('people', account);
	if (!person) return;
	const { verification } = person;
	const verified = markOf(verification);
	const known = await tx.get('agreed', subject);
	if (verified === (known?.verified ?? null)) return;
	// A mark that came with the history is as old as it is: somebody may have taken it back since.
	const made = verification.kind === 'verified' ? verification.at : Infinity;
	const now = work.relayTime();
	const at = known ? Math.max(now, known.at + 1) : Math.min(now, made);
	tx.put('agreed', subject, { at, verified });
	tx.put('outbox', outboxKey.agree(self, subject), { kind: 'agree', subject });
}

function markOf(verification: Verification): Mark {
	return verification.kind === 'verified' ? verification.how : null;
}

/** What stands in an outbox row, as it is now. */
export async function agreementOf(tx: Transaction, subject: string): Promise<Agreed | undefined> {
	const row = await tx.get('agreed', subject);
	if (!row) return undefined;
	const account = subject.slice(BLOCKS.length) as AccountId;
	const block = subject.startsWith(BLOCKS) ? await tx.get('blocks', account) : undefined;
	const at = Math.max(0, Math.floor(row.at));
	return {
		type: 'agree',
		at,
		conversations: row.said ? [row.said] : [],
		settings: row.settings ? [...row.settings] : null,
		verified: subject.startsWith(MARKS)
			? [{ account: subject.slice(MARKS.length) as AccountId, how: row.verified ?? null, at }]
			: undefined,
		blocks: block ? [{ account, on: block.on, at: Math.max(0, Math.floor(block.at)) }] : [],
	};
}

/** Another own device told what changed on it. */
export async function applyAgreement(
	{ tx }: Pick<Work, 'tx'>,
	{ at, conversations, settings, blocks, verified = [] }: Agreed,
): Promise<void> {
	for (const mark of verified) await followMark(tx, mark);
	for (const block of blocks) {
		if (await keepBlock(tx, block)) tx.put('agreed', `${BLOCKS}${block.account}`, { at: block.at });
	}
	for (const each of conversations) {
		const row = await conversationOf(tx, each.subject);
		const known = await tx.get('agreed', each.subject);
		if (row) await follow(tx, row, { at, each, known });
	}
	const known = await tx.get('agreed', SETTINGS);
	if (settings === null || at < (known?.at ?? 0)) return;
	const told = OF_PERSON.flatMap((name) => {
		const on = settings.find((each) => each.name === name)?.on;
		return on === undefined ? [] : [[name, on] as const];
	});
	const before = await tx.get('settings', ONLY);
	tx.put('settings', ONLY, { ...DEFAULT_SETTINGS, ...before, ...Object.fromEntries(told) });
	tx.put('agreed', SETTINGS, { at, settings });
}

/** Of somebody who is not known here there is nothing to say. */
async function followMark(
	tx: Transaction,
	{ account, how, at }: NonNullable<Agreed['verified']>[number],
): Promise<void> {
	const subject = `${MARKS}${account}`;
	const person = await tx.get('people', account);
	if (!person || at < ((await tx.get('agreed', subject))?.at ?? 0)) return;
	tx.put('agreed', subject, { at, verified: how });
	if (markOf(person.verification) === how) return;
	const verification: Verification =
		how === null ? { kind: 'unverified' } : { kind: 'verified', at, how };
	tx.put('people', account, { ...person, verification });
	const conversation = await tx.get('conversations', person.conversation ?? '');
	if (conversation) tx.put('conversations', conversation.id, { ...conversation }); // whoever shows it hears of it
}

async function follow(
	tx: Transaction,
	row: ConversationRow,
	{ at, each, known }: { at: number; each: Said; known: AgreedRow | undefined },
): Promise<void> {
	await readUpTo(tx, row.id, each.readTo);
	const isNewer = at >= (known?.at ?? 0);
	const fresh = await tx.get('conversations', row.id);
	if (!fresh) return;
	if (isNewer) {
		const { pinned, muted, archived, draft } = each;
		tx.put('conversations', fresh.id, { ...fresh, pinned, muted, archived });
		const here = writtenOf((await tx.get('drafts', fresh.id)) ?? '');
		if (draft === '') tx.delete('drafts', fresh.id);
		else if (here.text !== draft) tx.put('drafts', fresh.id, draft);
	}
	// What is so here now was said by them: it is no news of this device.
	const after = (await tx.get('conversations', fresh.id)) ?? fresh;
	const now = await said(tx, after, each.subject);
	tx.put('agreed', each.subject, { at: Math.max(at, known?.at ?? 0), said: now });
}
