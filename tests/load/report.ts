// What was measured, as a Markdown table and a plot. Ratios say more than figures, which move with the machine.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const README = fileURLToPath(new URL('../../server/README.md', import.meta.url));
const PLOT = fileURLToPath(new URL('../../server/bench.svg', import.meta.url));
const PRETTIER = fileURLToPath(new URL('../../node_modules/.bin/prettier', import.meta.url));
const [BEGIN, END] = ['<!-- npm run bench:relay -->', '<!-- end of npm run bench:relay -->'];

interface Row {
	readonly what: string;
	readonly target: string;
	readonly digits: number;
	/** More is better; else less. */
	readonly more: boolean;
	readonly plotted: boolean;
}

const row = (what: string, more: boolean, options: Partial<Row> = {}): Row => ({
	...{ what, more, target: '', digits: 0, plotted: false },
	...options,
});
const plotted = { plotted: true };

const ROWS = {
	idleUser: row('idle, authenticated: user memory per connection, bytes', false, {
		target: '≤ 1,500',
		...plotted,
	}),
	idleKernel: row('idle: kernel memory per connection, bytes', false),
	restingBytes: row('memory at rest, bytes', false),
	loginCpu: row('login: CPU, µs', false),
	online: row('online, sender answered: messages per second', true, {
		target: '≥ 100,000',
		...plotted,
	}),
	onlineCpu: row('online: CPU per message, µs', false, { target: '≤ 8', digits: 1 }),
	onlineShare: row('online: the generator’s share of its core', false, { digits: 2 }),
	lightP50: row('2,000 a second: delivered after, p50 ms', false, { target: '≤ 0.2', digits: 2 }),
	lightP99: row('2,000 a second: p99 ms', false, { target: '≤ 2', digits: 2, ...plotted }),
	lightCpu: row('2,000 a second: CPU per message, µs', false, {
		target: '≤ half of ejabberd’s',
		digits: 1,
	}),
	heavyP50: row('10,000 a second: p50 ms', false, { digits: 2 }),
	heavyP99: row('10,000 a second: p99 ms', false, { digits: 2 }),
	heavyCpu: row('10,000 a second: CPU per message, µs', false, { digits: 1 }),
	offline: row('to devices that are away: messages per second', true, {
		target: '≥ 100,000; ≥ 20 × ejabberd',
		...plotted,
	}),
	offlineCpu: row('to devices that are away: CPU per message, µs', false, { digits: 1 }),
	offlineShare: row('to devices that are away: the generator’s share', false, { digits: 2 }),
	drain: row('a backlog fetched: messages per second', true, plotted),
	drainShare: row('a backlog fetched: the generator’s share', false, { digits: 2 }),
	stormMs: row('all back at once, each with mail: until all have it, ms', false, {
		target: '≤ 10,000',
		...plotted,
	}),
	stormCpu: row('… CPU per device, µs', false),
	stormPeak: row('… the most memory meanwhile, bytes', false),
	stormShare: row('… the generator’s share of its core', false, { digits: 2 }),
} satisfies Record<string, Row>;

export type Measured = Record<keyof typeof ROWS, number>;
interface Results {
	readonly name: string;
	readonly settings: string;
	readonly figures: Readonly<Record<string, readonly Sample[]>>;
}

export interface Sample {
	readonly value: number;
	/** Share of a core that other programs used meanwhile. */
	readonly others: number;
}

/** The samples in which other programs used the machine the least: half of them. */
const calm = (samples: readonly Sample[]) =>
	[...samples].sort((a, b) => a.others - b.others).slice(0, Math.ceil(samples.length / 2));

