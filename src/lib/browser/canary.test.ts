import { expect, test } from 'vitest';
import { createCanary } from './canary.ts';

function storage(): Storage {
	const entries = new Map<string, string>();
	return {
		getItem: (key: string) => entries.get(key) ?? null,
		setItem: (key: string, value: string) => void entries.set(key, value),
		removeItem: (key: string) => void entries.delete(key),
		clear: () => entries.clear(),
		key: () => null,
		get length() {
			return entries.size;
		},
	};
}

const gone = { hasIdentity: false, persistent: true };

test('a first visit is new, also when it is repeated without starting', () => {
	const canary = createCanary(storage());
	expect(canary.visit(gone)).toBe('new');
	expect(canary.visit(gone)).toBe('new');
});

test('an identity that was here and is gone means the browser cleared it', () => {
	const kept = storage();
	createCanary(kept).set();
	expect(createCanary(kept).visit({ hasIdentity: true, persistent: true })).toBe('known');
	expect(createCanary(kept).visit(gone)).toBe('cleared');
});

test('starting again makes it a new visit', () => {
	const canary = createCanary(storage());
	canary.set();
	canary.forget();
	expect(canary.visit(gone)).toBe('new');
});

test('a browser that keeps nothing cannot have cleared anything', () => {
	const canary = createCanary(storage());
	canary.set();
	expect(canary.visit({ hasIdentity: false, persistent: false })).toBe('new');
});

test('without localStorage everything works and nothing is claimed', () => {
	const refuse = (): never => {
		throw new DOMException('denied', 'SecurityError');
	};
	const denied: Storage = Object.assign(storage(), {
		getItem: refuse,
		setItem: refuse,
		removeItem: refuse,
	});
	for (const canary of [createCanary(undefined), createCanary(denied)]) {
		canary.set();
		expect(canary.visit(gone)).toBe('new');
		canary.forget();
		expect(canary.visit({ hasIdentity: true, persistent: true })).toBe('known');
	}
});
