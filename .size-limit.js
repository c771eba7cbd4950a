// What a first visit transfers, route by route: the files that the browser must have before the screen is there.
// Read from the build itself, so that a file that slips in is counted.
import { readFileSync, readdirSync } from 'node:fs';

const BUILD = 'build/_app/immutable';
const manifest = JSON.parse(readFileSync('.svelte-kit/output/client/.vite/manifest.json', 'utf8'));
const entryFile = readdirSync(`${BUILD}/entry`).find((name) => /^app\..*\.js$/.test(name));
const entry = readFileSync(`${BUILD}/entry/${entryFile}`, 'utf8');

/** A file with everything that it imports at once. */
function closure(key, seen = new Set()) {
	const part = manifest[key];
	if (!part || seen.has(part.file)) return seen;
	seen.add(part.file);
	for (const style of part.css ?? []) seen.add(style);
	for (const next of part.imports ?? []) closure(next, seen);
	return seen;
}

/** Kit's own table of routes: a page's number and those of its layouts. */
function nodesOf(route) {
	const at = entry.indexOf(`"${route}":[`);
	if (at < 0) throw new Error(`no route ${route} in ${entryFile}`);
	const numbers = entry.slice(at + route.length + 3).match(/^\[(\d+)(?:,\[([\d,]*)\])?/);
	return [0, Number(numbers[1]), ...(numbers[2] ?? '').split(',').filter(Boolean).map(Number)];
}

function firstLoad(route) {
	const wanted = new Set(nodesOf(route).map((number) => `nodes/${number}`));
	const files = new Set(['index.html', 'manifest.webmanifest', 'icon.svg']);
	for (const [key, part] of Object.entries(manifest)) {
		if (!part.isEntry) continue;
		if (part.name?.startsWith('entry/') || wanted.has(part.name)) {
			for (const file of closure(key)) files.add(file);
		}
	}
	return [...files].map((file) => `build/${file}`);
}

export default [
	{ name: 'first load of /', path: firstLoad('/(app)'), brotli: true, limit: '150 kB' },
	{ name: 'first load of an invite', path: firstLoad('/i'), brotli: true, limit: '150 kB' },
	{
		name: 'first load of a conversation',
		path: firstLoad('/(app)/c/[id]'),
		brotli: true,
		limit: '156 kB',
	},
	{ name: 'service worker', path: 'build/service-worker.js', brotli: true, limit: '101 kB' },
];