function median(samples: readonly Sample[]): number {
	const sorted = calm(samples)
		.map(({ value }) => value)
		.sort((a, b) => a - b);
	return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

const shown = (value: number, digits: number) =>
	Number.isNaN(value) ? '–' : value.toLocaleString('en-GB', { maximumFractionDigits: digits });

function ratio(ours: number, theirs: number, more: boolean): string {
	const better = more ? ours / theirs : theirs / ours;
	if (!Number.isFinite(better)) return '–';
	return `${better < 100 ? better.toPrecision(2) : Math.round(better)} ×`;
}

/** Prints what lies in `directory`; with `write`, keeps it in the README with a plot. */
export function writeReport(directory: string, write: boolean): void {
	const all = ['Kith', 'Mosquitto', 'ejabberd'].flatMap((name) => {
		const parts = ['pairs', 'crowd'].flatMap((part) => {
			const file = `${directory}${name}-${part}.json`;
			return existsSync(file) ? [JSON.parse(readFileSync(file, 'utf8')) as Results] : [];
		});
		const figures = Object.assign({}, ...parts.map((part) => part.figures)) as Results['figures'];
		return parts.slice(0, 1).map((part) => ({ ...part, figures }));
	});
	const text = `${machine()} ${disturbance(all)}\n\n${table(all)}\n\n${all.map(({ name, settings }) => `- ${name}: ${settings}.`).join('\n')}`;
	console.log(text);
	if (!write) return;
	const readme = readFileSync(README, 'utf8');
	const [head, tail] = [readme.indexOf(BEGIN), readme.indexOf(END)];
	if (head < 0 || tail < head) throw new Error(`${README} has no place for the table`);
	writeFileSync(README, `${readme.slice(0, head)}${BEGIN}\n\n${text}\n\n${readme.slice(tail)}`);
	execFileSync(PRETTIER, ['--write', README], { stdio: 'ignore' });
	writeFileSync(PLOT, plot(all));
}

function machine(): string {
	const [cpu] = cpus();
	return `On ${cpus().length} × ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, Linux, Node ${process.versions.node}: the server on one core, the generator on the other.`;
}

/** Says how much of the machine others had. */
function disturbance(all: readonly Results[]): string {
	const shares = all.flatMap(({ figures }) =>
		Object.values(figures).flatMap((samples) => calm(samples).map(({ others }) => others)),
	);
	const worst = Math.max(...shares).toFixed(1);
	return `Medians of the calmer half of the samples; in those, other programs used up to ${worst} of the two cores.`;
}

function table(all: readonly Results[]): string {
	const ours = all.find(({ name }) => name === 'Kith');
	const others = all.filter((results) => results !== ours);
	const titles = [
		'',
		...all.map(({ name }) => name),
		...others.map(({ name }) => `better than ${name}`),
	];
	const lines = [[...titles, 'target'], [...titles, ''].map(() => '---')];
	for (const [key, { what, digits, more, target }] of Object.entries<Row>(ROWS)) {
		const of = ({ figures }: Results) => median(figures[key] ?? []);
		const values = all.map((results) => shown(of(results), digits));
		const own = ours ? of(ours) : NaN;
		const shares = key.endsWith('Share');
		const ratios = others.map((other) => (shares ? '' : ratio(own, of(other), more)));
		lines.push([what, ...values, ...ratios, target]);
	}
	return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const COLOURS = ['#3f6fd8', '#c98a2b', '#7a8794'];
const [WIDTH, LEFT, BAR, GAP] = [760, 90, 16, 34];

/** One group of bars per plotted row, each from its smallest to its largest on a scale of powers of ten. */
function plot(all: readonly Results[]): string {
	let y = 10;
	const parts: string[] = [];
	const label = (x: number, at: number, text: string) =>
		`<text x="${x}" y="${at}" font-family="sans-serif" font-size="12" fill="#666f7a">${text}</text>`;
	for (const [key, { what, digits, plotted: shownHere }] of Object.entries<Row>(ROWS)) {
		if (!shownHere) continue;
		y += GAP;
		parts.push(label(8, y - 8, what));
		const values = all.map(({ figures }) => median(figures[key] ?? []));
		const known = values.filter((value) => value > 0);
		const floor = Math.min(...known) / 2;
		const scale = (WIDTH - LEFT - 110) / Math.log(Math.max(...known) / floor);
		for (const [index, { name }] of all.entries()) {
			const value = values[index] ?? NaN;
			const width = value > 0 ? Math.log(value / floor) * scale : 0;
			parts.push(
				label(8, y + 12, name),
				`<rect x="${LEFT}" y="${y}" width="${width.toFixed(0)}" height="${BAR - 3}" rx="2" fill="${COLOURS[index % COLOURS.length]}"/>`,
				label(LEFT + width + 6, y + 11, shown(value, digits)),
			);
			y += BAR;
		}
	}
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 12}" role="img" aria-label="The relay beside its peers; logarithmic bars">\n${parts.join('\n')}\n</svg>\n`;
}
