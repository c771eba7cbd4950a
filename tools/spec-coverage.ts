// Lists the rules of src/protocol/SPEC.md that no test title names, and titles that name a rule which does not
// exist. Exits with 1 if there are any.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const RULE = /^- \*\*([A-Z]{2}-\d+)\*\*/gm;
const RULE_IN_TITLE = /\b(?:FR|HS|MB|AD|CH|GR|JO|HI|BL|RQ|DE|WH|CO|PE|PU|CP|LI|ER)-\d+\b/g;
/** The first argument of it, test or describe, also behind `.each(...)(` and modifiers. */
const TITLE = /\b(?:it|test|describe)\b[\w.]*\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g;
const TEST_FILE = /\.(test|spec)\.ts$|^tests\/contracts\/.*\.ts$/;
/** Titles behind `it.each([...])('...')` and in tables: any string that begins with a rule. */
const TITLE_IN_TABLE = /(['"`])((?:[A-Z]{2}-\d+ )+(?:\\.|(?!\1)[^\\])*)\1/g;

function testFiles(): string[] {
	return ['src', 'server', 'tests', 'tools'].flatMap((room) =>
		readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
			.map((file) => `${room}/${file.replaceAll('\\', '/')}`)
			.filter((file) => TEST_FILE.test(file)),
	);
}

function titlesIn(text: string): string[] {
	return [TITLE, TITLE_IN_TABLE].flatMap((pattern) =>
		[...text.matchAll(pattern)].map(([, , title = '']) => title),
	);
}

const spec = readFileSync(join(root, 'src/protocol/SPEC.md'), 'utf8');
const rules = new Set([...spec.matchAll(RULE)].map(([, rule = '']) => rule));
const named = new Map<string, string>();
for (const file of testFiles())
	for (const title of titlesIn(readFileSync(join(root, file), 'utf8')))
		for (const [rule] of title.matchAll(RULE_IN_TITLE)) named.set(rule, file);

const untested = [...rules].filter((rule) => !named.has(rule));
const unknown = [...named].filter(([rule]) => !rules.has(rule));
for (const rule of untested) console.error(`${rule} is named by no test title.`);
for (const [rule, file] of unknown)
	console.error(`${file} names ${rule}, which SPEC.md does not have.`);
console.log(`${rules.size - untested.length} of ${rules.size} rules are named by tests.`);
process.exitCode = untested.length + unknown.length > 0 ? 1 : 0;
