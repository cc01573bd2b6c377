import { globSync, readFileSync } from 'node:fs';

/** A fenced block of a page. */
export interface CodeBlock {
  readonly page: string;
  /** The line of the page on which the code begins, counted from 1. */
  readonly line: number;
  /** The word after the fence, or '' for a drawing or output. */
  readonly language: string;
  readonly code: string;
  /** The text of the HTML comment in the line above the block, which readers do not see. */
  readonly note: string | undefined;
}

/** Pages whose code users copy. Decisions and the changelog tell of the past. */
export const PAGES: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'bench/README.md',
  ...globSync('docs/**/*.md', { exclude: ['docs/decisions/**'] }),
  ...globSync('examples/*/README.md'),
].sort();

const FENCE = /^( *)```(\w*)$/;
const COMMENT = /^ *<!-- (.+) -->$/;

export function codeBlocksOf(page: string): CodeBlock[] {
  const lines = readFileSync(page, 'utf8').split('\n');
  const blocks: CodeBlock[] = [];
  for (let at = 0; at < lines.length; at++) {
    const [, indent = '', language = ''] = FENCE.exec(lines[at] ?? '') ?? [undefined];
    if (!FENCE.test(lines[at] ?? '')) continue;
    const end = lines.indexOf(`${indent}\`\`\``, at + 1);
    if (end < 0) throw new Error(`${page}:${at + 1}: the block does not end`);
    // The code of a block in a list is indented like the list.
    const code = lines
      .slice(at + 1, end)
      .map((line) => line.slice(Math.min(indent.length, line.search(/\S|$/))));
    blocks.push({
      page,
      line: at + 2,
      language,
      code: `${code.join('\n')}\n`,
      note: COMMENT.exec(lines[at - 1] ?? '')?.[1],
    });
    at = end;
  }
  return blocks;
}

/** Where a block stands, as editors understand it. */
export function placeOf({ page, line }: CodeBlock): string {
  return `${page}:${line}`;
}
