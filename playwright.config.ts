import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

/** The system's browser where there is one, Playwright's own elsewhere. */
const system = (path: string) => (existsSync(path) ? { executablePath: path } : {});

export default defineConfig({
	testDir: 'tests/e2e',
	testMatch: '**/*.spec.ts',
	outputDir: 'test-results/playwright',
	timeout: 60_000,
	expect: { timeout: 15_000 },
	// Without a limit, a click on what is covered waits for the test's own end and says nothing.
	use: { actionTimeout: 20_000 },
	// Each test has its own people on a relay of its worker; two cores carry two browsers and no more.
	fullyParallel: false,
	workers: 1,
	retries: 0,
	projects: [
		{
			name: 'chromium',
			use: {
				browserName: 'chromium',
				launchOptions: {
					...system(process.env.CHROMIUM ?? '/usr/bin/chromium'),
					args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
				},
			},
		},
		{
			name: 'firefox',
			use: {
				browserName: 'firefox',
				...(existsSync('/usr/bin/firefox-esr') && { channel: 'moz-firefox' }),
				launchOptions: { ...system('/usr/bin/firefox-esr') },
			},
		},
	],
});
