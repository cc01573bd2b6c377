import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { codeBlocksOf } from './code-blocks.ts';

const run = promisify(execFile);

/** A command, which may go on in lines that begin with `>`, and what it prints. */
const COMMAND = /^\$ (.*(?:\n> .*)*)\n([\s\S]*?)(?=^\$ |$(?![\s\S]))/gm;
/** Numbers of a model, whose last digits depend on the machine. */
const LONG_NUMBER = /\b\d+\.\d{6,}(?:e-?\d+)?\b/g;

function rounded(text: string): string {
  return text.trim().replaceAll(LONG_NUMBER, (number) => Number(number).toPrecision(4));
}

/**
 * Types the commands of the `console` blocks of a page, and expects what the page shows below them: `…` stands for anything.
 * @param url takes the place of the address in the commands
 */
export async function expectConsole(page: string, url: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'inserve-console-'));
  try {
    const blocks = codeBlocksOf(page).filter(({ language }) => language === 'console');
    const commands = blocks.flatMap(({ code }) => [...code.matchAll(COMMAND)]);
    expect(commands.length).toBeGreaterThan(0);
    for (const [, typed = '', shown = ''] of commands) {
      const script = typed.replaceAll('\n> ', '\n').replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, url);
      const { stdout } = await run('bash', ['-ec', script], { cwd: directory });
      const pattern = rounded(shown)
        .replaceAll(/[\^$.*+?()[\]{}|\\/]/g, String.raw`\$&`)
        .replaceAll('…', String.raw`[\s\S]*`);
      expect(rounded(stdout), script).toMatch(new RegExp(`^${pattern}$`));
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}
