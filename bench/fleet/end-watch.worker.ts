import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

/** Tells when the connections of a process end: on a thread that has nothing else to do. */
const { port } = workerData as { port: number };
const socket = connect(port, '127.0.0.1', () => parentPort?.postMessage('watching'));
socket.on('error', () => {});
socket.on('close', () => parentPort?.postMessage(performance.timeOrigin + performance.now()));
