import { relative } from 'node:path';

/** A reporter of `node --test`: one line of JSON per test. */
export default async function* lines(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite' || data.skip !== undefined) continue;
    const { file = '', line, name } = data;
    const test = `${relative(process.cwd(), file)}:${line} ${name}`;
    const error = data.details?.error;
    yield `${JSON.stringify({ test, isPassed: type === 'test:pass', error: String(error?.cause ?? error ?? '') })}\n`;
  }
}
