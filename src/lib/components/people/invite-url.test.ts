import { expect, test } from 'vitest';
import { fragmentOf } from './invite-url.ts';

test.each([
	['https://kith.example/i#abc.def', 'abc.def'],
	['  https://kith.example/i#abc \n', 'abc'],
	['http://192.168.1.2:8080/i#x', 'x'],
	['https://kith.example/some/where/i#x', 'x'],
	['https://kith.example/i', undefined],
	['https://kith.example/i#', undefined],
	['https://kith.example/#abc', undefined],
	['https://kith.example/evil#abc', undefined],
	['abc.def', undefined],
	['javascript:alert(1)//i#abc', undefined],
	['data:text/html,/i#abc', undefined],
	['', undefined],
])('%j', (pasted, fragment) => {
	expect(fragmentOf(pasted)).toBe(fragment);
});
