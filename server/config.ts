// What the operator decides, read once at start. The environment wins over the file that KITH_CONFIG names; every
// mistake is one sentence, and all of them are told at once.
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { DEFAULT_MAILBOX_BYTES, DEFAULT_MAILBOX_MESSAGES } from '../src/protocol/limits.ts';
import { RELAY_DEFAULTS } from './relay/defaults.ts';

const DAY = 24 * 60 * 60 * 1000;
/** Push services of the browsers, as of 2026. A leading dot stands for any host below. */
export const KNOWN_PUSH_HOSTS = [
	'fcm.googleapis.com',
	'updates.push.services.mozilla.com',
	'.push.apple.com',
	'.notify.windows.com',
];

const whole = (least: number, most: number) => {
	const message = `must be a whole number from ${least} to ${most}`;
	return v.pipe(
		v.number(message),
		v.integer(message),
		v.minValue(least, message),
		v.maxValue(most, message),
	);
};
const positive = v.pipe(v.number('must be a number'), v.gtValue(0, 'must be above 0'));
const text = v.pipe(v.string('must be text'), v.minLength(1, 'must not be empty'));
const texts = (what: string, pattern: RegExp) =>
	v.array(
		v.pipe(v.string(`must list ${what}`), v.regex(pattern, `must list ${what}`)),
		`must list ${what}`,
	);
const rate = v.strictObject({ perSecond: positive, burst: whole(1, 1e9) });
const bound = whole(1, Number.MAX_SAFE_INTEGER);
const { limits, handoverWindow, retention } = RELAY_DEFAULTS;

const schema = v.strictObject({
	port: v.optional(whole(0, 65535), 8080),
	/** Interface to listen on; null: all. */
	host: v.optional(v.nullable(text), null),
	data: v.optional(text, './data'),
	/** NATS servers, as `nats://host:4222`, that this relay shares with others; none: it is alone, with its own database. */
	cluster: v.optional(
		texts('NATS servers such as nats://10.0.0.1:4222', /^(nats|tls):\/\/[^/\s]+$/),
		[],
	),
	/** The built app. */
	build: v.optional(text, './build'),
	origins: v.optional(texts('origins such as https://chat.example.org', /^https?:\/\/[^/]+$/), []),
	trustProxy: v.optional(v.boolean('must be true or false'), false),
	/** PEM files; both or neither. */
	tlsCert: v.optional(v.nullable(text), null),
	tlsKey: v.optional(v.nullable(text), null),
	registration: v.optional(
		v.picklist(['open', 'invitation', 'closed'], 'must be open, invitation or closed'),
		'open',
	),
	retentionDays: v.optional(whole(1, 3650), retention / DAY),
	mailboxMessages: v.optional(bound, DEFAULT_MAILBOX_MESSAGES),
	mailboxBytes: v.optional(bound, DEFAULT_MAILBOX_BYTES),
	/** The database, or all mail in NATS, grows no further; null: half of what the disk has for it, or what NATS allows. */
	maxDiskBytes: v.optional(v.nullable(whole(1024 * 1024, Number.MAX_SAFE_INTEGER)), null),
	handoverWindow: v.optional(whole(1, 10_000), handoverWindow),
	pushContact: v.optional(
		v.nullable(
			v.pipe(
				v.string('must be a mailto: or https: address'),
				v.regex(/^(mailto:[^@\s]+@[^@\s]+|https:\/\/\S+)$/, 'must be a mailto: or https: address'),
			),
		),
		null,
	),
	pushHosts: v.optional(
		texts(
			'host names, or http://127.0.0.1:port in tests',
			/^(\.?[a-z0-9.-]+|http:\/\/(127\.0\.0\.1|localhost):\d+)$/i,
		),
		KNOWN_PUSH_HOSTS,
	),
	ice: v.optional(texts('stun:, turn: or turns: addresses', /^(stuns?|turns?):\S+$/), []),
	turnSecret: v.optional(v.nullable(text), null),
	metricsToken: v.optional(v.nullable(text), null),
	/** Where the process id of the relay that serves is written. */
	pidFile: v.optional(v.nullable(text), null),
	log: v.optional(v.picklist(['info', 'warn', 'silent'], 'must be info, warn or silent'), 'info'),
	limits: v.optional(
		v.strictObject({
			requests: v.optional(rate, limits.requests),
			refusals: v.optional(rate, limits.refusals),
			whispers: v.optional(rate, limits.whispers),
			looks: v.optional(rate, limits.looks),
			connections: v.optional(rate, limits.connections),
			registrations: v.optional(rate, limits.registrations),
			registrationsOverall: v.optional(rate, limits.registrationsOverall),
			capsules: v.optional(rate, limits.capsules),
			connectionsPerNetwork: v.optional(bound, limits.connectionsPerNetwork),
			addressesPerDevice: v.optional(
				whole(1, limits.addressesPerDevice),
				limits.addressesPerDevice,
			),
			pendingBytes: v.optional(bound, limits.pendingBytes),
			cachedChannels: v.optional(bound, limits.cachedChannels),
			rememberedAnswers: v.optional(bound, limits.rememberedAnswers),
		}),
		{},
	),
});
export type Config = v.InferOutput<typeof schema>;
type Setting = keyof typeof schema.entries;

/** How each setting is written in the environment. */
const VARIABLES: Readonly<
	Record<Setting, [name: string, kind: 'text' | 'number' | 'list' | 'json']>
