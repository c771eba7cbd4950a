// A chat that WhatsApp exported: `_chat.txt` or "WhatsApp Chat with ….txt", alone or in a zip. Nothing is stored here;
// the same bytes always give the same chat. The file is foreign: every size has a bound, and nothing in it is trusted.
import type {
	DateOrder,
	ForeignChat,
	ForeignFailure,
	ForeignMessage,
	ForeignProblem,
	ReadOptions,
} from '../model.ts';
import type { Result } from '../ports.ts';
import { foreignBody, isSystemText } from './phrases.ts';
import { decideDates, readStamp, wallOf, type Stamp } from './stamps.ts';
import { isZip, listZip, readEntry, type ZipEntry } from './zip.ts';

/** Exports end at 40,000 messages; this is many times that. */
const MOST_TEXT_BYTES = 64 * 1024 * 1024;
const MOST_MESSAGES = 500_000;
const MOST_PARTICIPANTS = 2_000;
const MOST_PROBLEMS = 1_000;
/** The messenger's own limit of one message. */
const LONGEST_MESSAGE = 65_536;
const PROBLEM_CHARACTERS = 120;
const LONGEST_NAME = 100;
/** Lines read before the screen may breathe. */
const BREATH = 1_000;
const AUTHOR = /^(.{1,100}?):(?: |$)/u;

const CHAT_NAMES = [/^_chat\.txt$/iu, /whatsapp.*\.txt$/iu, /\.txt$/iu];
const TITLES = [
	/^WhatsApp Chat - (.+)$/iu,
	/^WhatsApp Chat (?:with|mit|avec|con|met|com o|com|med|z|ile|s|dengan) (.+)$/iu,
	/^(?:Chat de WhatsApp con|Conversa do WhatsApp com|Discussion WhatsApp avec|Chat WhatsApp con|Чат WhatsApp с(?: контактом)?|محادثة واتساب مع|دردشة واتساب مع) (.+)$/iu,
];

/** Reads an export. `file` is a text or a zip; its name may tell what the chat is called. */
export async function readWhatsApp(
	file: Blob & { readonly name?: string },
	options: ReadOptions,
): Promise<Result<ForeignChat, ForeignFailure>> {
	const text = await textOf(file);
	if (!text.ok) return text;
	const lines = await readLines(text.value.text, options);
	if (lines.messages.length === 0) return { ok: false, error: { kind: 'not-a-chat' } };
	const dates = decideDates(
		lines.messages.map(({ stamp }) => stamp),
		options.now,
	);
	const chosen: DateOrder = options.order ?? dates.order;
	const title = titleOf(text.value.name) ?? titleOf(file.name ?? '');
	return {
		ok: true,
		value: { source: 'whatsapp', title, dates, ...(await assemble(lines, chosen, options)) },
	};
}

type Text = { readonly name: string; readonly text: string };

async function textOf(
	file: Blob & { readonly name?: string },
): Promise<Result<Text, ForeignFailure>> {
	const tooLarge = { kind: 'too-large', limit: MOST_TEXT_BYTES } as const;
	if (!(await isZip(file))) {
		if (file.size > MOST_TEXT_BYTES) return { ok: false, error: tooLarge };
		const bytes = new Uint8Array(await file.arrayBuffer());
		return { ok: true, value: { name: file.name ?? '', text: decodeText(bytes) } };
	}
	const entries = await listZip(file);
	const chat = entries.ok ? chatIn(entries.value) : undefined;
	if (entries.ok && !chat) return { ok: false, error: { kind: 'no-chat' } };
	const bytes = entries.ok && chat ? await readEntry(file, chat, MOST_TEXT_BYTES) : entries;
	if (!bytes.ok) {
		const { error } = bytes;
		return {
			ok: false,
			error: error === 'too-large' ? tooLarge : { kind: 'unreadable', why: error },
		};
	}
	if (!(bytes.value instanceof Uint8Array)) return { ok: false, error: { kind: 'no-chat' } };
	return { ok: true, value: { name: chat?.name ?? '', text: decodeText(bytes.value) } };
}

function chatIn(entries: readonly ZipEntry[]): ZipEntry | undefined {
	const nameOf = ({ name }: ZipEntry) => name.slice(name.lastIndexOf('/') + 1);
	const own = entries.filter(({ name }) => !name.startsWith('__MACOSX/'));
	for (const pattern of CHAT_NAMES) {
		const found = own.find((entry) => pattern.test(nameOf(entry)));
		if (found) return found;
	}
	return undefined;
}

/** UTF-8; or UTF-16 by its byte order mark, as an editor may have saved it. */
function decodeText(bytes: Uint8Array): string {
	const [first, second] = bytes;
	if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
	if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes);
	return new TextDecoder().decode(bytes);
}

/** What the file's name calls the chat. */
function titleOf(name: string): string | undefined {
	const plain = name
		.slice(name.lastIndexOf('/') + 1)
		.replaceAll(/[\u200e\u200f]/gu, '')
		.replace(/\.(?:txt|zip)$/iu, '')
		.replace(/ ?\(\d+\)$/u, '')
		.trim();
	for (const pattern of TITLES) {
		const title = pattern.exec(plain)?.[1]?.trim();
		if (title) return title.slice(0, LONGEST_NAME);
	}
	return undefined;
}

