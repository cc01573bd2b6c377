import { Socket } from 'node:net';
import { openWorker } from '../fleet/batches.ts';
import { post, read } from './framing.ts';

const link = new Socket({ fd: 3, readable: true, writable: true });
const worker = openWorker((message) => post(link, message));
read(link, worker.receive);
