import { fileURLToPath } from 'node:url';
import { paraglideVitePlugin } from '@inlang/paraglide-js';
import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import { playwright } from '@vitest/browser-playwright';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/**
 * `--mode demo` puts a chat with invented people behind the screens, `--mode bench` the real one with a way to fill it;
 * nothing of either is in a normal build.
 */
const STAND_INS: Readonly<Record<string, string>> = {
	demo: './tests/support/demo-session.ts',
	bench: './tests/bench/bench-session.ts',
};

/** A test that hangs fails; one on a machine that is busy with other things does not. In ms. */
const PATIENCE = 60_000;

function standIn(path: string): Plugin {
	const session = fileURLToPath(new URL(path, import.meta.url));
	return {
		name: 'kith-stand-in-session',
		enforce: 'pre',
		resolveId: (source) => (source === '#lib/state/session.ts' ? session : undefined),
	};
}

export default defineConfig(({ mode }) => {
	const stand = STAND_INS[mode];
	return {
		plugins: [
			stand !== undefined && standIn(stand),
			paraglideVitePlugin({
				project: './project.inlang',
				outdir: './src/lib/paraglide',
				strategy: ['preferredLanguage', 'baseLocale'],
				isServer: 'false',
				emitReadme: false,
			}),
			sveltekit({
				adapter: adapter({
					pages: stand === undefined ? 'build' : `build-${mode}`,
					fallback: 'index.html',
					precompress: mode !== 'demo',
				}),
				serviceWorker: { register: false },
				version: { name: process.env.KITH_VERSION ?? '0.1.0' },
				csp: {
					mode: 'hash',
					directives: {
						'default-src': ['self'],
						'script-src': ['self'],
						'style-src': ['self'],
						// Avatars, the virtual list and Kit's route announcer set style attributes.
						'style-src-attr': ['unsafe-inline'],
						'img-src': ['self', 'blob:', 'data:'],
						'media-src': ['self', 'blob:'],
						// `self` covers the relay's socket except in Safari before 15.4, which needs the schemes.
						'connect-src': ['self', 'ws:', 'wss:'],
						'worker-src': ['self'],
						'object-src': ['none'],
						'base-uri': ['none'],
						'form-action': ['none'],
						'require-trusted-types-for': ['script'],
						'trusted-types': [
							'svelte-trusted-html',
							'sveltekit-trusted-url',
							'kith#service-worker',
							'kith#worker',
						],
					},
				},
			}),
		],
		build: {
			target: 'es2023',
			rolldownOptions: {
				output: {
					// A module of its own for every shared icon and sentence would be hundreds of requests.
					codeSplitting: {
						groups: [
							{
								name: 'shared',
								// Dialogs and cards that several screens show, and none shows first, stay out of it.
								test: /src[\\/]lib[\\/](?!.*[\\/](?:BackupOpen|BlockConfirm|GroupForm|InviteCard|LinkBox|PeoplePicker|PictureField|ProgressBar|Qr|RecoveryCode|ReportDialog|passkey|(?:backup|pick|report)[-_]\w+)\.(?:svelte|js|ts))|@lucide[\\/]svelte/u,
								minShareCount: 2,
							},
						],
					},
				},
			},
		},
		test: {
			projects: [
				{
					test: {
						name: 'node',
						environment: 'node',
						testTimeout: PATIENCE,
						include: [
							'src/core/**/*.test.ts',
							'src/protocol/**/*.test.ts',
							'server/**/*.test.ts',
							'tests/**/*.test.ts',
							'tools/**/*.test.ts',
						],
						exclude: ['**/*.browser.test.ts'],
					},
				},
				{
					extends: true,
					test: {
						name: 'lib',
						environment: 'node',
						include: ['src/lib/**/*.test.ts', 'src/service-worker/**/*.test.ts'],
						exclude: ['**/*.browser.test.ts'],
					},
				},
				{
					extends: true,
					test: {
						name: 'browser',
						testTimeout: PATIENCE,
						include: ['src/**/*.browser.test.ts', 'tests/**/*.browser.test.ts'],
						browser: {
							enabled: true,
							headless: true,
							provider: playwright({
								launchOptions: {
									executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
									args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
								},
							}),
							instances: [{ browser: 'chromium' }],
						},
					},
				},
			],
		},
	};
});