interface RawMessage {
	readonly line: number;
	readonly stamp: Stamp;
	text: string;
}

interface RawLines {
	readonly messages: RawMessage[];
	readonly problems: ForeignProblem[];
	problemCount: number;
}

async function readLines(text: string, { pause }: ReadOptions): Promise<RawLines> {
	const lines: RawLines = { messages: [], problems: [], problemCount: 0 };
	let number = 0;
	for (let at = 0; at < text.length;) {
		const end = text.indexOf('\n', at);
		const stop = end < 0 ? text.length : end;
		number++;
		takeLine(lines, number, text.slice(at, text[stop - 1] === '\r' ? stop - 1 : stop));
		at = stop + 1;
		if (number % BREATH === 0) await pause?.();
	}
	return lines;
}

function takeLine(lines: RawLines, number: number, line: string): void {
	const stamp = readStamp(line);
	const last = lines.messages.at(-1);
	if (stamp === 'odd' || (stamp && lines.messages.length >= MOST_MESSAGES)) {
		report(lines, { line: number, text: line, why: stamp === 'odd' ? 'date' : 'too-long' });
	} else if (stamp) {
		const rest = line.slice(stamp.length);
		lines.messages.push({ line: number, stamp, text: rest.slice(0, LONGEST_MESSAGE) });
		if (rest.length > LONGEST_MESSAGE) report(lines, { line: number, text: line, why: 'too-long' });
	} else if (!last) {
		if (line.trim() !== '')
			report(lines, { line: number, text: line, why: 'before-first-message' });
	} else if (last.text.length + line.length < LONGEST_MESSAGE) last.text += `\n${line}`;
	else report(lines, { line: number, text: line, why: 'too-long' });
}

function report(lines: Pick<RawLines, 'problems' | 'problemCount'>, problem: ForeignProblem): void {
	lines.problemCount++;
	if (lines.problems.length >= MOST_PROBLEMS) return;
	lines.problems.push({ ...problem, text: problem.text.slice(0, PROBLEM_CHARACTERS) });
}

/** Messages with their people, once it is known which number is the day. */
async function assemble(
	lines: RawLines,
	order: DateOrder,
	{ pause }: ReadOptions,
): Promise<Pick<ForeignChat, 'participants' | 'messages' | 'problems' | 'problemCount'>> {
	const people = new Map<string, { index: number; messages: number }>();
	const messages: ForeignMessage[] = [];
	const found = { problems: [...lines.problems], problemCount: lines.problemCount };
	for (const [index, { line, stamp, text }] of lines.messages.entries()) {
		if (index % BREATH === BREATH - 1) await pause?.();
		const wall = wallOf(stamp, order);
		if (wall === undefined) {
			report(found, { line, text: `${stamp.text} ${text}`, why: 'date' });
			continue;
		}
		const { name, body } = partsOf(text.trimEnd());
		const person = name === undefined ? undefined : personOf(people, name);
		if (person) person.messages++;
		messages.push({ author: person?.index, wall, body });
	}
	return {
		participants: [...people].map(([name, { messages: count }]) => ({ name, messages: count })),
		messages,
		problems: found.problems.sort((one, other) => one.line - other.line),
		problemCount: found.problemCount,
	};
}

/** Undefined beyond the bound: what more people wrote then stands without a name. */
function personOf(people: Map<string, { index: number; messages: number }>, name: string) {
	const known = people.get(name);
	if (known || people.size >= MOST_PARTICIPANTS) return known;
	const added = { index: people.size, messages: 0 };
	people.set(name, added);
	return added;
}

function partsOf(text: string): { name: string | undefined; body: ForeignMessage['body'] } {
	const system = {
		name: undefined,
		body: { kind: 'foreign', what: 'system', text: clean(text) },
	} as const;
	const match = AUTHOR.exec(text);
	const name = match?.[1] === undefined ? '' : clean(match[1]).replace(/^~\s*/u, '').trim();
	if (!match || name === '' || isInsideQuote(name)) return system;
	const said = text.slice(match[0].length);
	const body = foreignBody(said);
	if (body) return { name, body };
	if (isSystemText(said)) return { ...system, body: { ...system.body, text: clean(said) } };
	return { name, body: { kind: 'text', text: clean(said) } };
}

/** "Maya changed the subject to “Trip: 2021”": the colon is in what is quoted, and nobody wrote it. */
function isInsideQuote(name: string): boolean {
	const count = (marks: RegExp) => [...name.matchAll(marks)].length;
	return (
		count(/"/gu) % 2 === 1 ||
		count(/“/gu) > count(/”/gu) + (name.includes('„') ? count(/“/gu) : 0) ||
		count(/«/gu) > count(/»/gu) ||
		(name.includes('„') && !/[“”]/u.test(name))
	);
}

/** Without the marks of direction that the export put at the edges; those inside a text are the writer's. */
function clean(text: string): string {
	return text
		.replaceAll(/^[\u200e\u200f\ufeff\s]+|[\u200e\s]+$/gu, '')
		.replaceAll('\n\u200e', '\n');
}
