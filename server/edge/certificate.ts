// The relay's own certificate, where no proxy has one: checked before it is used, and taken anew when its files change.
import { readFileSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { RelayLog } from '../relay/ports.ts';

/** PEM: the certificate with its chain, and its key. */
export interface CertificateFiles {
	readonly cert: string;
	readonly key: string;
}

/** The two files are rarely replaced at one moment, ms. */
const SETTLED_AFTER = 500;

/** Throws a sentence where the files cannot serve. Returns what tells one certificate from the next. */
export function checkCertificate({ cert, key }: CertificateFiles): string {
	try {
		const [chain, secret] = [readFileSync(cert, 'utf8'), readFileSync(key, 'utf8')];
		createSecureContext({ cert: chain, key: secret });
		return chain;
	} catch (error) {
		throw new Error(
			`The certificate ${cert} with the key ${key} cannot be used: ${(error as Error).message}.`,
			{ cause: error },
		);
	}
}

/** Calls `renew` when the files hold another certificate that can be used. Whole directories are watched: links change. */
export function watchCertificate(
	files: CertificateFiles,
	log: RelayLog,
	renew: () => Promise<void>,
): void {
	let current = checkCertificate(files);
	const look = async () => {
		try {
			const found = checkCertificate(files);
			if (found === current) return;
			await renew();
			current = found;
			log.info('new certificate');
		} catch (error) {
			log.warn('the certificate stays as it was', { why: (error as Error).message });
		}
	};
	let timer: NodeJS.Timeout | undefined;
	for (const directory of new Set([dirname(files.cert), dirname(files.key)]))
		watch(directory, { persistent: false }, () => {
			clearTimeout(timer);
			timer = setTimeout(() => void look(), SETTLED_AFTER);
		});
}
