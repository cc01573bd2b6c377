import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { FrameWriter } from '../../src/isolation/child/python/frame-writer.ts';
import { FRAME } from '../../src/isolation/child/python/frames.ts';
import { MessageReader } from '../../src/isolation/child/python/message.ts';
import { decodeValue } from '../../src/isolation/child/python/values/decode.ts';

/** The bare echo in Python, called over the same frames as a replica. */
export class Floor {
  readonly #child: ChildProcess;
  readonly #writer: FrameWriter;
  readonly #waiting = new Map<number, (value: unknown) => void>();
  #nextId = 1;

  constructor(mode: 'echo' | 'tasks') {
    const script = fileURLToPath(new URL('./floor.py', import.meta.url));
    this.#child = spawn('python3', [script, mode], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
    const socket = this.#child.stdio[3] as Duplex;
    this.#writer = new FrameWriter(socket, () => undefined);
    const reader = new MessageReader();
    socket.on('data', (chunk: Uint8Array) => {
      reader.push(chunk, ({ frames, attachments }) => {
        for (const [, id, value, marks] of frames) {
          const resolve = this.#waiting.get(id as number);
          this.#waiting.delete(id as number);
          resolve?.(decodeValue(value, marks, attachments));
        }
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  echo(value: unknown): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#writer.value(`${FRAME.call},${id},"echo",`, [[value]], 'echo', ',{}');
    });
  }

  close(): void {
    this.#child.kill();
  }
}
