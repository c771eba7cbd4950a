// A QR code as one SVG path, in the look of Kith: rounded eyes, full modules with slightly rounded corners, room
// for the mark in the middle. Level Q pays for what the mark covers.
import { encode } from 'uqr';

export interface QrDrawing {
	/** Modules per side, without a quiet zone. */
	readonly size: number;
	readonly modules: string;
	readonly eyes: string;
	/** Start and size of the square left free for the mark, in modules. */
	readonly hole: { readonly at: number; readonly size: number };
}

const EYE = 7;

/** `data`: text, or the bytes themselves. */
export function drawQr(data: string | Uint8Array): QrDrawing {
	const code = encode(typeof data === 'string' ? data : [...data], { ecc: 'Q', border: 0 });
	const { size } = code;
	const holeSize = Math.max(5, Math.round(size * 0.22) | 1);
	const hole = { at: (size - holeSize) / 2, size: holeSize };
	const isEye = (x: number, y: number): boolean =>
		(x < EYE && y < EYE) || (x >= size - EYE && y < EYE) || (x < EYE && y >= size - EYE);
	const isHole = (x: number, y: number): boolean =>
		[x, y].every((each) => each >= hole.at && each < hole.at + hole.size);
	let modules = '';
	code.data.forEach((row, y) => {
		row.forEach((dark, x) => {
			if (dark && !isEye(x, y) && !isHole(x, y)) modules += roundedSquare([x, y], 1, 0.3);
		});
	});
	const eyes = [
		[0, 0],
		[size - EYE, 0],
		[0, size - EYE],
	]
		.map(([x = 0, y = 0]) => {
			const ring = roundedSquare([x, y], EYE, 2) + roundedSquare([x + 1, y + 1], EYE - 2, 1.2);
			return ring + roundedSquare([x + 2, y + 2], EYE - 4, 0.9);
		})
		.join('');
	return { size, modules, eyes, hole };
}

function roundedSquare([x, y]: readonly [number, number], side: number, radius: number): string {
	const edge = side - 2 * radius;
	const arc = (dx: number, dy: number): string => `a${radius} ${radius} 0 0 1 ${dx} ${dy}`;
	return (
		`M${x + radius} ${y}h${edge}${arc(radius, radius)}v${edge}${arc(-radius, radius)}` +
		`h${-edge}${arc(-radius, -radius)}v${-edge}${arc(radius, -radius)}z`
	);
}