> = {
	port: ['KITH_PORT', 'number'],
	host: ['KITH_HOST', 'text'],
	data: ['KITH_DATA', 'text'],
	cluster: ['KITH_CLUSTER', 'list'],
	build: ['KITH_BUILD', 'text'],
	origins: ['KITH_ORIGINS', 'list'],
	trustProxy: ['KITH_TRUST_PROXY', 'json'],
	tlsCert: ['KITH_TLS_CERT', 'text'],
	tlsKey: ['KITH_TLS_KEY', 'text'],
	registration: ['KITH_REGISTRATION', 'text'],
	retentionDays: ['KITH_RETENTION_DAYS', 'number'],
	mailboxMessages: ['KITH_MAILBOX_MESSAGES', 'number'],
	mailboxBytes: ['KITH_MAILBOX_BYTES', 'number'],
	maxDiskBytes: ['KITH_MAX_DISK_BYTES', 'number'],
	handoverWindow: ['KITH_HANDOVER_WINDOW', 'number'],
	pushContact: ['KITH_PUSH_CONTACT', 'text'],
	pushHosts: ['KITH_PUSH_HOSTS', 'list'],
	ice: ['KITH_ICE', 'list'],
	turnSecret: ['KITH_TURN_SECRET', 'text'],
	metricsToken: ['KITH_METRICS_TOKEN', 'text'],
	pidFile: ['KITH_PID_FILE', 'text'],
	log: ['KITH_LOG', 'text'],
	limits: ['KITH_LIMITS', 'json'],
};

/** `KITH_VERSION` names the build, and `npm start` makes one. */
const KNOWN = new Set([
	'KITH_CONFIG',
	'KITH_VERSION',
	...Object.values(VARIABLES).map(([name]) => name),
]);

export type ConfigResult =
	| { readonly ok: true; readonly config: Config }
	/** One sentence per mistake. */
	| { readonly ok: false; readonly mistakes: readonly string[] };

/** Reads the settings from the environment, and from the file that its KITH_CONFIG names. */
export function readConfig(given: Readonly<Record<string, string | undefined>>): ConfigResult {
	// What platforms that run other people's programs call it.
	const environment: Readonly<Record<string, string | undefined>> = {
		...given,
		KITH_PORT: given.KITH_PORT || given.PORT,
	};
	const strange = Object.keys(given).filter((name) => name.startsWith('KITH_') && !KNOWN.has(name));
	if (strange.length > 0)
		return { ok: false, mistakes: strange.map((name) => `${name} is not a setting.`) };
	const path = environment.KITH_CONFIG;
	const file = path ? readSettings(path) : {};
	if (typeof file === 'string') return { ok: false, mistakes: [file] };
	const settings: Record<string, unknown> = { ...file };
	for (const [setting, [name, kind]] of Object.entries(VARIABLES)) {
		const value = environment[name];
		if (value !== undefined && value !== '') settings[setting] = valueOf(value, kind);
	}
	const parsed = v.safeParse(schema, settings);
	if (!parsed.success) {
		const mistakes = parsed.issues.map((issue) => sentence(issue, environment, path));
		return { ok: false, mistakes };
	}
	const mistakes = contradictions(parsed.output);
	if (mistakes.length > 0) return { ok: false, mistakes };
	return { ok: true, config: parsed.output };
}

/** Settings that are fine one by one, and not together. */
function contradictions({ ice, turnSecret, tlsCert, tlsKey, trustProxy }: Config): string[] {
	const mistakes: string[] = [];
	if (!turnSecret && ice.some((url) => url.startsWith('turn')))
		mistakes.push('KITH_ICE names a TURN server, so KITH_TURN_SECRET is needed too.');
	if ((tlsCert === null) !== (tlsKey === null))
		mistakes.push('KITH_TLS_CERT and KITH_TLS_KEY belong together: set both, or neither.');
	if (tlsCert !== null && trustProxy)
		mistakes.push(
			'KITH_TLS_CERT is for a relay without a proxy in front, and KITH_TRUST_PROXY for one with it: set one of them.',
		);
	return mistakes;
}

function readSettings(path: string): Record<string, unknown> | string {
	try {
		const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
		if (typeof value === 'object' && value !== null && !Array.isArray(value))
			return value as Record<string, unknown>;
		return `${path} must hold one JSON object.`;
	} catch (error) {
		return `${path}, named by KITH_CONFIG, cannot be read: ${(error as Error).message}.`;
	}
}

/** A value that cannot be read stays text: the schema then says what it should be. */
function valueOf(value: string, kind: 'text' | 'number' | 'list' | 'json'): unknown {
	if (kind === 'text') return value;
	if (kind === 'list') return value.split(',').map((part) => part.trim());
	if (kind === 'number') return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
	try {
		return JSON.parse(value);
	} catch {
		return value;
	}
}

/** An address in the cluster may hold a password. */
const SECRETS: readonly string[] = ['turnSecret', 'metricsToken', 'cluster'] satisfies Setting[];

function sentence(
	issue: v.InferIssue<typeof schema>,
	environment: Readonly<Record<string, string | undefined>>,
	file: string | undefined,
): string {
	const [first, ...rest] = (issue.path ?? []).map(({ key }) => String(key));
	const [variable] = VARIABLES[first as Setting] ?? [];
	const fromEnvironment = variable && environment[variable];
	const where = fromEnvironment ? variable : `"${first}" in ${file ?? 'the settings'}`;
	const inside = rest.filter((key) => !/^\d+$/.test(key)).join('.');
	const what = `${where}${inside ? ` (${inside})` : ''}`;
	const unknown = issue.type === 'strict_object' && issue.expected === 'never';
	if (unknown) return `${what} is not a setting.`;
	if (issue.type === 'strict_object') return `${what} must be a JSON object.`;
	// What a secret was set to by mistake does not belong into a log.
	const secret = SECRETS.includes(first ?? '');
	return `${what} ${issue.message}${secret ? '' : `, not ${JSON.stringify(issue.input)}`}.`;
}
