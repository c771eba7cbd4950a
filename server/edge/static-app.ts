// The built app, read into memory once: no request touches the disk, and no path can lead out of the directory.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';

const CONTENT_TYPES: Readonly<Record<string, string>> = {
	'.css': 'text/css; charset=utf-8',
	'.html': 'text/html; charset=utf-8',
	'.ico': 'image/x-icon',
	'.jpg': 'image/jpeg',
	'.js': 'text/javascript; charset=utf-8',
	'.json': 'application/json',
	'.map': 'application/json',
	'.mjs': 'text/javascript; charset=utf-8',
	'.mp3': 'audio/mpeg',
	'.ogg': 'audio/ogg',
	'.png': 'image/png',
	'.svg': 'image/svg+xml',
	'.txt': 'text/plain; charset=utf-8',
	'.wasm': 'application/wasm',
	'.webmanifest': 'application/manifest+json',
	'.webp': 'image/webp',
	'.woff2': 'font/woff2',
};

export interface Asset {
	readonly body: Buffer;
	/** Precompressed by the build, where that was worth it. */
	readonly brotli: Buffer | undefined;
	readonly gzip: Buffer | undefined;
	readonly type: string;
	readonly etag: string;
	/** Its name changes with its content, so it may be kept for ever. */
	readonly immutable: boolean;
}

/** Assets by path, `/index.html` among them; empty when the app was not built. */
export function loadApp(directory: string): ReadonlyMap<string, Asset> {
	const assets = new Map<string, Asset>();
	if (!existsSync(join(directory, 'index.html'))) return assets;
	const files = readdirSync(directory, { recursive: true, withFileTypes: true });
	for (const entry of files) {
		if (!entry.isFile() || /\.(br|gz)$/.test(entry.name)) continue;
		const file = join(entry.parentPath, entry.name);
		const path = `/${relative(directory, file).split(sep).join('/')}`;
		const body = readFileSync(file);
		assets.set(path, {
			body,
			brotli: existsSync(`${file}.br`) ? readFileSync(`${file}.br`) : undefined,
			gzip: existsSync(`${file}.gz`) ? readFileSync(`${file}.gz`) : undefined,
			type: CONTENT_TYPES[extname(file)] ?? 'application/octet-stream',
			etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
			immutable: path.startsWith('/_app/immutable/'),
		});
	}
	return assets;
}
