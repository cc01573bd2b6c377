import { readFileSync, statSync } from 'node:fs';
import { invalidOption } from '../errors.ts';
import { messageOf } from '../values/describe-value.ts';

/** Whether a text is PEM itself, and not the path of a file with PEM. */
export function isPem(text: string): boolean {
  return text.includes('-----BEGIN');
}

/** A file in PEM, which is read again when it has changed. */
export class PemFile {
  readonly #path: string;
  #stamp: string;
  #content: string;

  /**
   * @param option name of the option that names the file
   * @throws ServeError `SERVE_INVALID_OPTION` if the file cannot be read, or holds no PEM
   */
  constructor(path: string, option: string) {
    this.#path = path;
    try {
      this.#stamp = stampOf(path);
      this.#content = readFileSync(path, 'utf8');
    } catch (error) {
      throw invalidOption(option, path, `PEM, or the path of a file in PEM (${messageOf(error)})`);
    }
    if (!isPem(this.#content)) throw invalidOption(option, path, 'PEM, or the path of a file in PEM');
  }

  /** The content as of now. A file that is being replaced and cannot be read has its former content. */
  read(): string {
    try {
      const stamp = stampOf(this.#path);
      if (stamp !== this.#stamp) {
        const content = readFileSync(this.#path, 'utf8');
        if (isPem(content)) [this.#content, this.#stamp] = [content, stamp];
      }
    } catch {}
    return this.#content;
  }
}

/** Changes whenever the file does. Links are followed: secrets in containers are replaced by another link. */
function stampOf(path: string): string {
  const { mtimeMs, size, ino } = statSync(path);
  return `${mtimeMs} ${size} ${ino}`;
}
