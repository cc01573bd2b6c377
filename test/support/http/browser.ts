import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import chromium from '@sparticuz/chromium';
import puppeteer, { type Browser } from 'puppeteer-core';

const INSTALLED = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** A browser without a window: the one on the machine, else the one that comes in a package. */
export async function startBrowser(): Promise<Browser> {
  const installed = onPath();
  return puppeteer.launch({
    executablePath: installed ?? (await unpacked()),
    headless: 'shell',
    // Tests may run as root, where Chromium has no sandbox.
    args: [...(installed === undefined ? chromium.args : []), '--no-sandbox', '--disable-dev-shm-usage'],
  });
}

function onPath(): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of INSTALLED) {
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {}
    }
  }
  return undefined;
}

/** The package holds it compressed (67 MB). It is unpacked once, and moved in place whole: test files run side by side. */
async function unpacked(): Promise<string> {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const manifest = join(root, 'node_modules', '@sparticuz', 'chromium', 'package.json');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  const home = join(root, 'node_modules', '.cache', `chromium-${version}`);
  if (existsSync(home)) return join(home, 'chromium');
  mkdirSync(dirname(home), { recursive: true });
  const fresh = mkdtempSync(`${home}-`);
  const { TMPDIR } = process.env;
  process.env['TMPDIR'] = fresh;
  await chromium.executablePath();
  if (TMPDIR === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = TMPDIR;
  try {
    renameSync(fresh, home);
  } catch {
    // Another test file was faster.
    rmSync(fresh, { recursive: true, force: true });
  }
  return join(home, 'chromium');
}
