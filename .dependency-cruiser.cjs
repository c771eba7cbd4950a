// Who may import what. One way only: screens -> chat -> protocol <- relay.

/** Everything of ours, so that a rule can say "nothing but". */
const OURS = '^(src|server)/';

/** `from` may import of our code only what matches `allowed`. */
const only = ({ name, from, allowed, comment, except = '^$' }) => ({
	name,
	comment,
	severity: 'error',
	from: { path: from, pathNot: ['\\.(test|spec)\\.ts$', except] },
	to: { path: OURS, pathNot: allowed },
});

module.exports = {
	forbidden: [
		{
			name: 'no-cycles',
			severity: 'error',
			from: {},
			to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
		},
		{
			name: 'no-unresolvable',
			severity: 'error',
			from: {},
			to: { couldNotResolve: true, pathNot: '^(\\$app|\\.svelte-kit|\\./\\$types)' },
		},
		only({
			name: 'protocol',
			from: '^src/protocol/',
			allowed: '^src/protocol/',
			comment: 'The protocol knows nothing of ours.',
		}),
		only({
			name: 'core',
			from: '^src/core/[^/]+\\.ts$',
			allowed: '^src/(protocol|core/[^/]+\\.ts$)',
			comment: 'The chat knows no platform.',
		}),
		{
			name: 'core-no-libraries',
			severity: 'error',
			from: { path: '^src/core/[^/]+\\.ts$', pathNot: '\\.test\\.ts$' },
			to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'core'] },
		},
		...['storage', 'crypto', 'links', 'import', 'export', 'archive'].map((room) =>
			only({
				name: `core-${room}`,
				from: `^src/core/${room}/`,
				allowed: `^src/(protocol/|core/${room}/|core/(ports|model|records|archive-entries)\\.ts$)`,
				comment:
					'An implementation knows its port, the nouns and the protocol, not its neighbours.',
			}),
		),
		only({
			name: 'core-hosts',
			from: '^src/core/hosts/',
			allowed: '^src/(core|protocol)/',
			comment: 'Hosts build the chat and nothing else.',
		}),
		only({
			name: 'lib-state',
			from: '^src/lib/state/',
			allowed: '^src/(lib/(state|text|browser|paraglide)/|core/(client|model)\\.ts$)',
			except: '^src/lib/state/session\\.ts$',
			comment: 'State follows the client; one file opens it.',
		}),
		{
			name: 'lib-page-host',
			comment: 'One file opens the chat.',
			severity: 'error',
			from: { path: '^src/lib/', pathNot: '^src/lib/state/session\\.ts$' },
			to: { path: '^src/core/hosts/' },
		},
		only({
			name: 'lib-components',
			from: '^src/lib/components/',
			allowed: '^src/(lib/(components|state|text|browser|paraglide)/|core/model\\.ts$)',
			comment: 'Screens speak to the state, and only name the nouns of the chat.',
		}),
		only({
			name: 'lib-text',
			from: '^src/lib/text/',
			allowed: '^src/(lib/text/|core/model\\.ts$)',
			comment: 'Pure text, and what the chat says of it.',
		}),
		only({
			name: 'lib-browser',
			from: '^src/lib/browser/',
			allowed: '^src/(lib/browser/|core/model\\.ts$)',
			comment: 'The browser, without the chat.',
		}),
		only({
			name: 'routes',
			from: '^src/routes/',
			allowed: '^src/(lib|routes)/',
			comment: 'Pages are thin.',
		}),
		only({
			name: 'service-worker',
			from: '^src/service-worker/',
			allowed: '^src/(service-worker/|core/hosts/service-worker\\.ts$)',
			comment: 'No screen in the worker.',
		}),
		only({
			name: 'relay',
			from: '^server/relay/',
			allowed: '^(server/relay/|src/protocol/(?!content\\.ts))',
			comment: 'The relay cannot even name what is inside a message.',
		}),
		{
			name: 'relay-no-libraries',
			severity: 'error',
			from: { path: '^server/relay/', pathNot: '\\.test\\.ts$' },
			to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional'] },
		},
		only({
			name: 'server-storage',
			from: '^server/storage/',
			allowed: '^(server/(relay|storage)/|src/protocol/(?!content\\.ts))',
			comment: 'A store knows the relay’s ports.',
		}),
		only({
			name: 'server-edge',
			from: '^server/edge/',
			allowed: '^(server/(relay|edge)/|src/protocol/(?!content\\.ts))',
			comment: 'An edge knows the relay’s ports.',
		}),
	],
	options: {
		doNotFollow: { path: 'node_modules|^src/lib/paraglide' },
		exclude: { path: '^(\\.svelte-kit|build|build-demo)/' },
		tsConfig: { fileName: 'tsconfig.json' },
		tsPreCompilationDeps: true,
		enhancedResolveOptions: {
			exportsFields: ['exports'],
			conditionNames: ['svelte', 'browser', 'import', 'default'],
			extensions: ['.ts', '.svelte', '.js'],
		},
	},
};
