import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Pool } from 'undici';
import { listening } from './batches.ts';
import type { Contender } from './session.ts';
import { CHUNKS, type Ends, measure, type Small, work } from './work.ts';

/** As many connections as the busiest cell but one has calls; 256 were slower. */
const CONNECTIONS = 64;

/** JSON over HTTP/1.1: what services call each other with. */
export const http: Contender = {
  async serve() {
    const server = createServer((req, res) => {
      void answer(req, res);
    });
    return listening(server, () => {
      server.closeAllConnections();
      server.close();
    });
  },
  async connect(port) {
    const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CONNECTIONS, pipelining: 1 });
    const post = async (path: string, body: string | Uint8Array): Promise<unknown> => {
      const { body: answered } = await pool.request({ path, method: 'POST', body });
      return answered.json();
    };
    return {
      echo: (payload) => post('/echo', JSON.stringify(payload)) as Promise<Small>,
      measure: (bytes) => post('/measure', bytes) as Promise<Ends>,
      stream: async () => lines((await pool.request({ path: '/stream', method: 'GET' })).body),
      close: () => pool.destroy(),
    };
  },
};

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (req.url === '/stream') {
    for (let x = 0; x < CHUNKS; x++) {
      if (!res.write(`${JSON.stringify({ x })}\n`))
        await new Promise((resolve) => res.once('drain', resolve));
    }
    res.end();
    return;
  }
  const body = Buffer.concat(await Array.fromAsync(req as AsyncIterable<Buffer>));
  const result = req.url === '/echo' ? await work(JSON.parse(body.toString())) : measure(body);
  const text = JSON.stringify(result);
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  res.end(text);
}

/** The values of lines of JSON. */
async function* lines(body: AsyncIterable<Buffer>): AsyncGenerator<unknown> {
  let rest = '';
  for await (const chunk of body) {
    const texts = (rest + chunk).split('\n');
    rest = texts.pop() ?? '';
    for (const text of texts) yield JSON.parse(text);
  }
}
