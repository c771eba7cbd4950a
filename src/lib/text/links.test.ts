import { expect, test } from 'vitest';
import { findLinks, linkTarget } from './links.ts';

test.each([
	['https://example.com/path?q=1#x', 'https://example.com/path?q=1#x'],
	['http://example.com', 'http://example.com/'],
	['example.com/a', 'https://example.com/a'],
	['someone@example.com', 'mailto:someone@example.com'],
])('%s is a link', (typed, href) => {
	expect(findLinks(`see ${typed} there`)).toMatchObject([{ href, realHost: undefined, start: 4 }]);
});

test.each([
	'javascript:alert(1)',
	'javascript://example.com/%0aalert(1)',
	'data:text/html,<script>alert(1)</script>',
	'vbscript:msgbox',
	'file:///etc/passwd',
	'blob:https://example.com/1',
	'ftp://example.com/',
	'JaVaScRiPt:alert(1)',
])('%s never becomes a link that runs or opens it', (typed) => {
	for (const link of findLinks(typed)) expect(link.href).toMatch(/^https?:\/\/|^mailto:/u);
	expect(linkTarget(typed, typed)).toBeUndefined();
});

test.each([
	['https://xn--pple-43d.com/', 'xn--pple-43d.com'],
	['https://аpple.com/', 'xn--pple-43d.com'],
	['https://bank.example@evil.example/', 'evil.example'],
	['https://exam\u202Eple.example/', undefined],
])('%s says where it really leads', (typed, host) => {
	const target = linkTarget(typed, typed);
	// Either it is no link at all, or the real host is shown beside it.
	if (target) expect(target.realHost).toBe(host);
	else expect(host).toBeUndefined();
});

test('an ordinary address shows nothing extra', () => {
	expect(linkTarget('https://example.com/ü', 'https://example.com/ü')?.realHost).toBeUndefined();
});
