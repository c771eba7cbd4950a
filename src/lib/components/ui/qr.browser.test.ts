import { expect, test } from 'vitest';
import { readQrPixels } from '../../browser/read-qr.ts';
import { drawQr } from './qr-path.ts';

/** Draws the code as the screen does, mark and all, and looks at the pixels. */
function pixels(data: string | Uint8Array): ImageData {
	const { size, modules, eyes, hole } = drawQr(data);
	const scale = 8;
	const side = (size + 8) * scale;
	const context = new OffscreenCanvas(side, side).getContext('2d');
	if (!context) throw new Error('no canvas');
	context.fillStyle = '#fff';
	context.fillRect(0, 0, side, side);
	context.scale(scale, scale);
	context.translate(4, 4);
	context.fillStyle = '#231a16';
	context.fill(new Path2D(modules));
	context.fill(new Path2D(eyes), 'evenodd');
	context.fillStyle = '#cf4520';
	context.fillRect(hole.at + 0.5, hole.at + 0.5, hole.size - 1, hole.size - 1);
	return context.getImageData(0, 0, side, side);
}

test.each([
	[
		'a link',
		'https://kith.example/i#F1pN_0vQm4x2Yt8sLkZb3w.c0pPJm5bVq1GJv7Rk2x9YwZt8sLkZb3wF1pN_0vQm4x',
	],
	['a short one', 'https://k.example/i#x'],
])('%s can be read back, with the mark over its middle', (_, text) => {
	expect(new TextDecoder().decode(readQrPixels(pixels(text)))).toBe(text);
});

test('bytes come back as bytes, also those that are no text', () => {
	const bytes = Uint8Array.from({ length: 66 }, (_, at) => (at * 89 + 128) & 255);
	expect(readQrPixels(pixels(bytes))).toEqual(bytes);
});

test('a picture without a code is no code', () => {
	expect(readQrPixels(new ImageData(64, 64))).toBeUndefined();
});
