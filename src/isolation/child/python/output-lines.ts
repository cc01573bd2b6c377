import { StringDecoder } from 'node:string_decoder';

/** A longer line is cut into several. */
const MAX_LINE = 16_384;

/** Splits the output of a process into lines. Of a line that was overwritten, as progress bars do, the last state counts. */
export class OutputLines {
  readonly #decoder = new StringDecoder('utf8');
  readonly #receive: (line: string) => void;
  #rest = '';

  constructor(receive: (line: string) => void) {
    this.#receive = receive;
  }

  add(bytes: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(bytes)).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
    if (this.#rest.length > MAX_LINE) {
      this.#line(this.#rest);
      this.#rest = '';
    }
  }

  /** The output has ended. */
  end(): void {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = '';
    if (rest !== '') this.#line(rest);
  }

  #line(line: string): void {
    const trimmed = line.endsWith('\r') ? line.slice(0, -1) : line;
    const shown = trimmed.slice(trimmed.lastIndexOf('\r') + 1);
    if (shown.length === 0) return;
    this.#receive(shown.length > MAX_LINE ? `${shown.slice(0, MAX_LINE)} …` : shown);
  }
}
