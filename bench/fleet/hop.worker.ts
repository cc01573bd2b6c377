import { type MessagePort, workerData } from 'node:worker_threads';
import { openChannel } from '../threads/channel.ts';
import { type Request, work } from './work.ts';

const { port } = workerData as { port: MessagePort };

const send = openChannel(port, async (id, request) => send(id, await work(request as Request)));
