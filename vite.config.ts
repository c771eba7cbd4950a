import { fileURLToPath } from 'node:url';
import { paraglideVitePlugin } from '@inlang/paraglide-js';
import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import { playwright } from '@vitest/browser-playwright';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** `--mode demo` puts a chat with invented people behind the screens; nothing of it is in a normal build. */
const DEMO_SESSION = fileURLToPath(new URL('./tests/support/demo-session.ts', import.meta.url));

function demoSession(): Plugin {
	return {
		name: 'kith-demo-session',
		enforce: 'pre',
		resolveId: (source) => (source === '#lib/state/session.ts' ? DEMO_SESSION : undefined),
	};
}

export default defineConfig(({ mode }) => {
	const demo = mode === 'demo';
	return {
		plugins: [
			demo && demoSession(),
			paraglideVitePlugin({
				project: './project.inlang',
				outdir: './src/lib/paraglide',
				strategy: ['preferredLanguage', 'baseLocale'],
				isServer: 'false',
				emitReadme: false,
			}),
			sveltekit({
				adapter: adapter({
					pages: demo ? 'build-demo' : 'build',
					fallback: 'index.html',
					precompress: !demo,
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
		build: { target: 'es2023' },
		test: {
			projects: [
				{
					test: {
						name: 'node',
						environment: 'node',
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
