import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { iceServers } from './turn.ts';

const NOW = Date.UTC(2026, 0, 1);

describe('servers for WebRTC', () => {
	it('names none by default', () => {
		expect(iceServers([], null, NOW)).toEqual([]);
	});

	it('makes TURN credentials that run out, as coturn checks them', () => {
		const urls = ['stun:a.example:3478', 'turn:b.example:3478', 'turns:b.example:5349'];
		const username = String(NOW / 1000 + 24 * 60 * 60);
		const credential = createHmac('sha1', 'secret').update(username).digest('base64');
		expect(iceServers(urls, 'secret', NOW)).toEqual([
			{ urls: ['stun:a.example:3478'], username: null, credential: null },
			{ urls: ['turn:b.example:3478', 'turns:b.example:5349'], username, credential },
		]);
	});
});
