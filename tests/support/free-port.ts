import { createServer, type AddressInfo } from 'node:net';

/** A port that nobody listens on. A server is given its number, so that it can have the same one again. */
export function freePort(): Promise<number> {
	return new Promise((resolve) => {
		const server = createServer();
		server.listen(0, '127.0.0.1', () => {
			const { port } = server.address() as AddressInfo;
			server.close(() => resolve(port));
		});
	});
}
