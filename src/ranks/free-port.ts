import { createServer } from 'node:net';
import { WorkError } from '../errors.js';

/**
 * A port of this machine that nobody listens on now. Who takes it does so a moment later: TensorFlow's server must be told
 * one.
 * @param host the address to listen on; absent: all
 */
export function freePort(host?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen({ port: 0, host }, () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null
          ? resolve(address.port)
          : reject(new WorkError('the system gave no free port')),
      );
    });
  });
}
