import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * Rounds of a bench with `--against`, each of which is one pair of measurements. The 90 % interval of the median then spans
 * the 5th to the 12th of 16 ratios; with 15 it would span the 4th to the 12th.
 */
export const PAIRS = 16;

const PACKAGE = 'inserve';
const THIS_CHECKOUT = new URL('../../', import.meta.url);
const PRELOADED = new URL('./package-under-test.mjs', import.meta.url);

/** Another checkout whose build is compared with this one's. */
export interface OtherBuild {
  /** URL of its directory. */
  readonly root: URL;
  /** Its git revision, or its directory where git does not tell. */
  readonly revision: string;
}

/** Appended to the names of the other build's contenders. */
export const BEFORE = '-before';

/** One build that contenders run on. */
export interface Build {
  /** Appended to the names of its contenders; empty for this checkout. */
  readonly suffix: string;
  /** Checkout that the contenders' processes load the package from; absent: this one, without a redirection. */
  readonly root?: URL;
}

/** @throws RangeError if the directory is no checkout of the package or has no build */
export function otherBuild(directory: string): OtherBuild {
  const path = resolve(directory);
  const root = pathToFileURL(`${path}/`);
  const manifest = new URL('package.json', root);
  if (!existsSync(manifest) || nameOf(manifest) !== PACKAGE) {
    throw new RangeError(`--against: '${path}' is not a checkout of ${PACKAGE}`);
  }
  for (const [part, command] of [
    ['dist/index.js', 'npm run build'],
    ['node_modules', 'npm ci'],
  ] as const) {
    if (!existsSync(new URL(part, root))) {
      throw new RangeError(`--against: '${path}' has no ${part}; run \`${command}\` there`);
    }
  }
  return { root, revision: revisionOf(path) };
}

/**
 * This build, and the other one if there is one. Both are then loaded through the same redirection, so that it cannot make
 * a difference.
 */
export function buildsOf(against: OtherBuild | undefined): readonly Build[] {
  if (against === undefined) return [{ suffix: '' }];
  return [
    { suffix: '', root: THIS_CHECKOUT },
    { suffix: BEFORE, root: against.root },
  ];
}

/** Flags for a Node process, inherited by its worker threads, that imports the package from a checkout. */
export function loadFrom(root: URL): string[] {
  const preloaded = new URL(PRELOADED);
  preloaded.searchParams.set('root', root.href);
  return ['--import', preloaded.href];
}

function nameOf(manifest: URL): unknown {
  const parsed: unknown = JSON.parse(readFileSync(fileURLToPath(manifest), 'utf8'));
  return typeof parsed === 'object' && parsed !== null && 'name' in parsed ? parsed.name : undefined;
}

function revisionOf(path: string): string {
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    return execFileSync('git', ['-C', path, 'rev-parse', '--short', 'HEAD'], { stdio }).toString().trim();
  } catch {
    return path;
  }
}
