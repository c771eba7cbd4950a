// One conversation as a page of its own: no script, nothing loaded from anywhere, and every word that a person wrote
// escaped. It prints, and it reads from right to left where the text does.
import { namedIn, type AccountId, type Message, type PageWords } from '../model.ts';
import {
	authorsOf,
	isSystemLine,
	messagesOf,
	titleOf,
	type TranscriptSource,
} from './transcript.ts';

const STYLE = `
:root{color-scheme:light dark;--ink:#231a16;--soft:#6b5d56;--out:#ffe3d6;--in:#fff;--bg:#fbf6f2;--line:#e6dcd5}
@media(prefers-color-scheme:dark){:root{--ink:#f3ebe6;--soft:#b3a59d;--out:#4a2a1e;--in:#2a2320;--bg:#1b1614;--line:#3a312d}}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.4 system-ui,sans-serif}
main{max-width:760px;margin:auto;padding:24px 16px}
header{border-block-end:1px solid var(--line);padding-block-end:12px}
h1{font-size:22px;margin:0}header p,.line,time,small{color:var(--soft);font-size:12px}
h2{font-size:12px;font-weight:500;color:var(--soft);text-align:center;margin:20px 0 8px}
article{background:var(--in);border:1px solid var(--line);border-radius:14px;padding:7px 12px;margin:4px 0;max-width:84%;width:fit-content;overflow-wrap:anywhere;break-inside:avoid}
article.me{background:var(--out);margin-inline-start:auto}
article b{display:block;font-size:13px}article p{margin:0;white-space:pre-wrap}
.line{text-align:center;margin:10px auto;max-width:44ch}blockquote{margin:0 0 4px;padding-inline-start:8px;border-inline-start:3px solid var(--line);color:var(--soft);white-space:pre-wrap}
`;

/** A page, in pieces. */
export async function* chatHtml(
	source: TranscriptSource,
	words: PageWords,
): AsyncGenerator<string> {
	const title = escaped(titleOf(source.conversation) ?? words.notes);
	const dir = isRightToLeft(words.locale) ? 'rtl' : 'ltr';
	yield `<!doctype html>
<html lang="${escaped(words.locale)}" dir="${dir}">
<head>
<meta charset="utf-8">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header><h1 dir="auto">${title}</h1><p>${escaped(words.made)}</p></header>
`;
	yield* body(source, words);
	yield '</main>\n</body>\n</html>\n';
}

async function* body(source: TranscriptSource, words: PageWords): AsyncGenerator<string> {
	const day = new Intl.DateTimeFormat(words.locale, { dateStyle: 'full' });
	const clock = new Intl.DateTimeFormat(words.locale, { hour: 'numeric', minute: '2-digit' });
	const names = new Map<AccountId, string>(
		authorsOf(source).map(({ account, name, me }) => [account, me ? words.you : name]),
	);
	/** What was quoted stands before what quotes it; the most recent are remembered. */
	const quotable = new Map<string, string>();
	let today = '';
	for await (const message of messagesOf(source)) {
		const at = Number.isNaN(new Date(message.sent).getTime()) ? 0 : message.sent;
		const date = day.format(at);
		if (date !== today) yield `<h2>${escaped(date)}</h2>\n`;
		today = date;
		const author = names.get(message.author) ?? (message.mine ? words.you : '');
		if (isSystemLine(message)) {
			const line = lineOf(message, { words, author, names });
			if (line !== '') yield `<p class="line" dir="auto">${escaped(line)}</p>\n`;
			continue;
		}
		const sharer = message.body.kind === 'text' && message.body.sharedBy;
		const note = sharer ? words.sharedBy(names.get(sharer) ?? '') : '';
		yield articleOf(message, { author, clock: clock.format(at), note, words, quotable });
		remember(quotable, message);
	}
}

const MOST_QUOTABLE = 2_000;
const QUOTE_CHARACTERS = 240;

function remember(quotable: Map<string, string>, { id, body }: Message): void {
	if (body.kind !== 'text') return;
	quotable.set(id, body.text.slice(0, QUOTE_CHARACTERS));
	const [oldest] = quotable.keys();
	if (quotable.size > MOST_QUOTABLE && oldest !== undefined) quotable.delete(oldest);
}

interface Shown {
	readonly author: string;
	readonly clock: string;
	/** Whose word it is, beside the time; or empty. */
	readonly note: string;
	readonly words: PageWords;
	readonly quotable: ReadonlyMap<string, string>;
}

function articleOf(message: Message, { author, clock, note, words, quotable }: Shown): string {
	const { body } = message;
	const replyTo = body.kind === 'text' ? body.replyTo : undefined;
	const quote = replyTo === undefined ? undefined : quotable.get(replyTo);
	const time = new Date(message.sent);
	const iso = Number.isNaN(time.getTime()) ? '' : time.toISOString();
	return [
		`<article${message.mine ? ' class="me"' : ''}>`,
		`<b dir="auto">${escaped(author)}</b>`,
		quote === undefined ? '' : `<blockquote dir="auto">${escaped(quote)}</blockquote>`,
		`<p dir="auto">${escaped(textOf(message, words))}</p>`,
		`<time datetime="${iso}">${escaped(clock)}</time>`,
		note === '' ? '' : ` <small dir="auto">${escaped(note)}</small>`,
		'</article>\n',
	].join('');
}

function textOf({ body }: Message, words: PageWords): string {
	switch (body.kind) {
		case 'text':
			return body.text;
		case 'unreadable':
			return words.unreadable;
		case 'newer':
			return words.newer;
		case 'event':
			return '';
		case 'foreign':
			if (body.what === 'deleted') return words.deleted;
			if (body.what === 'edited') return `${body.text} (${words.edited})`;
			if (body.what === 'system') return body.text;
			return [body.file ?? '', words.media, body.text].filter(Boolean).join('\n');
	}
}

interface Line {
	readonly words: PageWords;
	readonly author: string;
	readonly names: ReadonlyMap<AccountId, string>;
}

function lineOf({ body, mine }: Message, { words, author, names }: Line): string {
	if (body.kind === 'foreign' && body.what === 'system') return body.text;
	if (body.kind !== 'event') return '';
	const { event } = body;
	if (event.kind === 'joined') return words.joined;
	if (event.kind === 'safety-number-changed') return words.safetyNumberChanged;
	if (event.kind === 'latecomer') return words.latecomer;
	if (event.kind === 'devices') return words.devices(event.change, author);
	const who = namedIn(event).map((account) => names.get(account) ?? '');
	return words.group(event, { by: mine ? undefined : author, who });
}

function isRightToLeft(locale: string): boolean {
	return /^(?:ar|fa|he|ur|ps|ckb|yi|dv|ug)\b/u.test(locale);
}

/** For text and for attributes in double quotes alike. */
function escaped(text: string): string {
	return text.replaceAll(/[&<>"'\0]/gu, (sign) =>
		sign === '\0' ? '\ufffd' : `&#${sign.charCodeAt(0)};`,
	);
}
