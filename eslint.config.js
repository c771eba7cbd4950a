import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import svelte from 'eslint-plugin-svelte';
import { defineConfig } from 'eslint/config';
import globals from 'globals';
import ts from 'typescript-eslint';

/** The chat itself knows no platform: time, chance, network and storage come in through ports. */
const PLATFORM = [
	...['window', 'self', 'document', 'navigator', 'location', 'localStorage', 'indexedDB', 'crypto'],
	...[
		'fetch',
		'WebSocket',
		'Worker',
		'BroadcastChannel',
		'RTCPeerConnection',
		'console',
		'process',
	],
	...[
		'setTimeout',
		'setInterval',
		'clearTimeout',
		'clearInterval',
		'queueMicrotask',
		'performance',
	],
].map((name) => ({ name, message: 'src/core/*.ts runs anywhere: take it through a port.' }));

const NO_FAKE_MODULES = {
	selector:
		"CallExpression[callee.object.name='vi'][callee.property.name=/^(mock|doMock|stubGlobal)$/]",
	message: 'Fakes are real implementations of a port; modules are never replaced.',
};
const NO_DEFAULT_EXPORT = {
	selector: 'ExportDefaultDeclaration',
	message: 'One name per thing: export it by that name.',
};
const NO_REAL_TIME = [
	{
		selector: "MemberExpression[object.name='Date'][property.name='now']",
		message: 'Take the time from the Clock port.',
	},
	{
		selector: "NewExpression[callee.name='Date'][arguments.length=0]",
		message: 'Take the time from the Clock port.',
	},
	{
		selector: "MemberExpression[object.name='Math'][property.name='random']",
		message: 'Take chance from the Random port.',
	},
];

export default defineConfig(
	{
		ignores: [
			'build/',
			'build-demo/',
			'build-bench/',
			'.svelte-kit/',
			'node_modules/',
			'src/lib/paraglide/',
			'patches/',
			'test-results/',
			'playwright-report/',
		],
	},
	js.configs.recommended,
	ts.configs.strictTypeChecked,
	svelte.configs.recommended,
	{
		languageOptions: {
			globals: { ...globals.browser, ...globals.node },
			parserOptions: {
				projectService: true,
				tsconfigRootDir: import.meta.dirname,
				extraFileExtensions: ['.svelte'],
			},
		},
		rules: {
			'max-lines': ['error', { max: 500, skipBlankLines: false, skipComments: false }],
			'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
			'max-params': ['error', 3],
			eqeqeq: 'error',
			'no-restricted-syntax': ['error', NO_FAKE_MODULES, NO_DEFAULT_EXPORT],
			'@typescript-eslint/consistent-type-imports': 'error',
			// A number in a template is what is meant.
			'@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
			// Arrow functions that only pass on a void call read best on one line.
			'@typescript-eslint/no-confusing-void-expression': 'off',
			'@typescript-eslint/no-misused-promises': 'error',
			// Ports and clients are objects of closures: they may be taken apart.
			'@typescript-eslint/unbound-method': 'off',
			'@typescript-eslint/no-floating-promises': 'error',
			'@typescript-eslint/no-unused-vars': [
				'error',
				{ argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
			],
			// With noUncheckedIndexedAccess, `while (true)` and exhaustive switches are said otherwise.
			'@typescript-eslint/no-unnecessary-condition': 'off',
			'@typescript-eslint/switch-exhaustiveness-check': [
				'error',
				{ considerDefaultExhaustiveForUnions: true },
			],
		},
	},
	{
		files: ['**/*.svelte', '**/*.svelte.ts'],
		languageOptions: { parserOptions: { parser: ts.parser } },
		// What is shown is $state; plain maps are bookkeeping.
		rules: { 'svelte/prefer-svelte-reactivity': 'off' },
	},
	{
		files: ['**/*.svelte'],
		rules: {
			'svelte/no-at-html-tags': 'error',
			'svelte/block-lang': ['error', { script: 'ts' }],
			'svelte/button-has-type': 'error',
			// Addresses come from one file (browser/addresses.ts), which resolves them.
			'svelte/no-navigation-without-resolve': 'off',
			'max-lines-per-function': 'off',
			// The rules' parser does not know the types of what a template passes on; svelte-check does.
			'@typescript-eslint/no-unsafe-argument': 'off',
			'@typescript-eslint/no-unsafe-assignment': 'off',
			'@typescript-eslint/no-unsafe-call': 'off',
			'@typescript-eslint/no-unsafe-member-access': 'off',
			'@typescript-eslint/no-unsafe-return': 'off',
			// Every .svelte file is its own default export.
			'no-restricted-syntax': ['error', NO_FAKE_MODULES],
			'prefer-const': 'off',
			'svelte/prefer-const': ['error', { destructuring: 'all' }],
		},
	},
	{
		files: ['src/core/*.ts'],
		ignores: ['**/*.test.ts'],
		rules: {
			'no-restricted-globals': ['error', ...PLATFORM],
			'no-restricted-syntax': ['error', NO_FAKE_MODULES, NO_DEFAULT_EXPORT, ...NO_REAL_TIME],
		},
	},
	{
		files: ['**/*.test.ts', '**/*.spec.ts', 'tests/**'],
		rules: {
			'max-lines-per-function': 'off',
			'@typescript-eslint/no-non-null-assertion': 'off',
			'@typescript-eslint/unbound-method': 'off',
		},
	},
	{
		files: ['*.config.ts', '*.config.js', '.dependency-cruiser.cjs', '.size-limit.js'],
		rules: { 'no-restricted-syntax': 'off', 'max-lines-per-function': 'off' },
	},
	{
		// PeerJS types plain options as a class and its log levels as an enum that it does not export.
		files: ['src/core/links/peer-links.ts'],
		rules: {
			'@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
			'@typescript-eslint/no-unsafe-enum-assignment': 'off',
		},
	},
	{
		// These methods have the shape that ts-mls asks for.
		files: ['src/core/crypto/mls-suite.ts'],
		rules: { 'max-params': 'off' },
	},
	{ files: ['**/*.cjs'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
	prettier,
	{ files: ['**/*.js', '**/*.mjs', '**/*.cjs'], extends: [ts.configs.disableTypeChecked] },
);
