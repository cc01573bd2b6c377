import { createHash, scryptSync } from 'node:crypto';
import { deflateSync } from 'node:zlib';

/** What programs behind a web server compute: a password's hash, a file that is read, a document that is made. */
export const KINDS = ['scrypt', 'csv', 'pdf'] as const;
export type Kind = (typeof KINDS)[number];

/** Memory and time of one hash: 4 MiB, about 10 ms. */
const SCRYPT = { N: 4_096, r: 8, p: 1 };
const CSV_ROWS = 8_000;
const PDF_PAGES = 24;
const LINES_PER_PAGE = 60;

const CSV = csv(CSV_ROWS);

/** The same answer each time, so that its length is known. */
export function work(kind: Kind): unknown {
  switch (kind) {
    case 'scrypt':
      return { key: scryptSync('correct horse battery staple', 'salt', 32, SCRYPT).toString('hex') };
    case 'csv':
      return summarized(parseCsv(CSV));
    case 'pdf': {
      const document = pdf(PDF_PAGES);
      return { bytes: document.length, sha256: createHash('sha256').update(document).digest('hex') };
    }
    default:
      throw new RangeError(`no kind of work named '${kind}'`);
  }
}

function csv(rows: number): string {
  const lines = Array.from(
    { length: rows },
    (_, row) => `${row},"Customer ""${row % 97}"", Ltd",${row * 1.25}`,
  );
  return ['id,name,amount', ...lines].join('\n');
}

/** Character by character, as quotes may hold separators (RFC 4180). */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = '';
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (isQuoted) {
      if (character !== '"') field += character;
      else if (text[at + 1] === '"') field += text[++at];
      else isQuoted = false;
    } else if (character === '"') {
      isQuoted = true;
    } else if (character === ',' || character === '\n') {
      row.push(field);
      field = '';
      if (character === '\n') {
        rows.push(row);
        row = [];
      }
    } else {
      field += character;
    }
  }
  rows.push([...row, field]);
  return rows;
}

function summarized([, ...rows]: readonly string[][]): { rows: number; customers: number; total: number } {
  const customers = new Set(rows.map(([, name = '']) => name));
  const total = rows.reduce((sum, [, , amount]) => sum + Number(amount), 0);
  return { rows: rows.length, customers: customers.size, total };
}

/** A document of text pages with compressed content streams and a table of its objects, as PDF writers make it. */
function pdf(pages: number): Buffer {
  const kids = Array.from({ length: pages }, (_, page) => `${4 + 2 * page} 0 R`).join(' ');
  const objects = [
    Buffer.from('<< /Type /Catalog /Pages 2 0 R >>'),
    Buffer.from(`<< /Type /Pages /Kids [${kids}] /Count ${pages} >>`),
    Buffer.from('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'),
    ...Array.from({ length: pages }, (_, page) => pageObjects(page)).flat(),
  ];
  const parts: Buffer[] = [Buffer.from('%PDF-1.7\n')];
  const offsets: number[] = [];
  let length = parts[0]!.length;
  for (const [index, body] of objects.entries()) {
    const object = Buffer.concat([Buffer.from(`${index + 1} 0 obj\n`), body, Buffer.from('\nendobj\n')]);
    offsets.push(length);
    parts.push(object);
    length += object.length;
  }
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const count = objects.length + 1;
  parts.push(Buffer.from(`xref\n0 ${count}\n0000000000 65535 f \n${table}`));
  parts.push(Buffer.from(`trailer\n<< /Size ${count} /Root 1 0 R >>\nstartxref\n${length}\n%%EOF\n`));
  return Buffer.concat(parts);
}

function pageObjects(page: number): [Buffer, Buffer] {
  const lines = Array.from({ length: LINES_PER_PAGE }, (_, line) => {
    const number = page * LINES_PER_PAGE + line;
    return `BT /F1 10 Tf 50 ${780 - 12 * line} Td (Item ${number}: ${number % 7} pieces for ${(number * 1.19).toFixed(2)}) Tj ET`;
  });
  const content = deflateSync(Buffer.from(lines.join('\n')), { level: 9 });
  const head = `<< /Length ${content.length} /Filter /FlateDecode >>\nstream\n`;
  return [
    Buffer.from(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents ${5 + 2 * page} 0 R /Resources << /Font << /F1 3 0 R >> >> >>`,
    ),
    Buffer.concat([Buffer.from(head), content, Buffer.from('\nendstream')]),
  ];
}
